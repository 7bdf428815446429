# SPDX-License-Identifier: GPL-2.0-only
"""What plays AWS around the twin does as AWS says that it does: load balancer and instance metadata."""

import http.client
import unittest

import metadata
from balancer import IDLE, Placement
from lib.namespace import Namespace

ZONES = {"one": "a", "two": "b", "three": "b"}
FLOWS = [("10.0.0.1", port) for port in range(49152, 49552)]


def group(delay=60, terminates=True):
    return {"TargetGroupAttributes": [
        {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)},
        {"Key": "deregistration_delay.connection_termination.enabled",
         "Value": str(terminates).lower()}]}


class Placing(unittest.TestCase):
    def placed(self, balancer, now=0, flows=FLOWS):
        """{flow: name of its target}"""
        return {flow: target and target.name for flow in flows
                for target in [balancer.place(flow, now)]}

    def balancer(self, healthy=("one", "two", "three"), **options):
        balancer = Placement(group(**{key: options.pop(key) for key in ("delay", "terminates")
                                      if key in options}), **options)
        for name, zone in ZONES.items():
            balancer.register(name, name, zone).is_healthy = name in healthy
        return balancer

    def test_new_flows(self):
        for what, healthy, options, expected in (
                ("spread over all", ZONES, {}, set(ZONES)),
                ("not to unhealthy ones", {"one", "two"}, {}, {"one", "two"}),
                ("to all, if none is healthy", (), {}, set(ZONES)),
                ("not to other zones", ZONES, {"cross_zone": False, "zone": "b"}, {"two", "three"}),
                ("not to other zones, even if none is healthy here", {"one"},
                 {"cross_zone": False, "zone": "b"}, {"two", "three"})):
            with self.subTest(what):
                placed = self.placed(self.balancer(healthy, **options))
                self.assertEqual(set(placed.values()), expected)
                least = min(list(placed.values()).count(name) for name in expected)
                self.assertGreater(least, len(FLOWS) / len(expected) / 2)

    def test_flows_stay(self):
        balancer = self.balancer()
        before = self.placed(balancer)
        for what, change in (
                ("with a target that becomes unhealthy",
                 lambda: setattr(balancer.targets["one"], "is_healthy", False)),
                ("when there is another target",
                 lambda: setattr(balancer.register("four", "four", "a"), "is_healthy", True))):
            with self.subTest(what):
                change()
                self.assertEqual(self.placed(balancer, 1), before)
        with self.subTest("not beyond their idle time"):
            placed = self.placed(balancer, 2 + IDLE)
            self.assertEqual(set(placed.values()), {"two", "three", "four"})

    def test_flows_of_a_deregistered_target(self):
        for terminates in (True, False):
            with self.subTest(terminates=terminates):
                balancer = self.balancer(terminates=terminates)
                before = self.placed(balancer, 0)
                balancer.targets["one"].deregistered = 10
                self.assertEqual(self.placed(balancer, 69), before, "until the delay is over")
                after = self.placed(balancer, 71)
                self.assertEqual("one" in after.values(), not terminates)
                self.assertEqual({flow for flow in FLOWS if before[flow] != after[flow]},
                                 {flow for flow in FLOWS if before[flow] == "one"} if terminates
                                 else set())
                fresh = self.placed(balancer, 11, [("10.0.0.2", port) for port in range(100)])
                self.assertNotIn("one", fresh.values())

    def test_without_targets_nothing_is_placed(self):
        self.assertEqual(set(self.placed(Placement(group())).values()), {None})


class Metadata(unittest.TestCase):
    INSTANCE = {"id": "i-1", "zone": "eu-west-1a", "target_state": "Terminated", "user_data": "#!x",
                "interfaces": [{"id": "eni-1", "mac": "02:00:00:00:00:01", "address": "10.0.0.2",
                                "block": "10.0.0.0/24", "index": 0}]}

    def setUp(self):
        self.namespace = Namespace(self, "metadata")
        for address in (metadata.ADDRESS, "10.0.0.2", "10.0.0.3"):
            self.namespace.ip("address", "add", f"{address}/32", "dev", "lo")
        metadata.Service(self, self.namespace,
                         lambda address: self.INSTANCE if address == "10.0.0.2" else None)

    def ask(self, method, path, headers=None, source="10.0.0.2"):
        with self.namespace.entered():
            connection = http.client.HTTPConnection(metadata.ADDRESS, timeout=10,
                                                    source_address=(source, 0))
            connection.connect()
        connection.request(method, f"/latest/{path}", headers=headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def token(self, source="10.0.0.2"):
        return self.ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, source)[1]

    def test_version_2_only(self):
        for what, headers, expected in (
                ("without a token", {}, 401),
                ("with another's", {"X-aws-ec2-metadata-token": self.token("10.0.0.3")}, 401),
                ("with a token", {"X-aws-ec2-metadata-token": self.token()}, 200)):
            with self.subTest(what):
                self.assertEqual(self.ask("GET", "meta-data/instance-id", headers)[0], expected)
        self.assertEqual(self.ask("PUT", "api/token")[0], 400)

    def test_what_it_says(self):
        headers = {"X-aws-ec2-metadata-token": self.token()}
        for path, expected in (
                ("meta-data/instance-id", (200, "i-1")),
                ("meta-data/autoscaling/target-lifecycle-state", (200, "Terminated")),
                ("meta-data/network/interfaces/macs/", (200, "02:00:00:00:00:01/")),
                ("meta-data/network/interfaces/macs/02:00:00:00:00:01/device-number", (200, "0")),
                ("user-data", (200, "#!x")), ("meta-data/nothing", (404, ""))):
            with self.subTest(path):
                self.assertEqual(self.ask("GET", path, headers), expected)


if __name__ == "__main__":
    unittest.main()
