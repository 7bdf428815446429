# SPDX-License-Identifier: GPL-2.0-only
"""For tests of starts, reloads and ends: numbered packets, steady traffic, starts that fail."""

import threading
import time

from . import frames, program
from .command import need_commands
from .daemon import Daemon
from .ground import Ground
from .port import is_ip

TARGETS = ("10.20.0.2:8081", "10.20.0.2:9092")


def tunnels(count, first=0):
    return [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                  b"number %06d" % n)))
            for n in range(first, first + count)]


def rules(target, **more):
    return {"nat": [{"match": {"source_port": 1000}, "to": target, **more}]}


class Lifecycle(Ground):
    def setUp(self):
        super().setUp()
        self.know_neighbour()

    def forwards(self, count=10):
        """Sends a few packets; returns whether exactly these arrive."""
        self.in_port.send(*tunnels(count))
        return len(self.out_port.receive(is_ip, count)) == count

    def fails(self, *words, status=1, **options):
        """The command fails with one line that says why; returns that line."""
        result = self.cli(*words, check=False, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertEqual(result.stdout, "")
        return lines[0]

    def start_by(self, command, *words):
        """Starts a daemon through another command that executes it, such as setpriv."""
        need_commands(command)
        return Daemon(self, self.appliance, *words, program.PROGRAM, "run", "-c", self.write(),
                      instance=self.instance, name=None, executable=command)

    def start_fails(self, *changes, status=1, words=()):
        return self.fails("run", "-c", self.write(*changes), "--instance", self.instance,
                          "-d", "5", *words, status=status)


class Background:
    """Within this context a thread runs `work`, which ends when `stop` is set."""

    def __init__(self, work):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Traffic:
    """A steady stream of numbered packets from a thread, while the test does something."""

    def __init__(self, test, pause=0.004, batch=10):
        self.test, self.pause, self.batch, self.sent = test, pause, batch, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.frames = None

    def _send(self):
        while not self.stop.is_set() and self.sent < 100000:
            self.test.in_port.send(*tunnels(self.batch, self.sent))
            self.sent += self.batch
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        self.stop.set()
        self.thread.join()

    def collect(self):
        if self.frames is None:
            self.frames = self.test.out_port.receive(is_ip, quiet=0.5)
        return self.frames

    def arrived(self):
        """How many arrived; fails if one came twice."""
        numbers = {frame[42:55] for frame in self.collect()}
        if len(numbers) != len(self.frames):
            raise AssertionError(f"{len(self.frames) - len(numbers)} packets came twice")
        return len(numbers)
