# SPDX-License-Identifier: GPL-2.0-only
"""
Traffic mirroring for moto, which has targets and filters alone: sessions and the rules of filters, with
AWS's refusals. Imported by cloud_server.py.
"""

import re

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends, traffic_mirrors
from moto.ec2.responses.traffic_mirrors import TrafficMirrors
from moto.moto_api._internal import mock_random

import cloud_models

OF_AN_INTERFACE, OF_A_FILTER, NUMBERS, LENGTHS = 3, 10, 32766, 8500
NO_SOURCES = re.compile(r"(c6i|c7\w*|m6i|m7\w*|r6i|r7\w*|t2)\.|.*\.metal")
FIELDS = ("NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId", "PacketLength",
          "SessionNumber", "VirtualNetworkId", "Description")
RULE_FIELDS = ("TrafficMirrorFilterId", "TrafficDirection", "RuleNumber", "RuleAction", "Protocol",
               "DestinationPortRange", "SourcePortRange", "DestinationCidrBlock",
               "SourceCidrBlock", "Description")
FILTERS = {"network-interface-id": "NetworkInterfaceId", "session-number": "SessionNumber",
           "traffic-mirror-target-id": "TrafficMirrorTargetId",
           "traffic-mirror-session-id": "TrafficMirrorSessionId"}


class Region:
    """Sessions and rules of a region. `quota`: sessions of an account."""

    quota = 10000

    def __init__(self):
        self.sessions, self.rules, self.tokens = {}, {}, {}


regions: dict = {}


def of(backend):
    return regions.setdefault((backend.account_id, backend.region_name), Region())


def refuse(code, text):
    raise EC2ClientError(code, text)


def new_id(prefix):
    return f"{prefix}-{mock_random.get_random_hex(17)}"


def tags_of(specifications, kind):
    return [tag for one in specifications or [] if one.get("ResourceType", kind) == kind
            for tag in one.get("Tags") or one.get("Tag") or []]


def check_session(backend, wanted, present):
    interface = backend.enis.get(wanted["NetworkInterfaceId"])
    if interface is None:
        refuse("InvalidNetworkInterfaceID.NotFound",
               f"The networkInterface ID '{wanted['NetworkInterfaceId']}' does not exist")
    for key, known in (("TrafficMirrorTargetId", backend.traffic_mirror_targets),
                       ("TrafficMirrorFilterId", backend.traffic_mirror_filters)):
        if wanted[key] not in known:
            refuse(f"Invalid{key}.NotFound", f"{wanted[key]} does not exist")
    kind = getattr(interface.instance, "instance_type", "")
    if NO_SOURCES.match(kind):
        refuse("NetworkInterfaceNotSupported",
               f"{wanted['NetworkInterfaceId']} is attached to a {kind}, which cannot be a source")
    others = [one for one in present if one["NetworkInterfaceId"] == wanted["NetworkInterfaceId"]]
    if any(one["SessionNumber"] == wanted["SessionNumber"] for one in others):
        refuse("InvalidParameterValue", f"session number {wanted['SessionNumber']} is in use")
    if len(others) >= OF_AN_INTERFACE:
        refuse("TrafficMirrorSessionsPerInterfaceLimitExceeded",
               f"{wanted['NetworkInterfaceId']} has {len(others)} sessions")
    for key, low, high in (("SessionNumber", 1, NUMBERS), ("PacketLength", 1, LENGTHS),
                           ("VirtualNetworkId", 0, 2**24 - 1)):
        if not low <= wanted.get(key, low) <= high:
            refuse("InvalidParameterValue", f"{key} {wanted[key]} is not in {low}..{high}")


def create_session(backend, asked):
    region = of(backend)
    token = asked.pop("ClientToken", None)
    if token in region.tokens:
        return region.tokens[token]
    wanted = {key: int(asked[key]) if key in ("PacketLength", "SessionNumber", "VirtualNetworkId")
              else asked[key] for key in FIELDS if asked.get(key) is not None}
    check_session(backend, wanted, region.sessions.values())
    if len(region.sessions) >= region.quota:
        refuse("TrafficMirrorSessionLimitExceeded", f"the account has {region.quota} sessions")
    session = {"VirtualNetworkId": mock_random.randint(0, 2**24 - 1), "PacketLength": LENGTHS,
               **wanted, "OwnerId": backend.account_id,
               "TrafficMirrorSessionId": new_id("tms"),
               "Tags": tags_of(asked.get("TagSpecifications"), "traffic-mirror-session")}
    region.sessions[session["TrafficMirrorSessionId"]] = session
    region.tokens[token or object()] = session
    return session


def create_rule(backend, asked):
    region = of(backend)
    if asked["TrafficMirrorFilterId"] not in backend.traffic_mirror_filters:
        refuse("InvalidTrafficMirrorFilterId.NotFound", asked["TrafficMirrorFilterId"])
    present = [rule for rule in region.rules.values()
               if all(rule[key] == asked[key] for key in ("TrafficMirrorFilterId",
                                                          "TrafficDirection"))]
    if len(present) >= OF_A_FILTER:
        refuse("TrafficMirrorFilterRulesPerFilterLimitExceeded", "a filter takes ten rules")
    if any(rule["RuleNumber"] == int(asked["RuleNumber"]) for rule in present):
        refuse("InvalidParameterValue", f"rule number {asked['RuleNumber']} is in use")
    rule = {key: asked[key] for key in RULE_FIELDS if asked.get(key) is not None}
    rule.update(RuleNumber=int(asked["RuleNumber"]), TrafficMirrorFilterRuleId=new_id("tmfr"))
    region.rules[rule["TrafficMirrorFilterRuleId"]] = rule
    return rule


def matches(session, one):
    name, values = one["Name"], [str(value) for value in one["Values"]]
    if name == "tag-key":
        return any(tag["Key"] in values for tag in session["Tags"])
    if name.startswith("tag:"):
        return any(tag["Key"] == name[4:] and tag["Value"] in values for tag in session["Tags"])
    return str(session[FILTERS[name]]) in values


class Calls:
    """Methods for TrafficMirrors, the class that answers such calls."""

    def create_traffic_mirror_session(self):
        asked = {key: self._get_param(key)
                 for key in (*FIELDS, "TagSpecifications", "ClientToken")}
        return ActionResult({"TrafficMirrorSession": create_session(self.ec2_backend, asked)})

    def describe_traffic_mirror_sessions(self):
        sessions = list(of(self.ec2_backend).sessions.values())
        wanted = self._get_param("TrafficMirrorSessionIds")
        if wanted:
            for identifier in wanted:
                self._session(identifier)
            sessions = [one for one in sessions if one["TrafficMirrorSessionId"] in wanted]
        for one in self._get_param("Filters") or []:
            sessions = [session for session in sessions if matches(session, one)]
        start = int(self._get_param("NextToken") or 0)
        end = start + int(self._get_param("MaxResults") or 1000)
        more = {"NextToken": str(end)} if end < len(sessions) else {}
        return ActionResult({"TrafficMirrorSessions": sessions[start:end], **more})

    def modify_traffic_mirror_session(self):
        session = self._session(self._get_param("TrafficMirrorSessionId"))
        for key in FIELDS[1:]:
            value = self._get_param(key)
            if value is not None:
                session[key] = type(session.get(key, value))(value)
        if "packet-length" in (self._get_param("RemoveFields") or []):
            session["PacketLength"] = LENGTHS
        return ActionResult({"TrafficMirrorSession": session})

    def delete_traffic_mirror_session(self):
        session = self._session(self._get_param("TrafficMirrorSessionId"))
        del of(self.ec2_backend).sessions[session["TrafficMirrorSessionId"]]
        return ActionResult({"TrafficMirrorSessionId": session["TrafficMirrorSessionId"]})

    def create_traffic_mirror_filter_rule(self):
        asked = {key: self._get_param(key) for key in RULE_FIELDS}
        return ActionResult({"TrafficMirrorFilterRule": create_rule(self.ec2_backend, asked)})

    def describe_traffic_mirror_filter_rules(self):
        return ActionResult({
            "TrafficMirrorFilterRules": list(of(self.ec2_backend).rules.values())})

    def _session(self, identifier):
        sessions = of(self.ec2_backend).sessions
        if identifier not in sessions:
            refuse("InvalidTrafficMirrorSessionId.NotFound", f"{identifier} does not exist")
        return sessions[identifier]


# moto's own ids look like none of AWS's.
traffic_mirrors.random_traffic_mirror_target_id = lambda: new_id("tmt")
traffic_mirrors.random_traffic_mirror_filter_id = lambda: new_id("tmf")
for name, method in vars(Calls).items():
    if not name.startswith("__"):
        setattr(TrafficMirrors, name, method)


def backend_of(account, region):
    return ec2_backends[account][region]


def create_target(properties, account, region, _):
    return backend_of(account, region).create_traffic_mirror_target(
        properties.get("NetworkInterfaceId"), properties.get("NetworkLoadBalancerArn"),
        properties.get("Description"), None, None,
        properties.get("GatewayLoadBalancerEndpointId")).id


def remove_target(identifier, account, region):
    """AWS refuses to remove what sessions need."""
    backend = backend_of(account, region)
    used = [one["TrafficMirrorSessionId"] for one in of(backend).sessions.values()
            if identifier in (one["TrafficMirrorTargetId"], one["TrafficMirrorFilterId"])]
    if used:
        refuse("TrafficMirrorTargetInUse", f"{identifier} is used by {', '.join(used)}")
    backend.traffic_mirror_targets.pop(identifier, None)
    backend.traffic_mirror_filters.pop(identifier, None)


cloud_models.add("AWS::EC2::TrafficMirrorTarget", create_target, remove_target)
cloud_models.add(
    "AWS::EC2::TrafficMirrorFilter",
    lambda properties, account, region, _: backend_of(account, region).create_traffic_mirror_filter(
        properties.get("Description"), None, None).id, remove_target)
cloud_models.add(
    "AWS::EC2::TrafficMirrorFilterRule",
    lambda properties, account, region, _: create_rule(
        backend_of(account, region), properties)["TrafficMirrorFilterRuleId"],
    lambda identifier, account, region: of(backend_of(account, region)).rules.pop(identifier, None))
cloud_models.add(
    "AWS::EC2::TrafficMirrorSession",
    lambda properties, account, region, _: create_session(
        backend_of(account, region), properties)["TrafficMirrorSessionId"],
    lambda identifier, account, region: of(backend_of(account, region)).sessions.pop(
        identifier, None))


def set_quota(count):
    Region.quota = count


def reset():
    regions.clear()
    Region.quota = 10000
