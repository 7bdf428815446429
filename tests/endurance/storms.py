# SPDX-License-Identifier: GPL-2.0-only
"""Reloads, kills, upgrades and a stopped daemon under load: nothing is lost, nothing is mixed."""

import os
import random
import re
import signal
import subprocess
import time

import rig
from lib import net, program

QUICK = bool(os.environ.get("ENDURANCE_QUICK"))
PPS = 200000 if QUICK else 1000000


def few(quick, whole):
    return quick if QUICK else whole


class Reload(rig.Ground):
    RELOADS = few(10, 100)

    def test_reloads(self):
        """SIGHUP, each in force before the next."""
        daemon = self.daemon(rig.OLD).ready()
        sender = self.send(PPS)
        for number in range(1, self.RELOADS + 1):
            self.reload(daemon)
            self.check_in_force()
            self.assertEqual(self.judge.order().changes, number, "as many changes as reloads")
        self.check(sender)


class Kill(rig.Ground):
    KILLS = few(3, 25)
    KILLS_IN_THE_ACT = few(3, 25)

    def test_kills(self):
        """SIGKILL and a new start, with the other rules every time."""
        daemon = self.daemon(rig.OLD).ready()
        sender = self.send(PPS)
        for _ in range(self.KILLS):
            self.journal.note("SIGKILL")
            daemon.kill()
            time.sleep(random.uniform(0, 0.2))
            daemon = self.start_over(daemon)
        self.check(sender)

    def start_over(self, before, executable=None):
        self.assertIsNotNone(before.process.poll())
        daemon = self.daemon(self.other_side(), executable=executable)
        self.journal.note(f"start, {self.side.name} rules")
        daemon.ready()
        self.journal.note("ready")
        self.check_in_force()
        return daemon

    def trace(self, *words):
        """`run` under strace, until it ends."""
        return self.appliance.command(
            "strace", "-f", "-qq", "-e", "signal=none", *words, program.PROGRAM, "run", "-c",
            self.config_path, "--instance", self.instance, "-d", "1")

    def steps(self):
        """The system calls of a start from the first on that changes anything: [(name, number)]."""
        path = os.path.join(self.work.path, "strace")
        net.run(*self.trace("-o", path, "-e",
                            "trace=bpf,membarrier,rename,unlink,rmdir,mkdir,symlink"))
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
                if "BPF_LINK_UPDATE" in line:
                    self.swap = len(found)
        return found
