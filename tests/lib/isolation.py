# SPDX-License-Identifier: GPL-2.0-only
"""Tests see no instance of this host, and leave nothing on it."""

import os
import sys


def isolate():
    """
    Starts this command again in mount and PID namespaces of its own, with empty /run and
    /sys/fs/bpf. These end with the command, however it ends, and so do all of its processes.
    """
    if os.environ.get("TESTS_ISOLATED") == str(os.getppid()) or os.getpid() == 1:
        return
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork",
                          "--kill-child=KILL", "--mount-proc", "sh", "-c",
                          "mount -t tmpfs tmpfs /run && "
                          "while umount /sys/fs/bpf 2> /dev/null; do :; done && "
                          "mount -t bpf bpf /sys/fs/bpf && "
                          'TESTS_ISOLATED=$$ "$@"', "sh", sys.executable, *sys.argv])
