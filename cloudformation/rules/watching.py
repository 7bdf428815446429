# SPDX-License-Identifier: GPL-2.0-only
"""Alarms and dashboards of mirroring."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

ALARM = "AWS::CloudWatch::Alarm"
MIRRORS = {"NetworkMirrorIn", "NetworkMirrorOut", "NetworkPacketsMirrorIn", "NetworkPacketsMirrorOut",
           "NetworkSkipMirrorIn", "NetworkSkipMirrorOut", "NetworkPacketsSkipMirrorIn", "NetworkPacketsSkipMirrorOut"}
METRICS = {
    "AWS/NetworkELB": {
        "ActiveFlowCount", "ActiveFlowCount_TCP", "ActiveFlowCount_TLS", "ActiveFlowCount_UDP", "ActiveZonalShiftHostCount",
        "ClientTLSNegotiationErrorCount", "ConsumedLCUs", "ConsumedLCUs_TCP", "ConsumedLCUs_TLS", "ConsumedLCUs_UDP",
        "HealthyHostCount", "NewFlowCount", "NewFlowCount_TCP", "NewFlowCount_TLS", "NewFlowCount_UDP", "PeakBytesPerSecond",
        "PeakPacketsPerSecond", "PortAllocationErrorCount", "ProcessedBytes", "ProcessedBytes_TCP", "ProcessedBytes_TLS",
        "ProcessedBytes_UDP", "ProcessedPackets", "RejectedFlowCount", "RejectedFlowCount_TCP", "ReservedLCUs",
        "SecurityGroupBlockedFlowCount_Inbound_ICMP", "SecurityGroupBlockedFlowCount_Inbound_TCP",
        "SecurityGroupBlockedFlowCount_Inbound_UDP", "SecurityGroupBlockedFlowCount_Outbound_ICMP",
        "SecurityGroupBlockedFlowCount_Outbound_TCP", "SecurityGroupBlockedFlowCount_Outbound_UDP",
        "TargetTLSNegotiationErrorCount", "TCP_Client_Reset_Count", "TCP_ELB_Reset_Count", "TCP_Target_Reset_Count",
        "UnHealthyHostCount", "UnhealthyRoutingFlowCount", "ZonalHealthStatus"},
    "AWS/EC2": MIRRORS | {
        "CPUUtilization", "CPUCreditBalance", "CPUCreditUsage", "CPUSurplusCreditBalance", "CPUSurplusCreditsCharged",
        "DiskReadBytes", "DiskReadOps", "DiskWriteBytes", "DiskWriteOps", "EBSByteBalance%", "EBSIOBalance%", "EBSReadBytes",
        "EBSReadOps", "EBSWriteBytes", "EBSWriteOps", "MetadataNoToken", "MetadataNoTokenRejected", "NetworkIn", "NetworkOut",
        "NetworkPacketsIn", "NetworkPacketsOut", "StatusCheckFailed", "StatusCheckFailed_AttachedEBS",
        "StatusCheckFailed_Instance", "StatusCheckFailed_System", "DedicatedHostCPUUtilization"},
    "AWS/Lambda": {
        "AsyncEventAge", "AsyncEventsDropped", "AsyncEventsReceived", "ClaimedAccountConcurrency", "ConcurrentExecutions",
        "DeadLetterErrors", "DestinationDeliveryFailures", "Duration", "Errors", "Invocations", "IteratorAge",
        "PostRuntimeExtensionsDuration", "ProvisionedConcurrencyInvocations", "ProvisionedConcurrencySpilloverInvocations",
        "ProvisionedConcurrencyUtilization", "ProvisionedConcurrentExecutions", "RecursiveInvocationsDropped", "Throttles",
        "UnreservedConcurrentExecutions"},
}
DIMENSIONS = {"AWS/NetworkELB": {"LoadBalancer", "TargetGroup", "AvailabilityZone"}}
NAMES = {"LoadBalancer": "LoadBalancerFullName", "TargetGroup": "TargetGroupFullName"}


class Metric:
    """One metric that an alarm looks at: a possible element, and how its keys are named."""

    def __init__(self, view, element, alarm):
        self.view, self.element, self.alarm = view, element, alarm

    def get(self, *keys):
        return self.view.get(self.element.value, self.element.path, *keys, given=self.element.given)

    def dimensions(self):
        for item in self.view.items(self.element.value, self.element.path, "Dimensions", given=self.element.given):
            for name in self.view.get(item.value, item.path, "Name", given=item.given):
                for value in self.view.get(item.value, item.path, "Value", given=name.given):
                    yield name, value


def metrics(view):
    """Every metric of an alarm: its own, and those of its Metrics; with the place of the period."""
    for name, properties, path, given in view.resources(ALARM):
        if "MetricName" in properties:
            yield Metric(view, _resolve.Possible(properties, path, given), name), list(view.get(properties, path, "Period", given=given))
        for query in view.items(properties, path, "Metrics", given=given):
            for stat in view.get(query.value, query.path, "MetricStat", given=query.given):
                if isinstance(stat.value, dict) and isinstance(stat.value.get("Metric"), dict):
                    inner = _resolve.Possible(stat.value["Metric"], stat.path + ["Metric"], stat.given)
                    yield Metric(view, inner, name), list(view.get(stat.value, stat.path, "Period", given=stat.given))


@_resolve.rule(9770, "A dimension is a name, not an ARN",
               "An alarm on a dimension that nobody sends has no data for ever, and looks fine.")
def dimensions(view):
    for metric, _ in metrics(view):
        for name, value in metric.dimensions():
            attribute = value.value.get("Fn::GetAtt") if isinstance(value.value, dict) else None
            attribute = attribute.split(".") if isinstance(attribute, str) else attribute
            is_arn = (value.text or "").startswith("arn:") or bool(attribute) and attribute[-1].endswith("Arn") or (
                name.text in NAMES and isinstance(value.value, dict) and "Ref" in value.value)
            if is_arn:
                yield value.path, (f"{metric.alarm}: {name.text} is an ARN, by which nobody sends: say "
                                   f"!GetAtt RESOURCE.{NAMES.get(name.text, 'its name')}")


@_resolve.rule(9771, "A metric and its dimensions are AWS's",
               "A metric that nobody sends has no data for ever, and the alarm looks fine.")
def known(view):
    for metric, _ in metrics(view):
        for namespace in metric.get("Namespace"):
            for found in metric.get("MetricName"):
                if found.text and namespace.text in METRICS and found.text not in METRICS[namespace.text]:
                    near = [one for one in METRICS[namespace.text] if one.lower() == found.text.lower()]
                    yield found.path, f"{namespace.text} has no {found.text}{f'; there is {near[0]}' if near else ''}"
            for name, _ in metric.dimensions():
                if namespace.text in DIMENSIONS and name.text and name.text not in DIMENSIONS[namespace.text]:
                    yield name.path, f"{namespace.text} knows no dimension {name.text}; it has {', '.join(sorted(DIMENSIONS[namespace.text]))}"


@_resolve.rule(9772, "A dashboard's body is one",
               "CloudFormation passes the text on; AWS refuses it, or shows an empty widget.")
def dashboard(view):
    for name, properties, path, given in view.resources("AWS::CloudWatch::Dashboard"):
        for found in view.get(properties, path, "DashboardBody", given=given):
            if not found.text:
                continue
            try:
                body = json.loads(re.sub(r"\$\{[\w:.]+\}", "x", found.text))
            except ValueError as error:
                yield found.path, f"{name}: no JSON: {error}"
                continue
            widgets = body.get("widgets") if isinstance(body, dict) else None
            if not isinstance(widgets, list) or not widgets:
                yield found.path, f"{name}: a body has a list of widgets"
                continue
            for index, widget in enumerate(widgets):
                if not isinstance(widget, dict) or widget.get("type") not in ("metric", "text", "log", "alarm", "explorer", "custom", "metrics"):
                    yield found.path, f"{name}: widget {index} has no type: say metric, log, text, alarm, explorer or custom"
                elif not isinstance(widget.get("properties"), dict):
                    yield found.path, f"{name}: widget {index} has no properties"
                elif widget["type"] == "metric" and not (widget["properties"].get("metrics") or widget["properties"].get("annotations")):
                    yield found.path, f"{name}: widget {index} shows no metrics"
                elif widget["type"] == "metric":
                    for row in widget["properties"].get("metrics") or []:
                        if len(row) > 1 and row[0] in METRICS and row[1] not in METRICS[row[0]]:
                            yield found.path, f"{name}: widget {index}: {row[0]} has no {row[1]}"


@_resolve.rule(9773, "Skipped mirrors are counted every five minutes, for the mirrored hosts",
               "EC2 sends these metrics with a period of 300 seconds, for the source of the mirror, not for its target.")
def skipped(view):
    appliances = {name for name, properties, path, given in view.resources("AWS::AutoScaling::AutoScalingGroup")
                  if list(view.items(properties, path, "TargetGroupARNs", given=given))}
    for metric, periods in metrics(view):
        if not any(found.text in MIRRORS for found in metric.get("MetricName")):
            continue
        for period in periods:
            if period.absent or period.number is not None and period.number % 300:
                yield period.path, f"{metric.alarm}: these metrics come every 300 seconds: say 300"
        for name, value in metric.dimensions():
            if name.text not in ("InstanceId", "AutoScalingGroupName", None):
                yield name.path, f"{metric.alarm}: these metrics have InstanceId or AutoScalingGroupName, not {name.text}"
            if value.resource in appliances:
                yield value.path, f"{metric.alarm}: {value.resource} receives mirrors; name the group whose hosts are mirrored"


@_resolve.rule(9774, "An alarm on traffic says what missing data means",
               "Metrics of load balancer and mirroring exist only while packets flow; without it the alarm hangs in its last state.")
def missing(view):
    for metric, _ in metrics(view):
        if not any(found.text == "AWS/NetworkELB" for found in metric.get("Namespace")) and not any(
                found.text in MIRRORS for found in metric.get("MetricName")):
            continue
        _, properties, path, given = view.resource(metric.alarm, ALARM)
        for found in view.get(properties, path, "TreatMissingData", given=given):
            if found.absent:
                yield found.path, f"{metric.alarm}: say TreatMissingData: notBreaching"


@_resolve.rule(9775, "An alarm tells somebody", "Without an action it turns red where nobody looks at night.")
def told(view):
    for name, properties, path, given in view.resources(ALARM):
        for found in view.get(properties, path, "AlarmActions", given=given):
            if found.absent and "AlarmActions" not in properties or found.value == []:
                yield found.path, f"{name} tells nobody: say AlarmActions, a topic"
        for found in view.get(properties, path, "ActionsEnabled", given=given):
            if found.text == "false":
                yield found.path, f"{name} tells nobody: remove ActionsEnabled"


@_resolve.rule(9776, "A topic of alarms is one to which CloudWatch may publish",
               "CloudWatch may not use AWS's own key, alias/aws/sns: such a topic gets no alarm.")
def topic(view):
    for name, properties, path, given in view.resources("AWS::SNS::Topic"):
        for found in view.get(properties, path, "KmsMasterKeyId", given=given):
            if (found.text or "").endswith("alias/aws/sns"):
                yield found.path, f"{name} gets no alarms with this key: use one of your own whose policy lets CloudWatch, or none"


@_resolve.rule(9777, "Log lines end", "A log group without RetentionInDays keeps and bills every line for ever.")
def retention(view):
    for name, properties, path, given in view.resources("AWS::Logs::LogGroup"):
        for found in view.get(properties, path, "RetentionInDays", given=given):
            if found.absent:
                yield found.path, f"{name} keeps its lines for ever: say RetentionInDays"
