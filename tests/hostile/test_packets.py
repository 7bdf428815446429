# SPDX-License-Identifier: GPL-2.0-only
"""
Whoever owns the mirrored traffic can fill every table that the traffic fills: what others lose by it
is told, and nothing else is lost.
"""

import socket

from lib import frames
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
