# SPDX-License-Identifier: GPL-2.0-only
"""Many reloads over a long time: no packet is lost, and neither memory nor anything else grows."""

import os
import time

import bpf
import rig
import sides
from lib.command import wait_for
from lib.daemon import PINS

QUICK = bool(os.environ.get("ENDURANCE_QUICK"))
PPS = 200000
SECONDS, EVERY = (10, 1) if QUICK else (1200, 10)
SETTLED = SECONDS / 10  # seconds after which nothing may grow any more
RSS_TOLERANCE = 256  # KiB that an allocator may keep for later


class Holdings:
    """Memory, descriptors, pins, programs and maps of a daemon and its instance."""

    def __init__(self, pid, pins):
        with open(f"/proc/{pid}/status", encoding="ascii") as stream:
            status = dict(line.split(":", 1) for line in stream)
        self.rss = int(status["VmRSS"].split()[0])
        self.threads = int(status["Threads"])
        descriptors = [bpf.parse_fdinfo(f"/proc/{pid}/fdinfo/{name}")
                       for name in os.listdir(f"/proc/{pid}/fd")]
        self.descriptors = len(descriptors)
        pinned = [bpf.describe_pin(os.path.join(directory, name))
                  for directory, _, names in os.walk(pins) for name in names
                  if not os.path.islink(os.path.join(directory, name))]
        self.pins = len(pinned)
        found = descriptors + pinned
        self.programs = {entry["prog_id"] for entry in found if "prog_id" in entry}
        maps = {entry["map_id"]: entry["memlock"] for entry in found if "map_id" in entry}
        self.maps = set(maps)
        self.map_bytes = sum(maps.values())

    def counts(self):
        return {"descriptors": self.descriptors, "pins": self.pins, "threads": self.threads,
                "programs": len(self.programs), "maps": len(self.maps),
                "bytes in maps": self.map_bytes}


class Soak(rig.Ground):
    CONFIG = rig.SERVING

    def test_soak(self):
        daemon = self.daemon(sides.OLD).ready()
        sender = self.send(PPS)
        pins = os.path.join(PINS, self.instance)
        start = time.monotonic()
        settled, programs, maps, highest = None, set(), set(), 0
        while time.monotonic() < start + SECONDS:
            due = time.monotonic() + EVERY
            self.reload(daemon)
            self.check_in_force()
            held = Holdings(daemon.pid, pins)  # before a request: its connection is a descriptor
            self.assertEqual(self.request("GET", "/metrics")[0], 200)
            programs |= held.programs
            maps |= held.maps
            highest = max(highest, held.rss)
            if settled is None and time.monotonic() > start + SETTLED and self.side is sides.OLD:
                settled = held
            time.sleep(max(0, due - time.monotonic()))
        if self.side is not sides.OLD:  # the two sides' tables may differ in size
            self.reload(daemon)
        end = Holdings(daemon.pid, pins)
        print(f"    {self.turns} reloads; resident: {settled.rss} KiB at {SETTLED:.0f} s, "
              f"{end.rss} at the end, {highest} at most; {end.counts()}", flush=True)
        with self.subTest("the daemon's memory does not grow"):
            self.assertLessEqual(end.rss, settled.rss + RSS_TOLERANCE)
        with self.subTest("nothing that it holds in the kernel grows"):
            self.assertEqual(end.counts(), settled.counts())
        with self.subTest("what is replaced is gone from the kernel"):
            self.assertGreater(len(programs), self.turns, "the ids of each generation were seen")
            wait_for(lambda: not any(self.left(end, programs, maps)), 10,
                     f"what is replaced to go: {self.left(end, programs, maps)}")
        self.check(sender)

    @staticmethod
    def left(end, programs, maps):
        """Ids of programs and of maps that the instance no longer holds and that still exist."""
        return ([number for number in programs - end.programs if bpf.program_exists(number)],
                [number for number in maps - end.maps if bpf.map_exists(number)])
