# SPDX-License-Identifier: GPL-2.0-only
"""The bench runs and writes its files. Its figures are not tested."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

from lib import program
from lib.command import need_commands, run

BENCH = os.path.join(program.ROOT, "tests", "bench", "run")


class Bench(unittest.TestCase):
    def setUp(self):
        need_commands("ip", "nft", "tc", "ethtool", "bpftool", "nsenter", "taskset")
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)

    def command(self, *sections):
        chosen = [word for section in sections for word in ("--only", section)]
        return [BENCH, "--quick", "--output", self.work.path, *chosen]

    def read(self, name):
        with open(os.path.join(self.work.path, name), encoding="utf-8") as file:
            return file.read()

    def test_a_quick_look(self):
        result = run(*self.command("throughput", "arms", "steady", "start"), timeout=120)
        document = json.loads(self.read("bench.json"))
        figures = document["figures"]
        self.assertTrue(document["quick"])
        self.assertEqual({figure["section"] for figure in figures.values()},
                         {"throughput", "arms", "steady", "start"})
        for name, figure in figures.items():
            with self.subTest(name):
                self.assertLessEqual(figure["min"], figure["median"])
                self.assertLessEqual(figure["median"], figure["max"])
                self.assertIn(figure["verdict"], ("aim", "ok", "short", "told"))
                self.assertIn(figure["title"], result.stdout)
                if name != "lost":
                    self.assertGreater(figure["min"], 0)
        self.assertEqual(set(document["series"]), {"throughput", "cost", "arms", "latency", "loss",
                                                   "timing"})
        self.check_page(document)

    def check_page(self, document):
        """The page loads nothing and has the same data."""
        page = self.read("bench.html")
        for reference in re.findall(r"https?://[^\"' ]+|src=|<link|@import|url\(", page):
            self.assertEqual(reference, "http://www.w3.org/2000/svg")
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
        self.assertEqual(json.loads(data[1]), document)

    def test_interrupted(self):
        """SIGINT ends the bench soon, with one line. `env` undoes a shell that ignores SIGINT."""
        command = ("env", "--default-signal=INT", *self.command("throughput"))
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            time.sleep(2.5)
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(errors.splitlines()[-1], "bench: interrupted")
        self.assertNotIn("Traceback", errors)

    def test_refusals(self):
        for words, status in ((["--only", "nonsense"], 2), (["--nonsense"], 2)):
            with self.subTest(words):
                self.assertEqual(run(BENCH, *words, check=False).returncode, status)
