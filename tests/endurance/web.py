# SPDX-License-Identifier: GPL-2.0-only
"""Thousands of HTTP clients cost the datapath no packet and do not delay each other."""

import json
import os
import subprocess
import sys
import time

import rig
import sides
from lib.command import wait_for
from lib.daemon import PINS
from soak import Holdings

QUICK = bool(os.environ.get("ENDURANCE_QUICK"))
PPS = 200000 if QUICK else 1000000
SLOW = 2000
REQUESTS = 500 if QUICK else 30000  # by each of ASKERS, beside the slow clients
ASKERS = 2
ANSWER_MS = 100  # the most that /metrics may take, whatever others do
WORST = "p99" if QUICK else "max"  # the figure that ANSWER_MS bounds
RSS_LIMIT = 32 * 1024  # KiB of the daemon, at any time
RSS_TOLERANCE = 4096  # KiB by which one wave may have had more connections than the other
CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients.py")


class Clients:
    """clients.py in the daemon's network namespace."""

    def __init__(self, test, *words):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            test.appliance.command(sys.executable, CLIENTS, words[0], rig.SERVED,
                                   *map(str, words[1:])),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.end)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the clients ended: {self.process.wait()}")
        return json.loads(line)

    def finish(self):
        """Ends standard input; returns the last line."""
        self.process.stdin.close()
        return self.line()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Wave:
    def __init__(self, answers, rss):
        self.answers, self.rss = answers, rss
        self.late, self.rss_after = None, None


class Web(rig.Ground):
    CONFIG = rig.SERVING

    def test_clients(self):
        """Two waves of slow clients, each with others that want answers, and with a reload."""
        daemon = self.daemon(sides.OLD).ready()
        self.refuses()
        quiet = self.quiet_holdings(daemon)
        sender = self.send(PPS)
        waves = [self.wave(daemon, quiet) for _ in range(2)]
        for number, wave in enumerate(waves, 1):
            for answers in wave.answers:
                with self.subTest(f"wave {number}: every request is answered"):
                    self.assertEqual(answers["statuses"], {"200": REQUESTS})
                with self.subTest(f"wave {number}: /metrics answers in time"):
                    self.check_time(answers["milliseconds"]["/metrics"][WORST], wave.late["max"])
            with self.subTest(f"wave {number}: memory is bounded"):
                self.assertLessEqual(wave.rss, RSS_LIMIT)
        with self.subTest("nobody is turned away"):
            self.assertEqual(self.turned_away(), 0)
        with self.subTest("clients leave nothing behind"):
            self.assertLessEqual(waves[1].rss_after, waves[0].rss_after + RSS_TOLERANCE)
        self.assertEqual(self.json("status")["healthy"], True)
        self.refuses()
        self.check(sender)

    def check_time(self, milliseconds, late):
        if milliseconds > ANSWER_MS and late > ANSWER_MS / 2:
            self.skipTest(f"{milliseconds:.0f} ms, but this machine was so busy that one who only "
                          f"slept was {late:.0f} ms late")
        self.assertLessEqual(milliseconds, ANSWER_MS)

    def wave(self, daemon, quiet):
        """Runs a wave; returns the answers' results, and the daemon's memory at most and after."""
        slow, clock = Clients(self, "slow", SLOW), Clients(self, "sleep", 0)
        wait_for(lambda: slow.line()["connects"] >= SLOW, 30, "the slow clients to come")
        askers = [Clients(self, "ask", REQUESTS) for _ in range(ASKERS)]
        samples = [self.holdings(daemon)]
        self.reload(daemon)
        self.check_in_force()
        while any(asker.process.poll() is None for asker in askers):
            samples.append(self.holdings(daemon))
            time.sleep(0.1)
        wave = Wave([asker.line() for asker in askers], max(held.rss for held in samples))
        slow.end()
        wave.late = clock.finish()["late"]
        wait_for(lambda: self.holdings(daemon).descriptors <= quiet.descriptors, 30,
                 "the connections to go")
        wave.rss_after = self.holdings(daemon).rss
        print(f"    {max(held.descriptors for held in samples) - quiet.descriptors} connections at "
              f"once; {json.dumps(wave.answers[0]['milliseconds'])} ms, while one who only slept "
              f"was late by {json.dumps(wave.late)} ms; resident: {quiet.rss} KiB before, "
              f"{wave.rss} at most, {wave.rss_after} after; turned away: {self.turned_away()}",
              flush=True)
        return wave

    def turned_away(self):
        """Connections that the listening socket's full queue has refused."""
        lines = [line.split() for line in self.appliance.run("cat", "/proc/net/netstat").stdout
                 .splitlines() if line.startswith("TcpExt:")]
        return int(dict(zip(*lines))["ListenDrops"])

    def quiet_holdings(self, daemon):
        """The least of a second: now and then the daemon opens what it looks at, and closes it."""
        samples = []
        for _ in range(10):
            samples.append(self.holdings(daemon))
            time.sleep(0.1)
        return min(samples, key=lambda held: held.descriptors)

    def holdings(self, daemon):
        return Holdings(daemon.pid, os.path.join(PINS, self.instance))

    def refuses(self):
        """The server answers GET and HEAD, and refuses other methods."""
        for method, path, wanted in (
                ("GET", "/metrics", 200), ("GET", "/healthz", 200), ("GET", "/stats.json", 200),
                ("HEAD", "/metrics", 200), ("GET", "/nothing", 404), ("POST", "/metrics", 405),
                ("PUT", "/healthz", 405), ("DELETE", "/stats.json", 405), ("OPTIONS", "/", 405),
                ("TRACE", "/metrics", 405), ("PATCH", "/metrics", 405), ("BREW", "/", 405)):
            with self.subTest(f"{method} {path}"):
                status, body = self.request(method, path)
                self.assertEqual(status, wanted)
                self.assertEqual(bool(body), method != "HEAD")
