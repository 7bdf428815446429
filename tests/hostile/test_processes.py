# SPDX-License-Identifier: GPL-2.0-only
"""
The daemon and the commands in different namespaces and with different privileges: nobody is signalled
who is not the daemon, and what is where is told.
"""

import errno
import fcntl
import itertools
import json
import os
import re
import signal
import struct
import sys

from lib import program
from lib.command import injected, need_commands, run, wait_for
from lib.container import OWN_BPFFS, OWN_RUN, ContainedDaemon, contained, namespace
from lib.daemon import PINS, STATE, Daemon
from lib.life import TARGETS, rules
from lib.namespace import unique
from lib.watch import Watched

SIGNALS = "kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_send_signal"


# include/uapi/linux/bpf.h, filter.h, prctl.h and seccomp.h
BPF_MAP_CREATE, BPF_PROG_LOAD = 0, 5
SYS_BPF = {"x86_64": 321, "aarch64": 280}
LOAD, JUMP_IF, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NUMBER, ARGUMENT = 0, 16  # in struct seccomp_data: of the call, and its first one
FILTERED = """
import ctypes, os, sys
code = ctypes.create_string_buffer(bytes.fromhex(sys.argv[1]))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(code.raw) // 8, ctypes.addressof(code))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program)):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def filtered(error, commands=None):
    """Words to put before a command: seccomp has bpf(2), or these commands of it, end with `error`."""
    refuse = struct.pack("=HBBI", RETURN, 0, 0, ERRNO | error)
    allow = struct.pack("=HBBI", RETURN, 0, 0, ALLOW)
    code = struct.pack("=HBBI", LOAD, 0, 0, ARGUMENT) if commands else b""
    for number in commands or ():
        code += struct.pack("=HBBI", JUMP_IF, 0, 1, number) + refuse
    code += allow if commands else refuse
    begin = struct.pack("=HBBI", LOAD, 0, 0, NUMBER) + struct.pack(
        "=HBBI", JUMP_IF, 0, len(code) // 8, SYS_BPF[os.uname().machine])
    return sys.executable, "-c", FILTERED, (begin + code + allow).hex()


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
        for _ in range(4):
            daemons = [ContainedDaemon(self, self.write(rules(TARGETS[0]), self.UNSERVED), OWN_RUN)
                       for _ in range(3)]
            wait_for(lambda some=daemons: sum(one.process.poll() is None for one in some) == 1,
                     20, "all but one to end")
            winner, = (one for one in daemons if one.process.poll() is None)
            winner.ready()
            for loser in daemons:
                if loser is not winner:
                    self.assertEqual(loser.wait(), 1)
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


class OtherPins(Processes):
    """The BPF file system is one that only the daemon has, as with `ip netns exec`."""

    NETNS_EXEC = "only the daemon's mount namespace has the BPF file system"

    def netns_exec(self, *words, **options):
        """Runs a command by `ip netns exec`."""
        return run("ip", "netns", "exec", self.appliance.name, *words, **options)

    def daemon_by_netns_exec(self):
        self.daemon = NetnsExecDaemon(self, self.write(rules(TARGETS[0]))).ready()
        return self.daemon

    def test_started_by_ip_netns_exec(self):
        """The start warns; commands elsewhere read what is pinned where the daemon sees it."""
        daemon = self.daemon_by_netns_exec()
        self.assertRegex(daemon.stderr, rf"warning: {self.NETNS_EXEC}.*nsenter --net=")
        self.assertFalse(os.path.exists(PINS), "pins are here")
        wait_for(self.is_well, 10, "health")
        for sentence, ask in (("in the host's mount namespace", self.appliance.run),
                              ("by ip netns exec", self.netns_exec)):
            with self.subTest(sentence):
                self.assertTrue(self.forwards(2))

                def asked(*words, run=ask):
                    return run(program.PROGRAM, *words, "--instance", self.instance).stdout
                found = json.loads(asked("status", "--json"))
                self.assertEqual((found["state"], found["mode"], found["pid"], found["pinned"],
                                  found["reasons"]),
                                 ("running", "native", daemon.pid, "elsewhere", []))
                self.assertIn(self.NETNS_EXEC, asked("status"))
                self.assertEqual(json.loads(asked("stats", "--json"))["counters"]["nat_applied"],
                                 self.counted(2))
                self.assertEqual(len(asked("monitor", "-n", "1", "-I", "1").splitlines()), 2)
                asked("drain")
                self.told_when(lambda: "draining" in self.get().text, "drained")
                asked("drain", "--undo")
                self.told(True, "no longer drained")
                asked("reload")
        self.cli("stop", "--instance", self.instance)
        self.assertEqual(daemon.wait(), 0)
        self.assert_nothing_left()

    def counted(self, count):
        """`count` more than at the call before."""
        self.seen = getattr(self, "seen", 0) + count
        return self.seen

    def test_commands_by_ip_netns_exec(self):
        """Of a datapath that is pinned on the host: read while a daemon runs, told of when none does."""
        daemon = self.start(rules(TARGETS[0]))
        self.assertNotIn("mount namespace", daemon.stderr)
        ask = (program.PROGRAM, "status", "--json", "--instance", self.instance)
        found = json.loads(self.netns_exec(*ask).stdout)
        self.assertEqual((found["state"], found["pid"]), ("running", daemon.pid))
        self.assertNotIn(self.NETNS_EXEC, self.netns_exec(*ask[:2], *ask[3:]).stdout)
        daemon.kill()
        found = json.loads(self.netns_exec(*ask, check=False).stdout)
        self.assertRegex(found["reasons"][0], "in0 carries the XDP program 'vxlan_pipeline' .* "
                         "not in the BPF file system of this mount namespace")
        self.assertEqual(self.json("status")["state"], "unattended")

    def test_killed(self):
        """The warning is true: the datapath ends with the daemon; and `status` says so then."""
        daemon = self.daemon_by_netns_exec()
        daemon.kill()
        wait_for(lambda: not self.appliance.xdp_interfaces(), 10, "the end of the datapath")
        self.assertEqual(self.json("status")["state"], "detached")

    def test_check(self):
        daemon = self.daemon_by_netns_exec()
        result = self.cli("check", "-c", self.write(rules(TARGETS[0])), "--instance",
                          self.instance, "--json", check=False)
        found = {each["check"]: each for each in json.loads(result.stdout)["findings"]}
        self.assertEqual(found["xdp_program"]["status"], "ok", found["xdp_program"])
        self.assertEqual(found["bpffs"]["status"], "warn")
        self.assertIn("only its daemon's mount namespace has", found["bpffs"]["why"])
        self.assertIn("nsenter --net=", found["bpffs"]["fix"])
        self.assertEqual(daemon.terminate(), 0)

    def test_no_warning_for_what_the_host_has(self):
        """A mount namespace of its own is no reason to warn, while the file system is the host's."""
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), pids=False).ready()
        self.assertNotIn("mount namespace", daemon.stderr)
        daemon.terminate()
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0]))).ready()
        self.assertNotIn("container", daemon.stderr)

    def test_a_container_without_volumes(self):
        """
        Nothing is shared but the network: what is attached there is told apart from nothing, and not
        taken away.
        """
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), OWN_RUN,
                                 "umount -l /sys/fs/bpf").ready()
        self.assertRegex(daemon.stderr, "container's own: when it ends, forwarding ends")
        told = (r"in0 carries the XDP program 'vxlan_pipeline' \(id \d+\), whose pins are not in the "
                "BPF file system of this mount namespace: started by `ip netns exec`, or in a "
                "container")
        found = self.json("status")
        self.assertEqual((found["state"], found["healthy"]), ("detached", False))
        self.assertRegex(found["reasons"][0], told)
        for command in (("stats",), ("monitor", "-n", "1")):
            with self.subTest(command[0]):
                self.assertRegex(self.fails(*command, "--instance", self.instance), told)
        checked = self.cli("check", "-c", self.write(rules(TARGETS[0])), "--instance",
                           self.instance, check=False)
        self.assertRegex(checked.stdout, r"fail +xdp_program +in0 serves an instance already .* whose "
                         "pins are not in the BPF file system of this mount namespace")
        rules_before = self.appliance.run("nft", "list", "ruleset").stdout
        self.assertIn(f"vxlan-pipeline-{self.instance}", rules_before)
        line = self.start_fails({"http": {"listen": "off"}})
        self.assertRegex(line, r"in0 already serves an instance \(program .*\) whose pins are not in")
        self.assertEqual(self.appliance.run("nft", "list", "ruleset").stdout, rules_before)
        self.assertTrue(self.forwards(3))
        self.assertIsNone(daemon.process.poll())

    def test_a_container_that_shares_run_alone(self):
        """The lock tells of a daemon whose pins are nowhere to be seen."""
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), OWN_BPFFS).ready()
        wait_for(self.is_well, 10, "health")
        found = self.json("status")  # of health the daemon tells in /run
        self.assertEqual((found["state"], found["pid"], found["pinned"], found["reasons"]),
                         ("running", None, "elsewhere", []))
        self.assertIn("pins        not in the BPF file system of this mount namespace",
                      self.cli("status", "--instance", self.instance).stdout)
        daemon.signal(signal.SIGSTOP)
        self.assertRegex(wait_for(self.reasons, 10, "a reason"), "the pins are not in the BPF file "
                         "system of this mount namespace; the daemon, process 1 of")
        daemon.signal(signal.SIGCONT)
        self.assertRegex(self.fails("stats", "--instance", self.instance),
                         "pins of instance .* are not in the BPF file system of this mount "
                         "namespace; its daemon, process 1 of")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)


class Privileges(Processes):
    """A start succeeds with what reloads, scrapes and the end need, or says what is missing."""

    # include/uapi/linux/capability.h
    BITS = {"net_admin": 12, "sys_admin": 21, "perfmon": 38, "bpf": 39}
    NEEDED = (("bpf", True), ("net_admin", False), ("perfmon", True))  # may sys_admin stand for it?

    def missing(self, held):
        return [f"CAP_{name.upper()}" for name, implied in self.NEEDED
                if name not in held and not (implied and "sys_admin" in held)]

    def kept(self, held):
        """What a daemon that begins with these keeps, as the kernel writes it."""
        stands_in = any(implied and name not in held for name, implied in self.NEEDED)
        return sum(1 << bit for name, bit in self.BITS.items()
                   if name in held and (name != "sys_admin" or stands_in))

    def test_every_combination(self):
        """Of the four capabilities that count; 5 of 16 suffice."""
        need_commands("setpriv")
        for count in range(len(self.BITS) + 1):
            for held in itertools.combinations(self.BITS, count):
                with self.subTest(", ".join(held) or "none"):
                    self.begins_with(held)

    def begins_with(self, held):
        words = ("setpriv", "--inh-caps=-all", "--bounding-set=" + ",".join(
            ["-all", *(f"+{name}" for name in held)]))
        missing = self.missing(held)
        path = self.write(rules(TARGETS[0]))
        if missing:
            result = self.appliance.run(*words, program.PROGRAM, "run", "-c", path, "--instance",
                                        self.instance, "-d", "1", check=False)
            self.assert_one_line(result, f"this process lacks {', '.join(missing)}; run as root")
            self.assert_nothing_left()
            return
        self.daemon = Daemon(self, self.appliance, *words[1:], program.PROGRAM, "run", "-c", path,
                             instance=self.instance, name=None, executable=words[0]).ready()
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        self.assertEqual([int(status[name], 16) for name in ("CapPrm", "CapEff")],
                         [self.kept(held)] * 2)
        wait_for(self.is_well, 10, "health")
        for number in (1, 0):
            self.write(rules(TARGETS[number]))
            self.assertEqual(self.cli("reload", "--instance", self.instance).stderr, "")
            self.assert_runs_on(self.daemon, TARGETS[number])
        for page in ("/metrics", "/stats.json"):
            self.assertEqual(self.get(page).status, 200)
        self.assertEqual(self.reasons(), "")
        self.cli("stop", "--instance", self.instance)
        self.assertEqual(self.daemon.wait(), 0)
        self.assertNotIn("not permitted", self.daemon.stderr)
        self.assert_nothing_left()


class Denied(Processes):
    """bpf(2) fails although this is root: each message says whose doing that is."""

    FILTER = r"a filter of system calls \(seccomp\) forbids bpf\(2\)"
    MODULE = r"a security module forbids (bpf\(2\) to this process|it)"
    LOCKED = ("mount -t tmpfs tmpfs /sys/kernel/security",
              "echo 'none integrity [confidentiality]' > /sys/kernel/security/lockdown")
    LITTLE_MEMORY = ("prlimit", "--memlock=65536:65536")

    def rows(self):
        """A sentence, what stands before the command, what is told, whether pins can be read."""
        makes = filtered(errno.EPERM, (BPF_MAP_CREATE, BPF_PROG_LOAD))
        return (
            ("a container's filter", filtered(errno.EPERM), self.FILTER, False),
            ("a filter that pretends there is none", filtered(errno.ENOSYS), self.FILTER, False),
            ("a filter, and little locked memory",
             (*self.LITTLE_MEMORY, *filtered(errno.EPERM)), self.FILTER, False),
            ("a security module", injected("bpf", "error=EPERM"), self.MODULE, False),
            ("a security module, in other words", injected("bpf", "error=EACCES"), self.MODULE,
             False),
            ("a security module that minds what is made", makes, self.MODULE, True),
            ("a lockdown", (*contained(*self.LOCKED, pids=False), *makes),
             r"the kernel is locked down \(confidentiality", True),
            ("root of a user namespace", ("unshare", "--map-root-user"),
             "root in a user namespace alone", True))

    def commands(self, path, reads):
        """Each with the namespace that it runs in; those that read pins unless they can."""
        own = ("--instance", self.instance)
        capture = os.path.join(self.work.path, "empty.pcap")
        with open(capture, "wb") as file:
            file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        yield self.appliance, "run", "-c", path, "--instance", unique("i"), "-d", "1"
        yield self.appliance, "explain", "-c", path, capture
        yield (self.collector, "generate", "-i", "c0", "--seconds", "1", "--destination",
               "10.20.0.1", "--destination-mac", "02:00:00:00:00:01")
        if not reads:
            yield self.appliance, "status", *own
            yield self.appliance, "stats", *own

    def test_every_command(self):
        need_commands("strace", "prlimit", "unshare")
        path = self.write(rules(TARGETS[0]))
        daemon = self.start(rules(TARGETS[0]))
        for sentence, before, told, reads in self.rows():
            for where, *words in self.commands(path, reads):
                with self.subTest(f"{sentence}: {words[0]}"):
                    self.assert_one_line(where.run(*before, program.PROGRAM, *words, check=False),
                                         told)
            with self.subTest(f"{sentence}: check"):
                checked = self.appliance.run(*before, program.PROGRAM, "check", "-c", path,
                                             "--instance", self.instance, check=False)
                self.assertRegex(checked.stdout, f"fail +kernel +not permitted to use BPF: .*{told}")
        self.assert_runs_on(daemon)


class NetnsExecDaemon(Daemon):
    """`run` by `ip netns exec`."""

    def __init__(self, test, path):
        super().__init__(test, Outside(), "netns", "exec", test.appliance.name, program.PROGRAM,
                         "run", "-c", path, instance=test.instance, name=None, executable="ip")


class Outside:
    """The network namespace of the test itself."""

    @staticmethod
    def command(*words):
        return words
