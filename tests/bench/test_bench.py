# SPDX-License-Identifier: GPL-2.0-only
"""The bench runs and writes its files, and its yardstick is honest. Its figures are not tested."""

import importlib.machinery
import importlib.util
import json
import os
import re
import signal
import subprocess
import time
import unittest
import unittest.mock

from lib import frames, program
from lib.command import need_commands, run

import ground
import history
import measure
import same_bytes
import sections

BENCH = os.path.join(program.ROOT, "tests", "bench", "run")


def setUpModule():
    need_commands("ip", "nft", "tc", "ethtool", "bpftool", "nsenter", "taskset")


class WrongMac(ground.Least):
    """Least with a wrong last byte of the source address."""

    def addresses(self):
        return super().addresses()[:-1] + b"\xee"


class Yardstick(unittest.TestCase):
    def test_least_gives_the_bytes_of_vxlan_pipeline(self):
        same_bytes.check()

    def test_traffic_control_does_too(self):
        same_bytes.check(ground.Tc)

    def test_a_difference_is_noticed(self):
        for other, complaint in ((WrongMac, "frame 1, byte 11: ee"),
                                 (ground.Kernel, "frame 1, byte 22"),
                                 (ground.Redirect, "least forwards")):
            with self.subTest(other.__name__), self.assertRaisesRegex(AssertionError, complaint):
                same_bytes.check(other)

    def test_frames_have_the_checksums_that_matter(self):
        """One without, and one whose corrected checksum is zero."""
        checksums = {frame[90:92] for frame in same_bytes.sent_frames()}
        self.assertIn(bytes(2), checksums)
        frame = same_bytes.checksum_of_zero()
        before, after = frame[80:84] + frame[86:88], frames.address(ground.TARGET) + b"\x1f\x91"
        changed = frames.ones_sum(bytes(255 - byte for byte in frame[90:92]) +
                                  bytes(255 - byte for byte in before) + after)
        self.assertEqual(changed, 0xFFFF)  # whose complement is zero


class Ways(unittest.TestCase):
    """What section `stages` says of a way through the program is of packets that take this way."""

    def test_only_a_frame_with_a_tag_takes_the_stages(self):
        for name, (changes, _, tagged) in sections.ENDS.items():
            with self.subTest(name):
                self.assertEqual(name.split(": ")[0], "stages" if tagged else "usual way")
                # without rules no packet would take the usual way
                self.assertTrue(program.merge(ground.Pipeline.BASE, changes)["nat"])
        usual, tagged = ground.frame(98), ground.frame(98, tagged=True)
        self.assertEqual(usual[12:15].hex(), "080045")  # what usual_outer() wants first
        self.assertEqual(tagged[:12] + tagged[16:], usual)
        self.assertEqual(tagged[12:14].hex(), "8100")

    def test_no_verdict_stands_for_another(self):
        """Each end has the verdict that its name says, or the bench fails."""
        wrong = {**sections.ENDS, "stages: forwarded": ({}, "unmatched", True)}
        with unittest.mock.patch.object(sections, "ENDS", wrong), ground.Scope() as scope, \
                self.assertRaisesRegex(AssertionError, "stages: forwarded: packets end in redirec"):
            sections.stages(measure.Findings(), scope, measure.Pace(quick=True))


class Bench(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)

    def command(self, *sections):
        chosen = [word for section in sections for word in ("--only", section)]
        return [BENCH, "--quick", "--output", self.work.path, *chosen]

    def read(self, name):
        with open(os.path.join(self.work.path, name), encoding="utf-8") as file:
            return file.read()

    def check_figures(self, document, said):
        for name, figure in document["figures"].items():
            with self.subTest(name):
                for less, more in (("min", "low"), ("low", "median"), ("median", "high"),
                                   ("high", "max")):
                    self.assertLessEqual(figure[less], figure[more])
                self.assertIn(figure["verdict"], ("aim", "ok", "short", "told"))
                self.assertIn(figure["title"], said)
                if figure["unit"] != "ns" and name != "lost":  # of two, neither need be the slower
                    self.assertGreater(figure["min"], 0)

    def test_a_quick_look(self):
        result = run(*self.command("throughput", "arms", "stages", "steady", "start"), timeout=120)
        document = json.loads(self.read("bench.json"))
        self.assertTrue(document["quick"])
        self.assertEqual({figure["section"] for figure in document["figures"].values()},
                         {"throughput", "arms", "stages", "steady", "start"})
        self.assertLessEqual({"least_98", "above_least", "fragmenting_least", "bare_98",
                              "p99_bare"}, set(document["figures"]))
        self.check_figures(document, result.stdout)
        self.assertEqual(set(document["series"]), {"throughput", "cost", "arms", "program",
                                                   "latency", "loss", "timing"})
        self.assertEqual(set(document["series"]["program"]),
                         {"least", "bare redirect", *sections.ENDS})
        self.assertIn(os.path.join(self.work.path, "bench.html"), result.stdout)
        self.check_page(document)
        self.check_history(document)

    def check_page(self, document):
        """The page loads nothing and has the same data."""
        page = self.read("bench.html")
        for reference in re.findall(r"https?://[^\"' ]+|src=|<link|@import|url\(", page):
            self.assertEqual(reference, "http://www.w3.org/2000/svg")
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
        self.assertEqual(json.loads(data[1]), document)
        self.assertEqual(re.findall("@[A-Z]+@", page), [])

    def check_history(self, document):
        line, = self.read("history.jsonl").splitlines()
        kept = json.loads(line)
        for key in ("when", "version", "quick", "machine"):
            self.assertEqual(kept[key], document[key])
        for name, figure in document["figures"].items():
            for key in ("median", "min", "max"):
                self.assertAlmostEqual(kept["figures"][name][key], figure[key], places=3)

    def test_against_another_build(self):
        build = os.path.dirname(program.PROGRAM)
        result = run(*self.command("against"), "--against", build, timeout=120)
        document = json.loads(self.read("bench.json"))
        self.assertEqual(document["against"]["path"], program.PROGRAM)
        self.assertEqual(len(document["figures"]), 14)
        self.check_figures(document, result.stdout)
        self.check_page(document)

    def idle_build(self):
        """It says its version, and can do nothing else."""
        other = self.work.file("other", "#!/bin/sh\n"
                               "[ \"$1\" != --version ] || { echo vxlan-pipeline 0.0.1; exit; }\n"
                               "echo moon >&2; exit 1\n")
        os.chmod(other, 0o755)
        return other, f"--against {other} does nothing of all this: moon"

    def test_against_a_build_that_does_nothing(self):
        other, complaint = self.idle_build()
        result = run(*self.command("against"), "--against", other, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines()[-1], f"bench: {complaint}")
        self.assertEqual(os.listdir(self.work.path), ["other"])

    def test_what_was_measured_before_a_failure_is_written(self):
        other, complaint = self.idle_build()
        result = run(*self.command("arms", "against"), "--against", other, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines()[-1], f"bench: {complaint}")
        document = json.loads(self.read("bench.json"))
        self.assertEqual(list(document["figures"]), ["arms"])
        self.assertEqual(document["notes"][-1], f"not everything was measured: {complaint}")
        self.check_page(document)
        self.check_history(document)

    def test_interrupted(self):
        """SIGINT ends the bench soon, with one line. `env` undoes a shell that ignores SIGINT."""
        before = self.work.file("history.jsonl", '{"when": "before"}\n')
        command = ("env", "--default-signal=INT", *self.command("throughput"))
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            time.sleep(2.5)
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(errors.splitlines()[-1], "bench: interrupted")
        self.assertNotIn("Traceback", errors)
        self.assertEqual(os.listdir(self.work.path), [os.path.basename(before)])
        self.assertEqual(self.read("history.jsonl"), '{"when": "before"}\n')

    def test_a_part_does_not_replace_the_whole(self):
        loader = importlib.machinery.SourceFileLoader("bench_run", BENCH)
        module = importlib.util.module_from_spec(
            importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        part = os.path.join(ground.BUILD, "part")
        for words, directory in (([], ground.BUILD), (["--quick"], part), (["--only", "arms"], part),
                                 (["--quick", "--output", "there"], "there")):
            with self.subTest(words):
                self.assertEqual(module.options(words).output, directory)

    def test_refusals(self):
        nothing = os.path.join(self.work.path, "nothing")
        silent = self.work.file("silent", "#!/bin/sh\n")
        os.chmod(silent, 0o755)
        for words, status, complaint in (
                (["--only", "nonsense"], 2, "invalid choice"), (["--nonsense"], 2, "unrecognized"),
                (["--only", "against"], 2, "needs --against"),
                (["--against", nothing], 2, f"bench: --against {nothing}: not there"),
                (["--against", self.work.path], 2, "vxlan-pipeline: not there, or no program"),
                (["--against", __file__], 2, "not there, or no program"),
                (["--against", "/bin/true"], 2, "bench: --against /bin/true: no vxlan-pipeline"),
                (["--against", silent], 2, "says no version"),
                (["--output", f"{silent}/below"], 2,
                 f"bench: --output {silent}/below: Not a directory")):
            with self.subTest(words):
                result = run(BENCH, "--output", nothing, *words, check=False)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertIn(complaint, result.stderr.splitlines()[-1])
                self.assertFalse(os.path.exists(nothing))
                if words[0] in ("--against", "--output"):
                    self.assertEqual(len(result.stderr.splitlines()), 1)


def document_of(number, quick=False, cpu="one", **figure):
    values = {"median": number, "min": number, "max": number, **figure}
    return {"when": f"{number}", "version": "0", "git": None, "quick": quick, "seconds": 1,
            "machine": {"cpu": cpu}, "against": None, "figures": {"least_98": values}}


class History(unittest.TestCase):
    def setUp(self):
        work = program.Workspace().__enter__()
        self.addCleanup(work.__exit__)
        self.path, self.file = work.path, os.path.join(work.path, "history.jsonl")

    def lines(self):
        with open(self.file, encoding="utf-8") as file:
            return file.read().split("\n")

    def test_each_run_is_a_line(self):
        for number in range(3):
            history.append(self.path, document_of(number))
        self.assertEqual([json.loads(line)["when"] for line in self.lines()[:-1]], ["0", "1", "2"])
        self.assertEqual(self.lines()[-1], "")

    def test_the_page_shows_runs_in_earnest_on_such_a_cpu(self):
        for number, words in enumerate(({}, {"quick": True}, {"cpu": "two"}, {})):
            shown = history.append(self.path, document_of(number, **words))
        self.assertEqual([run["when"] for run in shown], ["0", "3"])

    def test_it_does_not_grow_without_end(self):
        with open(self.file, "w", encoding="utf-8") as file:
            for number in range(2 * history.KEPT):
                file.write(json.dumps(document_of(number)) + "\n")
        shown = history.append(self.path, document_of(9999))
        self.assertEqual(len(self.lines()), history.KEPT + 1)
        self.assertEqual(json.loads(self.lines()[-2])["when"], "9999")
        self.assertEqual(len(shown), history.SHOWN)

    def test_what_is_no_run_is_left_out(self):
        with open(self.file, "wb") as file:
            file.write(b'{"when": "half\nnull\n[1]\n{"when": "0", "figures": 5}\n\xff\n')
        self.assertEqual(len(history.append(self.path, document_of(1))), 1)
        self.assertEqual(len(self.lines()), 2)

    def test_a_run_that_fails_leaves_it_as_it_was(self):
        history.append(self.path, document_of(1))
        before = self.lines()
        broken = document_of(2)
        broken["version"] = object()
        self.assertRaises(TypeError, history.append, self.path, broken)
        self.assertEqual(self.lines(), before)
        self.assertEqual(os.listdir(self.path), ["history.jsonl"])
