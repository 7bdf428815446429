# SPDX-License-Identifier: GPL-2.0-only
"""The daemon's HTTP server: pages, bad clients, metrics, and what reloads do to it."""

import contextlib
import socket
import subprocess
import time

from lib import frames, kernel, program
from lib.command import need_commands, wait_for
from lib.daemon import Daemon
from lib.life import Traffic, tunnels
from lib.namespace import unique, veth
from lib.port import is_ip
from lib.watch import PORT, Watched, connect, metrics, of_family, request


def at(listen):
    return {"http": {"listen": listen}}


class Answers(Watched):
    FILES = {"/", "/page.css", "/page.js"}
    PATHS = (("/", "text/html; charset=utf-8"), ("/page.css", "text/css; charset=utf-8"),
             ("/page.js", "text/javascript; charset=utf-8"), ("/healthz", "text/plain; charset=utf-8"),
             ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
             ("/stats.json", "application/json"), ("/live.json", "application/json"),
             ("/rules.json", "application/json"), ("/vnis.json", "application/json"))

    def setUp(self):
        super().setUp()
        self.daemon = self.start()
        wait_for(self.is_well, 10, "health")

    def test_paths(self):
        """GET and HEAD answer every path with its content type; other paths are not found."""
        for path, kind in self.PATHS:
            for method in ("GET", "HEAD"):
                with self.subTest(f"{method} {path}"):
                    answer = self.get(path, method=method)
                    self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, kind))
                    self.assertEqual(answer.headers["Cache-Control"],
                                     "no-cache" if path in self.FILES else "no-store")
                    self.assertIn("default-src 'none';", answer.headers["Content-Security-Policy"])
                    self.assertEqual(len(answer.body) > 0, method == "GET")
                    self.assertGreater(int(answer.headers["Content-Length"]), 0)
        for path in ("/nothing", "//", "/healthz/", "/Healthz", "/../etc/passwd", "/%00",
                     "/metrics%2f", "/" + "a" * 4000):
            with self.subTest(path[:20]):
                self.assertEqual(self.get(path).status, 404)
        self.assertEqual(self.get("/healthz?verbose=1").status, 200, "a query changes nothing")
        self.assertEqual(self.get().text, "healthy\n")
        self.assertIn('src="page.js"', self.get("/").text)

    def test_other_methods(self):
        for method, body in (("POST", b"x=1"), ("PUT", b"{}"), ("DELETE", None), ("OPTIONS", None),
                             ("PATCH", b""), ("TRACE", None), ("BREW", None)):
            for path in ("/healthz", "/nothing"):
                with self.subTest(f"{method} {path}"):
                    answer = self.get(path, method=method, body=body)
                    self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def said_to(self, data, end=True):
        """
        Sends the bytes; returns all that the server answers until it closes the connection. After
        empty lines libmicrohttpd may not notice the client's end until its timeout has passed.
        """
        with connect(self.appliance, timeout=15) as client:
            with contextlib.suppress(OSError):
                client.sendall(data)
                if end:
                    client.shutdown(socket.SHUT_WR)
            said = b""
            with contextlib.suppress(ConnectionError):
                while piece := client.recv(65536):
                    said += piece
            return said

    def test_malformed_requests(self):
        """The server answers with an error or not at all, closes, and serves the next client."""
        for sentence, data in (
                ("nothing at all", b""),
                ("no HTTP", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(300)),
                ("only line ends", b"\r\n" * 50),
                ("no version", b"GET /healthz\r\n\r\n"),
                ("a version of the future", b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n"),
                ("HTTP/1.1 without a host", b"GET /healthz HTTP/1.1\r\n\r\n"),
                ("a header without a colon", b"GET /healthz HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
                ("a header that never ends", b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 200000),
                ("a thousand headers", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n"),
                ("an endless path", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n"),
                ("a length that is no number",
                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
                ("a body that never comes",
                 b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"),
                ("chunks of no size",
                 b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
                ("NUL bytes", b"GET /\0healthz HTTP/1.1\r\nHost: a\r\n\r\n")):
            with self.subTest(sentence):
                first = self.said_to(data).split(b"\r\n")[0]
                self.assertRegex(first, rb"^(HTTP/1\.[01] (200|4\d\d|505) .*)?$")
                self.assertEqual(self.get().status, 200, "the next client")
        self.assertIsNone(self.daemon.process.poll())
        self.assertTrue(self.forwards())

    def test_one_request_a_connection(self):
        """The server answers the first request of a connection and closes it."""
        said = self.said_to(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        self.assertEqual(said.count(b"HTTP/1.1 200"), 1)
        self.assertIn(b"Connection: close", said)

    def test_slow_and_silent_clients(self):
        """Slow and silent clients do not delay others; the server closes them after a timeout."""
        silent = [connect(self.appliance, timeout=20) for _ in range(40)]
        slow = [connect(self.appliance, timeout=20) for _ in range(20)]
        for client in silent + slow:
            self.addCleanup(client.close)
        since, longest = time.monotonic(), 0.0
        with Traffic(self, pause=0.02) as traffic:
            for number in range(20):
                for client in slow:
                    client.send(b"GET /healthz HTTP/1.1\r\nX: "[number:number + 1])
                asked = time.monotonic()
                for path, _ in self.PATHS:
                    self.assertEqual(self.get(path).status, 200)
                longest = max(longest, time.monotonic() - asked)
        self.assertLess(longest, 2, "four requests")
        self.assertEqual(traffic.arrived(), traffic.sent)
        with contextlib.suppress(ConnectionError):
            self.assertEqual(silent[0].recv(1000), b"", "closed without a word")
        self.assertLess(time.monotonic() - since, 15)


class Metrics(Watched):
    def text(self):
        return self.get("/metrics").text

    def series(self):
        return metrics(self.text())

    def one(self, name):
        return self.series()[f"vxlan_pipeline_{name}", ()]

    def settled(self):
        """The series of a page made after this call: the server keeps a page for half a second."""
        time.sleep(0.6)
        return self.series()

    def test_promtool(self):
        """promtool accepts every name, type and help text."""
        need_commands("promtool")
        self.start()
        self.assertTrue(self.forwards())
        result = subprocess.run(["promtool", "check", "metrics"], input=self.text(), text=True,
                                capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_counters_agree(self):
        """/metrics, /stats.json and `stats --json` agree."""
        self.start({"listen": {"vnis": [1, 7]}})
        self.assertTrue(self.forwards(13))
        self.in_port.send(*[bytes(60)] * 3, *[frame[:100] for frame in tunnels(4)])
        wait_for(lambda: self.stats()["counters"]["total_packets"] >= 20, 5, "the counters")
        self.out_port.receive(is_ip)
        series, page, stats = self.settled(), self.get("/stats.json").json(), self.stats()
        packets = of_family(series, "packets_total", "verdict")
        self.assertEqual(set(packets), program.VERDICTS, "exactly one series each")
        self.assertEqual(packets, {name: verdict["packets"]
                                   for name, verdict in stats["verdicts"].items()})
        self.assertEqual(of_family(series, "bytes_total", "verdict"),
                         {name: verdict["bytes"] for name, verdict in stats["verdicts"].items()})
        self.assertEqual(sum(packets.values()), stats["counters"]["total_packets"])
        self.assertGreaterEqual(packets["redirected"], 13)
        self.assertEqual(of_family(series, "vni_packets_total", "vni"),
                         {str(vni["vni"]): vni["packets"] for vni in stats["vnis"]})
        self.assertEqual(of_family(series, "rule_packets_total", "to"),
                         {rule["to"]: rule["packets"] for rule in stats["rules"]})
        self.assertEqual(of_family(series, "rule_packets_total", "rule"),
                         {rule["name"]: rule["packets"] for rule in stats["rules"]})
        for document in (page, stats):
            self.assertGreater(document.pop("uptime_seconds"), 0)
        self.assertEqual(page, stats)

    def test_state(self):
        """Metrics of build, interfaces, times, generation, next hops and heartbeat."""
        began = time.time()
        daemon = self.start()
        wait_for(self.is_well, 10, "health")
        version = self.cli("--version").stdout.split()[-1]
        series = self.settled()
        self.assertEqual(series["vxlan_pipeline_build_info", (("version", version),)], 1)
        self.assertEqual(series["vxlan_pipeline_interface_info",
                                (("listen", "in0"), ("forward", "out0"), ("mode", "native"))], 1)
        self.assertEqual(of_family(series, "next_hops", "state"),
                         {"unknown": 0, "resolved": 1, "local": 0, "failed": 0})
        for name, value in (("healthy", 1), ("draining", 0), ("rules", 1), ("config_generation", 1),
                            ("target_packets_per_second", 85000),
                            ("warning_packets_per_second", 60000), ("daemon_running", 1),
                            ("rule_series_omitted", 0), ("vni_series_omitted", 0),
                            ("last_reload_successful", 1)):
            self.assertEqual(series[f"vxlan_pipeline_{name}", ()], value, name)
        for name in ("attached_timestamp_seconds", "config_timestamp_seconds",
                     "last_reload_timestamp_seconds"):
            self.assertAlmostEqual(series[f"vxlan_pipeline_{name}", ()], began, delta=60)
        self.assertAlmostEqual(series["vxlan_pipeline_heartbeat_timestamp_seconds", ()],
                               time.time(), delta=3)
        self.assertAlmostEqual(series["process_start_time_seconds", ()], began, delta=3)
        self.assertGreater(series["process_resident_memory_bytes", ()], 1 << 20)
        self.reloads(daemon)

    def sizes(self):
        """How many frames are in each bucket of the histogram of sizes, and their sum."""
        series = self.settled()
        upto = of_family(series, "packet_size_bytes_bucket", "le")
        self.assertEqual(series["vxlan_pipeline_packet_size_bytes_count", ()], upto["+Inf"])
        values = list(upto.values())
        return ([value - before for value, before in zip(values, [0, *values])],
                series["vxlan_pipeline_packet_size_bytes_sum", ()])

    def count_sizes(self, expected):
        """Sends frames of many sizes, and compares what was counted with what came before."""
        before, total = self.sizes()
        sizes = (60, 64, 65, 128, 129, 256, 512, 1024, 1025, 1514, 64, 64)
        self.in_port.send(*[bytes(size) for size in sizes])
        time.sleep(0.2)
        after, sum_after = self.sizes()
        buckets = [b - a for a, b in zip(before, after)]
        # the kernel's own packets come at any time
        self.assertTrue(all(got >= wanted for got, wanted in zip(buckets, expected)), buckets)
        self.assertLess(sum(buckets), sum(expected) + 10, buckets)
        if any(expected):
            self.assertGreaterEqual(sum_after - total, sum(sizes))
        else:
            self.assertEqual((after, sum_after), (before, total))

    def test_histograms(self):
        """Sizes are counted, over a reload and over a daemon that was killed; and not when it is off."""
        expected = [4, 2, 2, 1, 1, 2, 0, 0, 0, 0]
        daemon = self.start()
        self.count_sizes(expected)
        before = sum(self.sizes()[0])
        self.reload(daemon)
        self.assertGreaterEqual(sum(self.sizes()[0]), before)
        self.count_sizes(expected)
        daemon.kill()
        daemon = self.start()
        self.assertGreaterEqual(sum(self.sizes()[0]), before + sum(expected))
        self.count_sizes(expected)
        self.write({"monitor": {"histograms": False}})
        self.reload(daemon)
        self.count_sizes([0] * 10)

    def test_time(self):
        """About one packet in 1024 is timed."""
        self.start()
        for _ in range(100):
            self.in_port.send(*[bytes(60)] * 100)
        wait_for(lambda: self.stats()["counters"]["total_packets"] >= 10000, 5, "the counters")
        series = self.settled()
        timed = series["vxlan_pipeline_program_duration_seconds_count", ()]
        self.assertEqual(of_family(series, "program_duration_seconds_bucket", "le")["+Inf"], timed)
        self.assertTrue(5 <= timed <= 25, timed)
        mean = series["vxlan_pipeline_program_duration_seconds_sum", ()] / timed
        self.assertTrue(1e-8 < mean < 1e-3, mean)

    def test_sent(self):
        """What leaves is counted as the far end gets it, each fragment by itself."""
        if not kernel.copies_frames():
            self.skipTest("the kernel has to fragment, and does so to the MTU of the route alone")
        self.start({"forward": {"mtu": 576, "oversize": "fragment"}})
        self.in_port.send(*tunnels(5), *[
            frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, bytes(size))))
            for size in (600, 1000, 1400)])
        arrived = self.out_port.receive(is_ip, 5 + 2 + 2 + 3)
        self.assertEqual(len(arrived), 12)
        series = self.settled()
        self.assertEqual(of_family(series, "packets_total", "verdict")["fragmented"], 3)
        self.assertEqual(series["vxlan_pipeline_sent_packets_total", ()], 12)
        self.assertEqual(series["vxlan_pipeline_sent_bytes_total", ()], sum(map(len, arrived)))
        self.assertEqual(series["vxlan_pipeline_fragments_total", ()], 7)

    def reloads(self, daemon):
        """A reload increments the generation; a failed one sets last_reload_successful to 0."""
        began = time.time() - 1
        self.reload(daemon)
        series = self.settled()
        self.assertEqual(series["vxlan_pipeline_config_generation", ()], 2)
        self.assertEqual(series["vxlan_pipeline_last_reload_successful", ()], 1)
        first = series["vxlan_pipeline_last_reload_timestamp_seconds", ()]
        self.assertTrue(began <= first <= time.time() + 1, first)
        self.write({"forward": {"interface": "nic9"}})
        time.sleep(1)
        self.reload(daemon)
        series = self.settled()
        self.assertEqual(series["vxlan_pipeline_config_generation", ()], 2)
        self.assertEqual(series["vxlan_pipeline_last_reload_successful", ()], 0)
        self.assertGreater(series["vxlan_pipeline_last_reload_timestamp_seconds", ()], first)
        self.assertEqual(series["vxlan_pipeline_healthy", ()], 1, "what runs is well")
        self.write()
        self.reload(daemon)
        self.assertEqual(self.settled()["vxlan_pipeline_last_reload_successful", ()], 1)

    def test_losses(self):
        """Every row of losses in `status` is a series with the same place and reason."""
        self.start()
        rows = self.json("status")["losses"]
        series = {key[1]: value for key, value in self.settled().items()
                  if key[0] == "vxlan_pipeline_lost_packets_total"}
        self.assertEqual(set(series), {(("place", row["place"]),
                                        ("interface", row["interface"] or ""),
                                        ("reason", row["reason"])) for row in rows})
        self.assertEqual({row["place"] for row in rows}, {"nic", "program", "transmit", "kernel"})
        text = self.cli("status", "--instance", self.instance).stdout
        for word in ("NetworkPacketsSkipMirrorIn", "NetworkPacketsSkipMirrorOut"):
            self.assertIn(word, text)


class Server(Watched):
    """Where the server listens, and how a reload changes that."""

    def answers(self, **options):
        try:
            return request(self.appliance, **options).status == 200
        except OSError:
            return False

    def test_off(self):
        daemon = self.start(at("off"))
        self.assertFalse(self.answers())
        listening = self.appliance.run("ss", "-Hltn").stdout
        self.assertEqual(listening, "")
        self.write()
        self.reload(daemon)
        wait_for(self.answers, 10, "http on")
        self.write(at("off"))
        self.reload(daemon)
        self.assertFalse(self.answers())
        self.assertTrue(self.forwards())

    def test_ipv6(self):
        self.start(at("[::1]:9790"))
        wait_for(lambda: self.answers(address="::1", port=9790), 10, "IPv6")
        self.assertFalse(self.answers(port=9790))

    def test_address_that_comes_later(self):
        """The server can start before its address exists, as at boot."""
        self.start(at("10.20.0.55:9789"))
        self.appliance.ip("addr", "add", "10.20.0.55/24", "dev", "out0")
        wait_for(lambda: request(self.collector, address="10.20.0.55").status == 200, 10,
                 "the address")

    def test_reload_that_moves_it(self):
        """A reload moves the server: to other ports, to addresses that overlap, and back."""
        daemon = self.start()
        for listen, address, port, gone in (
                ("127.0.0.1:9790", "127.0.0.1", 9790, PORT),
                ("0.0.0.0:9790", "10.20.0.1", 9790, None),
                ("127.0.0.1:9790", "127.0.0.1", 9790, None),
                ("[::]:9790", "::1", 9790, None),
                (f"127.0.0.1:{PORT}", "127.0.0.1", PORT, 9790)):
            with self.subTest(listen):
                self.write(at(listen))
                self.reload(daemon)
                self.assertTrue(self.answers(address=address, port=port))
                if gone:
                    self.assertFalse(self.answers(port=gone))
        self.assertTrue(self.forwards())

    def test_move_with_a_reload_that_fails(self):
        """After a failed reload the server listens at its old address again, and nowhere else."""
        daemon = self.start()
        for listen in (f"0.0.0.0:{PORT}", "127.0.0.1:9790", "off"):
            with self.subTest(listen):
                self.write(at(listen), {"forward": {"interface": "nic9"}})
                self.reload(daemon)
                self.assertIn("not reloaded", daemon.stderr)
                self.assertTrue(self.answers())
                self.assertFalse(self.answers(port=9790))
                with self.assertRaises(OSError):
                    connect(self.appliance, "10.20.0.1").close()

    def test_two_instances(self):
        """Two instances cannot share an address; at two, each serves its own counters."""
        veth(self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        pid = self.start().pid
        other = unique("i")
        self.addCleanup(self.remove_instance, other)
        second = {"listen": {"interface": "in1"}}
        daemon = Daemon(self, self.appliance, "-c", self.write(second, name="two.yaml"),
                        instance=other).ready()
        self.assertIn(f"127.0.0.1:{PORT} is held by process {pid} (vxlan-pipeline)", daemon.stderr)
        self.assertIsNotNone(self.appliance.xdp("in1"))
        self.assertEqual(daemon.terminate(), 0)
        Daemon(self, self.appliance, "-c", self.write(second, at("127.0.0.1:9790"),
                                                      name="two.yaml"), instance=other).ready()
        self.assertTrue(self.forwards(9))
        for port, name, count in ((PORT, self.instance, 9), (9790, other, 0)):
            page = self.get("/stats.json", port=port).json()
            self.assertEqual(page["instance"], name)
            self.assertEqual(page["verdicts"]["redirected"]["packets"], count)
