# SPDX-License-Identifier: GPL-2.0-only
"""The keys of the configuration: which the program knows, and which a file says."""

import subprocess

from . import program


def known():
    """(path, what it takes) of every key, in the order of `config keys`."""
    said = subprocess.run([program.PROGRAM, "config", "keys"], capture_output=True, text=True,
                          check=True).stdout.splitlines()
    return [(head.split(":")[0], takes.strip()) for head, takes in zip(said[::2], said[1::2])]


def with_values():
    """The paths of the keys that a value belongs to, or a list of values."""
    return {path for path, takes in known() if not path.endswith("[]")
            and not takes.startswith(("a mapping", "a list of rules"))}


def flatten(value, path=""):
    """{forward: {mtu: 1500}} becomes {"forward.mtu": 1500}."""
    if isinstance(value, dict):
        result = {}
        for key, item in value.items():
            result.update(flatten(item, f"{path}.{key}" if path else key))
        return result
    return {path: value}


def said(config):
    """The paths of the keys that a configuration says; those of all rules together."""
    paths = flatten(config)
    for rule in paths.pop("nat", None) or []:
        paths.update(flatten(rule, "nat[]"))
    return set(paths)
