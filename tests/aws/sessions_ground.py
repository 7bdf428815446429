# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of cloudformation/lambda/sessions.py share."""

import json
import unittest

from account import REGION, Account, Function, OfModule

STACK, MARK = "sessions", "vxlan-pipeline:sessions"
KINDS = ("c5n.large", "m5.large", "t3.small", "c7g.large", "m6i.large")
CANNOT = ("c7g.large", "m6i.large")
EVERYTHING = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def started(instance):
    return {"version": "0", "id": "1", "source": "aws.ec2", "account": "1", "region": REGION,
            "detail-type": "EC2 Instance State-change Notification",
            "detail": {"instance-id": instance, "state": "running"}}


def metrics(output):
    """The figures of the last line of the function's log that CloudWatch makes metrics of."""
    return json.loads([line for line in output.splitlines() if line.startswith('{"_aws"')][-1])


class Ground(unittest.TestCase):
    """An account with two zones, a target in each, and a filter; all of a module share its server."""

    account: Account

    @classmethod
    def open(cls):
        cls.account = Account(OfModule)

    def setUp(self):
        self.account.reset(self)
        ec2 = self.account.ec2
        self.subnets = {one["AvailabilityZone"]: one["SubnetId"]
                        for one in ec2("describe_subnets")["Subnets"]}
        self.zones = sorted(self.subnets)[:2]
        self.targets = [ec2("create_traffic_mirror_target", NetworkLoadBalancerArn=f"arn:{zone}")[
            "TrafficMirrorTarget"]["TrafficMirrorTargetId"] for zone in self.zones]
        self.filter = ec2("create_traffic_mirror_filter")["TrafficMirrorFilter"][
            "TrafficMirrorFilterId"]

    def settings(self, **changes):
        return {"STACK": STACK, "TAG_KEY": "mirror", "TAG_VALUE": "yes", "VNI": "7",
                "TARGETS": ",".join(f"{zone}={target}"
                                    for zone, target in zip(self.zones, self.targets)),
                "FILTER": self.filter, "PACKET_LENGTH": "3448", "SESSION_NUMBER": "1", **changes}

    def function(self, haste=200, timeout=300, **changes):
        return Function(self.account, "sessions", haste, timeout, **self.settings(**changes))

    def launch(self, count=1, kind="c5n.large", zone=0, interfaces=1, tags=(("mirror", "yes"),)):
        made = self.account.ec2(
            "run_instances", ImageId="ami-1", MinCount=count, MaxCount=count, InstanceType=kind,
            SubnetId=self.subnets[self.zones[zone]], TagSpecifications=[
                {"ResourceType": "instance",
                 "Tags": [{"Key": key, "Value": value} for key, value in tags]}])["Instances"]
        for instance in made:
            for index in range(1, interfaces):
                interface = self.account.ec2(
                    "create_network_interface", SubnetId=self.subnets[self.zones[zone]])
                self.account.ec2(
                    "attach_network_interface", DeviceIndex=index,
                    InstanceId=instance["InstanceId"],
                    NetworkInterfaceId=interface["NetworkInterface"]["NetworkInterfaceId"])
        return [instance["InstanceId"] for instance in made]

    def sessions(self):
        return self.account.ec2("describe_traffic_mirror_sessions")["TrafficMirrorSessions"]

    def of_others(self, interface, number, stack="another"):
        return self.account.ec2(
            "create_traffic_mirror_session", NetworkInterfaceId=interface, SessionNumber=number,
            TrafficMirrorTargetId=self.targets[0], TrafficMirrorFilterId=self.filter,
            TagSpecifications=[{"ResourceType": "traffic-mirror-session",
                                "Tags": [{"Key": MARK, "Value": stack}]}])[
                "TrafficMirrorSession"]["TrafficMirrorSessionId"]

    def instances(self):
        return [instance for reservation in
                self.account.ec2("describe_instances", MaxResults=1000)["Reservations"]
                for instance in reservation["Instances"]]

    def interfaces(self, identifier):
        return [one["NetworkInterfaceId"] for instance in self.instances()
                if instance["InstanceId"] == identifier for one in instance["NetworkInterfaces"]]

    def should_be(self, cannot=CANNOT):
        """{interface: its session}, found without the code under test."""
        return {one["NetworkInterfaceId"]: (
            self.targets[self.zones.index(instance["Placement"]["AvailabilityZone"])],
            self.filter, 7, 3448)
            for instance in self.instances()
            if instance["State"]["Name"] == "running" and instance["InstanceType"] not in cannot
            and {"Key": "mirror", "Value": "yes"} in instance.get("Tags", [])
            for one in instance["NetworkInterfaces"]}

    def check(self, foreign=(), cannot=CANNOT):
        """The sessions are exactly those that should be, one each; those of others are untouched."""
        ours = [one for one in self.sessions()
                if {"Key": MARK, "Value": STACK} in one["Tags"]]
        found = {one["NetworkInterfaceId"]: (
            one["TrafficMirrorTargetId"], one["TrafficMirrorFilterId"], one["VirtualNetworkId"],
            one["PacketLength"]) for one in ours}
        self.assertEqual(found, self.should_be(cannot))
        self.assertEqual(len(ours), len(found), "an interface has two sessions")
        self.assertEqual({one["TrafficMirrorSessionId"] for one in self.sessions()} -
                         {one["TrafficMirrorSessionId"] for one in ours}, set(foreign))
        return found
