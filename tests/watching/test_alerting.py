# SPDX-License-Identifier: GPL-2.0-only
"""From a fault to Alertmanager, with the real daemon, the real Prometheus and our rules."""

import os
import re
import subprocess
import time

from lib import program
from lib.command import need_commands, wait_for
from lib.life import TARGETS, Traffic
from lib.program import PATIENCE

from servers import RULES, Server, hurried

TOLD_WITHIN = 15  # seconds, of a scrape, two evaluations and the 2 s for which a fault has to last


class Alerting(Server):
    """Faults of the network and of the daemon, one after the other, as an operator is told of them."""

    def setUp(self):
        super().setUp()
        self.start()
        self.start_alertmanager()
        with open(RULES, encoding="utf-8") as file:
            self.start_prometheus(rules=hurried(file.read()))
        wait_for(lambda: self.query("up == 1"), 30, "the first scrape")

    def told(self, alert, severity, says):
        """Waits until Alertmanager has this alert."""
        found = wait_for(lambda: self.alerts().get((alert, severity)), TOLD_WITHIN, alert)
        self.assertEqual(found["labels"]["instance"], "127.0.0.1:9789")
        self.assertEqual(found["labels"]["job"], "vxlan-pipeline")
        self.assertRegex(found["annotations"]["description"], says)
        self.assertRegex(found["annotations"]["runbook_url"], f"/docs/runbook.md#{alert.lower()}$")

    def told_nothing(self, what):
        wait_for(lambda: not self.alerts(), 2 * TOLD_WITHIN, f"{what}; {self.alerts().keys()}")

    def test_faults(self):
        with Traffic(self, pause=0.02):
            self.told_nothing("no alert of what is well")
            time.sleep(4 * PATIENCE)
            self.assertEqual(self.alerts(), {}, "after the rules have been looked at")
            self.carrier()
            self.neighbour()
            self.gone()

    def carrier(self):
        """The collector's link goes down, and up again."""
        self.collector.ip("link", "set", "c0", "down")
        self.told("VxlanPipelineBad", "critical", "127.0.0.1:9789 is bad: .*out0 has no carrier")
        self.collector.ip("link", "set", "c0", "up")
        self.know_neighbour()
        self.told_nothing("the link is up")

    def neighbour(self):
        """The collector does not answer any more."""
        address = TARGETS[0].split(":")[0]
        self.collector.ip("addr", "del", f"{address}/24", "dev", "c0")
        self.appliance.ip("neigh", "replace", address, "dev", "out0", "nud", "failed")
        self.told("VxlanPipelineTargetsNotAnswering", "critical", "None of the 1 targets")
        self.told("VxlanPipelineBad", "critical", rf"{address} \(rule .*does not answer")
        self.told("VxlanPipelineNoRoute", "warning", "no_route")
        self.collector.ip("addr", "add", f"{address}/24", "dev", "c0")
        self.know_neighbour()
        self.told_nothing("the collector answers")

    def gone(self):
        """The daemon is killed, and another one takes over."""
        self.daemon.kill()
        self.told("VxlanPipelineDown", "critical", "127.0.0.1:9789 cannot be scraped")
        self.assertTrue(self.verdicts().get("redirected"), "packets go on")
        self.start()
        self.told_nothing("a daemon answers")


class Examples(Server):
    """What docs/monitoring.md shows is what these programs read."""

    def test_configurations(self):
        with open(os.path.join(program.ROOT, "docs", "monitoring.md"), encoding="utf-8") as file:
            blocks = re.findall(r"(?:^    .*\n)+", file.read(), re.M)
        blocks = [re.sub(r"^    ", "", block, flags=re.M) for block in blocks]
        for first, checker in (("scrape_configs:", ("promtool", "check", "config", "--syntax-only")),
                               ("rule_files:", ("promtool", "check", "config", "--syntax-only")),
                               ("route:", ("amtool", "check-config"))):
            examples = [block for block in blocks if block.startswith(first)]
            self.assertTrue(examples)
            for text in examples:
                with self.subTest(text):
                    result = subprocess.run([*checker, self.work.file("example.yml", text)],
                                            capture_output=True, text=True, check=False)
                    self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_rules_can_be_changed(self):
        """The commands that give the job another name, and the runbook another place, do so everywhere."""
        need_commands("sed")
        with open(os.path.join(program.ROOT, "docs", "monitoring.md"), encoding="utf-8") as file:
            commands = re.findall(r"^    (sed -i .*)$", file.read(), re.M)
        with open(RULES, encoding="utf-8") as file:
            self.work.file("vxlan-pipeline.rules.yml", file.read())
        for command in commands:
            subprocess.run(command, shell=True, cwd=self.work.path, check=True)
        with open(os.path.join(self.work.path, "vxlan-pipeline.rules.yml"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(len(commands), 2)
        self.assertNotIn("vxlan-pipeline.invalid", text)
        self.assertNotIn('job="vxlan-pipeline"', text)
        self.assertIn('up{job="NAME"} == 0', text)
