# SPDX-License-Identifier: GPL-2.0-only
"""Another build of vxlan-pipeline, measured in turns with the one under test."""

import os
import subprocess

import ground
from configurations import FRAGMENT, eight_shapes, everything, many_rules
from goals import AGAINST
from ground import Pipeline, Source
from measure import Rates, alternate

LARGE = ("everything", "random")  # tables that take a while to be in the caches
# figure: (configuration, inner size, flows, VNIs, frames that arrive for each packet)
CASES = {
    "one_98": (lambda: {}, 98, 1, 1, 1),
    "one_1400": (lambda: {}, 1400, 1, 1, 1),
    "fragmenting": (lambda: FRAGMENT, 98, 1, 1, 1),
    "cut": (lambda: FRAGMENT, 2852, 1, 1, 2),
    "everything": (everything, 98, 4096, 4096, 1),
    "random": (lambda: many_rules(65536), 98, 65536, 1, 1),
    "shapes": (eight_shapes, 98, 1, 1, 1),
}
SETUPS = 2  # where its maps happen to lie makes one process faster than the next: average that


class NoBuild(Exception):
    """What --against names is no build."""


def find(path):
    """The vxlan-pipeline in `path`, or which `path` itself is, and its version."""
    if os.path.isdir(path):
        path = os.path.join(path, "vxlan-pipeline")
    if not os.access(path, os.X_OK):
        raise NoBuild(f"{path}: not there, or no program")
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10,
                              check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoBuild(f"{path}: {error}") from None
    words = said.stdout.split()
    if said.returncode or len(words) < 2 or words[0] != "vxlan-pipeline":
        reason = (said.stderr or said.stdout).strip().splitlines() or ["says no version"]
        raise NoBuild(f"{path}: no vxlan-pipeline: {reason[0][:200]}")
    return {"path": os.path.abspath(path), "version": words[1]}


def against(findings, scope, pace):
    del scope  # each case has its own, so that few daemons run at a time
    findings.series["against"], last = {}, None
    for name, (configure, size, flows, vnis, frames) in CASES.items():
        rates, title = Rates(("this", "that")), AGAINST[name]
        try:
            for setup in range(1 if pace.quick else SETUPS):
                turns = pace.patient() if name in LARGE else pace
                measure_case(rates, configure(), (size, flows, vnis),
                             (frames, turns, findings, setup))
        except OtherFails as error:
            findings.notes.append(f"against: {title}: {error}")
            last = error
            continue
        findings.figure(f"against_{name}", rates.ratio("this", "that"))
        findings.figure(f"against_{name}_ns", rates.cost("this", "that"))
        findings.series["against"][title] = {build: rates.rate(build) for build in rates.taken}
    if not findings.series["against"]:
        raise AssertionError(f"--against {findings.other['path']} does nothing of all this: {last}")


class OtherFails(Exception):
    """The other build does not do what a case is about."""


def measure_case(rates, changes, traffic, how):
    """Adds the rates of both builds, which are set up anew."""
    frames, pace, findings, setup = how
    with ground.Scope() as scope:
        makers = {"this": lambda: Pipeline(scope, changes),
                  "that": lambda: other(scope, findings.other["path"], changes)}
        chains = {}
        for name in ("this", "that") if setup % 2 == 0 else ("that", "this"):
            chains[name] = makers[name]()
        taken = alternate({name: (Source(chain, *traffic), frames)
                           for name, chain in chains.items()}, pace)
        for name, chain in chains.items():
            rates.taken[name] += taken.taken[name]
            check_verdicts(name, chain)


def other(scope, path, changes):
    try:
        return Pipeline(scope, changes, executable=path)
    except AssertionError as error:
        raise OtherFails(str(error).strip().splitlines()[-1]) from None


def check_verdicts(name, chain):
    verdicts = set(chain.verdicts()) - {"not_tunnel"}
    if len(verdicts) != 1 or not verdicts <= {"redirected", "fragmented"}:
        message = f"packets end in {', '.join(sorted(verdicts))}"
        raise OtherFails(message) if name == "that" else AssertionError(message)
