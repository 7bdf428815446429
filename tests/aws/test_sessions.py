# SPDX-License-Identifier: GPL-2.0-only
"""cloudformation/lambda/sessions.py, run for real against an account of moto's."""

import http.server
import json
import random
import re
import threading
import unittest

from account import REGION, Account, Function, OfModule

STACK, MARK = "sessions", "vxlan-pipeline:sessions"
KINDS = ("c5n.large", "m5.large", "t3.small", "c7g.large", "m6i.large")
CANNOT = ("c7g.large", "m6i.large")
EVERYTHING = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
STORM = (("DescribeInstances", 0.1), ("DescribeTrafficMirrorSessions", 0.1),
         ("CreateTrafficMirrorSession", 0.25), ("DeleteTrafficMirrorSession", 0.25),
         ("ModifyTrafficMirrorSession", 0.25))


def started(instance):
    return {"version": "0", "id": "1", "source": "aws.ec2", "account": "1", "region": REGION,
            "detail-type": "EC2 Instance State-change Notification",
            "detail": {"instance-id": instance, "state": "running"}}


def metrics(output):
    """The figures of the last line of the function's log that CloudWatch makes metrics of."""
    return json.loads([line for line in output.splitlines() if line.startswith('{"_aws"')][-1])


account: Account


def setUpModule():  # pylint: disable=invalid-name
    global account  # pylint: disable=global-statement
    account = Account(OfModule)


class Ground(unittest.TestCase):
    def setUp(self):
        self.account = account
        account.reset(self)
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


class AtRandom(Ground):
    def test_200_instances_come_and_go_while_calls_fail(self):
        """Whatever comes, goes, fails and comes twice: in the end, exactly the right sessions."""
        chance = random.Random(14)
        functions = [self.function() for _ in range(2)]
        foreign = []
        living, launched = [], 0
        while launched < 200:
            self.account.faults()
            for zone in range(2):
                count = chance.randint(1, 8)
                launched += count
                tags = chance.choice(((("mirror", "yes"),), (("mirror", "yes"), ("Name", "x")),
                                      (("mirror", "no"),), (("Name", "mirror"),)))
                kind = chance.choice(KINDS)
                fresh = self.launch(count, kind, zone, chance.choice((1, 1, 2)),
                                    tags)
                living += fresh
            if chance.random() < 0.5 and kind not in CANNOT:
                foreign.append(self.of_others(self.interfaces(fresh[0])[0], chance.randint(1, 2)))
            events = [started(one) for one in fresh if chance.random() < 0.8]
            events += chance.sample(events, len(events) // 3)
            for _ in range(chance.randint(0, 3)):
                gone = living.pop(chance.randrange(len(living)))
                self.account.ec2(chance.choice(("terminate_instances", "stop_instances")),
                                 InstanceIds=[gone])
            changed = chance.choice(living)
            self.account.ec2("create_tags", Resources=[changed], Tags=[
                {"Key": "mirror", "Value": chance.choice(("yes", "no"))}])
            self.account.faults(*({"action": name, "share": share, "code": chance.choice(
                ("RequestLimitExceeded", "InternalError", "Unavailable"))}
                for name, share in STORM))
            events += [EVERYTHING] * chance.randint(0, 2)
            chance.shuffle(events)
            # Two at once, as Lambda would run them.
            for pair in zip(events[::2], events[1::2]):
                for function, event in zip(functions, pair):
                    function.send(event)
                for function in functions:
                    function.answer()
        self.account.faults()
        _, error, _ = functions[0](EVERYTHING)
        self.assertIsNone(error)
        found = self.check(foreign)
        self.assertGreater(len(found), 30)
        self.account.calls()
        with self.subTest("once more changes nothing"):
            result, _, _ = functions[0](EVERYTHING)
            self.assertEqual((result["Created"], result["Removed"], result["Changed"]), (0, 0, 0))
            self.assertLessEqual({"CreateTrafficMirrorSession"} & set(self.account.calls()),
                                 set(), "what was refused is asked for again")
        with self.subTest("then all are removed"):
            for instance in self.instances():
                if instance["State"]["Name"] != "terminated":
                    self.account.ec2("terminate_instances", InstanceIds=[instance["InstanceId"]])
            functions[1](EVERYTHING)
            self.check(foreign)
            self.assertEqual(len(self.sessions()), len(foreign))


class Sessions(Ground):
    def test_settings_that_change_are_amended_in_place(self):
        self.launch(3)
        self.function(VNI="1", PACKET_LENGTH="0", TARGETS=self.targets[1])(EVERYTHING)
        before = {one["TrafficMirrorSessionId"] for one in self.sessions()}
        self.assertEqual({(one["VirtualNetworkId"], one["PacketLength"])
                          for one in self.sessions()}, {(1, 8500)})
        result, _, _ = self.function()(EVERYTHING)
        self.assertEqual(result["Changed"], 3)
        self.check()
        self.assertEqual({one["TrafficMirrorSessionId"] for one in self.sessions()}, before)
        self.function(PACKET_LENGTH="0")(EVERYTHING)
        self.assertEqual({one["PacketLength"] for one in self.sessions()}, {8500})

    def test_duplicates_are_repaired(self):
        interface, = self.interfaces(*self.launch())
        self.of_others(interface, 5, STACK)
        self.of_others(interface, 9, STACK)
        self.function()(EVERYTHING)
        self.check()
        self.assertEqual([one["SessionNumber"] for one in self.sessions()], [5])

    def test_a_number_that_is_taken_is_passed_over(self):
        for taken, first, expected in (((1,), 1, 2), ((1, 2), 1, 3), ((32766,), 32766, 1),
                                       ((2,), 1, 1)):
            with self.subTest(taken=taken, first=first):
                instance, = self.launch()
                interface, = self.interfaces(instance)
                foreign = [self.of_others(interface, number) for number in taken]
                self.function(SESSION_NUMBER=str(first))(started(instance))
                self.assertEqual({one["SessionNumber"] for one in self.sessions()
                                  if one["NetworkInterfaceId"] == interface}, {*taken, expected})
                self.check([one["TrafficMirrorSessionId"] for one in self.sessions()
                            if {"Key": MARK, "Value": "another"} in one["Tags"]])
                self.assertTrue(foreign)

    def test_an_interface_with_three_sessions_is_told_of_once_and_not_asked_for(self):
        instance, = self.launch()
        interface, = self.interfaces(instance)
        for number in (1, 2, 3):
            self.of_others(interface, number)
        function = self.function()
        self.account.calls()
        for _ in range(3):
            _, error, output = function(EVERYTHING)
            self.assertIsNone(error)
            self.assertEqual(metrics(output)["NotMirrored"], 1)
        self.assertNotIn("CreateTrafficMirrorSession", self.account.calls())
        self.assertNotIn("not mirrored", output)

    def test_types_that_cannot_be_sources_are_told_of_once_with_one_call(self):
        self.launch(20, "c7g.large")
        self.launch(3)
        function = self.function()
        self.account.calls()
        result, error, output = function(EVERYTHING)
        self.assertIsNone(error)
        self.assertEqual((result["Mirrored"], result["NotMirrored"]), (3, 20))
        self.assertEqual(self.account.calls()["CreateTrafficMirrorSession"], 4)
        self.assertRegex(output, r"not mirrored: c7g.large cannot be a source: NetworkInterface"
                                 r"NotSupported: eni-\w+(, eni-\w+){9} and 10 more\n")
        _, _, output = function(EVERYTHING)
        self.assertNotIn("not mirrored", output)
        self.assertEqual(metrics(output)["NotMirrored"], 20)
        self.check()

    def test_the_quota_of_sessions_ends_creation(self):
        self.account.ask(ask=["cloud_mirroring", "set_quota", 5])
        self.launch(60)
        function = self.function()
        self.account.calls()
        result, _, output = function(EVERYTHING)
        self.assertEqual((result["Mirrored"], result["Refused"]), (5, 55))
        self.assertEqual(self.account.calls()["CreateTrafficMirrorSession"], 6)
        self.assertEqual(output.count("not mirrored"), 1, output)
        self.assertIn("TrafficMirrorSessionLimitExceeded: the account has 5 sessions", output)

    def test_a_filter_that_is_gone_is_asked_for_ten_times_at_most(self):
        self.launch(60)
        self.account.calls()
        result, _, output = self.function(FILTER="tmf-0")(EVERYTHING)
        self.assertEqual(result["Refused"], 60)
        self.assertLessEqual(self.account.calls()["CreateTrafficMirrorSession"], 10)
        self.assertIn("InvalidTrafficMirrorFilterId.NotFound: tmf-0 does not exist", output)

    def test_a_zone_without_a_target_is_told(self):
        self.launch(zone=1)
        self.launch(zone=0)
        result, _, output = self.function(TARGETS=f"{self.zones[0]}={self.targets[0]}")(EVERYTHING)
        self.assertEqual((result["Mirrored"], result["NotMirrored"]), (1, 1))
        self.assertIn(f"no target is given for {self.zones[1]}", output)

    def test_appliances_are_not_mirrored(self):
        self.launch(tags=(("mirror", "yes"), ("vxlan-pipeline:appliance", "x")))
        result, _, _ = self.function()(EVERYTHING)
        self.assertEqual(result["Wanted"], 0)

    def test_any_value_of_the_tag(self):
        self.launch(tags=(("mirror", ""),))
        self.launch(tags=(("other", "yes"),))
        self.function(TAG_VALUE="")(EVERYTHING)
        self.assertEqual(len(self.sessions()), 1)

    def test_the_answer_of_a_creation_is_lost(self):
        self.launch(4)
        self.account.faults({"action": "CreateTrafficMirrorSession", "share": 0.5, "done": True,
                             "code": "InternalError", "status": 500})
        function = self.function()
        function(EVERYTHING)
        self.account.faults()
        function(EVERYTHING)
        self.check()

    def test_a_pass_ends_in_time(self):
        self.launch(30)
        _, error, output = self.function(timeout=20)(EVERYTHING)
        self.assertIn("the time of this pass is over", error)
        self.assertIn("Created", metrics(output))
        self.assertEqual(self.sessions(), [])


class Busy(Ground):
    def test_what_is_always_busy_is_left_to_the_next_pass(self):
        self.launch(30)
        for action in ("CreateTrafficMirrorSession", "DescribeInstances",
                       "DescribeTrafficMirrorSessions"):
            with self.subTest(action):
                self.account.faults({"action": action, "code": "RequestLimitExceeded"})
                function = self.function()
                self.account.calls()
                _, error, _ = function(EVERYTHING)
                self.assertIn(f"EC2 is busy: {action}: RequestLimitExceeded", error)
                self.assertLessEqual(self.account.calls()[action], 6)
                self.account.faults()
                function(EVERYTHING)
                self.check()
                self.account.ec2("terminate_instances", InstanceIds=[
                    one["InstanceId"] for one in self.instances()])
                self.launch(30)

    def test_a_right_that_is_missing_is_named(self):
        gone, = self.launch()
        function = self.function()
        function(EVERYTHING)
        self.account.ec2("terminate_instances", InstanceIds=[gone])
        self.launch(5)
        for action in ("DescribeInstances", "DescribeTrafficMirrorSessions",
                       "DeleteTrafficMirrorSession", "CreateTrafficMirrorSession"):
            with self.subTest(action):
                self.account.faults({
                    "action": action, "code": "UnauthorizedOperation", "status": 403,
                    "text": "You are not authorized. Encoded authorization failure message: Ab1"})
                if action == "CreateTrafficMirrorSession":
                    self.launch()
                self.account.calls()
                _, error, _ = self.function()(EVERYTHING)
                self.assertRegex(error, f"the function's role lacks the right ec2:{action}: "
                                        r"You are not authorized\.$")
                self.assertEqual(self.account.calls()[action], 1)
        self.account.faults()
        function(EVERYTHING)
        self.check()


class Events(Ground):
    def test_events_of_other_shapes_are_a_pass_over_everything(self):
        function = self.function()
        for event in ({}, [], None, "text", 7, {"detail": None}, {"detail": []},
                      {"detail": {"instance-id": None, "state": "running"}},
                      {"detail": {"instance-id": "i-1; rm", "state": "running"}},
                      {"detail": {"instance-id": ["i-1"], "state": "running"}},
                      {"detail": {"instance-id": "i-0123", "state": "terminated"}},
                      {"ResponseURL": ""}):
            with self.subTest(event=event):
                self.launch()
                result, error, _ = function(event)
                self.assertIsNone(error)
                self.assertEqual(result["Created"], 1)
        self.check()

    def test_an_instance_that_is_unknown_or_gone_is_no_error(self):
        gone, = self.launch()
        self.account.ec2("terminate_instances", InstanceIds=[gone])
        for instance in ("i-0123456789abcdef0", gone):
            result, error, _ = self.function()(started(instance))
            self.assertIsNone(error)
            self.assertEqual(result["Wanted"], 0)
        self.assertEqual(self.sessions(), [])

    def test_the_start_of_one_instance_removes_nothing(self):
        one, other = self.launch(2)
        function = self.function()
        function(EVERYTHING)
        self.account.ec2("stop_instances", InstanceIds=[other])
        function(started(one))
        self.assertEqual(len(self.sessions()), 2)


class Answers(http.server.BaseHTTPRequestHandler):
    """Where a stack's custom resource sends its answer."""

    def do_PUT(self):  # pylint: disable=invalid-name
        self.server.answers.append(json.loads(
            self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Stack(Ground):
    def ask(self, kind, **changes):
        with self.account.namespace.entered():
            server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
        server.answers = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            self.function(**changes)({
                "RequestType": kind, "ResponseURL": f"http://127.0.0.1:{server.server_port}/",
                "StackId": "arn:stack", "RequestId": "1", "LogicalResourceId": "Sessions"})
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        answer, = server.answers
        self.assertEqual([answer[key] for key in ("StackId", "RequestId", "LogicalResourceId")],
                         ["arn:stack", "1", "Sessions"])
        return answer["Status"], answer["Reason"]

    def test_a_stack_begins_with_a_pass_and_its_end_removes_all(self):
        instance, = self.launch()
        foreign = self.of_others(self.interfaces(instance)[0], 1)
        self.assertEqual(self.ask("Create"), ("SUCCESS", "done"))
        self.check([foreign])
        self.assertEqual(self.ask("Update", VNI="8"), ("SUCCESS", "done"))
        self.assertEqual({one["VirtualNetworkId"] for one in self.sessions()
                          if one["TrafficMirrorSessionId"] != foreign}, {8})
        self.assertEqual(self.ask("Delete"), ("SUCCESS", "done"))
        self.assertEqual([one["TrafficMirrorSessionId"] for one in self.sessions()], [foreign])

    def test_without_instances_a_stack_is_no_failure(self):
        self.assertEqual(self.ask("Create"), ("SUCCESS", "done"))

    def test_a_stack_that_can_mirror_nothing_fails_with_the_reason(self):
        self.launch()
        for changes, reason in (({"FILTER": "tmf-0"}, "tmf-0 does not exist"),
                                ({"TARGETS": "tmt-0"}, "tmt-0 does not exist"),
                                ({"TARGETS": "elsewhere=tmt-0"}, "no target is given for")):
            with self.subTest(reason):
                status, said = self.ask("Create", **changes)
                self.assertEqual(status, "FAILED")
                self.assertRegex(said, re.escape(reason))
        self.account.faults({"action": "DescribeInstances", "code": "UnauthorizedOperation",
                             "status": 403})
        self.assertRegex(str(self.ask("Create")), "FAILED.*lacks the right ec2:DescribeInstances")

    def test_sessions_that_cannot_be_removed_keep_the_stack(self):
        self.launch()
        self.ask("Create")
        self.account.faults({"action": "DeleteTrafficMirrorSession",
                             "code": "UnauthorizedOperation", "status": 403})
        self.assertRegex(str(self.ask("Delete")), "FAILED.*DeleteTrafficMirrorSession")


if __name__ == "__main__":
    unittest.main()
