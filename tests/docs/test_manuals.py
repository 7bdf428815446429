# SPDX-License-Identifier: GPL-2.0-only
"""The manual pages say what the program says: commands, options, keys, verdicts, statuses."""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import helptext
import lists
import markdown
import mdoc
from lib import keys, program

COMMON = ["--help", "--version"]
# Read by libsystemd on the program's behalf.
LIBRARY_ENVIRONMENT = {"NOTIFY_SOCKET", "WATCHDOG_USEC"}


def page_of(command):
    return f"vxlan-pipeline-{command[0]}.8"


def options_of(page, command):
    """Those of the command's own subsection, if it has one, and those of OPTIONS."""
    lines = mdoc.read(page)
    own = mdoc.sections(lines, "Ss").get(" ".join(command), [])
    return mdoc.options(own) | mdoc.options(mdoc.sections(lines)["OPTIONS"])


def command_lines(text):
    """(words of the command, its options) of each call of the program in a text."""
    text = text.replace("\\\n", " ")
    for call in re.findall(r"(?<![\w./-])(vxlan-pipeline +[a-z].*|vxlan_loader +-.*)", text):
        words = re.split(r"\s*(?:[|;>)`]|&&|  #)", call)[0].split()
        names = [("run",)] if words[0] == "vxlan_loader" else [tuple(words[1:3]), tuple(words[1:2])]
        yield names, re.findall(r"(?<=\s)--?[a-zA-Z][a-z-]*", " ".join(words))


def sources():
    text = ""
    for path in sorted(glob.glob(os.path.join(program.ROOT, "src", "*", "*.[ch]"))):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    return text


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()
        cls.commands = list(helptext.commands())

    def test_the_overview_lists_every_command(self):
        listed = [head for head, _ in mdoc.entries(
            mdoc.sections(mdoc.read("vxlan-pipeline.8"))["COMMANDS"])]
        said = helptext.COMMAND.findall(helptext.text())
        self.assertGreater(len(said), 7)
        self.assertEqual(sorted(listed), sorted(said))

    def test_every_command_has_a_page_and_every_page_a_command(self):
        pages = {page_of(command) for command in self.commands}
        self.assertEqual(set(mdoc.NAMES), pages | {
            "vxlan-pipeline.8", "vxlan-pipeline.yaml.5", "vxlan_loader.8"})
        for command in self.commands:
            name = mdoc.sections(mdoc.read(page_of(command)))["NAME"]
            with self.subTest(command):
                self.assertIn(page_of(command)[:-2], " ".join(name).split())

    def test_options_are_those_of_help(self):
        for command in self.commands:
            with self.subTest(command):
                said = helptext.options(*command)
                self.assertLessEqual(set(COMMON), set(said))
                self.assertEqual(options_of(page_of(command), command), said)

    def test_the_synopsis_has_the_options(self):
        for command in self.commands:
            with self.subTest(command):
                names, open_ended = mdoc.synopses(mdoc.read(page_of(command)))[" ".join(command)]
                said = helptext.options(*command)
                known = {name for long, (short, _) in said.items() for name in (short, long)}
                self.assertLessEqual(names, known)
                absent = {long for long, (short, _) in said.items()
                          if long not in COMMON and not {short, long} & names}
                self.assertTrue(open_ended or not absent, f"not in the synopsis: {absent}")

    def test_exit_statuses_are_those_of_help(self):
        for page in {page_of(command) for command in self.commands}:
            said = set().union(*(helptext.statuses(*command) for command in self.commands
                                 if page_of(command) == page)) or helptext.statuses()
            listed = {head for head, _ in mdoc.entries(
                mdoc.sections(mdoc.read(page))["EXIT STATUS"])}
            with self.subTest(page):
                self.assertEqual(listed, said)

    def test_bad_usage_ends_with_status_2(self):
        for command in self.commands:
            result = subprocess.run([program.PROGRAM, *command, "--no-such-option"],
                                    capture_output=True, text=True, timeout=20, check=False)
            with self.subTest(command):
                self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)

    def test_what_examples_call_exists(self):
        texts = [(name, text) for name in mdoc.NAMES for text in mdoc.literals(mdoc.read(name))]
        texts += [(page, markdown.read(page)) for page in markdown.PAGES]
        count = 0
        for name, text in texts:
            for names, options in command_lines(text):
                command = next((found for found in names if found in self.commands), None)
                if not command and names[-1] not in {found[:1] for found in self.commands}:
                    continue  # prose
                count += 1
                known = helptext.options(*(command or names[-1]))
                known = {item for long, (short, _) in known.items() for item in (short, long)}
                with self.subTest(f"{name}: {names} {options}"):
                    self.assertLessEqual(set(options), known)
        self.assertGreater(count, 20)


class Lists(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()

    def test_keys_ranges_and_defaults(self):
        # Elements of lists and whole sections are told with what they are part of.
        known = [(key, takes) for key, takes in keys.known()
                 if not key.endswith("[]") and ("." in key or takes != "a mapping")]
        self.assertGreater(len(known), 20)
        lines = mdoc.sections(mdoc.read("vxlan-pipeline.yaml.5"))["DESCRIPTION"]
        listed = [(head, text) for head, text in mdoc.entries(lines) if text[0] != "."]
        self.assertEqual(listed, known)

    def status_list(self, section):
        lines = mdoc.sections(mdoc.read("vxlan-pipeline-status.8"))[section]
        return [tuple(head.split(" Pq ") + [text]) for head, text in mdoc.entries(lines)]

    def test_verdicts(self):
        self.assertEqual(self.status_list("VERDICTS"), [
            (name, group.lower(), meaning)
            for _, name, group, meaning in lists.x_macro("PIPELINE_VERDICTS")])

    def test_counters(self):
        self.assertEqual(self.status_list("COUNTERS"),
                         lists.x_macro("STATS_COUNTERS", "src/observe/stats.h"))

    def test_the_document_of_status(self):
        text = "\n".join(mdoc.read("vxlan-pipeline-status.8"))
        listed = re.findall(r"^\.Ic (\w+)", text.split("The document has")[1].split(".Ss")[0], re.M)
        said = subprocess.run([program.PROGRAM, "status", "--json", "--instance", "nobody"],
                              capture_output=True, text=True, check=False).stdout
        self.assertEqual(listed, list(json.loads(said)))

    def test_places_of_loss(self):
        text = "\n".join(mdoc.read("vxlan-pipeline-status.8"))
        for _, name, _ in lists.x_macro("LOSS_PLACES", "src/observe/loss.h"):
            with self.subTest(name):
                self.assertIn(f"\n.Cm {name}\n", text)

    def test_findings_of_check(self):
        lines = mdoc.sections(mdoc.read("vxlan-pipeline-check.8"))["FINDINGS"]
        self.assertEqual(list(mdoc.entries(lines)), lists.x_macro("CHECKS", "src/check/check.h"))

    def listed(self, section):
        """The heads of the entries of a section, over all pages, as words."""
        return {word for name in mdoc.NAMES
                for head, _ in mdoc.entries(mdoc.sections(mdoc.read(name)).get(section, []))
                for word in head.replace(" , Ev", "").replace(" , Dv", "").split()}

    def test_environment(self):
        text = sources()
        names = dict(re.findall(r'^#define +(\w+) +"(\w+)"', text, re.M))
        read = {argument.strip('"') for argument in re.findall(r'getenv\((\w+|"\w+")\)', text)}
        self.assertEqual(self.listed("ENVIRONMENT"),
                         {names.get(name, name) for name in read} | LIBRARY_ENVIRONMENT)

    def test_signals(self):
        with open(os.path.join(program.ROOT, "src", "daemon", "daemon.c"), encoding="utf-8") as file:
            taken = set(re.findall(r"sigaddset\(&set, (SIG\w+)\)", file.read()))
        self.assertGreater(len(taken), 3)
        self.assertEqual(self.listed("SIGNALS"), taken | {"SIGKILL"})

    def test_places(self):
        listed = " ".join(self.listed("FILES"))
        values = dict(re.findall(r'^#define +(\w+) +(?:INSTANCE_BPFFS +)?"(/[^"]*)"', sources(),
                                 re.M))
        for name in ("COMMAND_CONFIG_DIR", "INSTANCE_PINS", "INSTANCE_RUN", "TUNE_STATE"):
            with self.subTest(name):
                self.assertIn(f"{values[name]}/", listed)

    def test_configurations_load(self):
        blocks = [text for name in mdoc.NAMES for text in mdoc.literals(mdoc.read(name))
                  if text.startswith("listen:")]
        self.assertGreater(len(blocks), 2)
        for text in blocks:
            with self.subTest(text), program.Workspace() as work:
                result = subprocess.run(
                    [program.PROGRAM, "config", "check", "-c", work.file("page.yaml", text)],
                    capture_output=True, text=True, check=False)
                self.assertEqual(result.returncode, 0, result.stderr)


class Installed(unittest.TestCase):
    """In directories man5 and man8, as `make install` lays them down."""

    def test_every_name_is_found(self):
        with tempfile.TemporaryDirectory() as path:
            for name in mdoc.NAMES:
                directory = os.path.join(path, f"man{name[-1]}")
                os.makedirs(directory, exist_ok=True)
                os.symlink(os.path.join(mdoc.DIRECTORY, name), os.path.join(directory, name))
            for name in mdoc.NAMES:
                result = subprocess.run(
                    ["man", "-M", path, name[-1], name[:-2]], capture_output=True, text=True,
                    env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"}, check=False)
                with self.subTest(name):
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertIn(name[:-2], " ".join(result.stdout.split()))


if __name__ == "__main__":
    unittest.main()
