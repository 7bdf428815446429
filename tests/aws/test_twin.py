# SPDX-License-Identifier: GPL-2.0-only
"""
The stacks of cloudformation/, launched and lived on this machine: twin.py. Packets are counted by number
all the time.
"""

import contextlib
import json
import os
import subprocess
import time
import unittest

import twin as twins
from lib import program
from lib.command import run
from lib.watch import VERBOSE

STACK, SESSIONS, VNI = "mirror", "sessions", 7
CONFIG = {"listen": {"interface": "LISTEN_INTERFACE", "vnis": [VNI], "sources": ["10.0.60.0/24"]},
          "forward": {"interface": "FORWARD_INTERFACE"},
          "http": {"listen": "0.0.0.0:9789"},
          "nat": [{"match": {"destination_port": 514}, "to": f"{twins.COLLECTOR}:{twins.PORTS[0]}"}]}


class Story(unittest.TestCase):
    def setUp(self):
        run("make", "-s", "cloudformation", cwd=program.ROOT)
        self.twin = twins.Twin(self)
        self.traffic = twins.Traffic(self, self.twin)
        self.begun, self.running = time.monotonic(), []
        self.parameters = self.given()
        self.addCleanup(self.end_commands)

    def end_commands(self):
        for process in self.running:
            process.kill()
            process.communicate()

    def given(self, **changes):
        """Parameters of a stack of two zones and two interfaces."""
        subnets = self.twin.subnets
        return {
            "Vpc": self.twin.vpc, "CollectorCidr": "10.0.50.0/24", "OperatingSystem": "Debian12",
            "ListenSubnets": ",".join(subnets["listen", zone] for zone in "ab"),
            "ForwardSubnets": ",".join(subnets["forward", zone] for zone in "ab"),
            "InstanceType": "c5n.large", "DeregistrationDelay": "60",
            "RepositoryUrl": f"http://{twins.CLOUD}",
            "RepositoryKey": " ".join(self.twin.key.split("\n")),
            "Configuration": json.dumps(CONFIG), **changes}

    def deploy(self, template, stack, **parameters):
        process = self.twin.deploy(template, stack, **parameters)
        self.running.append(process)
        return process

    def check_deployed(self, process, stack):
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, f"{output}\n{self.twin.failures(stack)}")

    def wait_status(self, stack, status, seconds):
        def ended():
            found = self.twin.status(stack)
            if found and ("ROLLBACK" in found or "FAILED" in found):
                raise AssertionError(f"{stack}: {found}: {self.twin.failures(stack)}")
            return found == status
        self.twin.wait(ended, seconds, f"{stack} to be {status}")

    def tell(self, steps):
        """Each step is a row; the story ends with the first that fails."""
        for number, step in enumerate(steps):
            begun, failed = time.monotonic(), False
            with self.subTest(step.__doc__):
                try:
                    step()
                except AssertionError:
                    failed = True
                    raise
            if VERBOSE:
                print(f"    {time.monotonic() - begun:5.1f} s  {step.__name__}", flush=True)
            if failed:
                self.show()
                self.fail(f"not told: {', '.join(one.__name__ for one in steps[number + 1:])}")

    def show(self):
        """For a failure: what the machines say."""
        for each in self.twin.machines.values():
            if not each.is_gone:
                with contextlib.suppress(Exception):
                    print(f"--- {each.id}\n" + each.run(
                        "journalctl", "--no-pager", "-o", "cat", "-n", "12", "-u", "user-data", "-u",
                        "vxlan-pipeline-aws", "-u", "vxlan-pipeline", check=False).stdout, flush=True)
        for line in self.twin.account.ask(ask=["cloud_lambda", "get_said"])[-20:]:
            print("--- function:", line, flush=True)

    def healthy(self, count, seconds=90):
        self.twin.wait(lambda: len(self.balancer.healthy()) == count, seconds,
                       f"{count} healthy targets")

    def check_none_lost(self, since, until=None):
        lost = self.traffic.lost(since, until)
        self.assertEqual(len(lost), 0, f"lost of {self.traffic.next - since}: {lost[:20]}")
        self.assertEqual(self.traffic.twice(), [])

    def test_the_life_of_a_stack(self):
        self.tell([
            self.launch, self.sessions_are_made, self.packets_arrive, self.configuration_is_updated,
            self.scaled_out_and_in_while_replaced, self.bad_inputs_fail, self.all_were_replaced,
            self.an_appliance_fails, self.a_zone_is_lost, self.deletion_leaves_nothing])

    def launch(self):
        """Launch to healthy: the user data runs, the function attaches, the stack is complete"""
        deployed = self.deploy("appliance", STACK, **self.parameters)
        self.twin.wait(lambda: len(self.twin.living(STACK)) == 2 or deployed.poll() is not None, 180,
                       "two instances in service")
        self.assertEqual(len(self.twin.living(STACK)), 2, self.twin.failures(STACK))
        self.balancer = self.twin.open_balancer(STACK)
        self.healthy(2)
        self.wait_status(STACK, "CREATE_COMPLETE", 30)
        self.deployed = deployed
        zones = {one["zone"] for one in self.twin.living(STACK)}
        self.assertEqual(zones, {"eu-west-1a", "eu-west-1b"})
        for one in self.twin.living(STACK):
            self.assertEqual([interface["check"] for interface in one["interfaces"]], [False, False])
        self.assertEqual(self.twin.metadata.server.refused, 0)

    def sessions_are_made(self):
        """The sessions' stack mirrors the host with the tag"""
        outputs = self.twin.outputs(STACK)
        deployed = self.deploy("sessions", SESSIONS, MirrorTargets=outputs["MirrorTarget"],
                               MirrorFilter=outputs["MirrorFilter"], Vni=VNI)
        self.wait_status(SESSIONS, "CREATE_COMPLETE", 60)
        session, = self.twin.account.ec2("describe_traffic_mirror_sessions")["TrafficMirrorSessions"]
        self.assertEqual((session["NetworkInterfaceId"], session["VirtualNetworkId"],
                          session["PacketLength"]), (self.twin.source_interface, VNI, 3448))
        self.traffic.start(session["VirtualNetworkId"])
        self.assertIsNotNone(deployed)

        # Their user data is patient, so that they take minutes.
        self.bad = {name: (sentence, self.deploy("appliance", name,
                                                 **self.given(MinCapacity=1, **changes)))
                    for name, (changes, sentence) in self.bad_cases().items()}

    def packets_arrive(self):
        """Both appliances forward, and every packet arrives"""
        time.sleep(3)
        self.check_none_lost(0)
        used = {self.balancer.flows[flow][0].name for flow in list(self.balancer.flows)}
        self.assertEqual(len(used), 2)

    def configuration_is_updated(self):
        """A configuration update, and a scale-out meanwhile: no packet is lost, none replaced"""
        since = self.traffic.next
        before = {one["id"] for one in self.twin.living(STACK)}
        changed = program.merge(CONFIG, {"nat": [{
            "match": {"destination_port": 514}, "to": f"{twins.COLLECTOR}:{twins.PORTS[1]}"}]})
        self.parameters["Configuration"] = json.dumps(changed)
        self.check_deployed(self.deployed, STACK)
        self.deployed = self.deploy("appliance", STACK, **self.parameters)
        self.wait_status(STACK, "UPDATE_COMPLETE", 90)
        self.twin.account.call("autoscaling", "set_desired_capacity", AutoScalingGroupName=STACK,
                               DesiredCapacity=3)
        self.twin.wait(lambda: {self.traffic.ports.get(number) for number in range(
            self.traffic.next - 200, self.traffic.next - 50)} == {twins.PORTS[1]}, 90,
            "the new configuration on all appliances")
        self.healthy(3)
        self.assertLess(before, {one["id"] for one in self.twin.living(STACK)})
        self.check_none_lost(since)

    def scaled_out_and_in_while_replaced(self):
        """Scale-in, and an update of the image that replaces the instances one by one: begun"""
        self.since = self.traffic.next
        self.old = {one["id"] for one in self.twin.living(STACK)}
        self.twin.account.call("autoscaling", "set_desired_capacity", AutoScalingGroupName=STACK,
                               DesiredCapacity=2)
        self.twin.wait(lambda: self.twin.living(STACK, "Terminating:Wait"), 30, "the scale-in")
        self.check_deployed(self.deployed, STACK)
        self.parameters["ImageGeneration"] = 2
        self.deployed = self.deploy("appliance", STACK, **self.parameters)
        self.twin.wait(lambda: self.twin.status(STACK) == "UPDATE_IN_PROGRESS", 120, "the update")

    def bad_inputs_fail(self):
        """Bad inputs: each stack fails with its sentence, and nothing that costs is left of it"""
        for name, (sentence, command) in self.bad.items():
            with self.subTest(name):
                output, _ = command.communicate(timeout=400)
                self.assertNotEqual(command.returncode, 0, output)
                self.assertEqual(self.twin.status(name), "ROLLBACK_COMPLETE")
                self.assertRegex(str(self.twin.failures(name)), sentence)
                self.assertEqual(self.twin.living(name, "Pending:Wait", "InService"), [])
                left = self.twin.account.ec2("describe_network_interfaces", Filters=[
                    {"Name": "tag:vxlan-pipeline-stack", "Values": [name]}])["NetworkInterfaces"]
                self.assertEqual(left, [])
        balancers = self.twin.account.call("elbv2", "describe_load_balancers")["LoadBalancers"]
        self.assertEqual(len(balancers), 1)

    def bad_cases(self):
        """{stack: (changed parameters, what its failure says)}"""
        work = self.twin.account.work
        home = os.path.join(work.path, "other")
        os.mkdir(home, 0o700)
        other = {**os.environ, "GNUPGHOME": home}
        subprocess.run(["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                        "--quick-generate-key", "other", "rsa3072", "sign", "never"], env=other,
                       check=True, capture_output=True)
        key = run("gpg", "--batch", "--armor", "--export", env=other).stdout
        run("gpgconf", "--kill", "gpg-agent", env=other)
        wrong = program.merge(CONFIG, {"forward": {"mtu": "large"}})
        return {
            "no-subnet": ({"ForwardSubnets": self.twin.subnets["forward", "b"],
                           "ListenSubnets": self.twin.subnets["listen", "a"]},
                          "no subnet of ForwardSubnets is in eu-west-1a"),
            "bad-config": ({"Configuration": json.dumps(wrong)}, "forward.mtu"),
            "wrong-key": ({"RepositoryKey": key.replace("\n", " ")}, "cannot be read: .*(NO_PUBKEY|[Ss]ignature)")}

    def all_were_replaced(self):
        """Every old instance is replaced and gone, and no packet was lost"""
        self.wait_status(STACK, "UPDATE_COMPLETE", 200)
        self.twin.wait(lambda: not {one["id"] for one in self.twin.snapshot
                                    if one["state"] != "Terminated"} & self.old, 150,
                       "the old instances to be gone")
        self.healthy(2)
        self.check_none_lost(self.since)
        self.assertGreater(len(self.balancer.moves), 0)

    def limit(self):
        """Within what the health check takes to find a failure, seconds."""
        group = self.balancer.group
        return (int(group["UnhealthyThresholdCount"]) * int(group["HealthCheckIntervalSeconds"])
                + int(group["HealthCheckTimeoutSeconds"]) * int(group["UnhealthyThresholdCount"]))

    def new_flows_move(self, gone):
        """Time until no new flow is lost any more, and what was lost after that."""
        begun = time.monotonic()
        self.twin.wait(lambda: not {one["id"] for one in gone} & self.balancer.healthy(), 60,
                       "the load balancer to find out")
        found = time.monotonic() - begun
        since = self.traffic.next
        time.sleep(3)
        lost = [number for number in self.traffic.lost(since) if self.traffic.sent[number][1] >= 1000]
        if VERBOSE:
            print(f"        found after {found:.1f} s", flush=True)
        self.assertEqual(lost, [], "new flows are still lost")
        self.assertLess(found, self.limit() + 3)  # 2 s until /healthz tells, and this test's own

    def an_appliance_fails(self):
        """An appliance that fails its health: new flows move within the health check's time"""
        one = self.twin.living(STACK)[0]
        self.twin.machines[one["id"]].run("ip", "link", "set", "ens6", "down")
        self.new_flows_move([one])
        with self.subTest("the group replaces it"):
            self.twin.wait(lambda: self.twin.living(STACK, "Terminating:Wait"), 30, "its replacement")
            self.twin.wait(lambda: len(self.twin.living(STACK)) == 2, 120, "another in service")
            self.healthy(2)

    def a_zone_is_lost(self):
        """A zone is lost: new flows go to the other one"""
        zone = self.twin.living(STACK)[0]["zone"]
        gone = [one for one in self.twin.living(STACK) if one["zone"] == zone]
        for one in gone:
            self.twin.machines[one["id"]].lose()
        self.new_flows_move(gone)

    def deletion_leaves_nothing(self):
        """The stacks are deleted, and nothing is left of them"""
        for stack in (SESSIONS, STACK):
            self.twin.account.cli("cloudformation", "delete-stack", "--stack-name", stack)
            self.twin.wait(lambda name=stack: self.twin.status(name) is None, 30, f"{stack} to be gone")
        ec2, call = self.twin.account.ec2, self.twin.account.call
        self.assertEqual(ec2("describe_traffic_mirror_sessions")["TrafficMirrorSessions"], [])
        self.assertEqual(ec2("describe_traffic_mirror_targets")["TrafficMirrorTargets"], [])
        self.assertEqual(ec2("describe_traffic_mirror_filters")["TrafficMirrorFilters"], [])
        self.assertEqual(call("elbv2", "describe_load_balancers")["LoadBalancers"], [])
        self.assertEqual(call("elbv2", "describe_target_groups")["TargetGroups"], [])
        living = [instance["InstanceId"] for reservation in ec2("describe_instances")["Reservations"]
                  for instance in reservation["Instances"] if instance["State"]["Name"] == "running"]
        self.assertEqual(living, [self.twin.mirrored])
        names = {one["NetworkInterfaceId"] for one in ec2("describe_network_interfaces")[
            "NetworkInterfaces"]}
        self.assertEqual(names, {self.twin.source_interface})
        for service, method, key in (("logs", "describe_log_groups", "logGroups"),
                                     ("iam", "list_roles", "Roles"),
                                     ("ssm", "describe_parameters", "Parameters"),
                                     ("sns", "list_topics", "Topics")):
            self.assertEqual(call(service, method)[key], [], service)


if __name__ == "__main__":
    unittest.main()
