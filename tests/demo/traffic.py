#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The traffic of the demo: real UDP sockets at both ends, and a comparison of their reports.

    traffic.py send REPORT       the production host: sends, and reports what it sent
    traffic.py collect REPORT    the collector: listens, and reports what its kernel delivered
    traffic.py compare SENT RECEIVED
"""
import collections
import hashlib
import json
import random
import socket
import struct
import sys
import time

PRODUCTION = "10.2.41.20"
PEER = ("10.2.41.30", 31765)  # the production host sends to it
COLLECTOR = ("10.2.41.17", 8081)
WANTED_PORT = 42844  # source port of the flow that the rule matches
OTHER_PORTS = (42843, 42845, 53124)  # flows that no rule matches

DATAGRAMS = 6000
RATE = 1500  # datagrams a second
HEADERS = 28  # IPv4 and UDP
JUMBO = 2852  # IP length
# IP lengths around clear_df_above (1400) and mtu (1500).
SMALL = (46, 64, 128, 576, 1399, 1400, 1401, 1499, 1500, 1501)

# Linux's numbers; Python's socket module does not have them.
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
SO_RCVBUFFORCE = 33


def plan():
    """The production host's datagrams in order: (sequence number, source port, IP length)."""
    choice = random.Random(1)
    for number in range(DATAGRAMS):
        port = choice.choice(OTHER_PORTS) if number % 5 == 4 else WANTED_PORT
        length = JUMBO if number % 2 == 0 else choice.choice(SMALL)
        yield number, port, length


def payload(number, length):
    """The sequence number, then random bytes."""
    return struct.pack("!Q", number) + random.randbytes(length - HEADERS - 8)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def sockets():
    """One for each flow. All set DF; the datagrams of an unconnected socket then carry IP ID 0."""
    result = {}
    for port in (WANTED_PORT, *OTHER_PORTS):
        result[port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        result[port].setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        result[port].bind((PRODUCTION, port))
    return result


def send(report):
    flows = sockets()
    sent = []
    start = time.monotonic()
    for number, port, length in plan():
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        data = payload(number, length)
        flows[port].sendto(data, PEER)
        sent.append({"number": number, "port": port, "length": length, "sha256": digest(data)})
    with open(report, "w", encoding="ascii") as file:
        json.dump(sent, file)


def collect(report):
    """Listens until every wanted datagram came and 0.3 s passed, or none came for 3 s."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    listener.bind(COLLECTOR)
    print("listening", flush=True)
    wanted = sum(port == WANTED_PORT for _, port, _ in plan())
    received = []
    listener.settimeout(15)
    try:
        while True:
            data, sender = listener.recvfrom(65535)
            received.append({"data": data, "from": list(sender)})
            listener.settimeout(3 if len(received) < wanted else 0.3)
    except socket.timeout:
        pass
    with open(report, "w", encoding="ascii") as file:
        json.dump([{"number": struct.unpack_from("!Q", entry["data"].ljust(8, b"\0"))[0],
                    "length": len(entry["data"]) + HEADERS, "sha256": digest(entry["data"]),
                    "from": entry["from"]} for entry in received], file)


def compare(sent_report, received_report):
    """True when exactly the wanted datagrams arrived, each once, intact, from the right sender."""
    with open(sent_report, encoding="ascii") as file:
        sent = json.load(file)
    with open(received_report, encoding="ascii") as file:
        received = json.load(file)
    expected = {entry["number"]: entry for entry in sent if entry["port"] == WANTED_PORT}
    arrived = collections.defaultdict(list)
    for entry in received:
        arrived[entry["number"]].append(entry)

    def intact(number, entry):
        return (number in expected and entry["sha256"] == expected[number]["sha256"]
                and entry["from"] == [PRODUCTION, WANTED_PORT])

    good = sorted(n for n in arrived if any(intact(n, entry) for entry in arrived[n]))
    problems = [
        ("missing", sorted(expected.keys() - arrived.keys())),
        ("damaged", sorted(n for n in arrived if n in expected and n not in good)),
        ("more than once", sorted(n for n in arrived if n in good and len(arrived[n]) > 1)),
        ("not meant for the collector", sorted(arrived.keys() - expected.keys())),
    ]
    jumbo = sum(expected[n]["length"] == JUMBO for n in good)
    others = len(sent) - len(expected)
    print(f"{len(good)} of {len(expected)} datagrams intact at the collector, "
          f"{jumbo} of them of {JUMBO} bytes; {others} of other flows kept away")
    lengths = {entry["number"]: entry["length"] for entry in sent}
    for what, numbers in problems:
        if numbers:
            listed = ", ".join(f"#{n} ({lengths.get(n, '?')} bytes)" for n in numbers[:8])
            more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
            print(f"{what}: {listed}{more}")
    return len(expected) > 0 and not any(numbers for _, numbers in problems)


def main():
    match sys.argv[1:]:
        case ["send", report]:
            send(report)
        case ["collect", report]:
            collect(report)
        case ["compare", sent, received]:
            sys.exit(0 if compare(sent, received) else 1)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
