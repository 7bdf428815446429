# SPDX-License-Identifier: GPL-2.0-only
"""Traffic Mirroring: targets, filters, sessions."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

TARGET, FILTER, RULE, SESSION = (f"AWS::EC2::TrafficMirror{kind}" for kind in ("Target", "Filter", "FilterRule", "Session"))
LISTENER, BALANCER = "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::LoadBalancer"
DESTINATIONS = ("NetworkInterfaceId", "NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId")


@_resolve.rule(9711, "A mirror target has exactly one destination",
               "AWS refuses none and more than one when the target is made.")
def one_destination(view):
    for name, properties, path, given in view.resources(TARGET):
        supposed = [(given, [])]
        for key in DESTINATIONS:
            supposed = [(union, named + [key] * (not found.absent)) for before, named in supposed
                        for found in view.get(properties, path, key, given=before)
                        if (union := view.together(before, found.given)) is not None]
        for _, named in supposed:
            if len(named) != 1:
                yield (path + [named[1]] if len(named) > 1 else path), (
                    f"{name} has {len(named)} destinations{': ' + ', '.join(named) if named else ''}; say one of {', '.join(DESTINATIONS)}")


@_resolve.rule(9712, "A mirror target waits for its listener",
               "A target that is made first, or deleted last, is one without a listener: mirroring fails without a sign.")
def waits(view):
    for name, properties, path, given in view.resources(TARGET):
        for found in view.get(properties, path, "NetworkLoadBalancerArn", given=given):
            if not found.resource or not view.resource(found.resource, BALANCER):
                continue
            listeners = {one for one, values, at, supposed in view.resources(LISTENER)
                         for arn in view.get(values, at, "LoadBalancerArn", given=supposed) if arn.resource == found.resource}
            wanted = view.cfn.template["Resources"][name].get("DependsOn") or []
            if listeners and not listeners & set([wanted] if isinstance(wanted, str) else wanted):
                yield path[:2], f"{name} may be made before its listener: say DependsOn: {sorted(listeners)[0]}"


@_resolve.rule(9713, "A mirror filter has one to ten rules, of different numbers",
               "Without a rule nothing is mirrored; AWS refuses the eleventh, and a number that is taken.")
def filter_rules(view):
    rules = {}
    for name, properties, path, given in view.resources(RULE):
        for found in view.get(properties, path, "TrafficMirrorFilterId", given=given):
            if found.resource:
                rules.setdefault(found.resource, []).append((name, properties, path, found.given))
    for name, properties, path, _ in view.resources(FILTER):
        mine = rules.get(name, [])
        if not mine and "NetworkServices" not in properties:
            yield path, f"{name} has no rule, and mirrors nothing: add a TrafficMirrorFilterRule"
        together, count = {}, 0
        for _, _, at, given in mine:
            union = view.together(together, given)
            if union is not None:
                together, count = union, count + 1
            if count == 11:
                yield at, f"{name} has more than ten rules: AWS refuses the eleventh; unite some"
                break
        taken = {}
        for one, values, at, given in mine:
            for direction in view.get(values, at, "TrafficDirection", given=given):
                for number in view.get(values, at, "RuleNumber", given=direction.given):
                    other = taken.setdefault((direction.text, number.text), (one, number.given))
                    if other[0] != one and number.text and view.together(other[1], number.given) is not None:
                        yield number.path, f"{other[0]} has number {number.text} for {direction.text} too: AWS refuses the second; say another"


@_resolve.rule(9714, "A mirror filter rule with ports has a protocol that has ports, and a range that is one",
               "AWS refuses ports without protocol 6 or 17, and a range that ends before it begins.")
def filter_ports(view):
    for name, properties, path, given in view.resources(RULE):
        for key in ("SourcePortRange", "DestinationPortRange"):
            for ports in view.get(properties, path, key, given=given):
                if not isinstance(ports.value, dict):
                    continue
                for protocol in view.get(properties, path, "Protocol", given=ports.given):
                    # What only a condition or a parameter brings about is for the template's own Rules.
                    if set(protocol.given) <= set(ports.given) and (protocol.absent or protocol.number not in (6, 17, None)):
                        yield ports.path, f"{name}: ports need Protocol 6 or 17, which is {protocol.text or 'absent'}"
                first, last = (list(view.get(ports.value, ports.path, end))[0].number for end in ("FromPort", "ToPort"))
                if first is not None and last is not None and first > last:
                    yield ports.path, f"{name}: from {first} to {last} is no range"


def between(view, key, least, most, absent, remedy):
    for name, properties, path, given in view.resources(SESSION):
        for found in view.get(properties, path, key, given=given):
            if found.absent and absent:
                yield found.path, f"{name}: {absent}; {remedy}"
            elif found.number is not None and not least <= found.number <= most:
                yield found.path, f"{name}: {key} {found.number} is not between {least} and {most}; {remedy}"


@_resolve.rule(9715, "A mirror session's packet length is one", "AWS takes 1 to 8500 bytes, and 8500 is its default.")
def packet_length(view):
    yield from between(view, "PacketLength", 1, 8500, None, "leave it out, or say what the appliance's driver takes")


@_resolve.rule(9716, "A mirror session says its VNI",
               "AWS chooses one at random, unknown to the appliances, which drop VNIs that they do not list.")
def vni(view):
    yield from between(view, "VirtualNetworkId", 0, 16777215, "VirtualNetworkId is absent, so AWS chooses one at random",
                       "say one that the appliances accept")


@_resolve.rule(9717, "A mirror session has a number from 1 to 32766",
               "The number is also the order in which the sessions of one interface are tried.")
def session_number(view):
    yield from between(view, "SessionNumber", 1, 32766, "SessionNumber is absent", "say 1 for the first session of the interface")


@_resolve.rule(9718, "A rule that rejects comes before one that accepts",
               "What no rule accepts is not mirrored anyway, so a rejecting rule after all others keeps nothing out.")
def rejects_first(view):
    rules = {}
    for name, properties, path, given in view.resources(RULE):
        for owner in view.get(properties, path, "TrafficMirrorFilterId", given=given):
            for direction in view.get(properties, path, "TrafficDirection", given=owner.given):
                for action in view.get(properties, path, "RuleAction", given=direction.given):
                    for number in view.get(properties, path, "RuleNumber", given=action.given):
                        if owner.resource and number.number is not None:
                            rules.setdefault((owner.resource, direction.text), []).append((name, action.text, number))
    for (owner, direction), found in rules.items():
        accepts = [number.number for _, action, number in found if action != "reject"]
        for name, action, number in found:
            if action == "reject" and number.number > max(accepts, default=-1):
                yield number.path, (f"{name}: no {direction} rule of {owner} after number {number.number} accepts anything: "
                                    "say a number below that of the rule from which it takes")
