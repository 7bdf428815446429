# SPDX-License-Identifier: GPL-2.0-only
"""docs/operations.md says what the running program says: its metrics, its losses, its health."""

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
