# SPDX-License-Identifier: GPL-2.0-only
"""
Launch templates and an Auto Scaling group that lives: instances wait in hooks, are registered at target
groups, deregistered before they terminate, and replaced when the load balancer finds them unhealthy.
Whoever plays the instances (twin.py) asks for snapshot() and does as it says.
"""

import base64
import threading
import time
import traceback

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

import cloud_lambda
import cloud_models
import cloud_stack

LAUNCHING, TERMINATING = ("autoscaling:EC2_INSTANCE_LAUNCHING",
                          "autoscaling:EC2_INSTANCE_TERMINATING")
templates: dict = {}
groups: dict = {}
lock = threading.RLock()


def reset():
    templates.clear()
    groups.clear()


class Instance:
    def __init__(self, group, identifier, version):
        self.group, self.id, self.version = group, identifier, version
        self.waits, self.state, self.since = set(), "Pending:Wait", time.monotonic()
        self.registered = self.deregistered = None
        self.user_data = base64.b64decode(group.data(version)["UserData"]).decode()
        self.unhealthy = False


class Group:
    def __init__(self, name, properties):
        self.name, self.instances, self.counter = name, [], 0
        self.desired = int(properties["MinSize"])
        self.rolling, self.over = False, False
        self.take(properties)

    def take(self, properties):
        self.properties = properties
        self.hooks = {one["LifecycleHookName"]: one
                      for one in properties.get("LifecycleHookSpecificationList", [])}
        self.version = properties["LaunchTemplate"]["Version"]
        self.desired = max(self.desired, int(properties["MinSize"]))

    def data(self, version):
        return templates[self.properties["LaunchTemplate"]["LaunchTemplateId"]][int(version) - 1]

    def living(self):
        return [one for one in self.instances
                if one.state.startswith(("Pending", "InService"))]

    def launch(self):
        """In the zone that has the fewest."""
        ec2 = cloud_lambda.client("ec2")
        data, subnets = self.data(self.version), self.properties["VPCZoneIdentifier"]
        used = [one.subnet for one in self.living()]
        subnet = min(subnets, key=used.count)
        kinds = {one["ResourceType"]: [{key: str(value) for key, value in tag.items()}
                                       for tag in one["Tags"]]
                 for one in data["TagSpecifications"]}
        made = ec2.run_instances(
            ImageId="ami-12345678", InstanceType=data["InstanceType"], MinCount=1, MaxCount=1,
            SubnetId=subnet, SecurityGroupIds=data["NetworkInterfaces"][0]["Groups"],
            TagSpecifications=[{"ResourceType": "instance", "Tags": kinds["instance"]}])["Instances"][0]
        if "network-interface" in kinds:
            ec2.create_tags(Resources=[made["NetworkInterfaces"][0]["NetworkInterfaceId"]],
                            Tags=kinds["network-interface"])
        one = Instance(self, made["InstanceId"], self.version)
        one.subnet, one.zone = subnet, made["Placement"]["AvailabilityZone"]
        self.enter(one, LAUNCHING, "Pending:Wait", "EC2 Instance-launch Lifecycle Action")
        self.instances.append(one)
        cloud_lambda.emit("aws.ec2", "EC2 Instance State-change Notification",
                          {"instance-id": one.id, "state": "running"})

    def enter(self, one, transition, state, kind):
        one.state, one.since = state, time.monotonic()
        one.waits = {name for name, hook in self.hooks.items()
                     if hook["LifecycleTransition"] == transition}
        for name in one.waits:
            cloud_lambda.emit("aws.autoscaling", kind, {
                "LifecycleHookName": name, "AutoScalingGroupName": self.name,
                "EC2InstanceId": one.id, "LifecycleTransition": transition,
                "LifecycleActionToken": one.id})

    def complete(self, hook, identifier, result):
        one = next((one for one in self.instances if one.id == identifier), None)
        if one is None or hook not in one.waits:
            raise AutoscalingClientError("ValidationError", f"No active Lifecycle Action found for {hook}")
        if result == "ABANDON" and one.state == "Pending:Wait":
            one.waits = set()
            self.end(one)
        else:
            one.waits.discard(hook)

    def step(self):
        for one in self.instances:
            if one.waits:
                late = [name for name in one.waits if time.monotonic() - one.since
                        > float(self.hooks[name]["HeartbeatTimeout"])]
                for name in late:
                    self.complete(name, one.id, self.hooks[name]["DefaultResult"])
            elif one.state == "Pending:Wait":
                one.state, one.registered = "InService", time.monotonic()
            elif one.state == "Terminating:Wait":
                self.end(one)
            elif one.state == "InService" and one.unhealthy and not self.rolling:
                self.terminate(one)
        if self.over or self.rolling:
            return
        living = self.living()
        if len(living) < self.desired:
            self.launch()
        elif len(living) > self.desired:
            # In the zone with the most, the oldest.
            zones = [one.zone for one in living]
            self.terminate(max(living, key=lambda one: (zones.count(one.zone), -one.since)))

    def terminate(self, one):
        """It is deregistered first, then its hook holds it."""
        one.deregistered = time.monotonic()
        self.enter(one, TERMINATING, "Terminating:Wait", "EC2 Instance-terminate Lifecycle Action")

    def end(self, one):
        one.state, one.waits = "Terminated", set()
        ec2 = cloud_lambda.client("ec2")
        found = ec2.describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [one.id]}])["NetworkInterfaces"]
        ec2.terminate_instances(InstanceIds=[one.id])
        for interface in found:
            try:
                ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
            except Exception:  # moto deletes some with the instance
                pass
        cloud_lambda.emit("aws.autoscaling", "EC2 Instance Terminate Successful",
                          {"AutoScalingGroupName": self.name, "EC2InstanceId": one.id})

    def roll(self, seconds=600):
        """Replaces instances of other versions, one by one: launches first, waits for its signal."""
        self.rolling = True
        try:
            for old in [one for one in self.living() if one.version != self.version]:
                with lock:
                    self.launch()
                    new = self.instances[-1]
                end = time.monotonic() + seconds
                while new.state != "InService" or not any(
                        signal[2:] == (new.id, "SUCCESS") for signal in cloud_stack.signals):
                    if new.state == "Terminated" or time.monotonic() > end:
                        raise RuntimeError(f"{self.name}: {new.id} did not become good")
                    time.sleep(0.1)
                with lock:
                    self.terminate(old)
        finally:
            self.rolling = False


broken: list = []  # what the group's player itself failed at


def live():
    while not broken:
        try:
            with lock:
                for group in list(groups.values()):
                    group.step()
        except Exception:  # pylint: disable=broad-exception-caught
            broken.append(traceback.format_exc())
        time.sleep(0.2)


threading.Thread(target=live, daemon=True).start()


# For the test.

def snapshot():
    """Everything that whoever plays instances and load balancer has to know."""
    if broken:
        raise RuntimeError(broken[0])
    ec2 = cloud_lambda.client("ec2")
    with lock:
        instances = [one for group in groups.values() for one in group.instances]
    known = {found["InstanceId"]: found for page in ec2.get_paginator(
        "describe_instances").paginate() for reservation in page["Reservations"]
        for found in reservation["Instances"]}
    blocks = {subnet["SubnetId"]: subnet["CidrBlock"]
              for subnet in ec2.describe_subnets()["Subnets"]}
    return [{
        "id": one.id, "group": one.group.name, "state": one.state, "zone": one.zone,
        "registered": one.registered is not None, "deregistered": one.deregistered is not None,
        "target_state": "Terminated" if one.state.startswith("Termin") else "InService",
        "user_data": one.user_data,
        "interfaces": [{
            "id": interface["NetworkInterfaceId"], "mac": interface["MacAddress"],
            "address": interface["PrivateIpAddress"], "block": blocks[interface["SubnetId"]],
            "index": interface["Attachment"]["DeviceIndex"],
            "check": interface.get("SourceDestCheck")}
            for interface in known.get(one.id, {}).get("NetworkInterfaces", [])
            if "Attachment" in interface]} for one in instances]


def set_health(identifier, healthy):
    for group in groups.values():
        for one in group.instances:
            if one.id == identifier:
                one.unhealthy = not healthy


# Calls, and resources.

def of(self):
    name = self._get_param("AutoScalingGroupName")
    if name not in groups:
        raise AutoscalingClientError("ValidationError", f"AutoScalingGroup name not found - {name}")
    return groups[name]


class Calls:
    def complete_lifecycle_action(self):
        with lock:
            of(self).complete(*(self._get_param(key) for key in (
                "LifecycleHookName", "InstanceId", "LifecycleActionResult")))
        return EmptyResult()

    def set_desired_capacity(self):
        of(self).desired = int(self._get_param("DesiredCapacity"))
        return EmptyResult()

    def describe_auto_scaling_groups(self):
        wanted = self._get_param("AutoScalingGroupNames")
        return ActionResult({"AutoScalingGroups": [{
            "AutoScalingGroupName": group.name, "DesiredCapacity": group.desired,
            "MinSize": int(group.properties["MinSize"]),
            "MaxSize": int(group.properties["MaxSize"]), "Instances": [{
                "InstanceId": one.id, "LifecycleState": one.state, "AvailabilityZone": one.zone,
                "HealthStatus": "Unhealthy" if one.unhealthy else "Healthy"}
                for one in group.instances if one.state != "Terminated"]}
            for group in groups.values() if not wanted or group.name in wanted]})


for call, method in vars(Calls).items():
    if not call.startswith("__"):
        setattr(AutoScalingResponse, call, method)


def create_template(properties, _account, _region, name):
    identifier = f"lt-{len(templates):017x}"
    templates[identifier] = [properties["LaunchTemplateData"]]
    return identifier


def create_group(properties, _account, _region, name):
    name = properties.get("AutoScalingGroupName", name)
    groups[name] = Group(name, properties)
    return name


def update_group(name, properties, *_):
    group = groups[name]
    with lock:
        group.take(properties)
    group.roll()


def remove_group(name, *_):
    """CloudFormation deletes a group with its instances, and no hook holds them."""
    with lock:
        group = groups[name]
        group.over = True
        for one in group.instances:
            if one.state != "Terminated":
                group.end(one)


cloud_models.add(
    "AWS::EC2::LaunchTemplate", create_template, lambda name, *_: templates.pop(name, None),
    lambda name, properties, *_: templates[name].append(properties["LaunchTemplateData"]),
    lambda name, attribute, *_: str(len(templates[name]))
    if attribute == "LatestVersionNumber" else name)
cloud_models.add("AWS::AutoScaling::AutoScalingGroup", create_group, remove_group, update_group)
