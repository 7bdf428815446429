# SPDX-License-Identifier: GPL-2.0-only
"""
The kernel's vxlan device and stateless nftables do the same work on the same packets. Their packets
must equal the program's byte for byte, from the IP header on.

Known differences:
  - the kernel routes and decrements TTL and hop limit; the comparison increments them again;
  - the kernel cuts off padding behind the IP packet; the comparison ignores padding;
  - nftables writes a computed TCP checksum of zero as 0xffff, the same number in one's complement
    arithmetic; the comparison treats both alike;
  - nftables' `udp dport set` turns a UDP checksum of zero ("none") into a wrong one; no packet
    here has one.
"""

import os
import random
import struct
import sys

from lib import frames, reference
from lib.command import need_commands
from lib.ground import Ground
from lib.namespace import Namespace, veth
from lib.port import Port, is_ip
from lib.table import valid_checksums

SEED = int(os.environ.get("DIFFERENTIAL_SEED", "0") or 0) or int.from_bytes(os.urandom(4), "big")
PACKETS = 4000

RULES = [
    {"match": {"source_port": 1000, "protocol": "udp", "vni": 1}, "to": "10.20.0.2:8081"},
    {"match": {"destination": "10.77.0.0/16", "protocol": "tcp"}, "to": "10.20.0.3:9000"},
    {"match": {"source_port": 2000}, "to": "10.20.0.4"},
    {"match": {"source_port": 1000, "vni": 1}, "to": "[fd20::2]:8081"},
    {"match": {"destination": "2001:db8:77::/48", "protocol": "udp"}, "to": "[fd20::3]:53"},
]

# The same rules for nftables. It keeps no state; it recognizes later fragments by their sources.
NFT = """
table ip mirror {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        iifname "vx*" jump rules
    }
    chain rules {
        ip saddr 10.66.0.0/16 ip frag-off & 0x1fff != 0 ip daddr set 10.20.0.2 accept
        iifname "vx1" udp sport 1000 ip daddr set 10.20.0.2 udp dport set 8081 accept
        iifname "vx1o6" udp sport 1000 ip daddr set 10.20.0.2 udp dport set 8081 accept
        ip daddr 10.77.0.0/16 tcp dport 0-65535 ip daddr set 10.20.0.3 tcp dport set 9000 accept
        udp sport 2000 ip daddr set 10.20.0.4 accept
        tcp sport 2000 ip daddr set 10.20.0.4 accept
        drop
    }
}
table ip6 mirror {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        iifname "vx*" jump rules
    }
    chain rules {
        iifname { "vx1", "vx1o6" } udp sport 1000 ip6 daddr set fd20::2 udp dport set 8081 accept
        iifname { "vx1", "vx1o6" } tcp sport 1000 ip6 daddr set fd20::2 tcp dport set 8081 accept
        ip6 daddr 2001:db8:77::/48 udp dport 0-65535 ip6 daddr set fd20::3 udp dport set 53 accept
        drop
    }
}
"""


class KernelWay(Ground):
    """A second row of three namespaces, in which the kernel does the work."""

    def setUp(self):
        super().setUp()
        need_commands("nft")
        self.kernel_sender = Namespace(self, "ks")
        self.kernel_sender.sysctl("net.ipv6.conf.default.disable_ipv6=1")
        self.kernel = Namespace(self, "k")
        self.kernel_collector = Namespace(self, "kc")
        veth(self.kernel_sender, "s0", self.kernel, "in0", self.MTU_IN)
        veth(self.kernel, "out0", self.kernel_collector, "c0", self.MTU_OUT)
        self.set_up_kernel()
        self.kernel_in = Port(self, self.kernel_sender, "s0")
        self.kernel_out = Port(self, self.kernel_collector, "c0")
        for namespace, collector in ((self.appliance, self.collector),
                                     (self.kernel, self.kernel_collector)):
            mac = collector.mac("c0")
            for last in (2, 3, 4):
                for address in (f"10.20.0.{last}", f"fd20::{last}"):
                    namespace.ip("neigh", "replace", address, "lladdr", mac, "dev", "out0",
                                 "nud", "permanent")

    def set_up_kernel(self):
        kernel = self.kernel
        kernel.ip("link", "set", "in0", "address", frames.OUTER_DESTINATION_MAC)
        kernel.ip("addr", "add", "10.9.0.2/24", "dev", "in0")
        kernel.ip("addr", "add", "fd09::2/64", "dev", "in0", "nodad")
        kernel.ip("addr", "add", "10.20.0.1/24", "dev", "out0")
        kernel.ip("addr", "add", "fd20::1/64", "dev", "out0", "nodad")
        # Routes back to the inner sources, so that the kernel does not drop them as martians.
        kernel.ip("route", "add", "10.0.0.0/8", "dev", "in0")
        kernel.ip("route", "add", "2001:db8::/32", "dev", "in0")
        for vni in (1, 2):
            for name, local in ((f"vx{vni}", "10.9.0.2"), (f"vx{vni}o6", "fd09::2")):
                made = kernel.ip("link", "add", name, "address", frames.INNER_DESTINATION_MAC,
                                 "mtu", "3000", "type", "vxlan", "id", str(vni), "dstport",
                                 "4789", "local", local, "nolearning", "udp6zerocsumrx",
                                 check=False)
                if made.returncode:
                    self.skipTest(f"this kernel has no vxlan device: {made.stderr.strip()}")
                kernel.ip("link", "set", name, "up")
        kernel.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                      "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.all.send_redirects=0",
                      *[f"net.ipv4.conf.{name}.rp_filter=0"
                        for name in ("in0", "vx1", "vx2", "vx1o6", "vx2o6")])
        rules = kernel.run("nft", "-f", "-", input=NFT, check=False)
        if rules.returncode:
            self.skipTest(f"this kernel does not take the nftables rules: {rules.stderr}")

    # -- traffic ------------------------------------------------------------------------------

    def packets(self, rnd):
        """Inner packets, each with a source of its own; fragments of one datagram share theirs."""
        number = 0
        while number < PACKETS:
            number += 1
            version = rnd.choice((4, 4, 4, 6))
            low = f"{number >> 8}.{number & 255}" if version == 4 else f"{number:x}"
            if version == 4 and rnd.random() < 0.05:
                yield from self.fragments(rnd, f"10.66.{low}")
                continue
            maker = rnd.choice((frames.udp, frames.udp, frames.tcp))
            source = f"10.1.{low}" if version == 4 else f"2001:db8:1::{low}"
            destination = rnd.choice(("10.2.0.9", "10.77.3.4", "10.78.0.1") if version == 4 else
                                     ("2001:db8:2::9", "2001:db8:77::4", "2001:db8:78::1"))
            yield maker(source, destination, rnd.choice((1000, 1000, 2000, 3000)),
                        rnd.randrange(1, 65536), rnd.randbytes(self.length(rnd)),
                        **self.fields(rnd, version, maker))

    @staticmethod
    def length(rnd):
        return rnd.choice((0, 1, 2, 3, 17, 18, 64, 500, 1279, 1280, rnd.randrange(1300)))

    @staticmethod
    def fields(rnd, version, maker):
        checksum = "udp_checksum" if maker is frames.udp else "tcp_checksum"
        fields = {}
        if rnd.random() < 0.1:
            fields[checksum] = rnd.choice((1, 0xFFFE, 0xFFFF, rnd.randrange(1, 65536)))
        if version == 6:
            return {**fields, "hop_limit": rnd.randrange(2, 256),
                    "traffic_class": rnd.randrange(256), "flow": rnd.getrandbits(20)}
        return {**fields, "ttl": rnd.randrange(2, 256), "tos": rnd.randrange(256),
                "ident": rnd.choice((0, 1, 0xFFFF, rnd.getrandbits(16))),
                "df": rnd.random() < 0.5, "options": b"\x01" * rnd.choice((0, 0, 0, 4, 40))}

    @staticmethod
    def fragments(rnd, source):
        segment = frames.udp_segment(source, "10.2.0.9", 1000, 514,
                                     rnd.randbytes(rnd.randrange(300, 1200)))
        step, ident = rnd.choice((8 * rnd.randrange(5, 60), 256)), rnd.getrandbits(16)
        for offset in range(0, len(segment), step):
            yield frames.ipv4(segment[offset:offset + step], 17, source, "10.2.0.9", ident=ident,
                              mf=offset + step < len(segment), fragment_offset=offset)

    @staticmethod
    def is_fragment(packet):
        return packet[0] >> 4 == 4 and packet[12:14] == bytes((10, 66))

    def encapsulate(self, rnd, packet):
        fields = {"vni": rnd.choice((1, 1, 1, 2, 3)), "source_port": rnd.randrange(1024, 65536),
                  "trailer": bytes(rnd.choice((0, 0, 0, 10)))}
        if self.is_fragment(packet):
            fields["vni"] = 1
        if rnd.random() < 0.1:
            fields.update(source="fd09::1", destination="fd09::2", udp_checksum=None)
        else:
            fields.update(source="10.9.0.1", destination="10.9.0.2", df=rnd.random() < 0.5,
                          udp_checksum=rnd.choice((0, 0, None)))
        inner = frames.inner(packet)
        # Fragments stay whole: nftables forwards a later one even if the first was refused.
        damage = rnd.random() if not self.is_fragment(packet) else 1
        if damage < 0.02:
            inner = inner[:-1] if len(packet) > 60 else inner
        elif damage < 0.03:
            inner = inner[:14] + bytes([packet[0] ^ 0x20]) + inner[15:]
        elif damage < 0.04:
            inner += bytes(rnd.randrange(1, 30))
        return frames.tunnel(inner, **fields)

    # -- comparison ---------------------------------------------------------------------------

    @staticmethod
    def by_identity(test, captured):
        found = {}
        for frame in captured:
            packet = frame[14:]
            if packet[0] >> 4 == 4:
                packet = packet[:struct.unpack_from("!H", packet, 2)[0]]
                key = packet[12:16], struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
            else:
                packet = packet[:40 + struct.unpack_from("!H", packet, 4)[0]]
                key = packet[8:24], 0
            test.assertNotIn(key, found, "nothing arrives twice")
            found[key] = packet
        return found

    @staticmethod
    def undo_hop(packet):
        """The packet as it was before routing decremented its TTL."""
        packet = bytearray(packet)
        if packet[0] >> 4 == 4:
            old = bytes(packet[8:10])
            packet[8] += 1
            value = reference.rfc1624(struct.unpack_from("!H", packet, 10)[0], old,
                                      bytes(packet[8:10]))
            struct.pack_into("!H", packet, 10, value)
        else:
            packet[7] += 1
        return bytes(packet)

    @staticmethod
    def same_zero(packet):
        """The packet with 0 instead of 0xffff as its TCP checksum."""
        four = packet[0] >> 4 == 4
        at = ((packet[0] & 15) * 4 if four else 40) + 16
        if packet[9 if four else 6] == frames.TCP and packet[at:at + 2] == b"\xff\xff":
            return packet[:at] + b"\0\0" + packet[at + 2:]
        return packet


class SameTraffic(KernelWay):
    def test_both_ways(self):
        for mode in ("native", "generic"):
            with self.subTest(f"{mode}, DIFFERENTIAL_SEED={SEED}"):
                self.compare(mode)

    def compare(self, mode):
        print(f"DIFFERENTIAL_SEED={SEED}", file=sys.stderr)
        rnd = random.Random(SEED)
        sent = [self.encapsulate(rnd, packet) for packet in self.packets(rnd)]
        daemon = self.start({"nat": RULES, "listen": {"vnis": [1, 2], "xdp_mode": mode},
                             "inner": {"clear_df_above": "never"}})
        ours, theirs = [], []
        for at in range(0, len(sent), 500):
            part = sent[at:at + 500]
            self.in_port.send(*part)
            self.kernel_in.send(*part)
            ours += self.out_port.receive(is_ip, quiet=0.15)
            theirs += self.kernel_out.receive(is_ip, quiet=0.15)
        ours, theirs = (self.by_identity(self, frames_) for frames_ in (ours, theirs))
        self.assertGreater(len(theirs), len(sent) // 4, "the kernel way works")
        self.assertEqual({key: packet.hex() for key, packet in ours.items()
                          if key not in theirs}, {}, "only the program let these through")
        self.assertEqual({key: packet.hex() for key, packet in theirs.items()
                          if key not in ours}, {}, "only the kernel let these through")
        for key, packet in theirs.items():
            with self.subTest(f"{mode}, DIFFERENTIAL_SEED={SEED}, source {key[0].hex()}"):
                self.assertEqual(self.same_zero(ours[key]).hex(),
                                 self.same_zero(self.undo_hop(packet)).hex())
        verdicts = self.verdicts()
        self.assertEqual(verdicts["redirected"], len(ours))
        self.assertEqual(sum(verdicts.values()), len(sent))
        self.assertGreater(sum(map(valid_checksums, ours.values())), len(ours) // 2)
        self.assertEqual(daemon.terminate(), 0)
