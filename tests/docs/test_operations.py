# SPDX-License-Identifier: GPL-2.0-only
"""docs/operations.md says what the running program says: its losses, its health, its pages."""

import glob
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
from test_reference import x_macro
from lib import program
from lib.command import wait_for
from lib.watch import Watched

PAGE = "docs/operations.md"


class Http(Watched):
    def test_paths(self):
        self.start()
        wait_for(self.is_well, 10, "health")
        for path, _ in markdown.table(PAGE, "path"):
            with self.subTest(path):
                self.assertEqual(self.get(path).status, 200)


def reasons():
    """{first clause of a reason, as the source has it: a pattern of it}"""
    found = {}
    for path in glob.glob(os.path.join(program.ROOT, "src", "*", "*.c")):
        with open(path, encoding="utf-8") as file:
            calls = re.findall(r"health_add\((.*?)\);\n", file.read(), re.S)
        for call in (call for call in calls if '"' in call):
            strings = re.search(r'(?:(?:"[^"]*"|[A-Z]\w+)\s*)+', call[call.index('"'):])[0]
            text = "".join(re.findall(r'"([^"]*)"', strings)).replace(", %s,", "")
            clause = next((clause for clause in re.split(r"[;,] |: ", text)
                           if clause not in ("%s", "%s (rule %%s%s)")), None)
            if clause:
                found[clause] = re.sub(r"%[\w.\\]*", ".*", re.escape(clause))
    return found


class Reasons(unittest.TestCase):
    """Every reason of health has its row, and every row its reason."""

    def test_table(self):
        rows = [row[0] for row in markdown.table(PAGE, "reason") if len(row) == 2]
        known = reasons()
        self.assertGreater(len(known), 25)
        for clause, pattern in known.items():
            with self.subTest(clause):
                self.assertTrue(any(re.search(pattern, row) for row in rows))
        for row in rows:
            for said in re.split(r"[,;] (?=IF|the (?:control|daemon|pins))", row):
                with self.subTest(said):
                    self.assertTrue(any(re.search(pattern, said) for pattern in known.values()))


class Losses(unittest.TestCase):
    def test_places(self):
        documented = [tuple(row) for row in markdown.table(PAGE, "place")]
        self.assertEqual(documented, [(name, meaning) for _, name, meaning in
                                      x_macro("LOSS_PLACES", "src/observe/loss.h")])

    def test_refused_packets(self):
        documented = [(name, meaning) for name, meaning, *_ in
                      (row for row in markdown.table(PAGE, "reason") if len(row) == 3)]
        self.assertEqual(documented, [(name, meaning) for _, name, _, meaning in
                                      x_macro("PIPELINE_LOSSES", "bpf/losses.h")])

    def test_statistics(self):
        """Every statistic that may be shown has a row that says what to do."""
        documented = {name for row in markdown.table(PAGE, "statistic")
                      for name in re.findall(r"\w+", row[0])}
        with open(os.path.join(program.ROOT, "src", "net", "driver_counters.c"), encoding="utf-8") as file:
            known = set(re.findall(r'{"\w+", "(\w+)"', file.read()))
        with open(os.path.join(program.ROOT, "src", "observe", "loss.c"), encoding="utf-8") as file:
            known |= set(re.findall(r"KERNEL_STAT\((\w+), LOST", file.read()))
        self.assertGreater(len(known), 15)
        self.assertEqual(known, documented)


if __name__ == "__main__":
    unittest.main()
