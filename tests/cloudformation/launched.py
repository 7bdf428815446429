#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Runs cloudformation/lambda/interface.py on moto's EC2 and Auto Scaling, for test_interface.py: prints a JSON object, what
became of each case.
"""
import importlib.util
import io
import json
import os
import sys
from contextlib import redirect_stdout

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.ec2.models import ec2_backends

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTION = os.path.join(HERE, "..", "..", "cloudformation", "lambda", "interface.py")
STACK, ZONES = "mirror", ("eu-west-1a", "eu-west-1b")
IMAGE = "ami-12c6146b"
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", AWS_DEFAULT_REGION="eu-west-1", STACK=STACK,
                  WAIT_URL="http://127.0.0.1:1/", SETTLE="0")


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


def refusal(code, status=400):
    """An answer of EC2's that refuses."""
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{code}</Message></Error></Errors></Response>"
    return lambda request, **_: AWSResponse(request.url, status, {}, Raw(body.encode()))


class Case:
    """A VPC, an instance that the group launches, and the function."""

    def __init__(self, zone=0, forward=(0, 1)):
        self.ec2 = boto3.client("ec2")
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=ZONES[n % 2])["Subnet"]["SubnetId"]
                   for n in range(4)]
        self.subnets = subnets[2:]
        os.environ["FORWARD_SUBNETS"] = ",".join(subnets[2 + n] for n in forward)
        os.environ["FORWARD_GROUP"] = self.ec2.create_security_group(
            GroupName="forward", Description="x", VpcId=vpc)["GroupId"]
        self.instance = self.launch(subnets[zone])
        spec = importlib.util.spec_from_file_location("interface", FUNCTION)
        self.function = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.function)
        self.completed = []
        self.function.autoscaling = self
        self.said = io.StringIO()

    def complete_lifecycle_action(self, **about):  # moto has none
        self.completed.append(about["LifecycleActionResult"])

    def launch(self, subnet):
        return self.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]

    def deny(self, call):
        def handler(model, **_):
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, model.name)
        self.function.ec2.meta.events.register(f"before-call.ec2.{call}", handler)

    def lose(self, call, answers):
        """The next calls are carried out, and answered so."""
        answers = iter(answers)
        self.function.ec2.meta.events.register_first(
            f"before-send.ec2.{call}", lambda request, **_: (lambda answer: answer and answer(request))(next(answers, None)))

    def call(self, event=None, **detail):
        if event is None:
            event = {"detail-type": "EC2 Instance-launch Lifecycle Action", "detail": {
                "AutoScalingGroupName": STACK, "LifecycleHookName": "interface", "EC2InstanceId": self.instance, **detail}}
        with redirect_stdout(self.said):
            try:
                return self.function.handler(event, None)
            except Exception as error:  # pylint: disable=broad-except
                return {"raised": str(error)}

    def about(self, result):
        interfaces = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        mine = sorted((i for i in interfaces if i.get("Attachment", {}).get("InstanceId") == self.instance),
                      key=lambda i: i["Attachment"]["DeviceIndex"])
        return {"result": result, "completed": self.completed, "said": self.said.getvalue(),
                "checks": [i["SourceDestCheck"] for i in mine], "indexes": [i["Attachment"]["DeviceIndex"] for i in mine],
                "subnet": self.subnets.index(mine[1]["SubnetId"]) if len(mine) > 1 else None,
                "waiting": sum(i["Status"] == "available" for i in interfaces)}


def twice():
    case = Case()
    case.call()
    return case.about(case.call())


def left_over():
    """An earlier try has made the interface, and was ended."""
    case = Case()
    case.function.make(case.function.instance_of(case.instance))
    return case.about(case.call())


def lost(call, *answers):
    case = Case()
    case.lose(call, answers)
    return case.about(case.call())


def denied(call):
    case = Case()
    case.deny(call)
    return case.about(case.call())


def strays():
    """An interface of an instance that is gone, of another stack, and of an instance that waits for its own."""
    case = Case()
    gone, waits = case.launch(case.subnets[0]), case.launch(case.subnets[0])
    for name, stack in ((gone, STACK), (gone, "other"), (waits, STACK)):
        os.environ["STACK"] = stack
        case.function.make(case.function.instance_of(name) | {"InstanceId": name if stack == STACK else "i-0"})
    os.environ["STACK"] = STACK
    case.ec2.terminate_instances(InstanceIds=[gone])
    return case.about(case.call({"detail-type": "EC2 Instance Terminate Successful", "detail": {
        "AutoScalingGroupName": STACK, "EC2InstanceId": gone}}))


def pending():
    """EC2 attaches nothing to an instance that is pending, as it is at the first three looks."""
    case = Case()
    instance = ec2_backends[ACCOUNT_ID]["eu-west-1"].get_instance(case.instance)
    looks = iter(("pending",) * 3)

    def look(**_):
        instance._state.name = next(looks, "running")  # pylint: disable=protected-access

    def attach(model, **_):
        if instance._state.name != "running":  # pylint: disable=protected-access
            raise ClientError({"Error": {"Code": "IncorrectState", "Message": "pending"}}, model.name)
    events = case.function.ec2.meta.events
    events.register("before-call.ec2.DescribeInstances", look)
    events.register("before-call.ec2.AttachNetworkInterface", attach)
    return case.about(case.call())


def seen_late():
    """Another event has attached the interface, which this one sees after two looks."""
    case = Case()
    really, looks = case.function.attached, iter((None,) * 3)
    case.function.attached = lambda instance: next(looks, really(instance))
    case.lose("AttachNetworkInterface", [refusal("InvalidParameterValue")])
    return case.about(case.call())


def deleted_by_another():
    """Another event deletes the stray meanwhile."""
    case = Case()
    gone = case.launch(case.subnets[0])
    case.function.make(case.function.instance_of(gone))
    case.ec2.terminate_instances(InstanceIds=[gone])
    case.lose("DeleteNetworkInterface", [refusal("InvalidNetworkInterfaceID.NotFound")])
    return case.about(case.call())


def simple(**arguments):
    case = Case(**arguments)
    return case.about(case.call())


def other_events():
    """What is not for this function, and what is no event."""
    case = Case()
    launch = {"AutoScalingGroupName": STACK, "LifecycleHookName": "interface", "EC2InstanceId": case.instance}
    events = [{"detail": launch | more} for more in ({"LifecycleHookName": "ready"}, {"AutoScalingGroupName": "x"},
                                                     {"EC2InstanceId": ""}, {"EC2InstanceId": None})]
    results = [case.call(event) for event in events + [{}, [], "x", 7, {"detail": None}, {"detail": 7}, {"detail": "x"}]]
    return case.about(results)


CASES = {
    "two interfaces": simple, "in the other zone": lambda: simple(zone=1), "one interface": lambda: simple(forward=()),
    "no subnet in the zone": lambda: simple(zone=1, forward=(0,)), "twice": twice, "left over": left_over, "strays": strays,
    "throttled": lambda: lost("ModifyNetworkInterfaceAttribute", *[refusal("RequestLimitExceeded", 503)] * 2),
    "attached, and not told so": lambda: lost("AttachNetworkInterface", refusal("InternalError", 400)),
    "no right to make": lambda: denied("CreateNetworkInterface"),
    "no right to attach": lambda: denied("AttachNetworkInterface"),
    "no right to switch the check off": lambda: denied("ModifyNetworkInterfaceAttribute"),
    "other events": other_events, "pending": pending, "seen late": seen_late, "deleted by another": deleted_by_another,
}


def main():
    found = {}
    for name, case in CASES.items():
        with mock_aws():
            found[name] = case()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
