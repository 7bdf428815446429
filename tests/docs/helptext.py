# SPDX-License-Identifier: GPL-2.0-only
"""What the program says of itself in --help: its commands and their options."""

import functools
import re
import subprocess

from lib import program

OPTION = re.compile(r"^ +(?:(-\w), )? *(--[a-z-]+)(?:[ =]([A-Z]\S*))?(?:  |$)", re.M)
COMMAND = re.compile(r"^  ([a-z]+)  ", re.M)


@functools.lru_cache(maxsize=None)
def text(*command):
    """The help of a command, given as its words; of none, the overview."""
    result = subprocess.run([program.PROGRAM, *command, "--help"], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=20, check=False)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)} --help: {result.stderr}")
    return result.stdout


def commands():
    """Every command, as a tuple of its words: ("run",), ("config", "check"), ..."""
    for name in COMMAND.findall(text()):
        below = COMMAND.findall(text(name)) if name == "config" else []
        yield from [(name, sub) for sub in below] or [(name,)]


def options(*command):
    """{long name: (short name or "", what its argument is called or "")}"""
    return {long: (short, argument) for short, long, argument in OPTION.findall(text(*command))}


def statuses(*command):
    """The exit statuses that a help text names."""
    said = re.search(r"^Exit status: (.*?)\Z", text(*command), re.M | re.S)
    return set(re.findall(r"\b([0-9])\b", said[1])) if said else set()
