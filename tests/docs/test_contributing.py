# SPDX-License-Identifier: GPL-2.0-only
"""CONTRIBUTING.md names files, functions, lists and targets that there are."""

import glob
import os
import re
import subprocess
import sys
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


if __name__ == "__main__":
    unittest.main()
