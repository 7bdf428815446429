# SPDX-License-Identifier: GPL-2.0-only
"""The old loader's flags, and the output of status, stats and monitor."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from lib import program
from lib.command import wait_for
from lib.daemon import Daemon
from lib.life import Lifecycle, Traffic, rules, tunnels
from lib.port import is_ip
from lib.program import PATIENCE


class Flags(Lifecycle):
    """The flags of vxlan_loader, under its name and with `run`."""

    def loader(self):
        path = os.path.join(self.work.path, "vxlan_loader")
        os.symlink(program.PROGRAM, path)
        return path

    def check(self, *arguments, environment=None, name=None, executable=None, target=8081):
        daemon = Daemon(self, self.appliance, *arguments, instance=self.instance, name=name,
                        executable=executable, environment=environment).ready()
        self.in_port.send(*tunnels(5))
        got = self.out_port.receive(is_ip, 5)
        self.assertEqual([frame[30:34] + frame[36:38] for frame in got],
                         [socket.inet_aton("10.20.0.2") + target.to_bytes(2, "big")] * 5)
        rule = self.stats()["rules"][0]
        self.assertEqual((rule["to"], rule["packets"]), (f"10.20.0.2:{target}", 5))
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_vxlan_loader(self):
        self.check("-i", "in0", "-t", "out0", "-a", "10.20.0.2", "-p", "8081", "-s", "1000",
                   executable=self.loader())

    def test_mistakes_under_the_old_name(self):
        """Messages refer to the help of `run`."""
        loader = self.loader()
        for words, said in ((("--bogus",), "unrecognized option '--bogus'"),
                            (("-d", "x"), "vxlan-pipeline run: --duration 'x'"),
                            (("in0",), "vxlan-pipeline run: unexpected argument 'in0'")):
            with self.subTest(words):
                result = self.appliance.run(loader, *words, check=False)
                self.assertEqual(result.returncode, 2)
                self.assertIn(said, result.stderr)
                self.assertIn("Try 'vxlan-pipeline run --help'.", result.stderr)

    def test_run_takes_them_too(self):
        self.check("--interface", "in0", "--target", "out0", "--nat-target", "10.20.0.2",
                   "--nat-port", "8081", "--source-port", "1000", name="run")

    def test_environment(self):
        """Environment variables count unless a flag says otherwise."""
        environment = {"AWS_IPSEC_VM_IP": "10.20.0.2", "AWS_IPSEC_VM_PORT": "7777"}
        self.check("-i", "in0", "-t", "out0", "-s", "1000", environment=environment,
                   executable=self.loader(), target=7777)
        self.check("-i", "in0", "-t", "out0", "-s", "1000", "-p", "8081", name="run",
                   environment=environment)

    def test_flags_win_over_the_file(self):
        path = self.write({"listen": {"interface": "nic9"}, "forward": {"interface": "nic8"}},
                          rules("10.20.0.77:1"))
        self.check("-c", path, "-i", "in0", "-t", "out0", "-a", "10.20.0.2", "-p", "8081", "-s",
                   "1000", name="run")

    def test_dump_stats(self):
        """--dump-stats prints the counters and exits; the instance runs on."""
        daemon = self.start()
        self.assertTrue(self.forwards(13))
        for command in ((program.PROGRAM, "run"), (self.loader(),)):
            result = self.appliance.run(*command, "--dump-stats", "--instance", self.instance)
            self.assertRegex(result.stdout, r"(?i)redirected\D+13\b")
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards())

    def test_verbose(self):
        """-v prints a dashboard every interval, of what came in it."""
        daemon = self.start(arguments=["-v", "-I", "1"])
        self.assertTrue(self.forwards(17))
        wait_for(lambda: re.search(r"(?i)redirected\D+17\b", daemon.stdout), 10,
                 "a dashboard with the packets")
        shown = daemon.stdout.upper().count("REDIRECTED")
        wait_for(lambda: daemon.stdout.upper().count("REDIRECTED") > shown, 5, "the next")
        self.assertRegex(daemon.stdout,
                         r"(?m)^=== VXLAN Pipeline Statistics \[1s interval\] ===\n"
                         r"Total Packets: +[\d,]+ \( +[\d,]+ pps\)\n"
                         r"VXLAN Packets: +[\d,]+ \( +\d+\.\d%\)\n"
                         r"Inner Packets: +[\d,]+\n"
                         r"NAT Applied: +[\d,]+\n"
                         r"DF Bits Cleared: +[\d,]+\n"
                         r"Forwarded: +[\d,]+\n"
                         r"Redirected: +[\d,]+ \(XDP_REDIRECT\)\n"
                         r"Errors: +0\n"
                         r"Throughput: +\d+\.\d\d Mbps\n"
                         r"Status: +[A-Z]+\n"
                         r"=+\n")
        self.assertEqual(daemon.terminate(), 0)


class Others(Traffic):
    """Frames that are not of the tunnel."""

    def _send(self):
        while not self.stop.is_set() and self.sent < 100000:
            self.test.in_port.send(*[bytes(60)] * self.batch)
            self.sent += self.batch
            time.sleep(self.pause)


class Views(Lifecycle):
    """status, stats and monitor."""

    def test_status(self):
        self.assertEqual(self.json("status")["state"], "detached")
        daemon = self.start()
        status = self.json("status")
        self.assertLessEqual({"state", "mode", "pid", "since", "healthy", "reasons", "pps"},
                             set(status))
        self.assertEqual((status["state"], status["mode"], status["pid"]),
                         ("running", "native", daemon.pid))
        self.assertIs(status["healthy"], True)
        self.assertEqual(status["reasons"], [])
        text = self.cli("status", "--instance", self.instance).stdout
        for word in ("running", "native", "in0"):
            self.assertIn(word, text)

    def test_status_names_a_link_that_is_down(self):
        self.start()
        self.appliance.ip("link", "set", "out0", "down")

        def unhealthy():
            status = self.json("status")
            return not status["healthy"] and status
        status = wait_for(unhealthy, 10, "the status to turn")
        self.assertIn("out0", " ".join(status["reasons"]))

    def test_status_names_the_link_it_listens_on(self):
        self.start()
        self.appliance.ip("link", "set", "in0", "down")

        def unhealthy():
            status = self.json("status")
            return not status["healthy"] and status
        self.assertIn("in0", " ".join(wait_for(unhealthy, 10, "the status")["reasons"]))

    def test_rate(self):
        self.start()
        with Traffic(self):
            rates = [self.json("status")["pps"] for _ in range(3)]
        self.assertGreater(max(rates), 100)

    def test_stats_without_an_instance(self):
        self.assertIn(self.instance, self.fails("stats", "--instance", self.instance))

    def test_stats_text(self):
        self.start()
        self.assertTrue(self.forwards(13))
        self.assertRegex(self.cli("stats", "--instance", self.instance).stdout,
                         r"(?i)redirected\D+13\b")

    def test_stats_knows_the_rest(self):
        """Health, events, sizes, what left, losses and next hops stand in the document, too."""
        self.start({"monitor": {"histograms": True}}, rules("10.20.0.2:8081"))
        self.assertTrue(self.forwards(13))
        stats = self.stats()
        self.assertEqual(stats["health"], {"healthy": True, "condition": "good", "reasons": []})
        self.assertEqual(stats["since"], self.json("status")["since"])
        self.assertEqual(stats["events"]["nat_applied"], 13)
        self.assertEqual(stats["sent"]["packets"], 13)
        self.assertEqual(stats["next_hops"], {"unknown": 0, "resolved": 1, "local": 0, "failed": 0})
        self.assertEqual(stats["losses"], self.json("status")["losses"])
        sizes = stats["packet_size_bytes"]
        self.assertEqual(sum(bucket["packets"] for bucket in sizes["buckets"]),
                         stats["counters"]["total_packets"])
        self.assertEqual(sizes["sum"], stats["counters"]["bytes_processed"])
        text = self.cli("stats", "--instance", self.instance).stdout
        for title in ("health good", "Events", "Sizes of frames", "Next hops"):
            self.assertRegex(text, f"(?m)^{title}")

    def test_stats_without_a_daemon(self):
        daemon = self.start()
        daemon.kill()
        health = self.stats()["health"]
        self.assertEqual((health["healthy"], health["condition"]), (False, "bad"))
        self.assertIn("no daemon runs", " ".join(health["reasons"]))

    def test_stats_during_another_start(self):
        """What is counted then is of a shorter time, which is told and is what the rates are of."""
        daemon = self.start()
        counting = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "stats", "--during", "4", "--json", "--instance", self.instance),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(counting.kill)
        time.sleep(1)
        daemon.terminate()
        self.start()
        self.assertTrue(self.forwards(5))
        shown, said = counting.communicate(timeout=30)
        document = json.loads(shown)
        self.assertIn("began anew meanwhile", said)
        self.assertLess(document["seconds"], 3.5)
        self.assertAlmostEqual(document["rules"][0]["packets"] * document["seconds"], 5, places=3)

    def test_stats_during(self):
        self.start(rules("10.20.0.2:8081", name="syslog"))
        self.assertTrue(self.forwards(1000))
        with Traffic(self):
            document = json.loads(self.cli("stats", "--during", "2", "--json", "--instance",
                                           self.instance).stdout)
            text = self.cli("stats", "--during", "1", "--instance", self.instance).stdout
        self.assertAlmostEqual(document["seconds"], 2, delta=1)
        rate = document["verdicts"]["redirected"]["packets"]
        self.assertGreater(rate, 50)
        self.assertAlmostEqual(document["rules"][0]["packets"], rate, delta=rate / 10)
        self.assertEqual(document["rules"][0]["name"], "syslog")
        self.assertAlmostEqual(
            sum(bucket["packets"] for bucket in document["packet_size_bytes"]["buckets"]),
            document["counters"]["total_packets"] * document["seconds"], delta=rate / 5 + 20)
        self.assertRegex(text, r"(?m)^counted during \d+\.\d s$")
        self.assertRegex(text, r"(?m)^  syslog +\d+\.\d +\d+\.\d  rule 1, to 10.20.0.2:8081$")

    def monitor(self, seconds, *words):
        """Runs `monitor` for that long; returns the lines that it writes into a pipe."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "monitor", "-I", "1", "--instance",
                                   self.instance, *words), stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=5 * PATIENCE)[0].splitlines()
        finally:
            process.kill()
            process.wait()

    def test_monitor(self):
        self.start()
        lines = self.monitor(3.5)
        self.assertEqual(lines[0].split(), ["TIME", "PPS", "VXLAN_PPS", "NAT_HIT%", "REDIRECTED",
                                            "ERRORS", "STATUS"])
        self.assertIn(len(lines) - 1, (2, 3, 4), "a line an interval")
        for line in lines[1:]:
            self.assertEqual(len(line.split()), 7, line)
            self.assertEqual(line.split()[-1], "IDLE")
        self.assertNotIn("\033", "\n".join(lines), "no colour in a pipe")

    def test_monitor_of_other_frames(self):
        """Frames that are not of the tunnel are no traffic to be judged."""
        self.start()
        with Others(self):
            lines = self.monitor(2.5)
        last = lines[-1].split()
        self.assertGreater(int(last[1]), 10, lines)
        self.assertEqual((last[2], last[-1]), ("0", "IDLE"))

    def test_monitor_judges_the_rate(self):
        for target, warning, status in ((100, 50, "OK"), (1000000, 100, "LOW"),
                                        (1000000, 999999, "BELOW")):
            with self.subTest(status):
                daemon = self.start({"monitor": {"target_pps": target, "warning_pps": warning}})
                with Traffic(self, pause=0.01):
                    lines = self.monitor(3.2)
                last = lines[-1].split()
                self.assertEqual(last[-1], status, lines)
                self.assertGreater(int(last[1].replace(",", "")), 100)
                self.assertEqual(daemon.terminate(), 0)
