# SPDX-License-Identifier: GPL-2.0-only
"""The check of rooms (.ci/rooms) finds what it is for: planted in a copy of the sources."""

import os
import shutil
import subprocess
import tempfile
import unittest

from lib import program


class Rooms(unittest.TestCase):
    def setUp(self):
        self.tree = tempfile.mkdtemp(prefix="rooms-")
        self.addCleanup(shutil.rmtree, self.tree)
        for name in ("src", ".ci"):
            shutil.copytree(os.path.join(program.ROOT, name), os.path.join(self.tree, name))
        os.mkdir(os.path.join(self.tree, "docs"))
        shutil.copy(os.path.join(program.ROOT, "docs", "architecture.md"),
                    os.path.join(self.tree, "docs"))
        shutil.copytree(os.path.join(program.ROOT, "build", "src"),
                        os.path.join(self.tree, "build", "src"))

    def check(self, status):
        done = subprocess.run([os.path.join(self.tree, ".ci", "rooms")], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr.splitlines()

    def plant(self, path, text):
        """Appends to a file of the copy; returns the number of its last line."""
        with open(os.path.join(self.tree, path), "a+", encoding="utf-8") as file:
            file.write(text)
            file.seek(0)
            return len(file.readlines())

    def compile(self, path):
        subprocess.run(["gcc", "-c", "-o", os.path.join("build", path[:-2] + ".o"), path],
                       cwd=self.tree, check=True)

    def test_the_sources_are_clean(self):
        self.assertEqual(self.check(0), [])

    def test_an_upward_include_is_named_with_its_line(self):
        line = self.plant("src/base/addr.h", '#include "daemon/daemon.h"\n')
        self.assertEqual(self.check(1), [f"src/base/addr.h:{line}: base/ may not include daemon/"])

    def test_a_sideways_include_that_no_row_names(self):
        line = self.plant("src/rules/rule_tables.c", '#include "instance/instance.h"\n')
        self.assertEqual(self.check(1),
                         [f"src/rules/rule_tables.c:{line}: rules/ may not include instance/"])

    def test_a_circle_of_files_is_named_link_by_link(self):
        for one, other in (("alpha", "beta"), ("beta", "gamma"), ("gamma", "alpha")):
            path = f"src/net/planted_{one}.c"
            self.plant(path, f"void planted_{other}(void);\n"
                             f"void planted_{one}(void)\n{{\n\tplanted_{other}();\n}}\n")
            self.compile(path)
        self.assertEqual(self.check(1), [
            "src/net/planted_alpha.c:1: planted_beta() of src/net/planted_beta.c "
            "closes a circle of files",
            "src/net/planted_beta.c:1: planted_gamma() of src/net/planted_gamma.c "
            "closes a circle of files",
            "src/net/planted_gamma.c:1: planted_alpha() of src/net/planted_alpha.c "
            "closes a circle of files"])

    def test_a_row_that_names_a_folder_below_it(self):
        path = os.path.join(self.tree, "docs", "architecture.md")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        row = next(line for line in text.splitlines() if line.startswith("| `rules/`"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(row, row.replace("| config |", "| config, daemon |")))
        found = self.check(1)
        line = text.splitlines().index(row) + 1
        self.assertEqual(found, [f"docs/architecture.md:{line}: rules/ includes daemon/, whose row "
                                 "is not above it"])

    def test_a_file_in_no_room(self):
        self.plant("src/stray.c", "int stray;\n")
        os.mkdir(os.path.join(self.tree, "src", "attic"))
        self.plant("src/attic/old.c", "int old;\n")
        self.assertEqual(self.check(1),
                         ["src/attic/old.c:1: attic is no room of docs/architecture.md",
                          "src/stray.c:1: stray.c is no room of docs/architecture.md"])

    def test_no_objects_are_no_clean_bill(self):
        shutil.rmtree(os.path.join(self.tree, "build"))
        self.assertEqual(len(self.check(1)), 1)


if __name__ == "__main__":
    unittest.main()
