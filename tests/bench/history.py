# SPDX-License-Identifier: GPL-2.0-only
"""
What earlier runs measured: history.jsonl has a line of JSON for each run, the newest last. The file
is replaced as a whole, so that a run which is interrupted leaves it as it was.
"""

import fcntl
import json
import os
import subprocess

from lib import program

NAME = "history.jsonl"
KEPT = 500  # lines, of some 4 KB
SHOWN = 60  # runs on the page
MAIN = ("least_98", "least_1400", "above_least", "fragmenting_least", "cut", "rules_65536",
        "rules_65536_all", "shapes", "everything", "cores", "p99_bare", "rss_1", "rss_65536")


def describe():
    """What git calls the state of the sources, or None: the program may come from elsewhere."""
    if not program.PROGRAM.startswith(program.ROOT + os.sep):
        return None
    try:  # the sources may belong to another user than root
        said = subprocess.run(["git", "-c", "safe.directory=*", "-C", program.ROOT, "describe",
                               "--tags", "--always", "--dirty"],
                              capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() or None


def line_of(document):
    kept = {key: document[key] for key in ("when", "version", "git", "quick", "seconds", "machine",
                                           "against")}
    return {**kept, "figures": {
        name: {key: round(figure[key], 4) for key in ("median", "min", "max")}
        for name, figure in document["figures"].items()}}


def read(directory):
    """The runs, oldest first. Lines that no run wrote are left out: somebody edited the file."""
    runs = []
    try:
        with open(os.path.join(directory, NAME), encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    runs.append(json.loads(line))
                except ValueError:
                    continue
    except FileNotFoundError:
        pass
    return [run for run in runs if isinstance(run, dict) and "when" in run and
            all(isinstance(run.get(key), dict) for key in ("figures", "machine"))]


def append(directory, document):
    """Adds the run, and returns what the page shows of its predecessors and itself."""
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runs = (read(directory) + [line_of(document)])[-KEPT:]
        replace(os.path.join(directory, NAME), runs)
    finally:
        os.close(lock)
    return shown(runs, document["machine"]["cpu"])


def replace(path, runs):
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            for run in runs:
                file.write(json.dumps(run, separators=(",", ":")) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
    except BaseException:
        if os.path.exists(f"{path}.new"):
            os.unlink(f"{path}.new")
        raise


def shown(runs, cpu):
    """Of runs that measured in earnest, on machines like this one: the main figures."""
    answer = []
    for run in runs:
        figures = {name: value for name, value in run["figures"].items() if name in MAIN}
        if figures and not run.get("quick") and run["machine"].get("cpu") == cpu:
            answer.append({"when": run["when"], "version": run.get("version"),
                           "git": run.get("git"), "figures": figures})
    return answer[-SHOWN:]
