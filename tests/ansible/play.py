# SPDX-License-Identifier: GPL-2.0-only
"""Runs ansible-playbook on the control node of a lab, and reads what it says."""

import collections
import json
import os
import re
import signal
import subprocess
import threading
import time

from lib import program
from lib.program import PATIENCE

import wares

COUNTS = ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored")
Failure = collections.namedtuple("Failure", "host task message")


def inventory(lab, name="inventory.yml", fleet=None, **variables):
    """Writes an inventory as an operator would; returns its path. `variables` are the group's."""
    hosts = {}
    for appliance in lab.appliances:
        if fleet is None or appliance.name in fleet:
            hosts[appliance.name] = {
                "ansible_host": appliance.address, "ansible_user": appliance.user,
                "number": appliance.number,
                "vxlan_pipeline_config": appliance.config(),
                **((fleet or {}).get(appliance.name) or {})}
    text = json.dumps({"vxlan_pipeline": {"hosts": hosts, "vars": {
        "vxlan_pipeline_repository_url": wares.URL,
        "vxlan_pipeline_repository_key": os.path.join(lab.repository.web, "vxlan-pipeline.asc"),
        "vxlan_pipeline_drain_seconds": 1,  # no load balancer moves flows here
        **variables}}}, indent=2)
    return lab.work.file(name, text + "\n")


class Play:
    """One run of ansible-playbook, by default from the checkout; `lines`: [(seconds, line)]."""

    def __init__(self, lab, *words, cwd=program.ROOT, environment=None):
        self.lines, self.seconds = [], None
        self.begun = time.monotonic()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            lab.command("ansible-playbook", *words), cwd=cwd, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**lab.environment(), **(environment or {})})
        lab.test.addCleanup(self._kill)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _kill(self):
        """Ends it with all of its workers, which hold the pipe, too."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(5)

    def _read(self):
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append((time.monotonic() - self.begun, line.rstrip("\n")))

    def wait(self, seconds=180):
        try:
            self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill()
            raise AssertionError(f"the play still runs after {seconds} s:\n{self.timed()}") \
                from None
        self.seconds = time.monotonic() - self.begun
        self.reader.join()
        return self

    @property
    def code(self):
        return self.process.returncode

    @property
    def output(self):
        return "\n".join(line for _, line in self.lines)

    def timed(self):
        return "\n".join(f"{moment:6.2f} {line}" for moment, line in self.lines)

    def recap(self):
        """{host: {"ok": N, "changed": N, ...}}"""
        text = self.output.partition("PLAY RECAP")[2]
        return {match[1]: {name: int(re.search(rf"\b{name}=(\d+)", match[2])[1])
                           for name in COUNTS}
                for match in re.finditer(r"(?m)^(\S+)\s+: (ok=.*)$", text)}

    def failures(self):
        """The tasks that failed, those that were rescued included, in order."""
        found, task = [], None
        for _, line in self.lines:
            head = re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line)
            if head:
                task = head[1]
            match = re.match(r"fatal: \[([^\]]+)\]: (FAILED|UNREACHABLE)! => (.*)", line)
            if match:
                found.append(Failure(match[1].split(" ->")[0], task, self._message(match[3])))
        return found

    @staticmethod
    def _message(text):
        try:
            return str(json.loads(text).get("msg", text))
        except ValueError:
            return text

    def hosts_begun(self):
        """The machines on which anything was done, in order."""
        found = []
        for _, line in self.lines:
            match = re.match(r"(?:ok|changed|fatal|skipping|failed): \[([^\]]+)\]", line)
            if match and match[1].split(" ->")[0] not in found:
                found.append(match[1].split(" ->")[0])
        return found


    def in_turn(self, first, second):
        """Whether everything that was done on the first machine was done before the second."""
        tasks = self.output.partition("PLAY RECAP")[0]
        return -1 < tasks.rfind(f"[{first}]") < tasks.find(f"[{second}]")


def playbook(name):
    """The path of a playbook of the checkout; a path, or a playbook of a collection, as it is."""
    return name if "/" in name or "." in name else os.path.join("ansible", f"{name}.yml")
