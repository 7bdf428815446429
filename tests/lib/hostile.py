# SPDX-License-Identifier: GPL-2.0-only
"""
Inner packets to which a kernel that gets them has something to say, or that it does not expect:
a table, one kind a row. To add a kind, add a row.
"""

import ipaddress
import random
import struct

from . import frames
from .frames import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMP, ICMPV6, ROUTING, TCP, UDP

IGMP, IPIP, GRE, ESP, AH, SCTP, EXPERIMENT = 2, 4, 47, 50, 51, 132, 253
PORT = 1000  # the source port of UDP and TCP, by which rules match
BIG = 2400   # bytes of an IP packet that 1500 do not hold, though one page does
PAGE = 3400  # bytes of an IP packet that a frame in one buffer still holds

# Where captured packets come from. Nothing is ever sent there but an answer.
ROUTED = {4: "10.128.0.0/9", 6: "2001:db8:b::/48"}
ON_LINK = {4: ("10.9.0.", "10.20.0."), 6: ("fd09::1:", "fd20::1:", "fe80::b:")}
MARTIANS = {
    4: ("0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "240.0.0.1", "10.9.0.3",
        "10.9.0.255"),
    6: ("::", "::1", "ff02::5", "::ffff:10.128.1.1", "fd09::3", "ff0e::1"),
}
# Destinations that no form of configuration has to name: everybody, somebody, and nobody.
STRANGE = {
    4: ("255.255.255.255", "10.9.0.255", "10.20.0.255", "224.0.0.1", "224.0.0.22", "239.1.1.1",
        "127.0.0.1", "0.0.0.0", "240.0.0.1"),
    6: ("ff02::1", "ff02::2", "ff02::16", "ff02::1:ff00:2", "ff05::2", "ff0e::1", "::1", "::"),
}
# The MAC that captured neighbour discovery, routers and redirects tell of.
POISON = "02:66:66:66:66:66"


def is_captured(address):
    """Whether an address, as bytes, is a captured source that an answer could reach."""
    if len(address) == 4:
        return (address[0] == 10 and address[1] >= 128) or \
            (address[:3] in (b"\x0a\x09\0", b"\x0a\x14\0") and 100 <= address[3] < 200)
    return address[:6] == b"\x20\x01\x0d\xb8\0\x0b" or \
        (address[:2] in (b"\xfd\x09", b"\xfd\x20") and address[10:14] == b"\0\0\0\x01") or \
        (address[:2] == b"\xfe\x80" and address[10:14] == b"\0\0\0\x0b")


class Draw:
    """The random choices that one packet is made of."""

    def __init__(self, version, chance, destinations, largest=PAGE):
        self.version, self.chance, self.largest = version, chance, largest
        self.source = self.some_source()
        self.destination = self.some_address(chance.choice(destinations))
        self.port = chance.choice((8081, 8081, 9, 53, 123, 161, 514, chance.randrange(1, 65536)))

    def some_address(self, network):
        """An address of the network, or the address itself."""
        if "/" not in network:
            return network
        network = ipaddress.ip_network(network)
        return str(network[self.chance.randrange(1, min(network.num_addresses, 1 << 60))])

    def some_source(self):
        kind = self.chance.random()
        if kind < 0.8:
            return self.some_address(ROUTED[self.version])
        if kind < 0.9:
            return self.chance.choice(ON_LINK[self.version]) + str(self.chance.randrange(100, 200))
        return self.chance.choice(MARTIANS[self.version])

    def noise(self, low, high=None):
        return self.chance.randbytes(low if high is None else self.chance.randrange(low, high))

    def raw(self, protocol, payload=b"", **fields):
        ends = {"source": self.source, "destination": self.destination}
        ends = {name: fields.pop(name, value) for name, value in ends.items()}
        return frames.ip(payload, protocol, ends["source"], ends["destination"], **fields)

    def udp(self, payload=b"x" * 40, **fields):
        destination = fields.get("destination", self.destination)
        segment = frames.udp_segment(self.source, destination, PORT, self.port, payload,
                                     **{name: fields.pop(name) for name in
                                        ("udp_length", "udp_checksum") if name in fields})
        return self.raw(UDP, segment, **fields)

    def tcp(self, flags, **fields):
        return self.raw(TCP, frames.tcp_segment(self.source, self.destination, PORT, self.port,
                                                flags=flags), **fields)

    def big(self, size=BIG, **fields):
        """A UDP packet of `size` bytes; IPv4 options come on top."""
        return self.udp(bytes(size - (28 if self.version == 4 else 48)), **fields)

    def chain(self, headers, protocol=UDP, payload=None, **fields):
        """`headers`: of IPv6, outside in: (kind, what follows its next header and its length)."""
        if payload is None:
            payload = frames.udp_segment(self.source, self.destination, PORT, self.port, b"x" * 40)
        for kind, body in reversed(headers):
            payload = bytes([protocol, (len(body) + 2) // 8 - 1]) + body + payload
            protocol = kind
        return self.raw(protocol, payload, **fields)

    def icmp(self, kind, code=0, body=bytes(12), **fields):
        """ICMP or ICMPv6, with a checksum that is right."""
        message = struct.pack("!BBH", kind, code, 0) + body
        if self.version == 4:
            value = frames.checksum(message)
            return self.raw(ICMP, message[:2] + struct.pack("!H", value) + message[4:], **fields)
        ends = [frames.address(fields.get(name, getattr(self, name)))
                for name in ("source", "destination")]
        value = frames.l4_checksum(*ends, ICMPV6, message)
        return self.raw(ICMPV6, message[:2] + struct.pack("!H", value) + message[4:], **fields)

    def discovery(self, kind, body, **fields):
        """Neighbour discovery counts only where no router was on the way: hop limit 255."""
        return self.icmp(kind, body=body, hop_limit=255, **fields)

    def igmp(self, kind, code, group, more=b"", **fields):
        message = struct.pack("!BBH4s", kind, code, 0, frames.address(group)) + more
        value = frames.checksum(message)
        return self.raw(IGMP, message[:2] + struct.pack("!H", value) + message[4:],
                        options=b"\x94\x04\0\0", ttl=1, **fields)

    def mld(self, kind, body, **fields):
        """Multicast listener discovery comes with a router alert and a hop limit of 1."""
        ends = [frames.address(fields.get(name, getattr(self, name)))
                for name in ("source", "destination")]
        message = struct.pack("!BBH", kind, 0, 0) + body
        value = frames.l4_checksum(*ends, ICMPV6, message)
        message = message[:2] + struct.pack("!H", value) + message[4:]
        return self.chain([(HOP_BY_HOP, b"\x05\x02\0\0\x01\0")], ICMPV6, message, hop_limit=1,
                          **fields)

    def option6(self, kind):
        """The body of an options header with one option that nobody knows, and padding."""
        return bytes([kind, 4]) + self.noise(4)

    def routing(self, kind, left):
        return bytes([kind, left, 0, 0, 0, 0]) + frames.address(self.destination)

    def piece(self, offset, size, more, ident=None):
        """A fragment of a UDP packet to the rules' port; the first one begins with its header."""
        body = frames.udp_segment(self.source, self.destination, PORT, self.port, bytes(size))
        body = body[:size] if not offset else bytes(size)
        ident = self.chance.randrange(1, 65536) if ident is None else ident
        if self.version == 4:
            return self.raw(UDP, body, ident=ident, mf=more, fragment_offset=offset)
        return self.raw(UDP, body, fragment=(offset, more, ident))

    def quoted(self):
        """What an ICMP error quotes: the beginning of a packet."""
        return bytes(4) + frames.udp(self.destination, self.source, 4789, PORT, bytes(8))


LINK_LAYER = b"\x02\x01" + frames.mac(POISON)  # the target's; \x01\x01: the source's
OWN_SOURCE = b"\x01\x01" + frames.mac(POISON)


def own(version):
    """The address that listen.interface has."""
    return frames.address("10.9.0.2" if version == 4 else "fd09::2")


BOTH = {
    "UDP": lambda d: d.udp(),
    "UDP with a wrong checksum": lambda d: d.udp(udp_checksum=0x1234),
    "UDP without payload": lambda d: d.udp(b""),
    "UDP that says to be longer than it is": lambda d: d.udp(udp_length=600),
    "UDP that says to be shorter than a header": lambda d: d.udp(udp_length=3),
    "TCP SYN": lambda d: d.tcp(0x02),
    "TCP ACK": lambda d: d.tcp(0x10),
    "TCP SYN and FIN": lambda d: d.tcp(0x03),
    "TCP without a flag": lambda d: d.tcp(0),
    "TCP with all flags": lambda d: d.tcp(0xFF),
    "TCP cut short within its header": lambda d: d.raw(TCP, d.noise(1, 20)),
    "GRE": lambda d: d.raw(GRE, b"\0\0\x08\0" + d.noise(40)),
    "ESP": lambda d: d.raw(ESP, d.noise(60)),
    "AH": lambda d: d.raw(AH, b"\x11\x04\0\0" + d.noise(40)),
    "SCTP INIT": lambda d: d.raw(SCTP, struct.pack("!HHIIBBH", PORT, d.port, 0, 0, 1, 0, 20) +
                                 d.noise(16)),
    "a protocol that nobody has": lambda d: d.raw(EXPERIMENT, d.noise(40)),
    "a packet in a packet": lambda d: d.raw(
        IPIP if d.version == 4 else 41, d.udp()),
    "no payload": lambda d: d.raw(UDP),
    "a first fragment alone": lambda d: d.piece(0, 64, True),
    "a middle fragment alone": lambda d: d.piece(512, 64, True),
    "a last fragment alone": lambda d: d.piece(512, 61, False),
    "a tiny first fragment": lambda d: d.piece(0, 8, True),
    "a fragment that overlaps another": lambda d: d.piece(
        d.chance.choice((0, 8, 16, 24)), 40, d.chance.random() < 0.7, ident=7),
    "a fragment beyond what a packet can hold": lambda d: d.piece(65520, 64, False),
    "a fragment of a length that does not go on": lambda d: d.piece(0, 61, True),
    "too large": lambda d: d.big(),
    "too large by far": lambda d: d.big(d.largest),
    "a broadcast, multicast or martian destination": lambda d: d.udp(
        destination=d.chance.choice(STRANGE[d.version])),
    "to the address of listen.interface": lambda d: d.udp(
        destination="10.9.0.2" if d.version == 4 else "fd09::2"),
}

IPV4 = {
    "an option that nobody knows": lambda d: d.udp(options=b"\x9e\x04\0\0"),
    "an option without a length": lambda d: d.udp(options=b"\1\1\1\x44"),
    "an option of length 0": lambda d: d.udp(options=b"\x44\0\0\0"),
    "an option beyond the header": lambda d: d.udp(options=b"\x83\x28\4\0"),
    "record route whose pointer is wrong": lambda d: d.udp(options=b"\x07\x07\2\0\0\0\0\0"),
    "record route whose length is wrong": lambda d: d.udp(options=b"\x07\x02\4\0"),
    "a timestamp that is full": lambda d: d.udp(options=b"\x44\x08\x09\xf0\0\0\0\0"),
    "a timestamp whose pointer is wrong": lambda d: d.udp(options=b"\x44\x08\x02\0\0\0\0\0"),
    "loose source route": lambda d: d.udp(options=b"\x83\x07\4" + d.noise(4) + b"\0"),
    "strict source route": lambda d: d.udp(options=b"\x89\x07\4" + d.noise(4) + b"\0"),
    "router alert": lambda d: d.udp(options=b"\x94\x04\0\0"),
    "CIPSO": lambda d: d.udp(options=b"\x86\x08\0\0\0\1\1\2"),
    "random options": lambda d: d.udp(options=d.noise(4 * d.chance.randrange(1, 11))),
    "too large, with a malformed option": lambda d: d.big(options=b"\x07\x02\4\0"),
    "too large by far, with a malformed option": lambda d: d.big(
        d.largest, options=b"\x07\x02\4\0"),
    "too large, with a good option": lambda d: d.big(options=b"\1\1\1\0"),
    "too large, not to be fragmented": lambda d: d.big(df=True),
    "a little too large, not to be fragmented": lambda d: d.big(
        d.chance.randrange(1281, 1600), df=True),
    "TTL 0": lambda d: d.udp(ttl=0),
    "TTL 1": lambda d: d.udp(ttl=1),
    "a wrong header checksum": lambda d: d.udp(header_checksum=0xDEAD),
    "a header of less than 20 bytes": lambda d: d.udp(ihl=3),
    "a header longer than the packet": lambda d: d.raw(UDP, b"", ihl=15),
    "a length of almost nothing": lambda d: d.udp(total_length=d.chance.randrange(0, 28)),
    "a length of almost everything": lambda d: d.udp(total_length=65535),
    "cut short on the way": lambda d: d.udp(bytes(400))[:-d.chance.randrange(1, 300)],
    "another version": lambda d: d.udp(version=d.chance.choice((0, 5, 6, 15))),
    "the reserved flag": lambda d: d.udp(fragment_offset=0x8000 * 8),
    "echo request": lambda d: d.icmp(8, body=d.noise(36)),
    "echo request to everybody": lambda d: d.icmp(
        8, body=d.noise(36), destination=d.chance.choice(STRANGE[4])),
    "timestamp request": lambda d: d.icmp(13, body=bytes(16)),
    "address mask request": lambda d: d.icmp(17, body=bytes(8)),
    "information request": lambda d: d.icmp(15, body=bytes(4)),
    "extended echo request": lambda d: d.icmp(42, body=bytes(8)),
    "router solicitation": lambda d: d.icmp(10, body=bytes(4)),
    "ICMP of a type that nobody knows": lambda d: d.icmp(200),
    "ICMP: fragmentation needed": lambda d: d.icmp(3, 4, d.quoted()),
    "ICMP: port unreachable": lambda d: d.icmp(3, 3, d.quoted()),
    "ICMP: redirect": lambda d: d.icmp(5, 1, frames.address("10.9.0.66") + d.quoted()[4:]),
    "ICMP: source quench": lambda d: d.icmp(4, 0, d.quoted()),
    "IGMP query to all": lambda d: d.igmp(0x11, 1, "0.0.0.0", destination="224.0.0.1"),
    "IGMPv3 query": lambda d: d.igmp(0x11, 1, "0.0.0.0", b"\2\1\0\0", destination="224.0.0.1"),
    "IGMP query of a group": lambda d: d.igmp(0x11, 1, "239.1.1.1", destination="239.1.1.1"),
    "IGMP leave": lambda d: d.igmp(0x17, 0, "239.1.1.1", destination="224.0.0.2"),
}

IPV6 = {
    "hop limit 0": lambda d: d.udp(hop_limit=0),
    "hop limit 1": lambda d: d.udp(hop_limit=1),
    "hop-by-hop option to skip": lambda d: d.chain([(HOP_BY_HOP, d.option6(0x3E))]),
    "hop-by-hop option to drop for": lambda d: d.chain([(HOP_BY_HOP, d.option6(0x7E))]),
    "hop-by-hop option to answer": lambda d: d.chain([(HOP_BY_HOP, d.option6(0xBE))]),
    "hop-by-hop option to answer, unless multicast": lambda d: d.chain(
        [(HOP_BY_HOP, d.option6(0xFE))]),
    "hop-by-hop option beyond its header": lambda d: d.chain(
        [(HOP_BY_HOP, b"\x3e\x40" + bytes(4))]),
    "hop-by-hop, jumbo": lambda d: d.chain([(HOP_BY_HOP, b"\xc2\x04\0\0\0\x10")]),
    "hop-by-hop, router alert": lambda d: d.chain([(HOP_BY_HOP, b"\x05\x02\0\0\1\0")]),
    "hop-by-hop that does not come first": lambda d: d.chain(
        [(DESTINATION_OPTIONS, b"\1\4" + bytes(4)), (HOP_BY_HOP, d.option6(0xBE))]),
    "destination option to drop for": lambda d: d.chain([(DESTINATION_OPTIONS, d.option6(0x7E))]),
    "destination option to answer": lambda d: d.chain([(DESTINATION_OPTIONS, d.option6(0xBE))]),
    "destination option to answer, unless multicast": lambda d: d.chain(
        [(DESTINATION_OPTIONS, d.option6(0xFE))]),
    "too large, with a hop-by-hop option to answer": lambda d: d.chain(
        [(HOP_BY_HOP, d.option6(0xBE))], UDP, bytes(BIG)),
    "routing header 0": lambda d: d.chain([(ROUTING, d.routing(0, 1))]),
    "routing header 2": lambda d: d.chain([(ROUTING, d.routing(2, 1))]),
    "routing header 3": lambda d: d.chain([(ROUTING, d.routing(3, 1))]),
    "segment routing header": lambda d: d.chain([(ROUTING, d.routing(4, 1))]),
    "routing header that nobody knows": lambda d: d.chain([(ROUTING, d.routing(200, 3))]),
    "a chain of ten headers": lambda d: d.chain([(DESTINATION_OPTIONS, b"\1\4" + bytes(4))] * 10),
    "a chain that ends beyond the packet": lambda d: d.raw(
        DESTINATION_OPTIONS, b"\x11\x20" + bytes(14)),
    "an atomic fragment": lambda d: d.udp(fragment=(0, False, 77)),
    "no next header": lambda d: d.raw(59, d.noise(8)),
    "a length of almost nothing": lambda d: d.udp(payload_length=d.chance.randrange(0, 8)),
    "a length of almost everything": lambda d: d.udp(payload_length=65535),
    "cut short on the way": lambda d: d.udp(bytes(400))[:-d.chance.randrange(1, 300)],
    "another version": lambda d: d.udp(version=d.chance.choice((0, 4, 5, 15))),
    "echo request": lambda d: d.icmp(128, body=d.noise(36)),
    "echo request to everybody": lambda d: d.icmp(
        128, body=d.noise(36), destination=d.chance.choice(STRANGE[6])),
    "extended echo request": lambda d: d.icmp(160, body=bytes(8)),
    "node information query": lambda d: d.icmp(139, body=bytes(28)),
    "ICMPv6 error of a type that nobody knows": lambda d: d.icmp(100),
    "ICMPv6 of a type that nobody knows": lambda d: d.icmp(200),
    "ICMPv6: packet too big": lambda d: d.icmp(2, 0, d.quoted()),
    "ICMPv6: port unreachable": lambda d: d.icmp(1, 4, d.quoted()),
    "neighbour solicitation": lambda d: d.discovery(
        135, bytes(4) + own(6) + OWN_SOURCE, destination="ff02::1:ff00:2"),
    "neighbour solicitation, unicast": lambda d: d.discovery(
        135, bytes(4) + own(6) + OWN_SOURCE, destination="fd09::2"),
    "duplicate address detection": lambda d: d.discovery(
        135, bytes(4) + own(6), source="::", destination="ff02::1:ff00:2"),
    "neighbour advertisement": lambda d: d.discovery(
        136, b"\x20\0\0\0" + frames.address("fd09::1") + LINK_LAYER, destination="ff02::1"),
    "router solicitation": lambda d: d.discovery(133, bytes(4) + OWN_SOURCE,
                                                 destination="ff02::2"),
    "router advertisement": lambda d: d.discovery(
        134, b"\x40\0\x07\x08" + bytes(8) + OWN_SOURCE, destination="ff02::1"),
    "ICMPv6: redirect": lambda d: d.discovery(
        137, bytes(4) + frames.address("fe80::b:150") + own(6) + LINK_LAYER),
    "MLD query": lambda d: d.mld(130, bytes(20), destination="ff02::1"),
    "MLDv2 query": lambda d: d.mld(130, b"\0\1" + bytes(18) + b"\2\1\0\0", destination="ff02::1"),
    "MLD report": lambda d: d.mld(131, bytes(4) + frames.address("ff05::9")),
}

KINDS = {4: BOTH | IPV4, 6: BOTH | IPV6}


def storm(version, count, destinations, only="", largest=PAGE):
    """
    `count` packets as the tunnels that listen.interface gets, each kind in turn. `only`: of the
    kinds whose names begin so.
    """
    chance = random.Random(f"{version} {destinations}")
    made, kinds = [], [kind for name, kind in KINDS[version].items() if name.startswith(only)]
    ethertype = frames.ETH_IPV4 if version == 4 else frames.ETH_IPV6
    for number in range(count):
        packet = kinds[number % len(kinds)](Draw(version, chance, destinations, largest))
        made.append(frames.tunnel(frames.inner(packet, ethertype), source="10.9.0.1",
                                  destination="10.9.0.2",
                                  source_port=chance.randrange(49152, 65536)))
    return made
