# SPDX-License-Identifier: GPL-2.0-only
"""
Keeps mirror sessions true: every running instance with the tag is mirrored at all of its interfaces,
and no session of this stack is left over. A session is this stack's if its tag says so; others are
never touched. Events may come twice, together and in any order: an interface takes a session number
once, so that of two creations the second is refused.
"""
import json
import os
import re
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MARK = "vxlan-pipeline:sessions"
APPLIANCE = "vxlan-pipeline-stack"  # the tag of instances that mirrors lead to
NUMBERS, SESSIONS_OF_AN_INTERFACE, WHOLE = 32766, 3, 8500
MARGIN_MS, AGAIN_SECONDS, PATIENCE = 20000, 3600, 10
SETTLE = float(os.environ.get("SETTLE", "5"))
BUSY = ("RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException",
        "InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable")
DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
# What this process was refused, and when; and what it has told. A process lives for hours.
refused_at, told, passed_over = {}, {}, set()
ec2 = boto3.client("ec2", config=Config(retries={"mode": "standard", "total_max_attempts": 6}))


class Stop(Exception):
    """Nothing more can be done now; the next pass goes on."""


class OutOfTime(Stop):
    """What was done so far is good, and there is more."""


def call(method, **arguments):
    """Calls EC2, which is asked six times if it is busy; tells a refusal (ClientError) from Stop."""
    try:
        return getattr(ec2, method)(**arguments)
    except ClientError as error:
        raise judged(error) from None


def judged(error):
    code, text = (error.response["Error"].get(name, "") for name in ("Code", "Message"))
    if code in DENIED:
        return Stop(f"the function's role lacks the right ec2:{error.operation_name}: "
                    f"{text.split('Encoded')[0].strip()}")
    return Stop(f"EC2 is busy: {error.operation_name}: {code}") if code in BUSY else error


def pages(method, key, **arguments):
    try:
        for page in ec2.get_paginator(method).paginate(PaginationConfig={"PageSize": 500},
                                                       **arguments):
            yield from page[key]
    except ClientError as error:
        error = judged(error)
        raise error if isinstance(error, Stop) else Stop(str(error)) from None


def tags(thing):
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", ())}


def is_ours(session):
    return tags(session).get(MARK) == os.environ["STACK"]


def list_sessions(**arguments):
    """{interface: its sessions}"""
    found = {}
    for session in pages("describe_traffic_mirror_sessions", "TrafficMirrorSessions", **arguments):
        found.setdefault(session["NetworkInterfaceId"], []).append(session)
    return found


def target_of(zone):
    """TARGETS is one target, or ZONE=TARGET,... where mirrors stay inside their zone."""
    targets = dict(word.strip().rpartition("=")[::2] for word in os.environ["TARGETS"].split(","))
    return targets.get(zone) or targets.get("")


def list_wanted(instance=None):
    """{interface: (its instance, the session that it should have, or None without a target)}"""
    key, value = os.environ["TAG_KEY"], os.environ["TAG_VALUE"]
    filters = [{"Name": "instance-state-name", "Values": ["running"]},
               {"Name": f"tag:{key}", "Values": [value]} if value else
               {"Name": "tag-key", "Values": [key]}]
    if instance:
        filters.append({"Name": "instance-id", "Values": [instance]})
    wanted = {}
    for reservation in pages("describe_instances", "Reservations", Filters=filters):
        for found in reservation["Instances"]:
            # Mirrors of mirrors would never end. Who may tag can hide an instance so: it is told.
            if APPLIANCE in tags(found):
                if found["InstanceId"] not in passed_over:
                    print(f"{found['InstanceId']}: an appliance by its tag {APPLIANCE}, "
                          "and not mirrored")
                passed_over.add(found["InstanceId"])
                continue
            target = target_of(found["Placement"]["AvailabilityZone"])
            for interface in found["NetworkInterfaces"]:
                wanted[interface["NetworkInterfaceId"]] = found, target and {
                    "TrafficMirrorTargetId": target,
                    "TrafficMirrorFilterId": os.environ["FILTER"],
                    "VirtualNetworkId": int(os.environ["VNI"]),
                    "PacketLength": int(os.environ["PACKET_LENGTH"]) or WHOLE}
    return wanted


class Pass:
    def __init__(self, context):
        self.context, self.refusals, self.hopeless, self.in_a_row = context, {}, {}, {}
        self.counts = dict.fromkeys(("Created", "Changed", "Removed", "Mirrored", "Wanted"), 0)

    def in_time(self):
        if self.context and self.context.get_remaining_time_in_millis() < MARGIN_MS:
            raise OutOfTime("the time of this pass is over")

    def refuse(self, reason, what):
        self.refusals.setdefault(reason, set()).add(what)

    def remove(self, session):
        self.in_time()
        try:
            call("delete_traffic_mirror_session",
                 TrafficMirrorSessionId=session["TrafficMirrorSessionId"])
            self.counts["Removed"] += 1
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                self.refuse(said(error), session["TrafficMirrorSessionId"])

    def amend(self, session, wanted):
        """Changes the session in place, so that mirroring does not pause."""
        changes = {key: value for key, value in wanted.items()
                   if session.get(key, WHOLE if key == "PacketLength" else None) != value}
        if not changes:
            return
        self.in_time()
        if changes.get("PacketLength") == WHOLE:
            del changes["PacketLength"]
            changes["RemoveFields"] = ["packet-length"]
        try:
            call("modify_traffic_mirror_session",
                 TrafficMirrorSessionId=session["TrafficMirrorSessionId"], **changes)
            self.counts["Changed"] += 1
        except ClientError as error:
            self.refuse(said(error), session["TrafficMirrorSessionId"])

    def create(self, interface, instance, wanted, present):
        """True: the interface has a session of ours now. `present`: all that it had."""
        kinds = instance["InstanceType"], wanted["TrafficMirrorTargetId"]
        if kinds[0] in self.hopeless:
            refused_at.setdefault(interface, (time.time(), self.hopeless[kinds[0]]))
        at, reason = refused_at.get(interface, (0, None))
        if time.time() - at > AGAIN_SECONDS:
            refused_at.pop(interface, None)
            reason = self.hopeless.get(kinds[1])
        while not reason and len(present) < SESSIONS_OF_AN_INTERFACE:
            self.in_time()
            try:
                create_session(interface, instance, wanted, present)
                self.in_a_row.clear()
                self.counts["Created"] += 1
                return True
            except ClientError as error:
                # Somebody may have taken the number meanwhile.
                now = list_sessions(Filters=[{"Name": "network-interface-id",
                                              "Values": [interface]}]).get(interface, [])
                if any(map(is_ours, now)):
                    return True
                if len(now) == len(present):
                    reason = self.note(error, interface, *kinds)
                present = now
        self.refuse(reason or f"{SESSIONS_OF_AN_INTERFACE} sessions of others are there", interface)
        return False

    def note(self, error, interface, kind, target):
        """Remembers what need not be tried again: all interfaces of a type, or a full target."""
        code, reason = error.response["Error"]["Code"], said(error)
        self.in_a_row[code] = self.in_a_row.get(code, 0) + 1
        if re.search("NotSupported|Unsupported", code):
            reason = f"{kind} cannot be a source: {code}"
            self.hopeless[kind] = reason
        elif "LimitExceeded" in code or self.in_a_row[code] >= PATIENCE:
            self.hopeless[target] = reason
        # Of an interface that is not ready yet, or is gone, the next pass knows more.
        if not re.match("InvalidNetworkInterface|Incorrect", code):
            refused_at[interface] = time.time(), reason
        return reason

    def go(self, instance=None):
        """One instance, whose sessions are created only; or everything."""
        if instance:
            wanted = list_wanted(instance)
            sessions = wanted and list_sessions(
                Filters=[{"Name": "network-interface-id", "Values": list(wanted)}])
        else:
            # In this order: what another pass creates meanwhile is not taken for left over.
            sessions = list_sessions()
            wanted = list_wanted()
        self.counts["Wanted"] = len(wanted)
        ours = {interface: sorted(filter(is_ours, found), key=lambda one: one["SessionNumber"])
                for interface, found in sessions.items()}
        for interface, found in ours.items() if not instance else ():
            keep = 1 if wanted.get(interface, (0, None))[1] else 0
            for session in found[keep:]:
                self.remove(session)
        for interface, (source, session) in wanted.items():
            if not session:
                zone = source["Placement"]["AvailabilityZone"]
                self.refuse(f"no target is given for {zone}", interface)
            elif ours.get(interface):
                self.counts["Mirrored"] += 1
                self.amend(ours[interface][0], session)
            elif self.create(interface, source, session, sessions.get(interface, [])):
                self.counts["Mirrored"] += 1

    def report(self, instance, stopped):
        """Says once what cannot be mirrored; the metric says it as long as it lasts."""
        for reason, things in self.refusals.items():
            news = sorted(things - told.get(reason, set()))
            if news:
                more = f" and {len(news) - 10} more" if len(news) > 10 else ""
                print(f"not mirrored: {reason}: {', '.join(news[:10])}{more}")
            told.setdefault(reason, set()).update(things)
        if not instance:
            for reason in set(told) - (set() if stopped else set(self.refusals)):
                del told[reason]
        metrics = {**self.counts, "Refused": sum(map(len, self.refusals.values()))}
        if not instance and not stopped:
            metrics["NotMirrored"] = metrics["Wanted"] - metrics["Mirrored"]
        print(json.dumps({
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{
                "Namespace": "vxlan-pipeline", "Dimensions": [["Stack"]],
                "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics]}]},
            "Stack": os.environ["STACK"], **metrics}))
        return metrics


def create_session(interface, instance, wanted, present):
    taken, first = {one["SessionNumber"] for one in present}, int(os.environ["SESSION_NUMBER"])
    number = next(n for n in (*range(first, NUMBERS + 1), *range(1, first)) if n not in taken)
    length = {} if wanted["PacketLength"] == WHOLE else {"PacketLength": wanted["PacketLength"]}
    call("create_traffic_mirror_session", NetworkInterfaceId=interface, SessionNumber=number,
         Description=f"{instance['InstanceId']}, kept by {os.environ['STACK']}",
         TagSpecifications=[{"ResourceType": "traffic-mirror-session", "Tags": [
             {"Key": MARK, "Value": os.environ["STACK"]}]}],
         **{key: value for key, value in wanted.items() if key != "PacketLength"}, **length)


def said(error):
    """What EC2 said, without the identifiers, so that it is the same for all that it befalls."""
    text = re.sub(r"\b(eni|tms)-[0-9a-f]+", r"\1-…", error.response["Error"].get("Message", ""))
    return f"{error.response['Error']['Code']}: {text}"


def remove_all(work):
    """Until there is none, as a pass that began before may still make some."""
    while left := list(filter(is_ours, sum(list_sessions().values(), []))):
        for session in left:
            work.remove(session)
        if work.refusals:
            return
        time.sleep(SETTLE)


def run(context, instance=None, removal=False):
    work, stopped = Pass(context), True
    try:
        if removal:
            remove_all(work)
        else:
            work.go(instance)
        stopped = False
    finally:
        metrics = work.report(instance, stopped)
    return work, metrics


def answer_stack(event, context):
    """Creation and update of the stack begin with a pass; its deletion removes all sessions."""
    status, reason = "SUCCESS", "done"
    try:
        work, metrics = run(context, removal=event.get("RequestType") == "Delete")
        if work.refusals and not metrics["Mirrored"]:
            status, reason = "FAILED", "; ".join(work.refusals)
    except OutOfTime as error:
        # Thousands of interfaces take longer than a call may. What is left at a deletion stays.
        status = "FAILED" if event.get("RequestType") == "Delete" else "SUCCESS"
        reason = str(error)
    except Exception as error:  # whatever it is, the stack must not wait an hour for an answer
        status, reason = "FAILED", str(error)
    body = {"Status": status, "Reason": reason[:1000], "PhysicalResourceId":
            f"{os.environ['STACK']}-sessions", **{key: event.get(key) for key in (
                "StackId", "RequestId", "LogicalResourceId")}}
    urllib.request.urlopen(urllib.request.Request(
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"),
        timeout=30).close()
    return body


def handler(event, context):
    """Of an event that is none of the two kinds, only its coming counts: a pass over everything."""
    event = event if isinstance(event, dict) else {}
    if event.get("ResponseURL"):
        return answer_stack(event, context)
    detail = event.get("detail")
    detail = detail if isinstance(detail, dict) else {}
    instance = str(detail.get("instance-id"))
    is_start = detail.get("state") == "running" and re.fullmatch("i-[0-9a-f]+", instance)
    return run(context, instance if is_start else None)[1]
