# SPDX-License-Identifier: GPL-2.0-only
"""The measurements: a function for each section, which fills in figures and a chart's series."""

import signal
import subprocess
import time

from lib import program
from lib.command import wait_for

import ground
from against import SETUPS, against
from configurations import (FRAGMENT, NOTHING_MATCHES, eight_shapes, everything, many_rules,
                            vnis)
from ground import Empty, Least, Pipeline, Redirect, SingleArm, Source
from measure import Rates, alternate, program_times, spread
from ovs import ovs
from steady import end, steady
from throughput import throughput


# ---- rules, shapes, VNIs ----

def rules(findings, scope, pace):
    """
    Compares each configuration with one of one rule, under the same traffic. Everything is set up
    more than once, for the reason that there is for `against`.
    """
    del scope
    taken = {}
    for _ in range(1 if pace.quick else SETUPS):
        with ground.Scope() as scope:
            for name, rates in rules_in_turns(scope, pace.patient()):
                kept = taken.setdefault(name, Rates(rates.taken))
                for contestant, values in rates.taken.items():
                    kept.taken[contestant] += values
    for name, rates in taken.items():
        findings.figure(name, rates.ratio(name, "one"))
    findings.series["rules"] = {"one": taken["rules_1000"].rate("one"),
                                **{name: rates.rate(name) for name, rates in taken.items()}}


def rules_in_turns(scope, pace):
    """Yields the name of each configuration and the rates of it and of one rule."""
    one, many = Pipeline(scope), Pipeline(scope, many_rules(65536))
    cases = (
        ("rules_1000", Pipeline(scope, many_rules(1000)), 1000, 1),
        ("rules_65536", many, 1, 1),
        ("rules_65536_all", many, 65536, 1),
        ("shapes", Pipeline(scope, eight_shapes()), 1, 1),
        ("vnis", Pipeline(scope, vnis(4096)), 1, 4096),
        ("everything", Pipeline(scope, everything()), 4096, 4096),
    )
    for name, chain, flows, numbers in cases:
        pair = {name: (Source(chain, 98, flows, numbers), 1),
                "one": (Source(one, 98, flows, -numbers), 1)}
        yield name, alternate(pair, pace)
        for source, _ in pair.values():
            source.close()
        only = chain.verdicts()
        if set(only) - {"not_tunnel"} != {"redirected"}:
            raise AssertionError(f"{name}: {only}")


# ---- cores, arms ----

def cores(findings, scope, pace):
    cpus = ground.all_cpus()[-2:]
    if len(cpus) < 2:
        findings.notes.append("cores: this machine has one CPU")
        return
    two = {"pipeline": Pipeline(scope, queues=2), "bare": Redirect(scope, queues=2)}
    named = {}
    for name, chain in two.items():
        named[f"{name}, one core"] = (Source(chain, cpus=cpus[-1:]), 1)
        named[f"{name}, two cores"] = (Source(chain, cpus=cpus), 1)
    rates = alternate(named, pace)
    findings.figure("cores", rates.ratio("pipeline, two cores", "pipeline, one core"))
    findings.figure("cores_bare", rates.ratio("bare, two cores", "bare, one core"))
    findings.series["cores"] = {name: rates.rate(name) for name in named}


def arms(findings, scope, pace):
    named = {"two-arm": (Source(Pipeline(scope)), 1), "single-arm": (Source(SingleArm(scope)), 1)}
    rates = alternate(named, pace)
    findings.figure("arms", rates.ratio("single-arm", "two-arm"))
    findings.series["arms"] = {name: rates.rate(name) for name in named}


# ---- the program's time ----

# A packet takes the usual way (bpf/usual.h) or, with a VLAN tag in front of the tunnel, the stages
# (bpf/pipeline.bpf.c), to one end or another: {name: (configuration, its verdict, has it a tag)}.
ENDS = {
    "usual way: no rule matches": (NOTHING_MATCHES, "unmatched", False),
    "usual way: forwarded": ({}, "redirected", False),
    "usual way: forwarded, fragmenting on": (FRAGMENT, "redirected", False),
    "stages: VNI not listed": ({"listen": {"vnis": [2]}}, "unknown_vni", True),
    "stages: no rule matches": (NOTHING_MATCHES, "unmatched", True),
    "stages: forwarded": ({}, "redirected", True),
    "stages: forwarded, fragmenting on": (FRAGMENT, "redirected", True),
}
OURS = "usual way: forwarded"


def stages(findings, scope, pace):
    """
    Every time is measured, and an empty program's taken off. Two ends are not subtracted from each
    other, as one is no part of the other: a drop is counted otherwise than a packet that is sent.
    """
    chains = {name: Pipeline(scope, changes) for name, (changes, _, _) in ENDS.items()}
    sources = {name: Source(chain, tagged=ENDS[name][2]) for name, chain in chains.items()}
    peers = {"empty": Empty(scope), "bare redirect": Redirect(scope), "least": Least(scope)}
    taken = program_times({**{name: Source(chain) for name, chain in peers.items()}, **sources},
                          pace.patient())
    for name, chain in chains.items():
        verdicts = set(chain.verdicts()) - {"not_tunnel"}
        if verdicts != {ENDS[name][1]}:
            raise AssertionError(f"{name}: packets end in {', '.join(sorted(verdicts))}")
    empty = taken.pop("empty")
    times = {name: [t - e for t, e in zip(values, empty)] for name, values in taken.items()}
    findings.figure("program", spread(times[OURS]))
    findings.figure("program_least", spread(
        ours - least for ours, least in zip(times[OURS], times["least"])))
    findings.series["program"] = {name: spread(values) for name, values in times.items()}


# ---- histograms ----

def histograms(findings, scope, pace):
    """In turns, as everything; the program's time apart from the rates, since the clock costs."""
    pace = pace.patient()
    chains = {"on": Pipeline(scope), "off": Pipeline(scope, {"monitor": {"histograms": False}})}
    named = {name: (Source(chain), 1) for name, chain in chains.items()}
    rates = alternate(named, pace)
    findings.figure("histograms", rates.ratio("on", "off"))
    taken = program_times({name: source for name, (source, _) in named.items()}, pace)
    findings.figure("histograms_ns", spread(on - off for on, off in zip(taken["on"], taken["off"])))
    findings.series["histograms"] = {name: rates.rate(name) for name in chains}


# ---- memory, start, reload ----

def memory_of(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1000
    raise AssertionError(f"process {pid} has no {field}")


def memory(findings, scope, pace):
    del pace
    few = Pipeline(scope, {"http": {"listen": "127.0.0.1:9789"}})
    many = Pipeline(scope, many_rules(65536), {"http": {"listen": "127.0.0.1:9789"}})
    time.sleep(1)
    findings.figure("rss_1", spread([memory_of(few.daemon.pid, "VmRSS")]))
    findings.figure("rss_65536", spread([memory_of(many.daemon.pid, "VmRSS")]))
    findings.figure("peak_65536", spread([memory_of(many.daemon.pid, "VmHWM")]))


def start(findings, scope, pace):
    turns = 1 if pace.quick else 7
    chain = Pipeline(scope)
    generator = subprocess.Popen(  # pylint: disable=consider-using-with
        chain.source.command(program.PROGRAM, "generate", "-i", "s0", "--pps", "20000"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    scope.addCleanup(end, generator)
    findings.figure("start", spread([first_packet(chain) for _ in range(turns)]))
    generator.kill()
    generator.wait()
    many = Pipeline(scope, many_rules(65536))
    findings.figure("reload", spread([reload_time(many.daemon) for _ in range(turns)]))


def first_packet(chain):
    """Milliseconds from the start of the daemon to the first packet at the far end."""
    chain.daemon.terminate()
    time.sleep(0.3)
    chain.attach_sink()
    time.sleep(0.1)
    if chain.first_arrival():
        raise AssertionError("packets arrive without the daemon")
    begun = time.monotonic_ns()
    chain.start()
    return (wait_for(chain.first_arrival, 5, "the first packet") - begun) / 1e6


def reload_time(daemon):
    begun = time.monotonic_ns()
    daemon.signal(signal.SIGHUP)
    daemon.notified("READY=1")
    return (time.monotonic_ns() - begun) / 1e6


SECTIONS = {"throughput": throughput, "ovs": ovs, "rules": rules, "cores": cores, "arms": arms,
            "stages": stages, "histograms": histograms, "steady": steady, "memory": memory,
            "start": start, "against": against}
