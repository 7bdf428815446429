# SPDX-License-Identifier: GPL-2.0-only
"""docs/operations.md says what the running program says: its metrics, its losses, its health."""

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
# Of ENA, which no machine that tests has; of an instance that is not good.
NOT_HERE = {"conntrack_allowance_available", "condition"}


class Metrics(Watched):
    def test_every_metric_is_documented(self):
        """Name, type, labels and help text of each, in order."""
        daemon = self.start()
        self.reload(daemon)
        wait_for(self.is_well, 10, "health")
        text = self.get("/metrics").text
        shown = []
        for name, meaning, kind in re.findall(
                r"# HELP vxlan_pipeline_(\w+) (.*)\n# TYPE vxlan_pipeline_\1 (\w+)", text):
            line = re.search(rf"^vxlan_pipeline_{name}(?:{{(.*?)}})? ", text, re.M)
            labels = ", ".join(re.findall(r'(\w+)="', line[1] or ""))
            shown.append([name, kind, labels, meaning])
        rows = [row for row in markdown.table(PAGE, "metric") if row[0] not in NOT_HERE]
        self.assertGreater(len(shown), 15)
        self.assertEqual(rows, shown)

    def test_metrics_of_other_machines(self):
        """As the source has them; what becomes of them there tests/unit/observe/test_metrics.c shows."""
        with open(os.path.join(program.ROOT, "src", "observe", "metrics.c"), encoding="utf-8") as file:
            source = file.read()
        rows = [row for row in markdown.table(PAGE, "metric") if row[0] in NOT_HERE]
        self.assertEqual({name for name, *_ in rows}, NOT_HERE)
        for name, kind, labels, meaning in rows:
            with self.subTest(name):
                self.assertRegex(source, rf'"{name}", "{kind}",\s*"{re.escape(meaning)}"')
                shown = re.search(rf'PREFIX "{name}{{(.*?)}} ', source)[1]
                self.assertEqual(labels, ", ".join(re.findall(r"(\w+)=", shown)))

    def test_alerts_name_metrics_that_there_are(self):
        documented = {row[0] for row in markdown.table(PAGE, "metric")}
        named = set(re.findall(r"vxlan_pipeline_(\w+)", markdown.read(PAGE)))
        self.assertGreater(len(named), 4)
        self.assertLessEqual(named - {""}, documented)
        verdicts = re.search(r'verdict=~"([^"]+)"', markdown.read(PAGE))[1].split("\\|")
        self.assertEqual(set(verdicts), {name for _, name, group, _ in
                                         x_macro("PIPELINE_VERDICTS") if group == "ERROR"})

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
