# SPDX-License-Identifier: GPL-2.0-only
"""The templates as they are launched, changes of them, and what cfn-lint says."""

import copy
import functools
import json
import os
import subprocess
import tempfile
import unittest

import yaml

from lib import program

SOURCES = os.path.join(program.ROOT, "cloudformation")
ASSEMBLE = os.path.join(SOURCES, "assemble")
JUDGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "judge.py")
NAMES = [name for name in ("appliance.yaml", "sessions.yaml") if os.path.exists(os.path.join(SOURCES, name))]
GONE = object()  # a value of a change: without the key


class Loader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"}, and its kin."""


def function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".") if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", function)


@functools.cache
def text(name):
    """What `make cloudformation` writes."""
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, name)
        subprocess.run([ASSEMBLE, os.path.join(SOURCES, name), file], check=True, timeout=60)
        with open(file, encoding="utf-8") as stream:
            return stream.read()


def load(name):
    return yaml.load(text(name), Loader)


def changed(template, changes):
    """A copy with other values; {"Resources/Group/Properties/MinSize": 3}, GONE for none. A number indexes a list, + is
    its end."""
    template = copy.deepcopy(template)
    for path, value in changes.items():
        *way, last = path.split("/")
        place = template
        for key in way:
            place = place[int(key) if isinstance(place, list) else key]
        if last == "+":
            place.append(value)
            continue
        last = int(last) if isinstance(place, list) else last
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return template


@functools.cache
def python_with(module):
    """The first python3 of the path that has a module; the test is skipped if none has."""
    places = os.environ.get("PATH", "").split(":") + [os.path.expanduser("~/.pyenv/shims")]
    for place in dict.fromkeys(places):
        python = os.path.join(place, "python3")
        if os.access(python, os.X_OK) and not subprocess.run(
                [python, "-c", f"import {module}"], cwd="/", capture_output=True, check=False, timeout=60).returncode:
            return python
    raise unittest.SkipTest(f"no python3 here has {module}")


def judge(texts, *options):
    """Findings of cfn-lint for each of these texts."""
    done = subprocess.run([python_with("cfnlint"), JUDGE, *options], input=json.dumps(texts), text=True,
                          capture_output=True, check=False, timeout=300)
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return json.loads(done.stdout)
