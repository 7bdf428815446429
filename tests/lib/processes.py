# SPDX-License-Identifier: GPL-2.0-only
"""For tests of processes in other namespaces, and with other privileges, than the daemon has."""

import os

from . import program
from .command import need_commands
from .life import TARGETS
from .watch import Watched

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

    def assert_runs_on(self, daemon, target=TARGETS[0]):
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards(3))
        self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [target])
