# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests of packets and interfaces inside a guest."""

import json
import os
import re
import shlex
import shutil
import socket
import tempfile
import time

import guest
import root
import wires

HERE = os.path.dirname(os.path.abspath(__file__))
CPUS, MEMORY, PATIENCE = 2, 3072, 5
LOGLEVEL = 5  # warnings with their stack traces
INITIAL_MODULES = ("virtio_pci", "virtio_blk", "ext4", "overlay")
SUM = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


class Suite:
    """A run of tests/run. `selection`: names of tests; `without`: {name of a test: why not}."""

    def __init__(self, name, selection, on_virtio=False, without=None):
        self.name, self.selection, self.on_virtio = name, selection, on_virtio
        self.without = without or {}

    def only(self, names):
        """The suite with only the tests of these names, if any, and without exceptions."""
        chosen = [where + name for where in self.selection for name in names]
        return Suite(self.name, chosen, self.on_virtio) if names else self

    def script(self):
        words = ["tests/run", "-v", *self.selection]
        for name, reason in self.without.items():
            words += ["--without", f"{name}={reason}"]
        cabled = ",".join(":".join(cable) for cable in wires.CABLES) if self.on_virtio else ""
        return (f"echo {shlex.quote(f'@@ suite {self.name}')}\n"
                "ulimit -l unlimited\n"  # as the unit has it: until Linux 5.10 BPF counts
                f"TEST_PATIENCE={PATIENCE} TEST_WIRES={cabled} {shlex.join(words)}"
                " < /dev/null 2>&1\necho \"@@ status $?\"\n")


LATE = "a slow emulated CPU lets rings overflow, and the test admits no loss"
SLOW_VERIFIER = "a slow emulated CPU verifies a program for longer than the loop may stand still"
NO_WIRE = "the kind of interface does not matter: runs on veth"
DELETED = "a virtio-net interface cannot be deleted and created again"
PEER = "a virtio-net interface that is down keeps its peer's carrier: inside/test_virtio_net.py"
NAPI = "only a veth drops the frames to a peer without NAPI"
SLOW_RING = "a slow emulated CPU does not take in thousands of packets in less than a second"
AT_ONCE = "only a veth takes packets in on the CPU that sends them"
SENDER = "`generate` finds the peer of a veth only: inside/test_virtio_net.py names the MAC"
SUITES = (
    Suite("packets", ["packets/"]),
    Suite("netns on veth", ["netns/"], without={
        "Generate.test_flat_out": LATE,
        "Health.test_slow_reload": SLOW_VERIFIER,
        "Threads.test_too_many_at_once": SLOW_RING,
    }),
    Suite("netns on virtio-net", ["netns/"], on_virtio=True, without={
        "test_check.": NO_WIRE,
        "test_http.": NO_WIRE,
        "test_privileges.": NO_WIRE,
        "test_tune.": NO_WIRE,
        "test_views.": NO_WIRE,
        "test_generate.": SENDER,
        "Health.test_interfaces_made_anew": DELETED,
        "Health.test_links": PEER,
        "Health.test_slow_reload": SLOW_VERIFIER,
        "Health.test_refused_by_the_device": NAPI,
        "Health.test_refused_by_the_driver": PEER,
        "Health.test_single_arm": DELETED,
        "Interfaces.test_deleted_under_traffic": DELETED,
        "Threads.": AT_ONCE,
        "Unmounted.test_unmounted": NAPI,
    }),
    Suite("hostile on veth", ["hostile/"]),
    Suite("a guest's own", ["inside/"], on_virtio=True),
)


class Control:
    """qemu's control socket: takes links of the guest's interfaces down and up."""

    def __init__(self, path):
        self.path = path

    def link(self, number, up):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(self.path)
            with client.makefile("rw", encoding="utf-8") as stream:
                stream.readline()
                for command in ({"execute": "qmp_capabilities"},
                                {"execute": "set_link",
                                 "arguments": {"name": f"net{number}", "up": up}}):
                    stream.write(json.dumps(command) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        if "error" in answer:
                            raise guest.Failed(f"qemu: {answer['error']}")


class Listener:
    """Reads a guest's output: prints failures and skipped tests, and adds up the sums."""

    def __init__(self, report, title, chosen, machine, control):
        self.report, self.title, self.machine, self.control = report, title, machine, control
        self.suite, self.sum, self.begun, self.telling = None, None, 0, False
        self.left = [suite.name for suite in chosen]

    def begin(self, name):
        self.suite, self.sum, self.begun = name, None, time.monotonic()

    def end(self, status):
        name = f"{self.title}: {self.suite}"
        took = f"{time.monotonic() - self.begun:.0f} s"
        if self.sum:
            self.report.add(*self.sum)
            print(f"{'{} passed, {} failed, {} skipped'.format(*self.sum)} in {took}: {name}",
                  flush=True)
        if not self.sum or (status != "0" and not self.sum[1]):
            self.report.row(self.title, self.suite,
                            [f"ended with status {status}"] + self.machine.said[-12:])
        self.left.remove(self.suite)
        self.suite = None

    def ask(self, words):
        """Obeys a guest's request: `link NUMBER up|down`."""
        self.control.link(int(words[1]), words[2] == "up")
        self.machine.answer()

    def plain(self, line):
        """Prints failures, to the line that ends the test, and reasons to skip; keeps the sum."""
        found = SUM.fullmatch(line)
        if found:
            self.sum = tuple(map(int, found.groups()))
        elif re.match(r"FAILED |SKIPPED ", line):
            self.telling = line.startswith("FAILED")
            print(line.replace(" ", f" {self.title}: {self.suite}: ", 1), flush=True)
        elif re.match(r"test_\S+: [0-9.]+ s", line):
            self.telling = False
        elif self.telling:
            print(f"    {line}", flush=True)

    def hear(self, line):
        words = line.partition("@@ ")[2].split(maxsplit=1)
        if words[:1] == ["suite"]:
            self.begin(words[1])
        elif words[:1] == ["status"]:
            self.end(words[1])
        elif words[:1] == ["ask"]:
            self.ask(words[1].split())
        elif not words:
            self.plain(line)

    def interrupted(self, failure):
        """Reports the suites that did not finish as failed."""
        if self.sum:
            self.report.add(*self.sum)
        for name in self.left:
            last = self.machine.said[-20:] if name == self.suite else []
            self.report.row(self.title, name, [str(failure)] + last)


def run(report, title, kernel, chosen, debian, cabled_nics, seconds, log):
    """Runs the chosen suites in one guest; writes its whole output to the file `log`."""
    with tempfile.TemporaryDirectory(prefix="vxlan-pipeline-suites-") as work:
        payload = root.payload(kernel, "".join(suite.script() for suite in chosen), work)
        archive, control = os.path.join(work, "initramfs"), os.path.join(work, "control")
        guest.initramfs(kernel, archive, os.path.join(HERE, "boot"), [shutil.which("busybox")],
                        INITIAL_MODULES, {})
        with guest.Guest(kernel, archive, [(debian, False), (payload, False)], cabled_nics, CPUS,
                         MEMORY, control, LOGLEVEL) as machine, \
                open(log, "w", encoding="utf-8", buffering=1) as stream:
            listener = Listener(report, title, chosen, machine, Control(control))
            try:
                for line in machine.lines(seconds):
                    stream.write(line + "\n")
                    listener.hear(line)
                if listener.left:
                    raise guest.Failed("the guest ended before that")
            except guest.Failed as failure:
                listener.interrupted(failure)
