# SPDX-License-Identifier: GPL-2.0-only
"""Captures as bytes, in the formats and with the peculiarities that the tools of others give them."""

import struct

ETHERNET, RAW, LINUX_SLL, LINUX_SLL2 = 1, 101, 113, 276
NULL, LOOP, IEEE802_11, RADIOTAP, NFLOG, ERF, IPV4, IPV6 = 0, 108, 105, 127, 239, 197, 228, 229

MICROSECONDS, NANOSECONDS, KUZNETZOV = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
START = 1700000000  # the first packet's time; the others follow a second apart


def pcap(frames, *, link=ETHERNET, order="<", magic=MICROSECONDS, snap=262144, version=(2, 4),
         start=START):
    """The classic format, as of tcpdump. A frame may be (captured bytes, length on the wire)."""
    data = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap, link)]
    for number, frame in enumerate(frames):
        kept, length = frame if isinstance(frame, tuple) else (frame, len(frame))
        data.append(struct.pack(order + "IIII", start + number, 5, len(kept), length))
        if magic == KUZNETZOV:  # interface, protocol, packet type
            data.append(struct.pack(order + "IHBx", 2, 0x0800, 0))
        data.append(kept)
    return b"".join(data)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link=ETHERNET, snap=262144, order="<", resolution=None):
    """`resolution`: of timestamps, as option if_tsresol has it; microseconds if there is none."""
    options = b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(frame, number=0, interface_number=0, order="<", when=None):
    """An Enhanced Packet Block; `when` in microseconds."""
    when = (START + number) * 10**6 if when is None else when
    return block(6, struct.pack(order + "IIIII", interface_number, when >> 32, when & 0xFFFFFFFF,
                                len(frame), len(frame)) + frame, order)


def simple(frame, order="<"):
    """A Simple Packet Block: it has no time."""
    return block(3, struct.pack(order + "I", len(frame)) + frame, order)


def pcapng(*blocks):
    return section() + b"".join(blocks)


def snoop(frames):
    """The format of snoop (RFC 1761)."""
    data = b"snoop\0\0\0" + struct.pack(">II", 2, 4)
    for number, frame in enumerate(frames):
        padding = -len(frame) % 4
        data += struct.pack(">IIIIII", len(frame), len(frame), 24 + len(frame) + padding, 0,
                            START + number, 0) + frame + bytes(padding)
    return data


def erf(frames):
    """Endace's format, which has no header of a file."""
    return b"".join(
        struct.pack("<Q", START << 32) + struct.pack(">BBHHH", 2, 4, 18 + len(frame), 0,
                                                     len(frame) + 4) + bytes(2) + frame
        for frame in frames)


# ---- the same packet behind other headers of the link layer; `frame` is Ethernet with IPv4 ----

def cooked(frame):
    return struct.pack("!HHH8sH", 0, 1, 6, frame[6:12], 0x0800) + frame[14:]


def cooked2(frame):
    return struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, frame[6:12]) + frame[14:]


def loopback(frame):
    return struct.pack(">I", 2) + frame[14:]


def wireless(frame):
    """A data frame from the distribution system, with LLC and SNAP."""
    return (b"\x08\x02\0\0" + frame[:6] + frame[6:12] + frame[6:12] + bytes(2) +
            b"\xaa\xaa\x03\0\0\0\x08\0" + frame[14:])


def radiotap(frame):
    return b"\0\0\x08\0\0\0\0\0" + wireless(frame)


def nflog(frame):
    """Family, version, resource; then one attribute, the packet."""
    packet = frame[14:]
    return struct.pack(">BBH", 2, 0, 0) + struct.pack("<HH", 4 + len(packet), 9) + packet


def read_pcap(data):
    """[(time in seconds, frame)]; fails unless the data is a whole pcap file of Ethernet frames."""
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert magic in (MICROSECONDS, NANOSECONDS) and link == ETHERNET
    packets, at = [], 24
    while at < len(data):
        seconds, _, kept, length = struct.unpack_from("<IIII", data, at)
        assert kept == length and at + 16 + kept <= len(data), "a whole packet"
        packets.append((seconds, data[at + 16:at + 16 + kept]))
        at += 16 + kept
    return packets
