# SPDX-License-Identifier: GPL-2.0-only
"""The tables of the documentation say what the program says; its examples load."""

import glob
import json
import os
import re
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
from lists import x_macro
from lib import keys, program

# A configuration that has every key that no default stands for.
MINIMAL = "listen: {interface: ens5}\n"


def config_program(*arguments, text):
    with program.Workspace() as work:
        path = work.file("config.yaml", text)
        return subprocess.run([program.PROGRAM, "config", *arguments, "-c", path],
                              capture_output=True, text=True, check=False)


class Verdicts(unittest.TestCase):
    def test_verdicts_classes_and_meanings(self):
        documented = [tuple(row[:3]) for row in markdown.table("docs/verdicts.md", "verdict")]
        defined = [(name, group.lower(), meaning)
                   for _, name, group, meaning in x_macro("PIPELINE_VERDICTS")]
        self.assertGreater(len(defined), 10)
        self.assertEqual(documented, defined)

    def test_events_and_meanings(self):
        documented = [tuple(row) for row in markdown.table("docs/verdicts.md", "event")]
        defined = [(name, meaning) for _, name, meaning in x_macro("PIPELINE_EVENTS")]
        self.assertGreater(len(defined), 4)
        self.assertEqual(documented, defined)

    def test_counters_and_meanings(self):
        documented = [tuple(row) for row in markdown.table("docs/verdicts.md", "counter")]
        self.assertEqual(documented, x_macro("STATS_COUNTERS", "src/observe/stats.h"))

    def test_sums_name_the_verdicts_of_their_class(self):
        rows = dict(row for row in markdown.table("docs/verdicts.md", "counter"))
        for counter, group in (("forwarded", "FORWARDED"), ("errors", "ERROR")):
            for _, name, its, _ in x_macro("PIPELINE_VERDICTS"):
                self.assertEqual(re.search(rf"\b{name}\b", rows[counter]) is not None,
                                 its == group, f"{counter}: {name}")


class Checks(unittest.TestCase):
    def test_checks_and_what_they_find(self):
        documented = [tuple(row[:2]) for row in markdown.table("docs/check.md", "check")]
        defined = x_macro("CHECKS", "src/check/check.h")
        self.assertGreater(len(defined), 20)
        self.assertEqual(documented, defined)


class Tuning(unittest.TestCase):
    """Every value that tune plans for a host where all is to be done stands in the table."""

    RULES = 'nat: [{match: {source_port: 1}, to: "10.0.0.9"}, {match: {vni: 1}, to: "fd00::9"}]\n'

    def planned(self):
        facts = os.path.join(program.ROOT, "tests", "unit", "check", "facts", "ena-fresh.json")
        with open(facts, encoding="utf-8") as file:
            host = json.load(file)
        host["listen"].update(rx_usecs=1000, force_forwarding6=0)
        with program.Workspace() as work:
            config = work.file("config.yaml", "listen: {interface: ens5}\n"
                                              "forward: {interface: ens6}\n" + self.RULES)
            result = subprocess.run(
                [program.PROGRAM, "tune", "-c", config, "--dry-run", "--json", "--facts",
                 work.file("facts.json", json.dumps(host))],
                capture_output=True, text=True, check=True)
        for item in json.loads(result.stdout)["settings"]:
            name = re.sub(r"ens[56]", "INTERFACE", item["setting"])
            yield re.sub(r"cpu\[0-9\]\*", "cpuN", re.sub(r"state\d", "stateM", name))

    def test_every_value_is_documented(self):
        names = {name for row in markdown.table("docs/tuning.md", "value")
                 for name in re.findall(r"`([^`]+)`", row[0]) or [row[0]]}
        for short, full in (("…/INTERFACE/rp_filter", "net/ipv4/conf/INTERFACE/rp_filter"),
                            ("…/INTERFACE/send_redirects",
                             "net/ipv4/conf/INTERFACE/send_redirects")):
            names.remove(short)
            names.add(full)
        self.assertEqual(set(self.planned()), names)


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()
        cls.rows = markdown.table("docs/configuration.md", "key")
        cls.full = next(markdown.blocks("docs/configuration.md", "yaml"))[1]

    def show(self, text):
        result = config_program("show", text=text)
        self.assertEqual(result.returncode, 0, result.stderr)
        return yaml.safe_load(result.stdout)

    def test_every_key_is_documented(self):
        shown = keys.said(self.show(self.full))
        documented = {row[0] for row in self.rows}
        # A rule shows the keys it has.
        rule_keys = {key for key in documented if key.startswith("nat[]")}
        self.assertEqual(shown - rule_keys, documented - rule_keys)
        self.assertLessEqual({key for key in shown if key.startswith("nat")}, rule_keys)

    def test_what_claims_to_have_every_key_has(self):
        everything = yaml.safe_load(markdown.read("docs/examples/everything.yaml"))
        for name, config in (("docs/configuration.md", yaml.safe_load(self.full)),
                             ("docs/examples/everything.yaml", everything)):
            with self.subTest(name):
                self.assertEqual(keys.said(config), keys.with_values())

    def test_defaults(self):
        shown = keys.flatten(self.show(MINIMAL))
        for key, default, *_ in self.rows:
            if key.startswith("nat[]") or default == "required":
                continue
            expected = shown["listen.interface"] if default == "listen.interface" else \
                yaml.safe_load(default)
            with self.subTest(key):
                self.assertEqual(shown[key], expected)

    def test_a_key_that_is_not_documented_is_unknown(self):
        result = config_program("check", text=MINIMAL + "forward: {ttl: 3}\n")
        self.assertEqual(result.returncode, 2)
        self.assertIn("forward.ttl", result.stderr)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()

    def examples(self):
        for path in sorted(glob.glob(os.path.join(program.ROOT, "docs", "examples", "*.yaml"))):
            with open(path, encoding="utf-8") as file:
                yield os.path.relpath(path, program.ROOT), file.read()
        for page in markdown.PAGES:
            for number, text in markdown.blocks(page, "yaml"):
                whole = text if re.search(r"^listen:", text, re.M) else MINIMAL + text
                yield f"{page}:{number}", whole
        path = os.path.join(program.ROOT, "tests", "demo", "config.yaml")
        with open(path, encoding="utf-8") as file:
            yield "tests/demo/config.yaml", file.read()

    def test_every_example_loads_and_shows_itself_unchanged(self):
        count = 0
        for name, text in self.examples():
            count += 1
            with self.subTest(name):
                checked = config_program("check", text=text)
                self.assertEqual(checked.returncode, 0, checked.stderr)
                shown = config_program("show", text=text).stdout
                self.assertEqual(config_program("show", text=shown).stdout, shown)
        self.assertGreater(count, 3)


if __name__ == "__main__":
    unittest.main()
