# SPDX-License-Identifier: GPL-2.0-only
"""docs/aws.md names parameters, outputs, alarms and commands that there are."""

import importlib.machinery
import importlib.util
import os
import re
import shlex
import unittest

import yaml
from lib import program
from lib.command import run

PAGE = "docs/aws.md"
CLOUDFORMATION = os.path.join(program.ROOT, "cloudformation")


class Loader(yaml.SafeLoader):
    """Takes CloudFormation's short forms for what they hold."""


def _short(loader, _, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    kind = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return kind(node, deep=True)


Loader.add_multi_constructor("!", _short)


def template(name):
    with open(os.path.join(CLOUDFORMATION, f"{name}.yaml"), encoding="utf-8") as stream:
        return yaml.load(stream, Loader)


def page():
    with open(os.path.join(program.ROOT, PAGE), encoding="utf-8") as stream:
        return stream.read()


def commands():
    """Command lines of the page's indented blocks, continued ones joined."""
    text = "\n".join(line[4:] for line in page().splitlines() if line.startswith("    "))
    return re.sub(r"\\\n\s*", " ", text).splitlines()


class Parameters(unittest.TestCase):
    def test_deploy(self):
        deployed = [line for line in commands() if "cloudformation deploy" in line]
        self.assertEqual(len(deployed), 2)
        for line in deployed:
            name = re.search(r"--template-file build/cloudformation/(\w+)\.yaml", line)[1]
            known = template(name)["Parameters"]
            # A command's output may have any form: the words alone are looked at.
            given = re.findall(r"(?<=\s)([A-Z]\w+)=(\S*)", line.split("--parameter-overrides")[1])
            for key, value in given:
                with self.subTest(f"{name}: {key}"):
                    self.assertIn(key, known)
                    pattern = known[key].get("AllowedPattern")
                    if pattern and "$" not in value:
                        self.assertRegex(value, f"^(?:{pattern})$")
            needed = {key for key, about in known.items() if "Default" not in about}
            self.assertLessEqual(needed, {key for key, _ in given})

    def test_names(self):
        """What stands in backquotes and looks like a name of a template is one."""
        names = set()
        for each in ("appliance", "sessions"):
            parts = template(each)
            names |= {*parts["Parameters"], *parts["Resources"], *parts["Outputs"]}
        aws = {"NetworkPacketsSkipMirrorIn", "TreatMissingData"}
        found = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)(?:=[^`]*)?`", page()))
        self.assertGreater(len(found), 15)
        for name in sorted(found - aws):
            with self.subTest(name):
                self.assertIn(name, names)

    def test_outputs(self):
        for name in set(re.findall(r"\$\(out (\w+)\)", page())):
            with self.subTest(name):
                self.assertIn(name, template("appliance")["Outputs"])


class Mirror(unittest.TestCase):
    def test_command_lines(self):
        path = os.path.join(CLOUDFORMATION, "mirror")
        loader = importlib.machinery.SourceFileLoader("mirror", path)
        mirror = importlib.util.module_from_spec(importlib.util.spec_from_loader("mirror", loader))
        loader.exec_module(mirror)
        found = re.findall(r"cloudformation/mirror ([^`#\n]+)", page())
        self.assertGreater(len(found), 3)
        for line in found:
            with self.subTest(line):
                mirror.parse(shlex.split(line))


class Configuration(unittest.TestCase):
    def test_the_configuration_is_right(self):
        program.require_program()
        text = re.search(r"cat > config.yaml << EOF\n(.*?)\n    EOF", page(), re.S)[1]
        text = re.sub("(?m)^    ", "", text).replace("LISTEN_INTERFACE", "ens5").replace(
            "FORWARD_INTERFACE", "ens6")
        with program.Workspace() as work:
            run(program.PROGRAM, "config", "check", "-c", work.file("config.yaml", text))


if __name__ == "__main__":
    unittest.main()
