# SPDX-License-Identifier: GPL-2.0-only
"""
A fleet of three for Prometheus to look at: an appliance to which every verdict happens that packets can
bring about, a single-arm one, and one with what only ENA counts.
"""

import contextlib
import http.server
import re
import threading
import time

from lib import frames
from lib.command import wait_for
from lib.daemon import Daemon
from lib.namespace import unique, veth
from lib.port import Port
from lib.watch import PORT, request

from servers import Server

SINGLE_ARM, ENA = PORT + 1, PORT + 2
SILENT, OWN = "10.20.0.99", "10.20.0.1"  # a target that does not answer, and the appliance itself
INNER = "10.1.0.1", "10.1.0.2"


def mirrored(source_port=1000, size=300, vni=1, **outer):
    return frames.tunnel(frames.inner(frames.udp(*INNER, source_port, 514, bytes(size))), vni=vni,
                         source="10.9.0.1", destination="10.9.0.2", **outer)


def traffic():
    """A second of it: {verdict: frames}"""
    outer = {"source": "10.9.0.1", "destination": "10.9.0.2"}
    too_long = frames.udp(*INNER, 1000, 514, bytes(200))
    return {
        "redirected": [mirrored(size=size) for size in (40, 300, 700, 1200)] * 8 + [mirrored(vni=7)] * 4,
        "fragmented": [mirrored(size=2000)] * 4,
        "passed": [mirrored(1003)] * 3,
        "no_route": [mirrored(1002)] * 3,
        "unmatched": [mirrored(4000)] * 3,
        "unknown_vni": [mirrored(vni=99)] * 2,
        "source_denied": [frames.tunnel(frames.inner(too_long), source="10.8.0.1", destination="10.9.0.2")] * 2,
        "malformed": [mirrored()[:120]],
        "bad_vxlan": [mirrored(flags=0)],
        "inner_not_ip": [frames.tunnel(frames.inner(bytes(40), frames.ETH_ARP), **outer)] * 2,
        "truncated": [frames.tunnel(frames.inner(too_long[:-50]), **outer)],
        "oversize": [frames.tunnel(frames.inner(frames.udp("fd01::1", "fd01::2", 1000, 514, bytes(2000))),
                                   **outer)] * 2,
        "outer_fragment": [mirrored(mf=True)],
        "not_tunnel": [bytes(12) + b"\x88\xcc" + bytes(46)],
    }


class Ena(http.server.BaseHTTPRequestHandler):
    """Says what the appliance says, as if its interfaces were ENA's."""

    def do_GET(self):  # pylint: disable=invalid-name
        text = request(self.server.namespace, "/metrics").text
        text += '# TYPE vxlan_pipeline_conntrack_allowance_available gauge\n' \
            'vxlan_pipeline_conntrack_allowance_available{interface="in0"} 136000\n'
        rows = "".join(
            f'vxlan_pipeline_lost_packets_total{{place="nic",interface="in0",reason="{name}"}} {value}\n'
            for name, value in (("bw_in_allowance_exceeded", int(10 * (time.monotonic() - self.server.began))),
                                ("pps_allowance_exceeded", 7)))
        first = re.search(r"^vxlan_pipeline_lost_packets_total{", text, re.M).start()
        body = (text[:first] + rows + text[first:]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Fleet(Server):
    """Serves and feeds the three until the test ends."""

    MTU_OUT = Server.MTU_IN  # so that the program may fragment
    TARGETS = (f"127.0.0.1:{PORT}", f"127.0.0.1:{SINGLE_ARM}", f"127.0.0.1:{ENA}")

    def config(self, *changes):
        return super().config({
            "listen": {"vnis": [1, 7], "sources": ["10.9.0.0/24"]}, "forward": {"mtu": 1500},
            "nat": [{"match": {"source_port": 1000}, "to": "10.20.0.2:8081"},
                    {"match": {"source_port": 1000}, "to": "[fd20::2]:8081"},
                    {"match": {"source_port": 1002}, "to": f"{SILENT}:8081"},
                    {"match": {"source_port": 1003}, "to": f"{OWN}:8081"}]}, *changes)

    def start_fleet(self):
        self.start()
        self.start_single_arm()
        self.start_ena()
        self.stop = threading.Event()
        feeder = threading.Thread(target=self.feed)
        feeder.start()
        self.addCleanup(feeder.join)
        self.addCleanup(self.stop.set)

    def start_single_arm(self):
        veth(self.sender, "s1", self.appliance, "in1", 1600)
        self.appliance.ip("link", "set", "in1", "address", frames.OUTER_DESTINATION_MAC)
        self.attach_program(self.sender, "s1")  # a veth flushes XDP_TX only to such a peer
        self.single_port = Port(self, self.sender, "s1")
        other = unique("i")
        self.addCleanup(self.remove_instance, other)
        path = self.work.file("single.yaml", "\n".join((
            "listen: {interface: in1}", "forward: {interface: in1, next_hop: keep, unmatched: forward}",
            f"http: {{listen: 127.0.0.1:{SINGLE_ARM}}}", "")))
        Daemon(self, self.appliance, "-c", path, instance=other).ready()

    def start_ena(self):
        server = None
        with self.appliance.entered():
            server = http.server.HTTPServer(("127.0.0.1", ENA), Ena)
        server.namespace, server.began = self.appliance, time.monotonic()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)

    def feed(self):
        """A wave of packets: what goes up and down can be told from what stands still."""
        kinds, number = traffic(), 0
        while not self.stop.wait(0.25) and number < 2000:
            number += 1
            for name, batch in kinds.items():
                part = len(batch) * (2 + number % 5) // 6 if name == "redirected" else len(batch)
                self.in_port.send(*batch[:max(part, 1)])
            self.single_port.send(*kinds["redirected"][:10])

    def missing(self):
        """The verdicts that have not happened to any of them yet; `error` is a fault of our own."""
        series = self.query("vxlan_pipeline_packets_total")
        seen = {row["metric"]["verdict"] for row in series if float(row["value"][1])}
        return {row["metric"]["verdict"] for row in series} - seen - {"error"}

    def wait_for_every_verdict(self):
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.missing(), 20)
        self.assertEqual(self.missing(), set())
