# SPDX-License-Identifier: GPL-2.0-only
"""
The rules of dist/prometheus, in promtool: for each alert and severity a fault at which it fires, and
one that is nearly that, at which it does not.
"""

import json
import os
import re
import subprocess
import unittest

import yaml

from lib import program
from lib.command import need_commands

from alerting import ALERTS, EXPRESSIONS, RECORDED, RULES, documented, named, unknown

ME = "10.9.0.2:9789"  # stands for the instance in what the alerts say
EVALUATED = 120  # minutes, at which the rows look
PREFIX = "vxlan_pipeline_"


def steady(per_second, until=0, then=0):
    """A counter that grows by so many a second; from so many minutes before the end by another number."""
    first = EVALUATED - until if until else EVALUATED
    values = f"0+{per_second * 60:g}x{first}"
    return f"{values} {per_second * 60 * first + then * 60:g}+{then * 60:g}x{until}" if until else values


def always(value):
    return f"{value:g}x{EVALUATED}"


def since(minutes, value, before=0.0):
    """A gauge that has had the value for so many minutes."""
    return f"{before:g}x{EVALUATED - minutes - 1} {value:g}x{minutes}"


def histogram(seconds, per_second=83):
    """Every packet that was looked at took so long."""
    edges = [32e-9 * 2 ** n for n in range(16)]
    name = "program_duration_seconds"
    return {f'{name}_bucket{{le="{le:.9g}"}}': steady(per_second if seconds <= le else 0)
            for le in edges} | {f'{name}_bucket{{le="+Inf"}}': steady(per_second),
                                f"{name}_count": steady(per_second)}


def lost(place, reason, per_second, interface=""):
    return {f'lost_packets_total{{place="{place}",interface="{interface}",reason="{reason}"}}':
            steady(per_second)}


def on_nic(reason, per_second):
    return lost("nic", reason, per_second, "ens5")


def verdict(name, per_second):
    return {f'packets_total{{verdict="{name}"}}': steady(per_second)}


def fault(name, per_second):
    """Of 100,000 packets a second."""
    return {'packets_total{verdict="redirected"}': steady(100000 - per_second)} | \
        verdict(name, per_second) | \
        {f'dropped_packets_total{{verdict="{name}",cause="fault"}}': steady(per_second)}


def reason(condition, text, minutes):
    return {f'condition{{condition="{condition}",reason="{text}"}}': f"_x{EVALUATED - minutes - 1} 1x{minutes}"}


def restarts(name, minutes, times):
    """Begins anew so many times, each two minutes, the last one so many minutes before the end."""
    begun = " ".join(f"{n + 1}x1" for n in range(times - 1))
    spent = 2 * (times - 1)
    return {name: f"0x{EVALUATED - minutes - spent - 1} {begun} {times}x{minutes}"}


def traffic(*minutes_and_rates):
    """Packets redirected: a rate for so many minutes, and so on up to the end."""
    total, values = 0, []
    for minutes, per_second in minutes_and_rates:
        values.append(f"{total:g}+{per_second * 60:g}x{minutes - 1}")
        total += per_second * 60 * minutes
    return {'packets_total{verdict="redirected"}': " ".join(values) + f" {total:g}"}


def hops(resolved, failed, minutes, state="failed"):
    return {'next_hops{state="resolved"}': since(minutes, resolved, 3),
            f'next_hops{{state="{state}"}}': since(minutes, failed)}


def heartbeat(age):
    """Promtool's clock begins at 0."""
    minutes = EVALUATED - -(-age // 60)
    last = EVALUATED * 60 - age
    return {"heartbeat_timestamp_seconds": f"0+60x{minutes} {last}x{EVALUATED - minutes - 1}"}


# An appliance that is well, at 85,000 packets a second, with everything that ENA counts.
WELL = {
    "up": always(1),
    "process_start_time_seconds": always(1),
    "daemon_running": always(1),
    "healthy": always(1),
    "draining": always(0),
    "heartbeat_timestamp_seconds": f"0+60x{EVALUATED}",
    "last_reload_successful": always(1),
    "attached_timestamp_seconds": always(1),
    "transmit_losses_counted": always(1),
    "warning_packets_per_second": always(60000),
    "rule_series_omitted": always(0),
    "vni_series_omitted": always(0),
    'packets_total{verdict="redirected"}': steady(85000),
    'packets_total{verdict="not_tunnel"}': steady(1),
    'dropped_packets_total{verdict="unmatched",cause="configuration"}': steady(1000),
    "sent_packets_total": steady(85500),
    "sent_bytes_total": steady(85500 * 400),
    "fragments_total": steady(100),
    'next_hops{state="resolved"}': always(3),
    'next_hops{state="local"}': always(0),
    'next_hops{state="failed"}': always(0),
    'next_hops{state="unknown"}': always(0),
    'conntrack_allowance_available{interface="ens5"}': always(100000),
} | histogram(400e-9) | on_nic("rx_overruns", 0) | on_nic("pps_allowance_exceeded", 0) | \
    on_nic("bw_in_allowance_exceeded", 0) | on_nic("conntrack_allowance_exceeded", 0) | \
    on_nic("linklocal_allowance_exceeded", 0) | lost("transmit", "send_failed", 0) | \
    lost("kernel", "passed_dropped", 0) | lost("program", "unmatched", 1000)

NO_TRAFFIC = traffic((EVALUATED, 0))
DRAINED = {"draining": since(20, 1)}
PASSED = {'packets_total{verdict="passed"}': steady(1000)}
SLOW_RATE = {"warning_packets_per_second": always(20000)}


class Row:
    """
    `fires`: what is otherwise than in WELL when the alert fires, and `quiet`, when it does not. `says`:
    the alert's description. `labels`: of the alert, besides those of the instance. `besides`: other
    alerts of that fault, with severity.
    """

    def __init__(self, alert, severity, fires, quiet, says, labels=None, besides=()):
        self.alert, self.severity, self.fires, self.quiet = alert, severity, fires, quiet
        self.says, self.labels, self.besides = says, labels or {}, set(besides)

    @property
    def sentence(self):
        return f"{self.alert}, {self.severity}"


def nic(text="rx_overruns"):
    return {"place": "nic", "interface": "ens5", "reason": text}


def way_out(place, text):
    return {"place": place, "reason": text}


ROWS = (
    Row("VxlanPipelineDown", "critical", {"up": since(3, 0, 1)}, {"up": since(1, 0, 1)},
        f"{ME} cannot be scraped. Packets may go on, but nobody knows, and load balancers send flows elsewhere."),
    Row("VxlanPipelineUnattended", "critical", {"daemon_running": since(3, 0, 1)},
        {"daemon_running": since(1, 0, 1)},
        f"No daemon runs on {ME}. Packets go on as they are configured, but nothing follows interfaces, routes and "
        "neighbours."),
    Row("VxlanPipelineBad", "critical",
        {"healthy": since(2, 0, 1)} | reason("bad", "ens6 has no carrier", 2),
        {"healthy": since(2, 0, 1)} | DRAINED | reason("bad", "draining; vxlan-pipeline drain --undo ends it", 20),
        f"{ME} is bad: ens6 has no carrier."),
    Row("VxlanPipelineBad", "critical",
        {"healthy": since(20, 0, 1)} | DRAINED | reason("bad", "draining; vxlan-pipeline drain --undo ends it", 20) |
        reason("bad", "ens6 is down", 2),
        {"healthy": f"1x{EVALUATED}"} | reason("degraded", "ens6 is down", 2),
        f"{ME} is bad: draining; vxlan-pipeline drain --undo ends it. ens6 is down."),
    Row("VxlanPipelineDegraded", "warning", reason("degraded", "10.0.0.9 (rule N): its next hop does not answer", 11),
        reason("degraded", "10.0.0.9 (rule N): its next hop does not answer", 8),
        f"{ME} is degraded: 10.0.0.9 (rule N): its next hop does not answer."),
    Row("VxlanPipelineHeartbeatOld", "warning", heartbeat(180), heartbeat(60),
        f"The last sign of life of the control loop on {ME} is 3m 0s old."),
    Row("VxlanPipelineHeartbeatOld", "critical", heartbeat(400), heartbeat(240),
        f"The last sign of life of the control loop on {ME} is 6m 40s old.",
        besides=[("VxlanPipelineHeartbeatOld", "warning")]),
    Row("VxlanPipelineGenericMode", "warning", reason("degraded", "ens5 is in generic mode, which is slower", 11),
        reason("degraded", "ens5 is not in generic mode", 11),
        f"The driver of listen.interface on {ME} refused native mode. Packets flow, at a fraction of the rate.",
        besides=[("VxlanPipelineDegraded", "warning")]),
    Row("VxlanPipelineReloadFailed", "warning", {"last_reload_successful": since(6, 0, 1)},
        {"last_reload_successful": since(4, 0, 1)},
        f"The last reload on {ME} was refused: the configuration before it still runs. The next start would fail."),
    Row("VxlanPipelineDrainingForLong", "warning", {"draining": since(61, 1)}, {"draining": since(58, 1)},
        f"{ME} is drained, and gets no new flows until `vxlan-pipeline drain --undo`."),
    Row("VxlanPipelineRestartsOften", "warning", restarts("process_start_time_seconds", 5, 4),
        restarts("process_start_time_seconds", 5, 3), f"The daemon on {ME} has started 4 times within an hour."),
    Row("VxlanPipelineCountersRestarted", "warning", restarts("attached_timestamp_seconds", 5, 2),
        restarts("attached_timestamp_seconds", 5, 1),
        f"The datapath on {ME} was attached anew 2 times within an hour. Its counters began anew each time, and packets "
        "between two attachments are lost."),
    Row("VxlanPipelineNoTraffic", "warning", NO_TRAFFIC, NO_TRAFFIC | {"draining": since(59, 1)},
        f"{ME} has received no VXLAN packet for a quarter of an hour."),
    Row("VxlanPipelineNoTraffic", "critical", traffic((105, 85000), (15, 0)), traffic((105, 50000), (15, 0)),
        f"{ME} receives no VXLAN packet. Within the last six hours it received more than monitor.warning_pps."),
    Row("VxlanPipelineTrafficLow", "warning", traffic((90, 85000), (30, 40000)), traffic((EVALUATED, 40000)),
        f"{ME} receives 40k packets a second, less than monitor.warning_pps."),
    Row("VxlanPipelineTrafficLow", "warning", traffic((EVALUATED, 10000)) | SLOW_RATE,
        traffic((EVALUATED, 30000)) | SLOW_RATE,
        f"{ME} receives 10k packets a second, less than monitor.warning_pps."),
    Row("VxlanPipelineFaultDrops", "warning", fault("malformed", 1500), fault("malformed", 900),
        f"1.5% of the packets on {ME} could not be handled: malformed 1.5%."),
    Row("VxlanPipelineFaultDrops", "critical", fault("truncated", 60000), fault("truncated", 40000),
        f"60% of the packets on {ME} could not be handled: truncated 60%.",
        besides=[("VxlanPipelineFaultDrops", "warning")]),
    Row("VxlanPipelineNoRoute", "warning", fault("no_route", 200), fault("no_route", 90),
        f"0.2% of the packets on {ME} end as no_route: no route leads to their destination, or a next hop does not "
        "answer.", {"verdict": "no_route"}),
    Row("VxlanPipelineOversize", "warning", fault("oversize", 200), fault("oversize", 90),
        f"0.2% of the packets on {ME} end as oversize: they are larger than forward.mtu, and may not be fragmented.",
        {"verdict": "oversize"}),
    Row("VxlanPipelineProgramError", "warning", fault("error", 2), fault("error", 0),
        f"2 packets a second end as error on {ME}: no packet should."),
    Row("VxlanPipelineTargetsNotAnswering", "warning", hops(2, 1, 6), hops(2, 1, 4),
        f"Targets of rules on {ME} that are failed: 1. Packets for them may be dropped.", {"state": "failed"}),
    Row("VxlanPipelineTargetsNotAnswering", "warning", hops(2, 1, 6, "unknown"), hops(2, 1, 4, "unknown"),
        f"Targets of rules on {ME} that are unknown: 1. Packets for them may be dropped.", {"state": "unknown"}),
    Row("VxlanPipelineTargetsNotAnswering", "critical", hops(0, 3, 2), hops(1, 2, 2),
        f"None of the 3 targets of rules on {ME} can be reached: nothing arrives anywhere."),
    Row("VxlanPipelineNicLosses", "warning", on_nic("rx_overruns", 17), on_nic("rx_overruns", 8),
        f"ens5 of {ME} loses 0.02% of the packets: rx_overruns.", nic()),
    Row("VxlanPipelineNicLosses", "critical", on_nic("rx_overruns", 1700.02), on_nic("rx_overruns", 5),
        f"ens5 of {ME} loses 2% of the packets: rx_overruns.", nic(),
        besides=[("VxlanPipelineNicLosses", "warning")]),
    Row("VxlanPipelineTransmitLosses", "warning", lost("transmit", "send_failed", 17),
        lost("transmit", "send_failed", 8),
        f"0.02% of the packets that {ME} sent did not leave: send_failed.", way_out("transmit", "send_failed")),
    Row("VxlanPipelineTransmitLosses", "critical", lost("transmit", "send_failed", 1700),
        lost("transmit", "redirect_failed", 5),
        f"2% of the packets that {ME} sent did not leave: send_failed.", way_out("transmit", "send_failed"),
        besides=[("VxlanPipelineTransmitLosses", "warning")]),
    Row("VxlanPipelineKernelLosses", "warning", PASSED | lost("kernel", "passed_dropped", 1),
        PASSED | lost("kernel", "passed_dropped", 0.05),
        f"The kernel of {ME} drops 0.1% of the packets that were passed to it.", way_out("kernel", "passed_dropped")),
    Row("VxlanPipelineKernelLosses", "critical", PASSED | lost("kernel", "passed_dropped", 1000),
        lost("kernel", "passed_dropped", 0),
        f"The kernel of {ME} drops 100% of the packets that were passed to it.",
        way_out("kernel", "passed_dropped"), besides=[("VxlanPipelineKernelLosses", "warning")]),
    Row("VxlanPipelineLossesNotCounted", "info", {"transmit_losses_counted": since(16, 0, 1)},
        {"transmit_losses_counted": since(13, 0, 1)},
        f"The kernel of {ME} does not let packets be counted that are refused on the way out: the alerts on losses of "
        "the places transmit and kernel cannot fire."),
    Row("VxlanPipelineBandwidthAllowanceExceeded", "warning", on_nic("bw_in_allowance_exceeded", 17),
        on_nic("bw_in_allowance_exceeded", 8),
        f"ens5 of {ME}: 0.02% of the packets exceed the instance type's bandwidth (bw_in_allowance_exceeded). They were "
        "delayed or lost.", nic("bw_in_allowance_exceeded")),
    Row("VxlanPipelineBandwidthAllowanceExceeded", "critical", on_nic("bw_out_allowance_exceeded", 1700.02),
        on_nic("bw_out_allowance_exceeded", 3),
        f"ens5 of {ME}: 2% of the packets exceed the instance type's bandwidth (bw_out_allowance_exceeded). They were "
        "delayed or lost.", nic("bw_out_allowance_exceeded"),
        besides=[("VxlanPipelineBandwidthAllowanceExceeded", "warning")]),
    Row("VxlanPipelinePacketAllowanceExceeded", "warning", on_nic("pps_allowance_exceeded", 17),
        on_nic("pps_allowance_exceeded", 8),
        f"ens5 of {ME}: 0.02% of the packets exceed the packets a second of the instance type, or its 1024 fragments a "
        "second.", nic("pps_allowance_exceeded")),
    Row("VxlanPipelinePacketAllowanceExceeded", "critical", on_nic("pps_allowance_exceeded", 1700.02),
        on_nic("pps_allowance_exceeded", 3),
        f"ens5 of {ME}: 2% of the packets exceed the packets a second of the instance type, or its 1024 fragments a "
        "second.", nic("pps_allowance_exceeded"), besides=[("VxlanPipelinePacketAllowanceExceeded", "warning")]),
    Row("VxlanPipelineFragmentsNearLimit", "warning", {"fragments_total": steady(900)}, {"fragments_total": steady(700)},
        f"{ME} sends 900 fragments a second. ENA drops what exceeds 1024."),
    Row("VxlanPipelineFragmentsNearLimit", "warning", {"fragments_total": steady(900)},
        {"fragments_total": steady(900)} | dict.fromkeys(on_nic("pps_allowance_exceeded", 0)),
        f"{ME} sends 900 fragments a second. ENA drops what exceeds 1024."),
    Row("VxlanPipelineConntrackAllowanceLow", "warning",
        {'conntrack_allowance_available{interface="ens5"}': since(11, 9000, 20000)},
        {'conntrack_allowance_available{interface="ens5"}': since(8, 9000, 20000)},
        f"ens5 of {ME} can track 9000 connections more. After that, packets of new ones are dropped.",
        {"interface": "ens5"}),
    Row("VxlanPipelineConntrackAllowanceLow", "critical",
        {'conntrack_allowance_available{interface="ens5"}': since(3, 900, 20000)},
        {'conntrack_allowance_available{interface="ens5"}': since(3, 1100, 20000)},
        f"ens5 of {ME} can track 900 connections more. After that, packets of new ones are dropped.",
        {"interface": "ens5"}),
    Row("VxlanPipelineConntrackAllowanceExceeded", "critical", on_nic("conntrack_allowance_exceeded", 2),
        on_nic("conntrack_allowance_exceeded", 0),
        f"ens5 of {ME} loses 2 packets a second, as the instance type tracks no more connections.",
        nic("conntrack_allowance_exceeded")),
    Row("VxlanPipelineLinkLocalAllowanceExceeded", "warning", on_nic("linklocal_allowance_exceeded", 2),
        on_nic("linklocal_allowance_exceeded", 0),
        f"ens5 of {ME} loses 2 packets a second to DNS, NTP or instance metadata. Mirrored packets are not among them.",
        nic("linklocal_allowance_exceeded")),
    Row("VxlanPipelineProgramSlow", "warning", histogram(8e-6), histogram(2e-6),
        f"One packet in a hundred takes the program on {ME} 8.151us or more."),
    Row("VxlanPipelineProgramSlow", "critical", histogram(30e-6), histogram(30e-6, 0.2),
        f"One packet in a hundred takes the program on {ME} 32.6us or more.",
        besides=[("VxlanPipelineProgramSlow", "warning")]),
    Row("VxlanPipelineSeriesOmitted", "info", {"rule_series_omitted": since(16, 7)},
        {"rule_series_omitted": since(13, 7)},
        f"7 rules or VNIs of {ME} have no series of their own. All of them are in /stats.json."),
    Row("VxlanPipelineSeriesOmitted", "info", {"vni_series_omitted": since(16, 7)}, {},
        f"7 rules or VNIs of {ME} have no series of their own. All of them are in /stats.json."),
)


def series(instance, changes):
    """promtool's input: an instance that is well, with these changes."""
    for name, values in (WELL | changes).items():
        if values is None:
            continue
        name, _, labels = name.partition("{")
        if name != "up" and not name.startswith("process_"):
            name = PREFIX + name
        labels = [f'instance="{instance}",job="vxlan-pipeline"', labels.rstrip("}")]
        yield {"series": f"{name}{{{','.join(filter(None, labels))}}}", "values": values}


def of_another_job():
    """A host of another job, which is down and starts again and again: none of our business."""
    for name, values in {"up": always(0)}.items() | restarts("process_start_time_seconds", 5, 9).items():
        yield {"series": f'{name}{{instance="other:9100",job="node"}}', "values": values}


def pairs(text):
    """{label: value} as Go prints labels."""
    return {key: json.loads(f'"{value}"') for key, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text)}


def fired(fleet):
    """
    {instance: {(alert, severity): (labels, annotations)}} of what fires in the end. `fleet`: changes of
    each instance. promtool prints all of it where a test expects that nothing fires.
    """
    names = sorted({rule["alert"] for rule in ALERTS})
    test = {"interval": "1m",
            "input_series": [row for name, changes in fleet.items() for row in series(name, changes)] +
            list(of_another_job()),
            "alert_rule_test": [{"eval_time": f"{EVALUATED}m", "alertname": name, "exp_alerts": []}
                                for name in names]}
    with program.Workspace() as work:
        path = work.file("test.yml", yaml.safe_dump(
            {"rule_files": [RULES], "evaluation_interval": "1m", "tests": [test]}, width=1000))
        result = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True,
                                check=False)
    said = result.stdout + result.stderr
    found = {name: {} for name in fleet}
    for labels, annotations in re.findall(r"Labels:{(.*)}\n\s*Annotations:{(.*)}", said):
        labels, annotations = pairs(labels), pairs(annotations)
        key = labels.pop("alertname"), labels.pop("severity")
        labels.pop("job")
        found.setdefault(labels.pop("instance", None), {})[key] = labels, annotations
    if result.returncode not in (0, 1) or ("FAILED" in said) != any(found.values()):
        raise AssertionError(said)
    return found


class Fire(unittest.TestCase):
    """Each alert fires when it should, and not when it should not: each row is two instances of one fleet."""

    @classmethod
    def setUpClass(cls):
        need_commands("promtool")
        fleet = {"well.fleet:9789": {}}
        for number, row in enumerate(ROWS):
            fleet[f"{number:02}.fires:9789"] = row.fires
            fleet[f"{number:02}.quiet:9789"] = row.quiet
        cls.fired = fired(fleet)

    def test_well(self):
        """Nothing fires at an instance that is well, whatever the others have."""
        self.assertEqual(self.fired["well.fleet:9789"], {})

    def test_other_jobs(self):
        """What is not ours raises none of our alerts."""
        self.assertNotIn("other:9100", self.fired)

    def test_fire(self):
        """The alert fires, it alone or with those that the row names, and says what the row says."""
        for number, row in enumerate(ROWS):
            with self.subTest(row.sentence):
                instance = f"{number:02}.fires:9789"
                self.assertEqual(set(self.fired[instance]), {(row.alert, row.severity)} | row.besides)
                labels, annotations = self.fired[instance][row.alert, row.severity]
                self.assertEqual(labels, row.labels)
                self.assertEqual(annotations["description"].replace(instance, ME), row.says)

    def test_do_not_fire(self):
        """Nearly the same does not suffice."""
        for number, row in enumerate(ROWS):
            with self.subTest(row.sentence):
                self.assertNotIn((row.alert, row.severity), self.fired[f"{number:02}.quiet:9789"])

    def test_absent(self):
        """There is no target of the job at all."""
        for sentence, up, fires in (("none", None, True),
                                    ("none for three minutes", f"1x{EVALUATED - 3} stale", False),
                                    ("it is down, which is another alert", always(0), False)):
            with self.subTest(sentence):
                found = fired({"10.9.0.2:9789": {"up": up}})
                self.assertEqual(("VxlanPipelineAbsent", "critical") in found.get(None, {}), fires)

    def test_every_alert_has_rows(self):
        tested = {(row.alert, row.severity) for row in ROWS} | {("VxlanPipelineAbsent", "critical")}
        self.assertEqual(tested, {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS})


class Text(unittest.TestCase):
    """What people need of each rule, and what keeps instances apart."""

    def test_check(self):
        need_commands("promtool")
        result = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_alerts_are_complete(self):
        for rule in ALERTS:
            with self.subTest(rule["alert"]):
                self.assertEqual(set(rule), {"alert", "expr", "for", "labels", "annotations"})
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook_url"})
                self.assertRegex(rule["annotations"]["summary"], r"^[A-Z][^{}]*\.$")
                self.assertRegex(rule["alert"], r"^VxlanPipeline[A-Z]\w+$")

    def test_critical_comes_with_a_warning_before_it(self):
        """Of two severities, the warning asks for less, or waits longer."""
        for name in {rule["alert"] for rule in ALERTS}:
            severities = [rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == name]
            with self.subTest(name):
                self.assertIn(severities, (["warning", "critical"], ["warning"], ["critical"], ["info"]))

    def test_dimensions(self):
        """Every aggregation says which labels it takes away, so that instances stay apart."""
        for expression in EXPRESSIONS:
            with self.subTest(expression):
                for aggregation in re.findall(r"\b(?:sum|count|min|max|avg|topk)\b\s*(\w*)", expression):
                    self.assertEqual(aggregation, "without")
                for labels in re.findall(r"without \((.*?)\)", expression):
                    self.assertFalse({"instance", "job"} & set(re.split(", *", labels)))

    def test_metrics_that_there_are(self):
        """Every metric and label is in docs/metrics.md, and none of them is deprecated."""
        known, recorded = documented(), {rule["record"] for rule in RECORDED}
        self.assertGreater(len(known), 35)
        queries = re.findall(r'printf "(.*?)" \$', yaml.safe_dump(ALERTS, width=10000).replace('\\', ''))
        self.assertGreater(len(queries), 2)
        for expression in EXPRESSIONS + queries + [row["series"] for row in series("", {})]:
            with self.subTest(expression):
                self.assertEqual(list(unknown(expression, known, recorded)), [])

    def test_losses_that_there_are(self):
        """Each reason of a loss that the rules or their tests name stands in the sources."""
        text = ""
        for path in ("src/net/driver_counters.c", "src/observe/loss.c", "bpf/losses.h", "bpf/verdicts.h"):
            with open(os.path.join(program.ROOT, path), encoding="utf-8") as file:
                text += file.read()
        selectors = [row["series"] for change in [{}, *(row.fires for row in ROWS)] for row in series("", change)
                     if "lost_packets_total" in row["series"]]
        for expression in EXPRESSIONS + selectors:
            for name in re.findall(r'reason=~?"([\w()|]+)"', expression):
                for each in ([name.replace("(in|out)", side) for side in ("in", "out")] if "(" in name else [name]):
                    with self.subTest(each):
                        self.assertRegex(text, rf"\b{each}\b")

    def test_verdicts_that_there_are(self):
        for expression in EXPRESSIONS:
            for verdicts in re.findall(r'verdict[=!]~?"([^"]*)"', expression):
                with self.subTest(expression):
                    self.assertLessEqual(set(verdicts.split("|")), program.VERDICTS)

    def test_losses_leave_out_what_the_verdicts_say(self):
        """lost_packets_total{place="program"} repeats verdicts: every selector names another place, or a reason."""
        for expression in EXPRESSIONS:
            for name, labels in named(expression):
                if name == "vxlan_pipeline_lost_packets_total":
                    with self.subTest(expression):
                        self.assertTrue({"place", "reason"} & set(labels))
                        self.assertNotIn('"program"', expression)


class Runbook(unittest.TestCase):
    """docs/runbook.md has a section for each alert, under the heading that runbook_url leads to."""

    PARTS = ("What it means", "Look first", "Causes", "What mends it", "When to escalate")

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(program.ROOT, "docs", "runbook.md"), encoding="utf-8") as file:
            text = file.read()
        cls.sections = dict(re.findall(r"^## (VxlanPipeline\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))

    def test_sections(self):
        self.assertEqual(list(self.sections), list(dict.fromkeys(rule["alert"] for rule in ALERTS)),
                         "the alerts, in their order")

    def test_links(self):
        for rule in ALERTS:
            with self.subTest(rule["alert"]):
                self.assertRegex(rule["annotations"]["runbook_url"],
                                 rf"^https://[\w./-]+/docs/runbook\.md#{rule['alert'].lower()}$")

    def test_parts(self):
        for name, text in self.sections.items():
            with self.subTest(name):
                self.assertEqual(re.findall(r"^\*\*(.*?)\.\*\*", text, re.M), list(self.PARTS))
                for severity in {rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == name}:
                    self.assertIn(severity, text.split("\n\n")[0] + text.split("\n\n")[1])

    def test_commands(self):
        """Each section shows a command, and what is a command of the product is one."""
        help_text = subprocess.run([program.PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        for name, text in self.sections.items():
            with self.subTest(name):
                blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S))
                self.assertTrue(blocks)
                for command in re.findall(r"vxlan-pipeline ([a-z]+)", blocks):
                    self.assertRegex(help_text, rf"(?m)^\s+{command}\b")
