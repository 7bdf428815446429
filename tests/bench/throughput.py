# SPDX-License-Identifier: GPL-2.0-only
"""The rate of every way to do the job, by size, against least, a bare redirect and each other."""

import ground
from configurations import FRAGMENT
from ground import (Conntrack, Decap, Empty, Forward, Kernel, Least, Pipeline, Redirect, Source,
                    Tc)
from measure import alternate

SIZES = (98, 512, 1400, 2852)
PEERS = {
    "bare redirect": Redirect,
    "least": Least,
    "vxlan-pipeline": Pipeline,
    "pipeline, fragmenting on": lambda scope: Pipeline(scope, FRAGMENT),
    "TC/eBPF": Tc,
    "XDP decap + kernel routing": Decap,
    "kernel vxlan + nft fwd": Forward,
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


OURS, FRAGMENTING, LEAST, BARE = ("vxlan-pipeline", "pipeline, fragmenting on", "least",
                                  "bare redirect")


def judge_throughput(findings, size, rates):
    if size == JUMBO:
        findings.figure("cut", rates.ratio(FRAGMENTING, "XDP decap + kernel routing"))
        return
    findings.figure(f"least_{size}", rates.ratio(OURS, LEAST))
    findings.figure(f"bare_{size}", rates.ratio(OURS, BARE))
    if size == 98:
        judge_smallest(findings, rates)


def judge_smallest(findings, rates):
    findings.figure("above_least", rates.cost(OURS, LEAST))
    findings.figure("fragmenting_least", rates.ratio(FRAGMENTING, LEAST))
    findings.figure("fragmenting", rates.ratio(FRAGMENTING, BARE))
    findings.figure("least_bare", rates.ratio(LEAST, BARE))
    for name, peer in (("kernel", "kernel vxlan + stateless nft"),
                       ("conntrack", "kernel vxlan + conntrack"),
                       ("forward", "kernel vxlan + nft fwd"),
                       ("decap", "XDP decap + kernel routing"), ("tc", "TC/eBPF")):
        findings.figure(name, rates.ratio(OURS, peer))
    findings.series["cost"] = {name: rates.cost(name, "dropped at once") for name in rates.taken
                               if name != "dropped at once"}
