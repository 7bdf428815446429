# SPDX-License-Identifier: GPL-2.0-only
"""The daemon, as a child process of the test; where it keeps its pins and its state."""

import os
import select
import signal
import socket
import subprocess
import time

from . import program
from .program import PATIENCE

BPFFS = "/sys/fs/bpf"
PINS = os.path.join(BPFFS, "vxlan-pipeline")
STATE = "/run/vxlan-pipeline"
# seconds until the datapath no longer trusts the next hops of a daemon that died
HEARTBEAT_LIFETIME = 3.5


class Daemon:
    """`vxlan-pipeline run` in the foreground, with a notification socket like systemd's."""

    def __init__(self, test, namespace, *arguments, instance=None, name="run", environment=None,
                 executable=None):
        self.namespace = namespace
        self.work = program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self.instance = instance
        words = [executable or program.PROGRAM] + ([name] if name else []) + list(arguments)
        if instance:
            words += ["--instance", instance]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        test.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.work.path, "notify"))
        with open(os.path.join(self.work.path, "out"), "wb") as out, \
                open(os.path.join(self.work.path, "err"), "wb") as err:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                namespace.command(*words), stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.work.path, "notify"),
                     **(environment or {})})
        test.addCleanup(self.kill)
        self.pid = self.process.pid

    def text(self, which):
        with open(os.path.join(self.work.path, which), encoding="utf-8",
                  errors="replace") as stream:
            return stream.read()

    @property
    def stderr(self):
        return self.text("err")

    @property
    def stdout(self):
        return self.text("out")

    def notified(self, what, seconds=20.0):
        """Waits until the daemon has sent this message to the service manager."""
        seconds *= PATIENCE
        deadline = time.monotonic() + seconds
        while True:
            if select.select([self.notify], [], [], 0.05)[0]:
                if what.encode() in self.notify.recv(4096).split(b"\n"):
                    return
            elif self.process.poll() is not None:
                raise AssertionError(f"exited with {self.process.returncode} before {what}:\n"
                                     f"{self.stderr}")
            elif time.monotonic() > deadline:
                raise AssertionError(f"no {what} after {seconds} s:\n{self.stderr}")

    def ready(self):
        self.notified("READY=1")
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20.0):
        seconds *= PATIENCE
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.stderr}") from None

    def terminate(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
