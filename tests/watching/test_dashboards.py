# SPDX-License-Identifier: GPL-2.0-only
"""The dashboards as files: what Grafana's schema, its linter and its PromQL parser say of them."""

import json
import os
import re
import subprocess
import unittest

from lib import program
from lib.command import need_commands

import boards

# Of Grafana's units, those that fit what we show.
UNITS = {"pps", "bps", "bytes", "s", "percentunit", "none", "short", "dateTimeFromNow"}
OPTIONS = {"timeseries": "TimeSeries", "stat": "Stat", "table": "Table", "heatmap": "Heatmap",
           "state-timeline": "StateTimeline"}

PRELUDE = """
import type { AnnotationQuery, Dashboard, DataQuery } from "@grafana/schema";
%s
// Queries of panels may have any key; those of annotations are Prometheus' as well.
type Annotated = Omit<Dashboard, "annotations"> & { annotations?: { list?: AnnotationQuery<DataQuery & { expr: string }>[] } };
// A file of JSON has the values of an enumeration, not its names.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
	: T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def need_modules():
    need_commands("node")
    if not os.path.isdir(boards.MODULES):
        raise unittest.SkipTest("this machine has no npm modules in build/watching: `make deps-watching`")


class Schema(unittest.TestCase):
    """TypeScript holds the JSON to @grafana/schema: the dashboard, and the options of its panels."""

    def typescript(self, dashboard):
        imports = [f'import type * as {kind} from "@grafana/schema/dist/esm/raw/composable/'
                   f'{kind.lower()}/panelcfg/x/{kind}PanelCfg_types.gen";' for kind in OPTIONS.values()]
        yield PRELUDE % "\n".join(imports)
        yield f"export const dashboard = {json.dumps(dashboard, indent=1)} satisfies Plain<Partial<Annotated>>;"
        for panel in boards.panels(dashboard):
            kind = OPTIONS[panel["type"]]
            yield f"// {panel['title']}"
            yield f"({json.dumps(panel['options'])}) satisfies Plain<Partial<{kind}.Options>>;"
            custom = panel["fieldConfig"]["defaults"].get("custom")
            if custom:
                yield f"({json.dumps(custom)}) satisfies Plain<Partial<{kind}.FieldConfig>>;"

    def complaints(self, **dashboards):
        """What tsc says of each: {name: [line]}"""
        need_modules()
        folder = os.path.join(os.path.dirname(boards.MODULES), "check")
        os.makedirs(folder, exist_ok=True)
        for name, dashboard in dashboards.items():
            with open(os.path.join(folder, f"{name}.ts"), "w", encoding="utf-8") as file:
                file.write("\n".join(self.typescript(dashboard)))
        said = subprocess.run(
            ["node", os.path.join(boards.MODULES, "typescript", "bin", "tsc"), "--noEmit", "--strict",
             "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022",
             *(f"{name}.ts" for name in dashboards)], cwd=folder, capture_output=True, text=True,
            check=False)
        self.assertIn(said.returncode, (0, 1, 2), said.stdout + said.stderr)
        return {name: re.findall(rf"^{name}\.ts.*", said.stdout, re.M) for name in dashboards}

    def test_schema(self):
        """Nothing to complain of; and a misspelt key or a wrong type, of panels and their options, is found."""
        wrong = {}
        for name, change in (("misspelt", lambda d: d.update(titel="x")),
                             ("type", lambda d: d.update(editable="no")),
                             ("option", lambda d: d["panels"][1]["options"].update(graphMod="none")),
                             ("value", lambda d: d["panels"][1]["options"].update(graphMode="areas"))):
            wrong[name] = boards.load("fleet.json")
            change(wrong[name])
        found = self.complaints(fleet=boards.load("fleet.json"), appliance=boards.load("appliance.json"), **wrong)
        for name, lines in found.items():
            with self.subTest(name):
                if name in wrong:
                    self.assertTrue(lines)
                else:
                    self.assertEqual(lines, [])


class Linter(unittest.TestCase):
    """The rules of grafana/dashboard-linter, by their names there, and rules of our own."""

    @staticmethod
    def variables():
        """(name, (dashboard, {variable: its row}))"""
        for name in boards.NAMES:
            dashboard = boards.load(name)
            yield name, (dashboard, {row["name"]: row for row in dashboard["templating"]["list"]})

    def every_panel(self):
        for name, (dashboard, _) in self.variables():
            for panel in boards.panels(dashboard):
                yield f"{name}: {panel['title']}", panel

    def every_query(self):
        for name, (dashboard, _) in self.variables():
            for panel, target in boards.targets(dashboard):
                yield f"{name}: {target['expr']}", (panel, target)

    def test_made(self):
        """The files are what dist/grafana/dashboards.py makes."""
        for name, text in boards.made().items():
            with self.subTest(name):
                self.assertTrue(boards.text(name) == text, "run dist/grafana/dashboards.py, and commit what it writes")

    def test_template_datasource_rule(self):
        for what, (_, variables) in self.variables():
            with self.subTest(what):
                self.assertEqual((variables["datasource"]["type"], variables["datasource"]["query"],
                                  variables["datasource"]["label"]), ("datasource", "prometheus", "Data source"))

    def test_template_job_and_instance_rules(self):
        for what, (_, variables) in self.variables():
            with self.subTest(what):
                for name, label in (("job", "Job"), ("instance", "Instance")):
                    row = variables[name]
                    self.assertEqual((row["type"], row["label"], row["multi"], row["allValue"],
                                      row["datasource"]["uid"]), ("query", label, True, ".+", "${datasource}"))

    def test_template_on_time_change_reload_rule(self):
        for what, (_, variables) in self.variables():
            with self.subTest(what):
                for name in ("job", "instance"):
                    self.assertEqual(variables[name]["refresh"], 2)

    def test_uneditable_dashboard_rule(self):
        for what, (dashboard, _) in self.variables():
            with self.subTest(what):
                self.assertIs(dashboard["editable"], False)

    def test_panel_datasource_rule(self):
        for what, panel in self.every_panel():
            with self.subTest(what):
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")
        for what, (_, target) in self.every_query():
            with self.subTest(what):
                self.assertIn(target.get("datasource", {"uid": "${datasource}"})["uid"], ("${datasource}",))

    def test_panel_title_description_rule(self):
        for what, panel in self.every_panel():
            with self.subTest(what):
                self.assertRegex(panel["title"], r"^[A-Z].*[^.]$")
                self.assertRegex(panel["description"], r"^[A-Z].*\.$")

    def test_panel_units_rule(self):
        for what, panel in self.every_panel():
            with self.subTest(what):
                self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS)

    def test_panel_no_targets_rule(self):
        for what, panel in self.every_panel():
            with self.subTest(what):
                self.assertTrue(panel["targets"])
                references = [target["refId"] for target in panel["targets"]]
                self.assertEqual(len(references), len(set(references)))

    def test_target_rate_interval_rule(self):
        for what, (_, target) in self.every_query():
            with self.subTest(what):
                for window in re.findall(r"(?:rate|increase)\([^()]*\[([^]]*)\]", target["expr"]):
                    self.assertEqual(window, "$__rate_interval")

    def test_target_job_and_instance_rules(self):
        for what, (_, target) in self.every_query():
            with self.subTest(what):
                selectors = re.findall(r"(?:vxlan_pipeline_\w+|process_\w+|\bup\b|\bALERTS\b)({[^}]*})?", target["expr"])
                self.assertTrue(selectors)
                for selector in selectors:
                    self.assertIn('job=~"$job",instance=~"$instance"', selector)

    def test_target_counter_agg_rule(self):
        """Counters stand within rate()."""
        for what, (_, target) in self.every_query():
            with self.subTest(what):
                for before in re.findall(r"(\w*\(?)\b(?:vxlan_pipeline|process)_\w+_(?:total|bucket)\b", target["expr"]):
                    self.assertEqual(before, "rate(")

    def test_target_promql_rule(self):
        """Grafana's own parser reads every expression, and every one of the alerts."""
        need_modules()
        expressions = [boards.filled_in(target["expr"], "5m") for _, (_, target) in self.every_query()]
        said = subprocess.run(["node", os.path.join(program.ROOT, "tests", "watching", "parse.js"), boards.MODULES],
                              input=json.dumps(expressions + ["sum by (a"]), capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(said.stdout), ["sum by (a"])

    def test_rows(self):
        """Two rows are open, the others are not: nobody waits for what is not looked at."""
        for what, (dashboard, _) in self.variables():
            with self.subTest(what):
                rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
                self.assertGreater(len(rows), 3)
                self.assertEqual([row["collapsed"] for row in rows], [False] * 2 + [True] * (len(rows) - 2))

    def test_bounded(self):
        """What may have any number of series shows ten."""
        for what, (panel, target) in self.every_query():
            with self.subTest(what):
                if panel and panel["type"] == "timeseries" and \
                        re.search(r"by \([^)]*\b(?:rule|vni)\b", target["expr"]):
                    self.assertRegex(target["expr"], r"^topk\(10, ")

    def test_places(self):
        """No panel covers another one, nor leaves the page."""
        for what, (dashboard, _) in self.variables():
            with self.subTest(what):
                for group in [dashboard["panels"]] + [row.get("panels", []) for row in dashboard["panels"]]:
                    taken = set()
                    for panel in group:
                        grid = panel["gridPos"]
                        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
                        self.assertFalse(cells & taken, panel["title"])
                        self.assertLessEqual(grid["x"] + grid["w"], 24)
                        taken |= cells
                identities = [panel["id"] for panel in dashboard["panels"]] + \
                    [panel["id"] for row in dashboard["panels"] for panel in row.get("panels", [])]
                self.assertEqual(len(identities), len(set(identities)))
