# SPDX-License-Identifier: GPL-2.0-only
"""The measurements: a function for each section, which fills in figures and a chart's series."""

import json
import os
import signal
import subprocess
import time

from lib import program
from lib.command import run, wait_for
from lib.daemon import PINS

import ground
from against import against
from configurations import (FRAGMENT, KEEP, NO_RULES, NOTHING_MATCHES, eight_shapes, everything, many_rules,
                            vnis)
from ground import Conntrack, Decap, Empty, Kernel, Least, Pipeline, Redirect, SingleArm, Source, Tc
from measure import ProgramTimes, alternate, program_time, spread

SIZES = (98, 512, 1400, 2852)
STEADY = 85000


class Findings:
    """
    The results of a run: figures by name, series for the charts, notes. `other`: path and version of
    the build to compare with, or None.
    """

    def __init__(self, other=None):
        self.figures, self.series, self.notes, self.other = {}, {}, [], other

    def figure(self, name, values):
        self.figures[name] = values


# ---- throughput ----

PEERS = {
    "bare redirect": Redirect,
    "least": Least,
    "vxlan-pipeline": Pipeline,
    "pipeline, fragmenting on": lambda scope: Pipeline(scope, FRAGMENT),
    "TC/eBPF": Tc,
    "XDP decap + kernel routing": Decap,
    "kernel vxlan + stateless nft": Kernel,
    "kernel vxlan + conntrack": Conntrack,
}
JUMBO = 2852
CUTTERS = ("pipeline, fragmenting on", "XDP decap + kernel routing", "kernel vxlan + stateless nft",
           "kernel vxlan + conntrack")


def contestants(chains, size):
    """Sources of all chains; at 2852 bytes only of those that fragment for the target's network."""
    if size <= ground.LAN:
        return {name: (Source(chain, size), 1) for name, chain in chains.items()}
    answer = {name: (Source(chains[name], size), 2) for name in CUTTERS}
    return {"bare redirect": (Source(chains["bare redirect"], size), 1), **answer}


def throughput(findings, scope, pace):
    chains = {name: make(scope) for name, make in PEERS.items()}
    findings.series["throughput"] = {}
    for size in (98, JUMBO) if pace.quick else SIZES:
        named = contestants(chains, size)
        if size == 98:
            named["dropped at once"] = (SentOnly(Empty(scope), size), 1)
        rates = alternate(named, pace)
        findings.series["throughput"][str(size)] = {
            name: rates.rate(name) for name in named if name != "dropped at once"}
        judge_throughput(findings, size, rates)
        for source, _ in named.values():
            source.close()


class SentOnly(Source):
    """A source on a chain whose packets do not arrive: counts those sent."""

    def measure(self, warm, length):
        _, sent = super().measure(warm, length)
        return sent, sent


def judge_throughput(findings, size, rates):
    ours, fragmenting, bare = "vxlan-pipeline", "pipeline, fragmenting on", "bare redirect"
    if size == 98:
        findings.figure("bare_98", rates.ratio(ours, bare))
        findings.figure("fragmenting", rates.ratio(fragmenting, bare))
        for name, peer in (("kernel", "kernel vxlan + stateless nft"),
                           ("conntrack", "kernel vxlan + conntrack"),
                           ("decap", "XDP decap + kernel routing"), ("tc", "TC/eBPF")):
            findings.figure(name, rates.ratio(ours, peer))
        findings.series["cost"] = {name: rates.cost(name, "dropped at once") for name in rates.taken
                                   if name != "dropped at once"}
    elif size == 1400:
        findings.figure("bare_1400", rates.ratio(ours, bare))
    elif size == JUMBO:
        findings.figure("cut", rates.ratio(fragmenting, "XDP decap + kernel routing"))


# ---- rules, shapes, VNIs ----

def rules(findings, scope, pace):
    """Compares each configuration with one of one rule, under the same traffic."""
    most = 4096 if pace.quick else 65536
    one, many = Pipeline(scope), Pipeline(scope, many_rules(most))
    cases = (
        ("rules_1000", Pipeline(scope, many_rules(1000)), 1000, 1),
        ("rules_65536", many, 1, 1),
        ("rules_65536_all", many, most, 1),
        ("shapes", Pipeline(scope, eight_shapes()), 1, 1),
        ("vnis", Pipeline(scope, vnis(4096)), 1, 4096),
        ("everything", Pipeline(scope, everything()), 4096, 4096),
    )
    rate = {"one": None}
    for name, chain, flows, numbers in cases:
        pair = {name: (Source(chain, 98, flows, numbers), 1), "one": (Source(one, 98, flows, -numbers), 1)}
        rates = alternate(pair, pace)
        findings.figure(name, rates.ratio(name, "one"))
        rate[name] = rates.rate(name)
        rate["one"] = rate["one"] or rates.rate("one")
        for source, _ in pair.values():
            source.close()
        only = chain.verdicts()
        if set(only) - {"not_tunnel"} != {"redirected"}:
            raise AssertionError(f"{name}: {only}")
    findings.series["rules"] = rate


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


# ---- what a stage costs ----

# Configurations that packets leave after different stages.
EXITS = {
    "empty": Empty,
    "vni": lambda scope: Pipeline(scope, {"listen": {"vnis": [2]}}),
    "inner": lambda scope: Pipeline(scope, NO_RULES),
    "lookup": lambda scope: Pipeline(scope, NOTHING_MATCHES),
    "leave": lambda scope: Pipeline(scope, NO_RULES, KEEP),
    "rewrite": lambda scope: Pipeline(scope, KEEP),
    "next hop": Pipeline,
    "cut": lambda scope: Pipeline(scope, FRAGMENT),
    "bare": Redirect,
}
STAGES = (
    # name, chains that run the stage, chains that do not
    ("outer headers, VNI, counters", ("vni",), ("empty",)),
    ("inner headers", ("inner",), ("vni",)),
    ("rule lookup", ("lookup",), ("inner",)),
    ("rewrite, checksums, rule counter", ("rewrite", "inner"), ("leave", "lookup")),
    ("next hop", ("next hop",), ("rewrite",)),
    ("decapsulation, redirect", ("leave",), ("inner",)),
)


def stages(findings, scope, pace):
    chains = {name: make(scope) for name, make in EXITS.items()}
    sources = {name: SentOnly(chain) for name, chain in chains.items()}
    ids = {name: chain.program_id() for name, chain in chains.items()}
    taken = {name: [] for name in chains}
    with ProgramTimes():
        for number in range(pace.rounds):
            for name in chains if number % 2 == 0 else reversed(chains):
                before = program_time(ids[name])
                sources[name].measure(pace.warm, pace.length)
                after = program_time(ids[name])
                taken[name].append((after[0] - before[0]) / max(1, after[1] - before[1]))
    net_times = {name: [t - e for t, e in zip(values, taken["empty"])]
                 for name, values in taken.items()}
    findings.figure("program", spread(net_times["next hop"]))
    findings.series["program"] = {name: spread(values) for name, values in net_times.items()}
    findings.series["clock"] = spread(taken["empty"])
    findings.series["stages"] = {
        name: spread(sum(net_times[p][i] for p in plus) - sum(net_times[m][i] for m in minus)
                     for i in range(pace.rounds))
        for name, plus, minus in STAGES}


# ---- histograms ----

def histograms(findings, scope, pace):
    """In turns, as everything; the program's time is taken apart from the rates, since the clock costs."""
    chains = {"on": Pipeline(scope), "off": Pipeline(scope, {"monitor": {"histograms": False}})}
    named = {name: (Source(chain), 1) for name, chain in chains.items()}
    rates = alternate(named, pace)
    findings.figure("histograms", rates.ratio("on", "off"))
    taken = {name: [] for name in chains}
    with ProgramTimes():
        for number in range(pace.rounds):
            for name in chains if number % 2 == 0 else reversed(chains):
                before = program_time(chains[name].program_id())
                named[name][0].measure(pace.warm, pace.length)
                after = program_time(chains[name].program_id())
                taken[name].append((after[0] - before[0]) / max(1, after[1] - before[1]))
    findings.figure("histograms_ns", spread(on - off for on, off in zip(taken["on"], taken["off"])))
    findings.series["histograms"] = {name: rates.rate(name) for name in chains}


# ---- a steady rate ----

def generate(chain, seconds, receiver=True):
    """Runs `generate` at 85,000 pps and, at the far end, its receiver; returns both reports."""
    count = str(STEADY * seconds)
    far = None
    if receiver:
        far = subprocess.Popen(  # pylint: disable=consider-using-with
            chain.sink.command(program.PROGRAM, "generate", "-i", "c0", "--receive", "--json",
                               "--count", count, "--seconds", str(seconds + 10)),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        chain.scope.addCleanup(end, far)
        wait_for(lambda: chain.sink.xdp("c0") or far.poll() is not None, 5, "the receiver")
    near = run(*chain.source.command(
        "taskset", "-c", str(ground.one_cpu()[0]), program.PROGRAM, "generate", "-i", "s0", "--json",
        "--pps", str(STEADY), "--count", count, "--flows", "200"), check=False,
        timeout=seconds + 30)
    sent = json.loads(near.stdout)
    return sent, json.loads(far.communicate(timeout=30)[0]) if far else None


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout and not process.stdout.closed:
        process.stdout.close()


def time_program(chain, link, seconds):
    """A histogram of the run times of the program on in0, at 85,000 packets a second."""
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        chain.appliance.command(os.path.join(ground.BUILD, "timing"), "in0",
                                str(chain.program_id()), link),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    chain.scope.addCleanup(end, process)
    if process.stdout.readline() != "ready\n":
        raise AssertionError("the program cannot be timed")
    generate(chain, seconds, receiver=False)
    answer, _ = process.communicate(timeout=10)
    return [tuple(map(int, line.split())) for line in answer.splitlines()]


def percentile(histogram, percent):
    wanted, seen = sum(runs for _, runs in histogram) * percent / 100, 0
    for ns, runs in histogram:
        seen += runs
        if seen >= wanted:
            return ns
    return None


def steady(findings, scope, pace):
    chain = Pipeline(scope, counted=False)
    sent, got = generate(chain, 1 if pace.quick else 60)
    findings.figure("lost", spread([sent["packets"] - got["unique"]]))
    if not sent["kept_pace"]:
        findings.notes.append("steady: the generator could not keep 85,000 packets a second")
    histograms, bare = {}, Redirect(scope, counted=False)
    for name, peer in (("vxlan-pipeline", chain), ("bare redirect", bare),
                       ("kernel vxlan + stateless nft", Kernel(scope, counted=False))):
        if pace.quick and peer is not chain:
            continue
        report = got if peer is chain and pace.quick else generate(peer, 1 if pace.quick else 8)[1]
        if not report["latency_ns"]["samples"]:
            raise AssertionError(f"{name}: nothing arrived")
        histograms[name] = report["latency_ns"]
    ours = histograms["vxlan-pipeline"]
    findings.figure("latency_p50", spread([ours["p50"] / 1000]))
    findings.figure("latency_p99", spread([ours["p99"] / 1000]))
    findings.series["latency"] = histograms
    findings.series["loss"] = {"sent": sent, "received": {
        key: value for key, value in got.items() if key != "latency_ns"}}
    time_programs(findings, chain, bare, pace)


def time_programs(findings, chain, bare, pace):
    """Run times of ours and of a bare redirect, which shows the share of enqueueing in both."""
    seconds, turns = (1, 1) if pace.quick else (4, 3)
    link = os.path.join(PINS, chain.instance, "link")
    p99, series = [], {"vxlan-pipeline": {}, "bare redirect": {}}
    for _ in range(turns):
        for name, times in (("bare redirect", time_program(bare, "-", seconds)),
                            ("vxlan-pipeline", time_program(chain, link, seconds))):
            for ns, runs in times:
                series[name][ns] = series[name].get(ns, 0) + runs
            if name == "vxlan-pipeline":
                p99.append(percentile(times, 99))
    findings.figure("p99", spread(p99))
    findings.series["timing"] = {}
    for name, times in series.items():
        merged = sorted(times.items())
        findings.series["timing"][name] = {"histogram": merged, **{
            f"p{p}": percentile(merged, p) for p in (50, 90, 99, 99.9)}}


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


SECTIONS = {"throughput": throughput, "rules": rules, "cores": cores, "arms": arms,
            "stages": stages, "histograms": histograms, "steady": steady, "memory": memory, "start": start,
            "against": against}
