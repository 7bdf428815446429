# SPDX-License-Identifier: GPL-2.0-only
"""cloudformation/mirror with the AWS CLI of this machine, against an account of moto's."""

import os
import re
import signal
import subprocess
import unittest

import account as accounts
from account import Account, OfModule
from lib import program
from lib.command import wait_for

MIRROR = os.path.join(accounts.SOURCES, "mirror")
account: Account


def setUpModule():  # pylint: disable=invalid-name
    global account  # pylint: disable=global-statement
    account = Account(OfModule)
    accounts.aws()


class Mirror(unittest.TestCase):
    def setUp(self):
        account.reset(self)
        subnet = account.ec2("describe_subnets")["Subnets"][0]["SubnetId"]
        made = account.ec2("run_instances", ImageId="ami-1", MinCount=3, MaxCount=3, SubnetId=subnet,
                           InstanceType="c5n.large", TagSpecifications=[{
                               "ResourceType": "instance",
                               "Tags": [{"Key": "role", "Value": "web"}]}])["Instances"]
        self.instances = [one["InstanceId"] for one in made]
        self.interfaces = [one["NetworkInterfaces"][0]["NetworkInterfaceId"] for one in made]
        second = account.ec2("create_network_interface", SubnetId=subnet)["NetworkInterface"]
        account.ec2("attach_network_interface", DeviceIndex=1, InstanceId=self.instances[0],
                    NetworkInterfaceId=second["NetworkInterfaceId"])
        self.second = second["NetworkInterfaceId"]
        self.target = account.ec2("create_traffic_mirror_target", NetworkLoadBalancerArn="arn:nlb")[
            "TrafficMirrorTarget"]["TrafficMirrorTargetId"]
        self.filter = account.ec2("create_traffic_mirror_filter")["TrafficMirrorFilter"][
            "TrafficMirrorFilterId"]
        self.where = ("--target", self.target, "--filter", self.filter, "--vni", "7")

    def mirror(self, *words, code=0, **environment):
        done = account.run(MIRROR, *words, check=False, **environment)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def sessions(self):
        return {one["NetworkInterfaceId"]: one for one in account.ec2(
            "describe_traffic_mirror_sessions")["TrafficMirrorSessions"]}

    def foreign(self, interface, number=1, tags=()):
        return account.ec2(
            "create_traffic_mirror_session", NetworkInterfaceId=interface, SessionNumber=number,
            TrafficMirrorTargetId=account.ec2(
                "create_traffic_mirror_target", NetworkLoadBalancerArn="arn:x")[
                    "TrafficMirrorTarget"]["TrafficMirrorTargetId"],
            TrafficMirrorFilterId=self.filter, TagSpecifications=[{
                "ResourceType": "traffic-mirror-session",
                "Tags": [{"Key": key, "Value": value} for key, value in tags]}])[
                    "TrafficMirrorSession"]["TrafficMirrorSessionId"]

    def test_what_is_mirrored(self):
        for what, expected in ((self.second, {self.second}),
                               (self.instances[0], {self.interfaces[0], self.second}),
                               ("role=web", {*self.interfaces, self.second}),
                               ("role=", {*self.interfaces, self.second})):
            with self.subTest(what):
                done = self.mirror("create", what, *self.where, "--dry-run")
                self.assertEqual(set(re.findall("^(eni-[0-9a-f]+) ", done.stdout, re.M)), expected)
                self.assertEqual(self.sessions(), {})
                if not what.startswith("i-"):
                    continue
                self.mirror("create", what, *self.where)
                self.assertEqual(set(self.sessions()), expected)
                self.assertEqual({(one["VirtualNetworkId"], one["PacketLength"])
                                  for one in self.sessions().values()}, {(7, 3448)})
                self.mirror("delete", what, "--dry-run")
                self.assertEqual(set(self.sessions()), expected)
                self.mirror("delete", what)
                self.assertEqual(self.sessions(), {})

    def test_version_2_of_the_aws_cli(self):
        with program.Workspace() as work:
            accounts.aws_2(work.path, account.url)
            path = f"{work.path}:{os.environ['PATH']}"
            self.mirror("create", "role=web", *self.where, PATH=path)
            self.assertEqual(set(self.sessions()), {*self.interfaces, self.second})
            self.assertEqual(len(self.mirror("list", PATH=path).stdout.splitlines()), 5)
            self.mirror("delete", "role=web", PATH=path)
            self.assertEqual(self.sessions(), {})
            account.faults({"action": "CreateTrafficMirrorSession", "skip": 2, "status": 400,
                            "code": "TrafficMirrorSessionLimitExceeded"})
            done = self.mirror("create", "role=web", *self.where, code=1, PATH=path)
            self.assertIn("TrafficMirrorSessionLimitExceeded", done.stderr)
            self.assertEqual(self.sessions(), {})

    def test_whole_packets_and_the_next_free_number(self):
        self.foreign(self.interfaces[1], 5)
        self.mirror("create", self.instances[1], *self.where, "--packet-length", "0", "--number", "5")
        session = [one for one in account.ec2("describe_traffic_mirror_sessions")[
            "TrafficMirrorSessions"] if one["VirtualNetworkId"] == 7]
        self.assertEqual([(one["SessionNumber"], one["PacketLength"]) for one in session], [(6, 8500)])

    def test_what_is_mirrored_already_stays(self):
        self.mirror("create", self.instances[1], *self.where)
        done = self.mirror("create", "role=web", *self.where)
        self.assertIn(f"{self.interfaces[1]}: is mirrored to {self.target} already", done.stdout)
        self.assertEqual(len(account.ec2("describe_traffic_mirror_sessions")[
            "TrafficMirrorSessions"]), 4)

    def test_list(self):
        self.mirror("create", self.interfaces[2], *self.where)
        kept = self.foreign(self.interfaces[1], tags=(("vxlan-pipeline:sessions", "s"),))
        lines = self.mirror("list").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], "^SESSION +INTERFACE +NUMBER +VNI ")
        self.assertRegex(lines[1], rf"^tms-\w+ +{self.interfaces[2]} +1 +7 +3448 +{self.target} "
                                   rf".* mirror$")
        self.assertRegex(lines[2], rf"^{kept} .* stack s$")
        self.assertEqual(self.mirror("list", kept).stdout.splitlines()[1].split(), lines[2].split())
        self.assertEqual(len(self.mirror("list", self.instances[0]).stdout.splitlines()), 1)

    def test_sessions_of_others_are_left_alone_unless_named(self):
        foreign = self.foreign(self.interfaces[1])
        done = self.mirror("delete", self.instances[1])
        self.assertIn(f"{foreign}: left alone", done.stdout)
        self.assertEqual(len(self.sessions()), 1)
        self.mirror("delete", foreign)
        self.assertEqual(self.sessions(), {})
        kept = self.foreign(self.interfaces[1], tags=(("vxlan-pipeline:sessions", "s"),))
        self.assertIn("stack s makes it again", self.mirror("delete", kept).stderr)

    def test_all_or_none(self):
        """However creation fails in the middle, nothing is left of it."""
        action = "CreateTrafficMirrorSession"
        for what, fault in (
                ("the third is refused", {"action": action, "skip": 2, "status": 400,
                                          "code": "TrafficMirrorSessionLimitExceeded"}),
                ("the right is missing", {"action": action, "status": 403,
                                          "code": "UnauthorizedOperation"}),
                ("the third is made, but its answer is lost", {
                    "action": action, "skip": 2, "done": True, "status": 400, "code": "Lost"})):
            with self.subTest(what):
                account.faults(fault)
                done = self.mirror("create", "role=web", *self.where, code=1)
                self.assertIn(fault["code"], done.stderr)
                self.assertEqual(self.sessions(), {})
        with self.subTest("a busy EC2 is asked again"):
            account.faults({"action": action, "code": "RequestLimitExceeded", "times": 2})
            self.mirror("create", "role=web", *self.where)
            self.assertEqual(len(self.sessions()), 4)

    def test_what_cannot_be_undone_is_named(self):
        account.faults({"action": "CreateTrafficMirrorSession", "skip": 2, "status": 400,
                        "code": "TrafficMirrorSessionLimitExceeded"},
                       {"action": "DeleteTrafficMirrorSession", "status": 403, "times": 1,
                        "code": "UnauthorizedOperation"})
        done = self.mirror("create", "role=web", *self.where, code=1)
        left, = self.sessions().values()
        self.assertIn(f"to remove it: mirror delete {left['TrafficMirrorSessionId']}", done.stderr)

    def test_an_interruption_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                command = account.namespace.command(MIRROR, "create", "role=web", *self.where)
                path = f"{os.path.dirname(accounts.aws())}:{os.environ['PATH']}"
                with subprocess.Popen(command, env=account.environment(PATH=path), text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    wait_for(self.sessions, 30, "the first session")
                    process.send_signal(number)
                    _, said = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 1, said)
                self.assertIn(f"interrupted by {number.name}", said)
                self.assertEqual(self.sessions(), {})

    def test_an_interface_that_is_full_fails_before_anything_is_made(self):
        for number in (1, 2, 3):
            self.foreign(self.second, number)
        done = self.mirror("create", "role=web", *self.where, code=1)
        self.assertIn(f"{self.second}: has 3 sessions already", done.stderr)
        self.assertEqual(set(self.sessions()), {self.second})

    def test_nothing_is_found(self):
        for what in ("role=none", "i-0123"):
            done = self.mirror("create", what, *self.where, code=1)
            self.assertIn(f"{what}: no interface is found", done.stderr)
        self.assertIn("InvalidNetworkInterfaceID.NotFound",
                      self.mirror("create", "eni-0123", *self.where, code=1).stderr)

    def test_bad_usage(self):
        for words in ((), ("create",), ("make", "i-1"), ("create", "x", *self.where),
                      ("create", "tms-1", *self.where), ("create", "i-1", *self.where[:4]),
                      ("create", "i-1", *self.where, "--vni", "16777216"),
                      ("create", "i-1", *self.where, "--number", "0"),
                      ("create", "i-1", *self.where, "--packet-length", "9001"),
                      ("create", "i-1", *self.where, "--target", "arn:x"),
                      ("delete",), ("delete", "eni")):
            with self.subTest(words):
                self.mirror(*words, code=2)
        self.assertIn("usage: mirror list", self.mirror("--help").stdout)

    def test_without_the_aws_cli(self):
        done = account.run("env", "PATH=/nonexistent", "/usr/bin/python3", MIRROR, "list",
                           check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("install aws, version 1 or 2", done.stderr)


if __name__ == "__main__":
    unittest.main()
