# SPDX-License-Identifier: GPL-2.0-only
"""The README is true: each command line works, in order, with the configuration it shows."""

import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
import session
from lib import frames, program

# The packet of the README's picture, and one of another flow.
PRODUCTION, PEER = "10.2.41.20", "10.2.41.30"
CAPTURE = [
    frames.tunnel(frames.inner(frames.udp(PRODUCTION, PEER, port, 31765, bytes(2824), df=True)),
                  source=PRODUCTION)
    for port in (42844, 42845)]


class Readme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.lines = list(markdown.commands("README.md"))
        cls.work = program.Workspace()
        directory = cls.work.__enter__().path
        cls.addClassCleanup(cls.work.__exit__)
        cls.work.file("config.yaml", next(markdown.blocks("README.md", "yaml"))[1])
        frames.write_pcap(os.path.join(directory, "capture.pcap"), CAPTURE)
        commands = [re.sub(r"^sudo ", "", line) for _, line in cls.lines]
        cls.results = session.run(directory, commands)

    def test_every_command_line_works(self):
        self.assertGreater(len(self.lines), 10, "the README shows its commands in ```sh blocks")
        places = [f"README.md:{number}" for number, _ in self.lines]
        for place, result in zip(places + ["README.md"] * len(self.results), self.results):
            with self.subTest(f"{place}: {result['command']}"):
                self.assertEqual(result["status"], 0, result["output"])

    def output(self, command):
        return next(item["output"] for item in self.results if item["command"] == command)

    def test_the_capture_leaves_rewritten(self):
        explained = self.output("vxlan-pipeline explain capture.pcap")
        self.assertIn("10.2.41.17", explained, "the rule of the README applies")
        self.assertIn("unmatched", explained, "and only to its own flow")
        leaving = os.path.join(self.work.path, "leaving.pcap")
        self.assertGreater(os.path.getsize(leaving), 24 + 2824, "one packet left")

    def test_the_numbers_are_those_of_the_documentation(self):
        stats = json.loads(self.output("vxlan-pipeline stats --json"))
        for kind in ("counter", "verdict"):
            documented = [row[0] for row in markdown.table("docs/verdicts.md", kind)]
            self.assertEqual(sorted(stats[f"{kind}s"]), sorted(documented))

    def test_every_subcommand_is_said_in_help(self):
        text = subprocess.run([program.PROGRAM, "--help"], capture_output=True, text=True,
                              check=False).stdout
        for _, line in self.lines:
            match = re.search(r"vxlan-pipeline ([a-z]+)", line)
            if match:
                self.assertIn(match[1], text)


class Building(unittest.TestCase):
    def test_every_library_is_named_wherever_it_is_asked_for(self):
        """What the Makefile links with: to who builds by hand, and to both package builds."""
        linked = re.search(r"^PKGS +:= (.+)$", markdown.read("Makefile"), re.M)[1].split()
        packages = dict((name, (debian, fedora)) for name, debian, fedora in re.findall(
            r"^library:(\S+) +(\S+) +(\S+)$", markdown.read(".ci/deps"), re.M))
        self.assertGreater(len(linked), 5)
        for name in linked:
            debian, fedora = packages[name]
            for page, package in (("README.md", fedora), ("rpm/vxlan-pipeline.spec.in", fedora),
                                  ("debian/control", debian)):
                with self.subTest(f"{page}: {package}"):
                    self.assertRegex(markdown.read(page), rf"(?m)(^|[ `]){package}([ `,.]|$)")


class Links(unittest.TestCase):
    def test_lines_are_short_enough_for_a_package(self):
        """lintian complains of lines of more than 512 characters in the sources."""
        for page in markdown.PAGES:
            with self.subTest(page):
                self.assertEqual([line for line in markdown.read(page).splitlines()
                                  if len(line.encode()) > 512], [])

    def test_every_link_leads_somewhere(self):
        for page in markdown.PAGES:
            for target in re.findall(r"\]\(([^)#:]+)\)", markdown.read(page)):
                with self.subTest(f"{page}: {target}"):
                    path = os.path.join(program.ROOT, os.path.dirname(page), target)
                    self.assertTrue(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
