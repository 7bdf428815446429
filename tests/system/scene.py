# SPDX-License-Identifier: GPL-2.0-only
"""The three hosts of lib/ground.py; the one in the middle is a machine with systemd."""

import re

from lib import program
from lib.life import Lifecycle, tunnels
from lib.port import is_ip

import machine
import packages

UNIT = "vxlan-pipeline.service"
CONFIG = "/etc/vxlan-pipeline/config.yaml"


class Scene(Lifecycle):
    """`self.machine` has booted; the package is in its repository, but not installed."""

    RELEASE, BPF = "bookworm", True
    CONFIG = {**Lifecycle.CONFIG, "http": {"listen": "127.0.0.1:9789"},
              "listen": {**Lifecycle.CONFIG["listen"], "sources": ["10.0.0.0/8"]}}

    def setUp(self):
        super().setUp()
        self.deb = packages.deb_of(self, self.RELEASE)
        machine.fetch(self.RELEASE, packages.dependencies(self.deb))
        self.repository = packages.Repository(self, self.appliance)
        self.repository.publish(self.deb)
        self.machine = machine.Machine(self, self.RELEASE, self.appliance).boot(bpf=self.BPF)
        for name in ("config", "second"):
            self.addCleanup(self.remove_instance, name)

    def install(self):
        """Runs the lines that `make repo` tells an operator to paste, with -y."""
        script = "\n".join(self.repository.instructions)
        script, count = re.subn(r"apt-get install (.*)$", r"apt-get install -y \1", script)
        self.assertEqual(count, 1, script)
        return self.machine.shell(script)

    def later(self):
        """A newer build of the package."""
        return packages.deb_of(self, self.RELEASE, packages.LATER)

    def upgrade(self):
        """Upgrades the machine to a newer build, from the repository."""
        self.repository.publish(self.later())
        self.machine.shell("apt-get -q update && apt-get -q -y upgrade")

    def configure(self, *changes, name="config"):
        self.machine.write(f"/etc/vxlan-pipeline/{name}.yaml",
                           program.to_yaml(self.config(*changes)))

    def systemctl(self, *words, **options):
        return self.machine.run("systemctl", *words, **options)

    def start_unit(self, *changes, unit=UNIT):
        self.configure(*changes)
        self.systemctl("start", unit)
        self.assertEqual(self.machine.state(unit), "active")

    def main_pid(self, unit=UNIT):
        return int(self.machine.unit(unit, "MainPID")["MainPID"])

    def version(self):
        return self.machine.run("vxlan-pipeline", "--version").stdout.split()[1]

    def delivered_to(self):
        """Sends a few packets; returns the destination port they arrive with, or None."""
        self.in_port.send(*tunnels(5))
        found = self.out_port.receive(is_ip, 5, seconds=3)
        ports = {int.from_bytes(frame[36:38], "big") for frame in found}
        self.assertLessEqual(len(ports), 1)
        return ports.pop() if ports else None

    def assert_journal(self, expected, unit=UNIT):
        """Fails unless a line of the unit's journal matches."""
        text = self.machine.journal(unit)
        if not re.search(expected, text, re.MULTILINE):
            self.fail(f"no line {expected!r} in the journal, which ends:\n{text[-2000:]}")

    def assert_detached(self):
        self.assertEqual(self.appliance.xdp_interfaces(), [])
