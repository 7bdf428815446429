# SPDX-License-Identifier: GPL-2.0-only
"""Network interfaces of launch templates, and who may reach them."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

TEMPLATE, ASG = "AWS::EC2::LaunchTemplate", "AWS::AutoScaling::AutoScalingGroup"
SECURITY, MIRROR = "AWS::EC2::SecurityGroup", "AWS::EC2::TrafficMirrorTarget"
ANYWHERE = ("0.0.0.0/0", "::/0")


def interfaces(view):
    """Name, path and possible elements of NetworkInterfaces of each launch template."""
    for name, properties, path, given in view.resources(TEMPLATE):
        yield name, list(view.items(properties, path, "LaunchTemplateData", "NetworkInterfaces", given=given))


def templates_of_groups(view):
    """Launch templates of the template that groups use."""
    for _, properties, path, given in view.resources(ASG):
        for keys in (("LaunchTemplate",), ("MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification")):
            for key in ("LaunchTemplateId", "LaunchTemplateName"):
                for found in view.get(properties, path, *keys, key, given=given):
                    if found.resource:
                        yield found.resource


def pairs(view, items):
    for index, one in enumerate(items):
        for other in items[index + 1:]:
            if one.path != other.path and view.together(one.given, other.given) is not None:
                yield one, other


@_resolve.rule(9720, "The interfaces of a launch template have device indexes of their own",
               "AWS refuses the launch, hours after the stack was made if the group was empty.")
def indexes(view):
    for name, items in interfaces(view):
        for one, other in pairs(view, items):
            first, second = (next(view.get(item.value, item.path, "DeviceIndex", given=item.given)) for item in (one, other))
            cards = [next(view.get(item.value, item.path, "NetworkCardIndex", given=item.given)).text or "0" for item in (one, other)]
            if first.text == second.text and cards[0] == cards[1]:
                yield second.path, f"{name} has two interfaces with DeviceIndex {second.text or 'absent'}: say another"


@_resolve.rule(9721, "An instance with several interfaces has no public address",
               "AWS refuses AssociatePublicIpAddress if a launch template has more than one interface.")
def public(view):
    for name, items in interfaces(view):
        for one, other in pairs(view, items):
            for item in (one, other):
                for found in view.get(item.value, item.path, "AssociatePublicIpAddress", given=item.given):
                    if found.text == "true":
                        yield found.path, f"{name} has two interfaces, so AWS refuses a public address: say false, and attach an Elastic IP or use a NAT gateway"


@_resolve.rule(9722, "A group's launch template leaves subnets to the group",
               "A group launches both interfaces into one subnet of its own: one of another subnet or zone is refused, or lands elsewhere.")
def subnets(view):
    for name, items in interfaces(view):
        if name not in templates_of_groups(view):
            continue
        for item in items:
            for found in view.get(item.value, item.path, "SubnetId", given=item.given):
                if not found.absent:
                    yield found.path, (f"{name} is launched by a group, whose subnets decide: remove SubnetId, and attach an "
                                       "interface of another subnet by a function at the launch hook")


@_resolve.rule(9723, "A ready-made interface brings its groups, and is not for a group of instances",
               "AWS refuses groups and subnet beside NetworkInterfaceId; and only one instance can have it.")
def ready_made(view):
    grouped = set(templates_of_groups(view))
    for name, items in interfaces(view):
        for item in items:
            for found in view.get(item.value, item.path, "NetworkInterfaceId", given=item.given):
                if found.absent:
                    continue
                if name in grouped:
                    yield found.path, f"{name} is launched by a group, and only one instance can have {found.text or 'this interface'}: attach one by a function at the launch hook"
                for key in ("Groups", "SubnetId"):
                    if key in item.value:
                        yield item.path + [key], f"{name}: an interface that exists brings its own: remove {key}"


def admitted(view):
    """Every ingress rule: its element, inline or of its own."""
    for _, properties, path, given in view.resources("AWS::EC2::SecurityGroup"):
        yield from view.items(properties, path, "SecurityGroupIngress", given=given)
    for _, properties, path, given in view.resources("AWS::EC2::SecurityGroupIngress"):
        yield _resolve.Possible(properties, path, given)


@_resolve.rule(9724, "Nobody is let in from anywhere to what only few need",
               "SSH, the tunnel and the health page are for hosts of your own; Session Manager needs no open port.")
def anywhere(view):
    for rule in admitted(view):
        for key in ("CidrIp", "CidrIpv6"):
            for source in view.get(rule.value, rule.path, key, given=rule.given):
                if source.text not in ANYWHERE:
                    continue
                protocol = next(view.get(rule.value, rule.path, "IpProtocol", given=source.given)).text
                first, last = (next(view.get(rule.value, rule.path, end, given=source.given)).number for end in ("FromPort", "ToPort"))
                if protocol == "-1" or first in (-1, None):
                    yield source.path, f"{source.text} may send anything: say the ports, and whose they are"
                for port, what in ((22, "SSH: use Session Manager, or name your own hosts"), (4789, "VXLAN: name the mirrored hosts"),
                                   (9789, "health and metrics: name the load balancer's group")):
                    if protocol != "-1" and first is not None and first <= port <= (last or first):
                        yield source.path, f"{source.text} is admitted to {what}"


def first_groups(view, group):
    """Names of the security groups of the first interface of what a group launches; None if one is not of the template."""
    _, properties, path, given = group
    named = []
    for found in view.get(properties, path, "LaunchTemplate", "LaunchTemplateId", given=given):
        template = found.resource and view.resource(found.resource, TEMPLATE)
        if not template:
            return None
        data = (*template[1:3], "LaunchTemplateData")
        named += view.items(*data, "SecurityGroupIds", given=template[3])
        for item in view.items(*data, "NetworkInterfaces", given=template[3]):
            if next(view.get(item.value, item.path, "DeviceIndex", given=item.given)).number in (0, None):
                named += view.items(item.value, item.path, "Groups", given=item.given)
    names = {one.resource for one in named}
    return names if names and all(name and view.resource(name, SECURITY) for name in names) else None


def admits(view, names, protocol, port):
    """Whether one of these security groups may admit this."""
    for owner, rule in [(name, rule) for name, properties, path, given in view.resources(SECURITY)
                        for rule in view.items(properties, path, "SecurityGroupIngress", given=given)] + [
            (found.resource, _resolve.Possible(properties, path, given))
            for _, properties, path, given in view.resources("AWS::EC2::SecurityGroupIngress")
            for found in view.get(properties, path, "GroupId", given=given)]:
        if owner not in names:
            continue
        said, first, last = (next(view.get(rule.value, rule.path, key, given=rule.given))
                             for key in ("IpProtocol", "FromPort", "ToPort"))
        if said.text in ("-1", None) or said.text.lower() in (protocol, {"udp": "17", "tcp": "6"}[protocol]) and (
                first.number is None or first.number <= port <= (port if last.number is None else last.number)):
            return True
    return False


@_resolve.rule(9725, "The appliances admit what the load balancer sends and asks",
               "A security group drops without a sign: mirrored packets vanish, or no appliance ever becomes healthy.")
def admitted_by_appliances(view):
    for group, targets in _resolve.appliances(view):
        names = first_groups(view, group)
        for _, properties, path, given in targets if names else ():
            for protocol, key in (("udp", "Port"), ("tcp", "HealthCheckPort")):
                for port in view.get(properties, path, key, given=given):
                    if port.number is not None and not admits(view, names, protocol, port.number):
                        yield port.path, (f"{' and '.join(sorted(names))} of {group[0]} admits no {protocol} to port {port.number}: "
                                          "add an ingress rule for the load balancer's group")


@_resolve.rule(9726, "A security group beside a mirror target says what may leave",
               "Without a rule everything may, to anywhere: also what a wrong configuration sends on.")
def leaves(view):
    said = {found.resource for _, properties, path, given in view.resources("AWS::EC2::SecurityGroupEgress")
            for found in view.get(properties, path, "GroupId", given=given)}
    for name, properties, path, given in view.resources(SECURITY) if list(view.resources(MIRROR)) else ():
        for found in view.get(properties, path, "SecurityGroupEgress", given=given):
            if found.absent and name not in said:
                yield found.path, f"{name} lets everything out: say SecurityGroupEgress"
    for _, properties, path, given in view.resources(SECURITY) if list(view.resources(MIRROR)) else ():
        for rule in view.items(properties, path, "SecurityGroupEgress", given=given):
            for where in (*view.get(rule.value, rule.path, "CidrIp", given=rule.given),
                          *view.get(rule.value, rule.path, "CidrIpv6", given=rule.given)):
                for protocol in view.get(rule.value, rule.path, "IpProtocol", given=where.given):
                    if where.text in ANYWHERE and protocol.text == "-1":
                        yield where.path, f"{where.text} gets whatever is sent: name the collectors, or the ports"


@_resolve.rule(9727, "An appliance has no public address", "Mirrored traffic is private, and comes from inside.")
def no_public_address(view):
    for group, _ in _resolve.appliances(view):
        for found in view.get(*group[1:3], "LaunchTemplate", "LaunchTemplateId", given=group[3]):
            template = found.resource and view.resource(found.resource, TEMPLATE)
            for item in view.items(*template[1:3], "LaunchTemplateData", "NetworkInterfaces") if template else ():
                for public_ in view.get(item.value, item.path, "AssociatePublicIpAddress", given=item.given):
                    if public_.text == "true":
                        yield public_.path, f"{group[0]} launches appliances with public addresses: say false"
