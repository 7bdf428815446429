# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel permits: capabilities that suffice, and whose doing it is when bpf(2) fails."""

import errno
import itertools
import os
import struct
import sys

from lib import kernel, program
from lib.command import injected, need_commands, wait_for
from lib.container import contained
from lib.daemon import Daemon
from lib.kernel import SYSTEM_CALLS
from lib.life import TARGETS, rules
from lib.namespace import unique
from lib.processes import Processes

# include/uapi/linux/bpf.h, filter.h, prctl.h and seccomp.h
BPF_MAP_CREATE, BPF_PROG_LOAD = 0, 5
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
        "=HBBI", JUMP_IF, 0, len(code) // 8, SYSTEM_CALLS["bpf"])
    return sys.executable, "-c", FILTERED, (begin + code + allow).hex()


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
        yield (self.sender, "generate", "-i", "g0", "--seconds", "1", "--source", "10.9.0.1",
               "--destination", "10.9.0.2", "--destination-mac", "02:00:00:00:00:01")
        if not reads:
            yield self.appliance, "status", *own
            yield self.appliance, "stats", *own

    def test_every_command(self):
        need_commands("strace", "prlimit", "unshare")
        path = self.write(rules(TARGETS[0]))
        daemon = self.start(rules(TARGETS[0]))
        # for `generate`: where frames that are redirected to a veth take a program, s0 and c0 have one
        self.sender.ip("link", "add", "g0", "type", "veth", "peer", "name", "g1")
        for name in ("g0", "g1"):
            self.sender.ip("link", "set", name, "up")
        for sentence, before, told, reads in self.rows():
            for where, *words in self.commands(path, reads):
                # who can read programs, on a kernel that lacks what is tried first, sees this one
                pattern = f"{told}|in0 already serves another instance" \
                    if reads and words[0] == "run" and not kernel.copies_frames() else told
                with self.subTest(f"{sentence}: {words[0]}"):
                    self.assert_one_line(where.run(*before, program.PROGRAM, *words, check=False),
                                         pattern)
            with self.subTest(f"{sentence}: check"):
                checked = self.appliance.run(*before, program.PROGRAM, "check", "-c", path,
                                             "--instance", self.instance, check=False)
                self.assertRegex(checked.stdout, f"fail +kernel +not permitted to use BPF: .*{told}")
        self.assert_runs_on(daemon)
