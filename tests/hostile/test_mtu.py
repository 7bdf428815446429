# SPDX-License-Identifier: GPL-2.0-only
"""
No IP packet larger than forward.mtu leaves, by any path. What leaves in pieces is put together to
what was sent; what neither the program nor the kernel would cut to that size is `oversize`, and
nothing is lost without a word. A case is a row of ROWS.
"""

import dataclasses
import random
import struct
import time

from lib import frames, kernel, reference
from lib.answers import IS_WHOLE, Answers
from lib.daemon import HEARTBEAT_LIFETIME
from lib.program import PATIENCE

SIZES = (600, 1280, 1400, 1401, 1500, 1501, 2000, 2972, 3400)
LARGE = SIZES + (3401, 5000, 8428, 8900)
SEVERAL = 20 if IS_WHOLE else 3  # packets of each kind and size
FORWARDED = "10.64.0.1", "2001:db8:c::1"  # destinations that a gateway takes

# Kinds of packets: what their IP header has. All are UDP.
KINDS = {
    "plain": {"df": False},
    "DF": {"df": True, "ident": 0},
    "option": {"df": False, "options": b"\1\1\1\0"},
    "IPv6": {},
}
CUT = ("plain", "DF")  # what XDP can cut
ALL4 = CUT + ("option",)


@dataclasses.dataclass
class Row:
    """
    `mtu`: the largest IP packet that may leave; `devices`: the MTU of in0 and of out0; `route`:
    more words for the route to the target. `whole`: the kinds that arrive whatever their size, in
    pieces if need be. Packets of the other kinds that are larger than `mtu` are `oversize`; those
    of `either` may also arrive.
    """

    sentence: str
    mtu: int
    devices: tuple = (3498, 3498)
    changes: tuple = ()
    whole: tuple = CUT
    either: tuple = ()
    sizes: tuple = SIZES
    route: tuple = ()
    to: tuple = ("10.1.255.1", "fd01::1")
    is_killed: bool = False


def forward(**keys):
    return {"forward": keys}


def passing(**keys):
    return {"nat": [], "forward": {"unmatched": "forward", **keys}}


GENERIC = {"listen": {"xdp_mode": "generic"}}
SINGLE_ARM = {"forward": {"interface": None},
              "nat": [{"match": {"source_port": 1000}, "to": "10.9.0.1:8081"},
                      {"match": {"source_port": 1000}, "to": "[fd09::1]:8081"}]}

ROWS = (
    Row("1500, out of a device that takes more", 1500, changes=(forward(mtu=1500),)),
    Row("1500, and the route has that MTU: the kernel cuts what has options", 1500,
        changes=(forward(mtu=1500),), route=("mtu", "1500"), whole=ALL4),
    Row("1500, and the route's MTU is locked", 1500, changes=(forward(mtu=1500),),
        route=("mtu", "lock", "1500"), whole=ALL4),
    Row("576", 576, changes=(forward(mtu=576),)),
    Row("3400", 3400, changes=(forward(mtu=3400),), whole=ALL4),
    Row("more than eight pieces", 300, changes=(forward(mtu=300),), whole=(), either=CUT,
        sizes=(280, 300, 301, 1400, 3000, 3400)),
    Row("the MTU of the device, which the kernel cuts to", 1500, (3498, 1500), whole=ALL4),
    Row("less than the MTU of a small device", 1280, (3498, 1500), (forward(mtu=1280),), whole=(),
        either=CUT),
    Row("1280, and DF packets below clear_df_above", 1280, changes=(forward(mtu=1280),),
        sizes=(1280, 1281, 1300, 1372, 1399, 1400)),
    Row("a route's MTU of 1280, and DF packets below clear_df_above", 1280,
        changes=(forward(mtu=1500),), route=("mtu", "1280"), whole=ALL4,
        sizes=(1280, 1281, 1372, 1400, 1480, 3000)),
    Row("a route's locked MTU of 1280, and DF packets below clear_df_above", 1280,
        changes=(forward(mtu=1500),), route=("mtu", "lock", "1280"), whole=ALL4,
        sizes=(1280, 1281, 1372, 1400, 1480, 3000)),
    Row("the same, with the daemon killed", 1280,
        changes=(forward(mtu=1500),), route=("mtu", "lock", "1280"), whole=ALL4,
        sizes=(1280, 1281, 1372, 1400, 1480, 3000), is_killed=True),
    Row("DF is never cleared", 1500,
        changes=(forward(mtu=1500), {"inner": {"clear_df_above": "never"}}), whole=("plain",)),
    Row("frames in several buffers, 1500", 1500, (9001, 9001), (forward(mtu=1500),), whole=(),
        either=CUT, sizes=LARGE),
    Row("frames in several buffers, 3400", 3400, (9001, 9001), (forward(mtu=3400),), whole=(),
        either=CUT, sizes=LARGE),
    Row("frames in several buffers, and the route has that MTU", 1500, (9001, 9001),
        (forward(mtu=1500),), route=("mtu", "1500"), whole=ALL4, sizes=LARGE),
    Row("frames in several buffers, the device's MTU", 9001, (9001, 9001), whole=ALL4 + ("IPv6",),
        sizes=LARGE),
    Row("frames in several buffers, out of a small device", 1500, (9001, 1500), whole=ALL4,
        sizes=LARGE),
    Row("generic mode", 1500, changes=(forward(mtu=1500), GENERIC), whole=()),
    Row("generic mode, and the route has that MTU", 1500, changes=(forward(mtu=1500), GENERIC),
        route=("mtu", "1500"), whole=ALL4),
    Row("generic mode, out of a small device", 1500, (3498, 1500), (GENERIC,), whole=ALL4),
    Row("generic mode, less than the MTU of a small device", 1280, (3498, 1500),
        (forward(mtu=1280), GENERIC), whole=()),
    Row("single-arm", 1500, changes=(SINGLE_ARM, forward(mtu=1500))),
    Row("single-arm in generic mode", 1500, changes=(SINGLE_ARM, forward(mtu=1500), GENERIC),
        whole=()),
    Row("oversize: pass, and the kernel would not cut", 1500,
        changes=(forward(mtu=1500, oversize="pass"),), whole=()),
    Row("oversize: pass, and the route has that MTU", 1500,
        changes=(forward(mtu=1500, oversize="pass"),), route=("mtu", "1500"), whole=ALL4),
    Row("oversize: drop", 1500, changes=(forward(mtu=1500, oversize="drop"),), whole=()),
    Row("next_hop: keep", 1500, changes=(forward(mtu=1500, next_hop="keep"),)),
    Row("next_hop: a MAC", 1500, changes=(forward(mtu=1500, next_hop="02:00:00:00:77:77"),)),
    Row("unmatched: forward", 1500, changes=(passing(mtu=1500),), to=FORWARDED),
    Row("unmatched: forward, 576", 576, changes=(passing(mtu=576),), to=FORWARDED),
    Row("unmatched: forward, with the daemon killed", 1500, changes=(passing(mtu=1500),),
        to=FORWARDED, is_killed=True),
    Row("unmatched: forward, frames in several buffers", 1500, (9001, 9001), (passing(mtu=1500),),
        whole=(), either=CUT, sizes=LARGE, to=FORWARDED),
    Row("unmatched: pass", 1500, changes=(passing(mtu=1500), forward(unmatched="pass")), whole=(),
        either=ALL4, to=FORWARDED),
)


def as_the_kernel_can(row):
    """What only the program can cut need not arrive where it cannot; it is told as oversize."""
    if kernel.copies_frames() or row.route or row.mtu == min(row.devices):
        return row
    return dataclasses.replace(row, whole=(), either=row.whole + row.either)


class Mtu(Answers):
    def addresses(self):
        super().addresses()
        self.know_neighbour()

    def devices(self, incoming, outgoing):
        for namespace, interface, mtu in (
                (self.sender, "s0", incoming), (self.appliance, "in0", incoming),
                (self.appliance, "out0", outgoing), (self.collector, "c0", outgoing)):
            namespace.ip("link", "set", interface, "mtu", str(mtu))

    def routes(self, more):
        """To the targets, and to a gateway that takes what no rule matches."""
        self.appliance.ip("route", "replace", "10.20.0.0/24", "dev", "out0", *more)
        # in the place of the kernel's own, which says so
        self.appliance.ip("-6", "route", "replace", "fd20::/64", "dev", "out0", "proto", "kernel",
                          "metric", "256", *more)
        for ipv, network, gateway in (("-4", "10.64.0.0/16", "10.20.0.2"),
                                      ("-6", "2001:db8:c::/48", "fd20::2")):
            self.appliance.ip(ipv, "route", "replace", network, "via", gateway, "dev", "out0",
                              *more)

    def packets(self, row):
        """{number: (kind, size, packet)}, each from a source of its own."""
        made = {}
        for kind, fields in KINDS.items():
            for size in row.sizes * SEVERAL:
                number = len(made)
                ends = (f"2001:db8:b::{number:x}", row.to[1]) if kind == "IPv6" else \
                    (f"10.128.{number >> 8}.{number & 255}", row.to[0])
                body = random.Random(number).randbytes(
                    size - 28 - 20 * (kind == "IPv6") - len(fields.get("options", b"")))
                made[number] = kind, size, frames.udp(*ends, 1000, 514, body, **fields)
        return made

    def collect(self, port, seconds=0.25):
        """{source address: IP packets} of what came there, and the size of the largest."""
        found, largest, quiet_at = {}, 0, time.monotonic() + seconds * PATIENCE
        while time.monotonic() < quiet_at:
            for frame in port.receive(quiet=0.05):
                version = {b"\x08\0": 4, b"\x86\xdd": 6}.get(frame[12:14])
                source = frame[26:30] if version == 4 else frame[22:38]
                if version is None or source[:2] not in (b"\x0a\x80", b"\x20\x01"):
                    continue
                length = struct.unpack_from("!H", frame, 16 if version == 4 else 18)[0]
                length += 40 * (version == 6)
                largest = max(largest, length)
                found.setdefault(source, []).append(frame[14:14 + length])
                quiet_at = time.monotonic() + seconds * PATIENCE
        return found, largest

    def test_rows(self):
        for row in map(as_the_kernel_can, ROWS):
            with self.subTest(row.sentence):
                if max(row.devices) > 3498 and not kernel.has_multi_buffer():
                    self.skipTest("this kernel's XDP takes one buffer only")
                self.row(row)
            # bpf_fib_lookup does not see an MTU of a route that is not locked
            if IS_WHOLE and not row.is_killed and row.route[1:] != ("1280",):
                with self.subTest(f"{row.sentence}, with the daemon killed"):
                    self.row(dataclasses.replace(row, is_killed=True, whole=(),
                                                 either=row.whole + row.either))

    def row(self, row):
        sent = self.packets(row)
        self.devices(*row.devices)
        self.routes(row.route)
        single_arm = SINGLE_ARM in row.changes
        if single_arm:
            self.attach_program(self.sender, "s0")  # a veth flushes XDP_TX only to such a peer
        try:
            daemon = self.start(*row.changes)
            if row.is_killed:
                daemon.kill()
                time.sleep(HEARTBEAT_LIFETIME)
            self.in_port.send(*(frames.tunnel(frames.inner(packet))
                                for _, _, packet in sent.values()))
            places = [self.collect(port) for port in
                      ((self.in_port,) if single_arm else (self.out_port, self.in_port))]
            self.check(row, sent, places, self.verdicts())
        finally:
            self.remove_instance()
            if single_arm:
                self.sender.ip("link", "set", "dev", "s0", "xdp", "off")

    def check(self, row, sent, places, verdicts):
        problems, lost = {}, 0
        arrived = {source: pieces for found, _ in places for source, pieces in found.items()}
        for kind, size, packet in sent.values():
            pieces = arrived.get(packet[8:24] if kind == "IPv6" else packet[12:16])
            lost += not pieces
            problem = None
            if not pieces and (size <= row.mtu or kind in row.whole):
                problem = "has not arrived"
            elif pieces and size > row.mtu and kind not in row.whole + row.either:
                problem = "is not oversize"
            elif pieces and not is_the_same(kind, packet, pieces):
                problem = "arrived as something else"
            if problem:
                problems.setdefault(f"{kind} {problem}", set()).add(size)
        said = [f"{problem}: {sorted(sizes)}" for problem, sizes in problems.items()]
        largest = max(size for _, size in places)
        if largest > row.mtu:
            said.insert(0, f"an IP packet of {largest} bytes left")
        if verdicts.get("oversize", 0) != lost:
            said.append(f"{lost} have not arrived, {verdicts.get('oversize', 0)} are oversize")
        if said:
            self.fail(f"{'; '.join(said)}\nverdicts: {verdicts}")


def is_the_same(kind, packet, pieces):
    """Whether the pieces that arrived have the payload of the UDP packet that was sent."""
    if kind == "IPv6":
        return len(pieces) == 1 and pieces[0][48:] == packet[48:]
    try:
        whole = pieces[0] if len(pieces) == 1 else reference.reassemble(pieces)
    except ValueError:
        return False
    header = 4 * (packet[0] & 15)
    return whole[0] == packet[0] and whole[header + 8:] == packet[header + 8:]
