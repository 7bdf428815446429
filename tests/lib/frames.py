# SPDX-License-Identifier: GPL-2.0-only
"""Frames as bytes. Every field can be given, right or wrong; fields not given are valid."""

import socket
import struct

ETH_IPV4, ETH_IPV6, ETH_ARP, ETH_VLAN, ETH_QINQ, ETH_LLDP = (
    0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x88CC)
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS, NO_NEXT_HEADER = 0, 43, 44, 60, 59

OUTER_SOURCE_MAC, OUTER_DESTINATION_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
INNER_SOURCE_MAC, INNER_DESTINATION_MAC = "02:00:00:00:02:01", "02:00:00:00:02:02"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def ones_sum(data, start=0):
    """The folded one's complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data):
    return ~ones_sum(data) & 0xFFFF


def l4_checksum(source, destination, protocol, segment):
    """The checksum of a UDP or TCP segment whose checksum field is zero; addresses as bytes."""
    pseudo = source + destination + struct.pack("!II", len(segment), protocol)
    value = checksum(pseudo + segment)
    return 0xFFFF if protocol == UDP and value == 0 else value


def ether(payload, ethertype=ETH_IPV4, source=OUTER_SOURCE_MAC,
          destination=OUTER_DESTINATION_MAC, vlans=()):
    """`vlans`: (TPID, VLAN id) from the outside in."""
    head = mac(destination) + mac(source)
    for tpid, vlan in vlans:
        head += struct.pack("!HH", tpid, vlan)
    return head + struct.pack("!H", ethertype) + payload


def ipv4(payload, protocol, source, destination, *, ident=0x1234, df=False, mf=False,
         fragment_offset=0, ttl=64, tos=0, options=b"", version=4, ihl=None, total_length=None,
         header_checksum=None):
    """`fragment_offset` in bytes."""
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total_length = 20 + len(options) + len(payload) if total_length is None else total_length
    flags = (0x4000 if df else 0) | (0x2000 if mf else 0) | fragment_offset // 8
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, total_length & 0xFFFF, ident,
                       flags, ttl, protocol, 0, address(source), address(destination)) + options
    value = checksum(head) if header_checksum is None else header_checksum
    return head[:10] + struct.pack("!H", value) + head[12:] + payload


def extension(kind, next_header):
    """An IPv6 extension header of eight bytes (hop-by-hop and destination options: PadN)."""
    if kind == ROUTING:
        return struct.pack("!BBBBI", next_header, 0, 253, 0, 0)
    return struct.pack("!BBBB4s", next_header, 0, 1, 4, bytes(4))


def ipv6(payload, protocol, source, destination, *, hop_limit=64, traffic_class=0, flow=0,
         version=6, payload_length=None, extensions=(), fragment=None):
    """`extensions`: kinds from the outside in; `fragment`: (offset in bytes, more, id)."""
    chain, following = b"", protocol
    if fragment is not None:
        offset, more, ident = fragment
        chain = struct.pack("!BBHI", following, 0, offset | (1 if more else 0), ident)
        following = FRAGMENT
    for kind in reversed(extensions):
        chain = extension(kind, following) + chain
        following = kind
    if payload_length is None:
        payload_length = len(chain) + len(payload)
    return struct.pack("!IHBB16s16s", version << 28 | traffic_class << 20 | flow,
                       payload_length & 0xFFFF, following, hop_limit, address(source),
                       address(destination)) + chain + payload


def ip(payload, protocol, source, destination, **fields):
    return (ipv6 if ":" in source else ipv4)(payload, protocol, source, destination, **fields)


def udp_segment(source, destination, source_port, destination_port, payload=b"", *,
                udp_length=None, udp_checksum=None):
    length = 8 + len(payload) if udp_length is None else udp_length
    segment = struct.pack("!HHHH", source_port, destination_port, length & 0xFFFF, 0) + payload
    if udp_checksum is None:
        udp_checksum = l4_checksum(address(source), address(destination), UDP, segment)
    return segment[:6] + struct.pack("!H", udp_checksum) + payload


def tcp_segment(source, destination, source_port, destination_port, payload=b"", *, flags=0x18,
                tcp_options=b"", tcp_checksum=None):
    head = struct.pack("!HHIIBBHHH", source_port, destination_port, 1000, 2000,
                       (5 + len(tcp_options) // 4) << 4, flags, 8192, 0, 0) + tcp_options
    if tcp_checksum is None:
        tcp_checksum = l4_checksum(address(source), address(destination), TCP, head + payload)
    return head[:16] + struct.pack("!H", tcp_checksum) + head[18:] + payload


def _split(fields, names):
    return ({k: v for k, v in fields.items() if k in names},
            {k: v for k, v in fields.items() if k not in names})


def udp(source, destination, source_port, destination_port, payload=b"", **fields):
    """An IP packet of the addresses' family with a UDP segment in it."""
    mine, rest = _split(fields, ("udp_length", "udp_checksum"))
    segment = udp_segment(source, destination, source_port, destination_port, payload, **mine)
    return ip(segment, UDP, source, destination, **rest)


def tcp(source, destination, source_port, destination_port, payload=b"", **fields):
    mine, rest = _split(fields, ("flags", "tcp_options", "tcp_checksum"))
    segment = tcp_segment(source, destination, source_port, destination_port, payload, **mine)
    return ip(segment, TCP, source, destination, **rest)


def vxlan(vni=1, flags=0x08, reserved1=0, reserved2=0):
    return struct.pack("!BBHI", flags, reserved1 >> 16, reserved1 & 0xFFFF, vni << 8 | reserved2)


def inner(packet, ethertype=None, **fields):
    """The inner Ethernet frame of an IP packet (or of anything, with an EtherType)."""
    if ethertype is None:
        ethertype = ETH_IPV6 if packet[:1] and packet[0] >> 4 == 6 else ETH_IPV4
    return ether(packet, ethertype, **{"source": INNER_SOURCE_MAC,
                                       "destination": INNER_DESTINATION_MAC, **fields})


def tunnel(inner_frame, *, vni=1, source="10.0.0.1", destination="10.0.0.2", source_port=50000,
           port=4789, flags=0x08, reserved1=0, reserved2=0, vlans=(), trailer=b"",
           ethertype=None, udp_checksum=0, source_mac=OUTER_SOURCE_MAC,
           destination_mac=OUTER_DESTINATION_MAC, **fields):
    """The outer frame. `trailer`: bytes behind the end of the outer IP packet."""
    if ":" in source and destination == "10.0.0.2":
        destination = "fd00::2"
    packet = udp(source, destination, source_port, port,
                 vxlan(vni, flags, reserved1, reserved2) + inner_frame,
                 udp_checksum=udp_checksum, **fields)
    if ethertype is None:
        ethertype = ETH_IPV6 if ":" in source else ETH_IPV4
    return ether(packet + trailer, ethertype, source_mac, destination_mac, vlans)


def write_pcap(path, frames):
    with open(path, "wb") as stream:
        stream.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, frame in enumerate(frames):
            stream.write(struct.pack("=IIII", number, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    """Frames of a classic pcap file in host byte order."""
    with open(path, "rb") as stream:
        data = stream.read()
    if struct.unpack_from("=I", data)[0] not in (0xA1B2C3D4, 0xA1B23C4D):
        raise ValueError(f"{path}: no classic pcap file")
    frames, at = [], 24
    while at < len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames
