# SPDX-License-Identifier: GPL-2.0-only
"""The program under test, its configuration files and what `explain` says."""

import json
import os
import re
import shutil
import subprocess
import tempfile

from . import frames

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    os.environ.get("VXLAN_PIPELINE") or os.path.join(ROOT, "build", "vxlan-pipeline"))
# Every wait of the tests is longer by this factor: for slow machines, such as emulated ones.
PATIENCE = float(os.environ.get("TEST_PATIENCE") or 1)

FORWARDED = {"redirected", "transmitted", "fragmented", "passed"}
VERDICTS = FORWARDED | {
    "not_tunnel", "outer_fragment", "source_denied", "malformed", "bad_vxlan", "unknown_vni",
    "inner_not_ip", "truncated", "unmatched", "oversize", "no_route", "error"}


def require_program():
    """Fails rather than skips: the program can be built everywhere."""
    if not os.access(PROGRAM, os.X_OK):
        raise AssertionError(f"{PROGRAM} is not there: build it first, with `make`")


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./_-]*", value) else json.dumps(value)


def _flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _scalar(value)


def to_yaml(config):
    """Writes it like an operator: sections as blocks, a line for each key of a rule."""
    lines = []
    for section, value in config.items():
        if section == "nat":
            lines.append("nat:" if value else "nat: []")
            for rule in value:
                lines.append(f"  - match: {_flow(rule['match'])}")
                lines.append(f"    to: {_scalar(rule['to'])}")
                if "name" in rule:
                    lines.append(f"    name: {_scalar(rule['name'])}")
        elif isinstance(value, dict):
            lines.append(f"{section}:")
            lines += [f"  {key}: {_flow(item)}" for key, item in value.items()]
        else:
            lines.append(f"{section}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def merge(base, *changes):
    """`base` with sections updated key by key; None removes a key."""
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in base.items()}
    for change in changes:
        for section, value in change.items():
            if isinstance(value, dict) and isinstance(result.get(section), dict):
                result[section].update(value)
                result[section] = {k: v for k, v in result[section].items() if v is not None}
            else:
                result[section] = value
    return result


class Workspace:
    """A temporary directory: `with Workspace() as work`."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="vxlan-pipeline-test-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name, text=""):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path


class Explained:
    """One packet of explain's answer."""

    def __init__(self, item):
        self.item = item
        self.number = item["number"]
        self.verdict = item["verdict"]
        self.rule = item.get("rule") or 0
        self.vni = item.get("vni")
        self.events = set(item.get("events", []))
        self.out = [bytes.fromhex(out["hex"]) for out in item.get("out", [])]

    def __repr__(self):
        return json.dumps(self.item)


class Explanation(list):
    """The packets in order, and `.verdicts`."""

    verdicts: dict
    document: dict


def explain(config, packets, timeout=120):
    """Runs `vxlan-pipeline explain` on `packets` (frames as bytes) under `config`."""
    with Workspace() as work:
        capture = os.path.join(work.path, "in.pcap")
        frames.write_pcap(capture, packets)
        path = work.file("config.yaml", to_yaml(config))
        result = subprocess.run([PROGRAM, "explain", "-c", path, capture, "--json"],
                                capture_output=True, text=True, timeout=timeout * PATIENCE,
                                check=False)
        if result.returncode:
            raise AssertionError(f"explain: exit {result.returncode}\n{result.stderr}"
                                 f"{to_yaml(config)}")
        document = json.loads(result.stdout)
    answer = Explanation(Explained(item) for item in document["packets"])
    answer.verdicts = document["verdicts"]
    answer.document = document
    return answer
