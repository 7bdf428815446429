# SPDX-License-Identifier: GPL-2.0-only
"""Inner fragments: later ones follow the decision made for the first."""

import struct
import time

from lib import frames, program
from lib.frames import TCP, UDP
from lib.table import PacketTable, Row

V4, V6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")
LATER = ["fragment_followed", "nat_applied"]
ORPHAN = ["fragment_orphaned"]
LIFETIME = 30  # seconds: FRAGMENT_LIFETIME_NS


def pieces(source_port=1000, *, ident=0x4321, size=64, vni=1, addresses=V4, protocol=UDP,
           length=200, **fields):
    """The tunnel frames of a fragmented datagram, first to last."""
    maker = frames.udp_segment if protocol == UDP else frames.tcp_segment
    segment = maker(*addresses, source_port, 514, bytes(range(length)))
    result = []
    for offset in range(0, len(segment), size):
        more = offset + size < len(segment)
        part = segment[offset:offset + size]
        if ":" not in addresses[0]:
            packet = frames.ipv4(part, protocol, *addresses, ident=ident, mf=more,
                                 fragment_offset=offset, **fields)
        else:
            packet = frames.ipv6(part, protocol, *addresses, fragment=(offset, more, ident),
                                 **fields)
        result.append(frames.tunnel(frames.inner(packet), vni=vni))
    return result


class InnerFragments(PacketTable):
    def test_later_ones_follow_the_first(self):
        for name, fields, rule in (("UDP", {}, 1), ("TCP", {"protocol": TCP}, 1),
                                   ("IP options", {"options": b"\x01" * 8}, 1),
                                   ("IPv6", {"addresses": V6}, 2),
                                   ("TCP over IPv6", {"addresses": V6, "protocol": TCP}, 2),
                                   ("IPv6 with options", {"addresses": V6, "extensions": [60]},
                                    2)):
            first, *later = pieces(**fields)
            rows = [Row(f"{name}: first", first, "redirected", rule, ["nat_applied"])]
            rows += [Row(f"{name}: later {number}: address only", frame, "redirected", rule,
                         LATER) for number, frame in enumerate(later, 1)]
            self.run_table(self.config(), rows)

    def test_fragment_header_of_a_whole_packet_within_the_first(self):
        """RFC 6946: a fragment header inside the first fragment does not identify its datagram."""
        segment = frames.udp_segment(*V6, 1000, 514, b"x" * 40)
        atomic = struct.pack("!BBHI", UDP, 0, 0, 99)
        rows = [frames.tunnel(frames.inner(frames.ipv6(part, protocol, *V6, fragment=fragment)))
                for part, protocol, fragment in
                ((atomic + segment[:24], frames.FRAGMENT, (0, True, 7)),
                 (segment[24:], frames.FRAGMENT, (32, False, 7)),
                 (segment[24:], frames.FRAGMENT, (32, False, 99)))]
        self.run_table(self.config(), [
            Row("the first", rows[0], "redirected", 2, ["nat_applied"]),
            Row("a later one of its ID", rows[1], "redirected", 2, LATER),
            Row("a later one of the header's within", rows[2], "unmatched", 0, ORPHAN)])

    def test_order_and_repetition(self):
        first, second, third, last = pieces()
        self.run_table(self.config(), [
            Row("a later one before the first is not known", third, "unmatched", 0, ORPHAN),
            Row("the first", first, "redirected", 1),
            Row("the last may come early", last, "redirected", 1, LATER),
            Row("the second", second, "redirected", 1, LATER),
            Row("the one that had come too early, again", third, "redirected", 1, LATER),
            Row("a repeated first", first, "redirected", 1, ["nat_applied"]),
            Row("a repeated later one", second, "redirected", 1, LATER)])

    def test_later_ones_alone(self):
        for mode, verdict in (("drop", "unmatched"), ("forward", "redirected"),
                              ("pass", "passed")):
            config = self.config({"forward": {"unmatched": mode}})
            self.run_table(config, [
                Row(f"{mode}: IPv4", pieces()[1], verdict, 0, ORPHAN),
                Row(f"{mode}: the last", pieces(ident=9)[-1], verdict, 0, ORPHAN),
                Row(f"{mode}: IPv6", pieces(addresses=V6)[1], verdict, 0, ORPHAN)])

    def test_later_ones_without_rules(self):
        """Where there are no rules, nothing is lost with the first."""
        config = self.config({"nat": [], "forward": {"unmatched": "forward"}})
        self.run_table(config, [Row("IPv4", pieces()[1], "redirected", 0, []),
                                Row("IPv6", pieces(addresses=V6)[1], "redirected", 0, [])])

    def test_first_without_a_rule(self):
        """Its later ones are no orphans: the first was seen, and no rule is for it."""
        for mode, verdict in (("drop", "unmatched"), ("forward", "redirected"),
                              ("pass", "passed")):
            config = self.config({"forward": {"unmatched": mode}})
            for name, addresses in (("IPv4", V4), ("IPv6", V6)):
                self.run_table(config, [
                    Row(f"{mode}: {name}, piece {number}", frame, verdict, 0, [])
                    for number, frame in enumerate(pieces(77, addresses=addresses))])

    def test_first_that_the_rules_did_not_see(self):
        """It was truncated, and dropped for it: nothing is known of it."""
        first, later, *_ = pieces()
        self.run_table(self.config(), [
            Row("the first", frames.tunnel(first[50:-1]), "truncated"),
            Row("a later one", later, "unmatched", 0, ORPHAN)])

    def test_forgotten(self):
        """
        16,384 decisions are kept. Whose were pushed out, their later fragments say so; what no rule
        matches takes none of the places.
        """
        storm = [frames.tunnel(frames.inner(frames.ipv4(
            frames.udp_segment(*V4, port, 514), UDP, "10.1.0.3", "10.1.0.2", ident=ident, mf=True)))
            for port in (77, 1000) for ident in range(20000)]
        one, other, started = pieces(ident=1), pieces(ident=2), time.monotonic()
        answer = program.explain(self.config(), [
            one[0], *storm[:20000], one[1], other[0], *storm[20000:], other[1]])
        took = time.monotonic() - started
        if took > LIFETIME:
            self.skipTest(f"40,000 packets took {took:.0f} s here, more than decisions are kept for")
        for name, got, rule, events in (("behind unmatched ones", answer[20001], 1, LATER),
                                        ("behind matched ones", answer[-1], 0, ORPHAN)):
            with self.subTest(name):
                self.assertEqual((got.rule, got.events), (rule, set(events)))
        self.assertEqual(answer.verdicts["unmatched"], 20001)

    def test_datagrams_are_not_confused(self):
        """A later fragment that differs in any part of the identity belongs to another datagram."""
        first, later, *_ = pieces()
        other_source = ("10.1.0.3", "10.1.0.2")
        self.run_table(self.config({"listen": {"vnis": [1, 2]}}), [
            Row("the first", first, "redirected", 1),
            Row("another ID", pieces(ident=0x4322)[1], "unmatched", 0, ORPHAN),
            Row("another protocol", pieces(protocol=TCP)[1], "unmatched", 0, ORPHAN),
            Row("another VNI", pieces(vni=2)[1], "unmatched", 0, ORPHAN),
            Row("another source", frames.tunnel(frames.inner(frames.ipv4(
                bytes(64), UDP, *other_source, ident=0x4321, mf=True, fragment_offset=64))),
                "unmatched", 0, ORPHAN),
            Row("another destination", frames.tunnel(frames.inner(frames.ipv4(
                bytes(64), UDP, "10.1.0.1", "10.1.0.4", ident=0x4321, mf=True,
                fragment_offset=64))), "unmatched", 0, ORPHAN),
            Row("IPv6 of the same ID", pieces(addresses=V6)[1], "unmatched", 0, ORPHAN),
            Row("its own", later, "redirected", 1, LATER)])

    def test_an_id_used_again(self):
        """IDs wrap: the newest first fragment decides."""
        config = self.config({"nat": [{"match": {"source_port": 1000}, "to": "192.0.2.1:1"},
                                      {"match": {"source_port": 2000}, "to": "192.0.2.2:2"}]})
        self.run_table(config, [
            Row("first to rule 1", pieces(1000)[0], "redirected", 1),
            Row("follows rule 1", pieces(1000)[1], "redirected", 1, LATER),
            Row("the ID again, to rule 2", pieces(2000)[0], "redirected", 2),
            Row("follows rule 2", pieces(2000)[1], "redirected", 2, LATER),
            Row("the ID again, and no rule", pieces(3000)[0], "unmatched"),
            Row("follows no rule", pieces(3000)[1], "unmatched", 0, []),
            Row("rule 1 once more", pieces(1000)[0], "redirected", 1),
            Row("follows it", pieces(1000)[1], "redirected", 1, LATER)])

    def test_interleaved(self):
        """A hundred datagrams, all first fragments before all later ones."""
        config = self.config({"nat": [{"match": {"source_port": 1000 + n},
                                       "to": f"192.0.2.{n + 1}:{n + 1}"} for n in range(50)]})
        firsts = [pieces(1000 + n % 50, ident=n + 1) for n in range(100)]
        rows = [Row(f"first of {n}", frame[0], "redirected", n % 50 + 1, ["nat_applied"])
                for n, frame in enumerate(firsts)]
        rows += [Row(f"second of {n}", frame[1], "redirected", n % 50 + 1, LATER)
                 for n, frame in reversed(list(enumerate(firsts)))]
        self.run_table(config, rows)

    def test_small_and_odd_pieces(self):
        tiny_tcp = frames.tcp_segment(*V4, 1000, 514, b"x" * 60)
        self.run_table(self.config(), [
            Row("a first fragment of just the UDP header", pieces(size=8, length=30)[0],
                "redirected", 1),
            Row("and the next", pieces(size=8, length=30)[1], "redirected", 1, LATER),
            Row("a first fragment without the whole TCP header: no rule (RFC 1858)",
                frames.tunnel(frames.inner(frames.ipv4(tiny_tcp[:16], TCP, *V4, ident=7,
                                                       mf=True))), "unmatched"),
            Row("and what follows it", frames.tunnel(frames.inner(frames.ipv4(
                tiny_tcp[16:], TCP, *V4, ident=7, fragment_offset=16))), "unmatched", 0, []),
            Row("later fragment at the largest offset", frames.tunnel(frames.inner(frames.ipv4(
                b"x" * 7, UDP, *V4, ident=8, fragment_offset=65528))), "unmatched", 0, ORPHAN),
            Row("ICMP fragments match nothing either", frames.tunnel(frames.inner(frames.ipv4(
                b"\x08\0" + bytes(62), 1, *V4, ident=9, mf=True))), "unmatched"),
            Row("later ICMP fragment", frames.tunnel(frames.inner(frames.ipv4(
                bytes(64), 1, *V4, ident=9, fragment_offset=64))), "unmatched", 0, [])])

    def test_checksum_modes(self):
        """The first fragment carries the UDP checksum; later ones have none to be touched."""
        for mode in ("update", "zero", "preserve"):
            first, later, *_ = pieces()
            self.run_table(self.config({"inner": {"udp_checksum": mode}}), [
                Row(f"{mode}: first", first, "redirected", 1, ["nat_applied"]),
                Row(f"{mode}: later", later, "redirected", 1, LATER)])

    def test_whole_datagram_arrives(self):
        """What leaves reassembles to the rewritten datagram with a valid checksum."""
        from lib.reference import reassemble  # pylint: disable=C0415
        from lib.table import valid_checksums  # pylint: disable=C0415
        rows = [Row(f"piece {n}", frame, "redirected", 1) for n, frame in enumerate(pieces())]
        answer = self.run_table(self.config(), rows)
        whole = reassemble([got.out[0][14:] for got in answer])
        self.assertTrue(valid_checksums(whole))
        self.assertEqual(whole[16:24], bytes([192, 0, 2, 9]) + (1000).to_bytes(2, "big") +
                         (8081).to_bytes(2, "big"))
        self.assertEqual(whole[28:], bytes(range(200)))
