# SPDX-License-Identifier: GPL-2.0-only
"""The time of day is set while packets flow, as on a host that comes up without a clock."""

import signal
import time

from lib.command import run, wait_for
from lib.daemon import HEARTBEAT_LIFETIME, Daemon
from lib.life import TARGETS, Lifecycle, Traffic, rules

DAY = 86400


def set_clock(step):
    run("date", "-s", f"@{time.time() + step:.3f}")


class Clock(Lifecycle):
    def setUp(self):
        super().setUp()
        self.stepped = 0
        self.addCleanup(lambda: set_clock(-self.stepped))

    def step(self, seconds):
        before = time.time()
        set_clock(seconds)
        self.stepped += seconds
        self.assertAlmostEqual(time.time() - before, seconds, delta=60, msg="the clock was set")

    def assert_sane(self, started, since):
        """State, health and times of the instance are as right as before."""
        status, uptime = self.json("status"), self.stats()["uptime_seconds"]
        self.assertEqual((status["state"], status["healthy"], status["reasons"]),
                         ("running", True, []))
        self.assertEqual(status["since"], since)
        self.assertGreater(uptime, 0)
        self.assertLessEqual(uptime, time.monotonic() - started + 1)

    def test_a_day_back_and_a_day_ahead(self):
        """No packet is lost, the datapath keeps its next hops, and the daemon works as before."""
        started = time.monotonic()
        daemon = self.start(rules(TARGETS[0]), arguments=["-v", "-I", "1"])
        since = self.json("status")["since"]
        with Traffic(self, pause=0.02) as traffic:
            for sentence, step in (("a day back", -DAY), ("to now", DAY), ("a day ahead", DAY),
                                   ("back to now", -DAY)):
                with self.subTest(sentence):
                    self.step(step)
                    time.sleep(HEARTBEAT_LIFETIME)
                    self.assert_sane(started, since)
                    self.assertGreater(self.json("status")["pps"], 10)
                    said = daemon.stdout.upper().count("REDIRECTED")
                    wait_for(lambda s=said: daemon.stdout.upper().count("REDIRECTED") > s, 5,
                             "the dashboard to go on")
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})
        self.assertIsNone(daemon.process.poll())
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_reload_and_restart_after_a_step(self):
        """Reload and restart work although the clock was set by a day since the start."""
        for sentence, step in (("a day back", -DAY), ("a day ahead", 2 * DAY)):
            with self.subTest(sentence):
                started = time.monotonic()
                daemon = self.start(rules(TARGETS[0]))
                since = self.json("status")["since"]
                self.assertTrue(self.forwards(5))
                self.step(step)
                self.write(rules(TARGETS[1]))
                daemon.signal(signal.SIGHUP)
                daemon.notified("RELOADING=1")
                daemon.notified("READY=1")
                self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])
                self.assertTrue(self.forwards(5))
                daemon.kill()
                self.assertTrue(self.forwards(5))
                daemon = self.start(rules(TARGETS[1]))
                self.assertTrue(self.forwards(5))
                self.assert_sane(started, since)
                self.assertEqual(self.verdicts(), {"redirected": 20})
                self.assertEqual(daemon.terminate(), 0)

    def test_duration_is_not_of_the_clock(self):
        """`-d` counts elapsed seconds, whatever the time of day."""
        for sentence, step in (("a day back", -DAY), ("a day ahead", DAY)):
            with self.subTest(sentence):
                daemon = Daemon(self, self.appliance, "-c", self.write(), "-d", "6",
                                instance=self.instance).ready()
                started = time.monotonic()
                self.step(step)
                time.sleep(1)
                self.assertIsNone(daemon.process.poll(), "not ended at once")
                self.assertEqual(daemon.wait(20), 0, daemon.stderr)
                self.assertGreater(time.monotonic() - started, 3)
