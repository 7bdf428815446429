# SPDX-License-Identifier: GPL-2.0-only
"""Starts and reloads that fail halfway leave what ran before as it was."""

import errno
import os
import signal
import time

from lib import program
from lib.command import injected, need_commands, run, wait_for
from lib.daemon import HEARTBEAT_LIFETIME, PINS, STATE
from lib.life import TARGETS, Lifecycle, Traffic, rules, tunnels
from lib.namespace import veth


class FailedReload(Lifecycle):
    def reload_fails(self, daemon, *changes):
        logged = len(daemon.stderr)
        self.write(*changes)
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in daemon.stderr[logged:], 10, "a refused reload")
        return daemon.stderr[logged:]

    def test_native_mode_that_is_not_to_be_had(self):
        """The daemon detaches the generic program to try native mode, and attaches it again."""
        self.bridge()
        daemon = self.start({"listen": {"interface": "br0", "xdp_mode": "generic"}})
        self.assertTrue(self.forwards(4))
        before = self.json("status")
        said = self.reload_fails(daemon, {"listen": {"interface": "br0", "xdp_mode": "native"}})
        self.assertIn("br0", said)
        after = self.json("status")
        self.assertEqual((after["state"], after["mode"]), ("running", "generic"), after)
        self.assertEqual(after["since"], before["since"])
        self.assertTrue(self.forwards(5), "the configuration before is in force")
        self.assertEqual(self.verdicts(), {"redirected": 9})
        self.assertEqual(self.stats()["rules"][0]["packets"], 9)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_foreign_program_on_the_new_interface(self):
        """The programs of the old configuration stay, also the one on out0."""
        veth(self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        veth(self.appliance, "out1", self.collector, "c1")
        foreign = self.attach_program(self.appliance, "in1")
        daemon = self.start()
        before = self.appliance.xdp("out0")["prog"]["id"]
        said = self.reload_fails(daemon, {"listen": {"interface": "in1"},
                                          "forward": {"interface": "out1"}})
        self.assertIn("in1", said)
        self.assertEqual(self.appliance.xdp("in1")["prog"]["id"], foreign)
        self.assertIsNone(self.appliance.xdp("out1"))
        self.assertIsNotNone(self.appliance.xdp("out0"), "the program on the way out stays")
        self.assertEqual(self.appliance.xdp("out0")["prog"]["id"], before)
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.appliance.ip("link", "set", "dev", "in1", "xdp", "off")
        self.assert_nothing_left()


class LocalTarget(Lifecycle):
    """The collector's address is on the appliance itself: the kernel gets every packet."""

    LOCAL = {"nat": [{"match": {"source_port": 1000}, "to": "10.20.0.1:8081"}]}

    def test_without_a_daemon(self):
        daemon = self.start(self.LOCAL)
        self.in_port.send(*tunnels(5))
        wait_for(lambda: self.verdicts() == {"passed": 5}, 5, "5 packets")
        daemon.kill()
        time.sleep(HEARTBEAT_LIFETIME)
        self.in_port.send(*tunnels(5))
        wait_for(lambda: sum(self.verdicts().values()) == 10, 5, "5 more")
        self.assertEqual(self.verdicts(), {"passed": 10})

    def test_reload_under_traffic(self):
        """A new program has its next hops from the first packet on."""
        daemon = self.start(self.LOCAL)
        with Traffic(self) as traffic:
            for _ in range(5):
                daemon.signal(signal.SIGHUP)
                daemon.notified("RELOADING=1")
                daemon.notified("READY=1")
        self.assertEqual(self.verdicts(), {"passed": traffic.sent})


class KilledHalfway(Lifecycle):
    def test_between_swap_and_bookkeeping(self):
        """The next start finds out what is attached and keeps its counts and those from before."""
        need_commands("strace")
        daemon = self.start(arguments=["--linger"])
        self.assertTrue(self.forwards(5))
        self.assertEqual(daemon.terminate(), 0)
        for number, call in enumerate(("membarrier", "symlink"), 1):
            with self.subTest(call):
                killed = self.appliance.run(
                    *injected(call, "signal=KILL"), program.PROGRAM, "run", "-c", self.write(),
                    "--instance", self.instance, "-d", "1", "--linger", check=False)
                self.assertNotEqual(killed.returncode, 0, "the call was made")
                self.assertTrue(self.forwards(5))
                daemon = self.start(arguments=["--linger"])
                counted = 5 + 5 * number
                self.assertEqual(self.verdicts(), {"redirected": counted})
                stats = self.stats()
                self.assertEqual(stats["rules"][0]["packets"], counted)
                self.assertEqual([vni["packets"] for vni in stats["vnis"]], [counted])
                self.assertEqual(daemon.terminate(), 0)
        self.cli("stop", "--instance", self.instance)
        self.assert_nothing_left()


class Leftovers(Lifecycle):
    def test_another_way_out_that_has_a_program(self):
        """After a reload to out1, where somebody else's program is, out0 has no program."""
        veth(self.appliance, "out1", self.collector, "c1")
        self.attach_program(self.appliance, "out1")
        daemon = self.start()
        self.write({"forward": {"interface": "out1"}})
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: self.stats()["target"] == "out1", 10, "the reload")
        self.assertIsNone(self.appliance.xdp("out0"))
        self.assertEqual(daemon.terminate(), 0)

    def test_full_run_directory(self):
        """A start that cannot write its `reloads` file leaves no lock; one free page suffices."""
        for sentence, size, stderr, status in (
                ("no room", "16k", r"cannot write /run/.*/reloads: No space left", "1"),
                ("one page", "12k", r"detached\n$", "0")):
            with self.subTest(sentence):
                result = self.appliance.run(
                    "unshare", "--mount", "--propagation", "private", "sh", "-c",
                    "mount -t tmpfs -o size=16k tmpfs /run && "
                    f'head -c {size} /dev/zero > /run/full; "$@"; echo "exit $?"; ls /run', "sh",
                    program.PROGRAM, "run", "-c", self.write(), "--instance", self.instance,
                    "-d", "1", check=False)
                self.assertRegex(result.stderr, stderr)
                self.assertEqual(result.stdout.split(), ["exit", status, "full"])
                self.assert_nothing_left()

    def test_run_directory_filled_up_later(self):
        """`reload` still learns the outcome, also from the daemon that follows a killed one."""
        os.makedirs(STATE, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", STATE)
        self.addCleanup(run, "umount", STATE)
        daemon = self.start(rules(TARGETS[0]))
        with open(os.path.join(STATE, "full"), "wb", buffering=0) as file, \
                self.assertRaises(OSError) as caught:
            while True:
                file.write(bytes(4096))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        for killed in (False, True):
            with self.subTest(killed=killed):
                if killed:
                    daemon.kill()
                    daemon = self.start(rules(TARGETS[0]))
                self.write(rules(TARGETS[1]))
                self.assertEqual(self.cli("reload", "--instance", self.instance).stderr, "")
                self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])
                self.write(rules(TARGETS[0]), {"listen": {"port": 70000}})
                said = self.fails("reload", "--instance", self.instance)
                self.assertIn("listen.port: '70000'", said)
                self.assertIn("the configuration before stays", said)
                self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])
                self.assertNotIn("No space", daemon.stderr)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()


class OtherVersion(Lifecycle):
    def test_maps_of_another_size(self):
        """Commands refuse to read them, which would overflow a buffer; a start replaces them."""
        need_commands("bpftool")
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        for name, kind in (("instance", "array"), ("counters", "percpu_array")):
            path = os.path.join(PINS, self.instance, name)
            os.unlink(path)
            run("bpftool", "map", "create", path, "type", kind, "key", "4", "value", "4096",
                "entries", "1", "name", name)
        for command in (("status",), ("stats",), ("monitor", "-n", "1"), ("run", "--dump-stats")):
            with self.subTest(command[0]):
                self.assertIn("version", self.fails(*command, "--instance", self.instance))
        self.start()
        self.assertTrue(self.forwards())
        self.assertEqual(self.verdicts(), {"redirected": 10})


class Lock(Lifecycle):
    def test_nobody_else_can_hold_it(self):
        """Only root may open the lock file: a reader could lock it, and no daemon could start."""
        self.start()
        mode = os.stat(os.path.join(STATE, self.instance, "lock")).st_mode
        self.assertEqual(mode & 0o077, 0)

    def test_stopped_while_it_cannot_listen(self):
        """`stop` detaches although the daemon hangs; the daemon then wakes up and exits with 0."""
        daemon = self.start()
        daemon.signal(signal.SIGSTOP)
        self.assertIn(str(daemon.pid), self.fails("stop", "--instance", self.instance))
        self.assertEqual(self.appliance.xdp_interfaces(), [])
        daemon.signal(signal.SIGCONT)
        self.assertEqual(daemon.wait(), 0, daemon.stderr)
        self.assert_nothing_left()
