# SPDX-License-Identifier: GPL-2.0-only
"""dist/kubernetes/ as kubectl and helm render it, and Kubernetes' own types to hold it to."""

import json
import os
import re
import subprocess
import unittest

import yaml

from lib import program
from lib.command import run
from lib.program import PATIENCE

NODE = os.path.join(program.ROOT, "build", "containers", "node")
DIST = os.path.join(program.ROOT, "dist", "kubernetes")
CHART = os.path.join(DIST, "chart")
MODULES = {"v1": "v1", "apps/v1": "apps/v1"}  # apiVersion: module of kubernetes-models


def tool(*path):
    """The path of a tool that `make deps-containers` puts below build/."""
    found = os.path.join(NODE, *path)
    if not os.access(found, os.X_OK):
        raise unittest.SkipTest(f"{os.path.basename(found)} is not here: make deps-containers")
    return found


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def kustomized(name):
    return documents(run(tool("bin", "kubectl", "kubectl"), "kustomize",
                         os.path.join(DIST, name)).stdout)


def helm(*words, **options):
    return run(tool("bin", "helm", "helm"), *words, **options)


def templated(*settings, kubernetes="1.33.0"):
    """The chart with `--set` of these, for a version of Kubernetes."""
    words = [word for setting in settings for word in ("--set", setting)]
    return documents(helm("template", "vxlan-pipeline", CHART, "--namespace", "vxlan-pipeline",
                          "--kube-version", kubernetes, *words).stdout)


def kind(objects, name):
    found, = [one for one in objects if one["kind"] == name]
    return found


def pod_spec(objects):
    return kind(objects, "DaemonSet")["spec"]["template"]["spec"]


def findings(cases):
    """
    `cases`: {name: object}. What TypeScript says of each object as one of Kubernetes' types, in which a
    literal may have no other keys: {name: [finding]}.
    """
    compiler = tool("node_modules", ".bin", "tsc")
    with program.Workspace() as work:
        os.symlink(os.path.join(NODE, "node_modules"), os.path.join(work.path, "node_modules"))
        work.file("package.json", '{"type": "module"}')
        paths = {}
        for number, (name, one) in enumerate(cases.items()):
            file = f"case{number}.ts"
            paths[file] = name
            literal = {key: value for key, value in one.items() if key not in ("apiVersion", "kind")}
            work.file(file, f'import {{ {one["kind"]} }} from "kubernetes-models/{MODULES[one["apiVersion"]]}";\n'
                            f'new {one["kind"]}({json.dumps(literal)});\n')
        said = subprocess.run(
            [compiler, "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target",
             "es2022", "--pretty", "false", "--types", "", *paths], cwd=work.path, text=True,
            capture_output=True, check=False, timeout=120 * PATIENCE)
    found = {name: [] for name in cases}
    for line in said.stdout.splitlines():
        match = re.match(r"(case\d+\.ts)\(\d+,\d+\): error (.*)", line)
        if match:
            found[paths[match[1]]].append(match[2])
    if said.returncode and not any(found.values()):
        raise AssertionError(said.stdout + said.stderr)
    return found
