# SPDX-License-Identifier: GPL-2.0-only
"""
The configurations that every kernel must load, and the packets that it runs them on.

The verifier sees a configuration as constants, so each configuration is a different program to it.
"""

import ipaddress
import random

from lib import frames
from lib.program import merge

V4, V6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")
TO_V4, TO_V6 = "192.0.2.9:8081", "[2001:db8::9]:8081"
FIRST_PORT = 1000  # rule n matches source port FIRST_PORT + n
SHAPES = 64        # the largest number that the program admits for an address family
RULES = 65536
TRAFFIC_MTU = 3000  # of the interfaces; packets are fragmented to forward.mtu
# How `run` loads each configuration: the MTU of both interfaces, and listen.xdp_mode. To the verifier
# each is another program: 1500 bytes is forward.mtu, so nothing is too large; 3498 is cut in XDP;
# 9001 comes in several buffers, where the kernel has them, or joined in generic mode.
FORMS = ((1500, "auto"), (3498, "auto"), (9001, "auto"), (9001, "generic"))
MODES = ("auto", "generic")  # of these, and of what `explain` loads
VNIS = sorted(random.Random(1).sample(range(2, 1 << 24), 4095) + [1])


def rules_of_as_many_shapes(source, to, count=SHAPES):
    """Rules no two of which have the same prefix length and the same set of keys."""
    rules = []
    for number in range(count):
        prefix = ipaddress.ip_network((source, 1 + number % 32), strict=False)
        match = {"source_port": FIRST_PORT + number, "source": str(prefix)}
        if number >= 32:
            match["destination_port"] = 514
        rules.append({"match": match, "to": to})
    return rules


def rules_of_one_shape(count):
    return [{"match": {"source_port": 1000 + number // 200, "destination_port": 1 + number % 200},
             "to": TO_V4} for number in range(count)]


SMALL = {"listen": {"interface": "rx0"}, "forward": {"interface": "tx0", "next_hop": "keep",
                                                     "mtu": 1500},
         "nat": [{"match": {"source_port": 1000}, "to": TO_V4}]}
SINGLE_ARM = {"forward": {"interface": None}}
V4_RULES = rules_of_as_many_shapes(V4[0], TO_V4)
V6_RULES = rules_of_as_many_shapes(V6[0], TO_V6)
EVERYTHING = merge(SMALL, {"listen": {"sources": ["10.0.0.0/8", "fd00::/16"]},
                           "nat": V4_RULES + V6_RULES})

NEXT_HOPS = ("route", "keep", "02:00:00:00:00:99")
OVERSIZE = ("fragment", "pass", "drop")
FALLBACKS = ("forward", "pass", "drop")
CHECKSUMS = ("update", "zero", "preserve")


def every_pair_of_modes():
    """Nine configurations in which any two modes of any two options meet (an L9 array)."""
    for row in range(9):
        one, two = divmod(row, 3)
        next_hop, oversize = NEXT_HOPS[one], OVERSIZE[two]
        unmatched, truncated = FALLBACKS[(one + two) % 3], FALLBACKS[(one + 2 * two) % 3]
        checksum = CHECKSUMS[(two + row) % 3]
        name = next_hop if one < 2 else "MAC"
        yield (f"all shapes, {'any VNI' if row % 2 else '4096 VNIs'}: next_hop {name}, oversize "
               f"{oversize}, unmatched {unmatched}, truncated {truncated}, checksum {checksum}",
               merge(EVERYTHING,
                     {"listen": {"vnis": "any" if row % 2 else VNIS},
                      "forward": {"next_hop": next_hop, "oversize": oversize,
                                  "unmatched": unmatched},
                      "inner": {"truncated": truncated, "udp_checksum": checksum}}))


def configurations():
    """Pairs of a sentence and a configuration."""
    yield "one rule", SMALL
    yield "one rule, single-arm", merge(SMALL, SINGLE_ARM)
    yield "no rule, everything forwarded", merge(SMALL, {"forward": {"unmatched": "forward"},
                                                         "nat": []})
    yield "no rule, routed", merge(SMALL, {"forward": {"unmatched": "forward",
                                                       "next_hop": "route"}, "nat": []})
    yield "IPv4 rules of 64 shapes, routed", merge(SMALL, {"forward": {"next_hop": "route"},
                                                           "nat": V4_RULES})
    yield "IPv6 rules of 64 shapes, routed", merge(SMALL, {"forward": {"next_hop": "route"},
                                                           "nat": V6_RULES})
    yield f"{RULES} rules", merge(SMALL, {"nat": rules_of_one_shape(RULES)})
    yield "rules of one shape, two targets, routed", merge(SMALL, {
        "forward": {"next_hop": "route"},
        "nat": rules_of_one_shape(99) + [{"match": {"source_port": 9, "destination_port": 9},
                                          "to": "192.0.2.10"}]})
    yield "DF never cleared, single-arm", merge(EVERYTHING, SINGLE_ARM, {
        "inner": {"clear_df_above": "never"}})
    yield from every_pair_of_modes()


def inner_packets(source_port):
    """Inner packets of every kind."""
    for both in (V4, V6):
        udp = frames.udp_segment(*both, source_port, 514, b"x" * 100)
        yield frames.udp(*both, source_port, 514, b"x" * 99)
        yield frames.tcp(*both, source_port, 514, b"x" * 11, tcp_options=b"\x01" * 8)
        yield frames.udp(*both, source_port, 514, b"")
        yield frames.udp(*both, source_port, 514, b"x" * 1600)
        yield frames.ip(b"\x08" + bytes(31), frames.ICMP, *both)
        for first in (udp[:48], frames.tcp_segment(*both, source_port, 514)[:16]):
            yield frames.ip(first, frames.UDP, *both, **(
                {"ident": source_port, "mf": True} if both is V4 else
                {"fragment": (0, True, source_port)}))
        yield frames.ip(udp[48:], frames.UDP, *both, **(
            {"ident": source_port, "fragment_offset": 48} if both is V4 else
            {"fragment": (48, False, source_port)}))
    yield frames.udp(*V4, source_port, 514, b"x" * 1500, df=True)
    yield frames.udp(*V4, source_port, 514, b"x" * 1500, df=True, ident=0)
    yield frames.udp(*V4, source_port, 514, b"x" * 1500, df=True, ttl=1)
    yield frames.udp(*V4, source_port, 514, b"x" * 1440, df=True)
    yield frames.udp(*V4, source_port, 514, b"x", options=b"\x01" * 40)
    yield frames.udp(*V4, source_port, 514, b"x", udp_checksum=0)
    yield frames.udp(*V6, source_port, 514, b"x", udp_checksum=0)
    yield frames.udp(*V6, source_port, 514, b"x", extensions=[0, 43, 60])
    yield frames.udp(*V6, source_port, 514, b"x" * 1600, hop_limit=1)
    yield frames.ipv4(b"x" * 40, frames.UDP, *V4, total_length=900)
    yield frames.ipv6(b"x" * 40, frames.UDP, *V6, payload_length=900)
    yield frames.ipv4(b"", frames.UDP, *V4, ihl=3)


def damage(rnd, frame):
    frame = bytearray(frame)
    if rnd.random() < 0.4:
        del frame[rnd.randrange(14, len(frame)):]
    for _ in range(rnd.choice((1, 1, 3))):
        at = rnd.randrange(12, min(len(frame), 130))
        frame[at] = rnd.choice((0, 1, 4, 0x7F, 0xFF, frame[at] ^ 1 << rnd.randrange(8)))
    return bytes(frame)


def capture():
    """Packets of every kind, in tunnels of every kind, whole and damaged; the same at every run."""
    rnd, good = random.Random(20), []
    tunnels = ({}, {"vni": VNIS[2000]}, {"vni": 0}, {"source": "fd00::1"}, {"source": "11.0.0.1"},
               {"source": "fd00::1", "extensions": [0, 60]}, {"vlans": [(0x8100, 5)]},
               {"vlans": [(0x88A8, 5), (0x8100, 6)]}, {"options": b"\x01" * 8}, {"flags": 0},
               {"trailer": b"t" * 9}, {"port": 4790}, {"mf": True})
    for number in (0, 1, 31, 32, 63, 64, 199):
        good += [frames.tunnel(frames.inner(packet), **tunnels[0])
                 for packet in inner_packets(FIRST_PORT + number)]
    for fields in tunnels[1:]:
        good += [frames.tunnel(frames.inner(packet), **fields)
                 for packet in inner_packets(FIRST_PORT + 5)]
    good.append(frames.tunnel(frames.inner(bytes(28), frames.ETH_ARP)))
    good.append(frames.ether(frames.udp(*V4, 1, 4789, b"")))
    good.append(frames.ether(bytes(28), frames.ETH_ARP))
    return good + [damage(rnd, rnd.choice(good)) for _ in range(1000)]


def traffic_configurations():
    """Pairs as above, for real traffic through virtio-net in native mode."""
    native = {"listen": {"interface": "eth0", "xdp_mode": "native", "vnis": [1, 7]}}
    rules = {"nat": V4_RULES + V6_RULES}
    yield "virtio-net to virtio-net", merge(SMALL, native, rules, {
        "forward": {"interface": "eth1"}})
    yield "virtio-net, single-arm", merge(SMALL, native, rules, SINGLE_ARM)


def traffic():
    """Packets of three sizes, the largest above forward.mtu; each has a different payload."""
    packets = [frames.udp(*both, FIRST_PORT + number, 514, b"%d" % number + b"x" * size)
               for both in (V4, V6) for number in range(SHAPES + 1) for size in (10, 1300, 2400)]
    return [frames.tunnel(frames.inner(packet), vni=(1, 1, 1, 7, 8)[number % 5])
            for number, packet in enumerate(packets)]
