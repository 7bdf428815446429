# SPDX-License-Identifier: GPL-2.0-only
"""Every panel of the dashboards, and every rule, against what Prometheus has scraped of real appliances."""

import re
import time

from lib.command import need_commands, wait_for

import boards
import picture
from appliances import ENA, Fleet
from servers import RULES, hurried


class Live(Fleet):
    def setUp(self):
        need_commands("chromium")
        super().setUp()
        self.start_fleet()
        with open(RULES, encoding="utf-8") as file:
            self.start_prometheus(self.TARGETS, rules=hurried(file.read()))
        self.began = time.time()

    def labels(self):
        """{metric: its labels} of all that was scraped."""
        found = {}
        for row in self.prometheus("series", **{"match[]": '{job="vxlan-pipeline"}'}):
            found.setdefault(row["__name__"], set()).update(row)
        return found

    def range(self, expression):
        now = time.time()
        return self.prometheus("query_range", query=expression, start=now - 40, end=now, step=1)["result"]

    def answer(self, target):
        expression = boards.filled_in(target["expr"])
        return self.query(expression) if target.get("instant") else self.range(expression)

    def test_fleet(self):
        wait_for(lambda: len(self.query("up == 1")) == len(self.TARGETS), 30, "three appliances")
        self.wait_for_every_verdict()
        time.sleep(max(0, self.began + 25 - time.time()))
        self.names()
        for stem in ("fleet", "appliance"):
            self.panels(stem)
        self.rules()

    def names(self):
        """Every metric and label that a dashboard names was scraped."""
        scraped = self.labels()
        for name in boards.NAMES:
            for _, target in boards.targets(boards.load(name)):
                with self.subTest(target["expr"]):
                    for metric, labels in re.findall(r"\b((?:vxlan_pipeline|process)_\w+|up|ALERTS)\b{([^}]*)}", target["expr"]):
                        self.assertIn(metric, scraped)
                        self.assertLessEqual(set(re.findall(r"(\w+)[=!]", re.sub('"[^"]*"', "", labels))), scraped[metric])
                    for by in re.findall(r"\bby \(([^)]*)\)", target["expr"]):
                        metric = re.search(r"\b((?:vxlan_pipeline|process)_\w+|up|ALERTS)\b{", target["expr"])[1]
                        self.assertLessEqual(set(by.split(", ")), scraped[metric])
                    for label in re.findall(r"{{(\w+)}}", target.get("legendFormat", "")):
                        self.assertTrue(label in target["expr"])

    def panels(self, stem):
        """Every query has an answer, and every panel its place in a picture."""
        dashboard, answers = boards.load(f"{stem}.json"), {}
        for panel, target in boards.targets(dashboard):
            with self.subTest(f"{stem}: {panel['title'] if panel else 'annotation'}: {target['expr']}"):
                if not panel:
                    self.answer(target)  # has none unless something happens
                    continue
                result = self.answer(target)
                answers.setdefault(panel["id"], []).append((target["legendFormat"], result))
                self.assertTrue(result, "no data")
                values = [value for row in result for _, value in row.get("values", [row.get("value")])]
                self.assertTrue(set(values) - {"NaN"}, "only NaN")
        with self.subTest(f"{stem}: the picture"):
            self.assertTrue(picture.draw(stem, dashboard, answers))

    def rules(self):
        """Every rule is evaluated without an error, and every recording rule records something."""
        for group in self.prometheus("rules")["groups"]:
            for rule in group["rules"]:
                with self.subTest(rule["name"]):
                    self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""))
                    if rule["type"] == "recording":
                        self.assertTrue(self.query(rule["name"]))
        firing = {row["metric"]["alertname"] for row in self.query('ALERTS{alertstate="firing"}')}
        self.assertLessEqual({"VxlanPipelineTargetsNotAnswering", "VxlanPipelineDegraded"}, firing)
        bandwidth = self.query(f'ALERTS{{alertname="VxlanPipelineBandwidthAllowanceExceeded",instance=~".+:{ENA}"}}')
        self.assertTrue(bandwidth)
