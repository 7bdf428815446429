# SPDX-License-Identifier: GPL-2.0-only
"""Interfaces by their alternative names, so that hosts that call them differently share a configuration."""

import subprocess

from lib.command import injected, need_commands, wait_for
from lib.daemon import Daemon
from lib.kernel import SYSTEM_CALLS
from lib.life import TARGETS, rules
from lib.watch import Watched

OTHER = {"listen": {"interface": "mirror0"}, "forward": {"interface": "collector0"}}


class Names(Watched):
    def give(self, *pairs):
        """Until the test ends: an interface of this machine, unlike a veth, outlives it."""
        for interface, name in pairs:
            self.appliance.ip("link", "property", "add", "dev", interface, "altname", name)
            self.addCleanup(self.appliance.ip, "link", "property", "del", "dev", interface, "altname", name)

    def assert_named(self, daemon):
        """It forwards, calls the interfaces as the kernel does, and finds nothing amiss."""
        wait_for(self.is_well, 10, "health")
        self.assertTrue(self.forwards(3))
        found = self.stats()
        self.assertEqual((found["interface"], found["target"]), ("in0", "out0"))
        self.assertEqual(self.json("status")["reasons"], [])
        self.assertNotIn("is called", daemon.stderr)
        self.assertNotIn("forwarding is off", daemon.stderr)

    def test_start_and_reload(self):
        """A start and a reload find the interfaces by any name; so does `check`."""
        self.give(("in0", "mirror0"), ("out0", "collector0"))
        daemon = self.start(OTHER, rules(TARGETS[0]))
        self.assert_named(daemon)
        path = self.write(OTHER, rules(TARGETS[1]))
        self.assertEqual(self.cli("reload", "--instance", self.instance).stderr, "")
        self.assert_named(daemon)
        found = self.cli("check", "-c", path, "--instance", self.instance, check=False).stdout
        self.assertNotIn("mirror0", found)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_waited_for(self):
        """A name that comes later is waited for, as an interface is."""
        path = self.write(OTHER, rules(TARGETS[0]))
        daemon = Daemon(self, self.appliance, "-c", path, "--wait", instance=self.instance)
        wait_for(lambda: "mirror0" in daemon.stderr, 10, "the wait")
        self.give(("in0", "mirror0"), ("out0", "collector0"))
        self.assert_named(daemon)

    def test_given_between_two_looks(self):
        """
        A name that the daemon has just not found, and that is there when it looks again, is no
        interface's own. The daemon is slowed down after its first look.
        """
        need_commands("strace")
        path = self.write(OTHER, rules(TARGETS[0]))
        daemon = Daemon(self, self.appliance, "-c", path, "--wait", instance=self.instance)
        wait_for(lambda: "mirror0" in daemon.stderr, 10, "the wait")
        with subprocess.Popen([*injected("ioctl", "delay_exit=20000000:when=1"), "-p", str(daemon.pid)]) as strace:
            try:
                wait_for(lambda: self.is_held(daemon), 10, "its first look")
                self.give(("in0", "mirror0"), ("out0", "collector0"))
                self.assertTrue(self.is_held(daemon))
            finally:
                strace.terminate()
        self.assert_named(daemon)

    @staticmethod
    def is_held(daemon):
        """Whether it is being traced, at an ioctl(2)."""
        with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as stat, \
                open(f"/proc/{daemon.pid}/syscall", encoding="ascii") as call:
            return (stat.read().rsplit(") ")[1][0], call.read().split()[0]) == (
                "t", str(SYSTEM_CALLS["ioctl"]))
