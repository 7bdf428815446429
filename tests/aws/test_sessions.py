# SPDX-License-Identifier: GPL-2.0-only
"""cloudformation/lambda/sessions.py, run for real against an account of moto's."""

import unittest

from sessions_ground import EVERYTHING, MARK, STACK, Ground, metrics, started

setUpModule = Ground.open  # pylint: disable=invalid-name


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
        self.launch(tags=(("mirror", "yes"), ("vxlan-pipeline-stack", "x")))
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


if __name__ == "__main__":
    unittest.main()
