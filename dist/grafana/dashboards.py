#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Writes the dashboards that users import, fleet.json and appliance.json, from the tables below.

Whoever changes a table runs this and commits both; tests/watching holds them to each other.
"""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SELECTED = 'job=~"$job",instance=~"$instance"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8e8e8e"

# What left, what was left to the kernel, what the configuration drops, what could not be handled.
COLOURS = {
    "redirected": "green", "transmitted": "semi-dark-green", "fragmented": "light-green", "passed": "blue",
    "not_tunnel": "#b8b8b8", "outer_fragment": "#d0d0d0", "source_denied": "#8e8e8e", "unknown_vni": "#7a7a7a",
    "unmatched": "#696969", "inner_not_ip": "#575757", "malformed": "orange", "bad_vxlan": "light-orange",
    "truncated": "dark-orange", "oversize": "light-red", "no_route": "red", "error": "dark-red",
}


def metric(name, *matchers):
    """The series of the chosen appliances; `name` as in docs/metrics.md."""
    prefix = "" if name in ("up", "ALERTS") or name.startswith("process_") else "vxlan_pipeline_"
    return f"{prefix}{name}{{{','.join([SELECTED, *matchers])}}}"


def rate(name, *matchers):
    return f"rate({metric(name, *matchers)}[$__rate_interval])"


def total(name, *matchers, by=""):
    """The rate of the chosen appliances together, by labels."""
    return f"sum{f' by ({by}) ' if by else ''}({rate(name, *matchers)})"


def top(expression):
    return f"topk(10, {expression})"


TUNNEL = 'verdict!~"not_tunnel|outer_fragment"'
LOST = 'place!="program"'
DEGRADED = 'condition="degraded"'
ALLOWANCE = 'reason=~".+_allowance_exceeded"'
FAULT, UNREACHED = 'cause="fault"', 'state=~"failed|unknown"'
FAULTS = f"{total('dropped_packets_total', FAULT)} / ({total('packets_total', TUNNEL)} > 0)"


def target(expression, legend="", **more):
    return {"datasource": DATASOURCE, "expr": expression, "legendFormat": legend or "__auto", "range": True, **more}


def once(expression, **more):
    """A query of the last moment, of which a table is made."""
    return {"datasource": DATASOURCE, "expr": expression, "legendFormat": "__auto", "range": False, "instant": True,
            "format": "table", **more}


def steps(*pairs):
    """Colours from a value on; the first one has none."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in pairs]}


def words_of(words):
    """The mapping of {value: (word, colour)}."""
    return [{"type": "value", "options": {value: {"text": word, "color": colour, "index": index}
                                          for index, (value, (word, colour)) in enumerate(words.items())}}]


def panel(kind, title, description, width, height, unit, targets, options, defaults=None, overrides=(), **more):
    for number, row in enumerate(targets):
        row["refId"] = chr(ord("A") + number)
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "gridPos": {"w": width, "h": height, "x": 0, "y": 0}, "targets": targets, "options": options,
            "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)}, **more}


def stat(title, description, expression, unit="none", width=4, thresholds=None, words=None, **more):
    """One number. `words`: {value: (word, colour)}"""
    defaults = {"thresholds": thresholds or steps((None, BLUE)), "color": {"mode": "thresholds"}, **more}
    if words:
        defaults["mappings"] = words_of(words)
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "auto",
               "textMode": "auto", "colorMode": "background" if words else "value", "justifyMode": "auto",
               "graphMode": "none" if words else "area", "wideLayout": True, "showPercentChange": False}
    return panel("stat", title, description, width, 4, unit, [target(expression)], options, defaults)


def lines(title, description, *queries, unit="pps", width=12, stacked=False, colours=None, limits=None, height=8,
          **defaults):
    """Lines over time. `queries`: (expression, legend); `limits`: thresholds that are drawn."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stacked else 8, "showPoints": "never",
              "spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    given = {"custom": custom, "min": 0, "color": {"mode": "palette-classic"}, **defaults}
    if limits:
        given["thresholds"] = limits
        custom["thresholdsStyle"] = {"mode": "line"}
    overrides = [{"matcher": {"id": "byName", "options": name},
                  "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]}
                 for name, colour in (colours or {}).items()]
    options = {"legend": {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["lastNotNull", "max"],
                          "sortBy": "Last *", "sortDesc": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, width, height, unit, [target(*query) for query in queries], options,
                 given, overrides)


def heat(title, description, name, unit):
    """How many of which size, over time: a classic histogram."""
    options = {"calculate": False, "cellGap": 1, "showValue": "never",
               "color": {"mode": "scheme", "scheme": "Blues", "fill": "dark-blue", "exponent": 0.5, "reverse": False,
                         "steps": 64},
               "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
               "legend": {"show": True}, "rowsFrame": {"layout": "auto"},
               "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
               "yAxis": {"axisPlacement": "left", "unit": unit}}
    return panel("heatmap", title, description, 12, 8, unit,
                 [target(total(f"{name}_bucket", by="le"), "{{le}}", format="heatmap")], options)


def states(title, description, expression, legend, words, width=24):
    """What each was at which time. `words`: {value: (word, colour)}"""
    options = {"mergeValues": True, "rowHeight": 0.9, "showValue": "never", "alignValue": "left",
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
               "tooltip": {"mode": "single", "sort": "none"}}
    return panel("state-timeline", title, description, width, 8, "none", [target(expression, legend)], options,
                 {"mappings": words_of(words), "color": {"mode": "thresholds"}, "thresholds": steps((None, GREY)),
                  "custom": {"fillOpacity": 80, "lineWidth": 0}})


def table(title, description, *queries, hide=(), names=None, units=None, links=None, words=None, width=24, height=8):
    """
    A row for each set of labels. `queries`: expressions; `hide`: columns; `names`: of columns, after "Value #A" and so
    on; `units`: of columns by their names; `links`: {column: where it leads}; `words`: {column: {value: (word, colour)}}.
    """
    organize = {"excludeByName": {column: True for column in ("Time", *hide)}, "renameByName": names or {},
                "indexByName": {}}
    overrides = [{"matcher": {"id": "byName", "options": column}, "properties": [{"id": "unit", "value": unit}]}
                 for column, unit in (units or {}).items()]
    overrides += [{"matcher": {"id": "byName", "options": column},
                   "properties": [{"id": "links", "value": [{"title": "Show this appliance", "url": url}]}]}
                  for column, url in (links or {}).items()]
    overrides += [{"matcher": {"id": "byName", "options": column},
                   "properties": [{"id": "mappings", "value": words_of(its)},
                                  {"id": "custom.cellOptions", "value": {"type": "color-text"}}]}
                  for column, its in (words or {}).items()]
    return panel("table", title, description, width, height, "none", [once(query) for query in queries],
                 {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
                 {"custom": {"align": "auto", "filterable": False}}, overrides,
                 transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}])


SCRAPED = ("__name__", "job")
TO_APPLIANCE = "/d/vxlan-pipeline-appliance?var-datasource=${datasource}&var-job=$job&var-instance=${__data.fields.instance}"
WELL = {"0": ("bad", RED), "1": ("well", GREEN)}
FAULT_STEPS = steps((None, GREEN), (0.01, ORANGE), (0.5, RED))
ANY_STEPS = steps((None, GREEN), (0.001, ORANGE))

# (title, open?, panels)
APPLIANCE = (
    ("Is it well?", True, (
        stat("Health", "Whether /healthz answers 200. Bad: a load balancer sends new flows elsewhere.",
             f"min({metric('healthy')})", words=WELL),
        stat("Arriving", "Frames that reach the program, a second; through the tunnel or not.",
             total("packets_total"), "pps", thresholds=steps((None, BLUE))),
        stat("Leaving", "IP packets that leave, a second; each fragment counts.", total("sent_packets_total"), "pps",
             thresholds=steps((None, BLUE))),
        stat("Dropped by faults", "The share of what comes through the tunnel that is dropped although it should leave. "
             "Health is degraded from 1 in 100 on, and bad from 1 in 2.", FAULTS, "percentunit", thresholds=FAULT_STEPS),
        stat("Lost", "Packets that the network interfaces or the kernel lose, a second. Anything but 0 is to be looked "
             "at.", total("lost_packets_total", LOST), "pps", thresholds=ANY_STEPS),
        stat("Targets that do not answer", "Targets of rules whose next hop is not known. Packets for them may be dropped.",
             f"sum({metric('next_hops', UNREACHED)})", thresholds=ANY_STEPS),
        table("Why it is not well", "Each reason; empty while the condition is good. docs/operations.md has what to do.",
              metric("condition"), hide=(*SCRAPED, "Value"), width=16, height=6),
        table("What it is", "Interfaces, mode and version. Generic mode is slower than native mode.",
              f"{metric('interface_info')} * on (job, instance) group_left (version) {metric('build_info')}",
              hide=(*SCRAPED, "Value"), width=8, height=6))),
    ("Packets", True, (
        lines("What becomes of them", "Frames by verdict. Green leaves, grey is dropped or left alone as configured, orange "
              "and red could not be handled.", (total("packets_total", by="verdict") + " > 0", "{{verdict}}"),
              stacked=True, colours=COLOURS),
        lines("Through the wire", "Bits a second, as the frames come and as they leave.",
              (f"8 * {total('bytes_total')}", "in"), (f"8 * {total('sent_bytes_total')}", "out"), unit="bps"),
        lines("Dropped, because the configuration says so", "By verdict. This is intended; a rise may be a change of what is "
              "mirrored.", (total("dropped_packets_total", 'cause="configuration"', by="verdict"), "{{verdict}}"),
              width=8, colours=COLOURS),
        lines("Dropped, because of a fault", "By verdict. docs/runbook.md, VxlanPipelineFaultDrops, says what to do.",
              (total("dropped_packets_total", 'cause="fault"', by="verdict"), "{{verdict}}"), width=8, colours=COLOURS),
        lines("Lost, by place", "At the network interface, on the way out, and in the kernel. What the mirrored host did not "
              "mirror, CloudWatch knows.",
              (total("lost_packets_total", LOST, by="place"), "{{place}}"), width=8))),
    ("Top ten", False, (
        lines("Rules by packets", "The ten rules that re-address most packets.",
              (top(total("rule_packets_total", by="rule, to")), "{{rule}} → {{to}}")),
        lines("Rules by bits", "The ten rules that re-address most bits, of the frames as they came.",
              (top("8 * " + total("rule_bytes_total", by="rule, to")), "{{rule}} → {{to}}"), unit="bps"),
        lines("VNIs by packets", "The ten VNIs with most packets; `other` are those without a row of their own.",
              (top(total("vni_packets_total", by="vni")), "VNI {{vni}}")),
        lines("VNIs by bits", "The ten VNIs with most bits, of the frames as they came.",
              (top("8 * " + total("vni_bytes_total", by="vni")), "VNI {{vni}}"), unit="bps"))),
    ("Sizes and times", False, (
        heat("Sizes of frames", "Frames as they come, by their size.", "packet_size_bytes", "bytes"),
        heat("Time in the program", "One packet in 1024, by the time that the program took for it.",
             "program_duration_seconds", "s"),
        lines("Sizes", "Half of the frames, and all but one in a hundred, are at most so large.",
              *((f"histogram_quantile({share}, {total('packet_size_bytes_bucket', by='le')})", name)
                for share, name in ((0.5, "half"), (0.99, "99 of 100"))), unit="bytes"),
        lines("Times", "Half of the packets, and all but one in a hundred, take at most so long.",
              *((f"histogram_quantile({share}, {total('program_duration_seconds_bucket', by='le')})", name)
                for share, name in ((0.5, "half"), (0.99, "99 of 100"))), unit="s"))),
    ("Ways out", False, (
        lines("Next hops", "Targets of rules by what is known of their next hop.",
              (f"sum by (state) ({metric('next_hops')})", "{{state}}"), unit="none", width=8, stacked=True,
              colours={"resolved": GREEN, "local": BLUE, "unknown": ORANGE, "failed": RED}),
        lines("Fragments made", "ENA drops what exceeds 1024 fragments a second, unless its driver was loaded with "
              "enable_frag_bypass=1.", (total("fragments_total"), "fragments"), width=8,
              limits=steps((None, "transparent"), (1024, RED))),
        lines("What happened on the way", "Events of packets: docs/verdicts.md says what each means.",
              (total("events_total", by="event"), "{{event}}"), width=8))),
    ("Losses and limits", False, (
        lines("Lost, by reason, top ten", "Statistics of the interface, and what the kernel refused; docs/operations.md has "
              "each.",
              (top(total("lost_packets_total", LOST, by="place, interface, reason")), "{{place}} {{reason}} {{interface}}"),
              width=8),
        lines("Allowances of the instance type", "EC2 delays or drops what exceeds them. On other machines this stays empty.",
              (total("lost_packets_total", ALLOWANCE, by="interface, reason"),
               "{{interface}} {{reason}}"), width=8),
        lines("Connections that can still be tracked", "At 0, EC2 drops packets of new connections. Security groups that "
              "allow UDP 4789 from everywhere are not tracked.",
              (f"min by (interface) ({metric('conntrack_allowance_available')})", "{{interface}}"), unit="short",
              width=8))),
    ("Daemon and configuration", False, (
        stat("Daemon", "Whether a daemon runs. Without one, packets go on as they are configured.",
             f"min({metric('daemon_running')})", words={"0": ("none", RED), "1": ("runs", GREEN)}),
        stat("Last sign of life", "Age of the control loop's heartbeat.",
             f"max(time() - {metric('heartbeat_timestamp_seconds')})", "s",
             thresholds=steps((None, GREEN), (90, ORANGE), (300, RED))),
        stat("Last reload", "A failed one changes nothing, but the file has an error.",
             f"min({metric('last_reload_successful')})", words={"0": ("failed", RED), "1": ("succeeded", GREEN)}),
        stat("Configuration applied", "When the configuration that runs came into force.",
             f"1000 * max({metric('config_timestamp_seconds')})", "dateTimeFromNow"),
        stat("Attached", "When the datapath was attached; its counters begin there.",
             f"1000 * max({metric('attached_timestamp_seconds')})", "dateTimeFromNow"),
        stat("Without series of their own", "Rules and VNIs that /metrics leaves out; `stats` has all of them.",
             f"sum({metric('rule_series_omitted')}) + sum({metric('vni_series_omitted')})"),
        lines("CPU of the daemon", "The datapath is not in it: the kernel counts that as softirq.",
              (f"sum by (instance) ({rate('process_cpu_seconds_total')})", "{{instance}}"), unit="percentunit", width=8),
        lines("Memory of the daemon", "Resident.", (f"sum by (instance) ({metric('process_resident_memory_bytes')})",
                                                    "{{instance}}"), unit="bytes", width=8),
        lines("File descriptors of the daemon", "Open, and how many may be.",
              (f"max({metric('process_open_fds')})", "open"), (f"min({metric('process_max_fds')})", "at most"),
              unit="none", width=8))),
)

FLEET = (
    ("The fleet", True, (
        stat("Appliances", "Instances that answer Prometheus.", f"sum({metric('up')})", width=3),
        stat("Do not answer", "Instances that Prometheus cannot scrape.", f"count({metric('up')}) - sum({metric('up')})",
             width=3, thresholds=steps((None, GREEN), (1, RED))),
        stat("Bad", "Appliances whose /healthz does not answer 200, drained ones included.",
             f"count({metric('healthy')}) - sum({metric('healthy')})", width=3,
             thresholds=steps((None, GREEN), (1, RED))),
        stat("Degraded", "Appliances that work, but with something about them to be mended.",
             f"count(count by (instance) ({metric('condition', DEGRADED)})) or vector(0)", width=3,
             thresholds=steps((None, GREEN), (1, ORANGE))),
        stat("Drained", "Appliances that an operator has taken away from the load balancer.",
             f"sum({metric('draining')})", thresholds=steps((None, GREEN), (1, ORANGE))),
        stat("Arriving", "Frames that reach the programs, a second.", total("packets_total"), "pps",
             thresholds=steps((None, BLUE))),
        stat("Leaving", "IP packets that leave, a second; each fragment counts.", total("sent_packets_total"), "pps",
             thresholds=steps((None, BLUE))),
        table("Appliances", "A row for each. Follow the name to its own page.", metric("healthy"),
              f"sum by (instance) ({rate('packets_total')})", f"sum by (instance) ({rate('sent_packets_total')})",
              f"sum by (instance) ({rate('dropped_packets_total', FAULT)})",
              f"sum by (instance) ({rate('lost_packets_total', LOST)})",
              hide=SCRAPED, names={"Value #A": "healthy", "Value #B": "arriving", "Value #C": "leaving",
                                   "Value #D": "dropped by faults", "Value #E": "lost"},
              units={"arriving": "pps", "leaving": "pps", "dropped by faults": "pps", "lost": "pps"},
              links={"instance": TO_APPLIANCE}, words={"healthy": WELL}, width=14),
        table("Why they are not well", "Each reason of each appliance; empty while all are good.", metric("condition"),
              hide=(*SCRAPED, "Value"), links={"instance": TO_APPLIANCE}, width=10),
        table("Alerts that fire", "Of the rules in dist/prometheus; docs/runbook.md has a section for each. Empty, too, where "
              "they are not loaded.", metric("ALERTS", 'alertstate="firing",alertname=~"VxlanPipeline.+"'),
              hide=("__name__", "alertstate", "Value"), links={"instance": TO_APPLIANCE}, height=7))),
    ("Traffic", True, (
        lines("Arriving, top ten", "Frames that reach the program of each appliance. A load balancer spreads flows, not "
              "packets: they need not be equal.",
              (top(f"sum by (instance) ({rate('packets_total')})"), "{{instance}}")),
        lines("Leaving, top ten", "IP packets that leave each appliance.",
              (top(f"sum by (instance) ({rate('sent_packets_total')})"), "{{instance}}")),
        lines("Dropped by faults, top ten", "The share of what comes through the tunnel of each appliance.",
              (top(f"sum by (instance) ({rate('dropped_packets_total', FAULT)})" +
                   f" / (sum by (instance) ({rate('packets_total', TUNNEL)}) > 0)"), "{{instance}}"), unit="percentunit"),
        lines("Lost, top ten", "By the network interfaces, on the way out and by the kernel.",
              (top(f"sum by (instance, place) ({rate('lost_packets_total', LOST)})"), "{{instance}} {{place}}")))),
    ("Health over time", False, (
        states("Health", "Whether /healthz answered 200.", f"min by (instance) ({metric('healthy')})", "{{instance}}", WELL),
        lines("Targets that do not answer, top ten", "Next hops of rules' targets that are failed or unknown. The same number "
              "everywhere: look at the collector.",
              (top(f"sum by (instance) ({metric('next_hops', UNREACHED)})"), "{{instance}}"), unit="none", width=24))),
    ("Versions and configurations", False, (
        lines("Versions", "Appliances by the version that runs. Two during a rollout, one after it.",
              (f"count by (version) ({metric('build_info')})", "{{version}}"), unit="none", width=8, stacked=True),
        lines("Modes", "Appliances by XDP mode.", (f"count by (mode) ({metric('interface_info')})", "{{mode}}"),
              unit="none", width=8, stacked=True),
        lines("Rules", "Rules of the applied configurations: a fleet should have one number.",
              (f"count_values(\"rules\", {metric('rules')})", "{{rules}} rules"), unit="none", width=8, stacked=True),
        states("Last reload", "Whether the last reload succeeded.", f"min by (instance) ({metric('last_reload_successful')})",
               "{{instance}}", {"0": ("failed", RED), "1": ("succeeded", GREEN)}))),
    ("Limits", False, (
        lines("Time in the program, top ten", "All but one packet in a hundred take at most so long.",
              (top(f"histogram_quantile(0.99, sum by (instance, le) ({rate('program_duration_seconds_bucket')}))"),
               "{{instance}}"), unit="s"),
        lines("Fragments made, top ten", "ENA drops what exceeds 1024 fragments a second.",
              (top(f"sum by (instance) ({rate('fragments_total')})"), "{{instance}}"),
              limits=steps((None, "transparent"), (1024, RED))),
        lines("Allowances exceeded, top ten", "EC2 delays or drops what exceeds the instance type. On other machines this "
              "stays empty.",
              (top(f"sum by (instance, reason) ({rate('lost_packets_total', ALLOWANCE)})"), "{{instance}} {{reason}}")),
        lines("Connections that can still be tracked, lowest ten", "At 0, EC2 drops packets of new connections.",
              (f"bottomk(10, min by (instance) ({metric('conntrack_allowance_available')}))", "{{instance}}"),
              unit="short"))),
    ("Daemons", False, (
        lines("CPU, top ten", "Of the daemons; the datapath is not in it.",
              (top(f"sum by (instance) ({rate('process_cpu_seconds_total')})"), "{{instance}}"), unit="percentunit", width=8),
        lines("Memory, top ten", "Resident, of the daemons.",
              (top(f"sum by (instance) ({metric('process_resident_memory_bytes')})"), "{{instance}}"), unit="bytes", width=8),
        lines("Starts within the hour, top ten", "How often each daemon began anew.",
              (top(f"sum by (instance) (changes({metric('process_start_time_seconds')}[1h]))"), "{{instance}}"),
              unit="none", width=8))),
)


def place(rows):
    """Gives each panel its id and its place; collapsed rows hold their panels."""
    placed, number, y = [], 0, 0
    for title, is_open, panels in rows:
        number += 1
        row = {"type": "row", "id": number, "title": title, "collapsed": not is_open, "panels": [],
               "gridPos": {"w": 24, "h": 1, "x": 0, "y": y}}
        placed.append(row)
        x, y, tallest = 0, y + 1, 0
        for each in panels:
            number += 1
            grid = each["gridPos"]
            if x + grid["w"] > 24:
                x, y, tallest = 0, y + tallest, 0
            each.update(id=number, gridPos={**grid, "x": x, "y": y})
            x, tallest = x + grid["w"], max(tallest, grid["h"])
            (placed if is_open else row["panels"]).append(each)
        y += tallest if is_open else 0
    return placed


def variable(name, label, query, **more):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "multi": True, "allValue": ".+",
            "refresh": 2, "sort": 1, "hide": 0, "skipUrlSync": False,
            "query": {"query": query, "refId": f"variable-{name}"}, **more}


def dashboard(uid, title, description, rows, **instance):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["vxlan-pipeline"], "schemaVersion": 39,
        "version": 1, "editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"}, "fiscalYearStartMonth": 0, "liveNow": False, "weekStart": "",
        "links": [{"type": "dashboards", "title": "vxlan-pipeline", "tags": ["vxlan-pipeline"], "asDropdown": False,
                   "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "",
                   "url": ""}],
        "annotations": {"list": [
            {"name": "Configurations", "enable": True, "hide": False, "iconColor": "blue", "datasource": DATASOURCE,
             "target": {"refId": "annotation", "expr": f"changes({metric('config_generation')}[$__rate_interval]) > 0"}}]},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
             "multi": False, "includeAll": False, "refresh": 1, "skipUrlSync": False},
            variable("job", "Job", "label_values(vxlan_pipeline_build_info, job)", includeAll=False),
            variable("instance", "Instance", 'label_values(vxlan_pipeline_build_info{job=~"$job"}, instance)',
                     **instance)]},
        "panels": place(rows)}


DASHBOARDS = {
    "fleet.json": dashboard("vxlan-pipeline-fleet", "vxlan-pipeline: fleet",
                            "All appliances: which are well, what they carry, and where they differ.", FLEET,
                            includeAll=True),
    "appliance.json": dashboard("vxlan-pipeline-appliance", "vxlan-pipeline: appliance",
                                "One appliance: is it well, what becomes of its packets, and what it is near to. "
                                "Of several that are chosen, it shows the sum.", APPLIANCE, includeAll=False),
}


def written(name):
    return json.dumps(DASHBOARDS[name], indent=1, ensure_ascii=False) + "\n"


def main():
    for name in DASHBOARDS:
        with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
            file.write(written(name))


if __name__ == "__main__":
    main()
