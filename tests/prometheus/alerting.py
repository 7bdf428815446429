# SPDX-License-Identifier: GPL-2.0-only
"""The rules of dist/prometheus, and what their expressions name."""

import os
import re

import yaml

from lib import program

RULES = os.path.join(program.ROOT, "dist", "prometheus", "vxlan-pipeline.rules.yml")
GROUPS = yaml.safe_load(open(RULES, encoding="utf-8"))["groups"]  # pylint: disable=consider-using-with
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDED = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
EXPRESSIONS = [rule["expr"] for group in GROUPS for rule in group["rules"]]
NAMED = re.compile(r"(?<![\w:])(vxlan_pipeline_\w+|process_\w+|up|\w+:\w+:\w+)(?:{([^}]*)})?(?![\w:(])")


def named(expression):
    """The metrics that an expression names: (name, [labels that it selects by])"""
    for name, labels in NAMED.findall(expression):
        yield name, re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', labels))
