# SPDX-License-Identifier: GPL-2.0-only
"""
For tests of health, HTTP and faults: an instance that serves HTTP inside its namespace, and the
time until /healthz reports a change.
"""

import contextlib
import ctypes
import http.client
import json
import os
import re
import socket
import sys
import time

from .command import wait_for
from .daemon import PINS
from .kernel import SYSTEM_CALLS
from .life import TARGETS, Lifecycle, rules
from .program import PATIENCE

# Seconds that /healthz may take to report a fault or its end; an emulated CPU takes longer.
TOLD_WITHIN = 2.0 * PATIENCE
PORT = 9789
VERBOSE = bool({"-v", "--verbose"} & set(sys.argv))

BPF_OBJ_GET, BPF_LINK_CREATE, BPF_LINK_UPDATE = 7, 28, 29
BPF_XDP = 37
_libc = ctypes.CDLL(None, use_errno=True)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def connect(namespace, address="127.0.0.1", port=PORT, timeout=5.0):
    """A socket of that namespace, connected to the address."""
    client = namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                              socket.SOCK_STREAM)
    client.settimeout(timeout)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def request(namespace, path="/healthz", method="GET", body=None, **options):
    connection = http.client.HTTPConnection("appliance")
    connection.sock = connect(namespace, **options)
    try:
        connection.request(method, path, body=body)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def metrics(text):
    """Prometheus text as {(name, ((label, value), ...)): number}; fails if a series comes twice."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? (\S+)', line)
        if not match:
            raise AssertionError(f"no metric: {line}")
        labels = tuple(re.findall(r'([a-z]+)="([^"]*)"', match[2] or ""))
        if (match[1], labels) in found:
            raise AssertionError(f"twice: {line}")
        found[match[1], labels] = float(match[3])
    return found


def of_family(series, name, label):
    """The family's series as {value of that label: number}."""
    return {dict(labels)[label]: value for (its, labels), value in series.items()
            if its == f"vxlan_pipeline_{name}"}


def _bpf(command, attributes):
    result = _libc.syscall(SYSTEM_CALLS["bpf"], command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def _open_pin(path):
    class Attributes(ctypes.Structure):
        _fields_ = [("path", ctypes.c_uint64), ("fd", ctypes.c_uint32), ("flags", ctypes.c_uint32)]
    text = ctypes.create_string_buffer(path.encode())
    return _bpf(BPF_OBJ_GET, Attributes(ctypes.addressof(text), 0, 0))


def update_link(link, program):
    """Replaces the program of a pinned link by a pinned program, as another tool may."""
    class Attributes(ctypes.Structure):
        _fields_ = [("link", ctypes.c_uint32), ("new", ctypes.c_uint32),
                    ("flags", ctypes.c_uint32), ("old", ctypes.c_uint32)]
    fds = _open_pin(link), _open_pin(program)
    try:
        _bpf(BPF_LINK_UPDATE, Attributes(*fds, 0, 0))
    finally:
        for fd in fds:
            os.close(fd)


def create_link(namespace, interface, program):
    """
    Attaches a pinned program by a link, as another tool may. Returns the link as a file: closing it
    detaches the program.
    """
    class Attributes(ctypes.Structure):
        _fields_ = [("program", ctypes.c_uint32), ("target", ctypes.c_uint32),
                    ("type", ctypes.c_uint32), ("flags", ctypes.c_uint32)]
    fd = _open_pin(program)
    try:
        with namespace.entered():
            index = socket.if_nametoindex(interface)
            return open(_bpf(BPF_LINK_CREATE, Attributes(fd, index, BPF_XDP, 0)), "rb")
    finally:
        os.close(fd)


def starvation(pid):
    """Seconds that the process and this one have waited for a CPU, so far."""
    total = 0
    for directory in (f"/proc/{pid}/task", "/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(directory):
                with open(f"{directory}/{thread}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[1])
    return total / 1e9


class Watched(Lifecycle):
    """One rule for IPv4, and HTTP at 127.0.0.1:9789 of the appliance's namespace."""

    def config(self, *changes):
        return super().config(rules(TARGETS[0]), {"http": {"listen": f"127.0.0.1:{PORT}"}},
                              *changes)

    def pin(self, name):
        return os.path.join(PINS, self.instance, name)

    def get(self, path="/healthz", **options):
        return request(self.appliance, path, **options)

    def is_well(self):
        return self.get().status == 200

    def start(self, *changes, arguments=()):
        self.daemon = super().start(*changes, arguments=arguments)
        return self.daemon

    def told(self, well, what):
        """Waits until /healthz says well or not well; fails if that takes longer than promised."""
        self.told_when(lambda: self.is_well() == well, f"{what}: {'' if well else 'not '}well")

    def told_when(self, condition, what, seconds=TOLD_WITHIN):
        """
        Waits for the condition; fails if that takes longer than `seconds`. Time in which the daemon
        or this test waited for a CPU does not count: other work on the machine caused it.
        """
        since, starved = time.monotonic(), starvation(self.daemon.pid)
        try:
            wait_for(condition, 20, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; /healthz: {self.get().text}") from None
        took = time.monotonic() - since
        starved = starvation(self.daemon.pid) - starved
        if VERBOSE:
            print(f"    {what} after {took:.2f} s, {starved:.2f} of them without a CPU", flush=True)
        self.assertLessEqual(took - starved, seconds, what)

    def reasons(self):
        """Why `status` finds the instance degraded or bad, in one line; empty: it is good."""
        status = self.json("status")
        self.assertEqual(status["condition"] == "good", not status["reasons"], status)
        self.assertIs(status["healthy"], status["condition"] != "bad", status)
        return " / ".join(status["reasons"])

    def reload(self, daemon):
        daemon.signal(1)
        daemon.notified("RELOADING=1")
        daemon.notified("READY=1")
