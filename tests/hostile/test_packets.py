# SPDX-License-Identifier: GPL-2.0-only
"""
Whoever owns the mirrored traffic can fill every table that the traffic fills: what others lose by it
is told, and nothing else is lost.
"""

import socket

from lib import frames
from lib.command import wait_for
from lib.port import is_ip
from lib.watch import Watched, metrics, of_family

CAPTURED, TARGET = "10.1.0.2", "10.20.0.2"
STORM = 20000  # more first fragments than the datapath remembers


def fragment(source, ident, *, is_later=False, port=1000):
    """One of the two fragments of a datagram, in the tunnel; port 77 matches no rule."""
    at = 64 if is_later else 0
    part = frames.udp_segment(source, CAPTURED, port, 514, bytes(100))[at:at + 64]
    return frames.tunnel(frames.inner(frames.ipv4(
        part, frames.UDP, source, CAPTURED, ident=ident, mf=not is_later, fragment_offset=at)))


def storm(source, **fields):
    return lambda _: [fragment(source, ident, **fields) for ident in range(STORM)]


def own(*ports):
    """First fragments of the very datagram that waits for its later one."""
    return lambda ident: [fragment("10.1.0.1", ident, port=port) for port in ports]


class FirstFragments(Watched):
    # What happens between the first and the later fragment of a datagram, whether the later one
    # follows, and how many packets are told as orphans.
    BETWEEN = (
        ("nothing", own(), True, 0),
        ("first fragments of matched datagrams push the decision out", storm("10.1.0.3"), False, 1),
        ("first fragments of unmatched datagrams do not", storm("10.1.0.4", port=77), True, 0),
        ("later fragments do not", storm("10.1.0.5", is_later=True), True, STORM),
        ("its ID is used again: the newest first fragment decides", own(77, 1000), True, 0),
        ("its ID is used again, by an unmatched datagram", own(77), False, 0),
    )

    def orphaned(self):
        events = of_family(metrics(self.get("/metrics").text), "events_total", "event")
        return events["fragment_orphaned"]

    def follows(self, ident, between):
        """Sends first fragment, what is between, and later fragment: does the latter arrive?"""
        self.in_port.send(fragment("10.1.0.1", ident), *between,
                          fragment("10.1.0.1", ident, is_later=True))
        arrived = [frame for frame in self.out_port.receive(is_ip)
                   if frame[26:30] == socket.inet_aton("10.1.0.1") and frame[21]]
        for frame in arrived:
            self.assertEqual((frame[18:20], frame[30:34]),
                             (ident.to_bytes(2, "big"), socket.inet_aton(TARGET)))
        return len(arrived) == 1

    def test_storms(self):
        self.start()
        for ident, (sentence, between, follows, orphans) in enumerate(self.BETWEEN, 1):
            with self.subTest(sentence):
                before = self.orphaned()
                self.assertEqual(self.follows(ident, between(ident)), follows)
                self.assertEqual(self.orphaned() - before, orphans)

    def test_reload(self):
        """What was seen before a reload was seen: neither decision nor orphan changes."""
        daemon = self.start()
        self.in_port.send(fragment("10.1.0.1", 1), fragment("10.1.0.1", 2, port=77))
        self.assertEqual(len(self.out_port.receive(is_ip, 1)), 1)
        self.reload(daemon)
        self.in_port.send(*[fragment("10.1.0.1", ident, is_later=True) for ident in (1, 2, 3)])
        self.assertEqual([frame[18:20] for frame in self.out_port.receive(is_ip, 1)], [b"\0\1"])
        self.assertEqual(self.orphaned(), 1, "the third, whose first never came")
        self.assertEqual(self.verdicts(), {"redirected": 2, "unmatched": 3})


class RandomVnis(Watched):
    """`vnis: any`, and more VNIs than have a row: none is lost, and none loses its row."""

    ROWS, SERIES = 4096, 1024  # that `stats` and /metrics have at the most
    ANY = {"listen": {"vnis": "any"}}

    def send_vnis(self, *vnis):
        inner = frames.inner(frames.udp("10.1.0.1", CAPTURED, 1000, 514, b"x"))
        self.in_port.send(*[frames.tunnel(inner, vni=vni) for vni in vnis])
        self.out_port.receive(is_ip, len(vnis), seconds=20)

    def rows(self):
        """{vni: packets}; /metrics has the first of `stats`, whose rows hold all packets with a VNI."""
        stats = self.stats()
        rows = {row["vni"]: row["packets"] for row in stats["vnis"]}
        for name, unit in (("vni_packets_total", "packets"), ("vni_bytes_total", "bytes")):
            told = [row for row in stats["vnis"] if row["vni"] != "other"][:self.SERIES]
            told += [row for row in stats["vnis"] if row["vni"] == "other"]
            expected = {str(row["vni"]): row[unit] for row in told}
            # the text may be up to a second old
            wait_for(lambda which=name, series=expected: of_family(
                metrics(self.get("/metrics").text), which, "vni") == series, 5, f"right {name}")
        unknown = stats["verdicts"]["unknown_vni"]["packets"]
        self.assertEqual(sum(rows.values()), stats["counters"]["vxlan_packets"] - unknown)
        self.assertEqual("other" in self.cli("stats", "--instance", self.instance).stdout,
                         "other" in rows)
        status = self.json("status")
        if status["other_vni_packets"]:
            self.assertIn(f"has {rows['other']} packets of others",
                          self.cli("status", "--instance", self.instance, check=False).stdout)
        return rows, status["other_vni_packets"]

    def test_storm(self):
        daemon = self.start(self.ANY)
        self.send_vnis(7, 7, 7, *range(1000, 1000 + self.ROWS - 2), 9)
        rows, others = self.rows()
        self.assertEqual((len(rows), rows[7], rows[9], others), (self.ROWS, 3, 1, 0))
        self.send_vnis(7, *range(20000, 23000), 0xFFFFFF, 20000, 9)
        rows, others = self.rows()
        self.assertEqual((len(rows), rows[7], rows[9]), (self.ROWS + 1, 4, 2))
        self.assertEqual((rows["other"], others), (3002, 3002))
        for what in ("a reload", "another", "a restart"):
            with self.subTest(what):
                if what == "a restart":
                    daemon.kill()
                    daemon = self.start(self.ANY)
                else:
                    self.reload(daemon)
                before, _ = self.rows()
                self.assertEqual(before, rows)
                self.send_vnis(*range(30000, 31000), 7, 9, 20000)
                rows, others = self.rows()
                changed = {vni: count - before[vni] for vni, count in rows.items()
                           if count != before[vni]}
                self.assertEqual(changed, {7: 1, 9: 1, "other": 1001})
                self.assertEqual(others, rows["other"])

    def test_other_lists(self):
        """What loses its row at a reload is among the others, and no packet of it is lost."""
        daemon = self.start(self.ANY)
        self.send_vnis(1, 2, 2, 3, 3, 3, 4, 4, 4, 4)
        for vnis, told in (([2, 3], {2: 2, 3: 3, "other": 5}),
                           ([3], {3: 3, "other": 7}),
                           ([3, 4], {3: 3, 4: 0, "other": 7}),
                           ("any", {3: 3, "other": 7})):
            with self.subTest(vnis):
                self.write({"listen": {"vnis": vnis}})
                self.reload(daemon)
                self.assertEqual(self.rows()[0], told)
        self.send_vnis(1, 4)
        self.assertEqual(self.rows()[0], {1: 1, 3: 3, 4: 1, "other": 7})
