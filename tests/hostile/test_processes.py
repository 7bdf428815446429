# SPDX-License-Identifier: GPL-2.0-only
"""
The daemon and the commands in different namespaces: nobody is signalled who is not the daemon, and one
daemon controls an instance.
"""

import fcntl
import os
import re
import signal
import struct

from lib import program
from lib.command import run, wait_for
from lib.container import OWN_BPFFS, OWN_RUN, ContainedDaemon, contained, namespace
from lib.daemon import PINS, STATE, Daemon
from lib.life import TARGETS, rules
from lib.processes import SIGNALS, Processes


class OtherPids(Processes):
    """The PID namespaces differ: there the daemon's process id is somebody else's."""

    def lock_file(self, length, start=0):
        """Locks so many bytes of the instance's lock file, until the test ends."""
        directory = os.path.join(STATE, self.instance)
        os.makedirs(directory, exist_ok=True)
        file = open(os.path.join(directory, "lock"), "w", encoding="ascii")
        self.addCleanup(file.close)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK,
                    struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))

    def contain(self):
        self.daemon = ContainedDaemon(self, self.write(rules(TARGETS[0]))).ready()
        return self.daemon

    def test_daemon_in_a_container(self):
        """From outside the container no command signals anything; each says where to run it."""
        daemon = self.contain()
        number = namespace(daemon.pid, "pid")
        self.write(rules(TARGETS[1]))
        for command in ("stop", "reload"):
            with self.subTest(command):
                result, signals = self.traced(command)
                self.assert_one_line(
                    result, r"process 1 of another PID namespace", rf"pid:\[{number}\]",
                    "container", rf"; nsenter --target {daemon.pid} --all vxlan-pipeline {command} "
                    rf"--instance {self.instance}$")
                self.assertEqual(signals, [])
                self.assert_runs_on(daemon)
        with self.subTest("a second daemon"):
            self.assertRegex(self.start_fails(), rf"already has a daemon, process 1 of .*\[{number}\]")
            self.assert_runs_on(daemon)

    def test_status_of_a_daemon_in_a_container(self):
        """It is running; no number is passed off as a process id of this namespace."""
        daemon = self.contain()
        wait_for(self.is_well, 10, "health")
        found = self.json("status")
        self.assertEqual((found["state"], found["pid"]), ("running", None))
        self.assertEqual(found["reasons"], [])
        said = self.cli("status", "--instance", self.instance).stdout
        self.assertRegex(said, rf"daemon +process 1 of another PID namespace, "
                         rf"pid:\[{namespace(daemon.pid, 'pid')}\]")

    def test_commands_in_the_same_container(self):
        daemon = self.contain()
        self.write(rules(TARGETS[1]))
        result, signals = self.traced("reload", before=daemon.entered())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual([re.search(r"\w+\(", line)[0] for line in signals],
                         ["pidfd_send_signal("])
        self.assert_runs_on(daemon, TARGETS[1])
        said = self.appliance.run(*daemon.entered(), program.PROGRAM, "status", "--instance",
                                  self.instance).stdout
        self.assertRegex(said, r"daemon +process 1\n")
        # with its process 1 the container ends, and so does what runs in it
        self.appliance.run(*daemon.entered(), program.PROGRAM, "stop", "--instance", self.instance,
                           check=False)
        self.assertEqual(daemon.wait(), 0)
        self.assert_nothing_left()

    def test_commands_in_a_container(self):
        """A daemon outside is as foreign to a command in a container as the other way round."""
        daemon = self.start(rules(TARGETS[0]))
        number = namespace(daemon.pid, "pid")
        for command in ("stop", "reload"):
            with self.subTest(command):
                result, signals = self.traced(command, before=contained())
                self.assert_one_line(result, rf"process {daemon.pid} of .*pid:\[{number}\]")
                self.assertEqual(signals, [])
                self.assert_runs_on(daemon)

    def test_without_proc(self):
        """Without /proc a command does not know its own PID namespace, and signals nobody."""
        daemon = self.start(rules(TARGETS[0]))
        for command in ("stop", "reload"):
            with self.subTest(command):
                result, signals = self.traced(command, before=contained(
                    "mount -t tmpfs tmpfs /proc", pids=False))
                self.assert_one_line(result, "mount -t proc proc /proc")
                self.assertEqual(signals, [])
                self.assert_runs_on(daemon)

    def test_a_lock_of_another_version(self):
        """An earlier version's lock says a process id and no namespace: nobody is signalled."""
        daemon = self.start(rules(TARGETS[0]), arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        self.lock_file(os.getpid())
        for command in ("stop", "reload"):
            with self.subTest(command):
                result, signals = self.traced(command)
                self.assert_one_line(result, rf"process {os.getpid()} of a PID namespace that is "
                                     "not known", "another version", "systemctl restart")
                self.assertEqual(signals, [])
        self.assertTrue(self.forwards(3))


class OwnPids(Processes):
    def test_signals_go_by_pidfd(self):
        """A process id may be another process's a moment later; a pidfd never is."""
        daemon = self.start(rules(TARGETS[0]))
        for command in ("reload", "stop"):
            result, calls = self.traced(command, calls=f"{SIGNALS},pidfd_open")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual([re.search(r"(\w+)\(", line)[1] for line in calls],
                             ["pidfd_open", "pidfd_send_signal"])
            self.assertIn(f"pidfd_open({daemon.pid}, ", calls[0])
        self.assertEqual(daemon.wait(), 0)
        self.assert_nothing_left()


class OtherRun(Processes):
    """The pins are shared, and /run is not, as with containers: one daemon an instance all the same."""

    THREE = ("setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", "--inh-caps=-all")
    UNSERVED = {"http": {"listen": "off"}}  # so that no port is in a second daemon's way
    SHAPES = (  # a sentence, whether the first and the second one have a PID namespace of their own
        ("both in the host's PID namespace", False, False),
        ("the first one in a container", True, False),
        ("the second one in a container", False, True),
        ("each in a container", True, True))

    def contain(self, *mounts, pids=True):
        self.daemon = ContainedDaemon(self, self.write(rules(TARGETS[0]), self.UNSERVED), OWN_RUN,
                                      *mounts, pids=pids).ready()
        return self.daemon

    def second(self, pids=True, before=()):
        """A second daemon, with another /run; prints what it leaves there."""
        return self.appliance.run(*contained(OWN_RUN, pids=pids), "sh", "-c",
                                  '"$@"; status=$?; find /run -mindepth 1; exit $status', "sh",
                                  *before, program.PROGRAM, "run", "-c",
                                  self.write(rules(TARGETS[1]), self.UNSERVED), "--instance",
                                  self.instance, "-d", "5", check=False)

    def assert_refused(self, result):
        self.assert_one_line(result, f"instance {self.instance} already has a daemon",
                             "with another /run", "container", f"{PINS}/{self.instance}")

    def test_a_second_daemon(self):
        for sentence, first, second in self.SHAPES:
            with self.subTest(sentence):
                daemon = self.contain(pids=first)
                result = self.second(second)
                self.assert_refused(result)
                if not second:  # who sees the process is told which one it is
                    self.assertIn(f"process {daemon.pid},", result.stderr)
                self.assert_runs_on(daemon)
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
                self.assert_nothing_left()

    def test_a_second_daemon_without_other_privileges(self):
        """The three capabilities suffice for the lock, on both sides."""
        daemon = Daemon(self, self.appliance, *self.THREE[1:], program.PROGRAM, "run", "-c",
                        self.write(rules(TARGETS[0]), self.UNSERVED), instance=self.instance, name=None,
                        executable=self.THREE[0]).ready()
        self.assert_refused(self.second(before=self.THREE))
        self.assert_runs_on(daemon)

    def test_a_second_daemon_while_the_first_is_stopped(self):
        """A daemon that hangs is a daemon: only its end lets another one take over."""
        daemon = self.contain()
        daemon.signal(signal.SIGSTOP)
        self.assert_refused(self.second())
        daemon.signal(signal.SIGCONT)
        self.assert_runs_on(daemon)

    def test_daemons_that_start_together(self):
        """Each with another /run: one wins, and the others leave everything to it."""
        config = self.write(rules(TARGETS[0]), self.UNSERVED)  # once: they read it at once
        for _ in range(4):
            daemons = [ContainedDaemon(self, config, OWN_RUN) for _ in range(3)]
            wait_for(lambda some=daemons: sum(one.process.poll() is None for one in some) == 1,
                     20, "all but one to end")
            winner, = (one for one in daemons if one.process.poll() is None)
            winner.ready()
            for loser in daemons:
                if loser is not winner:
                    self.assertEqual(loser.wait(), 1, loser.stderr)
                    self.assertIn("already has a daemon", loser.stderr)
            self.assert_runs_on(winner)
            winner.signal(signal.SIGTERM)
            self.assertEqual(winner.wait(), 0)
            self.assert_nothing_left()

    def test_a_daemon_after_one_that_was_killed(self):
        """The next one, in another container, adopts the datapath at once."""
        daemon = self.contain()
        self.assertTrue(self.forwards(5))
        daemon.kill()
        self.assertTrue(self.forwards(5))
        daemon = self.contain()
        self.assertIn("program replaced", daemon.stderr)
        self.assert_runs_on(daemon)
        self.assertEqual(self.verdicts(), {"redirected": 13})

    def test_a_daemon_after_the_file_system_was_mounted_anew(self):
        """The daemon pins everything again, and locks that, too."""
        daemon = self.contain(OWN_BPFFS, pids=False)
        inside = ("nsenter", f"--target={daemon.pid}", "--mount")
        for command in (("umount", "/sys/fs/bpf"), ("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")):
            self.appliance.run(*inside, *command)
        wait_for(lambda: self.appliance.run(*inside, "ls", f"{PINS}/{self.instance}/link",
                                            check=False).returncode == 0, 10, "the pins")
        result = self.appliance.run(*inside, *contained(OWN_RUN), program.PROGRAM, "run", "-c",
                                    self.write(rules(TARGETS[1]), self.UNSERVED), "--instance",
                                    self.instance, "-d", "5", check=False)
        self.assert_refused(result)
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards(3))

    def test_commands(self):
        """Commands with another /run find the daemon by its pins; where they see it, they reach it."""
        for sentence, contained_too, end in (("in a container", True, 1), ("beside it", False, 0)):
            with self.subTest(sentence):
                daemon = self.contain(pids=contained_too)
                found = self.json("status")
                self.assertEqual((found["state"], found["pid"]),
                                 ("running", None if contained_too else daemon.pid))
                said = self.cli("status", "--instance", self.instance).stdout
                self.assertIn("with another /run", said)
                result, signals = self.traced("stop")
                if contained_too:
                    self.assert_one_line(result, "with another /run",
                                         f"; nsenter --target {daemon.pid} --all vxlan-pipeline "
                                         "stop")
                    self.assertEqual(signals, [])
                    self.assert_runs_on(daemon)
                    result, signals = self.traced("stop", before=contained())
                    self.assert_one_line(result, "on the host, which says how")
                    self.assert_runs_on(daemon)
                    daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
                self.assertEqual(result.returncode, end, result.stderr)
                self.assert_nothing_left()

    def test_the_way_that_is_told(self):
        """The command that `reload` tells does what was asked for."""
        daemon = self.contain()
        os.symlink(program.PROGRAM, os.path.join(self.work.path, "vxlan-pipeline"))
        self.write(rules(TARGETS[1]), self.UNSERVED)
        result, _ = self.traced("reload")
        way = result.stderr.strip().rpartition("; ")[2]
        self.assertTrue(way.startswith("nsenter "), result.stderr)
        self.appliance.run("env", f"PATH={self.work.path}:{os.environ['PATH']}", "sh", "-c", way)
        self.assert_runs_on(daemon, TARGETS[1])

    def test_a_start_that_fails(self):
        """It leaves no directory of pins, locked or not."""
        self.start_fails({"listen": {"interface": "nic9"}})
        self.assert_nothing_left()
        self.assertFalse(os.path.exists(PINS))

    def test_nobody_else_can_hold_the_lock(self):
        """Who may not read the pins may not lock them; a directory of another user is no place for them."""
        self.start()
        self.assertEqual(os.stat(f"{PINS}/{self.instance}").st_mode & 0o077, 0)
        self.daemon.terminate()
        for sentence, uid, mode in (("another user's", 65534, 0o700), ("open to others", 0, 0o777)):
            with self.subTest(sentence):
                os.mkdir(PINS)
                os.chmod(PINS, mode)
                os.chown(PINS, uid, uid)
                self.assertIn(f"{PINS} is not safe: user {uid}", self.start_fails())
                run("rmdir", PINS)
