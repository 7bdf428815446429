# SPDX-License-Identifier: GPL-2.0-only
"""What the tests need of the manual pages, read from their mdoc source."""

import glob
import os
import re

from lib import program

DIRECTORY = os.path.join(program.ROOT, "docs", "man")
NAMES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(DIRECTORY, "*.[58]")))


def read(name):
    """The lines of a page; of what it is a link to, if it is one."""
    with open(os.path.join(DIRECTORY, name), encoding="utf-8") as file:
        lines = file.read().splitlines()
    link = re.fullmatch(r"\.so man[58]/(\S+)", lines[0])
    return read(link[1]) if link else lines


def sections(lines, macro="Sh"):
    """{title: lines} of the sections, or with "Ss" of the subsections."""
    result, title = {}, None
    for line in lines:
        if line.startswith(f".{macro} "):
            title = line[4:]
            result[title] = []
        elif title is not None:
            if macro == "Ss" and line.startswith(".Sh "):
                title = None
            else:
                result[title].append(line)
    return result


def options(lines):
    """The list entries that describe options, as helptext.options() has them."""
    result = {}
    for line in lines:
        if not line.startswith(".It Fl "):
            continue
        words = line.replace(" Ns = Ns ", " ").split()[1:]
        names = ["-" + words[i + 1] for i, word in enumerate(words) if word == "Fl"]
        argument = words[words.index("Ar") + 1] if "Ar" in words else ""
        short, long = names if len(names) == 2 else ("", names[0])
        result[long] = (short, argument)
    return result


def synopses(lines):
    """{command: (names of the options in its synopsis, whether it leaves out some)}"""
    result = {}
    blocks = re.split(r"^\.Nm ?", "\n".join(sections(lines)["SYNOPSIS"]), flags=re.M)
    for block in blocks[1:]:
        head = re.match(r"vxlan-pipeline Cm ([a-z ]+)$", block, re.M)
        if not head:
            continue
        known, open_ended = result.get(head[1], (set(), False))
        names = {f"-{name}" for name in re.findall(r"\bFl (\S+)", block)}
        result[head[1]] = (known | names, open_ended or "Ar options" in block)
    return result


def entries(lines):
    """(head, first line of the text) of each list entry whose head is a keyword or a number."""
    for line, following in zip(lines, lines[1:]):
        head = re.match(r"\.It (?:(?:Ic|Cm|Ev|Dv|Pa) )?(.*)", line)
        if head and not line.startswith(".It Fl"):
            yield head[1], following


def literals(lines):
    """The displayed blocks, each as one text."""
    display = re.compile(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed|^\.Dl ([^\n]*)$", re.M | re.S)
    for match in display.finditer("\n".join(lines)):
        yield (match[1] or match[2] or "").replace("\\e", "\\")
