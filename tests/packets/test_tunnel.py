# SPDX-License-Identifier: GPL-2.0-only
"""Outer headers: which frames are the tunnel's, the kernel's, or refused."""

import struct

from lib import frames, reference
from lib.frames import (DESTINATION_OPTIONS, ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_QINQ, ETH_VLAN,
                        HOP_BY_HOP, ROUTING, UDP)
from lib.table import PacketTable, Row

MATCHED = frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"payload")
MATCHED6 = frames.udp("2001:db8::1", "2001:db8::2", 1000, 514, b"payload")
INNER = frames.inner(MATCHED)


def cut(frame, length):
    return frame[:length]


def patched(frame, at, data):
    return frame[:at] + data + frame[at + len(data):]


class OuterHeaders(PacketTable):
    def test_what_is_the_tunnels(self):
        tunnel, vlan, qinq = frames.tunnel, (ETH_VLAN, 5), (ETH_QINQ, 7)
        self.run_table(self.config(), [
            Row("IPv4 and UDP to the port", tunnel(INNER), "redirected", 1, ["nat_applied"],
                vni=1),
            Row("the inner packet may be IPv6", tunnel(frames.inner(MATCHED6)), "redirected", 2),
            Row("any UDP source port", tunnel(INNER, source_port=1), "redirected", 1),
            Row("an outer UDP checksum does no harm", tunnel(INNER, udp_checksum=None),
                "redirected", 1),
            Row("IPv4 options in the outer header", tunnel(INNER, options=b"\x01" * 8),
                "redirected", 1),
            Row("IPv4 header of 60 bytes", tunnel(INNER, options=b"\x01" * 40), "redirected", 1),
            Row("outer DF is no fragment", tunnel(INNER, df=True), "redirected", 1),
            Row("outer TTL of 1", tunnel(INNER, ttl=1), "redirected", 1),
            Row("one 802.1Q tag", tunnel(INNER, vlans=[vlan]), "redirected", 1),
            Row("one 802.1ad tag", tunnel(INNER, vlans=[qinq]), "redirected", 1),
            Row("802.1Q inside 802.1ad", tunnel(INNER, vlans=[qinq, vlan]), "redirected", 1),
            Row("802.1Q inside 802.1Q", tunnel(INNER, vlans=[vlan, vlan]), "redirected", 1),
            Row("a priority tag (VLAN 0)", tunnel(INNER, vlans=[(ETH_VLAN, 0xE000)]),
                "redirected", 1),
            Row("three tags are too many", tunnel(INNER, vlans=[qinq, vlan, vlan]), "not_tunnel"),
            Row("outer IPv6", tunnel(INNER, source="fd00::1", udp_checksum=None),
                "redirected", 1),
            Row("outer IPv6 with UDP checksum zero (RFC 6935)", tunnel(INNER, source="fd00::1"),
                "redirected", 1),
            Row("outer IPv6 in a VLAN", tunnel(INNER, source="fd00::1", vlans=[vlan]),
                "redirected", 1),
            Row("UDP behind hop-by-hop options",
                tunnel(INNER, source="fd00::1", extensions=[HOP_BY_HOP]), "redirected", 1),
            Row("UDP behind destination options",
                tunnel(INNER, source="fd00::1", extensions=[DESTINATION_OPTIONS]),
                "redirected", 1),
            Row("UDP behind both", tunnel(INNER, source="fd00::1",
                                          extensions=[HOP_BY_HOP, DESTINATION_OPTIONS]),
                "redirected", 1),
            Row("UDP behind six extension headers, as many as are followed",
                tunnel(INNER, source="fd00::1", extensions=[DESTINATION_OPTIONS] * 6),
                "redirected", 1),
            Row("UDP behind seven", tunnel(INNER, source="fd00::1",
                                           extensions=[DESTINATION_OPTIONS] * 7), "not_tunnel"),
        ])

    def test_what_is_the_kernels(self):
        tunnel = frames.tunnel
        plain = frames.ether
        arp = bytes.fromhex("0001080006040001") + bytes(20)
        self.run_table(self.config(), [
            Row("UDP to another port", tunnel(INNER, port=4790), "not_tunnel"),
            Row("the tunnel's port as the source", tunnel(INNER, port=53, source_port=4789),
                "not_tunnel"),
            Row("TCP to the tunnel's port",
                plain(frames.tcp("10.0.0.1", "10.0.0.2", 50000, 4789, b"x" * 60)), "not_tunnel"),
            Row("ICMP", plain(frames.ipv4(b"\x08\0" + bytes(40), 1, "10.0.0.1", "10.0.0.2")),
                "not_tunnel"),
            Row("ARP", plain(arp, ETH_ARP), "not_tunnel"),
            Row("ARP in a VLAN", plain(arp, ETH_ARP, vlans=[(ETH_VLAN, 5)]), "not_tunnel"),
            Row("LLDP", plain(bytes(60), 0x88CC), "not_tunnel"),
            Row("an 802.3 frame with a length for a type", plain(bytes(60), 60), "not_tunnel"),
            Row("TCP over IPv6", plain(frames.tcp("fd00::1", "fd00::2", 1, 4789, b"x" * 60),
                                       ETH_IPV6), "not_tunnel"),
            Row("ICMPv6 (neighbour discovery must work)",
                plain(frames.ipv6(b"\x87\0" + bytes(40), 58, "fd00::1", "fd00::2"), ETH_IPV6),
                "not_tunnel"),
            Row("UDP over IPv6 to another port", tunnel(INNER, source="fd00::1", port=4790),
                "not_tunnel"),
            Row("IPv6 without a next header",
                plain(frames.ipv6(b"", 59, "fd00::1", "fd00::2"), ETH_IPV6), "not_tunnel"),
            Row("a bare Ethernet header of IPv4", plain(b"", ETH_IPV4), "not_tunnel"),
            Row("a bare Ethernet header of IPv6", plain(b"", ETH_IPV6), "not_tunnel"),
            Row("a bare Ethernet header of a VLAN", plain(b"", ETH_VLAN), "not_tunnel"),
            Row("half a VLAN tag", plain(b"\0", ETH_VLAN), "not_tunnel"),
            Row("a VLAN tag and nothing", plain(b"\0\5\x08\0", ETH_VLAN), "not_tunnel"),
            Row("an IPv4 header cut short", cut(tunnel(INNER), 14 + 12), "not_tunnel"),
            Row("an IPv6 header cut short", cut(tunnel(INNER, source="fd00::1"), 14 + 33),
                "not_tunnel"),
        ])

    def test_another_port(self):
        self.run_table(self.config({"listen": {"port": 8472}}), [
            Row("the configured port", frames.tunnel(INNER, port=8472), "redirected", 1),
            Row("the usual port is another one now", frames.tunnel(INNER), "not_tunnel"),
            Row("bytes of the port are not swapped", frames.tunnel(INNER, port=0x1821),
                "not_tunnel"),
        ])

    def test_outer_fragments(self):
        whole = frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 1,
                                                      b"x" * 200)))
        datagram = whole[34:]

        def piece(offset, length, more):
            return frames.ether(frames.ipv4(datagram[offset:offset + length], UDP, "10.0.0.1",
                                            "10.0.0.2", mf=more, fragment_offset=offset))

        def piece6(offset, more, protocol=UDP, **fields):
            return frames.ether(frames.ipv6(datagram[offset:offset + 80], protocol, "fd00::1",
                                            "fd00::2", fragment=(offset, more, 77), **fields),
                                ETH_IPV6)
        self.run_table(self.config(), [
            Row("the first fragment", piece(0, 104, True), "outer_fragment"),
            Row("one in the middle", piece(104, 80, True), "outer_fragment"),
            Row("the last", piece(184, 400, False), "outer_fragment"),
            Row("a first fragment in a VLAN",
                piece(0, 104, True)[:12] + struct.pack("!HH", ETH_VLAN, 5) +
                piece(0, 104, True)[12:], "outer_fragment"),
            Row("the first fragment over IPv6", piece6(0, True), "outer_fragment"),
            Row("a later one over IPv6", piece6(80, True), "outer_fragment"),
            Row("the last one over IPv6", piece6(160, False), "outer_fragment"),
            Row("a later one whose header chain begins with options",
                piece6(80, True, extensions=[DESTINATION_OPTIONS]), "outer_fragment"),
            Row("a fragment of a datagram to another port is the kernel's too",
                frames.ether(frames.ipv4(patched(datagram, 2, b"\0\x35"), UDP, "10.0.0.1",
                                         "10.0.0.2", mf=True)), {"not_tunnel", "outer_fragment"}),
            Row("a fragment of something else is the kernel's too",
                frames.ether(frames.ipv4(bytes(80), 6, "10.0.0.1", "10.0.0.2", mf=True)),
                {"not_tunnel", "outer_fragment"}),
        ])

    def test_sources(self):
        tunnel = frames.tunnel
        config = self.config({"listen": {"sources": ["10.0.0.0/8", "192.0.2.7",
                                                     "fd00:1::/32", "172.16.4.0/23"]}})
        self.run_table(config, [
            Row("inside an IPv4 prefix", tunnel(INNER, source="10.255.255.255"), "redirected", 1),
            Row("the first address of a prefix", tunnel(INNER, source="10.0.0.0"),
                "redirected", 1),
            Row("a bare address is a prefix of 32 bits", tunnel(INNER, source="192.0.2.7"),
                "redirected", 1),
            Row("next to the bare address", tunnel(INNER, source="192.0.2.6"), "source_denied"),
            Row("just above the prefix", tunnel(INNER, source="11.0.0.0"), "source_denied"),
            Row("just below the prefix", tunnel(INNER, source="9.255.255.255"), "source_denied"),
            Row("a prefix that does not end at a byte", tunnel(INNER, source="172.16.5.255"),
                "redirected", 1),
            Row("one past it", tunnel(INNER, source="172.16.6.0"), "source_denied"),
            Row("inside the IPv6 prefix", tunnel(INNER, source="fd00:1:ffff::1"),
                "redirected", 1),
            Row("outside the IPv6 prefix", tunnel(INNER, source="fd00:2::1"), "source_denied"),
            Row("an IPv4 prefix allows no IPv6 source of the same first bytes",
                tunnel(INNER, source="a00::1"), "source_denied"),
            Row("nor an IPv4-mapped one", tunnel(INNER, source="::ffff:11.0.0.1"),
                "source_denied"),
            Row("the inner source counts for nothing",
                tunnel(frames.inner(frames.udp("10.1.1.1", "10.1.0.2", 1000, 1)),
                       source="8.8.8.8"), "source_denied"),
            Row("the source is looked at before the VXLAN header",
                tunnel(INNER, source="8.8.8.8", flags=0), "source_denied"),
            Row("traffic that is no tunnel's is not subject to it",
                tunnel(INNER, source="8.8.8.8", port=53), "not_tunnel"),
        ])
        self.run_table(self.config({"listen": {"sources": ["fd00:1::/32"]}}), [
            Row("only IPv6 prefixes: no IPv4 source", tunnel(INNER), "source_denied"),
            Row("only IPv6 prefixes: theirs", tunnel(INNER, source="fd00:1::1"), "redirected", 1),
        ])
        self.run_table(self.config({"listen": {"sources": ["0.0.0.0/0"]}}), [
            Row("0.0.0.0/0 is every IPv4 source", tunnel(INNER, source="8.8.8.8"),
                "redirected", 1),
            Row("and no IPv6 source", tunnel(INNER, source="fd00:1::1"), "source_denied"),
        ])
        self.run_table(self.config({"listen": {"sources": ["0.0.0.0/0", "::/0"]}}), [
            Row("both families: IPv4", tunnel(INNER, source="8.8.8.8"), "redirected", 1),
            Row("both families: IPv6", tunnel(INNER, source="fd00:1::1"), "redirected", 1),
        ])

    def test_lengths_that_contradict(self):
        tunnel = frames.tunnel
        carried = 8 + len(INNER)  # VXLAN header and frame
        self.run_table(self.config(), [
            Row("IPv4 total length beyond the frame",
                tunnel(INNER, total_length=28 + carried + 1), "malformed"),
            Row("IPv4 total length of 65535", tunnel(INNER, total_length=65535), "malformed"),
            Row("IPv4 total length without room for UDP", tunnel(INNER, total_length=27),
                "malformed"),
            Row("IPv4 total length of zero", tunnel(INNER, total_length=0), "malformed"),
            Row("UDP length beyond the IPv4 packet", tunnel(INNER, udp_length=8 + carried + 1),
                "malformed"),
            Row("UDP length beyond the IPv4 packet but within the frame",
                tunnel(INNER, udp_length=8 + carried + 4, trailer=bytes(8)), "malformed"),
            Row("UDP length of 65535", tunnel(INNER, udp_length=65535), "malformed"),
            Row("UDP length of zero", tunnel(INNER, udp_length=0), "malformed"),
            Row("UDP length smaller than its header", tunnel(INNER, udp_length=7), "malformed"),
            Row("a UDP header and nothing", tunnel(INNER, udp_length=8), "malformed"),
            Row("half a VXLAN header", tunnel(INNER, udp_length=15), "malformed"),
            Row("a VXLAN header and no frame", tunnel(INNER, udp_length=16), "malformed"),
            Row("too short for an inner Ethernet header", tunnel(INNER, udp_length=16 + 13),
                "malformed"),
            Row("an empty tunnel packet", tunnel(b""), "malformed"),
            Row("IPv6 payload length beyond the frame",
                tunnel(INNER, source="fd00::1", payload_length=8 + carried + 1), "malformed"),
            Row("UDP length beyond the IPv6 packet",
                tunnel(INNER, source="fd00::1", udp_length=8 + carried + 1), "malformed"),
            Row("IPv6 payload length without room for UDP",
                tunnel(INNER, source="fd00::1", payload_length=7), "malformed"),
            Row("the frame ends in the inner packet", cut(tunnel(INNER), 70), "malformed"),
            Row("the frame ends in the VXLAN header", cut(tunnel(INNER), 45), "malformed"),
            Row("options that reach beyond the total length",
                tunnel(INNER, ihl=15, total_length=40), {"malformed", "not_tunnel"}),
        ])

    def test_headers_that_are_no_ip_header(self):
        """Nobody can tell whether such frames belong to the tunnel: both verdicts are right."""
        either = {"not_tunnel", "malformed"}
        self.run_table(self.config(), [
            Row("IPv4 header length of 4 words", frames.tunnel(INNER, ihl=4), either),
            Row("IPv4 header length of 0", frames.tunnel(INNER, ihl=0), either),
            Row("IPv4 EtherType with version 6", frames.tunnel(INNER, version=6), either),
            Row("IPv6 EtherType with version 4",
                frames.tunnel(INNER, source="fd00::1", version=4), either),
            Row("IPv4 options beyond the frame", cut(frames.tunnel(INNER, ihl=15), 60), either),
            Row("the frame ends in the UDP header", cut(frames.tunnel(INNER), 39), either),
        ])

    def test_bytes_behind_the_datagram_do_not_leak(self):
        secret = b"SECRET-SECRET-SECRET"
        small = frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514))
        rows = [
            Row("Ethernet padding behind the IPv4 packet", frames.tunnel(INNER, trailer=secret),
                "redirected", 1, ["nat_applied", "trailer_cut"]),
            Row("behind the IPv6 packet",
                frames.tunnel(INNER, source="fd00::1", trailer=secret), "redirected", 1),
            Row("behind the UDP datagram but inside the IPv4 packet",
                frames.tunnel(INNER + secret, udp_length=16 + len(INNER)), "redirected", 1),
            Row("behind the UDP datagram but inside the IPv6 packet",
                frames.tunnel(INNER + secret, source="fd00::1", udp_length=16 + len(INNER)),
                "redirected", 1),
            Row("an inner frame shorter than Ethernet's minimum gets none of it",
                frames.tunnel(small, trailer=secret), "redirected", 1),
            Row("in a VLAN", frames.tunnel(INNER, vlans=[(ETH_VLAN, 5)], trailer=secret),
                "redirected", 1),
        ]
        for row, got in zip(rows, self.run_table(self.config(), rows)):
            with self.subTest(row.sentence):
                self.assertNotIn(secret[:4], b"".join(got.out))


class VxlanHeader(PacketTable):
    def test_flags_and_reserved_bits(self):
        tunnel = frames.tunnel
        self.run_table(self.config(), [
            Row("the I flag unset", tunnel(INNER, flags=0), "bad_vxlan"),
            Row("every flag but I", tunnel(INNER, flags=0xF7), "bad_vxlan"),
            Row("every flag", tunnel(INNER, flags=0xFF), "redirected", 1),
            Row("reserved bits behind the flags", tunnel(INNER, reserved1=0xFFFFFF),
                "redirected", 1, vni=1),
            Row("reserved bits behind the VNI", tunnel(INNER, reserved2=0xFF), "redirected", 1,
                vni=1),
            Row("a reserved bit is no I flag", tunnel(INNER, flags=0, reserved1=0x080000),
                "bad_vxlan"),
            Row("the I flag is looked at before the VNI", tunnel(INNER, flags=0, vni=7),
                "bad_vxlan"),
        ])

    def test_vnis(self):
        def table(known, unknown, config):
            return (self.config({"listen": {"vnis": config}}),
                    [Row(f"{config}: VNI {vni} is known", frames.tunnel(INNER, vni=vni),
                         "redirected", 1, vni=vni) for vni in known] +
                    [Row(f"{config}: VNI {vni} is not", frames.tunnel(INNER, vni=vni),
                         "unknown_vni", vni=vni) for vni in unknown])
        self.run_tables([
            table([1], [0, 2, 256, 65537, 0x010000, 0xFFFFFF], None),
            table([0], [1, 0xFFFFFF, 0x800000], [0]),
            table([0xFFFFFF], [0, 1, 0x7FFFFF, 0xFFFFFE], [16777215]),
            table([0, 5, 4096, 0xFFFFFF], [1, 4, 6, 4095, 0x100000, 0xFFFFFE],
                  [5, 16777215, 0, 4096]),
            table(range(100, 1000, 3), range(101, 1000, 3), list(range(100, 1000, 3))),
            table([100, 101, 150, 199], [0, 99, 200, 0xFFFFFF], list(range(100, 200))),
            table([0xFFFFFE, 0xFFFFFF], [0, 1, 0xFFFFFD], [0xFFFFFE, 0xFFFFFF]),
            table([7, 8, 9], [6, 10], [9, 8, 7]),
            table([0, 1, 77, 0x123456, 0xFFFFFF], [], "any")])

    def test_vni_default_is_one(self):
        config = self.config()
        self.assertNotIn("vnis", config["listen"])
        self.run_table(config, [
            Row("VNI 1", frames.tunnel(INNER, vni=1), "redirected", 1),
            Row("VNI 0", frames.tunnel(INNER, vni=0), "unknown_vni"),
        ])


class InnerFrame(PacketTable):
    def other_frames(self):
        inner = frames.inner
        return [("ARP", inner(bytes(28), ETH_ARP)),
                ("LLDP", inner(bytes(40), 0x88CC)),
                ("a VLAN tag (RFC 7348 6.1)", inner(MATCHED, vlans=[(ETH_VLAN, 5)])),
                ("an 802.1ad tag", inner(MATCHED, vlans=[(ETH_QINQ, 5)])),
                ("a bare Ethernet header", inner(b"", ETH_ARP)),
                ("MPLS", inner(bytes(4) + MATCHED, 0x8847))]

    def test_not_ip(self):
        tables = []
        for name, change in (
                ("default", {}),
                ("next_hop keep, unmatched drop", {"next_hop": "keep", "unmatched": "drop"}),
                ("next_hop keep, unmatched pass", {"next_hop": "keep", "unmatched": "pass"}),
                ("next_hop route, unmatched forward",
                 {"next_hop": "route", "unmatched": "forward"}),
                ("next_hop MAC, unmatched forward",
                 {"next_hop": "02:00:00:00:00:09", "unmatched": "forward"})):
            tables.append((self.config({"forward": change}), [
                Row(f"{name}: {what}", frames.tunnel(frame), "inner_not_ip", vni=1)
                for what, frame in self.other_frames()]))
        self.run_tables(tables)

    def test_not_ip_is_forwarded_as_it_is(self):
        config = self.config({"forward": {"next_hop": "keep", "unmatched": "forward"}})
        self.run_table(config, [Row(what, frames.tunnel(frame), "redirected", 0, [], out=frame)
                                for what, frame in self.other_frames()])
        single = self.config({"forward": {"next_hop": "keep", "unmatched": "forward",
                                          "interface": None}})
        self.run_table(single, [Row(f"single arm: {what}", frames.tunnel(frame), "transmitted",
                                    out=frame) for what, frame in self.other_frames()])

    def test_ipv4_headers(self):
        def packet(**fields):
            return frames.tunnel(frames.inner(
                frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"x" * 30, **fields), ETH_IPV4))
        self.run_table(self.config(), [
            Row("version 6 under the IPv4 EtherType", packet(version=6), "malformed", 0,
                ["inner_malformed"]),
            Row("version 0", packet(version=0), "malformed"),
            Row("header length of 4 words", packet(ihl=4), "malformed"),
            Row("header length of 0", packet(ihl=0), "malformed"),
            Row("total length smaller than the header", packet(total_length=19), "malformed"),
            Row("total length of zero", packet(total_length=0), "malformed"),
            Row("total length smaller than a header with options",
                packet(options=b"\x01" * 8, total_length=27), "malformed"),
            Row("half a header", frames.tunnel(frames.inner(MATCHED[:10])),
                {"malformed", "truncated"}),
            Row("no header at all", frames.tunnel(frames.inner(b"", ETH_IPV4)),
                {"malformed", "truncated"}),
            Row("options", packet(options=b"\x01" * 12), "redirected", 1),
            Row("a header of 60 bytes", packet(options=b"\x01" * 40), "redirected", 1),
            Row("a header checksum that is wrong is the receiver's business",
                packet(header_checksum=0x1111), "redirected", 1),
        ])

    def test_ipv6_headers(self):
        def packet(**fields):
            return frames.tunnel(frames.inner(
                frames.udp("2001:db8::1", "2001:db8::2", 1000, 514, b"x" * 30, **fields),
                ETH_IPV6))
        self.run_table(self.config(), [
            Row("version 4 under the IPv6 EtherType", packet(version=4), "malformed", 0,
                ["inner_malformed"]),
            Row("version 15", packet(version=15), "malformed"),
            Row("half a header", frames.tunnel(frames.inner(MATCHED6[:20])),
                {"malformed", "truncated"}),
            Row("no header at all", frames.tunnel(frames.inner(b"", ETH_IPV6)),
                {"malformed", "truncated"}),
            Row("traffic class and flow label are kept",
                packet(traffic_class=0xB8, flow=0x12345), "redirected", 2),
            Row("UDP behind hop-by-hop options", packet(extensions=[HOP_BY_HOP]),
                "redirected", 2),
            Row("UDP behind destination options", packet(extensions=[DESTINATION_OPTIONS]),
                "redirected", 2),
            Row("UDP behind a fragment header of a whole packet (RFC 6946)",
                packet(fragment=(0, False, 9)), "redirected", 2),
            Row("UDP behind six extension headers, as many as are followed",
                packet(extensions=[DESTINATION_OPTIONS] * 6), "redirected", 2),
            Row("UDP behind seven", packet(extensions=[DESTINATION_OPTIONS] * 7), "unmatched"),
            Row("UDP on its way through a segment: the address is not the final one",
                frames.tunnel(frames.inner(frames.ipv6(
                    b"\x11\0\xfd\x01" + bytes(4) + MATCHED6[40:], ROUTING,
                    "2001:db8::1", "2001:db8::2"))), "unmatched"),
            Row("an extension header beyond the packet",
                frames.tunnel(frames.inner(frames.ipv6(b"\x11\xff" + bytes(6), HOP_BY_HOP,
                                                       "2001:db8::1", "2001:db8::2"))),
                {"unmatched", "malformed"}),
        ])

    def truncated_frames(self):
        long = frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"x" * 300)
        long6 = frames.udp("2001:db8::1", "2001:db8::2", 1000, 514, b"x" * 300)
        late = frames.udp("10.1.0.1", "10.1.0.2", 77, 514, b"x" * 300)
        return [("IPv4 cut in the payload", frames.inner(long[:200]), 1),
                ("IPv4 cut by one byte", frames.inner(long[:-1]), 1),
                ("IPv4 cut behind the UDP header", frames.inner(long[:28]), 1),
                ("IPv6 cut in the payload", frames.inner(long6[:200]), 2),
                ("IPv6 cut behind the UDP header", frames.inner(long6[:48]), 2),
                ("TCP cut behind its header", frames.inner(frames.tcp(
                    "10.1.0.1", "10.1.0.2", 1000, 80, b"x" * 300)[:40]), 1),
                ("IPv4 that no rule matches", frames.inner(late[:200]), 0)]

    def test_truncated_is_dropped(self):
        cases = self.truncated_frames()
        for config in (self.config(), self.config({"inner": {"truncated": "drop"}})):
            self.run_table(config, [Row(what, frames.tunnel(frame), "truncated", 0,
                                        ["inner_truncated"], vni=1)
                                    for what, frame, _ in cases] + [
                Row("bytes behind the outer packet do not count as present",
                    frames.tunnel(cases[1][1], trailer=b"x" * 4), "truncated"),
                Row("not cut at all", frames.tunnel(INNER), "redirected", 1)])

    def test_truncated_is_forwarded(self):
        rows = [Row(what, frames.tunnel(frame), "redirected" if rule else "unmatched", rule,
                    ["inner_truncated", "nat_applied"] if rule else None)
                for what, frame, rule in self.truncated_frames()]
        rows.append(Row("cut inside the UDP header: no port to match", frames.tunnel(frames.inner(
            frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"x" * 300)[:27])), "unmatched"))
        rows.append(Row("cut inside the TCP header: no rule", frames.tunnel(frames.inner(
            frames.tcp("10.1.0.1", "10.1.0.2", 1000, 514, b"x" * 300)[:39])), "unmatched"))
        self.run_table(self.config({"inner": {"truncated": "forward"}}), rows)

    def test_truncated_is_passed(self):
        self.run_table(self.config({"inner": {"truncated": "pass"}}), [
            Row(f"{what}: as it is", frames.tunnel(frame), "passed", 0, ["inner_truncated"],
                out=frame) for what, frame, _ in self.truncated_frames()])


class SingleArm(PacketTable):
    def test_frames_leave_where_they_came_in(self):
        for forward in ({"interface": None}, {"interface": "rx0"}):
            self.run_table(self.config({"forward": forward}), [
                Row("IPv4", frames.tunnel(INNER), "transmitted", 1),
                Row("IPv6", frames.tunnel(frames.inner(MATCHED6)), "transmitted", 2),
                Row("outer IPv6", frames.tunnel(INNER, source="fd00::1"), "transmitted", 1),
                Row("what is not the tunnel's stays the kernel's",
                    frames.tunnel(INNER, port=53), "not_tunnel"),
            ])


class Reference(PacketTable):
    """The reference itself is tested against scapy."""

    def test_against_scapy(self):
        try:
            from scapy.layers.inet import IP, TCP, UDP as ScapyUDP  # pylint: disable=C0415
            from scapy.layers.inet6 import IPv6  # pylint: disable=C0415
        except ImportError as error:
            self.skipTest(f"scapy: {error}")
        for sentence, packet, target in (
                ("UDP over IPv4", MATCHED, IP), ("UDP over IPv6", MATCHED6, IPv6),
                ("TCP over IPv4", frames.tcp("10.1.0.1", "10.1.0.2", 1000, 80, b"odd"), IP),
                ("TCP over IPv6", frames.tcp("2001:db8::1", "2001:db8::2", 1000, 80, b"odd"),
                 IPv6)):
            with self.subTest(sentence):
                want = reference.Reference(self.config()).judge(
                    frames.tunnel(frames.inner(packet)))
                rewritten = target(packet)
                rewritten.dst = "192.0.2.9" if target is IP else "2001:db8::9"
                layer = rewritten[ScapyUDP if ScapyUDP in rewritten else TCP]
                layer.dport = 8081
                del layer.chksum
                if target is IP:
                    del rewritten.chksum
                self.assertEqual(want.out[14:].hex(), bytes(rewritten).hex())
                self.assertEqual(bytes(target(packet)).hex(), packet.hex())
