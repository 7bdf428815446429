#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Seeds for libFuzzer: `seeds.py DIRECTORY` makes a directory of inputs for each target, from the
documentation's examples, from frames of tests/lib/, and from texts in this file.
"""

import glob
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True

from lib import frames  # noqa: E402  pylint: disable=wrong-import-position

ENV = """# the old settings
export INPUT_INTERFACE=ens5
TARGET_INTERFACE="ens6"
NAT_IP=10.2.41.17
NAT_PORT=8081
SOURCE_PORT=42844
STATS_INTERVAL=5
TARGET_PPS=85000
PERFORMANCE_THRESHOLD=60000
ENABLE_REDIRECT=true
DEBUG_LEVEL=1
AWS_IPSEC_VM_IP='10.2.41.18'
AWS_IPSEC_VM_PORT=514
LOG_FILE=/var/log/x.log
ENABLE_COLORS=false
"""
NAT_RULES = "# rules\n42844=10.2.41.17:8081\n31765=\"10.2.41.18:8082\"  # more\n514=[2001:db8::9]:514\n"
INTERFACES = "INTERFACE=ens5\nTARGET_INTERFACE=ens6\n"


def some_frames():
    v4, v6 = ("10.1.0.1", "10.1.0.2"), ("2001:db8::1", "2001:db8::2")
    tunnel, inner = frames.tunnel, frames.inner
    return [
        tunnel(inner(frames.udp(*v4, 42844, 31765, b"payload", df=True, ident=0))),
        tunnel(inner(frames.tcp(*v4, 1000, 1, b"x" * 40, tcp_options=b"\x02\x04\x05\xb4"))),
        tunnel(inner(frames.udp(*v6, 1000, 514, b"y", extensions=[0, 60, 43])), source="fd00::1",
               extensions=[60]),
        tunnel(inner(frames.ipv6(b"z" * 64, 17, *v6, fragment=(8, True, 7))),
               vlans=[(0x88A8, 5), (0x8100, 6)]),
        tunnel(inner(frames.ipv4(b"z" * 64, 17, *v4, mf=True, options=b"\x07\x07\x04" + bytes(5)))),
        tunnel(inner(bytes(28), 0x0806), trailer=b"\0" * 9),
        frames.ether(frames.ipv4(struct.pack("!BBHI", 8, 0, 0, 0), 1, *v4)),
        frames.ether(frames.ipv6(bytes(24), 58, *v6), 0x86DD),
        frames.ether(bytes([0, 1, 8, 0, 6, 4, 0, 1]) + bytes(20), 0x0806),
    ]


def pcap(packets, order, magic, link=1):
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(order + "IIII", 1, 2, len(packet), len(packet) + 4) + packet
                           for packet in packets)


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def interface(order, link=1, snap=0):
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap)
                 + struct.pack(order + "HHI", 9, 1, 9) + struct.pack(order + "HH", 0, 0))


def pcapng(packets, order):
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    return section + interface(order) + b"".join(
        block(order, 6, struct.pack(order + "IIIII", 0, 0, 5, len(packet), len(packet)) + packet)
        for packet in packets) + block(order, 3, struct.pack(order + "I", 60) + packets[0][:60])


def captures():
    packets = some_frames()
    yield pcap(packets, "<", 0xA1B2C3D4)
    yield pcap(packets[:2], ">", 0xA1B23C4D)
    yield pcap(packets[:1], "<", 0xA1B2C3D4, link=113)
    # Kuznetzov's, with a longer header for each packet
    yield pcap([], "<", 0xA1B2CD34) + struct.pack("<IIIIIHBB", 1, 2, 60, 60, 2, 0x800, 0, 0) \
        + packets[0][:60]
    yield pcapng(packets, "<")
    yield pcapng(packets[:1], "<") + interface("<", snap=65535) + pcapng(packets[:1], "<")
    yield pcapng(packets[:1], "<") + interface("<", link=276)
    yield pcapng(packets[:1], "<") + pcapng(packets[:1], ">")
    for head in (b"\x1f\x8b\x08", b"BZh9", b"\x28\xb5\x2f\xfd", b"snoop\0\0\0\0\0\0\x02", b"text\n"):
        yield head + bytes(20)
    yield pcapng(packets[:2], ">")


def requests():
    for start in ("GET / HTTP/1.1", "HEAD /metrics HTTP/1.1", "GET /healthz?a=b HTTP/1.0",
                  "GET /stats.json HTTP/1.1", "GET /nothing HTTP/1.1", "DELETE / HTTP/1.1",
                  "GET http://a:80/healthz?a HTTP/1.1", "GET /healthz\0 HTTP/1.1",
                  "GET / HTTP/1.1\r\nHost: b", "GET / HTTP/1.1\rX: y"):
        yield b"\0" + f"{start}\r\nHost: a\r\n\r\n".encode()
    yield b"\1POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    yield (b"\2PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
           b"Expect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    yield b"\3GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=\"d\"\r\n\r\nGET / HTTP/1.1\r\n\r\n"


def seeds():
    configs = []
    for name in sorted(glob.glob(os.path.join(ROOT, "docs", "examples", "*.yaml"))):
        with open(name, "rb") as stream:
            configs.append(stream.read())
    configs.append(b"listen: {interface: a, vnis: any, sources: all}\nhttp: off\n")
    configs.append(b"listen:\n  interface: \"a\"\nforward: {next_hop: '02:00:00:00:00:01'}\n"
                   b"nat:\n- match: {vni: 1}\n  to: \"[2001:db8::9]:514\"\n")
    imports = ["---\n".join((ENV, NAT_RULES, INTERFACES)), ENV, "---\n" + NAT_RULES,
               "---\n---\n" + INTERFACES, "INTERFACE=a\n---\n1=10.0.0.1:1\n"]
    return {"config": configs, "import": [text.encode() for text in imports],
            "capture": list(captures()), "dissect": some_frames(),
            "http": list(requests())}


def main():
    for target, inputs in seeds().items():
        directory = os.path.join(sys.argv[1], target)
        os.makedirs(directory, exist_ok=True)
        for number, data in enumerate(inputs):
            with open(os.path.join(directory, f"seed-{number}"), "wb") as stream:
                stream.write(data)


if __name__ == "__main__":
    main()
