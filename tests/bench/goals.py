# SPDX-License-Identifier: GPL-2.0-only
"""The figures of the bench, and the values that they must reach or aim at."""

import collections

# `better`: "more" or "less". Without `must` a figure is reported, not judged.
Goal = collections.namedtuple("Goal", "title unit better must aim", defaults=(None, None))

SECTIONS = {
    "throughput": "Throughput, one core",
    "ovs": "Open vSwitch",
    "rules": "Rules, shapes and VNIs",
    "cores": "Two cores",
    "arms": "Single-arm",
    "stages": "The program's time",
    "histograms": "What histograms cost",
    "steady": "A steady 85,000 packets a second",
    "memory": "Memory",
    "start": "Start and reload",
    "against": "Against another build",
}

GOALS = {
    "throughput": {
        "least_98": Goal("one rule, 98 bytes, of least", "ratio", "more", 0.92, 0.96),
        "least_512": Goal("one rule, 512 bytes, of least", "ratio", "more"),
        "least_1400": Goal("one rule, 1400 bytes, of least", "ratio", "more", 0.92, 0.96),
        "above_least": Goal("above least, a packet of 98 bytes", "ns", "less", 20, 10),
        "fragmenting_least": Goal("fragmenting on, packets that need none, of least", "ratio",
                                  "more", 0.90, 0.95),
        "bare_98": Goal("one rule, 98 bytes, of bare redirect", "ratio", "more"),
        "bare_512": Goal("one rule, 512 bytes, of bare redirect", "ratio", "more"),
        "bare_1400": Goal("one rule, 1400 bytes, of bare redirect", "ratio", "more"),
        "fragmenting": Goal("fragmenting on, packets that need none, of bare redirect", "ratio",
                            "more"),
        "least_bare": Goal("least, 98 bytes, of bare redirect", "ratio", "more"),
        "kernel": Goal("against kernel vxlan + stateless nft, 98 bytes", "times", "more", 6.5, 8),
        "conntrack": Goal("against kernel vxlan + conntrack DNAT, 98 bytes", "times", "more"),
        "forward": Goal("against kernel vxlan + nft fwd, 98 bytes", "times", "more"),
        "decap": Goal("against XDP decapsulation + kernel routing, 98 bytes", "times", "more"),
        "tc": Goal("against TC/eBPF, 98 bytes", "times", "more"),
        "cut": Goal("cut in two, against XDP decap + kernel routing, 2852 bytes", "times", "more",
                    4.0, 4.5),
    },
    "ovs": {
        "ovs": Goal("against Open vSwitch, AF_XDP, a core of its own, 98 bytes", "times", "more"),
    },
    "rules": {
        "rules_1000": Goal("1,000 rules, all hit, of one rule", "ratio", "more"),
        "rules_65536": Goal("65,536 rules, one flow, of one rule", "ratio", "more", 0.96, 0.98),
        "rules_65536_all": Goal("65,536 rules, every packet another, of one rule", "ratio", "more",
                                0.78, 0.85),
        "shapes": Goal("8 shapes, the last one matches, of one rule", "ratio", "more", 0.90, 0.95),
        "vnis": Goal("4,096 VNIs in a row, of one rule", "ratio", "more", 0.95, 0.98),
        "everything": Goal("everything on, of one rule", "ratio", "more", 0.82, 0.90),
    },
    "cores": {
        "cores": Goal("two cores, against one", "times", "more", 1.95, 2.0),
        "cores_bare": Goal("the same of bare redirect", "times", "more"),
    },
    "arms": {
        "arms": Goal("single-arm against two-arm", "ratio", "more", 0.9, 1.0),
    },
    "stages": {
        "program": Goal("program time a packet at full speed, one rule", "ns", "less"),
        "program_least": Goal("the same above least's", "ns", "less"),
    },
    "histograms": {
        "histograms": Goal("histograms on, against off, 98 bytes", "ratio", "more", 0.97, 0.99),
        "histograms_ns": Goal("program time a packet more than without", "ns", "less", 6, 3),
    },
    "steady": {
        "lost": Goal("packets lost at 85,000 pps", "packets", "less", 0, 0),
        "p99": Goal("program time a packet at 85,000 pps, p99", "ns", "less", 1000, 300),
        "p99_bare": Goal("the same above bare redirect's p99", "ns", "less", 150, 80),
        "p99_least": Goal("the same above least's p99", "ns", "less"),
        "latency_p50": Goal("latency through the chain, p50", "µs", "less"),
        "latency_p99": Goal("latency through the chain, p99", "µs", "less"),
    },
    "memory": {
        "rss_1": Goal("daemon's memory, one rule", "MB", "less", 8, 6),
        "rss_65536": Goal("daemon's memory, 65,536 rules", "MB", "less", 25, 20),
        "peak_65536": Goal("its peak while loading them", "MB", "less"),
    },
    "start": {
        "start": Goal("run to first forwarded packet", "ms", "less", 300, 100),
        "reload": Goal("reload with 65,536 rules", "ms", "less", 1000, 300),
    },
    "against": {},
}

AGAINST = {
    "one_98": "one rule, 98 bytes",
    "one_1400": "one rule, 1400 bytes",
    "fragmenting": "fragmenting on, packets that need none",
    "cut": "2852 bytes into two fragments",
    "everything": "everything on",
    "random": "65,536 rules, every packet another",
    "shapes": "8 match shapes, the last one matches",
}
for _name, _title in AGAINST.items():
    GOALS["against"][f"against_{_name}"] = Goal(f"{_title}, of the other build", "ratio", "more")
    GOALS["against"][f"against_{_name}_ns"] = Goal(f"{_title}, more than the other", "ns", "less")


def verdict(goal, value):
    """aim | ok | short | told"""
    if goal.must is None:
        return "told"
    sign = 1 if goal.better == "more" else -1
    if sign * value >= sign * goal.aim:
        return "aim"
    return "ok" if sign * value >= sign * goal.must else "short"
