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

    def soon(self, condition, what):
        """Waits for what a busy machine scrapes or evaluates late; for all together, a minute."""
        return wait_for(condition, max(0, self.began + 85 - time.time()), what)

    def with_data(self, target):
        def answer():
            result = self.answer(target)
            values = {value for row in result for _, value in row.get("values", [row.get("value")])}
            return result if values - {"NaN"} else None
        return self.soon(answer, "data that is a number")

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
                result = self.with_data(target)
                answers.setdefault(panel["id"], []).append((target["legendFormat"], result))
        with self.subTest(f"{stem}: the picture"):
            self.assertTrue(picture.draw(stem, dashboard, answers))

    def evaluated(self):
        """Every rule, once none is left that was never evaluated."""
        rules = [rule for group in self.prometheus("rules")["groups"] for rule in group["rules"]]
        return None if any(rule["health"] == "unknown" for rule in rules) else rules

    def rules(self):
        """Every rule is evaluated without an error, and every recording rule records something."""
        for rule in self.soon(self.evaluated, "each rule to be evaluated"):
            with self.subTest(rule["name"]):
                self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""))
                if rule["type"] == "recording":
                    self.soon(lambda name=rule["name"]: self.query(name), "what it records")
        for name, more in (("TargetsNotAnswering", 'alertstate="firing"'), ("Degraded", 'alertstate="firing"'),
                           ("BandwidthAllowanceExceeded", f'instance=~".+:{ENA}"')):
            alert = f'ALERTS{{alertname="VxlanPipeline{name}",{more}}}'
            self.soon(lambda alert=alert: self.query(alert), alert)
