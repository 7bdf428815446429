# SPDX-License-Identifier: GPL-2.0-only
"""Contestants take turns; figures are medians over pairs of turns."""

import ctypes
import json
import os
import statistics

from lib.command import run


class Pace:
    """How long and how often to measure."""

    def __init__(self, quick):
        self.quick = quick
        self.rounds = 2 if quick else 15
        self.warm, self.length = (10, 30) if quick else (20, 100)  # ms


def spread(values):
    """Median, minimum, maximum and all values of a figure."""
    values = list(values)
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": values}


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


def alternate(contestants, pace):
    """
    Measures contestants in turn. `contestants`: {name: (source, frames that arrive for each
    packet)}. Every other round goes backwards, so that a machine that slows down favours nobody.
    """
    rates = Rates(contestants)
    for number in range(pace.rounds):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            source, frames = contestants[name]
            rates.taken[name].append(arriving(name, source, pace) / frames)
    return rates


def arriving(name, source, pace):
    """Frames a second. On a busy machine the sender may not run at all in a short turn: it gets a longer one."""
    for length in (pace.length, 4 * pace.length, 16 * pace.length):
        arrived, _ = source.measure(pace.warm, length)
        if arrived:
            return arrived
    raise AssertionError(f"{name}: nothing arrived")


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
