# SPDX-License-Identifier: GPL-2.0-only
"""
Reloads, kills, upgrades and a stopped daemon under load: no packet is lost, and each follows either
the old or the new rules.
"""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import time

import rig
import sides
from lib import program
from lib.command import need_commands, run, wait_for
from lib.daemon import HEARTBEAT_LIFETIME

# Signals that end `run --linger` and leave the datapath.
ENDS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL)
QUICK = bool(os.environ.get("ENDURANCE_QUICK"))
# The system calls by which a start changes something.
STEPS = ("bpf", "membarrier", "mkdir", "rename", "rmdir", "symlink", "unlink", "unlinkat")
PPS = 200000 if QUICK else 1000000


def few(quick, whole):
    return quick if QUICK else whole


class Reload(rig.Ground):
    RELOADS = few(10, 100)

    def test_reloads(self):
        """Many reloads, each after the one before is in force."""
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        for number in range(1, self.RELOADS + 1):
            self.reload(daemon)
            self.check_in_force()
            self.assertEqual(self.judge.order().changes, number, "as many changes as reloads")
        self.check(sender)


class Cut(rig.Ground):
    """Reloads while packets are fragmented: one program makes all fragments of a packet."""

    RELOADS, PPS = few(10, 100), few(50000, 100000)
    MTU_OUT, BATCH = 3498, 10
    SIDES = sides.CUTTING_SIDES
    JUDGE, VERDICT, INNER_SIZE = "endurance_fragments", "fragmented", sides.CUT_SIZE
    describe = sides.Fragment.describe

    def test_reloads(self):
        daemon = self.daemon(self.SIDES[0]).ready()
        sender = self.send(self.PPS)
        for _ in range(self.RELOADS):
            self.reload(daemon)
            self.check_in_force()
        daemon.kill()
        self.start_over()
        self.check(sender)

    def check_outcomes(self, outcomes):
        super().check_outcomes(outcomes)
        for side in self.SIDES:
            for fragments in side.packets:
                self.assertEqual(len({outcomes[key] for key in fragments}), 1,
                                 "as many of each fragment")


class Kill(rig.Ground):
    KILLS = few(3, 50)
    KILLS_IN_THE_ACT = few(6, 1000)  # at most as many as there are steps

    def test_kills(self):
        """SIGKILL and a new start with the other rules, many times."""
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        for _ in range(self.KILLS):
            self.journal.note("SIGKILL")
            daemon.kill()
            time.sleep(random.uniform(0, 0.2))
            daemon = self.start_over()
        self.check(sender)

    def traced(self, *words):
        """The command line of `run` under strace, for a second at most."""
        return self.appliance.command(
            "strace", "-f", "-qq", *words, program.PROGRAM, "run", "-c", self.config_path,
            "--instance", self.instance, "-d", "1", "--linger")

    def steps(self):
        """The system calls by which a start changes things, in order: [(name, its number)]."""
        path = os.path.join(self.work.path, "strace")
        run(*self.traced("-o", path, "-e", f"trace={','.join(STEPS)}"))
        counts, found, begun = {}, [], False
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                match = re.match(r"\d+ +(\w+)\(", line)
                if not match:
                    continue
                name = match[1]
                counts[name] = counts.get(name, 0) + 1
                begun = begun or "BPF_OBJ_PIN" in line
                if begun:
                    found.append((name, counts[name]))
                if "BPF_PROG_TEST_RUN" in line and begun:
                    break
        return found

    def killed_at(self, step):
        """Kills a start with the other rules at a step; finds out which rules are in force then."""
        tried, before = self.other_side(), self.judge.order().changes
        self.write(tried.changes)
        name, number = step
        self.journal.note(f"start, {tried.name} rules, to be killed at {name} number {number}")
        killed = subprocess.run(self.traced("-o", "/dev/null", "-e", f"trace={name}", "-e",
                                            f"inject={name}:signal=KILL:when={number}"),
                                capture_output=True, text=True, timeout=60, check=False)
        self.journal.note("killed")
        if killed.returncode != 128 + signal.SIGKILL and killed.returncode != -signal.SIGKILL:
            raise AssertionError(f"not killed at {step}: {killed.returncode} {killed.stderr}")
        self.let_come()
        changes = self.judge.order().changes
        self.assertIn(changes - before, (0, 1), f"killed at {step}: changed more than once")
        if changes != before:
            self.side, self.turns = tried, changes
        self.check_in_force()

    def check_counts_roughly(self, after):
        """
        Fails if a counter has lost what a whole generation counted. The comparison is rough, as
        packets go on while counters are read.
        """
        stats = self.stats()
        total = stats["verdicts"]["redirected"]["packets"]
        for what, count in (("VNI 1", stats["vnis"][0]["packets"]),
                            ("rule 1", stats["rules"][0]["packets"] * sides.FLOWS)):
            self.assertAlmostEqual(count, total, delta=PPS * 0.02 * sides.FLOWS,
                                   msg=f"{what} has lost what it counted, after: {after}")

    def test_kills_in_the_act(self):
        """
        SIGKILL at each step of a start in turn: packets follow the old or the new rules, and the
        next start repairs what was left, unless it is killed, too.
        """
        need_commands("strace")
        daemon = self.daemon(sides.OLD).ready()
        daemon.kill()
        sender = self.send(PPS)
        self.take_side(sides.OLD)
        steps = self.steps()
        for number, step in enumerate(steps[::1 + len(steps) // self.KILLS_IN_THE_ACT]):
            kills = [step] + [random.choice(steps) for _ in range(number % 3)]
            for kill in kills:
                self.killed_at(kill)
            daemon = self.start_over()
            self.check_counts_roughly(f"kills at {kills}")
            daemon.kill()
        self.check(sender)


class Upgrade(rig.Ground):
    UPGRADES = few(3, 12)

    def test_upgrades(self):
        """Upgrades to another version and back, after each way of ending a lingering daemon."""
        self.assertNotEqual(*(run(executable, "--version").stdout
                              for executable in (program.PROGRAM, rig.OTHER)))
        daemon = self.daemon(sides.OLD, "--linger").ready()
        sender = self.send(PPS)
        tags = [self.tag()]
        for number, end in zip(range(1, self.UPGRADES + 1), itertools.cycle(ENDS)):
            self.journal.note(f"{end.name} to the old version")
            daemon.signal(end)
            self.assertEqual(daemon.wait(), -end if end == signal.SIGKILL else 0)
            version = (program.PROGRAM, rig.OTHER)[number % 2]
            daemon = self.start_over("--linger", executable=version)
            tags.append(self.tag())
        self.assertEqual((len(set(tags[::2])), len(set(tags[1::2])), len(set(tags))), (1, 1, 2),
                         "two programs take turns")
        self.check(sender)

    def tag(self):
        """The tag of the program in force: a hash of its instructions."""
        number = self.appliance.xdp("in0")["prog"]["id"]
        return json.loads(run("bpftool", "-j", "prog", "show", "id", str(number)).stdout)["tag"]


class Stopped(rig.Ground):
    """The daemon hangs: the datapath uses its next hops for some seconds, then the kernel's."""

    SECONDS = few(5, 60)

    def test_stopped_daemon(self):
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        self.stop(daemon)
        time.sleep(max(0, self.SECONDS - HEARTBEAT_LIFETIME))
        self.journal.note("SIGCONT")
        daemon.signal(signal.SIGCONT)
        self.reload(daemon)
        self.check_in_force()
        self.check(sender)

    def test_where_nothing_is_forwarded(self):
        """If the interface does not forward, the last known next hops serve meanwhile."""
        self.appliance.sysctl("net.ipv4.ip_forward=0")
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        self.journal.note("SIGSTOP")
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        time.sleep(self.SECONDS)
        self.journal.note("SIGKILL")
        daemon.kill()
        time.sleep(1)
        self.start_over()
        self.check_in_force()
        self.check(sender)

    def test_stopped_in_the_act(self):
        """The daemon is stopped in the middle of a reload, and goes on later."""
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        for _ in range(few(2, 20)):
            self.take_side(self.other_side())
            daemon.signal(signal.SIGHUP)
            time.sleep(random.uniform(0.005, 0.08))
            daemon.signal(signal.SIGSTOP)
            self.journal.note("SIGSTOP in the middle of a reload")
            time.sleep(random.uniform(0, 1))
            daemon.signal(signal.SIGCONT)
            daemon.notified("READY=1")
            self.check_in_force()
        self.check(sender)

    def stop(self, daemon):
        """Stops the daemon; waits until packets follow the kernel's neighbour table instead."""
        self.journal.note("SIGSTOP")
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        self.set_neighbour(3, sides.MOVED_MAC)
        self.moved = sides.moved(sides.OLD, sides.MOVED_MAC)
        stopped = time.monotonic()
        wait_for(lambda: self.moved in self.judge.outcomes(), 20, "the kernel to be asked")
        self.assertGreater(time.monotonic() - stopped, 0.2, "the daemon's table is trusted so long")

    def allowed(self):
        return super().allowed() | {getattr(self, "moved", sides.OLD.own)}
