# SPDX-License-Identifier: GPL-2.0-only
"""
The calls of bpf(2), of netlink sockets, and those that ask a driver for statistics fail, one at a
time, in the program as it is built with the sanitizers (`make sanitized-program`): nothing crashes,
hangs or is left behind, and what is lost is told with its cause. A sample of the calls, each with one fault; $TEST_STORM=10000: every
call with every fault of its kind (lib/call_faults.py), which takes an hour and more.
"""

import collections
import os
import random
import re
import time
import unittest

from lib import frames, program
from lib.answers import IS_WHOLE
from lib.call_faults import FAULTS
from lib.command import need_commands, wait_for
from lib.daemon import PINS, Daemon
from lib.life import TARGETS, rules, tunnels
from lib.port import is_ip
from lib.supervisor import Supervisor
from lib.watch import Watched

SANITIZED = os.path.join(os.path.dirname(program.PROGRAM), "unit", "vxlan-pipeline")
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1"}
REPORT = re.compile("Sanitizer|runtime error")
SETTINGS = ("net.ipv4.fwmark_reflect", "net.ipv6.fwmark_reflect", "net.ipv4.tcp_fwmark_accept")
SOON = 4 * program.PATIENCE  # seconds until what failed once has been tried again
# What a message may say in place of the error's own text.
EXPLAINED = re.compile(
    "no memory|a security module forbids|the reason is in the output of `run --verbose`|"
    "takes no XDP program in native mode|not known|was not asked|has no links for XDP")
# What a line of a command says that knows less than usual; EINVAL means that the kernel is too old.
LESS = re.compile(r"not known|could not|cannot|not counted|is known|^ +\$ |"
                  "copies no frames in XDP|takes no frames in several buffers|has no links for XDP")


class Supervised(Watched):
    """The program under a supervisor; what it leaves behind; whether it says what it lacks."""

    def setUp(self):
        if not os.access(SANITIZED, os.X_OK):
            raise unittest.SkipTest(f"{SANITIZED} was not built: make sanitized-program")
        need_commands("nft", "tc")
        super().setUp()
        self.before = self.surroundings()

    def surroundings(self):
        """What a start may change in the namespace, besides pins and XDP programs."""
        return [self.appliance.run(*words).stdout for words in (
            ("sysctl", *SETTINGS), ("nft", "-s", "list", "ruleset"), ("tc", "qdisc", "show"))]

    def left(self):
        """What of the instance is still there."""
        return [name for name, is_there in (
            ("a program", self.appliance.xdp_interfaces()),
            ("pins", os.path.exists(os.path.join(PINS, self.instance))),
            ("files", os.path.exists(os.path.join("/run/vxlan-pipeline", self.instance))),
            ("rules, settings or a qdisc", self.surroundings() != self.before)) if is_there]

    def clean(self):
        """After a row that left something: the next one begins as the first did."""
        self.remove_instance()
        self.appliance.run("nft", "flush", "ruleset")
        self.appliance.sysctl(*(f"{name}=0" for name in SETTINGS))
        for interface in ("in0", "out0"):
            self.appliance.ip("link", "set", interface, "xdp", "off", check=False)

    def rows(self, calls, count, always=()):
        """
        Calls by name and number, each with a fault: all, or `count` of them (fewer on a slow CPU), and
        those in `always` with the first fault of their kind.
        """
        count = max(1, round(count / program.PATIENCE))
        numbers, first, every = collections.Counter(), [], []
        for kind, name in calls:
            first += [(name, numbers[name], FAULTS[kind][0])] if name in always else []
            every += [(name, numbers[name], fault) for fault in FAULTS[kind]]
            numbers[name] += 1
        missing = set(always) - set(numbers)
        self.assertEqual(missing, set(), "calls that are not made any more")
        if IS_WHOLE:
            return every
        return first + random.Random(1).sample(every, min(count, len(every)))

    def each(self, calls, count, visit, always=()):
        """
        Calls visit(name, number, fault) for the rows; most of the faults must have struck, of a few all
        but one. On a slow CPU the control loop's own calls fall among those of a scrape, one time and
        not the next: each is tried more than once there.
        """
        struck = total = 0
        for name, number, fault in self.rows(calls, count, always):
            with self.subTest(f"{name}, {number}: {fault}"):
                total += 1
                struck += any(visit(name, number, fault) for _ in range(round(program.PATIENCE)))
        self.assertGreaterEqual(struck, min(total - 1, total * 0.75))

    def supervised(self, supervisor, *words, **options):
        return self.appliance.run(*supervisor.words, SANITIZED, *words, check=False,
                                  env={**os.environ, **SANITIZERS}, timeout=20, **options)

    def daemon_under(self, supervisor, *changes):
        return Daemon(self, self.appliance, *supervisor.words[1:], SANITIZED, "run", "-c",
                      self.write(*changes), instance=self.instance, name=None,
                      executable=supervisor.words[0], environment=SANITIZERS)

    def assert_sane(self, text):
        self.assertIsNone(REPORT.search(text), text)

    @staticmethod
    def is_explained(text, fault):
        return bool(fault.said and fault.said in text or EXPLAINED.search(text))

    def assert_explained(self, text, fault):
        self.assertTrue(self.is_explained(text, fault),
                        f"nothing of {fault} ({fault.said}) in: {text}")

    def arrives(self, count=2):
        self.in_port.send(*tunnels(count))
        return len(self.out_port.receive(is_ip, count, quiet=0.05)) == count

    def state(self):
        """What is there, and how it is told to be; without what differs from start to start."""
        pins = [re.sub(r"generation-\d+", "generation-N", os.path.join(directory, name))
                for directory, _, names in os.walk(os.path.join(PINS, self.instance))
                for name in names]
        ruleset = re.sub(r"0x[0-9a-f]+|is_[0-9]+_[0-9a-f]+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", "N",
                         "".join(self.surroundings()))
        return sorted(pins), ruleset, self.get().text, [
            rule["to"] for rule in self.stats()["rules"]]

    def becomes(self, state):
        """Whether everything is so before long."""
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            try:
                if self.state() == state:
                    return True
            except AssertionError:
                pass  # not to be read at this moment
            time.sleep(0.05)
        return False


class Starts(Supervised):
    # Each was mended: it took a program of its own for foreign, blamed BTF, or was not told.
    MENDED = ("bpf OBJ_GET link", "bpf RAW_TRACEPOINT_OPEN", "bpf MAP_CREATE libbpf_mmap",
              "setsockopt 270:11 of route", "bpf MAP_CREATE ")

    def begin(self, *row):
        """Starts it with this fault, or none. Returns the calls, and the state if it is ready."""
        with Supervisor() as supervisor:
            supervisor.fail(*row) if row else supervisor.count()
            daemon = self.daemon_under(supervisor)
            try:
                is_ready = self.is_ready(daemon)
                calls, hit = list(supervisor.calls), supervisor.hit
                if row and is_ready:
                    self.assert_runs(daemon, row[2])
                elif row:
                    self.assert_failed(daemon, row[2])
                else:
                    wait_for(self.is_well, 5, "health")
                    self.usual, self.lines = self.state(), daemon.stderr.splitlines()
                    self.assertEqual(daemon.terminate(), 0)
                self.assert_sane(daemon.stderr)
                self.assertEqual(self.left(), [])
            finally:
                daemon.kill()
                daemon.notify.close()  # of one of many
                if self.left():
                    self.clean()
        return calls if not row else hit

    @staticmethod
    def is_ready(daemon):
        try:
            daemon.ready()
            return True
        except AssertionError:
            if daemon.process.poll() is None:
                raise
            return False

    def assert_runs(self, daemon, fault):
        """It does its work; what it does without, it says."""
        self.assertTrue(self.arrives())
        said = "\n".join(set(daemon.stderr.splitlines()) - set(self.lines))
        if not self.is_explained(said, fault) and not self.becomes(self.usual):
            self.fail(f"differs without a word: {daemon.stderr}{self.state()}")
        self.assertEqual(daemon.terminate(), 0)

    def assert_failed(self, daemon, fault):
        """One line says why."""
        self.assertEqual(daemon.process.returncode, 1, daemon.stderr)
        lines = [line for line in daemon.stderr.splitlines()
                 if line not in self.lines and "warning: " not in line]
        self.assertEqual(len(lines), 1, daemon.stderr)
        self.assert_explained(lines[0], fault)

    def test_start(self):
        """A start fails, says why and leaves nothing; or does its work, and says what it lacks."""
        self.each(self.begin(), 40, self.begin, self.MENDED)


class Reloads(Supervised):
    MENDED = ("bpf OBJ_GET link", "bpf OBJ_GET instance", "bpf MAP_LOOKUP_ELEM")

    def setUp(self):
        super().setUp()
        self.supervisor = Supervisor().__enter__()
        self.addCleanup(self.supervisor.__exit__)
        self.daemon = self.daemon_under(self.supervisor, rules(TARGETS[0])).ready()
        wait_for(self.is_well, 5, "health")
        self.usual, self.target = self.state(), 0

    def change(self):
        """Reloads with the other target. Returns what was logged."""
        self.write(rules(TARGETS[1 - self.target]))
        logged = len(self.daemon.stderr)
        self.reload(self.daemon)
        said = self.daemon.stderr[logged:]
        if "not reloaded" not in said:
            self.target = 1 - self.target
        return said

    def wanted(self):
        return (*self.usual[:3], [TARGETS[self.target]])

    def strike(self, name, number, fault):
        self.supervisor.fail(name, number, fault)
        said = self.change()
        self.supervisor.armed = None
        lines = [line for line in said.splitlines() if line not in self.lines]
        self.assertTrue(self.arrives(), said)
        if "not reloaded" in said:
            self.assertEqual(len([line for line in lines if "warning: " not in line]), 1, said)
            self.assert_explained(said, fault)
            self.assertTrue(self.becomes(self.wanted()), "it changed something all the same")
        elif self.is_explained("\n".join(lines), fault):
            self.change()
            self.assertTrue(self.becomes(self.wanted()), "a reload does not mend it")
        else:
            self.assertTrue(self.becomes(self.wanted()), f"differs without a word: {said}")
        self.assertIsNone(self.daemon.process.poll(), self.daemon.stderr)
        return self.supervisor.hit

    def test_reload(self):
        """A reload succeeds, or is refused with one line; either way packets go on, and so does it."""
        self.supervisor.count()
        self.lines = self.change().splitlines()
        self.each(list(self.supervisor.calls), 60, self.strike, self.MENDED)
        self.supervisor.count()
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.stderr)
        self.assert_sane(self.daemon.stderr)
        self.assertEqual(self.left(), [])

    def test_two_faults(self):
        """Both things that a reload could not do are told."""
        self.supervisor.fail("bpf MAP_LOOKUP_ELEM", 0, FAULTS["bpf"][0], after="bpf LINK_UPDATE",
                             lasting=True)
        said = self.change()
        self.supervisor.armed = None
        for line in ("the counters of rules and VNIs start anew", "the pinned state of instance"):
            self.assertIn(line, said)
        self.change()
        self.assertTrue(self.becomes(self.wanted()), "a reload does not mend it")
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.stderr)
        self.assert_sane(self.daemon.stderr)

    def scrape(self, page, *row):
        time.sleep(0.52)  # for which the page before serves
        self.supervisor.fail(*row) if row else self.supervisor.count()
        answer = self.get(page)
        self.supervisor.armed = None
        return answer

    def assert_page(self, page, usual, *row):
        answer = self.scrape(page, *row)
        if answer.status != 200:
            self.assert_explained(answer.text, row[2])
            self.assertEqual(len(answer.text.splitlines()), 1)
        elif self.shape(answer.text) != self.shape(usual):
            # also of what the control loop asked at that moment
            self.assertTrue("vxlan_pipeline_transmit_losses_counted 0" in answer.text or
                            '"transmit_losses_counted": false' in answer.text or
                            self.is_explained(answer.text, row[2]), answer.text)
        self.assertIsNone(self.daemon.process.poll(), self.daemon.stderr)
        return self.supervisor.hit

    @staticmethod
    def shape(text):
        return re.sub(r"\d[0-9.e+-]*", "N", text)

    def test_scrape(self):
        """A page is whole, or it says why it is not there; the daemon goes on."""
        for page, count in (("/metrics", 25), ("/stats.json", 10)):
            usual = self.scrape(page).text
            self.each(list(self.supervisor.calls), count,
                      lambda *row, p=page, u=usual: self.assert_page(p, u, *row))
        self.assertTrue(self.becomes(self.usual))
        self.assertEqual(self.daemon.terminate(), 0, self.daemon.stderr)
        self.assert_sane(self.daemon.stderr)


class Ends(Supervised):
    # What nftables has of the instance was left, without a word.
    MENDED = ("socket netfilter", "sendto netfilter 0x10", "recvmsg after netfilter 0x10")

    def terminate(self, *row):
        """Ends a daemon by SIGTERM. Returns its exit status, what it said, the calls, and hit."""
        with Supervisor() as supervisor:
            daemon = self.daemon_under(supervisor).ready()
            wait_for(self.is_well, 5, "health")
            self.await_pause(supervisor)
            logged = len(daemon.stderr)
            supervisor.fail(*row) if row else supervisor.count()
            status = daemon.terminate()
            daemon.notify.close()
            return status, daemon.stderr[logged:], list(supervisor.calls), supervisor.hit

    def stop(self, *row):
        """The same by the command, of an instance whose daemon was killed."""
        daemon = self.start()
        daemon.kill()
        daemon.notify.close()
        with Supervisor() as supervisor:
            supervisor.fail(*row) if row else supervisor.count()
            result = self.supervised(supervisor, "stop", "--instance", self.instance)
            return result.returncode, result.stderr, list(supervisor.calls), supervisor.hit

    @staticmethod
    def await_pause(supervisor):
        """Until the daemon has judged its health, which it does not do again for a while."""
        supervisor.count()
        wait_for(lambda: supervisor.calls, 5, "a reading of health")
        time.sleep(0.03)

    def strike(self, end, *row):
        try:
            status, said, _, hit = end(*row)
            self.assert_sane(said)
            self.assertIn(status, (0, 1), said)
            if status:
                self.assertEqual(len(said.splitlines()), 1, said)
                self.assert_explained(said, row[2])
                self.cli("stop", "--instance", self.instance)
            self.assertEqual(self.left(), [])
            return hit
        finally:
            if self.left():
                self.clean()

    def test_ends(self):
        """Whatever fails, nothing is left; or that is told, and `stop` removes it."""
        for end in (self.terminate, self.stop):
            with self.subTest(end.__name__):
                status, said, calls, _ = end()
                self.assertEqual(status, 0, said)
                self.assertEqual(self.left(), [])
            self.each(calls, 12, lambda *row, e=end: self.strike(e, *row), self.MENDED)


class Commands(Supervised):
    # Each said something else: crashed, blamed permissions, or told an operator to stop the instance.
    MENDED = {
        "status": ("bpf OBJ_GET link", "bpf OBJ_GET heartbeat", "socket route"),
        "check": ("bpf OBJ_GET program", "socket xfrm", "sendto RTM_GETROUTE",
                  "sendto netfilter 0xa07"),
        "tune": ("socket route", "sendto RTM_GETLINK"),
    }

    def commands(self, path):
        """A command, and how many rows."""
        own = ("--instance", self.instance)
        capture = os.path.join(self.work.path, "in.pcap")
        frames.write_pcap(capture, tunnels(3))
        yield ("status", *own), 6
        yield ("stats", *own), 12
        yield ("check", "-c", path, *own), 20
        yield ("tune", "--dry-run", "-c", path), 10
        yield ("explain", "-c", path, capture), 20

    def run_with(self, words, *row):
        with Supervisor() as supervisor:
            supervisor.fail(*row) if row else supervisor.count()
            result = self.supervised(supervisor, *words)
            return result, list(supervisor.calls), supervisor.hit

    @staticmethod
    def lines(text):
        return {re.sub(r"\d+", "N", line) for line in text.splitlines()}

    def strike(self, words, usual, *row):
        result, _, hit = self.run_with(words, *row)
        self.assert_sane(result.stderr)
        other = self.lines(result.stdout) - self.lines(usual)
        if result.returncode:
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertLessEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assert_explained(result.stderr + "\n".join(other), row[2])
        else:
            self.assertEqual(result.stderr, "")
            for line in other:
                self.assertRegex(line, LESS)
        return hit

    def test_commands(self):
        """A command says the same as without the fault, that it does not know, or why it fails."""
        self.start()
        wait_for(self.is_well, 5, "health")
        path = self.write()
        for words, count in self.commands(path):
            with self.subTest(words[0]):
                result, calls, _ = self.run_with(words)
                self.assertEqual(result.returncode, 0, result.stderr)
            self.each(calls, count, lambda *row, w=words, u=result.stdout: self.strike(w, u, *row),
                      self.MENDED.get(words[0], ()))
        self.assertTrue(self.arrives())

    def test_commands_that_call_nothing(self):
        self.start()
        path = self.write()
        for words in (("drain", "--instance", self.instance),
                      ("drain", "--undo", "--instance", self.instance),
                      ("config", "check", "-c", path), ("config", "show", "-c", path)):
            with self.subTest(" ".join(words[:2])):
                result, calls, _ = self.run_with(words)
                self.assertEqual((result.returncode, calls), (0, []), result.stderr)
