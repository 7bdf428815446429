# SPDX-License-Identifier: GPL-2.0-only
"""
The kernel never answers a captured packet: whoever was mirrored must not hear of it. Thousands of
packets that a kernel answers, or does not expect, in each form of configuration that could hand
them to it; none of them brings an answer on any interface. A form is a row of FORMS.
"""

import contextlib
import dataclasses
import socket
import time

from lib import frames, hostile
from lib.answers import (ANYWHERE, BEHIND, DEAD, IS_WHOLE, LIVE, LOCAL, NOBODY, NOWHERE, REFUSED,
                         STORM, Answers, Routed, rules, unmatched)
from lib.daemon import HEARTBEAT_LIFETIME

# The kernel must not ask for every address that a captured packet names: its table is finite.
NEIGHBOURS = 300


@dataclasses.dataclass
class Form:
    """`setting`: a method of Forms around the row; `only`: kinds of packets; `whole`: not in CI."""

    sentence: str
    changes: tuple
    destinations: dict = dataclasses.field(default_factory=lambda: LIVE)
    setting: str = None
    only: str = ""
    is_killed: bool = False
    whole: bool = False


FORMS = (
    Form("a rule whose target answers", ()),
    Form("a rule, and packets larger than forward.mtu", (), only="too large"),
    Form("a rule whose target is not there", (rules("10.20.0.77:8081", "[fd20::77]:8081"),)),
    Form("a rule whose target is behind a gateway that is not there",
         (rules("10.96.0.1:8081", "[2001:db8:d::1]:8081"),), whole=True),
    Form("a rule to which no route leads",
         (rules("10.50.0.1:8081", "[2001:db8:10::1]:8081"),), whole=True),
    Form("a rule whose target is this host, with a port that is open",
         (rules("10.20.0.1:8081", "[fd20::1]:8081"),), setting="listening"),
    Form("a rule whose target is this host, with a port that is closed",
         (rules("10.20.0.1:8082", "[fd20::1]:8082"),)),
    Form("unmatched: forward, to addresses on the link that nobody has",
         (unmatched("forward"),), NOBODY),
    Form("unmatched: forward, through a gateway that is dead", (unmatched("forward"),), DEAD),
    Form("unmatched: forward, through a gateway that answers", (unmatched("forward"),), LIVE),
    Form("unmatched: forward, where no route leads", (unmatched("forward"),), NOWHERE, whole=True),
    Form("unmatched: forward, where a route says unreachable", (unmatched("forward"),), REFUSED,
         whole=True),
    Form("unmatched: forward, out of another interface", (unmatched("forward"),), BEHIND,
         whole=True),
    Form("unmatched: forward, to this host", (unmatched("forward"),), LOCAL, whole=True),
    Form("unmatched: pass", (unmatched("pass"),), ANYWHERE),
    Form("unmatched: pass, where the kernel does not forward", (unmatched("pass"),), ANYWHERE,
         setting="not_forwarding"),
    Form("unmatched: pass, in generic mode",
         (unmatched("pass"), {"listen": {"xdp_mode": "generic"}}), ANYWHERE),
    Form("oversize: pass", ({"forward": {"oversize": "pass", "mtu": 600}},), only="too large"),
    Form("oversize: pass, with targets that are not there",
         ({"forward": {"oversize": "pass", "mtu": 600}},
          rules("10.20.0.77:8081", "[fd20::77]:8081")), whole=True),
    Form("truncated: pass", ({"inner": {"truncated": "pass"}},), ANYWHERE),
    Form("truncated: forward", ({"inner": {"truncated": "forward"}},), ANYWHERE, whole=True),
    Form("single-arm", ({"forward": {"interface": None}},
                        rules("10.9.0.1:8081", "[fd09::1]:8081")), setting="sent_back"),
    Form("single-arm, unmatched: pass", (unmatched("pass", interface=None),), ANYWHERE,
         setting="sent_back"),
    Form("single-arm, with targets that are not there",
         ({"forward": {"interface": None}}, rules("10.9.0.77:8081", "[fd09::77]:8081")),
         setting="sent_back", whole=True),
    Form("generic mode", ({"listen": {"xdp_mode": "generic"}},), whole=True),
    Form("next_hop: keep", (unmatched("forward", next_hop="keep"),)),
    Form("next_hop: keep, unmatched: pass", (unmatched("pass", next_hop="keep"),), ANYWHERE,
         whole=True),
    Form("next_hop: a MAC", ({"forward": {"next_hop": "02:00:00:00:77:77"}},), only="too large"),
    Form("no DF is cleared", ({"inner": {"clear_df_above": "never"}},), only="too large",
         whole=True),
    Form("the daemon killed, targets that are not there, unmatched: forward to nobody",
         (rules("10.20.0.77:8081", "[fd20::77]:8081"), {"forward": {"unmatched": "forward"}}),
         NOBODY, is_killed=True),
    Form("the daemon killed, unmatched: pass", (unmatched("pass"),), ANYWHERE, is_killed=True,
         whole=True),
)


class Forms(Routed):
    LARGEST, FORMS = hostile.PAGE, FORMS

    @contextlib.contextmanager
    def listening(self):
        """Sockets that take what comes to the target's port."""
        with contextlib.ExitStack() as stack:
            for family, address in ((socket.AF_INET, "10.20.0.1"), (socket.AF_INET6, "fd20::1")):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    server = stack.enter_context(self.appliance.socket(family, kind))
                    server.bind((address, 8081))
                    if kind == socket.SOCK_STREAM:
                        server.listen(1000)
            yield

    @contextlib.contextmanager
    def not_forwarding(self):
        self.appliance.sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
        try:
            yield
        finally:
            self.appliance.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                                  "net.ipv4.conf.all.send_redirects=0",
                                  "net.ipv4.conf.in0.send_redirects=0")

    @contextlib.contextmanager
    def sent_back(self):
        """As Linux does by itself, it tells the sender of a better way."""
        self.attach_program(self.sender, "s0")  # a veth flushes XDP_TX only to such a peer
        settings = [f"net.ipv4.conf.{name}.send_redirects" for name in ("all", "in0")]
        self.appliance.sysctl(*(f"{setting}=1" for setting in settings))
        try:
            yield
        finally:
            self.appliance.sysctl(*(f"{setting}=0" for setting in settings))
            self.sender.ip("link", "set", "dev", "s0", "xdp", "off")

    def test_forms(self):
        for form in self.FORMS:
            if not form.whole or IS_WHOLE:
                with contextlib.ExitStack() as stack:
                    self.row(form, stack)

    def row(self, form, stack):
        self.forget_neighbours()
        if form.setting:
            stack.enter_context(getattr(self, form.setting)())
        storm = self.storm(form.destinations, only=form.only, largest=self.LARGEST)
        stack.callback(self.remove_instance)
        daemon = self.start(*form.changes)
        stack.callback(daemon.kill)
        if form.is_killed:
            daemon.kill()
            time.sleep(HEARTBEAT_LIFETIME)
        self.forget()
        for version in (4, 6):
            self.send(storm[version])
        self.settle()
        self.judge(form, len(storm[4]) + len(storm[6]))

    def judge(self, form, sent):
        for version in ("IPv4", "IPv6"):
            with self.subTest(f"{version}: {form.sentence}"):
                self.assert_silent(version)
        with self.subTest(f"the program gets every packet: {form.sentence}"):
            self.assertEqual(sum(self.verdicts().values()), sent)
            self.assert_silent("tunnel")
        neighbours = self.appliance.ip("neigh", "show").stdout.splitlines()
        with self.subTest(f"no captured packet tells of neighbours: {form.sentence}"):
            learnt = [line for line in neighbours if hostile.POISON in line]
            self.assertEqual(learnt[:3], [], f"{len(learnt)} learnt")
        if "pass" not in form.sentence:
            with self.subTest(f"the neighbour table does not fill: {form.sentence}"):
                self.assertLess(len(neighbours), NEIGHBOURS)


class LargeFrames(Forms):
    """Frames in several buffers, which only the kernel can fragment."""

    MTU_IN = MTU_OUT = 9001
    LARGEST = 8800
    FORMS = (
        Form("large frames", ({"forward": {"mtu": 1500}},), only="too large"),
        Form("large frames, unmatched: forward to addresses that nobody has",
             (unmatched("forward", mtu=1500),), NOBODY, only="too large"),
        Form("large frames, unmatched: pass", (unmatched("pass", mtu=1500),), ANYWHERE,
             only="too large", whole=True),
        Form("large frames, next_hop: keep", (unmatched("forward", mtu=1500, next_hop="keep"),),
             only="too large", whole=True),
    )


class Tunnel(Answers):
    """
    The kernel puts the tunnel's own fragments together. Nobody listens at the tunnel's port, or a
    piece is missing: the mirror source, a production host as well, must not be told.
    """

    ROWS = {  # sentence: which of three pieces come
        "all fragments": (0, 1, 2),
        "the first one alone": (0,),
        "the last one missing": (0, 1),
    }
    MORE = {
        "without the first one": (1, 2),
        "one of them twice": (0, 1, 1, 2),
        "the last one first": (2, 1, 0),
    }

    def pieces(self, version, number, which):
        source, destination = (("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2"))[version == 6]
        inner = frames.inner(frames.udp("10.200.0.1", "10.64.0.1", hostile.PORT, 514, bytes(1900)))
        datagram = frames.udp_segment(source, destination, 50000, 4789, frames.vxlan() + inner)
        for piece in which:
            part = datagram[piece * 800:(piece + 1) * 800]
            place = {"ident": number + 1, "mf": piece < 2, "fragment_offset": piece * 800} \
                if version == 4 else {"fragment": (piece * 800, piece < 2, number + 1)}
            yield frames.ether(frames.ip(part, frames.UDP, source, destination, **place),
                               frames.ETH_IPV4 if version == 4 else frames.ETH_IPV6)

    def bring(self, sentence, count=STORM // 5):
        """Sends many of a row."""
        which = (self.ROWS | self.MORE)[sentence]
        self.forget()
        for version in (4, 6):
            self.send([frame for number in range(count)
                       for frame in self.pieces(version, number, which)])
        self.settle()

    def test_fragments(self):
        self.start()
        for sentence in self.ROWS | self.MORE if IS_WHOLE else self.ROWS:
            with self.subTest(sentence):
                self.bring(sentence)
                self.assert_silent()

    def test_without_the_program(self):
        """The kernel itself answers: the rows above would see it."""
        for sentence, names in (("all fragments", ("IPv4 destination", "IPv6 destination")),
                                ("the first one alone", ("IPv4 time", "IPv6 time"))):
            self.bring(sentence, 50)
            for name in names:
                self.assertIn(name, self.answered(), sentence)


class WithoutTheProgram(Routed):
    """The same storm through the kernel's own VXLAN: it answers, and these tests see how."""

    ANSWERS = {
        4: ("destination unreachable", "time exceeded", "parameter problem", "echo reply",
            "timestamp reply", "RST", "membership report", "ARP for a captured source"),
        6: ("destination unreachable", "time exceeded", "parameter problem", "echo reply", "RST",
            "packet too big", "neighbour advertisement", "membership report",
            "solicitation of a captured source"),
    }

    def test_kernel_answers(self):
        made = self.appliance.ip(
            "link", "add", "vx0", "address", frames.INNER_DESTINATION_MAC, "type", "vxlan",
            "id", "1", "dstport", "4789", "local", "10.9.0.2", "remote", "10.9.0.1", check=False)
        if made.returncode:
            self.skipTest(f"this kernel has no VXLAN: {made.stderr.strip()}")
        self.appliance.sysctl("net.ipv4.conf.vx0.rp_filter=0", "net.ipv4.conf.vx0.send_redirects=0")
        # to have neighbours and groups there, too
        self.appliance.ip("addr", "add", "10.9.0.2/32", "dev", "vx0")
        self.appliance.ip("addr", "add", "239.1.1.1/32", "dev", "vx0", "autojoin")
        self.appliance.ip("addr", "add", "fd09::2/128", "dev", "vx0", "nodad")
        self.appliance.ip("link", "set", "vx0", "mtu", "3448", "up")
        self.settle(1)
        storm = self.storm(ANYWHERE, 3000)
        for version, names in self.ANSWERS.items():
            self.forget()
            self.send(storm[version])
            self.settle()
            for name in names:
                with self.subTest(f"IPv{version} {name}"):
                    self.assertIn(f"IPv{version} {name}", self.answered())
            print(f"    without the program, {len(storm[version])} packets: "
                  f"{sum(self.answers.values())} answers", flush=True)
