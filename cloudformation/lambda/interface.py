# SPDX-License-Identifier: GPL-2.0-only
"""Prepares the network interfaces of an instance that the group launches, and completes its hook `interface`.

With forward subnets it makes a second interface in the one of the instance's zone, attaches it with device index 1, to
be deleted with the instance. It switches the source/destination check off, which a launch template cannot. An event may
come twice or after a failure: what is there already is taken. What failed leaves no interface behind, and each call
also removes those of instances that are gone.
"""
import json
import os
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PATIENT = Config(retries={"mode": "standard", "max_attempts": 8})
TAG, OF = "vxlan-pipeline-stack", "vxlan-pipeline-instance"
SETTLE, SOON = float(os.environ.get("SETTLE", "2")), {"Delay": 2, "MaxAttempts": 20}
ec2 = boto3.client("ec2", config=PATIENT)
autoscaling = boto3.client("autoscaling", config=PATIENT)


class Refused(Exception):
    """Why the instance cannot become an appliance, in a sentence."""


def pages(call, key, **arguments):
    for page in ec2.get_paginator(call).paginate(**arguments):
        yield from page[key]


def instance_of(name):
    for reservation in ec2.describe_instances(InstanceIds=[name])["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] in ("pending", "running"):
                return instance
    raise Refused(f"{name} is not running any more")


def forward_subnet(zone):
    names = [name for name in os.environ["FORWARD_SUBNETS"].split(",") if name]
    for subnet in ec2.describe_subnets(SubnetIds=names)["Subnets"]:
        if subnet["AvailabilityZone"] == zone:
            return subnet["SubnetId"]
    raise Refused(f"no subnet of ForwardSubnets is in {zone}, where ListenSubnets has one: {', '.join(names)}")


def ours(**values):
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in values.items()]
    return [i for i in pages("describe_network_interfaces", "NetworkInterfaces", Filters=filters)
            if i["Status"] in ("available", "pending")]


def make(instance):
    """A second interface that waits to be attached: the one of an earlier try, or a new one."""
    name = instance["InstanceId"]
    tags = {TAG: os.environ["STACK"], OF: name}
    subnet = forward_subnet(instance["Placement"]["AvailabilityZone"])
    found = ours(**tags)
    if found:
        return found[0]["NetworkInterfaceId"]
    tags["Name"] = f"{os.environ['STACK']} forward"
    return ec2.create_network_interface(
        SubnetId=subnet, Groups=[os.environ["FORWARD_GROUP"]], Description=f"forward interface of {name}",
        ClientToken=f"forward-{name}", TagSpecifications=[{
            "ResourceType": "network-interface",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}],
    )["NetworkInterface"]["NetworkInterfaceId"]


def attached(instance):
    """The interface with device index 1 and the id of its attachment, if there is one."""
    for interface in instance["NetworkInterfaces"]:
        if interface["Attachment"]["DeviceIndex"] == 1:
            return interface["NetworkInterfaceId"], interface["Attachment"]["AttachmentId"]
    return None


def second(instance):
    """The same, made if there is none. Of two events at once, both make one, and the later finds it attached."""
    name = instance["InstanceId"]
    if attached(instance):
        return attached(instance)
    interface = make(instance)
    try:
        # The hook may begin while the instance is pending, when EC2 attaches nothing.
        ec2.get_waiter("instance_running").wait(InstanceIds=[name], WaiterConfig=SOON)
        ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface], WaiterConfig=SOON)
        made = ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=name, DeviceIndex=1)
        return interface, made["AttachmentId"]
    except (ClientError, BotoCoreError):
        # What another event attaches meanwhile shows after a moment.
        for _ in range(5):
            found = attached(instance_of(name))
            if found:
                return found
            time.sleep(SETTLE)
        raise


def prepare(name):
    instance = instance_of(name)
    first = [i["NetworkInterfaceId"] for i in instance["NetworkInterfaces"] if i["Attachment"]["DeviceIndex"] == 0]
    interfaces = first
    if os.environ["FORWARD_SUBNETS"]:
        interface, attachment = second(instance)
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
        interfaces = first + [interface]
    for interface in interfaces:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    return interfaces


def remove_strays(but=None):
    """Deletes the interfaces that wait for an instance that is gone, and those of `but`, which failed."""
    waiting = {}
    for interface in ours(**{TAG: os.environ["STACK"]}):
        tags = {tag["Key"]: tag["Value"] for tag in interface["TagSet"]}
        if OF in tags:
            waiting.setdefault(tags[OF], []).append(interface["NetworkInterfaceId"])
    alive = set()
    if waiting:
        filters = [{"Name": "instance-id", "Values": list(waiting)},
                   {"Name": "instance-state-name", "Values": ["pending", "running"]}]
        for reservation in pages("describe_instances", "Reservations", Filters=filters):
            alive |= {instance["InstanceId"] for instance in reservation["Instances"]}
    for name, interfaces in waiting.items():
        if name == but or name not in alive:
            for interface in interfaces:
                try:
                    ec2.delete_network_interface(NetworkInterfaceId=interface)
                    print(f"{interface}: deleted, as {name} does not use it")
                except ClientError as error:
                    # Of two calls at once, the later finds it deleted, or in use.
                    if not error.response["Error"]["Code"].startswith("InvalidNetworkInterface"):
                        raise


def complete(detail, result):
    try:
        autoscaling.complete_lifecycle_action(
            AutoScalingGroupName=detail["AutoScalingGroupName"], LifecycleHookName=detail["LifecycleHookName"],
            InstanceId=detail["EC2InstanceId"], LifecycleActionResult=result)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        print(f"nobody waits for {result} any more: {error}")


def tell_stack(name, reason):
    """Has a stack that is being created fail with the reason; a later one listens no more."""
    body = json.dumps({"Status": "FAILURE", "Reason": reason, "UniqueId": name, "Data": name}).encode()
    request = urllib.request.Request(os.environ["WAIT_URL"], body, {"Content-Type": ""}, method="PUT")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError) as error:
        print(f"nobody waits for the signal: {error}")


def launch(detail):
    name = detail["EC2InstanceId"]
    try:
        interfaces = prepare(name)
    except (Refused, ClientError, BotoCoreError) as error:
        reason = f"{name}: abandoned: {error}"
        print(reason)
        tell_stack(name, reason)
        complete(detail, "ABANDON")
        time.sleep(SETTLE)
        remove_strays(but=name)
        return {"abandoned": reason}
    print(f"{name}: {', '.join(interfaces)} ready")
    complete(detail, "CONTINUE")
    remove_strays()
    return {"interfaces": interfaces}


def handler(event, _context):
    event = event if isinstance(event, dict) else {}
    detail = event.get("detail") if isinstance(event.get("detail"), dict) else {}
    wanted = {"AutoScalingGroupName": os.environ["STACK"], "LifecycleHookName": "interface"}
    if detail.get("EC2InstanceId") and all(detail.get(key) == value for key, value in wanted.items()):
        return launch(detail)
    remove_strays()
    return {"ignored": event.get("detail-type")}
