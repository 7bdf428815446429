# SPDX-License-Identifier: GPL-2.0-only
"""Next hops change while packets flow: the daemon follows; without one the datapath asks."""

import signal
import socket
import time

from lib import frames, kernel
from lib.command import wait_for
from lib.daemon import HEARTBEAT_LIFETIME
from lib.ground import Ground
from lib.port import is_ip
from lib.program import PATIENCE

TARGET = "198.51.100.1"
GATEWAYS = {"10.20.0.101": "02:00:5e:00:00:aa", "10.20.0.102": "02:00:5e:00:00:bb"}
FIRST, SECOND = GATEWAYS
UDP = 17


def packets(count, size=100):
    return [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                  n.to_bytes(4, "big") + bytes(size))))
            for n in range(count)]


class NextHops(Ground):
    def gateways(self):
        """Two routers that exist only as MACs: the collector captures the frames to them."""
        for address, mac in GATEWAYS.items():
            self.appliance.ip("neigh", "replace", address, "lladdr", mac, "dev", "out0", "nud",
                              "permanent")

    def route(self, gateway, *more):
        self.appliance.ip("route", "replace", "198.51.100.0/24", "via", gateway, *more)

    def start_via(self, gateway):
        self.gateways()
        self.route(gateway)
        return self.start({"nat": [{"match": {"source_port": 1000}, "to": f"{TARGET}:8081"}]})

    def destinations(self, count=20):
        """Sends a burst; fails unless every packet leaves. Returns the destination MACs."""
        self.in_port.send(*packets(count))
        got = self.out_port.receive(lambda frame: is_ip(frame) and frame[23] == UDP, count)
        self.assertEqual(len(got), count, "every packet leaves")
        return {frame[:6].hex(":") for frame in got}

    def test_gateway(self):
        """Packets to a target behind a router go to the router's MAC."""
        self.start_via(FIRST)
        self.assertEqual(self.destinations(), {GATEWAYS[FIRST]})
        self.assertEqual(self.verdicts(), {"redirected": 20})

    def test_route_moves(self):
        """Traffic follows a route to its new gateway, and no packet is lost."""
        self.start_via(FIRST)
        self.assertEqual(self.destinations(), {GATEWAYS[FIRST]})
        self.route(SECOND)
        wait_for(lambda: self.destinations() == {GATEWAYS[SECOND]}, 2, "the new gateway")

    def test_route_with_a_larger_mtu(self):
        """A larger MTU of the route does not raise forward.mtu."""
        if not kernel.copies_frames():
            self.skipTest("this kernel cuts itself, to the MTU of the route")
        self.appliance.ip("link", "set", "out0", "mtu", "3498")
        self.collector.ip("link", "set", "c0", "mtu", "3498")
        self.gateways()
        self.route(FIRST, "mtu", "lock", "2000")
        self.start({"nat": [], "forward": {"unmatched": "forward", "mtu": 1500}})
        self.in_port.send(*[frames.tunnel(frames.inner(frames.udp(
            "10.1.0.1", TARGET, 1000, 514, bytes(size - 28), df=False))) for size in (1800, 2852)])
        got = self.out_port.receive(is_ip, 4)
        self.assertEqual(len(got), 4)
        self.assertLessEqual(max(len(frame) for frame in got), 1514)

    def test_mac_changes(self):
        """Traffic follows a router to its new MAC."""
        self.start_via(FIRST)
        self.assertEqual(self.destinations(), {GATEWAYS[FIRST]})
        self.appliance.ip("neigh", "replace", FIRST, "lladdr", "02:00:5e:00:00:cc", "dev", "out0",
                          "nud", "permanent")
        wait_for(lambda: self.destinations() == {"02:00:5e:00:00:cc"}, 2, "the new MAC")

    def test_real_neighbour_changes_its_mac(self):
        """Traffic follows a host that announces its new MAC, like a failover pair."""
        self.start()
        wait_for(lambda: self.destinations(1) == {self.collector.mac("c0")}, 5, "delivery")
        self.collector.ip("link", "set", "c0", "address", "02:00:5e:00:00:dd")
        self.collector.run("ping", "-c", "1", "-W", "1", "10.20.0.1", check=False)
        wait_for(lambda: self.destinations(1) == {"02:00:5e:00:00:dd"}, 5, "the new MAC")

    def test_route_goes_and_comes(self):
        self.start_via(FIRST)
        self.assertEqual(self.destinations(), {GATEWAYS[FIRST]})
        self.appliance.ip("route", "del", "198.51.100.0/24")

        def refused():
            before = self.verdicts().get("no_route", 0)
            self.in_port.send(*packets(1))
            time.sleep(0.05)
            return self.verdicts().get("no_route", 0) > before
        wait_for(refused, 2, "no_route")
        self.out_port.receive(is_ip)
        self.route(SECOND)
        time.sleep(0.5)
        self.assertEqual(self.destinations(), {GATEWAYS[SECOND]})

    def test_killed_daemon(self):
        """Some time after the daemon's death, the datapath asks the kernel itself."""
        self.start_via(FIRST).kill()
        self.assertEqual(self.destinations(), {GATEWAYS[FIRST]}, "goes on at once")
        self.route(SECOND)
        time.sleep(HEARTBEAT_LIFETIME)
        self.assertEqual(self.destinations(), {GATEWAYS[SECOND]})
        self.assertEqual(self.verdicts(), {"redirected": 40})

    def test_killed_daemon_where_nothing_is_forwarded(self):
        """If the interface does not forward, the datapath keeps to the last known next hops."""
        for setting in ("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"):
            self.appliance.sysctl(setting)
        self.know_neighbour()
        daemon = self.start()
        flows = (("10.1.0.1", "10.1.0.2"), ("fd01::1", "fd01::2"))
        sent = [frames.tunnel(frames.inner(frames.udp(*ends, 1000, 514, b"payload")))
                for ends in flows for _ in range(10)]
        for moment in ("with a daemon", "at once", "later"):
            with self.subTest(moment):
                self.in_port.send(*sent)
                self.assertEqual(len(self.out_port.receive(is_ip, len(sent))), len(sent))
            if moment == "with a daemon":
                daemon.kill()
            if moment == "at once":
                time.sleep(HEARTBEAT_LIFETIME)
        self.start()
        self.in_port.send(*sent)
        self.assertEqual(len(self.out_port.receive(is_ip, len(sent))), len(sent))
        self.assertEqual(self.verdicts(), {"redirected": 80})

    def test_start_that_fails(self):
        """A failed start does not make the datapath trust a dead daemon's next hops again."""
        self.start_via(FIRST).kill()
        self.route(SECOND)
        time.sleep(HEARTBEAT_LIFETIME)
        self.assertEqual(self.destinations(), {GATEWAYS[SECOND]})
        self.appliance.ip("link", "add", "else0", "type", "veth", "peer", "name", "else1")
        self.attach_program(self.appliance, "else0")
        result = self.cli("run", "-c", self.write({"listen": {"interface": "else0"}}),
                          "--instance", self.instance, "-d", "5", check=False)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("else0 already carries", result.stderr)
        self.assertEqual(self.destinations(), {GATEWAYS[SECOND]})

    def test_stopped_daemon(self):
        """A daemon that hangs is no better than none; when it goes on, its table counts again."""
        daemon = self.start_via(FIRST)
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        self.route(SECOND)
        time.sleep(HEARTBEAT_LIFETIME)
        self.assertEqual(self.destinations(), {GATEWAYS[SECOND]})
        daemon.signal(signal.SIGCONT)
        self.route(FIRST)
        wait_for(lambda: self.destinations() == {GATEWAYS[FIRST]}, 2, "the table")

    def test_target_that_nobody_has(self):
        """
        Once it is known that nobody answers, the program drops the packets: the kernel would send
        ICMP errors to the captured sender, a production host. When somebody answers, they arrive.
        """
        self.appliance.ip("route", "add", "10.1.0.0/16", "via", "10.9.0.1")
        daemon = self.start({"nat": [{"match": {"source_port": 1000}, "to": "10.20.0.77:8081"}]})

        def dropped():
            self.in_port.send(*packets(1))
            time.sleep(0.05)
            return self.verdicts().get("no_route", 0) > 3
        wait_for(dropped, 10, "no_route")
        self.assert_silent()
        daemon.kill()
        time.sleep(HEARTBEAT_LIFETIME)
        self.assert_silent()
        self.start({"nat": [{"match": {"source_port": 1000}, "to": "10.20.0.77:8081"}]})
        self.collector.ip("addr", "add", "10.20.0.77/24", "dev", "c0")
        wait_for(lambda: self.delivered(), 10, "delivery")

    def assert_silent(self):
        """Packets to the target cause no ICMP error on either side."""
        self.in_port.receive(is_ip)
        self.out_port.receive(is_ip)
        self.in_port.send(*packets(50))
        time.sleep(4)
        for port in (self.in_port, self.out_port):
            self.assertEqual(port.receive(is_ip), [], "no ICMP to anybody")

    def delivered(self):
        self.in_port.send(*packets(1))
        return self.out_port.receive(is_ip, 1, seconds=0.3) != []

    def test_local_target(self):
        """A target that is this host itself gets its packets through the kernel."""
        server = self.appliance.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("10.20.0.1", 8081))
        server.settimeout(5 * PATIENCE)
        self.start({"nat": [{"match": {"source_port": 1000}, "to": "10.20.0.1:8081"}]})
        self.in_port.send(*packets(5))
        self.assertEqual([server.recv(2000)[:4] for _ in range(5)],
                         [n.to_bytes(4, "big") for n in range(5)])
        self.assertEqual(self.verdicts(), {"passed": 5})

    def test_route_mtu(self):
        """A route's MTU below forward.mtu counts: larger packets are dropped here."""
        self.gateways()
        self.route(FIRST, "mtu", "1000")
        self.start({"nat": [{"match": {"source_port": 1000}, "to": f"{TARGET}:8081"}]},
                   {"forward": {"oversize": "drop"}})
        self.in_port.send(*packets(3, 900), *packets(4, 1200))
        self.assertEqual(len(self.out_port.receive(is_ip)), 3)
        self.assertEqual(self.verdicts(), {"redirected": 3, "oversize": 4})

    def test_ipv6_gateway(self):
        self.appliance.ip("neigh", "replace", "fd20::fe", "lladdr", GATEWAYS[FIRST], "dev", "out0",
                          "nud", "permanent")
        self.appliance.ip("route", "replace", "2001:db8:9::/48", "via", "fd20::fe")
        self.start({"nat": [{"match": {"source_port": 1000}, "to": "[2001:db8:9::1]:8081"}]})
        self.in_port.send(*[frames.tunnel(frames.inner(frames.udp(
            "2001:db8::1", "2001:db8::2", 1000, 514, b"six"))) for _ in range(7)])
        got = self.out_port.receive(is_ip, 7)
        self.assertEqual({frame[:6].hex(":") for frame in got}, {GATEWAYS[FIRST]})
        self.assertEqual(self.verdicts(), {"redirected": 7})
