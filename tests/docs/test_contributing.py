# SPDX-License-Identifier: GPL-2.0-only
"""CONTRIBUTING.md names files, functions, lists and targets that there are; `make` without its tools."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
from lib import program

PAGE = "CONTRIBUTING.md"
# What a reader puts in: a name, a folder, a file.
OPEN = re.compile(r"NAME|FOLDER")


def sources():
    """The text of every source file of the program and its tests."""
    for folder in ("bpf", "src", "tests"):
        for path in glob.glob(os.path.join(program.ROOT, folder, "**", "*.[chp]*"), recursive=True):
            if path.endswith((".c", ".h", ".py")) and "__pycache__" not in path:
                with open(path, encoding="utf-8") as file:
                    yield file.read()


class Contributing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.words = set(re.findall(r"`([^`]+)`", markdown.read(PAGE)))

    def named(self, pattern):
        found = {word for word in self.words if re.fullmatch(pattern, word)}
        self.assertGreater(len(found), 3, pattern)
        return found

    def test_files(self):
        for name in self.named(r"[\w.-]+/[\w./-]*"):
            pattern = os.path.join(program.ROOT, OPEN.sub("*", name))
            with self.subTest(name):
                self.assertTrue(glob.glob(pattern))

    def test_functions_and_lists(self):
        text = "\n".join(sources())
        for name in self.named(r"\w+\(\)") | self.named(r"[A-Z]+(?:_[A-Z]+)*") | \
                self.named(r"(?:struct |enum )?_?[a-z]+(?:_[a-z]+)+_?"):
            if OPEN.search(name):
                continue
            with self.subTest(name):
                word = re.escape(name.removesuffix("()"))
                self.assertIsNotNone(re.search(rf"\b{word}\b", text), "it is in no source")

    def test_targets(self):
        said = subprocess.run(["make", "-s", "help"], cwd=program.ROOT, capture_output=True,
                              text=True, check=True).stdout
        known = set(re.findall(r"^\S+", said, re.M))
        makefiles = "\n".join(markdown.read(os.path.relpath(path, program.ROOT)) for path in
                              glob.glob(os.path.join(program.ROOT, "tests", "*", "*.mk")))
        targets = set(re.findall(r"\bmake ([a-z-]+)", " ".join(self.words)))
        self.assertGreater(len(targets), 4)
        for target in targets - {"tidy-src"}:
            with self.subTest(target):
                self.assertTrue(target in known or f"\n{target}: " in makefiles)


class Make(unittest.TestCase):
    """`make` says what to do where it cannot build."""

    @staticmethod
    def refusal(*words, without=()):
        result = subprocess.run([*without, "make", "-s", "ready", *words], cwd=program.ROOT,
                                capture_output=True, text=True, check=False)
        return result.stderr if result.returncode else "it builds"

    def test_missing(self):
        for word, named in (("CC=no-such-cc -m64", "no-such-cc is"),
                            ("CLANG=no-such-clang", "no-such-clang is"),
                            ("BPFTOOL=/no/bpftool", "/no/bpftool is"),
                            ("PKGS=libbpf no-such-library", "a library is")):
            with self.subTest(word):
                said = self.refusal(word)
                self.assertIn(f"make: {named} not installed", said)
                self.assertIn("sudo make deps", said)
        self.assertEqual(self.refusal(), "it builds")

    def test_built_by_another(self):
        # what root may do although the files are another user's
        without = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "build")
            os.makedirs(os.path.join(path, "src", "base"))
            built = os.path.join(path, "src", "base", "addr.o")
            with open(built, "wb"):
                pass
            os.chmod(directory, 0o755)
            self.assertEqual(self.refusal(f"BUILD={path}", without=without), "it builds")
            for named in (built, path):
                with self.subTest(named):
                    os.chown(named, 65534, 65534)
                    said = self.refusal(f"BUILD={path}", without=without)
                    self.assertIn(f"make: {named} belongs to nobody", said)
                    self.assertIn("sudo make clean", said)
                    said = self.refusal("bench", f"BUILD={path}", without=without)
                    self.assertIn("run it as root: sudo make bench", said)
                    self.assertNotIn("clean", said)


if __name__ == "__main__":
    unittest.main()
