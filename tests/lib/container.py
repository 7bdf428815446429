# SPDX-License-Identifier: GPL-2.0-only
"""
Processes in namespaces of their own, as container engines make them: of processes and mounts, with
the network and the BPF file system of the test.
"""

import os
import re

from . import program
from .command import need_commands, wait_for
from .daemon import Daemon

# What may be done to the mounts before the command begins.
OWN_RUN = "mount -t tmpfs tmpfs /run"
OWN_BPFFS = "umount -l /sys/fs/bpf; mount -t bpf bpf /sys/fs/bpf"


def contained(*mounts, pids=True):
    """Words to put before a command: it runs in a mount namespace, and, with `pids`, as process 1."""
    need_commands("unshare")
    words = ["unshare", "--mount", "--propagation", "private"]
    if pids:
        words += ["--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    return (*words, "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh")


def namespace(pid, kind):
    """The number of a process's namespace."""
    return int(re.search(r"\d+", os.readlink(f"/proc/{pid}/ns/{kind}"))[0])


class ContainedDaemon(Daemon):
    """`run` in a container. `pid` is its process id in the namespace of the test."""

    def __init__(self, test, path, *mounts, pids=True, instance=None):
        words = contained(*mounts, pids=pids)
        super().__init__(test, test.appliance, *words[1:], program.PROGRAM, "run", "-c", path,
                         instance=instance or test.instance, name=None, executable=words[0])
        if pids:
            self.pid = wait_for(self._child, 5, "the container")

    def _child(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return int((file.read().split() or [0])[0])

    def signal(self, number):
        os.kill(self.pid, number)

    def entered(self):
        """Words to put before a command that runs where the daemon does."""
        return "nsenter", f"--target={self.pid}", "--mount", "--pid"
