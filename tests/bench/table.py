# SPDX-License-Identifier: GPL-2.0-only
"""The figures on a terminal."""

import os
import sys

from goals import GOALS, SECTIONS, verdict

COLOURS = {"aim": "\x1b[32m", "ok": "\x1b[32m", "short": "\x1b[31m", "told": "\x1b[2m"}
WORDS = {"aim": "ok, aim met", "ok": "ok", "short": "SHORT", "told": ""}


def number(value):
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.3f}" if abs(value) < 1.5 else \
        f"{value:.2f}"


def goal_text(goal):
    return "" if goal.must is None else f"{number(goal.must)} / {number(goal.aim)}"


def show(figures, notes, stream=sys.stdout):
    colour = stream.isatty() and "NO_COLOR" not in os.environ
    print(f"{'':66}{'must / aim':>14}  {'median':>8} {'[middle half]':^18}", file=stream)
    for section, goals in GOALS.items():
        rows = [(goal, figures[name]) for name, goal in goals.items() if name in figures]
        if rows:
            print(f"\n{SECTIONS[section]}", file=stream)
        for goal, value in rows:
            how = verdict(goal, value["median"])
            between = f"[{number(value['low'])}..{number(value['high'])}]"
            word = f"{COLOURS[how]}{WORDS[how]}\x1b[0m" if colour else WORDS[how]
            print(f"  {goal.title:63} {goal_text(goal):>14}  {number(value['median']):>8} "
                  f"{between:^18} {goal.unit:8}{word}".rstrip(), file=stream)
    for note in notes:
        print(f"note: {note}", file=stream)
