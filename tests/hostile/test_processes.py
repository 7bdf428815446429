# SPDX-License-Identifier: GPL-2.0-only
"""
The daemon and the commands in different namespaces and with different privileges: nobody is signalled
who is not the daemon, and what is where is told.
"""

import fcntl
import os
import re
import struct

from lib import program
from lib.command import need_commands, wait_for
from lib.container import ContainedDaemon, contained, namespace
from lib.daemon import STATE
from lib.life import TARGETS, rules
from lib.watch import Watched

SIGNALS = "kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_send_signal"


class Processes(Watched):
    def traced(self, *words, calls=SIGNALS, before=()):
        """
        Runs a subcommand; returns its result and the system calls of that kind that it made. kill(2)
        gets nowhere: it could meet process 1, with which these tests end.
        """
        need_commands("strace")
        trace = os.path.join(self.work.path, "trace")
        result = self.appliance.run(*before, "strace", "-f", "-qq", "-o", trace, "-e",
                                    f"trace={calls}", "-e", "inject=kill:retval=0", "-e",
                                    "signal=none", program.PROGRAM, *words,
                                    "--instance", self.instance, check=False)
        with open(trace, encoding="utf-8") as file:
            return result, file.read().splitlines()

    def assert_one_line(self, result, *patterns, status=1):
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for pattern in patterns:
            self.assertRegex(result.stderr, pattern)

    def lock_file(self, length, start=0):
        """Locks so many bytes of the instance's lock file, until the test ends."""
        directory = os.path.join(STATE, self.instance)
        os.makedirs(directory, exist_ok=True)
        file = open(os.path.join(directory, "lock"), "w", encoding="ascii")
        self.addCleanup(file.close)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK,
                    struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))

    def assert_runs_on(self, daemon, target=TARGETS[0]):
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards(3))
        self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [target])


class OtherPids(Processes):
    """The PID namespaces differ: there the daemon's process id is somebody else's."""

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
                    "container", rf"`vxlan-pipeline {command} --instance {self.instance}` there",
                    rf"lsns {number}")
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
