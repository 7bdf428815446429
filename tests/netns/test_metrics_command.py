# SPDX-License-Identifier: GPL-2.0-only
"""`vxlan-pipeline metrics`: what /metrics says, with a daemon and without, and what CloudWatch is sent."""

import json
import os
import subprocess
import tempfile
import time

from lib import program
from lib.command import need_commands, wait_for
from lib.life import tunnels
from lib.watch import Watched, metrics

# What tells times, or changes by the request itself.
VARIES = ("process_", "vxlan_pipeline_heartbeat_", "vxlan_pipeline_program_duration_")


def steady(series):
    return {key: value for key, value in series.items() if not key[0].startswith(VARIES)}


class Command(Watched):
    def metrics(self, *words):
        return metrics(self.cli("metrics", "--instance", self.instance, *words).stdout)

    def one(self, name):
        return self.metrics()[f"vxlan_pipeline_{name}", ()]

    def test_it_says_what_the_page_says(self):
        self.start()
        self.assertTrue(self.forwards())
        wait_for(self.is_well, 10, "health")
        time.sleep(0.6)
        page = metrics(self.get("/metrics").text)
        shown = self.metrics()
        self.assertEqual(steady(shown), steady(page))
        self.assertEqual(set(shown), {key for key in page if not key[0].startswith("process_")})

    def test_no_name_that_is_another_ones(self):
        """node_exporter, which takes the text from a file, has metrics of its own process."""
        self.start()
        self.assertEqual([name for name, _ in self.metrics() if not name.startswith("vxlan_pipeline_")], [])

    def test_without_a_daemon(self):
        """The counters go on, the process is gone; promtool takes the text."""
        need_commands("promtool")
        daemon = self.start()
        self.assertTrue(self.forwards(7))
        before = self.metrics()
        self.assertEqual(before["vxlan_pipeline_daemon_running", ()], 1)
        daemon.kill()
        self.assertTrue(self.forwards(5))
        after = self.metrics()
        self.assertEqual(after["vxlan_pipeline_daemon_running", ()], 0)
        self.assertEqual(after["vxlan_pipeline_healthy", ()], 0)
        redirected = ("vxlan_pipeline_packets_total", (("verdict", "redirected"),))
        self.assertEqual(after[redirected] - before[redirected], 5)
        self.assertFalse([name for name, _ in after if name.startswith("process_")])
        self.assertLessEqual({key for key in before if not key[0].startswith("process_")}, set(after))
        text = self.cli("metrics", "--instance", self.instance).stdout
        result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_nothing_attached(self):
        """An instance that does not run is one that is not well, and no failure of the command."""
        series = self.metrics()
        self.assertEqual(series["vxlan_pipeline_healthy", ()], 0)
        self.assertEqual(series["vxlan_pipeline_daemon_running", ()], 0)
        self.assertNotIn(("vxlan_pipeline_rules", ()), series)

    def test_reloads(self):
        """How the last reload went, also once its daemon is gone."""
        daemon = self.start()
        self.assertEqual(self.one("last_reload_successful"), 1)
        self.assertEqual(self.one("last_reload_timestamp_seconds"), self.one("config_timestamp_seconds"))
        began = int(time.time())
        self.write({"forward": {"interface": "nic9"}})
        self.reload(daemon)
        self.assertEqual(self.one("last_reload_successful"), 0)
        self.assertGreaterEqual(self.one("last_reload_timestamp_seconds"), began)
        daemon.kill()
        self.assertEqual(self.one("last_reload_successful"), 0)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(
                self.appliance.command(program.PROGRAM, "metrics", "--instance", self.instance),
                stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, "cannot print" in done.stderr), (1, True), done.stderr)


class CloudWatch(Watched):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.addCleanup(directory.cleanup)
        self.sent, self.fresh = (os.path.join(directory.name, name) for name in ("sent", "fresh"))

    def figures(self):
        """{name: value} of the dimension InstanceId."""
        document = json.loads(self.cli(
            "metrics", "--instance", self.instance, "--format", "cloudwatch", "--instance-id", "i-1",
            "--since", self.sent, "--save", self.fresh).stdout)
        self.assertEqual(document["Namespace"], "VxlanPipeline")
        self.assertTrue(all(datum["Dimensions"] == [{"Name": "InstanceId", "Value": "i-1"}]
                            for datum in document["MetricData"]))
        values = {datum["MetricName"]: datum["Value"] for datum in document["MetricData"]}
        self.assertEqual(len(values), len(document["MetricData"]))
        self.assertTrue(all(value >= 0 for value in values.values()), values)
        return values

    def take(self):
        """As the sender does once CloudWatch has taken them."""
        os.replace(self.fresh, self.sent)

    def test_deltas(self):
        """What is not taken is sent later; a restart, a new start and a stop lose and repeat nothing."""
        daemon = self.start()
        self.assertTrue(self.forwards(10))
        self.assertNotIn("SentPackets", self.figures(), "nothing was ever sent")
        self.take()
        self.assertEqual(self.figures()["SentPackets"], 0)
        self.take()
        self.assertTrue(self.forwards(4))
        first = self.figures()
        self.assertEqual((first["ReceivedPackets"], first["SentPackets"]), (4, 4))
        self.assertEqual(first["SentBytes"], 4 * (len(tunnels(1)[0]) - 50))
        self.assertTrue(self.forwards(3))
        self.assertEqual(self.figures()["SentPackets"], 7, "CloudWatch did not take the four")
        self.take()
        daemon.kill()
        self.assertTrue(self.forwards(2))
        figures = self.figures()
        self.assertEqual((figures["SentPackets"], figures["DaemonRunning"], figures["Healthy"]), (2, 0, 0))
        self.take()
        daemon = self.start()
        self.assertEqual(self.figures()["SentPackets"], 0)
        self.take()
        daemon.terminate()
        self.assertNotIn("SentPackets", self.figures())
        self.take()
        daemon = self.start()
        self.assertTrue(self.forwards(6))
        self.assertEqual(self.figures()["SentPackets"], 6, "of the new datapath")

    def test_drops(self):
        """What the configuration drops, and what a fault does; nothing of the tunnel is not received."""
        self.start()
        self.figures()
        self.take()
        self.in_port.send(*[bytes(60)] * 5, *[frame[:100] for frame in tunnels(4)])
        self.assertTrue(self.forwards(3))
        figures = self.figures()
        self.assertEqual((figures["ReceivedPackets"], figures["FailedPackets"], figures["DroppedPackets"]),
                         (7, 4, 0))
