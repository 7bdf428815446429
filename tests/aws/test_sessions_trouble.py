# SPDX-License-Identifier: GPL-2.0-only
"""The same while calls fail, and with events of other shapes."""

import http.server
import json
import random
import re
import threading
import unittest

from sessions_ground import CANNOT, EVERYTHING, KINDS, Ground, started

STORM = (("DescribeInstances", 0.1), ("DescribeTrafficMirrorSessions", 0.1),
         ("CreateTrafficMirrorSession", 0.25), ("DeleteTrafficMirrorSession", 0.25),
         ("ModifyTrafficMirrorSession", 0.25))

setUpModule = Ground.open  # pylint: disable=invalid-name


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
