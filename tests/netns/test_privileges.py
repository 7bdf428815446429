# SPDX-License-Identifier: GPL-2.0-only
"""The capabilities that the daemon keeps, and what it tells systemd."""

import os
import re
import select
import signal
import time

from lib import frames, kernel, program
from lib.command import need_commands, wait_for
from lib.daemon import Daemon
from lib.life import TARGETS, rules
from lib.namespace import veth
from lib.port import Port, is_ip
from lib.watch import Watched

# include/uapi/linux/capability.h
NET_ADMIN, PERFMON, BPF = 12, 38, 39
KEPT = 1 << NET_ADMIN | 1 << PERFMON | 1 << BPF
LITTLE_MEMORY = ("prlimit", "--memlock=65536:65536")
ALL_MEMORY = ("prlimit", "--memlock=unlimited:unlimited")
THREE = ("setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", "--inh-caps=-all")


class Capabilities(Watched):
    def threads(self, daemon):
        """The fields of /proc/PID/task/TID/status, for each thread."""
        root = f"/proc/{daemon.pid}/task"
        for name in os.listdir(root):
            with open(os.path.join(root, name, "status"), encoding="ascii") as file:
                yield dict(line.split(":\t", 1) for line in file.read().splitlines())

    def assert_dropped(self, daemon, count=3):
        """Every thread has the three capabilities: the control loop, and the two of HTTP."""
        wait_for(lambda: len(list(self.threads(daemon))) == count, 5, f"{count} threads")
        for status in self.threads(daemon):
            for name in ("CapPrm", "CapEff", "CapBnd"):
                self.assertEqual(int(status[name], 16), KEPT, (name, status["Name"]))
            for name in ("CapInh", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual(status["NoNewPrivs"], "1")

    def test_dropped(self):
        """Three capabilities are left in every thread, also in one that a reload starts."""
        daemon = self.start({"http": {"listen": "off"}})
        self.assert_dropped(daemon, 1)
        self.write()
        self.reload(daemon)
        self.assert_dropped(daemon)

    def test_enough_for_every_reload(self):
        """They suffice for every kind of reload, and for the end."""
        veth(self.appliance, "out1", self.collector, "c1", self.MTU_IN)
        self.appliance.ip("addr", "add", "10.30.0.1/24", "dev", "out1")
        self.appliance.ip("neigh", "replace", "10.30.0.2", "lladdr", self.collector.mac("c1"),
                          "dev", "out1", "nud", "permanent")
        if not kernel.copies_frames():  # the kernel's stack cuts, to the MTU of the route
            self.appliance.ip("route", "replace", "10.30.0.0/24", "dev", "out1", "mtu", "1500")
        daemon = self.start()
        self.assert_dropped(daemon)
        out0, out1 = self.out_port, Port(self, self.collector, "c1")
        away = {"forward": {"interface": "out1", "mtu": 1500}}
        for sentence, changes, port in (
                ("other rules", (rules(TARGETS[1]),), out0),
                ("another interface, where packets are cut", (away, rules("10.30.0.2:1")), out1),
                ("back, in generic mode", ({"listen": {"xdp_mode": "generic"}},), out0),
                ("native again", (), out0)):
            with self.subTest(sentence):
                logged = len(daemon.stderr)
                self.write(*changes)
                self.reload(daemon)
                self.assertNotIn("not reloaded", daemon.stderr[logged:])
                self.out_port = port
                self.assertTrue(self.forwards(5))
                if port is out1:
                    self.assert_cuts(port)
        self.assert_dropped(daemon)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def assert_cuts(self, port):
        self.in_port.send(frames.tunnel(frames.inner(frames.udp(
            "10.1.0.1", "10.1.0.2", 1000, 514, bytes(2824)))))
        self.assertEqual(len(port.receive(is_ip, 2)), 2)
        verdict = "fragmented" if kernel.copies_frames() else "passed"
        self.assertEqual(self.verdicts().get(verdict), 1)

    def test_little_locked_memory(self):
        """If the kernel limits BPF's memory, a start that cannot raise the limit says so."""
        need_commands("setpriv", "prlimit")
        result = self.appliance.run(*LITTLE_MEMORY, *THREE, program.PROGRAM, "run", "-c", self.write(),
                                    "--instance", self.instance, "-d", "1", check=False)
        if kernel.counts_locked_memory():
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertIn("64 KiB here: ulimit -l unlimited", result.stderr)
        else:
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_nothing_left()

    def test_enough_from_the_start(self):
        """With the three from the start: next hops, counted losses, adoption and removal work."""
        need_commands("setpriv", "prlimit")
        words = (*(ALL_MEMORY if kernel.counts_locked_memory() else ()), *THREE)

        def start():
            return Daemon(self, self.appliance, *words[1:], program.PROGRAM, "run", "-c",
                          self.write(), instance=self.instance, name=None,
                          executable=words[0]).ready()
        daemon = start()
        self.assertNotIn("cannot", daemon.stderr)
        self.assert_dropped(daemon)
        wait_for(self.is_well, 10, "health")
        self.assertTrue(any(row["place"] == "transmit" for row in self.json("status")["losses"]))
        self.assertTrue(self.forwards(6))
        daemon.kill()
        daemon = start()
        self.assertIn("program replaced", daemon.stderr)
        self.assertTrue(self.forwards(6))
        self.assertEqual(self.verdicts(), {"redirected": 12})
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()


class ServiceManager(Watched):
    """The daemon's messages to systemd over $NOTIFY_SOCKET."""

    def told_systemd(self, daemon, what, seconds=10.0):
        """Waits for a message that matches; returns all of its lines."""
        deadline = time.monotonic() + seconds
        while (patience := deadline - time.monotonic()) > 0:
            if select.select([daemon.notify], [], [], patience)[0]:
                text = daemon.notify.recv(4096).decode()
                if re.search(what, text, re.M):
                    return text
        raise AssertionError(f"no {what}")

    def run_with(self, **environment):
        return Daemon(self, self.appliance, "-c", self.write(), instance=self.instance,
                      environment=environment)

    def test_states(self):
        """READY once traffic flows, RELOADING on request, STATUS with faults, STOPPING."""
        daemon = self.run_with()
        self.assertIn("STATUS=in0 -> out0, 1 rule", self.told_systemd(daemon, "^READY=1$"))
        self.assertTrue(self.forwards(2), "ready is ready")
        asked = time.monotonic_ns() // 1000
        daemon.signal(signal.SIGHUP)
        said = self.told_systemd(daemon, "^RELOADING=1$")
        self.assertGreaterEqual(int(re.search(r"MONOTONIC_USEC=(\d+)", said)[1]), asked)
        self.told_systemd(daemon, "^READY=1$")
        self.appliance.ip("link", "set", "out0", "down")
        self.told_systemd(daemon, "^STATUS=.*not well: out0 is down")
        self.appliance.ip("link", "set", "out0", "up")
        self.told_systemd(daemon, "^STATUS=in0 -> out0, 1 rule$")
        daemon.signal(signal.SIGTERM)
        self.told_systemd(daemon, "^STOPPING=1$")
        self.assertEqual(daemon.wait(), 0)

    def test_failed_reload(self):
        """A failed reload ends with READY, too: the old configuration stays in force."""
        daemon = self.run_with().ready()
        self.write({"forward": {"interface": "nic9"}})
        daemon.signal(signal.SIGHUP)
        self.told_systemd(daemon, "^RELOADING=1$")
        self.told_systemd(daemon, "^READY=1$")
        self.assertIn("not reloaded", daemon.stderr)

    def test_watchdog(self):
        """WATCHDOG twice in the time that systemd allows; none without $WATCHDOG_USEC."""
        daemon = self.run_with(WATCHDOG_USEC="600000").ready()
        self.told_systemd(daemon, "^WATCHDOG=1$")
        since = time.monotonic()
        for _ in range(4):
            self.told_systemd(daemon, "^WATCHDOG=1$")
        self.assertGreater(time.monotonic() - since, 0.9)
        self.assertLess(time.monotonic() - since, 4 * 0.6)
        self.assertEqual(daemon.terminate(), 0)
        daemon = self.run_with().ready()
        with self.assertRaisesRegex(AssertionError, "no .WATCHDOG"):
            self.told_systemd(daemon, "^WATCHDOG", 1)
