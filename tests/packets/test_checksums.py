# SPDX-License-Identifier: GPL-2.0-only
"""Checksums after rewriting: valid stays valid, invalid stays as invalid as it was (RFC 1624)."""

import random
import struct

from lib import frames, program, reference
from lib.table import PacketTable, Row, valid_checksums

SOURCE, DESTINATION = "10.1.0.1", "10.1.0.2"
SOURCE6, DESTINATION6 = "2001:db8::1", "2001:db8::2"


def udp_checksum_of(frame):
    """The UDP checksum of an inner frame without IP options or extension headers."""
    at = 40 if frame[12:14] == b"\x08\0" else 60
    return struct.unpack_from("!H", frame, at)[0]


class Checksums(PacketTable):
    def rows(self, packets, verdict="redirected"):
        return [Row(sentence, frames.tunnel(frames.inner(packet)), verdict,
                    1 if packet[0] >> 4 == 4 else 2) for sentence, packet in packets]

    def packets(self):
        return [
            ("UDP, even length", frames.udp(SOURCE, DESTINATION, 1000, 514, b"even")),
            ("UDP, odd length", frames.udp(SOURCE, DESTINATION, 1000, 514, b"odd")),
            ("UDP, no payload", frames.udp(SOURCE, DESTINATION, 1000, 514)),
            ("UDP, one byte", frames.udp(SOURCE, DESTINATION, 1000, 514, b"\xff")),
            ("UDP, IP options", frames.udp(SOURCE, DESTINATION, 1000, 514, b"opt",
                                           options=bytes.fromhex("94040000"))),
            ("UDP, 60-byte IP header", frames.udp(SOURCE, DESTINATION, 1000, 514, b"opt",
                                                  options=b"\x01" * 40)),
            ("TCP, even length", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"even")),
            ("TCP, odd length", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"odd")),
            ("TCP, no payload", frames.tcp(SOURCE, DESTINATION, 1000, 80)),
            ("TCP with options", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"x",
                                            tcp_options=bytes.fromhex("020405b401010101"))),
            ("TCP behind IP options", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"x",
                                                 options=b"\x01" * 12)),
            ("UDP over IPv6", frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"even")),
            ("UDP over IPv6, odd length", frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"odd")),
            ("TCP over IPv6", frames.tcp(SOURCE6, DESTINATION6, 1000, 80, b"odd")),
        ]

    def test_valid_stays_valid(self):
        rows = self.rows(self.packets())
        for row, got in zip(rows, self.run_table(self.config(), rows)):
            with self.subTest(row.sentence):
                self.assertTrue(valid_checksums(got.out[0][14:]), got)

    def test_valid_stays_valid_without_a_port(self):
        config = self.config({"nat": [{"match": {"source_port": 1000}, "to": "192.0.2.9"},
                                      {"match": {"source_port": 1000}, "to": "2001:db8::9"}]})
        rows = self.rows(self.packets())
        for row, got in zip(rows, self.run_table(config, rows)):
            with self.subTest(row.sentence):
                self.assertTrue(valid_checksums(got.out[0][14:]), got)

    def test_invalid_is_updated_all_the_same(self):
        """Checksums are updated, not computed anew: the receiver still sees the damage."""
        packets = [
            ("UDP", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x", udp_checksum=0x1234)),
            ("UDP, 0xffff", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                       udp_checksum=0xFFFF)),
            ("UDP over IPv6", frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"x",
                                         udp_checksum=0x1234)),
            ("TCP", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"x", tcp_checksum=0xABCD)),
            ("TCP, zero is a value like any other",
             frames.tcp(SOURCE, DESTINATION, 1000, 80, b"x", tcp_checksum=0)),
            ("TCP, 0xffff", frames.tcp(SOURCE, DESTINATION, 1000, 80, b"x",
                                       tcp_checksum=0xFFFF)),
            ("TCP over IPv6", frames.tcp(SOURCE6, DESTINATION6, 1000, 80, b"x",
                                         tcp_checksum=1)),
            ("IPv4 header", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                       header_checksum=0x4242)),
            ("IPv4 header, zero", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                             header_checksum=0)),
            ("IPv4 header, 0xffff", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                               header_checksum=0xFFFF)),
        ]
        rows = self.rows(packets)
        for row, got in zip(rows, self.run_table(self.config(), rows)):
            with self.subTest(row.sentence):
                self.assertFalse(valid_checksums(got.out[0][14:]), got)

    def test_udp_checksum_of_zero_stays_zero(self):
        """Zero means none: over IPv4 by RFC 768, over IPv6 by RFC 6935 and RFC 8200, 8.1."""
        none = {"udp_checksum": 0}
        two = frames.udp_segment(SOURCE6, DESTINATION6, 1000, 514, b"x" * 64, **none)
        cut = frames.udp(SOURCE, DESTINATION, 1000, 514, b"x" * 64, **none)[:-9]
        cut6 = frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"x" * 64, **none)[:-9]
        rows = (
            ("IPv4", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x", **none)),
            ("IPv4, no payload", frames.udp(SOURCE, DESTINATION, 1000, 514, **none)),
            ("IPv4, IP options", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                            options=b"\x01" * 40, **none)),
            ("IPv4, a first fragment", frames.ipv4(two[:32], frames.UDP, SOURCE, DESTINATION,
                                                   mf=True)),
            ("IPv4, truncated", cut),
            ("IPv6", frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"x", **none)),
            ("IPv6, no payload", frames.udp(SOURCE6, DESTINATION6, 1000, 514, **none)),
            ("IPv6, extension headers", frames.udp(SOURCE6, DESTINATION6, 1000, 514, b"x",
                                                   extensions=[0, 60, 43, 60], **none)),
            ("IPv6, a first fragment", frames.ipv6(two[:32], frames.UDP, SOURCE6, DESTINATION6,
                                                   fragment=(0, True, 7))),
            ("IPv6, a fragment that is whole", frames.ipv6(two, frames.UDP, SOURCE6, DESTINATION6,
                                                           fragment=(0, False, 7))),
            ("IPv6, a first fragment behind options", frames.ipv6(
                two[:32], frames.UDP, SOURCE6, DESTINATION6, extensions=[0],
                fragment=(0, True, 8))),
            ("IPv6, truncated", cut6),
        )
        targets = (("192.0.2.9:8081", "[2001:db8::9]:8081"), ("192.0.2.9", "2001:db8::9"))
        for mode in ("update", "zero", "preserve"):
            for four, six in targets:
                config = self.config({
                    "nat": [{"match": {"source_port": 1000}, "to": four},
                            {"match": {"source_port": 1000}, "to": six}],
                    "inner": {"udp_checksum": mode, "truncated": "forward"}})
                table = self.rows([(f"{mode}, to {four}: {sentence}", packet)
                                   for sentence, packet in rows])
                for row, got in zip(table, self.run_table(config, table)):
                    with self.subTest(row.sentence):
                        at = got.out[0].index(struct.pack(
                            "!HH", 1000, 8081 if ":8081" in four else 514))
                        self.assertEqual(got.out[0][at + 6:at + 8], b"\0\0")

    def test_udp_lite_is_not_udp(self):
        """RFC 3828: another protocol, whose checksum may not be zero. No rule is for it."""
        packets = [(f"IPv{version}, checksum {checksum:#x}", frames.ip(
            frames.udp_segment(*ends, 1000, 514, b"x" * 40, udp_length=8, udp_checksum=checksum),
            136, *ends)) for version, ends in ((4, (SOURCE, DESTINATION)),
                                               (6, (SOURCE6, DESTINATION6)))
            for checksum in (0, 0x1234)]
        for mode in ("update", "zero"):
            config = self.config({"forward": {"unmatched": "forward"},
                                  "inner": {"udp_checksum": mode}})
            rows = [Row(f"{mode}: {sentence}", frames.tunnel(frames.inner(packet)), "redirected",
                        0, [], frames.inner(packet)) for sentence, packet in packets]
            self.run_table(config, rows)

    def test_modes(self):
        packets = self.packets() + [("bad UDP", frames.udp(SOURCE, DESTINATION, 1000, 514, b"x",
                                                           udp_checksum=0x1234))]
        rows = self.rows(packets)
        for mode in ("update", "zero", "preserve"):
            answer = self.run_table(self.config({"inner": {"udp_checksum": mode}}), rows)
            for row, got, (_, packet) in zip(rows, answer, packets):
                if packet[0] != 0x45 or packet[9] != frames.UDP:
                    continue
                with self.subTest(f"{mode}: {row.sentence}"):
                    before, after = (udp_checksum_of(frames.inner(packet)),
                                     udp_checksum_of(got.out[0]))
                    if mode == "zero":
                        self.assertEqual(after, 0)
                    elif mode == "preserve":
                        self.assertEqual(after, before)
                    else:
                        self.assertNotIn(after, (0, before))

    def test_no_checksum_is_taken_out_over_ipv6(self):
        """`zero` behaves as `update` there: receivers drop what has none (RFC 8200, 8.1)."""
        packets = [p for p in self.packets() if p[1][0] >> 4 == 6]
        rows = self.rows(packets)
        for row, got in zip(rows, self.run_table(self.config({"inner": {"udp_checksum": "zero"}}),
                                                 rows)):
            with self.subTest(row.sentence):
                self.assertTrue(valid_checksums(got.out[0][14:]), got)

    def computed_zero(self, source, destination, target, version):
        """Searches for a packet whose checksum is zero after rewriting."""
        config = self.config()
        for filler in range(65536):
            packet = frames.udp(source, destination, 1000, 514, struct.pack("!HH", filler, 7))
            after = frames.udp_segment(source, target, 1000, 8081,
                                       struct.pack("!HH", filler, 7))
            if after[6:8] == b"\xff\xff":
                want = reference.Reference(config).judge(frames.tunnel(frames.inner(packet)))
                self.assertEqual(udp_checksum_of(want.out), 0xFFFF, f"IPv{version}")
                return packet
        raise AssertionError("there is one in every 65536")

    def test_computed_zero_becomes_ffff(self):
        packets = [("IPv4", self.computed_zero(SOURCE, DESTINATION, "192.0.2.9", 4)),
                   ("IPv6", self.computed_zero(SOURCE6, DESTINATION6, "2001:db8::9", 6))]
        for got in self.run_table(self.config(), self.rows(packets)):
            self.assertEqual(udp_checksum_of(got.out[0]), 0xFFFF)
            self.assertTrue(valid_checksums(got.out[0][14:]))

    def test_tcp_checksum_of_zero_stays_zero(self):
        """A TCP checksum of zero has no special meaning, unlike UDP's."""
        for filler in range(65536):
            payload = struct.pack("!HH", filler, 7)
            if frames.tcp_segment(SOURCE, "192.0.2.9", 1000, 8081, payload)[16:18] == b"\0\0":
                break
        answer = self.run_table(self.config(), self.rows(
            [("TCP", frames.tcp(SOURCE, DESTINATION, 1000, 80, payload))]))
        self.assertEqual(answer[0].out[0][50:52], b"\0\0")
        self.assertTrue(valid_checksums(answer[0].out[0][14:]))

    def test_random(self):
        """3,000 packets of every kind with valid checksums, through sixteen targets."""
        random_source = random.Random(1624)
        rules = []
        for number in range(8):
            rules.append({"match": {"source_port": 1000 + number},
                          "to": f"{frames_address(random_source, 4)}:"
                                f"{random_source.randrange(1, 65536)}"})
            rules.append({"match": {"source_port": 1000 + number},
                          "to": f"[{frames_address(random_source, 6)}]:"
                                f"{random_source.randrange(1, 65536)}"})
        config = self.config({"nat": rules, "inner": {"clear_df_above": 300}})
        packets = []
        for _ in range(3000):
            version = random_source.choice((4, 4, 6))
            maker = random_source.choice((frames.udp, frames.tcp))
            fields = {}
            if version == 4:
                fields = {"ident": random_source.choice((0, 1, 0xFFFF,
                                                         random_source.getrandbits(16))),
                          "df": random_source.random() < 0.5,
                          "ttl": random_source.randrange(256),
                          "tos": random_source.randrange(256),
                          "options": b"\x01" * random_source.choice((0, 0, 4, 20, 40))}
            else:
                fields = {"hop_limit": random_source.randrange(256),
                          "traffic_class": random_source.randrange(256),
                          "flow": random_source.getrandbits(20)}
            packets.append(frames.tunnel(frames.inner(maker(
                frames_address(random_source, version), frames_address(random_source, version),
                1000 + random_source.randrange(8), random_source.randrange(65536),
                random_source.randbytes(random_source.randrange(600)), **fields))))
        answer = program.explain(config, packets)
        model = reference.Reference(config)
        for number, (packet, got) in enumerate(zip(packets, answer)):
            want = model.judge(packet)
            with self.subTest(f"packet {number}"):
                self.check_judgement(want, got)
                self.check_bytes(config, packet, want, got)
                self.assertTrue(valid_checksums(got.out[0][14:]), got)


def frames_address(random_source, version):
    if version == 4:
        return ".".join(str(random_source.randrange(1, 224)) for _ in range(4))
    return "2001:db8:" + ":".join(f"{random_source.getrandbits(16):x}" for _ in range(6))
