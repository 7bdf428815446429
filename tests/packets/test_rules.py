# SPDX-License-Identifier: GPL-2.0-only
"""Rules: which packets a rule matches; the first match in file order wins."""

import ipaddress
import itertools
import random

from lib import frames, program, reference
from lib.table import PacketTable, Row

TO, TO6 = "192.0.2.9:8081", "[2001:db8:9::9]:8081"

# The packet that rules match on; each row below changes something.
PACKET = {"source": "10.2.41.20", "destination": "10.9.8.7", "source_port": 42844,
          "destination_port": 514, "protocol": "udp", "vni": 1}
PACKET6 = dict(PACKET, source="2001:db8:1::20", destination="2001:db8:2::7")


def build(fields):
    maker = {"udp": frames.udp, "tcp": frames.tcp}[fields["protocol"]]
    packet = maker(fields["source"], fields["destination"], fields["source_port"],
                   fields["destination_port"], b"rule")
    return frames.tunnel(frames.inner(packet), vni=fields["vni"])


def hides(first, second):
    """Whether the match `first` takes every packet that `second` takes."""
    for key, value in first.items():
        if key not in second:
            return False
        if key in ("source", "destination"):
            if not second[key].subnet_of(value):
                return False
        elif second[key] != value:
            return False
    return True


def hidden(match, earlier):
    """Whether one earlier match hides this one, or one for UDP and one for TCP."""
    if "protocol" not in match:
        return all(hidden({**match, "protocol": protocol}, earlier)
                   for protocol in ("udp", "tcp"))
    return any(hides(one, match) for one in earlier)


class RuleTable(PacketTable):
    def rules(self, *rules, **changes):
        return self.config({"nat": [{"match": match, "to": to} for match, to in rules],
                            "listen": {"vnis": "any"}}, changes)

    def matches(self, config, sentence, base, rule, **changes):
        return Row(sentence, build(dict(base, **changes)),
                   "redirected" if rule else "unmatched", rule)


class Keys(RuleTable):
    def check(self, cases):
        """`cases`: (match, a packet that matches, target, [changes by which it does not])."""
        tables = []
        for match, base, to, misses in cases:
            config = self.rules((match, to))
            tables.append((config, [self.matches(config, f"{match} matches", base, 1)] + [
                self.matches(config, f"{match} does not match {miss}", base, 0, **miss)
                for miss in misses]))
        self.run_tables(tables)

    def test_each_alone(self):
        cases = []
        for base, to, source, prefix, other_source, other_destination in (
                (PACKET, TO, "10.2.41.20", "10.0.0.0/8", "10.2.41.21", "11.9.8.7"),
                (PACKET6, TO6, "2001:db8:1::20", "2001:db8:2::/48", "2001:db8:1::21",
                 "2001:db8:3::7")):
            cases += [
                ({"source_port": 42844}, base, to,
                 [{"source_port": 42845}, {"source_port": 514, "destination_port": 42844}]),
                ({"destination_port": 514}, base, to,
                 [{"destination_port": 515}, {"destination_port": 0x0202 ^ 0xFFFF}]),
                ({"protocol": "udp"}, base, to, [{"protocol": "tcp"}]),
                ({"protocol": "tcp"}, dict(base, protocol="tcp"), to, [{"protocol": "udp"}]),
                ({"vni": 1}, base, to, [{"vni": 0}, {"vni": 2}, {"vni": 0xFFFFFF}]),
                ({"source": source}, base, to, [{"source": other_source}]),
                ({"destination": prefix}, base, to, [{"destination": other_destination}])]
        self.check(cases)

    def test_the_ends_of_the_ranges(self):
        self.check(({key: value}, dict(PACKET, **{key: value}), TO, [{key: other}])
                   for key, low, high in (("source_port", 1, 65535),
                                          ("destination_port", 1, 65535), ("vni", 0, 16777215))
                   for value, other in ((low, high), (high, low)))

    def test_all_pairs(self):
        """Every two keys together: both must hold."""
        keys = {"source_port": (42844, 42845), "destination_port": (514, 515),
                "protocol": ("udp", "tcp"), "vni": (1, 2),
                "source": ("10.2.41.0/24", "10.2.42.20"),
                "destination": ("10.0.0.0/8", "11.9.8.7")}
        self.check(({one: keys[one][0], two: keys[two][0]}, PACKET, TO,
                    [{one: keys[one][1]}, {two: keys[two][1]}])
                   for one, two in itertools.combinations(keys, 2))

    def test_all_keys_together(self):
        match = {"source_port": 42844, "protocol": "udp", "vni": 1, "source": "10.2.41.20",
                 "destination": "10.0.0.0/8", "destination_port": 514}
        match6 = dict(match, source="2001:db8:1::20", destination="2001:db8:2::/48")
        others = [{"source_port": 1}, {"protocol": "tcp"}, {"vni": 3}, {"destination_port": 515}]
        self.check([
            (match, PACKET, TO, others + [{"source": "10.2.41.21"}, {"destination": "11.0.0.1"}]),
            (match6, PACKET6, TO6, others + [{"source": "2001:db8:1::21"},
                                             {"destination": "2001:db8:3::7"}])])

    def test_prefix_lengths(self):
        tables = []
        for length in (0, 1, 7, 8, 9, 15, 17, 23, 24, 31, 32):
            host = (1 << (32 - length)) - 1
            network = 0xC0A85AA5 & ~host & 0xFFFFFFFF

            def text(value):
                return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
            hits = [{"source": text(network)}, {"source": text(network | host)}]
            config = self.rules(({"source": f"{text(network)}/{length}", "source_port": 42844},
                                 TO))
            rows = [self.matches(config, f"/{length} holds {hit}", PACKET, 1, **hit)
                    for hit in hits]
            if length:
                rows.append(self.matches(config, f"/{length} ends", PACKET, 0,
                                         source=text(network ^ 1 << (32 - length))))
            tables.append((config, rows))
        self.run_tables(tables)

    def test_prefix_lengths_ipv6(self):
        tables = []
        for length in (0, 3, 32, 63, 64, 65, 96, 127, 128):
            host = (1 << (128 - length)) - 1
            network = 0x20010DB8A5A5A5A5_5A5A5A5AA5A5A5A5 & ~host

            def text(value):
                return str(ipaddress.IPv6Address(value))
            config = self.rules(({"destination": f"{text(network)}/{length}",
                                  "source_port": 42844}, TO6))
            rows = [self.matches(config, f"/{length} holds {text(value)}", PACKET6, 1,
                                 destination=text(value)) for value in (network, network | host)]
            if length:
                rows.append(self.matches(config, f"/{length} ends", PACKET6, 0,
                                         destination=text(network ^ 1 << (128 - length))))
            tables.append((config, rows))
        self.run_tables(tables)


class Families(RuleTable):
    def test_targets(self):
        """A rule matches packets of its target's address family only."""
        config = self.rules(({"source_port": 42844}, TO), ({"source_port": 42844}, TO6))
        self.run_table(config, [
            self.matches(config, "IPv4", PACKET, 1), self.matches(config, "IPv6", PACKET6, 2)])
        config = self.rules(({"source_port": 42844}, TO6))
        self.run_table(config, [
            self.matches(config, "no IPv4 packet gets an IPv6 target", PACKET, 0),
            self.matches(config, "IPv6", PACKET6, 1)])

    def test_target_without_a_port(self):
        """If the target has no port, the packet keeps its own."""
        config = self.rules(({"source_port": 42844}, "192.0.2.9"),
                            ({"source_port": 42844}, "2001:db8:9::9"))
        answer = self.run_table(config, [
            self.matches(config, "IPv4", PACKET, 1), self.matches(config, "IPv6", PACKET6, 2),
            self.matches(config, "TCP", PACKET, 1, protocol="tcp")])
        self.assertEqual(answer[0].out[0][36:38], (514).to_bytes(2, "big"))
        self.assertEqual(answer[0].out[0][30:34], bytes([192, 0, 2, 9]))
        self.assertEqual(answer[1].out[0][56:58], (514).to_bytes(2, "big"))

    def test_target_equal_to_the_destination(self):
        config = self.rules(({"source_port": 42844}, "10.9.8.7:514"))
        self.run_table(config, [Row("nothing changes, and it is applied", build(PACKET),
                                    "redirected", 1, ["nat_applied"])])

    def test_other_protocols_match_no_rule(self):
        config = self.rules(({"source": "10.2.41.20"}, TO), ({"vni": 1}, TO),
                            ({"destination": "2001:db8:2::/48"}, TO6), ({"vni": 1}, TO6))
        v4, v6 = ("10.2.41.20", "10.9.8.7"), ("2001:db8:1::20", "2001:db8:2::7")
        rows = []
        for name, protocol in (("ICMP", 1), ("IGMP", 2), ("IP in IP", 4), ("GRE", 47), ("ESP", 50),
                               ("SCTP", 132), ("UDP-Lite", 136), ("no protocol", 0),
                               ("255", 255)):
            packet = frames.ipv4(bytes.fromhex("a75c0202001c0000") + bytes(32), protocol, *v4)
            rows.append(Row(f"{name} over IPv4", frames.tunnel(frames.inner(packet)),
                            "unmatched"))
        for name, protocol in (("ICMPv6", 58), ("ESP", 50), ("nothing (59)", 59), ("SCTP", 132)):
            packet = frames.ipv6(bytes.fromhex("a75c0202001c0000") + bytes(32), protocol, *v6)
            rows.append(Row(f"{name} over IPv6", frames.tunnel(frames.inner(packet)),
                            "unmatched"))
        rows.append(Row("UDP without a whole header", frames.tunnel(frames.inner(
            frames.ipv4(bytes.fromhex("a75c0202001c00"), 17, *v4))), "unmatched"))
        rows.append(Row("TCP without a whole header", frames.tunnel(frames.inner(
            frames.ipv4(bytes.fromhex("a75c0202001c0000") + bytes(11), 6, *v4))), "unmatched"))
        rows.append(Row("an IPv4 header and nothing", frames.tunnel(frames.inner(
            frames.ipv4(b"", 17, *v4))), "unmatched"))
        rows.append(Row("an IPv6 header and nothing", frames.tunnel(frames.inner(
            frames.ipv6(b"", 17, *v6))), "unmatched"))
        rows.append(Row("a UDP header that only padding completes", frames.tunnel(frames.inner(
            frames.ipv4(bytes.fromhex("a75c0202001c00"), 17, *v4) + bytes(9))), "unmatched"))
        rows.append(Row("a UDP header and nothing",
                        frames.tunnel(frames.inner(frames.udp(*v4, 42844, 514))),
                        "redirected", 1))
        self.run_table(config, rows)


class Order(RuleTable):
    def test_first_match_in_file_order(self):
        """The first match wins, not the most specific one, nor the one with the most keys."""
        config = self.rules(
            ({"source_port": 42844, "destination_port": 514, "vni": 5}, "192.0.2.1:1"),
            ({"source": "10.2.0.0/16", "destination_port": 514}, "192.0.2.2:2"),
            ({"source_port": 42844, "destination": "10.9.0.0/16"}, "192.0.2.3:3"),
            ({"source": "10.2.41.20", "source_port": 42844}, "192.0.2.4:4"),
            ({"source": "10.0.0.0/8"}, "192.0.2.5:5"),
            ({"destination_port": 514}, "192.0.2.6:6"),
            ({"source_port": 42844, "vni": 7}, "192.0.2.7:7"),
            ({"protocol": "tcp"}, "192.0.2.8:8"),
            ({"protocol": "udp"}, "192.0.2.9:9"))
        self.run_table(config, [
            self.matches(config, "of four that match the second rule stands first", PACKET, 2),
            self.matches(config, "the first of all", PACKET, 1, vni=5),
            self.matches(config, "port and destination before the host", PACKET, 3,
                         destination_port=1),
            self.matches(config, "the host before its prefix", PACKET, 4, destination_port=1,
                         destination="11.0.0.1"),
            self.matches(config, "the prefix before the destination port", PACKET, 5,
                         source="10.3.0.1", source_port=1),
            self.matches(config, "the destination port before the VNI", PACKET, 6, vni=7,
                         source="11.0.0.1", destination="11.0.0.1"),
            self.matches(config, "the VNI before the protocol", PACKET, 7, vni=7,
                         source="11.0.0.1", destination="11.0.0.1", destination_port=1),
            self.matches(config, "protocol TCP", PACKET, 8, source="11.0.0.1", source_port=1,
                         destination_port=1, protocol="tcp"),
            self.matches(config, "protocol UDP", PACKET, 9, source="11.0.0.1", source_port=1,
                         destination_port=1),
        ])

    def test_one_protocol_before_both(self):
        """TCP, which the first rule does not match, goes to the second."""
        config = self.rules(({"source_port": 42844, "protocol": "udp"}, "192.0.2.1:1"),
                            ({"source_port": 42844}, "192.0.2.2:2"))
        self.run_table(config, [self.matches(config, "UDP", PACKET, 1),
                                self.matches(config, "TCP", PACKET, 2, protocol="tcp")])

    def test_zero_is_a_value(self):
        """A key that is zero is not a key that is absent."""
        config = self.rules(({"vni": 0}, "192.0.2.1:1"), ({"vni": 7, "source": "0.0.0.0/1"},
                                                          "192.0.2.2:2"))
        self.run_table(config, [
            self.matches(config, "VNI 0", PACKET, 1, vni=0),
            self.matches(config, "VNI 1", PACKET, 0),
            self.matches(config, "the lower half of all addresses", PACKET, 2, vni=7),
            self.matches(config, "the upper half", PACKET, 0, vni=7, source="192.0.2.1"),
        ])

    def shapes(self, rnd, version):
        """Rules of about forty shapes, some of one rule and some of many, in random order."""
        base, bits = (0x0A020000, 32) if version == 4 else (0x20010DB8 << 96, 128)
        lengths = (8, 16, 20, 24, 32) if version == 4 else (32, 48, 60, 64, 128)

        def prefix(length):
            value = base | rnd.getrandbits(3) << (8 if version == 4 else 64) | rnd.getrandbits(1)
            return ipaddress.ip_network((value >> (bits - length) << (bits - length), length))
        keys = ("source", "destination", "source_port", "destination_port", "protocol", "vni")
        forms = [form for size in (1, 2, 3, 4) for form in itertools.combinations(keys, size)]
        matches = []
        for form in rnd.sample(forms, 40):
            length = {key: rnd.choice(lengths) for key in ("source", "destination")}
            for _ in range(rnd.choice((1, 1, 3, 8))):
                matches.append({key: prefix(length[key]) if key in length else
                                rnd.choice(("udp", "tcp")) if key == "protocol" else
                                rnd.randrange(1, 7) for key in form})
        rnd.shuffle(matches)
        # Matches of one key go last, as they would hide many; hidden ones may be refused.
        matches.sort(key=lambda match: len(match) < 2)
        return [match for number, match in enumerate(matches)
                if not hidden(match, matches[:number])]

    def near(self, rnd, match, version):
        """A packet that the match takes, or one that may miss it by one key."""
        def some(prefix):
            return str(prefix[rnd.choice((0, 1, -1)) % prefix.num_addresses])
        form = "10.2.{}.{}" if version == 4 else "2001:db8:0:{:x}::{}"
        fields = {"source": form.format(rnd.getrandbits(3), rnd.getrandbits(1)),
                  "destination": form.format(rnd.getrandbits(3), rnd.getrandbits(1)),
                  "source_port": rnd.randrange(1, 9), "destination_port": rnd.randrange(1, 9),
                  "protocol": rnd.choice(("udp", "tcp")), "vni": rnd.randrange(1, 9)}
        held = {key: some(value) if key in ("source", "destination") else value
                for key, value in match.items()}
        if rnd.random() < 0.3:
            held.pop(rnd.choice(list(held)))
        return build({**fields, **held})

    def test_many_shapes(self):
        """Random packets under forty shapes of rules agree with the reference."""
        for version, seed in ((4, 11), (6, 12)):
            rnd = random.Random(seed)
            matches = self.shapes(rnd, version)
            target = "192.0.2.{}:{}" if version == 4 else "[2001:db8:ff::{}]:{}"
            config = self.rules(*[({key: value if isinstance(value, (int, str)) else str(value)
                                    for key, value in match.items()},
                                   target.format(number % 250 + 1, number))
                                  for number, match in enumerate(matches, 1)],
                                forward={"unmatched": "forward"})
            packets = [self.near(rnd, rnd.choice(matches), version) for _ in range(1500)]
            answer = program.explain(config, packets)
            model, hit = reference.Reference(config), set()
            for number, (packet, got) in enumerate(zip(packets, answer)):
                want = model.judge(packet)
                hit.add(want.rule)
                with self.subTest(f"IPv{version}, seed {seed}, packet {number}"):
                    self.check_judgement(want, got)
                    self.check_bytes(config, packet, want, got)
            self.assertGreater(len(hit), 30, "the packets reach many rules")

    def test_many_rules(self):
        """With 5,000 rules of one shape, packets find the right rule or none."""
        ports = list(range(10000, 15000))
        config = self.rules(*[({"source_port": port}, f"10.200.{port >> 8}.{port & 255}:{port}")
                              for port in ports])
        sample = ports[::250] + [ports[-1]]
        rows = [self.matches(config, f"source port {port}", PACKET, ports.index(port) + 1,
                             source_port=port) for port in sample]
        rows += [self.matches(config, f"source port {port} has no rule", PACKET, 0,
                              source_port=port) for port in (9999, 15000, 1, 65535)]
        self.run_table(config, rows)


class Unmatched(RuleTable):
    def test_what_becomes_of_it(self):
        packets = [("UDP", build(PACKET)), ("TCP", build(dict(PACKET, protocol="tcp"))),
                   ("IPv6", build(PACKET6)),
                   ("ICMP", frames.tunnel(frames.inner(frames.ipv4(
                       b"\x08\0\xf7\xff" + bytes(4), 1, "10.2.41.20", "10.9.8.7")))),
                   ("a bad UDP checksum stays bad", frames.tunnel(frames.inner(frames.udp(
                       "10.2.41.20", "10.9.8.7", 1, 2, b"x", udp_checksum=0xBAD))))]
        tables = []
        for mode, verdict, checksum in (
                (None, "unmatched", "update"), ("drop", "unmatched", "zero"),
                ("pass", "passed", "update"), ("pass", "passed", "zero"),
                ("forward", "redirected", "update"), ("forward", "redirected", "zero"),
                ("forward", "redirected", "preserve")):
            config = self.rules(({"source_port": 9}, TO), forward={"unmatched": mode},
                                inner={"udp_checksum": checksum})
            tables.append((config, [Row(f"{mode}, {checksum}: {what}", packet, verdict, 0, [])
                                    for what, packet in packets]))
        self.run_tables(tables)

    def test_without_any_rule(self):
        config = self.config({"forward": {"unmatched": "forward"}, "nat": []})
        self.run_table(config, [Row("no rules, forwarded", build(PACKET), "redirected", 0, [])])
        del config["nat"]
        self.run_table(config, [Row("no nat section", build(PACKET), "redirected", 0, [])])
