# SPDX-License-Identifier: GPL-2.0-only
"""
A yardstick that did less than its job would flatter itself: what leaves it must be what leaves
vxlan-pipeline, byte for byte.
"""

from lib import frames
from lib.port import Port, is_ip

import ground

SIZES = (98, 99, 512, 1400, ground.LAN)  # of the inner IP packet
SOURCES = 24


def tunnelled(size, number, source_port=ground.RULE_PORT, udp_checksum=None, vni=1):
    """
    A frame of the bench, with another source and other contents for each number. DF is in none that
    is so long that vxlan-pipeline would clear it: least checks no lengths.
    """
    payload = bytes((n * 7 + number) % 256 for n in range(size - 28))
    packet = frames.udp(f"10.2.{number}.20", "10.2.41.10", source_port, 514, payload,
                        udp_checksum=udp_checksum, ident=number, df=number % 2 == 1 and size < 1400)
    return frames.tunnel(frames.inner(packet, destination=ground.INNER_MAC), vni=vni)


def sent_frames():
    """
    Frames of several sizes that the rule matches, one without a checksum, one whose checksum
    becomes zero, which is to be written as all ones; between them some that it does not match.
    """
    answer = [ground.frame(size) for size in SIZES]
    for number in range(SOURCES):
        answer += [tunnelled(size, number) for size in SIZES]
        answer.append(tunnelled(98, number, source_port=1 + number))
    return answer + [tunnelled(98, 1, udp_checksum=0), checksum_of_zero()]


def checksum_of_zero():
    """A frame whose corrected checksum is zero: what the rewriting adds is taken off before."""
    before = frames.address("10.2.41.10") + (514).to_bytes(2, "big")
    after = frames.address(ground.TARGET) + ground.TARGET_PORT.to_bytes(2, "big")
    added = frames.ones_sum(bytes(byte ^ 0xFF for byte in before) + after)
    return tunnelled(98, 2, udp_checksum=added)


def arrived(make):
    """What arrives at the far end of the chain of all sent_frames()."""
    with ground.Scope() as scope:
        chain = make(scope, counted=False)
        far = Port(scope, chain.sink, "c0")
        near = Port(scope, chain.source, "s0")
        near.send(*sent_frames())
        return far.receive(wanted=is_ip, count=matching(), quiet=0.2)


def matching():
    return len(SIZES) * (SOURCES + 1) + 2


def check(yardstick=ground.Least):
    """Raises an AssertionError that names the first difference."""
    expected, found = arrived(ground.Pipeline), arrived(yardstick)
    if len(expected) != matching():
        raise AssertionError(f"vxlan-pipeline forwards {len(expected)} of {matching()} frames")
    if len(found) != len(expected):
        raise AssertionError(f"least forwards {len(found)} frames, vxlan-pipeline {len(expected)}")
    for number, (ours, least) in enumerate(zip(expected, found), 1):
        if ours != least:
            at = next((i for i, (a, b) in enumerate(zip(ours, least)) if a != b),
                      min(len(ours), len(least)))
            raise AssertionError(
                f"least gives other bytes than vxlan-pipeline: frame {number}, byte {at}: "
                f"{least[at:at + 8].hex()}, not {ours[at:at + 8].hex()}")
