# SPDX-License-Identifier: GPL-2.0-only
"""Three network namespaces in a row, with the program in the middle one: the base of most tests."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import unittest

from . import frames, program
from .command import need_commands, run, wait_for
from .daemon import BPFFS, PINS, STATE, Daemon
from .foreign import foreign_program
from .namespace import Namespace, borrow, bring_up, unique, veth
from .port import Port

WIRES = [pair.split(":") for pair in os.environ.get("TEST_WIRES", "").split(",") if pair]


def mount_bpffs(test):
    """Mounts the BPF file system where systemd does; if it was not there, until the test ends."""
    if not os.path.ismount(BPFFS):
        run("mount", "-t", "bpf", "bpf", BPFFS)
        test.addCleanup(unmount_bpffs)


def unmount_bpffs():
    """Leaves it if an instance has pins there by now: that is not one of the tests."""
    if not os.path.isdir(PINS) or not os.listdir(PINS):
        run("umount", BPFFS, check=False)


class Ground(unittest.TestCase):
    """
    Three namespaces in a row, and the program in the middle one:

        sender s0 ---- in0 appliance out0 ---- c0 collector
                10.9.0.1   10.9.0.2  10.20.0.1  10.20.0.2

    The cables are veth pairs. $TEST_WIRES takes interfaces of this machine instead: with `A:B,C:D`,
    A is cabled to B and serves as s0 and in0, and C to D as out0 and c0.
    """

    MTU_IN, MTU_OUT = 3498, 1500

    def setUp(self):
        program.require_program()
        need_commands("ip", "ethtool", "nsenter", "sysctl")
        mount_bpffs(self)
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)
        self.sender = Namespace(self, "s")
        self.sender.sysctl("net.ipv6.conf.default.disable_ipv6=1")
        self.appliance = Namespace(self, "a", is_far_end=False)
        self.collector = Namespace(self, "c")
        wires = iter(WIRES)
        self.wire(next(wires, None), self.sender, "s0", self.appliance, "in0", self.MTU_IN)
        self.wire(next(wires, None), self.appliance, "out0", self.collector, "c0", self.MTU_OUT)
        # The frames' destination: the kernel drops frames addressed to other hosts.
        self.appliance.ip("link", "set", "in0", "address", frames.OUTER_DESTINATION_MAC)
        self.addresses()
        self.in_port = Port(self, self.sender, "s0")
        self.out_port = Port(self, self.collector, "c0")
        self.instance = unique("i")
        self.addCleanup(self.remove_instance)

    def wire(self, cabled, one, one_name, two, two_name, mtu):
        if not cabled:
            veth(one, one_name, two, two_name, mtu)
            return
        borrow(self, cabled[0], one, one_name, mtu)
        borrow(self, cabled[1], two, two_name, mtu)
        bring_up(one, one_name, two, two_name)

    def addresses(self):
        self.sender.ip("addr", "add", "10.9.0.1/24", "dev", "s0")
        self.appliance.ip("addr", "add", "10.9.0.2/24", "dev", "in0")
        for namespace, interface, last in ((self.appliance, "out0", 1),
                                           (self.collector, "c0", 2)):
            namespace.ip("addr", "add", f"10.20.0.{last}/24", "dev", interface)
            namespace.ip("addr", "add", f"fd20::{last}/64", "dev", interface, "nodad")
        # The settings `vxlan-pipeline check` demands if the kernel forwards.
        self.appliance.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                              "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.in0.rp_filter=0",
                              "net.ipv4.conf.all.send_redirects=0",
                              "net.ipv4.conf.in0.send_redirects=0")

    def driver(self, interface):
        return re.search(r"^driver: (.*)", self.appliance.run("ethtool", "-i", interface).stdout)[1]

    def bridge(self):
        """Puts in0 into a bridge, br0, whose driver has no native XDP."""
        mac = self.appliance.mac("in0")
        self.appliance.ip("link", "add", "br0", "type", "bridge")
        self.appliance.ip("link", "set", "in0", "master", "br0")
        self.appliance.ip("link", "set", "br0", "address", mac, "up")
        wait_for(lambda: self.appliance.link("br0")["operstate"] == "UP", 5, "br0 up")

    def build_foreign(self):
        """The object file of somebody else's XDP program."""
        return foreign_program(self.work.path)

    def attach_program(self, namespace, interface):
        """Attaches somebody else's program; returns its id."""
        built = self.build_foreign()
        namespace.ip("-force", "link", "set", "dev", interface, "xdp", "obj", built, "sec", "xdp")
        return namespace.xdp(interface)["prog"]["id"]

    def remove_instance(self, instance=None):
        """Ends the instance and removes its files, in whatever state the test left it."""
        instance = instance or self.instance
        if os.path.isdir(os.path.join(PINS, instance)):
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.cli("stop", "--instance", instance, check=False, timeout=10)
        for directory in (os.path.join(PINS, instance), os.path.join(STATE, instance)):
            shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # of another instance
            os.rmdir(PINS)

    CONFIG = {
        "listen": {"interface": "in0"},
        "forward": {"interface": "out0", "next_hop": "route"},
        "nat": [{"match": {"source_port": 1000}, "to": "10.20.0.2:8081"},
                {"match": {"source_port": 1000}, "to": "[fd20::2]:8081"}],
        "http": {"listen": "off"},
    }

    def config(self, *changes):
        return program.merge(self.CONFIG, *changes)

    def write(self, *changes, name="config.yaml"):
        return self.work.file(name, program.to_yaml(self.config(*changes)))

    def start(self, *changes, arguments=()):
        """Starts a daemon with the changed configuration and waits until it is ready."""
        return Daemon(self, self.appliance, "-c", self.write(*changes), *arguments,
                      instance=self.instance).ready()

    def cli(self, *words, **options):
        return self.appliance.run(program.PROGRAM, *words, **options)

    def json(self, command):
        """The document; the exit status of `status` must say what the document says."""
        result = self.cli(command, "--json", "--instance", self.instance,
                          check=command != "status")
        document = json.loads(result.stdout)
        if command == "status":
            self.assertEqual(result.returncode, 0 if document["healthy"] else 1, document)
        return document

    def stats(self):
        return self.json("stats")

    def verdicts(self):
        """{verdict: packets} without zeros, and without `not_tunnel`: the kernel's own packets."""
        return {name: value["packets"] for name, value in self.stats()["verdicts"].items()
                if value["packets"] and name != "not_tunnel"}

    def know_neighbour(self):
        """Enters the collector's MAC in the neighbour table, so that nothing has to be resolved."""
        mac = self.collector.mac("c0")
        for address in ("10.20.0.2", "fd20::2"):
            self.appliance.ip("neigh", "replace", address, "lladdr", mac, "dev", "out0",
                              "nud", "permanent")

    def assert_nothing_left(self):
        """No interface has a program, and the instance neither pins nor state."""
        self.assertEqual(self.appliance.xdp_interfaces(), [])
        self.assertFalse(os.path.exists(os.path.join(PINS, self.instance)), "pins are left")
        self.assertFalse(os.path.exists(os.path.join(STATE, self.instance)), "/run state is left")
