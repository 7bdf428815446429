#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Clients of the daemon's HTTP server, each kind in a process of its own.

    clients.py slow ADDRESS:PORT COUNT      keeps COUNT slow connections until standard input
                                            ends; prints a line of JSON each half second
    clients.py ask ADDRESS:PORT COUNT       sends COUNT requests one after the other, each on a
                                            connection of its own; prints the results as JSON
    clients.py sleep ADDRESS:PORT 0         sends nothing: sleeps for short times until standard
                                            input ends, and prints how late it was woken
"""

import collections
import itertools
import json
import resource
import select
import socket
import sys
import time

PATHS = ("/metrics", "/healthz", "/stats.json")
PATIENCE = 60  # seconds for an answer
TICK = 0.5  # seconds between two bytes of a slow client
AWAY = 2  # seconds until a client whose connection was closed connects again

# A kind of client: what it sends at once, what it sends byte by byte, and whether it reads answers.
Kind = collections.namedtuple("Kind", "at_once later reads")
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
KINDS = (
    Kind(b"", b"", True),  # sends nothing
    Kind(GET, b"", True),  # stops in the middle
    Kind(b"", GET + b"X-Slow: 1\r\n" * 1000, True),
    Kind((GET + b"\r\n") * 50, b"", False),
    Kind(GET + b"\r\n", (GET + b"\r\n") * 1000, True),
    Kind(b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x" * 10000,
         True),
    Kind(b"GET /" + b"a" * 20000, b"a" * 10000, True),
    Kind(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), bytes(10000), True),
)


class Connection:
    """One slow client, which connects again when the server closes its connection."""

    def __init__(self, target, kind):
        self.target, self.kind = target, kind
        self.socket, self.begun, self.later = None, False, None
        self.connects, self.back_at = 0, 0

    def open(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if not self.kind.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.begun, self.later = False, iter(self.kind.later)
        self.connects += 1
        self.socket.connect_ex(self.target)

    def close(self):
        self.socket.close()
        self.socket = None
        self.back_at = time.monotonic() + AWAY

    def shut_out(self):
        """Whether the server has closed the connection or refused it."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def speak(self):
        if not self.begun:
            self.socket.send(self.kind.at_once)
            self.begun = True
            return
        byte = next(self.later, None)
        if byte is not None:
            self.socket.send(bytes([byte]))

    def tick(self):
        if self.socket is None:
            if time.monotonic() >= self.back_at:
                self.open()
            return
        try:
            if self.shut_out():
                self.close()
                return
            self.speak()
            if self.kind.reads:
                self.socket.recv(65536)
        except BlockingIOError:
            pass
        except OSError:
            self.close()


def slow(target, count):
    kinds = itertools.cycle(KINDS)
    connections = [Connection(target, next(kinds)) for _ in range(count)]
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        due = max(due + TICK, time.monotonic())
        for connection in connections:
            connection.tick()
        print(json.dumps({"begun": sum(connection.socket is not None and connection.begun
                                       for connection in connections),
                          "connects": sum(connection.connects for connection in connections)}),
              flush=True)


def ask_once(target, path):
    """Returns status and length of the answer; the server ends it by closing the connection."""
    with socket.create_connection(target, PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                           .encode())
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), len(body)


def percentile(times, percent):
    return round(sorted(times)[min(len(times) - 1, int(len(times) * percent / 100))], 3)


def summary(times):
    return {"p50": percentile(times, 50), "p99": percentile(times, 99), "max": percentile(times, 100)}


def sleep(_target, _count):
    late = []
    while True:
        begun = time.monotonic()
        ended = select.select([sys.stdin], [], [], 0.001)[0]
        late.append((time.monotonic() - begun) * 1000 - 1)
        if ended:
            print(json.dumps({"late": summary(late)}))
            return


def ask(target, count):
    times, statuses = {path: [] for path in PATHS}, collections.Counter()
    for path in itertools.islice(itertools.cycle(PATHS), count):
        begun = time.monotonic()
        try:
            status, length = ask_once(target, path)
            statuses[f"{status}" if length else f"{status}, empty"] += 1
        except (OSError, ValueError, IndexError) as error:
            statuses[f"{type(error).__name__}: {error}"] += 1
        times[path].append((time.monotonic() - begun) * 1000)
    milliseconds = {path: summary(values) for path, values in times.items()}
    print(json.dumps({"statuses": statuses, "milliseconds": milliseconds}))


def main():
    what, target, count = sys.argv[1:]
    address, _, port = target.rpartition(":")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    {"slow": slow, "ask": ask, "sleep": sleep}[what]((address, int(port)), int(count))


if __name__ == "__main__":
    main()
