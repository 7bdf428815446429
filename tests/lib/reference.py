# SPDX-License-Identifier: GPL-2.0-only
"""
A second implementation of the pipeline: says what has to happen to a packet. It was written from
docs/, not from the code: slow, direct, and with every checksum rule spelled out.

`Outcome.verdicts` holds several verdicts where docs/ admits several.
"""

import ipaddress
import struct

from . import frames
from .frames import (ETH_IPV4, ETH_IPV6, ETH_QINQ, ETH_VLAN, FRAGMENT, ROUTING, TCP, UDP)

# With `oversize: fragment`, the verdict is `fragmented` if the program fragments, `passed` if
# the kernel has to. This is the only place that admits both.
CUT_TO_FIT = frozenset({"fragmented", "passed"})

# A longer frame comes in several buffers, unless in generic mode: XDP neither fragments nor
# redirects it.
ONE_BUFFER = 3520

# IPv6 extension headers are followed up to this many.
MOST_EXTENSIONS = 6

WALKED = (frames.HOP_BY_HOP, frames.ROUTING, frames.DESTINATION_OPTIONS)


def rfc1624(value, old, new):
    """HC' = ~(~HC + ~m + m'), over every 16-bit word that changed."""
    total = ~value & 0xFFFF
    for at in range(0, len(old), 2):
        m, m_new = struct.unpack_from("!H", old, at)[0], struct.unpack_from("!H", new, at)[0]
        total += (~m & 0xFFFF) + m_new
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Outcome:
    def __init__(self, *verdicts, vni=None):
        self.verdicts = frozenset(verdicts)
        self.vni = vni
        self.rule = 0
        self.events = set()
        self.out = None          # the inner frame that leaves, uncut; None: nothing leaves
        self.fresh_id = False    # out's ID may be any but 0
        self.bytes_open = False  # docs/ does not say what the bytes are

    def __repr__(self):
        return (f"<{'|'.join(sorted(self.verdicts))} rule {self.rule} vni {self.vni} "
                f"{sorted(self.events)} {self.out.hex() if self.out else ''}>")


class Rule:
    def __init__(self, number, rule):
        match, to = rule["match"], rule["to"]
        self.number = number
        if to.startswith("["):
            host, _, port = to[1:].partition("]")
            port = port.lstrip(":")
        elif to.count(":") > 1:
            host, port = to, ""
        else:
            host, _, port = to.partition(":")
        self.address, self.port = frames.address(host), int(port) if port else None
        self.protocol = {"udp": UDP, "tcp": TCP, None: None}[match.get("protocol")]
        self.prefixes = [ipaddress.ip_network(match[key]) if key in match else None
                         for key in ("source", "destination")]
        self.exact = [match.get(key) for key in ("vni", "source_port", "destination_port")]

    def matches(self, packet):
        if len(self.address) != len(packet.source):
            return False
        if self.protocol not in (None, packet.protocol):
            return False
        for prefix, value in zip(self.prefixes, (packet.source, packet.destination)):
            if prefix is not None and ipaddress.ip_address(value) not in prefix:
                return False
        return all(want in (None, have) for want, have in
                   zip(self.exact, (packet.vni, packet.source_port, packet.destination_port)))


class OuterHeader:
    """The outer IP header; `l4`: where what it carries starts, `end`: where the packet ends."""

    def __init__(self, source, protocol, l4, end):
        self.source, self.protocol, self.l4, self.end = source, protocol, l4, end
        self.fragment = self.later = 0  # of a fragmented packet; not its first fragment
        self.extended = False  # has IPv6 extension headers


class Packet:
    """The parts of the inner packet that rules and rewriting look at."""

    def __init__(self, vni, frame):
        self.vni, self.frame = vni, bytearray(frame)
        self.version = self.length = self.protocol = self.l4 = None
        self.source = self.destination = None
        self.source_port = self.destination_port = None
        self.fragment = None  # (offset, more, id)

    @property
    def present(self):
        return len(self.frame) - 14

    def parse_l4(self, end):
        """`end`: the offset in the frame at which the packet ends."""
        need = {UDP: 8, TCP: 20}.get(self.protocol)
        if need is None or (self.fragment and self.fragment[0]) or self.l4 + need > end:
            self.l4 = None
            return
        self.source_port, self.destination_port = struct.unpack_from("!HH", self.frame, self.l4)


def _network_source(sources):
    return None if sources is None else [ipaddress.ip_network(s) for s in sources]


class Reference:
    def __init__(self, config):
        listen, forward = config["listen"], config.get("forward", {})
        inner = config.get("inner", {})
        self.port = listen.get("port", 4789)
        self.vnis = listen.get("vnis", [1])
        self.sources = _network_source(listen.get("sources"))
        self.single_arm = forward.get("interface", listen["interface"]) == listen["interface"]
        self.keep = forward.get("next_hop", "route") == "keep"
        self.route = forward.get("next_hop", "route") == "route"
        self.mtu = forward.get("mtu", 1500)
        self.kernel_exceeds = "mtu" in forward  # it fragments to the MTU of the simulated device
        self.oversize = forward.get("oversize", "fragment")
        self.unmatched = forward.get("unmatched", "drop")
        self.rules = [Rule(n, r) for n, r in enumerate(config.get("nat", []), 1)]
        self.clear_df_above = inner.get("clear_df_above", 1400)
        self.udp_checksum = inner.get("udp_checksum", "update")
        self.truncated = inner.get("truncated", "drop")
        self.decisions = {}
        self.generic = listen.get("xdp_mode", "auto") == "generic"
        self.scattered = False  # whether the last frame came in several buffers
        self.behind = False  # whether the last frame had bytes behind its outer UDP datagram

    def judge(self, frame):
        self.scattered = len(frame) > ONE_BUFFER and not self.generic
        outcome, udp = self._outer(frame)
        if outcome:
            return outcome
        if len(udp) < 8:
            return Outcome("malformed")
        if not udp[0] & 0x08:
            return Outcome("bad_vxlan")
        vni = struct.unpack_from("!I", udp, 4)[0] >> 8
        if self.vnis != "any" and vni not in self.vnis:
            return Outcome("unknown_vni", vni=vni)
        if len(udp) < 8 + 14:
            return Outcome("malformed", vni=vni)
        outcome = self._inner(Packet(vni, udp[8:]))
        if outcome.out is not None and self.behind:
            outcome.events.add("trailer_cut")
        return outcome

    # -- outer --------------------------------------------------------------------------------

    def _outer(self, frame):
        """
        (outcome, None), or (None, payload of the UDP datagram). Notes whether bytes come behind the
        datagram.
        """
        at, ethertype = self._outer_ethertype(frame)
        if ethertype not in (ETH_IPV4, ETH_IPV6):
            return Outcome("not_tunnel"), None
        if len(frame) < at + (20 if ethertype == ETH_IPV4 else 40):
            return Outcome("not_tunnel"), None
        read = self._outer_ipv4 if ethertype == ETH_IPV4 else self._outer_ipv6
        header = read(frame, at)
        if header is None:
            return Outcome("not_tunnel", "malformed"), None
        return self._datagram(frame, header)

    @staticmethod
    def _outer_ethertype(frame):
        """(offset behind the EtherType, EtherType), past two tags at most; None: there is none."""
        at, tags = 12, 0
        while at + 2 <= len(frame):
            ethertype = struct.unpack_from("!H", frame, at)[0]
            if ethertype not in (ETH_VLAN, ETH_QINQ) or tags == 2:
                return at + 2, ethertype
            tags, at = tags + 1, at + 4
        return at, None

    @staticmethod
    def _outer_ipv4(frame, at):
        if frame[at] >> 4 != 4 or frame[at] & 15 < 5:
            return None
        total, _, flags, _, protocol = struct.unpack_from("!HHHBB", frame, at + 2)
        header = OuterHeader(frame[at + 12:at + 16], protocol, at + (frame[at] & 15) * 4,
                             at + total)
        header.fragment, header.later = flags & 0x3FFF, flags & 0x1FFF
        return header

    @staticmethod
    def _outer_ipv6(frame, at):
        if frame[at] >> 4 != 6:
            return None
        payload, protocol = struct.unpack_from("!HB", frame, at + 4)
        header = OuterHeader(frame[at + 8:at + 24], protocol, at + 40, at + 40 + payload)
        for _ in range(MOST_EXTENSIONS):
            if header.protocol not in WALKED and header.protocol != FRAGMENT:
                break
            if header.l4 + 8 > min(len(frame), header.end):
                return None
            kind, l4 = header.protocol, header.l4
            if kind == ROUTING and frame[l4 + 3]:
                break  # segments left: this host is not the final destination
            header.protocol, header.extended = frame[l4], True
            header.l4 += 8 if kind == FRAGMENT else (frame[l4 + 1] + 1) * 8
            if kind == FRAGMENT:
                bits = struct.unpack_from("!H", frame, l4 + 2)[0]
                header.later, header.fragment = bits & 0xFFF8, header.fragment or bits & 0xFFF9
                if header.later:
                    break
        return header

    def _datagram(self, frame, header):
        """Goes on behind the outer IP header; returns what _outer() does."""
        l4 = header.l4
        unclear = Outcome("not_tunnel", "malformed"), None
        other = Outcome("not_tunnel"), None
        if header.fragment:  # whatever cannot be told of it
            unclear = other = Outcome("not_tunnel", "outer_fragment"), None
        if header.protocol != UDP:
            return other
        if header.later:
            return Outcome("outer_fragment"), None
        allowed = self.sources is None or any(
            ipaddress.ip_address(header.source) in prefix for prefix in self.sources)
        if header.extended and l4 + 8 > header.end:  # no UDP, or lengths that contradict
            return Outcome("not_tunnel", "malformed",
                           *(() if allowed else ("source_denied",))), None
        if l4 + 4 > len(frame):
            return unclear
        if struct.unpack_from("!H", frame, l4 + 2)[0] != self.port:
            return other
        if l4 + 8 > len(frame):  # the port is there, but not the whole UDP header
            return unclear
        if header.fragment:
            return Outcome("outer_fragment"), None
        if not allowed:
            return Outcome("source_denied"), None
        length = struct.unpack_from("!H", frame, l4 + 4)[0]
        if header.end > len(frame) or length < 8 or l4 + length > header.end:
            return Outcome("malformed"), None
        self.behind = l4 + length < len(frame)
        return None, frame[l4 + 8:l4 + length]

    # -- inner --------------------------------------------------------------------------------

    def _inner(self, packet):
        frame = packet.frame
        ethertype = struct.unpack_from("!H", frame, 12)[0]
        if ethertype not in (ETH_IPV4, ETH_IPV6):
            if not self.keep or self.unmatched != "forward":
                return Outcome("inner_not_ip", vni=packet.vni)
            outcome = self._sent(packet.vni)
            if self.scattered:
                outcome.verdicts = frozenset({"passed"})
            if packet.present > self.mtu:  # nobody can cut it
                outcome.verdicts = frozenset(
                    {"passed" if self.oversize == "pass" else "oversize"})
            outcome.out = bytes(frame) if outcome.verdicts != {"oversize"} else None
            return outcome
        malformed = Outcome("malformed", vni=packet.vni)
        malformed.events = {"inner_malformed"}
        fixed = 20 if ethertype == ETH_IPV4 else 40
        if packet.present < fixed:
            return Outcome("malformed", "truncated", vni=packet.vni)
        packet.version = 4 if ethertype == ETH_IPV4 else 6
        if frame[14] >> 4 != packet.version:
            return malformed
        if packet.version == 4:
            header = (frame[14] & 15) * 4
            packet.length, ident, flags, _, packet.protocol = struct.unpack_from("!HHHBB", frame,
                                                                                 16)
            packet.source, packet.destination = bytes(frame[26:30]), bytes(frame[30:34])
            if header < 20 or packet.length < header:
                return malformed
            packet.l4 = 14 + header
            if flags & 0x3FFF:
                packet.fragment = ((flags & 0x1FFF) * 8, bool(flags & 0x2000), ident)
        else:
            payload, packet.protocol = struct.unpack_from("!HB", frame, 18)
            packet.length = 40 + payload
            packet.source, packet.destination = bytes(frame[22:38]), bytes(frame[38:54])
            packet.l4 = 54
        truncated = packet.length > packet.present
        if truncated and self.truncated == "drop":
            outcome = Outcome("truncated", vni=packet.vni)
            outcome.events = {"inner_truncated"}
            return outcome
        end = min(14 + packet.length, len(frame))
        if truncated and self.truncated == "pass":
            return self._kernels(packet, {"inner_truncated"})
        if packet.version == 4 and packet.l4 > end:  # the header itself was cut: no rule matches
            if packet.fragment and not packet.fragment[0]:
                self.decisions[self._fragment_key(packet)] = None
            outcome = Outcome("malformed", "truncated", "unmatched", *self._passed(packet),
                              *self._sent(None).verdicts, vni=packet.vni)
            outcome.bytes_open = True
            return outcome
        if packet.version == 6:
            self._walk_extensions(packet, end)
        packet.parse_l4(end)
        outcome = self._match(packet)
        if truncated:
            outcome.events.add("inner_truncated")
        return outcome

    @staticmethod
    def _walk_extensions(packet, end):
        frame = packet.frame
        for _ in range(MOST_EXTENSIONS):
            if packet.protocol not in WALKED and packet.protocol != FRAGMENT:
                return
            if packet.l4 + 8 > end or packet.protocol == ROUTING and frame[packet.l4 + 3]:
                packet.protocol = None  # cut off, or not at its final destination yet (RFC 8200)
                return
            following = frame[packet.l4]
            if packet.protocol == FRAGMENT:
                bits, ident = struct.unpack_from("!HI", frame, packet.l4 + 2)
                if bits & 0xFFF9:
                    packet.fragment = (bits & 0xFFF8, bool(bits & 1), ident)
                packet.protocol, packet.l4 = following, packet.l4 + 8
                if bits & 0xFFF8:
                    return
            else:
                packet.protocol, packet.l4 = following, packet.l4 + (frame[packet.l4 + 1] + 1) * 8

    # -- rules --------------------------------------------------------------------------------

    @staticmethod
    def _fragment_key(packet):
        return (packet.vni, packet.source, packet.destination, packet.fragment[2],
                packet.protocol if packet.version == 4 else 6)

    def _match(self, packet):
        orphaned = False
        key = self._fragment_key(packet) if packet.fragment else None
        if packet.fragment and packet.fragment[0]:
            rule = self.decisions.get(key)
            orphaned = key not in self.decisions and bool(self.rules)
        else:
            rule = None
            if packet.l4 is not None:
                rule = next((r for r in self.rules if r.matches(packet)), None)
            if key:
                self.decisions[key] = rule
        if rule is None:
            outcome = self._unmatched(packet)
            if orphaned:
                outcome.events.add("fragment_orphaned")
            return outcome
        self._rewrite(packet, rule)
        outcome = self._leave(packet)
        outcome.rule = rule.number
        outcome.events.add("nat_applied")
        if packet.fragment and packet.fragment[0]:
            outcome.events.add("fragment_followed")
        return outcome

    def _unmatched(self, packet):
        if self.unmatched == "drop":
            return Outcome("unmatched", vni=packet.vni)
        if self.unmatched == "pass":
            return self._kernels(packet, set())
        return self._leave(packet)

    def _rewrite(self, packet, rule):
        frame, l4 = packet.frame, packet.l4
        old_address = packet.destination
        if packet.version == 4:
            self._replace(frame, 30, rule.address, 24)
        else:
            frame[38:54] = rule.address
        if l4 is None:
            return
        old, new = old_address, rule.address
        if rule.port is not None:
            old = old + bytes(frame[l4 + 2:l4 + 4])
            struct.pack_into("!H", frame, l4 + 2, rule.port)
            new = new + bytes(frame[l4 + 2:l4 + 4])
        at = l4 + (16 if packet.protocol == TCP else 6)
        value = struct.unpack_from("!H", frame, at)[0]
        if packet.protocol == UDP:
            if value == 0 or self.udp_checksum == "preserve":
                return  # zero: there is none, RFC 768 and RFC 6935
            if packet.version == 4 and self.udp_checksum == "zero":
                value = 0
            else:
                value = rfc1624(value, old, new) or 0xFFFF
        else:
            value = rfc1624(value, old, new)
        struct.pack_into("!H", frame, at, value)

    @staticmethod
    def _replace(frame, at, new, checksum_at):
        value = struct.unpack_from("!H", frame, checksum_at)[0]
        struct.pack_into("!H", frame, checksum_at,
                         rfc1624(value, bytes(frame[at:at + len(new)]), new))
        frame[at:at + len(new)] = new

    # -- leaving ------------------------------------------------------------------------------

    def _sent(self, vni):
        return Outcome("transmitted" if self.single_arm else "redirected", vni=vni)

    def _kernels(self, packet, events):
        """
        What `pass` means: decapsulated, not rewritten. The program may drop the packet instead if
        the kernel would only answer with an ICMP error to the captured packet's sender.
        """
        outcome = Outcome(*self._passed(packet), vni=packet.vni)
        outcome.events = events
        self._cut_trailer(packet, outcome)
        return outcome

    def _passed(self, packet):
        frame = packet.frame
        unfragmentable = packet.version == 6 or frame[20] & 0x40
        used_up = frame[22 if packet.version == 4 else 21] <= 1
        too_long = min(packet.length, packet.present) > self.mtu
        unsendable = unfragmentable or self.kernel_exceeds
        if too_long and unsendable and self._is_routed(packet):
            return {"oversize"}
        if used_up or packet.length > self.mtu and unsendable:
            return {"passed", "oversize", "no_route"}
        return {"passed"}

    def _cut_trailer(self, packet, outcome):
        if packet.present > packet.length and packet.present > self.mtu:
            if packet.length > self.mtu:  # the kernel fragments what is left
                outcome.bytes_open = True
            outcome.events.add("trailer_cut")
            del packet.frame[14 + packet.length:]
        outcome.out = bytes(packet.frame)

    def _leave(self, packet):
        frame, events, fresh = packet.frame, set(), False
        dont_fragment = False
        if packet.version == 4:
            ident, flags = struct.unpack_from("!HH", frame, 18)
            dont_fragment = bool(flags & 0x4000)
            if (dont_fragment and self.clear_df_above != "never"
                    and packet.length > min(self.clear_df_above, self.mtu)):
                dont_fragment = False
                self._replace(frame, 20, struct.pack("!H", flags & ~0x4000), 24)
                events.add("df_cleared")
                if ident == 0 and not flags & 0x3FFF:
                    fresh = True
                    events.add("id_assigned")
        outcome = self._sent(packet.vni)
        if min(packet.length, packet.present) > self.mtu:
            if self.oversize == "pass":
                outcome.verdicts = frozenset(self._passed(packet))
            elif self.oversize == "drop" or packet.version == 6 or dont_fragment:
                outcome.verdicts = frozenset({"oversize"})
            else:
                outcome.verdicts = frozenset({"passed"}) if self.scattered else CUT_TO_FIT
                if frame[22] <= 1 or self.kernel_exceeds:
                    outcome.verdicts |= {"oversize"}
                outcome.bytes_open = packet.fragment is not None
        elif self.scattered:
            outcome.verdicts = frozenset(self._passed(packet))
        if self.route and not self._is_routed(packet, by_rule="nat_applied" in events):
            outcome.verdicts |= {"no_route"}
        outcome.events |= events
        outcome.fresh_id = fresh
        if outcome.verdicts - {"oversize", "no_route"}:
            self._cut_trailer(packet, outcome)
        return outcome

    @staticmethod
    def _is_routed(packet, by_rule=False):
        """
        Whether `explain`'s simulated gateway certainly has a route to the destination. docs/ does
        not say where multicast, loopback, site-local (RFC 3879) and the like lead. With IPv6, the source counts as well,
        but not on the way to a rule's target.
        """
        if packet.version == 4:
            addresses = [packet.frame[30:34]]
        else:
            addresses = [packet.frame[22:38]] * (not by_rule) + [packet.frame[38:54]]
        kinds = [ipaddress.ip_address(bytes(address)) for address in addresses]
        return not any(kind.is_multicast or kind.is_loopback or kind.is_link_local
                       or kind.is_reserved or kind.is_unspecified or kind.version == 6
                       and (kind.is_site_local or int(kind) >> 120 == 0) or kind.version == 4 and int(kind) >> 24 == 0
                       for kind in kinds)


def reassemble(pieces):
    """Puts fragments together to an IPv4 packet; raises unless each is a valid part of it."""
    parts, total, first = {}, None, None
    for piece in pieces:
        header = (piece[0] & 15) * 4
        length, ident, flags = struct.unpack_from("!HHH", piece, 2)
        if frames.ones_sum(piece[:header]) != 0xFFFF:
            raise ValueError("header checksum of a fragment is wrong")
        identity = (ident, piece[9], piece[12:20])
        if first is not None and identity != first[0]:
            raise ValueError("fragments of different packets")
        if first is None or not flags & 0x1FFF:
            first = (identity, piece[:header])
        data = piece[header:length]
        parts[(flags & 0x1FFF) * 8] = data
        if not flags & 0x2000:
            total = (flags & 0x1FFF) * 8 + len(data)
    body = b""
    for offset in sorted(parts):
        if offset != len(body):
            raise ValueError(f"fragments leave a gap or overlap at {len(body)}")
        body += parts[offset]
    if total != len(body):
        raise ValueError("the last fragment is missing")
    head = bytearray(first[1])
    struct.pack_into("!H", head, 2, len(head) + total)
    head[6:8] = b"\0\0"
    head[10:12] = b"\0\0"
    struct.pack_into("!H", head, 10, frames.checksum(bytes(head)))
    return bytes(head) + body
