# SPDX-License-Identifier: GPL-2.0-only
"""The two configurations that take turns, and the outcomes of packets under each."""

import socket
import struct

from lib import frames

FLOWS = 8  # inner sources; flow 0 matches a rule that both configurations have
FILLERS = 56  # rules that no packet matches
CUT_SIZE = 2852  # size of the packets that are fragmented
COMMON_DESTINATION, COMMON_MAC = "10.20.0.2", "02:00:00:00:20:02"
OLD_MAC, NEW_MAC, MOVED_MAC = "02:00:00:00:20:03", "02:00:00:00:20:04", "02:00:00:00:20:05"


class Outcome:
    """struct outcome of judge.bpf.c."""

    LAYOUT = "=6sH4s4B"
    UDP = ("no UDP checksum", "right UDP checksum", "WRONG UDP checksum")

    def __init__(self, mac, port, destination, udp, df, has_id, intact=1):
        self.key = struct.pack(self.LAYOUT, frames.mac(mac), port, socket.inet_aton(destination),
                               udp, df, has_id, intact)

    @classmethod
    def describe(cls, key):
        mac, port, destination, udp, df, has_id, intact = struct.unpack(cls.LAYOUT, key)
        return (f"to {mac.hex(':')} {socket.inet_ntoa(destination)}:{port}, {cls.UDP[udp]}, "
                f"DF {df}, {'an' if has_id else 'no'} ID{'' if intact else ', BROKEN'}")


class Fragment:
    """struct fragment of judge.bpf.c."""

    LAYOUT = "=6sH4sH2B"

    def __init__(self, mac, destination, offset, length, more, intact=1):
        self.key = struct.pack(self.LAYOUT, frames.mac(mac), offset, socket.inet_aton(destination),
                               length, more, intact)

    @classmethod
    def describe(cls, key):
        mac, offset, destination, length, more, intact = struct.unpack(cls.LAYOUT, key)
        return (f"fragment to {mac.hex(':')} {socket.inet_ntoa(destination)}, {length} bytes at "
                f"{offset}{', more to come' if more else ''}{'' if intact else ', BROKEN'}")

    @classmethod
    def cut(cls, mac, destination, mtu):
        """The keys of all fragments of a packet of CUT_SIZE bytes."""
        payload, chunk = CUT_SIZE - 20, (mtu - 20) // 8 * 8
        return [cls(mac, destination, offset, min(chunk, payload - offset),
                    offset + chunk < payload).key for offset in range(0, payload, chunk)]


class Side:
    """One of the two configurations, and the outcomes that packets may have under it."""

    def __init__(self, name, destination, port, mac, inner):
        self.name, self.destination, self.mac = name, destination, mac
        rules = [{"match": {"source": flow_source(0), "protocol": "udp"},
                  "to": f"{COMMON_DESTINATION}:7000"}]
        rules += [{"match": {"source": flow_source(n), "protocol": "udp"},
                   "to": f"{destination}:{port + n}"} for n in range(1, FLOWS + FILLERS)]
        self.changes = {"nat": rules, "inner": inner}
        udp, df = (1, 1) if inner["udp_checksum"] == "update" else (0, 0)
        self.common = Outcome(COMMON_MAC, 7000, COMMON_DESTINATION, udp, df, not df).key
        self.own = Outcome(mac, port, destination, udp, df, not df).key
        self.outcomes = {self.common, self.own}


class CuttingSide(Side):
    """A configuration that fragments packets, to another size than the other one does."""

    def __init__(self, side, port, mtu):
        super().__init__(side.name, side.destination, port, side.mac, side.changes["inner"])
        self.changes = {**self.changes, "forward": {"mtu": mtu}, "inner": {"clear_df_above": 1400}}
        common = Fragment.cut(COMMON_MAC, COMMON_DESTINATION, mtu)
        own = Fragment.cut(self.mac, self.destination, mtu)
        self.common, self.own = common[0], own[0]
        self.packets = (common, own)  # fragments by packet: all of a packet's come equally often
        self.outcomes = {*common, *own}


def flow_source(number):
    return f"10.2.41.{20 + number}"


def moved(side, mac):
    """The side's own outcome if its destination were behind another MAC."""
    return frames.mac(mac) + side.own[6:]


# The two differ in every attribute that rules and settings decide.
OLD = Side("old", "10.20.0.3", 8000, OLD_MAC, {"clear_df_above": "never", "udp_checksum": "update"})
NEW = Side("new", "10.20.0.4", 9000, NEW_MAC, {"clear_df_above": 90, "udp_checksum": "zero"})
SIDES = (OLD, NEW)
CUTTING_SIDES = (CuttingSide(OLD, 8000, 1500), CuttingSide(NEW, 9000, 1400))
