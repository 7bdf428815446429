# SPDX-License-Identifier: GPL-2.0-only
"""Running commands of this machine, and waiting for what they bring about."""

import shutil
import subprocess
import time
import unittest

from .program import PATIENCE


def run(*command, check=True, timeout=60, **options):
    """Runs the command to its end, output captured. With `check`, a failure raises its output."""
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            timeout=timeout * PATIENCE, **options)
    if check and result.returncode:
        raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n"
                             f"{result.stdout}{result.stderr}")
    return result


def wait_for(condition, seconds=10.0, what="it"):
    """Polls the condition until it returns something true, and returns that."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def need_commands(*names):
    for name in names:
        if not shutil.which(name):
            raise unittest.SkipTest(f"this machine has no {name}")


def injected(call, fault):
    """Words to put before a command, or before `-p PID`: strace injects a fault into `call`s."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:{fault}")
