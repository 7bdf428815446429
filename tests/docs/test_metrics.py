# SPDX-License-Identifier: GPL-2.0-only
"""docs/metrics.md says what the running program prints, with a daemon and without."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
from lib import program
from lib.command import wait_for
from lib.watch import Watched

PAGE = "docs/metrics.md"
PREFIX = "vxlan_pipeline_"
# Of ENA, which no machine that tests has; of an instance that is not good.
NOT_HERE = {"conntrack_allowance_available", "condition"}


def families(text):
    """[name without the prefix, type, labels, help] of each family, in order."""
    found = []
    for name, meaning, kind in re.findall(r"# HELP (\w+) (.*)\n# TYPE \1 (\w+)", text):
        sample = name + ("_bucket" if kind == "histogram" else "")
        line = re.search(rf"^{sample}(?:{{(.*?)}})? ", text, re.M)
        labels = ", ".join(re.findall(r'(\w+)="', line[1] or ""))
        found.append([name.removeprefix(PREFIX), kind, labels, meaning])
    return found


def documented():
    """[name, type, labels, meaning] of each row; the release is left out."""
    return [[name, kind, labels, meaning]
            for name, kind, labels, _, meaning in markdown.table(PAGE, "metric")]


class Metrics(Watched):
    def test_every_metric_is_documented(self):
        """Name, type, labels and help text of each, in order."""
        self.start()
        wait_for(self.is_well, 10, "health")
        shown = families(self.get("/metrics").text)
        self.assertGreater(len(shown), 30)
        self.assertEqual([row for row in documented() if row[0] not in NOT_HERE], shown)

    def test_metrics_of_other_machines(self):
        """As the source has them; what becomes of them there tests/unit/observe/test_metrics.c shows."""
        with open(os.path.join(program.ROOT, "src", "observe", "metrics.c"), encoding="utf-8") as file:
            source = file.read()
        rows = [row for row in documented() if row[0] in NOT_HERE]
        self.assertEqual({name for name, *_ in rows}, NOT_HERE)
        for name, kind, labels, meaning in rows:
            with self.subTest(name):
                self.assertRegex(source, rf'"{name}", "{kind}",\s*"{re.escape(meaning)}"')
                shown = re.search(rf'PREFIX "{name}{{(.*?)}} ', source)[1]
                self.assertEqual(labels, ", ".join(re.findall(r"(\w+)=", shown)))


class Names(unittest.TestCase):
    def test_deprecated(self):
        """Each has a row that says what to use instead, as its help text does."""
        said = {}
        for name, _, _, meaning in documented():
            match = re.search(r"deprecated: use (.*)\.$", meaning, re.I)
            if match:
                said[name] = match[1]
        self.assertGreater(len(said), 3)
        rows = {row[0].split("{")[0]: row[1].replace("`", "")
                for row in markdown.table(PAGE, "deprecated")}
        self.assertEqual(rows, said)

    def test_what_is_used_instead_is_there(self):
        names = {PREFIX + name for name, *_ in documented()}
        for old, new, *_ in markdown.table(PAGE, "deprecated"):
            with self.subTest(old):
                self.assertLessEqual(set(re.findall(r"vxlan_pipeline_\w+", new)), names)

    def test_releases(self):
        """No metric is of a release that is yet to come."""
        version = subprocess.run([program.PROGRAM, "--version"], capture_output=True, text=True,
                                 check=True).stdout.split()[-1]
        numbers = [int(part) for part in version.split(".")]
        for name, *_, since, _ in markdown.table(PAGE, "metric"):
            with self.subTest(name):
                self.assertLessEqual([int(part) for part in since.split(".")], numbers)


if __name__ == "__main__":
    unittest.main()
