# SPDX-License-Identifier: GPL-2.0-only
"""Damaged packets: verdicts are right and add up, and no bytes of other packets leave."""

import os
import random
import sys

from lib import frames, program, reference
from lib.table import PacketTable

SEED = int(os.environ.get("FUZZ_SEED", "0") or 0) or int.from_bytes(os.urandom(4), "big")
PACKETS = 20000


class Damaged(PacketTable):
    CONFIGS = (
        {"listen": {"vnis": [1, 2]}, "forward": {"unmatched": "forward"}},
        {"listen": {"vnis": "any"}, "inner": {"truncated": "forward", "udp_checksum": "zero"},
         "forward": {"oversize": "drop", "mtu": 600, "next_hop": "02:00:00:00:00:99"}},
        {"listen": {"sources": ["10.0.0.0/9", "fd00::/16"]}, "inner": {"truncated": "pass"},
         "forward": {"interface": None, "unmatched": "pass"}},
        {"inner": {"clear_df_above": 200, "udp_checksum": "preserve"},
         "forward": {"unmatched": "drop", "oversize": "pass", "mtu": 576}},
    )

    def seeds(self, rnd):
        udp, tcp, tunnel, inner = frames.udp, frames.tcp, frames.tunnel, frames.inner
        v4, v6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")
        body = rnd.randbytes(rnd.choice((0, 3, 100, 700)))
        port = rnd.choice((1000, 1000, 77))
        segment = frames.udp_segment(*v4, port, 1, body + bytes(40))
        choices = [
            inner(udp(*v4, port, 1, body)), inner(tcp(*v4, port, 1, body)),
            inner(udp(*v4, port, 1, body, df=True, ident=rnd.choice((0, 5)))),
            inner(udp(*v6, port, 1, body)), inner(tcp(*v6, port, 1, body)),
            inner(udp(*v4, port, 1, body, options=b"\x01" * rnd.choice((4, 40)))),
            inner(udp(*v6, port, 1, body, extensions=[0, 60])),
            inner(frames.ipv4(segment[:32], 17, *v4, ident=rnd.randrange(3), mf=True)),
            inner(frames.ipv4(segment[32:], 17, *v4, ident=rnd.randrange(3),
                              fragment_offset=32)),
            inner(frames.ipv6(segment[:32], 17, *v6, fragment=(0, True, rnd.randrange(3)))),
            inner(frames.ipv6(segment[32:], 17, *v6, fragment=(32, False, rnd.randrange(3)))),
            inner(bytes(28), 0x0806), inner(body, 0x0800), b"",
        ]
        outer = {"vni": rnd.choice((1, 1, 1, 2, 3)), "trailer": rnd.randbytes(
            rnd.choice((0, 0, 0, 9)))}
        if rnd.random() < 0.2:
            outer["source"] = "fd00::1"
            if rnd.random() < 0.5:
                outer["extensions"] = [rnd.choice((0, 60))]
        elif rnd.random() < 0.1:
            outer["options"] = b"\x01" * 8
        if rnd.random() < 0.2:
            outer["vlans"] = [(rnd.choice((0x8100, 0x88A8)), 5)] * rnd.choice((1, 2, 3))
        return tunnel(rnd.choice(choices), **outer)

    def damage(self, rnd, frame):
        frame = bytearray(frame)
        kind = rnd.random()
        if kind < 0.3:
            del frame[rnd.randrange(14, len(frame) + 1):]
        elif kind < 0.4:
            frame += rnd.randbytes(rnd.randrange(1, 60))
        if kind > 0.25:
            for _ in range(rnd.choice((1, 1, 2, 5))):
                # Most damage where the headers are.
                at = rnd.randrange(12, min(len(frame), 130)) if len(frame) > 14 else 12
                if rnd.random() < 0.5:
                    frame[at] ^= 1 << rnd.randrange(8)
                else:
                    frame[at] = rnd.choice((0, 1, 4, 0x7F, 0x80, 0xFF, rnd.randrange(256)))
        return bytes(frame)

    def test_damaged_packets(self):
        print(f"FUZZ_SEED={SEED}", file=sys.stderr)
        rnd = random.Random(SEED)
        seen = {}
        for change in self.CONFIGS:
            config = self.config(change)
            packets = [self.damage(rnd, self.seeds(rnd))
                       for _ in range(PACKETS // len(self.CONFIGS))]
            answer = program.explain(config, packets)
            self.assertEqual(len(answer), len(packets))
            self.check_sum(answer)
            model = reference.Reference(config)
            for number, (frame, got) in enumerate(zip(packets, answer)):
                self.assertIn(got.verdict, program.VERDICTS)
                seen[got.verdict] = seen.get(got.verdict, 0) + 1
                want = model.judge(frame)
                with self.subTest(f"FUZZ_SEED={SEED} packet {number} {frame.hex()}"):
                    self.check_judgement(want, got)
                    self.check_bytes(config, frame, want, got)
        missing = {"not_tunnel", "outer_fragment", "malformed", "bad_vxlan", "unknown_vni",
                   "inner_not_ip", "truncated", "unmatched", "passed", "redirected",
                   "transmitted"} - set(seen)
        self.assertFalse(missing, f"the damage reaches too little: {seen}")
        self.assertNotIn("error", seen)

    def test_noise(self):
        """Frames of random bytes."""
        rnd = random.Random(SEED)
        packets = [rnd.randbytes(rnd.randrange(14, 200)) for _ in range(2000)]
        answer = program.explain(self.config(), packets)
        self.check_sum(answer)
        self.assertEqual({got.verdict for got in answer}, {"not_tunnel"})
