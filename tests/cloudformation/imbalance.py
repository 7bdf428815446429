#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Simulates how a hash spreads flows over appliances, and prints the table of docs/capacity.md: imbalance.py [TRIALS]

A cell is the load of the busiest appliance, as a multiple of an even share: in one trial of two, and in one of a
hundred. A hash of addresses and ports is as good as a random number for each flow; the same numbers serve every count of
appliances.
"""
import random
import sys

APPLIANCES = (2, 3, 4, 8, 16)
TRIALS, SEED = 200, 20261130


def equal(count):
    return [1 / count] * count


def with_elephants(share, count=1, mice=2000):
    """Some flows with a share of all traffic each, and the rest in equal ones."""
    return [share] * count + [(1 - share * count) / mice] * mice


def zipf(count):
    """The second flow has half the traffic of the first, the third a third of it, and so on."""
    weights = [1 / rank for rank in range(1, count + 1)]
    return [weight / sum(weights) for weight in weights]


TRAFFIC = (
    ("10,000 equal flows", equal(10000)),
    ("1,000 equal flows", equal(1000)),
    ("100 equal flows", equal(100)),
    ("20 equal flows", equal(20)),
    ("1,000 flows, the n-th with 1/n of the largest", zipf(1000)),
    ("one flow has 10 %, the rest is even", with_elephants(0.1)),
    ("one flow has 25 %, the rest is even", with_elephants(0.25)),
    ("two flows have 25 % each, the rest is even", with_elephants(0.25, 2)),
    ("one flow has 50 %, the rest is even", with_elephants(0.5)),
)


def busiest(flows, generator):
    """The largest load for each count of appliances, by one hash of each flow."""
    loads = [[0.0] * count for count in APPLIANCES]
    for flow in flows:
        number = generator.getrandbits(32)
        for load, count in zip(loads, APPLIANCES):
            load[number % count] += flow
    return [max(load) * count for load, count in zip(loads, APPLIANCES)]


def cells(flows, trials=TRIALS):
    generator = random.Random(SEED)
    seen = list(zip(*(busiest(flows, generator) for _ in range(trials))))
    return [f"{sorted(one)[trials // 2]:.2f} / {sorted(one)[trials * 99 // 100]:.2f}" for one in seen]


def table(trials=TRIALS):
    yield "| traffic | " + " | ".join(f"{count} appliances" for count in APPLIANCES) + " |"
    yield "| --- |" + " --- |" * len(APPLIANCES)
    for name, flows in TRAFFIC:
        yield f"| {name} | " + " | ".join(cells(flows, trials)) + " |"


if __name__ == "__main__":
    print("\n".join(table(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)))
