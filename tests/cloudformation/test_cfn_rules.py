# SPDX-License-Identifier: GPL-2.0-only
"""One mistake in a template that has none: which rule finds it, and where."""

import collections
import glob
import json
import os
import re
import unittest

import templates
from templates import GONE

Row = collections.namedtuple("Row", "sentence rule path changes")
R = "Resources/"
LB, LISTENER, GROUP = R + "LoadBalancer/Properties", R + "Listener/Properties", R + "TargetGroup/Properties"
TARGET, DATA = R + "MirrorTarget/Properties", R + "Template/Properties/LaunchTemplateData"
ASG, ROLE = R + "Group/Properties", R + "Role/Properties"
STATEMENTS = ROLE + "/Policies/0/PolicyDocument/Statement"
NIC = DATA + "/NetworkInterfaces"
SESSION = R + "Session/Properties"
CODE = R + "Function/Properties"


def number_of(properties, key, name, template=templates.load("appliance.yaml")):
    """The place of an attribute in its list."""
    place = template
    for step in (properties + "/" + key).split("/"):
        place = place[step]
    return next(str(index) for index, item in enumerate(place) if item["Key"] == name)


CROSS = f"{LB}/LoadBalancerAttributes/" + number_of(LB, "LoadBalancerAttributes", "load_balancing.cross_zone.enabled")
DELAY = f"{GROUP}/TargetGroupAttributes/" + number_of(GROUP, "TargetGroupAttributes", "deregistration_delay.timeout_seconds")
ENDS = f"{GROUP}/TargetGroupAttributes/" + number_of(
    GROUP, "TargetGroupAttributes", "deregistration_delay.connection_termination.enabled")
SECOND = {"DeviceIndex": 1, "DeleteOnTermination": True}
HOOKS = ASG + "/LifecycleHookSpecificationList"
OPEN = {"GroupId": {"Ref": "ApplianceGroup"}, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
LONE_HOOK = {"Type": "AWS::AutoScaling::LifecycleHook", "Properties": {
    "AutoScalingGroupName": {"Ref": "Group"}, "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}}


def choose(good, bad):
    """A value of which only a branch is wrong."""
    return {"Fn::If": ["TwoInterfaces", good, bad]}


def filter_rule(number, **more):
    return {"Type": "AWS::EC2::TrafficMirrorFilterRule", "Properties": {
        "TrafficMirrorFilterId": {"Ref": "MirrorFilter"}, "TrafficDirection": "egress", "RuleNumber": number,
        "RuleAction": "accept", "SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0", **more}}


def session(**more):
    return {"Type": "AWS::EC2::TrafficMirrorSession", "Properties": {
        "NetworkInterfaceId": "eni-0123456789abcdef0", "TrafficMirrorTargetId": {"Ref": "MirrorTarget"},
        "TrafficMirrorFilterId": {"Ref": "MirrorFilter"}, "SessionNumber": 1, "VirtualNetworkId": 1,
        "PacketLength": 3448, **more}}


def without(properties, key):
    return session(**{}) | {"Properties": {k: v for k, v in session()["Properties"].items() if k != key}}


def body(**widget):
    return json.dumps({"widgets": [{"type": "metric", "properties": {"metrics": [["AWS/EC2", "NetworkIn"]]}, **widget}]})


ROWS = (
    # The load balancer.
    Row("no listener", "E9700", TARGET + "/NetworkLoadBalancerArn", {
        R + "Listener": GONE, R + "MirrorTarget/DependsOn": GONE, R + "Group/DependsOn": GONE}),
    Row("a listener for TCP", "E9700", LISTENER + "/Protocol", {LISTENER + "/Protocol": "TCP"}),
    Row("a listener without a protocol", "E9700", LISTENER, {LISTENER + "/Protocol": GONE}),
    Row("a listener for TCP in one branch", "E9700", LISTENER + "/Protocol/Fn::If/2",
        {LISTENER + "/Protocol": choose("UDP", "TCP")}),
    Row("a listener on port 4788", "E9700", LISTENER + "/Port", {LISTENER + "/Port": 4788}),
    Row("a listener on port 4788 in one branch", "E9700", LISTENER + "/Port/Fn::If/1",
        {LISTENER + "/Port": choose(4788, 4789)}),
    Row("a UDP listener on a TCP group", "E9701", GROUP + "/Protocol", {GROUP + "/Protocol": "TCP"}),
    Row("a group on port 4788", "E9702", GROUP + "/Port", {GROUP + "/Port": 4788}),
    Row("health by UDP", "E9703", GROUP + "/HealthCheckProtocol", {GROUP + "/HealthCheckProtocol": "UDP"}),
    Row("health by nothing said", "E9703", GROUP, {GROUP + "/HealthCheckProtocol": GONE, GROUP + "/HealthCheckPath": GONE}),
    Row("health on the traffic port", "E9703", GROUP + "/HealthCheckPort", {GROUP + "/HealthCheckPort": "traffic-port"}),
    Row("health on port 4789", "E9703", GROUP + "/HealthCheckPort", {GROUP + "/HealthCheckPort": "4789"}),
    Row("health on a port not said", "E9703", GROUP, {GROUP + "/HealthCheckPort": GONE}),
    Row("no health checks", "E9703", GROUP + "/HealthCheckEnabled", {GROUP + "/HealthCheckEnabled": False}),
    Row("health without a path", "E9704", GROUP, {GROUP + "/HealthCheckPath": GONE}),
    Row("health of /", "E9704", GROUP + "/HealthCheckPath", {GROUP + "/HealthCheckPath": "/"}),
    Row("cross-zone not said", "E9705", LB, {CROSS: GONE}),
    Row("cross-zone neither true nor false", "E9705", CROSS + "/Value", {CROSS + "/Value": "yes"}),
    Row("cross-zone misspelt", "E9706", CROSS + "/Key", {CROSS + "/Key": "load_balancing.crosszone.enabled"}),
    Row("delay misspelt", "E9706", DELAY + "/Key", {DELAY + "/Key": "deregistration_delay.timeout"}),
    Row("client addresses given up", "E9707", GROUP + "/TargetGroupAttributes/2/Value",
        {GROUP + "/TargetGroupAttributes/+": {"Key": "preserve_client_ip.enabled", "Value": "false"}}),
    Row("a delay of 10", "E9708", DELAY + "/Value", {DELAY + "/Value": "10"}),
    Row("a delay of 9999", "E9708", DELAY + "/Value", {DELAY + "/Value": "9999"}),
    Row("a delay of 10 in one branch", "E9708", DELAY + "/Value/Fn::If/2", {DELAY + "/Value": choose("120", "10")}),
    Row("a delay of 10 that a parameter admits", "E9708", DELAY + "/Value",
        {"Parameters/DeregistrationDelay/AllowedValues/+": "10", "Mappings/Drain/10": {"Hook": 180}}),
    Row("flows that stay", "E9709", ENDS + "/Value", {ENDS + "/Value": "false"}),
    Row("an application load balancer", "E9710", LB + "/Type", {LB + "/Type": "application"}),
    Row("a load balancer of no type", "E9710", LB, {LB + "/Type": GONE}),
    Row("a load balancer that faces the internet", "E9710", LB + "/Scheme", {LB + "/Scheme": "internet-facing"}),
    # The mirror.
    Row("a target without destination", "E9711", TARGET, {TARGET + "/NetworkLoadBalancerArn": GONE}),
    Row("a target with two destinations", "E9711", TARGET + "/NetworkLoadBalancerArn",
        {TARGET + "/NetworkInterfaceId": "eni-0123456789abcdef0"}),
    Row("a target without destination in one branch", "E9711", TARGET,
        {TARGET + "/NetworkLoadBalancerArn": choose({"Ref": "LoadBalancer"}, {"Ref": "AWS::NoValue"})}),
    Row("a target that does not wait", "E9712", R + "MirrorTarget", {R + "MirrorTarget/DependsOn": GONE}),
    Row("a target that waits for another", "E9712", R + "MirrorTarget", {R + "MirrorTarget/DependsOn": ["TargetGroup"]}),
    Row("a filter without rules", "E9713", R + "MirrorFilter/Properties",
        {R + name: GONE for name in ("MirrorIn", "MirrorOut", "NeverIn", "NeverOut")}),
    Row("a filter with eleven rules", "E9713", R + "Rule6/Properties",
        {R + f"Rule{number}": filter_rule(200 + number) for number in range(7)}),
    Row("two rules of one number", "E9713", R + "Rule0/Properties/RuleNumber", {R + "Rule0": filter_rule(100)}),
    Row("ports of every protocol", "E9714", R + "Rule0/Properties/DestinationPortRange",
        {R + "Rule0": filter_rule(7, DestinationPortRange={"FromPort": 1, "ToPort": 2})}),
    Row("ports of ICMP", "E9714", R + "Rule0/Properties/DestinationPortRange",
        {R + "Rule0": filter_rule(7, Protocol=1, DestinationPortRange={"FromPort": 1, "ToPort": 2})}),
    Row("ports backwards", "E9714", R + "Rule0/Properties/SourcePortRange",
        {R + "Rule0": filter_rule(7, Protocol=6, SourcePortRange={"FromPort": 2, "ToPort": 1})}),
    Row("packets of 9001", "E9715", SESSION + "/PacketLength", {R + "Session": session(PacketLength=9001)}),
    Row("packets of 0", "E9715", SESSION + "/PacketLength", {R + "Session": session(PacketLength=0)}),
    Row("VNI 99999999", "E9716", SESSION + "/VirtualNetworkId", {R + "Session": session(VirtualNetworkId=99999999)}),
    Row("no VNI", "E9716", SESSION, {R + "Session": without(SESSION, "VirtualNetworkId")}),
    Row("session 0", "E9717", SESSION + "/SessionNumber", {R + "Session": session(SessionNumber=0)}),
    Row("session 32767 in one branch", "E9717", SESSION + "/SessionNumber/Fn::If/2",
        {R + "Session": session(SessionNumber=choose(1, 32767))}),
    Row("a rejecting rule after all others", "E9718", R + "NeverOut/Properties/RuleNumber",
        {R + "NeverOut/Properties/RuleNumber": 200}),
    Row("only rules that reject", "E9718", R + "NeverIn/Properties/RuleNumber",
        {R + "MirrorIn/Properties/RuleAction": "reject", R + "MirrorOut/Properties/RuleAction": "reject"}),
    # Interfaces, and who may reach them.
    Row("two interfaces with one index", "E9720", NIC + "/1/DeviceIndex", {NIC + "/+": SECOND | {"DeviceIndex": 0}}),
    Row("two interfaces with a public address", "E9721", NIC + "/0/AssociatePublicIpAddress",
        {NIC + "/+": SECOND, NIC + "/0/AssociatePublicIpAddress": True}),
    Row("an interface in another subnet", "E9722", NIC + "/1/SubnetId", {NIC + "/+": SECOND | {"SubnetId": "subnet-1"}}),
    Row("an interface in another subnet in one branch", "E9722", NIC + "/1/Fn::If/2/SubnetId",
        {NIC + "/+": choose({"Ref": "AWS::NoValue"}, SECOND | {"SubnetId": "subnet-1"})}),
    Row("a ready-made interface for a group", "E9723", NIC + "/1/NetworkInterfaceId",
        {NIC + "/+": {"DeviceIndex": 1, "NetworkInterfaceId": "eni-0123456789abcdef0"}}),
    Row("a ready-made interface with groups", "E9723", NIC + "/1/Groups",
        {NIC + "/+": {"DeviceIndex": 1, "NetworkInterfaceId": "eni-0123456789abcdef0", "Groups": ["sg-1"]}}),
    Row("SSH from anywhere", "E9724", R + "Open/Properties/CidrIp",
        {R + "Open": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": OPEN}}),
    Row("SSH from anywhere, inline, by IPv6", "E9724", R + "ApplianceGroup/Properties/SecurityGroupIngress/0/CidrIpv6",
        {R + "ApplianceGroup/Properties/SecurityGroupIngress":
         [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 1024, "CidrIpv6": "::/0"}]}),
    Row("VXLAN from anywhere", "E9724", R + "BalancerGroup/Properties/SecurityGroupIngress/0/CidrIp",
        {R + "BalancerGroup/Properties/SecurityGroupIngress/0/CidrIp": "0.0.0.0/0"}),
    Row("VXLAN from anywhere by default", "E9724", R + "BalancerGroup/Properties/SecurityGroupIngress/0/CidrIp",
        {"Parameters/MirroredCidr/Default": "0.0.0.0/0"}),
    Row("anything from anywhere", "E9724", R + "Open/Properties/CidrIp",
        {R + "Open": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {
            "GroupId": {"Ref": "ApplianceGroup"}, "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}}),
    Row("appliances that admit no VXLAN", "E9725", GROUP + "/Port", {R + "MirroredIn": GONE}),
    Row("appliances that admit VXLAN at another port", "E9725", GROUP + "/Port",
        {R + "MirroredIn/Properties/FromPort": 4788, R + "MirroredIn/Properties/ToPort": 4788}),
    Row("appliances that admit VXLAN over TCP", "E9725", GROUP + "/Port", {R + "MirroredIn/Properties/IpProtocol": "tcp"}),
    Row("a health check of a port that is shut", "E9725", GROUP + "/HealthCheckPort", {GROUP + "/HealthCheckPort": "9790"}),
    Row("everything may leave", "E9726", R + "ForwardGroup/Properties", {R + "ForwardGroup/Properties/SecurityGroupEgress": GONE}),
    Row("everything may leave to anywhere", "E9726", R + "ForwardGroup/Properties/SecurityGroupEgress/0/CidrIp",
        {R + "ForwardGroup/Properties/SecurityGroupEgress/0/CidrIp": "0.0.0.0/0"}),
    Row("an appliance with a public address", "E9727", NIC + "/0/AssociatePublicIpAddress",
        {NIC + "/0/AssociatePublicIpAddress": True}),
    # The machine.
    Row("IMDSv1", "E9730", DATA + "/MetadataOptions/HttpTokens", {DATA + "/MetadataOptions/HttpTokens": "optional"}),
    Row("nothing said of metadata", "E9730", DATA, {DATA + "/MetadataOptions": GONE}),
    Row("an unencrypted volume", "E9731", DATA + "/BlockDeviceMappings/0/Ebs/Encrypted",
        {DATA + "/BlockDeviceMappings/0/Ebs/Encrypted": False}),
    Row("a volume of which nothing is said", "E9731", DATA + "/BlockDeviceMappings/0/Ebs",
        {DATA + "/BlockDeviceMappings/0/Ebs/Encrypted": GONE}),
    Row("a volume as the image has it", "E9731", DATA, {DATA + "/BlockDeviceMappings": GONE}),
    Row("an arm type with an x86 image", "E9732", DATA + "/ImageId", {DATA + "/InstanceType": "c7gn.large"}),
    Row("a type with the wrong architecture in the table", "E9732", DATA + "/ImageId",
        {"Mappings/Type/c6gn.large/Arch": "x86"}),
    Row("an x86 type with an arm image", "E9732", DATA + "/ImageId",
        {"Mappings/Image/x86/Ubuntu2404":
         "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"}),
    # The group.
    Row("a launch hook of its own", "E9740", R + "Hook/Properties/LifecycleTransition", {R + "Hook": LONE_HOOK}),
    Row("a hook of 5 seconds", "E9741", HOOKS + "/0/HeartbeatTimeout", {HOOKS + "/0/HeartbeatTimeout": 5}),
    Row("a hook as short as the delay", "E9742", HOOKS + "/2/HeartbeatTimeout", {"Mappings/Drain/120/Hook": 120}),
    Row("a delay as long as the hook", "E9742", HOOKS + "/2/HeartbeatTimeout", {DELAY + "/Value": "600"}),
    Row("no terminate hook", "E9742", ASG, {HOOKS + "/2": GONE}),
    Row("an unanswered launch that continues", "E9743", HOOKS + "/1/DefaultResult", {HOOKS + "/1/DefaultResult": "CONTINUE"}),
    Row("a group that terminates first", "E9744", ASG + "/InstanceMaintenancePolicy/MinHealthyPercentage",
        {ASG + "/InstanceMaintenancePolicy/MinHealthyPercentage": 90}),
    Row("no maintenance policy", "E9744", ASG, {ASG + "/InstanceMaintenancePolicy": GONE}),
    Row("no warm-up", "E9745", ASG, {ASG + "/DefaultInstanceWarmup": GONE}),
    Row("an update without room", "E9746", R + "Group/UpdatePolicy/AutoScalingRollingUpdate/MinInstancesInService",
        {"Parameters/MaxCapacity/Default": 2}),
    Row("an update that terminates first", "E9746", R + "Group/UpdatePolicy/AutoScalingRollingUpdate/MinInstancesInService",
        {R + "Group/UpdatePolicy/AutoScalingRollingUpdate/MinInstancesInService": 1}),
    Row("an update that is over before the hook", "E9747", R + "Group/UpdatePolicy/AutoScalingRollingUpdate/PauseTime",
        {R + "Group/UpdatePolicy/AutoScalingRollingUpdate/PauseTime": "PT10M"}),
    Row("a target group that nobody joins", "E9748", GROUP, {ASG + "/TargetGroupARNs": GONE}),
    Row("a target group of addresses", "E9748", GROUP + "/TargetType", {GROUP + "/TargetType": "ip"}),
    # Rights and programs.
    Row("every action", "E9750", STATEMENTS + "/2/Action", {STATEMENTS + "/2/Action": "autoscaling:*"}),
    Row("every resource", "E9751", STATEMENTS + "/1/Resource", {STATEMENTS + "/1/Resource": "*"}),
    Row("every resource in one branch", "E9751", STATEMENTS + "/3/Resource/Fn::If/2",
        {STATEMENTS + "/3/Resource": choose({"Ref": "AWS::StackId"}, "*")}),
    Row("a role for everybody", "E9752", ROLE + "/AssumeRolePolicyDocument/Statement/0/Principal",
        {ROLE + "/AssumeRolePolicyDocument/Statement/0/Principal": "*"}),
    Row("a rule of anybody's calls the function", "E9753", R + "Permission/Properties/Principal",
        {R + "Permission/Properties/SourceArn": GONE}),
    Row("all actions but one", "E9754", STATEMENTS + "/1/NotAction",
        {STATEMENTS + "/1/Action": GONE, STATEMENTS + "/1/NotAction": "iam:CreateUser"}),
    Row("an administrator", "E9755", ROLE + "/ManagedPolicyArns/0",
        {ROLE + "/ManagedPolicyArns": [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}]}),
    Row("a function that no rule may call", "E9763", R + "Event/Properties/Targets/0/Arn", {
        R + "Permission": GONE, R + "Group/DependsOn": ["Listener"]}),
    Row("a syntax error", "E9760", CODE + "/Code/ZipFile", {CODE + "/Code/ZipFile": "def handler(event, context)\n    pass\n"}),
    Row("a handler that is not there", "E9761", CODE + "/Handler", {CODE + "/Handler": "index.main"}),
    Row("user data without a first line", "E9762", DATA + "/UserData/Fn::Base64",
        {DATA + "/UserData/Fn::Base64/Fn::Sub": "echo ${AWS::StackName}"}),
    Row("user data of 17,000 bytes", "E9762", DATA + "/UserData/Fn::Base64",
        {DATA + "/UserData/Fn::Base64/Fn::Sub": "#!/bin/bash\n" + "#" * 17000}),
    # What watches it.
    Row("a dimension that is an ARN", "E9770", R + "Unhealthy/Properties/Dimensions/0/Value",
        {R + "Unhealthy/Properties/Dimensions/0/Value": {"Ref": "LoadBalancer"}}),
    Row("a dimension that is an ARN's attribute", "E9770", R + "Unhealthy/Properties/Dimensions/1/Value",
        {R + "Unhealthy/Properties/Dimensions/1/Value": {"Fn::GetAtt": ["TargetGroup", "TargetGroupArn"]}}),
    Row("a metric that nobody sends", "E9771", R + "Unhealthy/Properties/MetricName",
        {R + "Unhealthy/Properties/MetricName": "UnhealthyHostCount"}),
    Row("a mirror metric that nobody sends", "E9771", R + "SkippedIn/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/MetricName",
        {R + "SkippedIn/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/MetricName": "NetworkPacketsSkippedMirrorIn"}),
    Row("a dimension that nobody sends", "E9771", R + "Unhealthy/Properties/Dimensions/1/Name",
        {R + "Unhealthy/Properties/Dimensions/1/Name": "TargetGroupName"}),
    Row("a dashboard that is no JSON", "E9772", R + "Dashboard/Properties/DashboardBody",
        {R + "Dashboard/Properties/DashboardBody": "{widgets: []}"}),
    Row("a dashboard without widgets", "E9772", R + "Dashboard/Properties/DashboardBody",
        {R + "Dashboard/Properties/DashboardBody": '{"widget": []}'}),
    Row("a widget of no type", "E9772", R + "Dashboard/Properties/DashboardBody",
        {R + "Dashboard/Properties/DashboardBody": body(type="metrik")}),
    Row("a widget without properties", "E9772", R + "Dashboard/Properties/DashboardBody",
        {R + "Dashboard/Properties/DashboardBody": body(properties=None)}),
    Row("a widget of a metric that nobody sends", "E9772", R + "Dashboard/Properties/DashboardBody",
        {R + "Dashboard/Properties/DashboardBody": body(properties={"metrics": [["AWS/NetworkELB", "ProcessedPacket"]]})}),
    Row("skipped mirrors every minute", "E9773", R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Period",
        {R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Period": 60}),
    Row("skipped mirrors of the appliances", "E9773",
        R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/Dimensions/0/Value",
        {R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/Dimensions/0/Value": {"Ref": "Group"}}),
    Row("skipped mirrors of a load balancer", "E9773",
        R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/Dimensions/0/Name",
        {R + "SkippedOut/Properties/Metrics/0/Fn::If/1/MetricStat/Metric/Dimensions/0/Name": "LoadBalancer"}),
    Row("an alarm that tells nobody", "E9775", R + "Unhealthy/Properties", {R + "Unhealthy/Properties/AlarmActions": GONE}),
    Row("a topic that CloudWatch cannot use", "E9776", R + "Topic/Properties/KmsMasterKeyId",
        {R + "Topic/Properties/KmsMasterKeyId": "alias/aws/sns"}),
    Row("lines for ever", "E9777", R + "Logs/Properties", {R + "Logs/Properties/RetentionInDays": GONE}),
    Row("missing data of which nothing is said", "E9774", R + "Unhealthy/Properties",
        {R + "Unhealthy/Properties/TreatMissingData": GONE}),
)

# What is right, and looks like a mistake.
FINE = (
    ("a session", {R + "Session": session()}),
    ("a session of whole packets", {R + "Session": without(SESSION, "PacketLength")}),
    ("ports of UDP", {R + "Rule0": filter_rule(7, Protocol=17, DestinationPortRange={"FromPort": 1, "ToPort": 1})}),
    ("ten rules", {R + f"Rule{number}": filter_rule(200 + number) for number in range(6)}),
    ("one number in two directions", {R + "Rule0": filter_rule(100, TrafficDirection="ingress"), R + "MirrorIn": GONE}),
    ("a branch that is not there with the other", {
        DELAY + "/Value": choose("120", "300"), HOOKS + "/2/HeartbeatTimeout": choose(121, 301)}),
    ("a listener for both protocols", {LISTENER + "/Protocol": "TCP_UDP", GROUP + "/Protocol": "TCP_UDP"}),
    ("a TCP group for something else", {R + "Other": {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": {
            "Protocol": "TCP", "Port": 80, "VpcId": {"Ref": "Vpc"},
            "TargetGroupAttributes": [{"Key": "preserve_client_ip.enabled", "Value": "false"}]}}}),
    ("SSH from a host", {R + "Open": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": OPEN | {"CidrIp": "10.1.2.3/32"}}}),
    ("a terminate hook of its own", {R + "Hook": {"Type": "AWS::AutoScaling::LifecycleHook", "Properties": {
        "AutoScalingGroupName": {"Ref": "Group"}, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 600}}}),
    ("an interface of index 1 beside the first", {NIC + "/+": SECOND}),
    ("VXLAN admitted by number, among others", {R + "MirroredIn/Properties/IpProtocol": "17", R + "MirroredIn/Properties/FromPort": 4000,
                                                R + "MirroredIn/Properties/ToPort": 5000}),
    ("groups of security that the template does not have", {R + "MirroredIn": GONE, R + "Group/DependsOn": ["Listener"],
                                                            NIC + "/0/Groups": ["sg-0123"]}),
    ("Session Manager's own managed policy", {
        ROLE + "/ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]}),
    ("a function that this account's load balancers call", {
        R + "Permission/Properties/SourceArn": GONE, R + "Permission/Properties/SourceAccount": {"Ref": "AWS::AccountId"}}),
)


class Rules(unittest.TestCase):
    """cloudformation/rules, on changes of the template."""

    @classmethod
    def setUpClass(cls):
        template = templates.load("appliance.yaml")
        changes = [row.changes for row in ROWS] + [change for _, change in FINE]
        texts = [json.dumps(templates.changed(template, change)) for change in changes]
        cls.findings = templates.judge(texts, "--own")

    def test_each_mistake_is_found(self):
        """By its rule, at the property."""
        self.assertGreaterEqual(len(ROWS), 60)
        for row, findings in zip(ROWS, self.findings):
            with self.subTest(row.sentence):
                places = {(found["rule"], "/".join(found["path"])) for found in findings}
                self.assertIn((row.rule, row.path), places, findings)

    def test_what_is_right_is_not_found(self):
        for (sentence, _), findings in zip(FINE, self.findings[len(ROWS):]):
            with self.subTest(sentence):
                self.assertEqual(findings, [])

    def test_a_finding_says_what_to_do(self):
        for row, findings in zip(ROWS, self.findings):
            for found in findings:
                with self.subTest(f"{row.sentence}: {found['message']}"):
                    self.assertNotRegex(found["message"], r"object at 0x|<class|None")

    def test_each_rule_has_a_row(self):
        """And one in the README; none is there twice."""
        listed = []
        for path in glob.glob(os.path.join(templates.SOURCES, "rules", "[a-z]*.py")):
            with open(path, encoding="utf-8") as stream:
                listed += re.findall(r'@_resolve\.rule\((\d+), "(.*?)",\s+"(.*?)"\)$', stream.read(), re.M)
        rules = sorted((f"E{number}", short) for number, short, _ in listed)
        self.assertEqual([rule for rule, _ in rules], sorted({row.rule for row in ROWS}))
        with open(os.path.join(templates.SOURCES, "rules", "README.md"), encoding="utf-8") as stream:
            self.assertEqual(re.findall(r"^\| `(E\d+)` \| (.*?) \|", stream.read(), re.M), rules)
