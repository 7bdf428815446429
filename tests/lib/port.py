# SPDX-License-Identifier: GPL-2.0-only
"""Whole frames, sent and captured on an interface of a namespace."""

import select
import socket
import struct
import time

from .program import PATIENCE

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1


class Port:
    """Sends and captures whole frames on an interface."""

    def __init__(self, test, namespace, interface):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        test.addCleanup(self.socket.close)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((interface, ETH_P_ALL))
        # A NIC, unlike a veth, filters by destination address unless it is promiscuous.
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack(
            "iHH8s", namespace.link(interface)["ifindex"], PACKET_MR_PROMISC, 0, b""))
        self.socket.setblocking(False)

    def send(self, *batch):
        """Pauses now and then, as the ring of a veth has 256 entries."""
        for number, frame in enumerate(batch, 1):
            while True:
                try:
                    self.socket.send(frame)
                    break
                except BlockingIOError:  # the send buffer is full: the machine is busy
                    select.select([], [self.socket], [], 0.1)
            if number % 40 == 0:
                time.sleep(0.002)

    def receive(self, wanted=None, count=None, quiet=0.3, seconds=5.0):
        """
        Returns the incoming frames for which `wanted` is true. Waits at most `seconds` for `count`
        of them, then goes on until none of them has come for `quiet` seconds, so that surplus frames
        show. Without `count`, waits for the quiet only. Others, such as a kernel's for neighbours,
        come for ever.
        """
        found = []
        until = time.monotonic() + (quiet if count is None else seconds) * PATIENCE
        while True:
            patience = until - time.monotonic()
            if patience <= 0 or not select.select([self.socket], [], [], patience)[0]:
                return found
            frame, address = self.socket.recvfrom(65536)
            if address[2] == socket.PACKET_OUTGOING or not (wanted is None or wanted(frame)):
                continue
            found.append(frame)
            if count is None or len(found) >= count:
                until = time.monotonic() + quiet * PATIENCE


def is_ip(frame):
    """Whether it is an IP packet, other than the neighbour discovery every IPv6 host sends."""
    return frame[12:14] == b"\x08\0" or (frame[12:14] == b"\x86\xdd" and frame[20] != 58 and
                                         frame[38] != 0xFF)
