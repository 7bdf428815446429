# SPDX-License-Identifier: GPL-2.0-only
"""What the tests need of the documentation: fenced blocks and tables."""

import glob
import os
import re

from lib import program

PAGES = ["README.md", "CONTRIBUTING.md"] + sorted(
    os.path.relpath(path, program.ROOT)
    for path in glob.glob(os.path.join(program.ROOT, "docs", "**", "*.md"), recursive=True))


def read(page):
    with open(os.path.join(program.ROOT, page), encoding="utf-8") as file:
        return file.read()


def blocks(page, language):
    """(line number, text) of every block fenced as ```language."""
    text = read(page)
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 2, match[1]


def commands(page):
    """Every command line of the ```sh blocks, in order, as (line number, command)."""
    for start, text in blocks(page, "sh"):
        for number, line in enumerate(text.splitlines(), start):
            line = re.sub(r"\s+# .*", "", line).strip()
            if line and not line.startswith("#"):
                yield number, line


def table(page, first_column):
    """The rows of all tables whose first column has this heading; code marks are taken off."""
    rows, inside = [], False
    for line in read(page).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == first_column:
            inside = True
        elif inside and not set(line) <= set("|- "):
            rows.append([re.sub(r"^`([^`]*)`$", r"\1", cell) for cell in cells])
    return rows
