# SPDX-License-Identifier: GPL-2.0-only
"""Prometheus and Alertmanager on the loopback of the appliance's network namespace."""

import json
import os
import re
import subprocess
import urllib.parse

import yaml

from lib import program
from lib.command import need_commands, wait_for
from lib.watch import PORT, Watched, request

PROMETHEUS, ALERTMANAGER = 9090, 9093
RULES = os.path.join(program.ROOT, "dist", "prometheus", "vxlan-pipeline.rules.yml")
JOB = "vxlan-pipeline"


def hurried(text):
    """Rules that look at seconds instead of minutes, and do not wait."""
    text = re.sub(r"\[(?:5m|1h)\]", "[10s]", text)
    return re.sub(r"^( +for:) .*$", r"\1 2s", text, flags=re.M)


class Server(Watched):
    """An instance, and the servers that a test starts beside it. All of them end with the test."""

    def setUp(self):
        need_commands("prometheus", "prometheus-alertmanager", "amtool", "promtool")
        super().setUp()

    def child(self, name, *words):
        """Starts a server; its log is a file of the test."""
        path = os.path.join(self.work.path, f"{name}.log")
        with open(path, "wb") as log:
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                self.appliance.command(*words), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.work.path)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def answers(self, port, path="/-/ready"):
        try:
            return request(self.appliance, path, port=port).status == 200
        except OSError:
            return False

    def start_alertmanager(self):
        config = {"route": {"receiver": "nobody", "group_wait": "0s", "group_interval": "1s"},
                  "receivers": [{"name": "nobody"}]}
        self.child("alertmanager", "prometheus-alertmanager", "--config.file",
                   self.work.file("alertmanager.yml", yaml.safe_dump(config)),
                   "--storage.path", os.path.join(self.work.path, "alertmanager"),
                   "--web.listen-address", f"127.0.0.1:{ALERTMANAGER}",
                   "--cluster.listen-address", "")
        wait_for(lambda: self.answers(ALERTMANAGER), 30, "Alertmanager")

    def start_prometheus(self, targets=(f"127.0.0.1:{PORT}",), rules=None):
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": list(targets)}]}],
            "alerting": {"alertmanagers": [
                {"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER}"]}]}]}}
        if rules:
            config["rule_files"] = [self.work.file("rules.yml", rules)]
        self.child("prometheus", "prometheus", "--config.file",
                   self.work.file("prometheus.yml", yaml.safe_dump(config)),
                   "--storage.tsdb.path", os.path.join(self.work.path, "prometheus"),
                   "--web.listen-address", f"127.0.0.1:{PROMETHEUS}", "--log.level", "warn")
        wait_for(lambda: self.answers(PROMETHEUS), 30, "Prometheus")

    def prometheus(self, path, **parameters):
        """What the API answers; fails if it refuses."""
        answer = request(self.appliance, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}",
                         port=PROMETHEUS, timeout=20).json()
        self.assertEqual(answer["status"], "success", answer)
        return answer["data"]

    def query(self, expression):
        return self.prometheus("query", query=expression)["result"]

    def alerts(self):
        """{(alert, severity): alert} of those that Alertmanager has as active."""
        said = self.appliance.run("amtool", "--alertmanager.url", f"http://127.0.0.1:{ALERTMANAGER}",
                                  "alert", "query", "--output", "json").stdout
        return {(alert["labels"]["alertname"], alert["labels"]["severity"]): alert
                for alert in json.loads(said)}
