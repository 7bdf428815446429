# SPDX-License-Identifier: GPL-2.0-only
"""
Network namespaces, and the pairs of interfaces between them. Each has a name with the process id in
it, and is removed at the end of the test that made it, whether that passes or not.
"""

import contextlib
import ctypes
import itertools
import json
import os
import socket

from . import kernel, program
from .command import run, wait_for
from .foreign import foreign_program

CLONE_NEWNET = 0x40000000
VETH_XDP_MTU = 3498  # the largest one with which a veth takes a native program

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def unique(stem):
    """A name that no other process and no earlier call has."""
    return f"vpt{os.getpid()}-{stem}{next(_numbers)}"


class Namespace:
    """`is_far_end`: not the appliance's, so that its interfaces receive what is redirected."""

    def __init__(self, test, stem, is_far_end=True):
        self.name, self.is_far_end = unique(stem), is_far_end
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        test.addCleanup(run, "ip", "netns", "delete", self.name, check=False)
        # No link-local addresses, so that the kernel sends no packets of its own.
        self.sysctl("net.ipv6.conf.default.addr_gen_mode=1",
                    "net.ipv6.conf.default.accept_dad=0")
        self.ip("link", "set", "lo", "up")

    def command(self, *command):
        # `ip netns exec` would hide /sys/fs/bpf behind a fresh sysfs.
        return ("nsenter", f"--net={self.path}", *command)

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def ip(self, *words, **options):
        return self.run("ip", *words, **options)

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-w", *settings)

    @contextlib.contextmanager
    def entered(self):
        """Moves this thread into the namespace: sockets opened meanwhile belong to it."""
        with open("/proc/thread-self/ns/net", encoding="ascii") as home, \
                open(self.path, encoding="ascii") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if _libc.setns(home.fileno(), CLONE_NEWNET):
                    os.abort()

    def socket(self, *arguments):
        with self.entered():
            return socket.socket(*arguments)

    def link(self, interface):
        links = json.loads(self.ip("-j", "-d", "link", "show", "dev", interface).stdout)
        return links[0]

    def mac(self, interface):
        return self.link(interface)["address"]

    def xdp(self, interface):
        """What `ip link` says of XDP on the interface; None: no program is attached."""
        return self.link(interface).get("xdp")

    def xdp_interfaces(self):
        links = json.loads(self.ip("-j", "link", "show").stdout)
        return [link["ifname"] for link in links if link.get("xdp")]


def veth(one, one_name, two, two_name, mtu=1500):
    one.ip("link", "add", one_name, "mtu", str(mtu), "type", "veth", "peer", "name", two_name,
           "mtu", str(mtu), "netns", two.name)
    bring_up(one, one_name, two, two_name)
    for namespace, name in ((one, one_name), (two, two_name)):
        # above that MTU neither end can have a native program, so nothing is redirected
        if namespace.is_far_end and mtu <= VETH_XDP_MTU and not kernel.veth_receives_with_gro():
            receive_redirected(namespace, name)


def receive_redirected(namespace, interface):
    """Attaches a program: with one, a veth receives redirected frames on every kernel."""
    with program.Workspace() as work:
        built = foreign_program(work.path)
        namespace.ip("link", "set", "dev", interface, "xdp", "obj", built, "sec", "xdp")


def napi(namespace, interface, on):
    """Switches NAPI of a veth on or off; without it the veth loses frames redirected to it."""
    if kernel.veth_receives_with_gro():
        namespace.run("ethtool", "-K", interface, "gro", "on" if on else "off")
    elif on:
        receive_redirected(namespace, interface)
    else:
        namespace.ip("link", "set", "dev", interface, "xdp", "off")


def bring_up(one, one_name, two, two_name):
    """
    Brings up both ends, with NAPI. Without offloads: these would leave checksums and segmentation
    to be done.
    """
    for namespace, name in ((one, one_name), (two, two_name)):
        namespace.run("ethtool", "-K", name, "tx", "off", "txvlan", "off", "tso", "off", "gso",
                      "off", "gro", "on", check=False)
    # GRO first on both: an end that comes up takes redirected frames only if its peer has GRO.
    for namespace, name in ((one, one_name), (two, two_name)):
        namespace.ip("link", "set", name, "up")
    for namespace, name in ((one, one_name), (two, two_name)):
        wait_for(lambda n=namespace, i=name: n.link(i)["operstate"] == "UP", 5, f"{name} up")


def borrow(test, interface, namespace, name, mtu):
    """Moves an interface of this machine into a namespace, until the test ends."""
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:
        mac = file.read().strip()

    def give_back():
        namespace.ip("link", "set", name, "down", check=False)
        namespace.ip("link", "set", name, "xdp", "off", check=False)
        namespace.ip("link", "set", name, "address", mac, check=False)
        namespace.ip("link", "set", name, "netns", str(os.getpid()), "name", interface)
    run("ip", "link", "set", interface, "netns", namespace.name, "name", name)
    test.addCleanup(give_back)
    namespace.ip("link", "set", name, "mtu", str(mtu))
