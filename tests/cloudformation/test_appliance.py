# SPDX-License-Identifier: GPL-2.0-only
"""The templates: sizes, findings, and the programs in them."""

import ast
import glob
import os
import re
import subprocess
import tempfile
import unittest

import templates
from lib import program


def written(*path):
    with open(os.path.join(templates.SOURCES, *path), encoding="utf-8") as stream:
        return stream.read()


class Templates(unittest.TestCase):
    """Each template as it is launched."""

    def test_without_a_finding(self):
        """Of cfn-lint's own rules and of cloudformation/rules."""
        for name, findings in zip(templates.NAMES, templates.judge([templates.text(n) for n in templates.NAMES])):
            with self.subTest(name):
                self.assertEqual(findings, [])

    def test_fits(self):
        """CloudFormation takes 51,200 bytes without a bucket."""
        for name in templates.NAMES:
            with self.subTest(name):
                self.assertLess(len(templates.text(name).encode()), 51200)

    def test_parameters_are_described_grouped_and_used(self):
        for name in templates.NAMES:
            template = templates.load(name)
            groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
            grouped = [parameter for group in groups for parameter in group["Parameters"]]
            with self.subTest(name):
                self.assertEqual(sorted(grouped), sorted(template["Parameters"]))
                self.assertEqual(len(grouped), len(set(grouped)))
            for parameter, about in template["Parameters"].items():
                with self.subTest(f"{name}: {parameter}"):
                    self.assertRegex(about.get("Description", ""), r"(?s)^.{10,}[.}]$", "a sentence")
                    self.assertRegex(templates.text(name), rf"(?s)Resources:.*\b{parameter}\b|Conditions:.*\b{parameter}\b")
                    if about["Type"] == "String" and "AllowedValues" not in about:
                        pattern = about.get("AllowedPattern")
                        if pattern and "Default" in about:
                            self.assertRegex(about["Default"], f"^(?:{pattern})$")


class Assemble(unittest.TestCase):
    """What becomes of the programs."""

    def test_refusals(self):
        """Too large a template, too large a user data, and a ${ that CloudFormation would misread."""
        rows = (("a template", "Description: include: x\n" + "A: " + "x" * 51200, "", r"has \d+ bytes; the most is 51200"),
                ("user data", "A: !Sub |\n  include: user_data.sh\n", "echo " + "x" * 16000, r"user_data.sh has \d+ bytes"),
                ("nested", "A: !Sub |\n  include: user_data.sh\n", 'echo "${a#"${b}"}"\n', "may not see where this ends"))
        for what, template, script, said in rows:
            with self.subTest(what), tempfile.TemporaryDirectory() as directory:
                for name, content in (("t.yaml", template), ("user_data.sh", script)):
                    with open(os.path.join(directory, name), "w", encoding="utf-8") as stream:
                        stream.write(content)
                done = subprocess.run([templates.ASSEMBLE, os.path.join(directory, "t.yaml"), os.path.join(directory, "out")],
                                      capture_output=True, text=True, check=False, timeout=60)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, said)
                self.assertFalse(os.path.exists(os.path.join(directory, "out")))

    def test_python_means_the_same(self):
        """Inline code is the source file without docstrings."""
        for name in templates.NAMES:
            inline = [resource["Properties"]["Code"]["ZipFile"] for resource in templates.load(name)["Resources"].values()
                      if resource["Type"] == "AWS::Lambda::Function"]
            sources = [strip(written("lambda", os.path.basename(path))) for path in
                       glob.glob(os.path.join(templates.SOURCES, "lambda", "*.py"))]
            for number, code in enumerate(inline):
                with self.subTest(f"{name}: function {number}"):
                    self.assertIn(strip(code), sources)

    def test_user_data_is_a_script_and_a_program(self):
        script = templates.load("appliance.yaml")["Resources"]["Template"]["Properties"]["LaunchTemplateData"][
            "UserData"]["Fn::Base64"]["Fn::Sub"].replace("${!", "${")
        self.assertTrue(script.startswith("#!/bin/bash\n"))
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=60)
        inner = re.search(r"<< 'END_OF_PROGRAM'\n(.*?)\nEND_OF_PROGRAM\n", script, re.S)[1]
        self.assertEqual(strip(inner), strip(written("aws.py")))


def strip(code):
    """A program without what only readers need: docstrings, and which line an import is on."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
            node.body = [one for one in node.body if not isinstance(one, ast.Pass)]
    imports = sorted(alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import)]
    return imports, ast.dump(tree)


class Make(unittest.TestCase):
    def test_make_cloudformation(self):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(["make", "-s", "cloudformation", f"BUILD={directory}"], cwd=program.ROOT, text=True,
                                  capture_output=True, check=True, timeout=120)
            self.assertEqual(sorted(os.listdir(os.path.join(directory, "cloudformation"))), sorted(templates.NAMES))
            self.assertEqual(len(done.stdout.split()), len(templates.NAMES))
