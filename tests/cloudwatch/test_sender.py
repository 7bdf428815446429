# SPDX-License-Identifier: GPL-2.0-only
"""
dist/cloudwatch/send, from the datapath's counters to CloudWatch: the real program and the real AWS CLI,
every version of it that this machine has; moto stands in for CloudWatch.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from lib import program
from lib.command import need_commands
from lib.life import Lifecycle

import amazon

SENDER = os.path.join(program.ROOT, "dist", "cloudwatch", "send")
UNIT = os.path.join(program.ROOT, "dist", "systemd", "vxlan-pipeline-cloudwatch.service.in")
INSTANCE = ("InstanceId", "i-0123456789abcdef0")
GROUP = ("AutoScalingGroupName", "fleet one")
COUNTERS = {"ReceivedPackets", "SentPackets", "SentBytes", "DroppedPackets", "FailedPackets",
            "LostPackets", "NicLostPackets"}
GAUGES = {"Healthy", "Degraded", "DaemonRunning", "ReloadFailed", "UnreachableTargets"}


class Sender(Lifecycle):
    def setUp(self):
        reason = amazon.missing()
        if reason:
            self.skipTest(reason)
        need_commands("curl", "setpriv", "flock")
        super().setUp()
        self.state = os.path.join(amazon.own_state(), self.instance)
        self.metadata = amazon.Metadata(self, self.appliance)
        self.front = amazon.Front(self, self.appliance)
        self.bin = os.path.join(self.work.path, "bin")
        os.mkdir(self.bin)
        os.chmod(self.work.path, 0o755)
        os.symlink(program.PROGRAM, os.path.join(self.bin, "vxlan-pipeline"))
        self.take_cli(next(iter(amazon.clis().values())))
        self.give_each_try(60)
        self.before = ()

    def take_cli(self, command):
        self.script("aws", f'exec {command} "$@"')

    def script(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def give_each_try(self, seconds):
        """The sender with other times: a machine that is busy takes ten seconds to start the CLI."""
        with open(SENDER, encoding="ascii") as file:
            text = file.read()
        self.assertEqual((text.count("\nONE_TRY=14\n"), text.count("\nPAUSES='1 3'\n")), (1, 1))
        text = text.replace("\nONE_TRY=14\n", f"\nONE_TRY={seconds}\n").replace("'1 3'", "'0 0'")
        self.sender = self.work.file("send", text)
        os.chmod(self.sender, 0o755)

    def take_capabilities_of_the_unit(self):
        with open(UNIT, encoding="ascii") as file:
            names = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M)[1].split()
        kept = ",".join("+" + name.removeprefix("CAP_").lower() for name in names)
        self.before = ("setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all", "--no-new-privs")

    def send(self, **environment):
        """Exit status, and what was said."""
        done = subprocess.run(
            self.appliance.command(*self.before, self.sender, self.instance), capture_output=True, text=True, timeout=300,
            check=False, env={"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                              "AWS_ENDPOINT_URL": f"http://{amazon.FRONT[0]}:{amazon.FRONT[1]}", **environment})
        self.assertEqual(done.stdout, "")
        self.assertEqual(os.listdir("/tmp") and [name for name in os.listdir(self.state)
                                                 if not name.startswith("cloudwatch.")], [])
        return done.returncode, done.stderr

    def sends(self):
        self.assertEqual(self.send(), (0, ""))

    def sum_of(self, metric, dimension):
        return amazon.sum_of(self.appliance, metric, dimension)


class Ways(Sender):
    def setUp(self):
        super().setUp()
        amazon.start_moto(self, self.appliance)

    def test_figures_arrive(self):
        """By every version of the CLI: all of them, under both dimensions, with the role's credentials."""
        self.start()
        for version, command in amazon.clis().items():
            with self.subTest(version):
                print(f"    {version}")
                self.take_cli(command)
                self.sends()
                before = self.sum_of("SentPackets", INSTANCE) or 0
                self.assertTrue(self.forwards(10))
                self.sends()
                self.assertTrue(self.forwards(5))
                self.sends()
                self.assertEqual(self.sum_of("SentPackets", INSTANCE), before + 15)
                self.assertEqual(self.sum_of("SentPackets", GROUP), before + 15)
                self.assertTrue(all(f"Credential={amazon.KEY}/" in headers["Authorization"]
                                    and f"/{amazon.REGION}/monitoring/" in headers["Authorization"]
                                    for headers, _ in self.front.requests))
        for name in COUNTERS | GAUGES:
            with self.subTest(name):
                self.assertIsNotNone(self.sum_of(name, INSTANCE))
                self.assertEqual(self.sum_of(name, INSTANCE), self.sum_of(name, GROUP))

    def test_outside_of_a_group(self):
        """Without the tag in the metadata there is no dimension but InstanceId."""
        self.metadata.gone.add("tags/instance/aws:autoscaling:groupName")
        self.start()
        self.sends()
        self.assertEqual(self.sum_of("Healthy", INSTANCE), 1)
        self.assertIsNone(self.sum_of("Healthy", GROUP))

    def test_a_name_with_everything(self):
        self.metadata.group = 'a "group" with \\ and $(id), \u00fc'
        self.start()
        self.sends()
        self.assertIn(b"AutoScalingGroupName", self.front.requests[0][1])
        self.assertEqual(self.sum_of("Healthy", INSTANCE), 1)

    def test_with_the_capabilities_of_the_unit(self):
        """It reads the counters with these, and the CLI has none of them."""
        self.start()
        self.assertTrue(self.forwards(3))
        self.take_capabilities_of_the_unit()
        self.sends()
        self.assertTrue(self.forwards(4))
        self.sends()
        self.assertEqual(self.sum_of("SentPackets", INSTANCE), 4)

    def test_nothing_runs(self):
        """Then this is what is told: an alarm needs figures."""
        self.sends()
        self.assertEqual([self.sum_of(name, INSTANCE) for name in ("Healthy", "DaemonRunning", "SentPackets")],
                         [0, 0, None])

    def test_what_is_not_taken_is_sent_later(self):
        """Throttled for a while, refused for a while: the sums are right in the end."""
        self.start()
        self.sends()
        for fault, sent in (("Throttling", 3), ("AccessDenied", 4), (503, 5)):
            self.front.always = fault
            self.assertTrue(self.forwards(sent))
            self.assertEqual(self.send()[0], 1)
        self.front.always = None
        self.assertTrue(self.forwards(6))
        status, said = self.send()
        self.assertEqual((status, said.count("\n")), (0, 1))
        self.assertIn("sent again", said)
        self.assertEqual(self.sum_of("SentPackets", INSTANCE), 18)
        self.sends()
        self.assertEqual(self.sum_of("SentPackets", INSTANCE), 18)

    def test_within_the_minute(self):
        """What passes by itself is tried again, and not told."""
        for name, faults in (("throttled", ["Throttling", "Throttling"]), ("unavailable", [503]),
                             ("no answer", ["hang"])):
            with self.subTest(name):
                self.front.faults = faults
                self.front.requests.clear()
                self.sends()
                self.assertGreater(len(self.front.requests), 1)


class Failures(Sender):
    def test_said_once(self):
        """Each failure is one line, said once, and again when it is another one."""
        rows = (
            ("the role may not", {"always": "AccessDenied"}, r"AccessDenied.*not today"),
            ("throttled all the time", {"always": "Throttling"}, r"Throttling.*not today"),
            ("CloudWatch is not well", {"always": 503}, r"503|Unable to parse"),
            ("credentials that have expired", {"always": "ExpiredToken"}, r"ExpiredToken"),
        )
        for sentence, fault, expected in rows:
            with self.subTest(sentence):
                vars(self.front).update(fault)
                status, said = self.send()
                self.assertEqual((status, said.count("\n")), (1, 1), said)
                self.assertRegex(said, expected)
                self.assertEqual(self.send(), (1, ""))

    def test_not_tried_again(self):
        """Tries that can only fail are not made."""
        for fault, tries in (("AccessDenied", 1), ("ExpiredToken", 1), ("Throttling", 3)):
            with self.subTest(fault):
                self.front.always = fault
                self.front.requests.clear()
                self.send()
                self.assertEqual(len(self.front.requests), tries)

    def test_no_credentials(self):
        self.metadata.gone.add("iam/security-credentials/")
        status, said = self.send()
        self.assertEqual(status, 1)
        self.assertIn("Unable to locate credentials", said)
        self.assertEqual(self.front.requests, [])

    def test_no_metadata(self):
        self.metadata.gone.add("instance-id")
        self.assertRegex(self.send()[1], "no instance-id")
        self.metadata.close()
        self.assertRegex(self.send()[1], "IMDSv2.* does not answer")

    def test_no_region(self):
        self.metadata.gone.add("placement/region")
        self.assertRegex(self.send()[1], "no region")
        self.front.always = "AccessDenied"
        self.assertRegex(self.send(AWS_REGION="us-west-2")[1], "AccessDenied")
        self.assertIn("/us-west-2/monitoring/", self.front.requests[0][0]["Authorization"])

    def test_no_cli(self):
        os.remove(os.path.join(self.bin, "aws"))
        for name in ("sh", "curl", "cat", "tr", "cut", "id", "date", "mktemp", "chmod", "mkdir", "rm", "grep",
                     "sed", "tail", "mv", "sleep", "timeout", "setpriv", "flock", "nsenter"):
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.assertRegex(self.send(PATH=self.bin)[1], "aws is not installed")

    def test_the_cli_is_nobody(self):
        """It has neither root's rights nor capabilities, and reads no file of root's."""
        self.script("aws", 'echo "uid $(id -u) $(id -G) $(grep -h CapBnd /proc/self/status) $HOME" >&2; exit 1')
        self.assertRegex(self.send()[1], r"uid 65534 65534 CapBnd:0000000000000000 /nonexistent")

    def test_a_cli_that_never_ends(self):
        """It is ended each time, with the capabilities of the unit, too."""
        pids = os.path.join(self.bin, "pids")
        with open(pids, "w", encoding="ascii"):
            os.chmod(pids, 0o666)
        self.take_capabilities_of_the_unit()
        self.script("aws", f"trap '' TERM; echo $$ >> {pids}; sleep 60 & wait; sleep 60")
        begun = time.monotonic()
        self.give_each_try(2)
        self.assertRegex(self.send()[1], "not ended within 2 s")
        self.assertLess(time.monotonic() - begun, 60)
        with open(pids, encoding="ascii") as file:
            started = file.read().split()
        self.assertEqual((len(started), [pid for pid in started if os.path.exists(f"/proc/{pid}")]), (3, []))

    def test_two_at_once(self):
        """The second one sends nothing: what was added would be sent twice."""
        os.makedirs(self.state, exist_ok=True)
        first = os.open(self.state, os.O_RDONLY)
        self.addCleanup(os.close, first)
        fcntl.flock(first, fcntl.LOCK_EX)
        status, said = self.send()
        self.assertEqual((status, said.count("\n"), self.front.requests), (1, 1, []))
        self.assertIn("another one is sending", said)
        fcntl.flock(first, fcntl.LOCK_UN)
        self.front.always = "AccessDenied"
        self.send()
        self.assertEqual(len(self.front.requests), 1)

    def test_what_a_failure_says_is_one_line(self):
        self.script("aws", r"printf 'first\nsecond \033[31mred\007\n\n' >&2; exit 1")
        said = self.send()[1]
        self.assertTrue(said.isprintable() or said[:-1].isprintable(), said)
        self.assertIn("second [31mred", said)

    def test_not_an_instance(self):
        done = subprocess.run([SENDER, "../x"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertFalse(os.path.exists("/var/lib/vxlan-pipeline/../x"))

    def test_a_file_that_is_damaged(self):
        """Then nothing is known of what was sent: counters begin anew, and nothing is made up."""
        os.makedirs(self.state, exist_ok=True)
        with open(os.path.join(self.state, "cloudwatch.json"), "w", encoding="ascii") as file:
            file.write("{")
        self.start()
        self.front.always = "AccessDenied"
        self.send()
        self.assertNotIn(b"SentPackets", self.front.requests[0][1])


class Installed(unittest.TestCase):
    def test_files(self):
        """What is installed: the sender may be run, the timer is off, the units are what systemd takes."""
        with program.Workspace() as work:
            subprocess.run(["make", "-s", "install", f"DESTDIR={work.path}", "PREFIX=/usr",
                            "UNITDIR=/usr/lib/systemd/system"], cwd=program.ROOT, check=True,
                           stdout=subprocess.DEVNULL)
            there = os.path.join(work.path, "usr/share/vxlan-pipeline/cloudwatch")
            self.assertEqual(set(os.listdir(there)), {"send", "policy.json", "agent.json",
                                                      "agent-prometheus.yml", "otel-collector.yml"})
            self.assertEqual([name for name in os.listdir(there)
                              if os.access(os.path.join(there, name), os.X_OK) and
                              os.stat(os.path.join(there, name)).st_mode & 0o111], ["send"])
            units = os.path.join(work.path, "usr/lib/systemd/system")
            with open(os.path.join(units, "vxlan-pipeline-cloudwatch.service"), encoding="ascii") as file:
                service = file.read()
            self.assertIn("ExecStart=/usr/share/vxlan-pipeline/cloudwatch/send config\n", service)
            self.assertNotRegex(service, r"@[A-Z]+@")
            self.assertFalse([name for _, _, names in os.walk(work.path) for name in names
                              if "timers.target" in name])

    def test_policy(self):
        """It allows to put figures of one namespace, and nothing else."""
        with open(os.path.join(program.ROOT, "dist/cloudwatch/policy.json"), encoding="ascii") as file:
            statements = json.load(file)["Statement"]
        self.assertEqual([(s["Effect"], s["Action"], s["Condition"]) for s in statements],
                         [("Allow", "cloudwatch:PutMetricData",
                           {"StringEquals": {"cloudwatch:namespace": "VxlanPipeline"}})])
