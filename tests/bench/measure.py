# SPDX-License-Identifier: GPL-2.0-only
"""Contestants take turns; figures are medians over pairs of turns."""

import ctypes
import json
import os
import statistics

from lib.command import run


class Pace:
    """
    How long and how often to measure, in ms. Many short turns tell more than few long ones: what
    else the machine does disturbs some of them, and not the median. `patient`: turns in which large
    tables get into the caches, as they are while one configuration is in force.
    """

    def __init__(self, quick, patient=False):
        self.quick = quick
        self.rounds, self.warm, self.length = (2, 10, 30) if quick else \
            (25, 20, 40) if patient else (60, 5, 20)

    def patient(self):
        return Pace(self.quick, patient=True)


def spread(values):
    """Median, minimum, maximum, the ends of the middle half, and all values of a figure."""
    values = list(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else \
        values * 3
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "low": low, "high": high, "values": values}


class Rates:
    """Packets a second of several contestants, measured in turns."""

    def __init__(self, names):
        self.taken = {name: [] for name in names}

    def rate(self, name):
        return spread(self.taken[name])

    def ratio(self, name, other):
        """Ratios of rates that were measured shortly after each other."""
        return spread(a / b for a, b in zip(self.taken[name], self.taken[other]))

    def cost(self, name, other):
        """The time that a packet costs more than with the other one, in ns."""
        return spread(1e9 / a - 1e9 / b for a, b in zip(self.taken[name], self.taken[other]))


class Findings:
    """
    The results of a run: figures by name, series for the charts, notes. `other`: path and version
    of the build to compare with, or None.
    """

    def __init__(self, other=None):
        self.figures, self.series, self.notes, self.other = {}, {}, [], other

    def figure(self, name, values):
        self.figures[name] = values


def alternate(contestants, pace):
    """
    Measures contestants in turn. `contestants`: {name: (source, frames that arrive for each
    packet)}.
    """
    rates = Rates(contestants)
    for name in turns(contestants, pace.rounds):
        source, frames = contestants[name]
        rates.taken[name].append(arriving(name, source, pace) / frames)
    return rates


def turns(names, rounds):
    """
    Who is measured when: each once a round. Every other round goes backwards, so that a machine
    that slows down favours nobody.
    """
    names = list(names)
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def lengths(pace):
    """
    If the sender did not get to run in a short turn, as the machine is busy, it gets a longer one.
    """
    return pace.length, 4 * pace.length, 16 * pace.length


def arriving(name, source, pace):
    """Frames a second."""
    for length in lengths(pace):
        arrived, _ = source.measure(pace.warm, length)
        if arrived:
            return arrived
    raise AssertionError(f"{name}: nothing arrived")


def program_times(sources, pace):
    """
    Run times of the XDP programs on in0 in ns a packet, measured in turn: {name: one a round}.
    Their clock costs, so no rates are measured meanwhile.
    """
    ids = {name: source.chain.program_id() for name, source in sources.items()}
    taken = {name: [] for name in sources}
    with ProgramTimes():
        for name in turns(sources, pace.rounds):
            taken[name].append(running(name, sources[name], ids[name], pace))
    return taken


def running(name, source, program_id, pace):
    """The run time for each packet of a turn, ns."""
    for length in lengths(pace):
        before = program_time(program_id)
        source.measure(pace.warm, length)
        after = program_time(program_id)
        if after[1] > before[1]:
            return (after[0] - before[0]) / (after[1] - before[1])
    raise AssertionError(f"{name}: its program did not run")


class ProgramTimes:
    """Within this context the kernel measures the run time of every BPF program."""

    def __enter__(self):
        libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self.file = libbpf.bpf_enable_stats(0)
        if self.file < 0:
            raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS")
        return self

    def __exit__(self, *_):
        os.close(self.file)


def program_time(program_id):
    """(run time in ns, runs) of the program so far."""
    answer = json.loads(run("bpftool", "-j", "prog", "show", "id", str(program_id)).stdout)
    return answer.get("run_time_ns", 0), answer.get("run_cnt", 0)
