# SPDX-License-Identifier: GPL-2.0-only
"""
Plays a Network Load Balancer for VXLAN, in a thread: spreads flows over targets by their 5-tuple, asks
each target for its health as the target group says, and keeps the senders' addresses.

As AWS describes it: a flow stays with its target while that is registered, even if it becomes unhealthy;
new flows go to healthy targets, and to all of them when none is healthy. A target that is deregistered
keeps its flows until the delay is over; then they move, if connection termination is on.
"""

import http.client
import select
import socket
import struct
import threading
import time
import zlib

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # of Linux; Python has no names for them
VXLAN, IDLE = 4789, 120
IP_HEADER = struct.Struct("!BBHHHBBH4s4s")


class Target:
    def __init__(self, name, address, zone):
        self.name, self.address, self.zone = name, address, zone
        self.is_healthy, self.streak = False, 0
        self.deregistered = None
        self.over = threading.Event()

    @property
    def is_registered(self):
        return self.deregistered is None


class Placement:
    """Which target a flow goes to. `group`: properties of the target group."""

    def __init__(self, group, cross_zone=True, zone=None):
        self.group, self.cross_zone, self.zone = group, cross_zone, zone
        attributes = {one["Key"]: one["Value"] for one in group["TargetGroupAttributes"]}
        self.delay = float(attributes["deregistration_delay.timeout_seconds"])
        self.terminates = attributes[
            "deregistration_delay.connection_termination.enabled"] == "true"
        self.targets, self.flows = {}, {}
        self.moves = []  # (when, flow, from, to)

    def register(self, name, address, zone):
        self.targets[name] = Target(name, address, zone)
        return self.targets[name]

    def deregister(self, name):
        target = self.targets[name]
        if target.is_registered:
            target.deregistered = time.monotonic()

    def healthy(self):
        return {name for name, target in list(self.targets.items())
                if target.is_healthy and target.is_registered}

    def keeps(self, target, now):
        """Whether a flow stays with the target that it has."""
        if target.is_registered:
            return True
        return now < target.deregistered + self.delay or not self.terminates

    def place(self, flow, now):
        known = self.flows.get(flow)
        if known and now - known[1] < IDLE and self.keeps(known[0], now):
            known[1] = now
            return known[0]
        choice = [one for one in list(self.targets.values()) if one.is_registered
                  and (self.cross_zone or one.zone == self.zone)]
        choice = [one for one in choice if one.is_healthy] or choice
        if not choice:
            return None
        choice.sort(key=lambda one: one.name)
        target = choice[zlib.crc32(repr(flow).encode()) % len(choice)]
        if known and known[0] is not target:
            self.moves.append((now, flow, known[0].name, target.name))
        self.flows[flow] = [target, now]
        return target


class Balancer(Placement):
    """Serves port 4789 of `address` in the namespace."""

    def __init__(self, test, namespace, address, group, cross_zone=True, zone=None):
        super().__init__(group, cross_zone, zone)
        self.namespace = namespace
        self.forwarded, self.unplaced = 0, 0
        self.told = lambda name, healthy: None
        self.receiver = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.receiver.bind((address, VXLAN))
        self.sender = namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        test.addCleanup(self.end)
        self.thread.start()

    def end(self):
        self.over.set()
        self.thread.join()
        for target in self.targets.values():
            target.over.set()
        self.receiver.close()
        self.sender.close()

    def register(self, name, address, zone):
        target = super().register(name, address, zone)
        threading.Thread(target=self.watch, args=(target,), daemon=True).start()
        return target

    def watch(self, target):
        """Health checks, with the numbers of the target group."""
        interval = float(self.group["HealthCheckIntervalSeconds"])
        needed = {True: int(self.group["HealthyThresholdCount"]),
                  False: int(self.group["UnhealthyThresholdCount"])}
        while not target.over.wait(interval):
            good = self.ask(target)
            target.streak = max(target.streak, 0) + 1 if good else min(target.streak, 0) - 1
            if good != target.is_healthy and abs(target.streak) >= needed[good]:
                target.is_healthy = good
                self.told(target.name, good)

    def ask(self, target):
        group = self.group
        timeout = float(group["HealthCheckTimeoutSeconds"])
        try:
            connecting = self.namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
            connecting.settimeout(timeout)
            connection = http.client.HTTPConnection(target.address)
            connection.sock = connecting
            with connecting:
                connecting.connect((target.address, int(group["HealthCheckPort"])))
                connection.request("GET", group["HealthCheckPath"])
                return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False

    def serve(self):
        while not self.over.is_set():
            ready, _, _ = select.select([self.receiver], [], [], 0.2)
            if ready:
                payload, source = self.receiver.recvfrom(65535)
                target = self.place(source, time.monotonic())
                if target is None:
                    self.unplaced += 1
                    continue
                self.send(source, target.address, payload)

    def send(self, source, address, payload):
        """As it came, with the sender's address."""
        length = 8 + len(payload)
        header = IP_HEADER.pack(0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0,
                                socket.inet_aton(source[0]), socket.inet_aton(address))
        udp = struct.pack("!HHHH", source[1], VXLAN, length, 0)
        try:
            self.sender.sendto(header + udp + payload, (address, 0))
            self.forwarded += 1
        except OSError:  # its machine is gone
            self.unplaced += 1
