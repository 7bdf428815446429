# SPDX-License-Identifier: GPL-2.0-only
"""`generate` sends through two veths and the pipeline, and measures at the far end."""

import json
import os
import signal
import socket
import struct
import subprocess
import time

from lib import frames, kernel, program
from lib.command import need_commands, run, wait_for
from lib.ground import Ground
from lib.port import SO_RCVBUFFORCE, Port, is_ip
from lib.program import PATIENCE
from lib.table import valid_checksums

STAMP = 36  # bytes of the stamp in the payload


def pace(pps):
    """A rate as a word for --pps: lower on a slow machine."""
    return str(int(pps / PATIENCE))


def patience(seconds):
    return str(int(seconds * PATIENCE))


class Process:
    """`vxlan-pipeline generate` in a namespace; wait() returns its JSON."""

    def __init__(self, test, namespace, *words):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            namespace.command(program.PROGRAM, "generate", *words, "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        test.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def wait(self, seconds=20):
        out, err = self.process.communicate(timeout=seconds * PATIENCE)
        return self.process.returncode, json.loads(out) if out else None, err


class OldKernel(Ground):
    """On an old kernel `generate` works, or says in one line which Linux it needs."""

    def attempt(self, *words):
        self.sender.ip("link", "set", "dev", "s0", "xdp", "off")
        result = self.sender.run(program.PROGRAM, "generate", "-i", "s0", *words, check=False)
        if "takes Linux" in result.stderr:
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertEqual(self.sender.xdp_interfaces(), [])
        return result

    def test_to_send(self):
        result = self.attempt("--count", "10")
        if kernel.sends_frames():
            self.assertEqual(result.returncode, 0, result.stderr)
        else:
            self.assertIn("takes Linux 5.18", result.stderr)

    def test_to_receive(self):
        """Kernels that can send can receive; an older one can, or `generate` says it cannot."""
        result = self.attempt("--receive", "--seconds", "1")
        if "takes Linux 5.12" in result.stderr:
            self.assertFalse(kernel.sends_frames(), result.stderr)
        else:
            self.assertIn("0 packets", result.stdout)


class Generate(Ground):
    CONFIG = {
        "listen": {"interface": "in0", "vnis": "any"},
        "forward": {"interface": "out0", "next_hop": "route"},
        "nat": [{"match": {"protocol": "udp"}, "to": "10.20.0.2:8081"}],
        "http": {"listen": "off"},
    }

    def setUp(self):
        if not kernel.sends_frames():
            self.skipTest("`generate` takes a kernel that sends what programs make, Linux 5.18")
        super().setUp()
        self.know_neighbour()

    def generate(self, *words, check=True):
        """
        Sends out of s0; returns the report. Accepts that a busy machine cannot keep the pace: no
        packet is lost by that.
        """
        result = self.sender.run(program.PROGRAM, "generate", "-i", "s0", "--json", *words,
                                 check=False)
        if check and "could not keep" not in result.stderr:
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return json.loads(result.stdout) if check else result

    def largest(self):
        """The largest --inner-size: before Linux 6.3 it is smaller, and `generate` says so."""
        result = self.generate("--inner-size", "3344", "--count", "1", check=False)
        if result.returncode == 0:
            return "3344"
        self.assertIn("6.3 for more than 3368 bytes (--inner-size 3304)", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return "3304"

    def receiver(self, *words, namespace=None, interface="c0"):
        namespace = namespace or self.collector
        process = Process(self, namespace, "-i", interface, "--receive", *words)
        wait_for(lambda: namespace.xdp(interface) or process.process.poll() is not None, 5,
                 "the receiver")
        return process

    def refused(self, *words, status, says, namespace=None):
        """Fails unless `generate` exits with the status and one line that says why."""
        result = (namespace or self.sender).run(program.PROGRAM, "generate", *words, check=False)
        self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
        self.assertIn(says, result.stderr)
        lines = [line for line in result.stderr.splitlines() if not line.startswith("Try ")]
        self.assertEqual(len(lines), 1, result.stderr)

    def known_count(self, *words, count=20000, pps=20000):
        """Sends a known count through the pipeline; fails unless each packet arrives once."""
        self.start()
        receiver = self.receiver("--count", str(count), "--seconds", patience(15))
        sent = self.generate("--count", str(count), "--pps", pace(pps), *words)
        status, got, stderr = receiver.wait()
        self.assertEqual(status, 0, stderr)
        self.assertEqual((sent["packets"], got["packets"], got["unique"]),
                         (count, count, count))
        self.assertEqual({key: got[key] for key in ("lost", "duplicates", "reordered",
                                                    "encapsulated", "other_runs")},
                         dict.fromkeys(("lost", "duplicates", "reordered", "encapsulated",
                                        "other_runs"), 0))
        self.assertEqual(self.stats()["counters"]["nat_applied"], count)
        return sent, got

    def test_no_loss(self):
        sent, got = self.known_count()
        self.assertGreaterEqual(sent["transmitted"], 20000)
        self.assertEqual((sent["inner_size"], sent["frame_bytes"]), (98, 162))
        self.assertEqual(sent["bytes"], 20000 * 162)
        self.assertEqual(got["bytes"], 20000 * 112)
        latency = got["latency_ns"]
        self.assertEqual(latency["samples"], 20000)
        self.assertEqual(sum(packets for _, packets in latency["histogram"]), 20000)
        order = [latency[key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
        self.assertEqual(order, sorted(order))
        self.assertGreater(order[0], 0)

    def test_flows_vnis_and_threads(self):
        threads = min(2, len(os.sched_getaffinity(0)))
        sent, _ = self.known_count("--flows", "1000", "--vni", "7-106", "--threads",
                                   str(threads), count=20000)
        self.assertEqual((sent["flows"], sent["vnis"], sent["threads"]), (1000, 100, threads))
        vnis = {entry["vni"]: entry["packets"] for entry in self.stats()["vnis"]}
        self.assertEqual(vnis, dict.fromkeys(range(7, 107), 200))

    def test_flat_out(self):
        """Without --pps it sends as fast as it can, and the count is still exact."""
        self.start()
        sent = self.generate("--count", "100000")
        self.assertEqual(sent["packets"], 100000)
        self.assertEqual(self.verdicts(), {"redirected": 100000})

    def test_well_formed(self):
        """Headers, checksums, ports and payload are right, to the byte."""
        cases = (
            ("smallest", ("--inner-size", "64")),
            ("odd", ("--inner-size", "65")),
            ("default", ()),
            ("a few words", ("--inner-size", "141")),
            ("large", ("--inner-size", "1400", "--flows", "7")),
            ("largest", ("--inner-size", self.largest())),
            ("DF", ("--df",)),
            ("ports", ("--flows", "5", "--vary", "source-port", "--source-port", "65531")),
            ("destinations", ("--flows", "5", "--vary", "destination")),
        )
        port = Port(self, self.appliance, "in0")
        for name, words in cases:
            with self.subTest(name):
                sent = self.generate("--count", "120", "--pps", pace(5000), *words)
                got = port.receive(lambda frame: frame[36:38] == b"\x12\xb5", 120)
                self.assertEqual(len(got), 120)
                for number, frame in enumerate(got):
                    self.check_frame(frame, number, sent, words)

    def check_frame(self, frame, number, sent, words):
        outer, inner = frame[14:], frame[64:]
        self.assertEqual(len(frame), sent["frame_bytes"])
        self.assertEqual(frame[:6], frames.mac(self.appliance.mac("in0")))
        self.assertEqual(frames.checksum(outer[:20]), 0)
        self.assertTrue(valid_checksums(inner))
        self.assertEqual(outer[40 - 14:42 - 14], b"\0\0", "no outer UDP checksum")
        self.assertEqual(outer[28:36], b"\x08\0\0\0\0\0\1\0")
        self.assertEqual(struct.unpack("!H", inner[2:4])[0], sent["inner_size"])
        self.assertEqual(inner[26:28] == b"\0\0", False, "an inner UDP checksum")
        flow = number % sent["flows"]
        source, destination, sport, dport = struct.unpack("!4s4sHH", inner[12:24])
        vary = words[words.index("--vary") + 1] if "--vary" in words else "source"
        self.assertEqual(source, socket.inet_aton(f"10.2.41.{20 + flow * (vary == 'source')}"))
        self.assertEqual(destination, socket.inet_aton(
            f"10.2.41.{10 + flow * (vary == 'destination')}"))
        self.assertEqual((sport, dport), (65531 + flow if vary == "source-port" else 42844, 514))
        self.assertEqual(inner[6:8] == b"\x40\0", "--df" in words)
        if "--df" in words:
            self.assertEqual(inner[4:6], b"\0\0")
        rest = inner[28 + STAMP:]
        self.assertEqual(rest, bytes(n % 256 for n in range(len(rest))))
        self.assertGreaterEqual(struct.unpack("!H", outer[20:22])[0], 0xC000)

    def test_outer_ports_follow_flows(self):
        port = Port(self, self.appliance, "in0")
        self.generate("--count", "200", "--flows", "100", "--pps", pace(5000))
        got = port.receive(lambda frame: frame[36:38] == b"\x12\xb5", 200)
        ports = [frame[34:36] for frame in got]
        self.assertEqual(ports[:100], ports[100:])
        self.assertGreater(len(set(ports)), 95)

    def test_a_real_socket_receives(self):
        """The collector's kernel checks headers and checksums, and reassembles fragments."""
        for size in (98, 2852):
            with self.subTest(size):
                server = self.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.addCleanup(server.close)
                server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
                server.bind(("10.20.0.2", 8081))
                server.settimeout(5 * PATIENCE)
                self.collector.sysctl("net.ipv4.conf.all.rp_filter=0",
                                      "net.ipv4.conf.c0.rp_filter=0")
                self.collector.ip("route", "replace", "10.2.0.0/16", "via", "10.20.0.1")
                daemon = self.start()
                self.generate("--count", "500", "--pps", pace(2000), "--inner-size", str(size))
                got = [server.recv(4000) for _ in range(500)]
                numbers = [struct.unpack("=Q", data[8:16])[0] for data in got]
                self.assertEqual(numbers, list(range(500)))
                for data in got:
                    self.assertEqual(data[STAMP:],
                                     bytes(n % 256 for n in range(size - 28 - STAMP)))
                server.close()
                self.assertEqual(daemon.terminate(), 0)

    def test_fragments(self):
        """The receiver counts a packet in fragments once, by its first fragment."""
        self.start()
        receiver = self.receiver("--count", "2000", "--seconds", patience(15))
        self.generate("--count", "2000", "--pps", pace(5000), "--inner-size", "2852")
        status, got, stderr = receiver.wait()
        self.assertEqual(status, 0, stderr)
        self.assertEqual((got["packets"], got["lost"], got["duplicates"]), (2000, 0, 0))
        self.assertEqual(got["fragments"], {"first": 2000, "later": 2000})

    def test_loss_is_reported(self):
        """The pipeline refuses one VNI of four: the receiver reports a quarter as lost."""
        self.start({"listen": {"vnis": [1, 2, 3]}})
        receiver = self.receiver("--count", "4000", "--seconds", patience(3))
        self.generate("--count", "4000", "--pps", pace(4000), "--vni", "1", "--vnis", "4")
        status, got, stderr = receiver.wait()
        self.assertEqual((status, got["unique"], got["lost"]), (1, 3000, 1000))
        self.assertIn("3000 of 4000", stderr)
        self.assertEqual((got["duplicates"], got["reordered"]), (0, 0))

    def test_loss_without_a_known_count(self):
        """Without a known count, numbers missing below the highest one that came are lost."""
        self.start({"listen": {"vnis": [2, 3]}})
        receiver = self.receiver()
        self.generate("--count", "4000", "--pps", pace(8000), "--vni", "1", "--vnis", "4")
        time.sleep(0.3 * PATIENCE)
        receiver.process.send_signal(signal.SIGINT)
        status, got, stderr = receiver.wait()
        self.assertEqual((status, got["unique"], got["lost"]), (0, 2000, 1999), stderr)
        self.assertEqual(got["lost_before_first"], 1)

    def replay(self, change):
        """Sends a run's packets, as `change` alters them, to a receiver; returns its report."""
        port = Port(self, self.appliance, "in0")
        self.generate("--count", "100", "--pps", pace(5000), "--flows", "4")
        got = port.receive(lambda frame: frame[36:38] == b"\x12\xb5", 100)
        self.assertEqual(len(got), 100)
        receiver = self.receiver(namespace=self.appliance, interface="in0")
        self.in_port.send(*change(got))
        time.sleep(0.3 * PATIENCE)
        receiver.process.send_signal(signal.SIGINT)
        status, report, stderr = receiver.wait()
        self.assertEqual(status, 0, stderr)
        return report

    def test_order_is_judged(self):
        cases = (
            ("as sent", lambda p: p, (100, 100, 0, 0, 0)),
            ("every one twice", lambda p: [f for f in p for _ in "12"], (200, 100, 0, 100, 0)),
            ("one late, after three of its flow",
             lambda p: p[:8] + p[9:21] + [p[8]] + p[21:], (100, 100, 0, 0, 1)),
            ("flows overtake one another: no reordering",
             lambda p: [p[n] for k in range(4) for n in range(k, 100, 4)], (100, 100, 0, 0, 0)),
            ("backwards", lambda p: p[::-1], (100, 100, 0, 0, 96)),
            ("ten missing", lambda p: p[:40] + p[50:], (90, 90, 10, 0, 0)),
            ("missing, and one twice", lambda p: p[:40] + p[49:50] + p[49:],
             (92, 91, 9, 1, 0)),
        )
        for name, change, wanted in cases:
            with self.subTest(name):
                report = self.replay(change)
                self.assertEqual(tuple(report[key] for key in (
                    "packets", "unique", "lost", "duplicates", "reordered")), wanted)
                self.assertEqual(report["encapsulated"], report["packets"])

    def test_other_runs_are_told_apart(self):
        receiver = self.receiver(namespace=self.appliance, interface="in0")
        for count in ("100", "70"):
            self.generate("--count", count)
        receiver.process.send_signal(signal.SIGINT)
        status, report, stderr = receiver.wait()
        self.assertEqual((status, report["packets"], report["other_runs"]), (0, 100, 70), stderr)

    def test_the_receivers_host_goes_on(self):
        """Packets without a stamp pass on to the host; stamped ones only with --pass."""
        for words, wanted in (((), 0), (("--pass",), 50)):
            with self.subTest(words):
                port = Port(self, self.collector, "c0")
                daemon = self.start()
                receiver = self.receiver("--count", "50", "--seconds", patience(10), *words)
                self.generate("--count", "50", "--pps", pace(1000))
                self.assertEqual(receiver.wait()[0], 0)
                self.assertEqual(len(port.receive(is_ip)), wanted)
                self.assertEqual(daemon.terminate(), 0)
        receiver = self.receiver()
        self.appliance.run("ping", "-c", "1", "-W", "3", "10.20.0.2")
        receiver.process.send_signal(signal.SIGINT)
        self.assertEqual(receiver.wait()[0], 1, "nothing of a generator came")

    def test_schedule(self):
        """A duration and a rate determine the count exactly."""
        sent = self.generate("--pps", pace(3000), "--seconds", "1")
        self.assertEqual((sent["packets"], sent["kept_pace"]), (int(pace(3000)), True))
        self.assertGreaterEqual(sent["seconds"], 0.99)

    def test_too_fast(self):
        """A rate that this machine cannot keep: says so, exits with 1, and reports all the same."""
        result = self.generate("--pps", "19999999", "--seconds", "1", "--inner-size",
                               self.largest(), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("could not keep 19999999 packets a second", result.stderr)
        report = json.loads(result.stdout)
        self.assertFalse(report["kept_pace"])
        self.assertGreater(report["packets"], 0)

    def test_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                port = Port(self, self.appliance, "in0")
                sender = Process(self, self.sender, "-i", "s0", "--pps", "10")
                wait_for(lambda p=port: p.receive(is_ip, quiet=0.01), 10, "a packet")
                begun = time.monotonic()
                time.sleep(0.7)
                sender.process.send_signal(number)
                wanted = 1 + 10 * (time.monotonic() - begun)
                status, report, stderr = sender.wait()
                self.assertEqual(status, 0, stderr)
                self.assertLessEqual(abs(report["packets"] - wanted), 4)
        self.assertEqual(self.sender.xdp_interfaces(), [])

    def test_nothing_is_left(self):
        """The kernel removes programs and links with the process, however it ends."""
        def loaded():
            listed = json.loads(run("bpftool", "-j", "prog", "show").stdout)
            return [item["id"] for item in listed
                    if item.get("name", "").startswith("generate_")]

        need_commands("bpftool")
        before = loaded()
        sender = Process(self, self.sender, "-i", "s0", "--pps", "100")
        receiver = self.receiver()
        wait_for(lambda: len(loaded()) > len(before) + 1, 5, "both programs")
        for process in (sender, receiver):
            process.process.kill()
            process.process.wait()
        wait_for(lambda: loaded() == before, 10, "the programs to go")
        self.assertEqual(self.collector.xdp_interfaces(), [])

    def test_destination_is_resolved(self):
        """`generate` finds the MAC for --destination, and asks for it if the kernel has none."""
        port = Port(self, self.appliance, "in0")
        self.sender.ip("neigh", "flush", "dev", "s0")
        self.generate("--count", "10", "--destination", "10.9.0.2", "--source", "10.1.2.3",
                      "--port", "4790")
        got = port.receive(lambda frame: frame[36:38] == b"\x12\xb6", 10)
        self.assertEqual(len(got), 10)
        self.assertEqual(got[0][:6], frames.mac(self.appliance.mac("in0")))
        self.assertEqual(got[0][26:34], socket.inet_aton("10.1.2.3") +
                         socket.inet_aton("10.9.0.2"))

    def test_refusals_of_the_ground(self):
        self.attach_program(self.sender, "s0")
        for words in (("-i", "s0", "--count", "1"), ("-i", "s0", "--receive", "--seconds", "1")):
            with self.subTest(words):
                self.refused(*words, status=1, says="XDP program 'somebody_elses'")
        self.sender.ip("link", "set", "s0", "xdp", "off")
        self.sender.ip("link", "set", "s0", "down")
        self.refused("-i", "s0", "--count", "1", status=1, says="s0 is down")

    def test_a_peer_without_napi(self):
        """Such a peer takes no frame: `generate` notices that nothing leaves s0, and fails."""
        self.appliance.run("ethtool", "-K", "in0", "gro", "off")
        self.refused("-i", "s0", "--count", "1000", status=1, says="nothing leaves s0")
        self.refused("-i", "s0", "--seconds", "10", status=1, says="`ethtool -K PEER gro off`, then `gro on`")

    def test_refusals(self):
        cases = (
            ((), 2, "which interface?"),
            (("-i", "nosuch"), 1, "no interface nosuch"),
            (("-i", "lo"), 1, "where to?"),
            (("-i", "s0", "--destination", "203.0.113.9"), 1, "--destination-mac"),
            (("-i", "s0", "--inner-size", "63"), 2, "not a number from 64"),
            (("-i", "s0", "--inner-size", "3345"), 2, "at most 3344"),
            (("-i", "s0", "--inner-size", "99999"), 2, "not a number from 64"),
            (("-i", "s0", "--pps", "-5"), 2, "--pps '-5'"),
            (("-i", "s0", "--pps", "1e5"), 2, "--pps '1e5'"),
            (("-i", "s0", "--pps", "4000000000"), 2, "a thread sends at most 20000000"),
            (("-i", "s0", "--seconds", "0"), 2, "--seconds '0'"),
            (("-i", "s0", "--count", "0"), 2, "--count '0'"),
            (("-i", "s0", "--flows", "0"), 2, "--flows '0'"),
            (("-i", "s0", "--flows", "70000", "--vary", "source-port"), 2, "not so many ports"),
            (("-i", "s0", "--vary", "mac"), 2, "source, destination, source-port"),
            (("-i", "s0", "--vni", "16777216"), 2, "--vni '16777216'"),
            (("-i", "s0", "--vni", "9-3"), 2, "--vni '9-3'"),
            (("-i", "s0", "--vni", "16777215", "--vnis", "2"), 2, "above 16777215"),
            (("-i", "s0", "--threads", "64"), 2, "a CPU takes one sender"),
            (("-i", "s0", "--batch", "257"), 2, "not a number from 1 to 256"),
            (("-i", "s0", "--destination", "fd00::1"), 2, "not an IPv4 address"),
            (("-i", "s0", "--destination-mac", "nonsense"), 2, "not a MAC address"),
            (("-i", "s0", "--pass"), 2, "--pass needs --receive"),
            (("-i", "s0", "--receive", "--pps", "5"), 2, "--pps does not go with --receive"),
            (("-i", "s0", "more"), 2, "unexpected argument 'more'"),
        )
        for words, status, says in cases:
            with self.subTest(" ".join(words)):
                self.refused(*words, status=status, says=says)

    def test_beyond_the_mtu(self):
        self.sender.ip("link", "set", "s0", "mtu", "1500")
        self.refused("-i", "s0", "--inner-size", "1451", status=2,
                     says="above the MTU of s0, 1500; at most 1450 fit")
        self.assertEqual(self.generate("--inner-size", "1450", "--count", "5")["packets"], 5)

    def test_not_root(self):
        need_commands("setpriv")
        result = self.sender.run("setpriv", "--reuid=65534", "--clear-groups", program.PROGRAM,
                                 "generate", "-i", "s0", "--count", "1", check=False)
        if "Permission denied" in result.stderr and "vxlan-pipeline:" not in result.stderr:
            self.skipTest("the program is not readable for others")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("run as root", result.stderr)
