# SPDX-License-Identifier: GPL-2.0-only
"""This machine's ends of the guests' interfaces, in a network namespace of this process."""

import ctypes
import glob
import socket
import subprocess
import time

import cases
from lib import frames

# {name of this machine's end: MAC of the guest's end}
TAPS = {"kernel-rx": frames.OUTER_DESTINATION_MAC, "kernel-tx": "02:00:00:00:01:03"}
# Pairs of a guest's interfaces that are cabled to each other, and the queue pairs of each. Two CPUs
# want two, and two more for XDP: the last cable has too few.
CABLES = (("eth0", "eth1"), ("eth2", "eth3"), ("eth4", "eth5"))
QUEUES = (4, 4, 3)
CABLE_MTU = 9100
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
_libc = ctypes.CDLL(None, use_errno=True)


def _ip(*words):
    subprocess.run(["ip", *words], check=True)


def _set(setting, value):
    with open(setting, "w", encoding="ascii") as file:
        file.write(str(value))


def _make_tap(name, mtu):
    _ip("tuntap", "add", "dev", name, "mode", "tap", "multi_queue")
    _ip("link", "set", name, "mtu", str(mtu), "up", "txqueuelen", "10000")


def _make_cable(number):
    """A bridge of two taps that learns nothing and floods everything, like a cable."""
    bridge = f"cable{number}"
    _ip("link", "add", bridge, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
    for end in CABLES[number]:
        tap = f"tap-{end}"
        _make_tap(tap, CABLE_MTU)
        _ip("link", "set", tap, "master", bridge)
        _ip("link", "set", tap, "type", "bridge_slave", "learning", "off", "flood", "on",
            "mcast_flood", "on")
    _ip("link", "set", bridge, "mtu", str(CABLE_MTU), "up")


class Wires:
    def __init__(self):
        self.sockets = {}
        if _libc.unshare(CLONE_NEWNET):
            raise OSError("cannot make a network namespace")
        _set("/proc/sys/net/ipv6/conf/default/disable_ipv6", 1)
        # A kernel with bridge netfilter has a bridge drop IP packets that are cut short or damaged.
        for setting in glob.glob("/proc/sys/net/bridge/bridge-nf-call-*"):
            _set(setting, 0)
        for tap, inside in zip(TAPS, ("eth0", "eth1")):
            _make_tap(tap, cases.TRAFFIC_MTU)
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            port.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            port.bind((tap, ETH_P_ALL))
            self.sockets[inside] = port
        for number in range(len(CABLES)):
            _make_cable(number)

    def nics(self):
        """The interfaces that this machine exchanges traffic with, for guest.Guest."""
        return [(tap, mac, 2) for tap, mac in TAPS.items()]

    def cabled_nics(self):
        ends = [(end, queues) for cable, queues in zip(CABLES, QUEUES) for end in cable]
        return [(f"tap-{end}", f"02:00:00:00:02:{number:02x}", queues)
                for number, (end, queues) in enumerate(ends)]

    def drain(self, interface, quiet):
        """Frames from the guest's interface, until none has come for `quiet` seconds."""
        port, found = self.sockets[interface], []
        port.settimeout(quiet)
        while True:
            try:
                frame, address = port.recvfrom(65536)
            except TimeoutError:
                return found
            if address[2] != socket.PACKET_OUTGOING:
                found.append(frame)

    def exchange(self, sent, interface):
        self.drain(interface, 0.1)
        for number, frame in enumerate(sent, 1):
            self.sockets["eth0"].send(frame)
            if number % 20 == 0:
                time.sleep(0.05)
        return self.drain(interface, 3)
