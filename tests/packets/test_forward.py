# SPDX-License-Identifier: GPL-2.0-only
"""What happens to packets that leave: DF, IDs, TTL, size, next hop."""

import struct

from lib import frames, kernel, program, reference
from lib.table import PacketTable, Row, valid_checksums

V4, V6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")


def sized(length, source_port=1000, addresses=V4, **fields):
    """A UDP packet of `length` bytes, IP header included."""
    header = (20 + len(fields.get("options", b"")) if addresses is V4 else 40) + 8
    return frames.udp(*addresses, source_port, 514, b"x" * (length - header), **fields)


def row(sentence, packet, verdict, rule=1, events=None, trailer=b""):
    return Row(sentence, frames.tunnel(frames.inner(packet) + trailer), verdict, rule, events)


# What is larger than forward.mtu. Before Linux 5.14 only the kernel fragments, to the MTU of its interface,
# which is larger than forward.mtu here.
CUT = "fragmented" if kernel.copies_frames() else "oversize"


class DontFragment(PacketTable):
    BASE = dict(PacketTable.BASE, forward={"interface": "tx0", "next_hop": "keep", "mtu": 3000})

    def test_threshold(self):
        both, cleared = ["nat_applied", "df_cleared"], ["nat_applied"]
        for threshold, config in ((1400, self.config()),
                                  (1000, self.config({"inner": {"clear_df_above": 1000}})),
                                  (576, self.config({"inner": {"clear_df_above": 576}}))):
            self.run_table(config, [
                row(f"{threshold}: exactly at it", sized(threshold, df=True), "redirected", 1,
                    cleared),
                row(f"{threshold}: one above", sized(threshold + 1, df=True), "redirected", 1,
                    both),
                row(f"{threshold}: far above", sized(2500, df=True), "redirected", 1, both),
                row(f"{threshold}: above, DF unset", sized(threshold + 1), "redirected", 1,
                    cleared),
                row(f"{threshold}: small, DF set", sized(100, df=True), "redirected", 1, cleared),
                row(f"{threshold}: options count", sized(threshold + 1, df=True,
                                                         options=b"\x01" * 20),
                    "redirected", 1, both),
                row(f"{threshold}: IPv6 has no DF", sized(threshold + 1, addresses=V6),
                    "redirected", 2, ["nat_applied"]),
                row(f"{threshold}: padding does not count", sized(threshold, df=True),
                    "redirected", 1, cleared, trailer=bytes(30)),
            ])

    def test_never(self):
        self.run_table(self.config({"inner": {"clear_df_above": "never"}}), [
            row("any size", sized(2900, df=True), "redirected", 1, ["nat_applied"]),
            row("ID 0 stays", sized(2900, df=True, ident=0), "redirected", 1, ["nat_applied"])])

    def test_threshold_zero(self):
        self.run_table(self.config({"inner": {"clear_df_above": 68}}), [
            row("a low threshold", sized(69, df=True), "redirected", 1,
                ["nat_applied", "df_cleared"])])

    def test_identification(self):
        every = ["nat_applied", "df_cleared", "id_assigned"]
        answer = self.run_table(self.config(), [
            row("ID 0 gets a fresh one", sized(1500, df=True, ident=0), "redirected", 1, every),
            row("another ID 0, odd length", sized(1501, df=True, ident=0), "redirected", 1,
                every),
            row("with options", sized(1500, df=True, ident=0, options=b"\x01" * 12),
                "redirected", 1, every),
            row("ID 1 is kept", sized(1500, df=True, ident=1), "redirected", 1, every[:2]),
            row("ID 0xffff is kept", sized(1500, df=True, ident=0xFFFF), "redirected", 1,
                every[:2]),
            row("ID 0 without DF is the sender's", sized(1500, ident=0), "redirected", 1,
                every[:1]),
            row("ID 0 below the threshold", sized(1400, df=True, ident=0), "redirected", 1,
                every[:1]),
            Row("a first fragment with DF keeps its ID of 0, or its pieces part",
                frames.tunnel(frames.inner(frames.ipv4(
                    frames.udp_segment(*V4, 1000, 514, b"x" * 1480), 17, *V4, ident=0, df=True,
                    mf=True))), "redirected", 1, every[:2]),
            Row("and so does its last", frames.tunnel(frames.inner(frames.ipv4(
                b"x" * 1480, 17, *V4, ident=0, df=True, fragment_offset=1488))), "redirected", 1,
                every[:2] + ["fragment_followed"]),
        ])
        for got in answer[:7]:
            self.assertTrue(valid_checksums(got.out[0][14:]), got)

    def test_fresh_ids_differ(self):
        """A receiver may have to tell apart as many datagrams of one pair of hosts."""
        packets = [frames.tunnel(frames.inner(sized(1500, df=True, ident=0)))
                   for _ in range(2000)]
        idents = [struct.unpack_from("!H", got.out[0], 18)[0]
                  for got in program.explain(self.config(), packets)]
        self.assertNotIn(0, idents)
        self.assertEqual(len(set(idents)), len(idents), "no ID comes twice")

    def test_unmatched_too(self):
        config = self.config({"forward": {"unmatched": "forward"}})
        self.run_table(config, [
            row("forwarded without a rule", sized(1500, 77, df=True, ident=0), "redirected", 0,
                ["df_cleared", "id_assigned"]),
            row("small", sized(900, 77, df=True, ident=0), "redirected", 0, [])])


class TimeToLive(PacketTable):
    def test_stays_as_captured(self):
        for forward in ({}, {"next_hop": "route"}, {"unmatched": "forward"}):
            rule = 0 if "unmatched" in forward else 1
            port = 77 if "unmatched" in forward else 1000
            verdict = "redirected"
            rows = [row(f"{forward} TTL {ttl}", sized(100, port, ttl=ttl), verdict, rule)
                    for ttl in (0, 1, 2, 64, 255)]
            rows += [row(f"{forward} hop limit {hops}",
                         sized(100, port, addresses=V6, hop_limit=hops), verdict, rule * 2)
                     for hops in (0, 1, 64, 255)]
            rows += [row(f"{forward} TOS {tos}", sized(100, port, tos=tos), verdict, rule)
                     for tos in (0xB8, 3, 255)]
            answer = self.run_table(self.config({"forward": forward}), rows)
            for got, ttl in zip(answer, (0, 1, 2, 64, 255)):
                self.assertEqual(got.out[0][22], ttl)

    def test_passed(self):
        """A packet whose TTL the kernel would find exceeded may be dropped instead of passed."""
        self.run_table(self.config({"forward": {"unmatched": "pass"}}), [
            row(f"{ttl}", sized(100, 77, ttl=ttl), verdict, 0)
            for ttl, verdict in ((2, "passed"), (64, "passed"), (255, "passed"),
                                 (0, {"passed", "no_route"}), (1, {"passed", "no_route"}))])


class Size(PacketTable):
    def test_exactly_the_mtu(self):
        for mtu in (1500, 1280, 2000):
            config = self.config({"forward": {"mtu": mtu, "oversize": "drop"}})
            self.run_table(config, [
                row(f"{mtu}: fits", sized(mtu), "redirected"),
                row(f"{mtu}: one too many", sized(mtu + 1), "oversize", 1),
                row(f"{mtu}: IPv6 fits", sized(mtu, addresses=V6), "redirected", 2),
                row(f"{mtu}: IPv6, one too many", sized(mtu + 1, addresses=V6), "oversize", 2)])

    def test_drop(self):
        self.run_table(self.config({"forward": {"oversize": "drop"}}), [
            row("even without DF", sized(2000), "oversize"),
            row("with DF", sized(2000, df=True), "oversize"),
            row("no rule and dropped: unmatched comes first", sized(2000, 77), "unmatched", 0)])

    def test_pass(self):
        """The kernel may fragment what it would fragment to forward.mtu, as the interface's is."""
        passing = {"forward": {"oversize": "pass"}}
        self.run_table(self.config(passing, {"forward": {"mtu": None}}), [
            row("IPv4: the kernel fragments it", sized(2000), "passed"),
            row("DF is cleared first", sized(2000, df=True, ident=0), "passed", 1,
                ["nat_applied", "df_cleared", "id_assigned"]),
            row("IPv6: the kernel could only refuse, and tell the captured packet's sender",
                sized(2000, addresses=V6), "oversize", 2),
            row("what fits", sized(1500), "redirected")])
        self.run_table(self.config(passing), [
            row("the kernel would send more than forward.mtu", sized(2000), "oversize"),
            row("DF is cleared all the same", sized(2000, df=True, ident=0), "oversize", 1,
                ["nat_applied", "df_cleared", "id_assigned"]),
            row("what fits", sized(1500), "redirected")])

    def test_fragment(self):
        rows = [
            row("IPv4", sized(2000), CUT, 1, ["nat_applied"]),
            row("one byte too many", sized(1501), CUT),
            row("into three", sized(3200), CUT),
            row("DF was cleared before", sized(2000, df=True), CUT, 1,
                ["nat_applied", "df_cleared"]),
            row("with a fresh ID", sized(2000, df=True, ident=0), CUT, 1,
                ["nat_applied", "df_cleared", "id_assigned"]),
            row("TCP", frames.tcp(*V4, 1000, 80, b"x" * 2000), CUT),
            row("with options: the kernel would send more than forward.mtu",
                sized(2000, options=b"\x01" * 8), "oversize"),
            row("no IPv6 router fragments: dropped", sized(2000, addresses=V6), "oversize", 2),
            row("what fits is not cut", sized(1500), "redirected")]
        self.run_table(self.config(), rows)
        self.run_table(self.config({"forward": {"oversize": "fragment"}}), rows)
        never = self.config({"inner": {"clear_df_above": "never"}})
        self.run_table(never, [
            row("DF still set: dropped", sized(2000, df=True), "oversize", 1),
            row("DF unset: cut", sized(2000), CUT)])
        small = self.config({"forward": {"mtu": 1280}})
        self.run_table(small, [
            row("too large for the way: DF is cleared, however high clear_df_above is",
                sized(1300, df=True), CUT, 1, ["nat_applied", "df_cleared"]),
            row("what fits keeps DF", sized(1280, df=True), "redirected", 1, ["nat_applied"])])

    def test_single_arm(self):
        config = self.config({"forward": {"interface": None, "oversize": "drop"}})
        self.run_table(config, [row("too large", sized(1501), "oversize"),
                                row("fits", sized(1500), "transmitted")])

    def test_padding(self):
        """Bytes behind the inner packet stay if the frame fits, and are cut off if not."""
        for oversize in ("fragment", "drop", "pass"):
            config = self.config({"forward": {"oversize": oversize}})
            kept, gone = ["nat_applied"], ["nat_applied", "trailer_cut"]
            self.run_table(config, [
                row(f"{oversize}: Ethernet padding of a small packet", sized(29), "redirected", 1,
                    kept, trailer=bytes(17)),
                row(f"{oversize}: padding to exactly the MTU", sized(1490), "redirected", 1, kept,
                    trailer=b"p" * 10),
                row(f"{oversize}: one byte more", sized(1490), "redirected", 1, gone,
                    trailer=b"p" * 11),
                row(f"{oversize}: a full packet and padding", sized(1500), "redirected", 1, gone,
                    trailer=b"p" * 4),
                row(f"{oversize}: much more padding than packet", sized(100), "redirected", 1,
                    gone, trailer=b"p" * 1500),
                row(f"{oversize}: IPv6", sized(1500, addresses=V6), "redirected", 2, gone,
                    trailer=b"p" * 4)])


class NextHop(PacketTable):
    def rows(self, verdict="redirected"):
        return [row("UDP", sized(100), verdict), row("IPv6", sized(100, addresses=V6), verdict, 2),
                row("TCP", frames.tcp(*V4, 1000, 80, b"x"), verdict)]

    def test_keep(self):
        """The inner MACs stay, whatever they are."""
        config = self.config({"forward": {"next_hop": "keep"}})
        odd = frames.inner(sized(100), source="12:34:56:78:9a:bc",
                           destination="ff:ff:ff:ff:ff:ff")
        self.run_table(config, self.rows() + [
            Row("odd MACs", frames.tunnel(odd), "redirected", 1)])

    def test_route(self):
        config = self.config({"forward": {"next_hop": "route"}})
        self.run_table(config, self.rows())
        del config["forward"]["next_hop"]
        self.run_table(config, self.rows())

    def test_given(self):
        self.run_table(self.config({"forward": {"next_hop": "02:aa:bb:cc:dd:ee"}}), self.rows())
        self.run_table(self.config({"forward": {"next_hop": "02:AA:bb:CC:dd:ee",
                                                "interface": None}}), self.rows("transmitted"))

    def test_passed_is_addressed_to_the_listen_interface(self):
        """Otherwise the kernel takes it for somebody else's and drops it."""
        config = self.config({"forward": {"unmatched": "pass"}})
        rows = [row(f"packet {n}", sized(100 + n, 77, addresses), "passed", 0)
                for n, addresses in enumerate((V4, V6, V4))]
        answer = self.run_table(config, rows)
        destinations = {got.out[0][:6] for got in answer}
        self.assertEqual(len(destinations), 1, "one MAC: that of listen.interface")
        self.assertNotIn(frames.mac(frames.INNER_DESTINATION_MAC), destinations)


class Reference(PacketTable):
    def test_reassembly_notices_damage(self):
        """reassemble() fails on damaged fragments: the tests of fragments depend on it."""
        body = bytes(range(200)) * 10
        first = frames.ipv4(body[:1480], 17, *V4, mf=True)
        last = frames.ipv4(body[1480:], 17, *V4, fragment_offset=1480)
        self.assertEqual(reference.reassemble([last, first])[20:], body)
        for sentence, parts in (
                ("a gap", [first, frames.ipv4(b"x", 17, *V4, fragment_offset=1488)]),
                ("another ID", [first, frames.ipv4(body[1480:], 17, *V4, fragment_offset=1480,
                                                   ident=9)]),
                ("no last one", [first]),
                ("a bad checksum", [first, frames.ipv4(body[1480:], 17, *V4,
                                                       fragment_offset=1480,
                                                       header_checksum=1)])):
            with self.subTest(sentence), self.assertRaises(ValueError):
                reference.reassemble(parts)
