# SPDX-License-Identifier: GPL-2.0-only
"""The dashboards of dist/grafana: their panels and expressions, and what Grafana puts into these."""

import importlib.util
import json
import os

from lib import program

FOLDER = os.path.join(program.ROOT, "dist", "grafana")
MODULES = os.path.join(program.ROOT, "build", "watching", "node_modules")
NAMES = ("fleet.json", "appliance.json")


def text(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def load(name):
    return json.loads(text(name))


def made():
    """What the tables make: {name: text}"""
    spec = importlib.util.spec_from_file_location("dashboards", os.path.join(FOLDER, "dashboards.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: module.written(name) for name in module.DASHBOARDS}


def panels(dashboard):
    """Every panel that is no row, also those in collapsed rows."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", ())


def targets(dashboard):
    """(panel, target) of every query; of the annotations with None as the panel."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel, target
    for annotation in dashboard["annotations"]["list"]:
        yield None, annotation["target"]


def filled_in(expression, interval="10s"):
    """The expression as Grafana sends it, of all appliances."""
    return expression.replace("$__rate_interval", interval).replace("$job", ".+").replace("$instance", ".+")
