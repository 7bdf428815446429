# SPDX-License-Identifier: GPL-2.0-only
"""A whole machine with its own kernel and network cards; the test reboots it."""

import json
import os
import shutil
import time
import unittest

from lib import frames, program
from lib.command import need_commands, wait_for
from lib.life import TARGETS, rules, tunnels
from lib.namespace import Namespace
from lib.port import Port, is_ip

import packages
import virtual
from scene import CONFIG, UNIT

TUNE_UNIT = "vxlan-pipeline-tune.service"
SETTING = "net.ipv4.conf.ens5.send_redirects"  # one of those that `tune` changes
BATCH = 10


def expected(first, count):
    """The packets of life.tunnels(), as the collector should receive them."""
    address, port = TARGETS[0].split(":")
    return [frames.udp("10.1.0.1", address, 1000, int(port), b"number %06d" % number)
            for number in range(first, first + count)]


class Machine(unittest.TestCase):
    """
    sender s0 ---- ens5 machine ens6 ---- c0 collector: ens5 and ens6 are virtio cards, s0 and c0
    tap interfaces in two network namespaces.
    """

    RELEASE = "bookworm"
    NICS = {"ens5": (frames.OUTER_DESTINATION_MAC, "10.9.0.2/24"),
            "ens6": ("02:00:00:00:01:03", "10.20.0.1/24")}
    CONFIG = {"listen": {"interface": "ens5", "xdp_mode": "native"},
              "forward": {"interface": "ens6"}, **rules(TARGETS[0]),
              "http": {"listen": "127.0.0.1:9789"}}

    def setUp(self):
        program.require_program()
        virtual.need()
        need_commands("ip", "nsenter", "sysctl")
        deb = packages.deb_of(self, self.RELEASE)
        disk = virtual.Disk(self, self.RELEASE, packages.dependencies(deb), self.NICS)
        shutil.copy(deb, os.path.join(disk.root, "root"))
        self.sender, self.collector = (Namespace(self, stem) for stem in "sc")
        self.machine = virtual.Virtual(self, disk, {
            "s0": (self.sender, self.NICS["ens5"][0]),
            "c0": (self.collector, self.NICS["ens6"][0])})
        for namespace, name, address in ((self.sender, "s0", "10.9.0.1/24"),
                                         (self.collector, "c0", "10.20.0.2/24")):
            namespace.sysctl(f"net.ipv6.conf.{name}.disable_ipv6=1")
            namespace.ip("address", "add", address, "dev", name)
            namespace.ip("link", "set", name, "up")
        self.in_port = Port(self, self.sender, "s0")
        self.out_port = Port(self, self.collector, "c0")
        self.boot, self.sent, self.counted = None, 0, 0

    def test_life(self):
        for step in (self.booted, self.installed, self.started, self.rebooted, self.powered_off):
            with self.subTest(step.__doc__):
                step()

    def booted(self):
        """Debian's kernel boots, with both network cards and no failed service."""
        self.boot = self.machine.up()
        self.assert_no_failed_units()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            self.assertNotEqual(self.boot, stream.read().strip(), "it is a machine of its own")

    def assert_no_failed_units(self):
        failed = self.machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend")
        self.assertEqual(failed.stdout, "")

    def installed(self):
        """The package is installed; nothing of it runs."""
        self.machine.shell("apt-get -q -y install /root/*.deb")
        self.assertEqual(self.machine.state(UNIT), "inactive")
        self.assertEqual(self.xdp_interfaces(), [])

    def xdp_interfaces(self):
        links = json.loads(self.machine.run("ip", "-j", "link", "show").stdout)
        return sorted(link["ifname"] for link in links if link.get("xdp"))

    def started(self):
        """The unit and the host settings' one are enabled and started; packets arrive."""
        self.machine.write(CONFIG, program.to_yaml(self.CONFIG))
        self.machine.run("sysctl", "-q", "-w", f"{SETTING}=1")
        self.machine.run("systemctl", "enable", "--now", TUNE_UNIT, UNIT, timeout=300, check=False)
        self.assert_runs()
        for _ in range(2):
            self.assert_forwards(100)

    def assert_runs(self):
        """The unit started at the first try, in native mode, and `tune` has set the host."""
        for unit in (TUNE_UNIT, UNIT):
            self.assertEqual(self.machine.state(unit), "active", self.machine.journal(unit))
        self.assertEqual(self.machine.unit(UNIT, "NRestarts"), {"NRestarts": "0"})
        self.assertEqual(self.machine.run("systemctl", "is-enabled", UNIT).stdout, "enabled\n")
        self.assertEqual(self.machine.run("sysctl", "-n", SETTING).stdout, "0\n")
        status = wait_for(self.healthy, 60, "the instance to be well")
        self.assertEqual((status["state"], status["mode"]), ("running", "native"))
        self.assertIn("ens5", self.xdp_interfaces())
        self.machine.run("curl", "-fsS", "http://127.0.0.1:9789/healthz")
        self.assertEqual(self.redirected(), 0, "counted from the start on")
        self.counted = 0

    def healthy(self):
        status = json.loads(self.machine.run("vxlan-pipeline", "status", "--json",
                                             check=False).stdout)
        return status if status["healthy"] else None

    def redirected(self):
        stats = json.loads(self.machine.run("vxlan-pipeline", "stats", "--json").stdout)
        return stats["verdicts"]["redirected"]["packets"]

    def assert_forwards(self, count):
        """Every packet arrives once, with the right contents, and is counted."""
        want = expected(self.sent, count)
        for first in range(self.sent, self.sent + count, BATCH):
            self.in_port.send(*tunnels(BATCH, first))
            time.sleep(0.05)  # an emulated card has few buffers
        self.sent += count
        self.counted += count
        found = self.out_port.receive(is_ip, count, seconds=60)
        mac = frames.mac(self.collector.mac("c0"))
        self.assertEqual({frame[:6] for frame in found}, {mac})
        self.assertEqual(sorted(frame[14:14 + len(want[0])] for frame in found),
                         sorted(want))
        self.assertEqual(self.redirected(), self.counted)

    def rebooted(self):
        """After a reboot the unit is back by itself, counts anew and forwards."""
        begun = time.monotonic()
        self.assertNotEqual(self.machine.reboot(), self.boot)
        self.assertLess(self.uptime(), time.monotonic() - begun)
        self.assert_no_failed_units()
        self.assert_runs()
        self.assert_forwards(200)

    def uptime(self):
        return float(self.machine.read("/proc/uptime").split()[0])

    def powered_off(self):
        """The machine turns itself off."""
        self.assertEqual(self.machine.power_off(), 0, self.machine.console())
