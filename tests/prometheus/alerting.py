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
OF_A_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")


def named(expression):
    """The metrics that an expression names: (name, [labels that it selects by])"""
    for name, labels in NAMED.findall(expression):
        yield name, re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', labels))


def documented():
    """{name: labels} of the metrics of docs/metrics.md that are not deprecated."""
    with open(os.path.join(program.ROOT, "docs", "metrics.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| \S+ \| (.*) \|$", file.read(), re.M)
    return {(name if name.startswith("process_") else f"vxlan_pipeline_{name}"):
            {"job", "instance", *filter(None, labels.split(", "))}
            for name, _, labels, meaning in rows if not meaning.startswith("Deprecated")} | \
        {"up": {"job", "instance"}}


def unknown(expression, known, recorded=()):
    """What an expression names and there is not: metrics, or labels of metrics."""
    for name, labels in named(expression):
        if name in recorded:
            continue
        of = known.get(name) or known.get(OF_A_HISTOGRAM.sub("", name))
        if of is None:
            yield name
        else:
            yield from (f"{name}{{{label}}}" for label in labels if label not in of)
