# SPDX-License-Identifier: GPL-2.0-only
"""Packets at a steady rate, well below the highest: loss, latency, the program's time."""

import json
import os
import subprocess

from lib import program
from lib.command import run, wait_for
from lib.daemon import PINS

import ground
from ground import Kernel, Least, Pipeline, Redirect
from measure import spread, turns

OURS = "vxlan-pipeline"
STEADY = 85000  # packets a second


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
        "taskset", "-c", str(ground.one_cpu()[0]), program.PROGRAM, "generate", "-i", "s0",
        "--json", "--pps", str(STEADY), "--count", count, "--flows", "200"), check=False,
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
    for name, peer in ((OURS, chain), ("bare redirect", bare),
                       ("kernel vxlan + stateless nft", Kernel(scope, counted=False))):
        if pace.quick and peer is not chain:
            continue
        report = got if peer is chain and pace.quick else generate(peer, 1 if pace.quick else 8)[1]
        if not report["latency_ns"]["samples"]:
            raise AssertionError(f"{name}: nothing arrived")
        histograms[name] = report["latency_ns"]
    ours = histograms[OURS]
    findings.figure("latency_p50", spread([ours["p50"] / 1000]))
    findings.figure("latency_p99", spread([ours["p99"] / 1000]))
    findings.series["latency"] = histograms
    findings.series["loss"] = {"sent": sent, "received": {
        key: value for key, value in got.items() if key != "latency_ns"}}
    time_programs(findings, {OURS: chain, "least": Least(scope, counted=False),
                             "bare redirect": bare}, pace)


def time_programs(findings, chains, pace):
    """
    Run times of our program, of least, and of a bare redirect, which shows the share of enqueueing
    in all. In turns, so that a percentile is compared with one that was taken shortly before.
    """
    seconds, rounds = (1, 1) if pace.quick else (4, 3)
    link = os.path.join(PINS, chains[OURS].instance, "link")
    p99, series = {name: [] for name in chains}, {name: {} for name in chains}
    for name in turns(chains, rounds):
        times = time_program(chains[name], link if name == OURS else "-", seconds)
        for ns, runs in times:
            series[name][ns] = series[name].get(ns, 0) + runs
        p99[name].append(percentile(times, 99))
    findings.figure("p99", spread(p99[OURS]))
    for figure, other in (("p99_bare", "bare redirect"), ("p99_least", "least")):
        findings.figure(figure, spread(
            ours - theirs for ours, theirs in zip(p99[OURS], p99[other])))
    findings.series["timing"] = {}
    for name, times in series.items():
        merged = sorted(times.items())
        findings.series["timing"][name] = {"histogram": merged, **{
            f"p{p}": percentile(merged, p) for p in (50, 90, 99, 99.9)}}
