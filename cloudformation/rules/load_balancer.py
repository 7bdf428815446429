# SPDX-License-Identifier: GPL-2.0-only
"""Network Load Balancers as mirror targets: listener, target group, health check, attributes."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

BALANCER, LISTENER, GROUP = (f"AWS::ElasticLoadBalancingV2::{kind}" for kind in
                             ("LoadBalancer", "Listener", "TargetGroup"))
TARGET = "AWS::EC2::TrafficMirrorTarget"
UDP = ("UDP", "TCP_UDP")
BALANCER_KEYS = {"deletion_protection.enabled", "load_balancing.cross_zone.enabled", "access_logs.s3.enabled",
                 "access_logs.s3.bucket", "access_logs.s3.prefix", "ipv6.deny_all_igw_traffic",
                 "dns_record.client_routing_policy", "zonal_shift.config.enabled",
                 "secondary_ips.auto_assigned.per_subnet"}
GROUP_KEYS = {"deregistration_delay.timeout_seconds", "deregistration_delay.connection_termination.enabled",
              "preserve_client_ip.enabled", "proxy_protocol_v2.enabled", "stickiness.enabled", "stickiness.type",
              "load_balancing.cross_zone.enabled", "target_failover.on_deregistration", "target_failover.on_unhealthy",
              "target_group_health.dns_failover.minimum_healthy_targets.count",
              "target_group_health.dns_failover.minimum_healthy_targets.percentage",
              "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
              "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
              "target_health_state.unhealthy.connection_termination.enabled",
              "target_health_state.unhealthy.draining_interval_seconds"}


def mirrored_balancers(view):
    """Load balancers of the template that are mirror targets: name, and where the target names it."""
    for _, properties, path, given in view.resources(TARGET):
        for found in view.get(properties, path, "NetworkLoadBalancerArn", given=given):
            if found.resource and view.resource(found.resource, BALANCER):
                yield found.resource, found


def listeners_of(view, balancer):
    for name, properties, path, given in view.resources(LISTENER):
        for found in view.get(properties, path, "LoadBalancerArn", given=given):
            if found.resource == balancer:
                yield name, properties, path, given


def groups_of(view, listener):
    """Target groups to which a listener forwards: of `TargetGroupArn`, or of `ForwardConfig`."""
    _, properties, path, given = listener
    for action in view.items(properties, path, "DefaultActions", given=given):
        arns = list(view.get(action.value, action.path, "TargetGroupArn", given=action.given))
        for weighted in view.items(action.value, action.path, "ForwardConfig", "TargetGroups", given=action.given):
            arns += view.get(weighted.value, weighted.path, "TargetGroupArn", given=weighted.given)
        for arn in arns:
            if arn.resource and view.resource(arn.resource, GROUP):
                yield view.resource(arn.resource, GROUP)


def udp_groups(view):
    for group in view.resources(GROUP):
        _, properties, path, given = group
        if any(found.text in UDP for found in view.get(properties, path, "Protocol", given=given)):
            yield group


def attributes(view, resource, key):
    """Possible values of the attributes of a load balancer or target group: name, value."""
    _, properties, path, given = resource
    for item in view.items(properties, path, key, given=given):
        for name in view.get(item.value, item.path, "Key", given=item.given):
            for value in view.get(item.value, item.path, "Value", given=name.given):
                yield name, value


def group_attribute(view, name):
    """Possible values of this attribute of the UDP target groups."""
    for group in udp_groups(view):
        for found, value in attributes(view, group, "TargetGroupAttributes"):
            if found.text == name:
                yield value


@_resolve.rule(9700, "A mirror target has a listener for UDP 4789",
               "Without it Traffic Mirroring drops every packet, and no metric says so.")
def listener(view):
    for balancer, where in mirrored_balancers(view):
        listeners = list(listeners_of(view, balancer))
        if not listeners:
            yield where.path, f"{balancer} has no listener: mirroring to it fails without a sign; add one for UDP 4789"
        for _, properties, path, given in listeners:
            for found in view.get(properties, path, "Protocol", given=given):
                if found.text and found.text not in UDP or found.absent:
                    yield found.path, f"mirrored packets are UDP, and {found.text or 'no protocol'} does not take them: say UDP"
            for found in view.get(properties, path, "Port", given=given):
                if found.number not in (4789, None) or found.absent:
                    yield found.path, f"Traffic Mirroring sends to port 4789, not {found.text}: say 4789"


@_resolve.rule(9701, "Listener and target group speak one protocol",
               "AWS refuses a UDP listener on a TCP target group, after everything else was made.")
def protocols(view):
    for one in view.resources(LISTENER):
        _, properties, path, given = one
        for spoken in view.get(properties, path, "Protocol", given=given):
            if spoken.text not in ("UDP", "TCP_UDP", "TCP", "TLS", "QUIC", "TCP_QUIC"):
                continue
            fits = {"UDP": ("UDP", "TCP_UDP"), "TCP": ("TCP", "TCP_UDP"), "TLS": ("TCP", "TLS")}.get(
                spoken.text, (spoken.text,))
            for name, group, at, supposed in groups_of(view, one):
                for found in view.get(group, at, "Protocol", given=supposed):
                    if found.text and found.text not in fits and view.together(spoken.given, found.given) is not None:
                        yield found.path, f"a {spoken.text} listener cannot forward to {name}, which is {found.text}: say {fits[0]}"


@_resolve.rule(9702, "The target group of a mirror target sends to port 4789",
               "The load balancer keeps the packet as it is but for its port, and VXLAN is expected on 4789.")
def port(view):
    for balancer, _ in mirrored_balancers(view):
        for one in listeners_of(view, balancer):
            for _, properties, path, given in groups_of(view, one):
                for found in view.get(properties, path, "Port", given=given):
                    if found.number not in (4789, None):
                        yield found.path, f"the appliances would get VXLAN at port {found.number}: say 4789"


@_resolve.rule(9703, "A UDP target group has a health check of another protocol, on a port of its own",
               "UDP is no health protocol, and what listens for UDP only answers no TCP connection on its port.")
def health(view):
    for name, properties, path, given in udp_groups(view):
        for found in view.get(properties, path, "HealthCheckProtocol", given=given):
            if found.absent or found.text and found.text not in ("HTTP", "HTTPS", "TCP"):
                yield found.path, (f"{name}: HealthCheckProtocol is {found.text or 'absent'}: say HTTP, and the path of a page "
                                   "that follows the datapath")
        traffic = {found.text for found in view.get(properties, path, "Port", given=given)}
        for found in view.get(properties, path, "HealthCheckPort", given=given):
            if found.absent or found.text == "traffic-port" or found.text and found.text in traffic:
                yield found.path, f"{name}: HealthCheckPort is {found.text or 'absent'}, where only UDP is served: say the port of the health page"
        for found in view.get(properties, path, "HealthCheckEnabled", given=given):
            if found.text == "false":
                yield found.path, f"{name}: without health checks a dead appliance keeps its flows: remove HealthCheckEnabled"


@_resolve.rule(9704, "An HTTP health check says its path",
               "Without one it asks for /, which answers as long as the process lives.")
def health_path(view):
    for name, properties, path, given in udp_groups(view):
        for protocol in view.get(properties, path, "HealthCheckProtocol", given=given):
            if protocol.text not in ("HTTP", "HTTPS"):
                continue
            for found in view.get(properties, path, "HealthCheckPath", given=protocol.given):
                if found.absent or found.text == "/":
                    yield found.path, f"{name}: HealthCheckPath is {found.text or 'absent'}: say the page that follows the datapath, as /healthz"


@_resolve.rule(9705, "A mirror target says whether it balances across zones",
               "Off by default: a zone whose appliances are gone loses its mirrors. AWS bills what crosses zones.")
def cross_zone(view):
    for balancer, _ in mirrored_balancers(view):
        resource = view.resource(balancer, BALANCER)
        names = [name.text for name, _ in attributes(view, resource, "LoadBalancerAttributes")]
        if "load_balancing.cross_zone.enabled" not in names:
            yield resource[2], f"{balancer} does not say load_balancing.cross_zone.enabled, which is off by default: say true or false"
        for _, value in ((n, v) for n, v in attributes(view, resource, "LoadBalancerAttributes")
                         if n.text == "load_balancing.cross_zone.enabled"):
            if value.text not in ("true", "false", None):
                yield value.path, f"load_balancing.cross_zone.enabled is true or false, not {value.text}"


@_resolve.rule(9706, "Attributes of load balancers and target groups are spelt right",
               "CloudFormation knows them only when it makes the resource, and rolls all back then.")
def keys(view):
    for kind, key, known in ((BALANCER, "LoadBalancerAttributes", BALANCER_KEYS),
                             (GROUP, "TargetGroupAttributes", GROUP_KEYS)):
        for resource in view.resources(kind):
            if kind == BALANCER and not any(
                    found.text == "network" for found in view.get(*resource[1:3], "Type", given=resource[3])):
                continue
            if kind == GROUP and resource not in list(udp_groups(view)):
                continue
            for name, _ in attributes(view, resource, key):
                if name.text and name.text not in known:
                    yield name.path, f"{name.text} is no attribute here; there are {', '.join(sorted(known))}"


@_resolve.rule(9707, "A UDP target group keeps client addresses",
               "AWS refuses preserve_client_ip.enabled=false for UDP; the appliances see the mirrored hosts' addresses.")
def client_addresses(view):
    for value in group_attribute(view, "preserve_client_ip.enabled"):
        if value.text == "false":
            yield value.path, "AWS refuses this for UDP: remove preserve_client_ip.enabled"


@_resolve.rule(9708, "The deregistration delay moves flows in time",
               "Mirrored flows never pause. Shorter than half a minute moves them before health checks agree.")
def delay(view):
    for value in group_attribute(view, "deregistration_delay.timeout_seconds"):
        if value.number is not None and not 30 <= value.number <= 3600:
            yield value.path, f"a deregistration delay of {value.number} seconds: say 30 to 3600"


@_resolve.rule(9709, "Deregistration ends the flows of a UDP target group",
               "With false, a flow that never pauses stays with a machine that is gone.")
def termination(view):
    for value in group_attribute(view, "deregistration_delay.connection_termination.enabled"):
        if value.text == "false":
            yield value.path, "mirrored flows never pause, and would stay with the machine that is taken out: say true"


@_resolve.rule(9710, "A mirror target's load balancer is an internal network load balancer",
               "The default type is application, which no mirror target takes; the default scheme is internet-facing.")
def kind(view):
    for balancer, _ in mirrored_balancers(view):
        _, properties, path, given = view.resource(balancer, BALANCER)
        for found in view.get(properties, path, "Type", given=given):
            if found.absent or found.text not in ("network", None):
                yield found.path, f"{balancer} is of type {found.text or 'application'}, which cannot be a mirror target: say network"
        for found in view.get(properties, path, "Scheme", given=given):
            if found.absent or found.text == "internet-facing":
                yield found.path, f"{balancer} is internet-facing: mirrored packets come from inside: say internal"
