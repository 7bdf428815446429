# SPDX-License-Identifier: GPL-2.0-only
"""
The command line of `explain`: input, output, exit status, and that it leaves nothing behind. The
other files of this folder test what it says of packets.
"""

import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import time
import unittest

from lib import program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    os.environ.get("VXLAN_PIPELINE") or os.path.join(ROOT, "build", "vxlan-pipeline"))
PATIENCE = float(os.environ.get("TEST_PATIENCE") or 1)

CONFIG = """\
listen:
  interface: xplain-in0
  vnis: [42]
forward:
  interface: xplain-out0
nat:
  - match: {source_port: 5000}
    to: 10.2.41.17:8081
"""

MACS = bytes.fromhex("02000000000b02000000000a")
GATEWAY, LISTEN, EGRESS = "02:00:00:00:00:fe", "02:00:00:00:00:01", "02:00:00:00:00:02"
PASSING = "02:56:00:00:00:00"  # the source of what is passed, with the mark 0


def ones_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_udp(source, destination, sport, dport, payload):
    """An Ethernet frame of IPv4 and UDP without a UDP checksum."""
    address = [bytes(map(int, text.split("."))) for text in (source, destination)]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 7, 0, 64, 17, 0, *address)
    header = header[:10] + struct.pack("!H", ~ones_sum(header) & 0xFFFF) + header[12:]
    return (MACS + b"\x08\0" + header +
            struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def tunnel(inner, vni=42):
    return ip_udp("10.0.0.5", "10.0.0.9", 53221, 4789, struct.pack("!II", 8 << 24, vni << 8) + inner)


HELLO = tunnel(ip_udp("10.1.0.1", "10.1.0.2", 5000, 514, b"hello"))
UNMATCHED = tunnel(ip_udp("10.1.0.1", "10.1.0.2", 6000, 514, b"hello"))
LARGE = tunnel(ip_udp("10.1.0.1", "10.1.0.2", 5000, 514, b"x" * 2000))
PLAIN = ip_udp("10.1.0.1", "10.1.0.2", 5000, 53, b"plain")


def pcap(frames, order="<", magic=0xA1B2C3D4, link_type=1, unit=1000):
    """`unit`: of the timestamp's fraction, in ns. A frame may be (captured bytes, length)."""
    data = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)]
    for number, frame in enumerate(frames):
        kept, length = frame if isinstance(frame, tuple) else (frame, len(frame))
        data += [struct.pack(order + "IIII", 1700000000 + number, 123456789 // unit, len(kept),
                             length), kept]
    return b"".join(data)


def pcapng(frames, link_type=1):
    """A pcapng file with timestamps in nanoseconds."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    options = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", link_type, 0, 262144) + options)
    for number, frame in enumerate(frames):
        when = (1700000000 + number) * 10**9 + 123456789
        data += block(6, struct.pack("<IIIII", 0, when >> 32, when & 0xFFFFFFFF, len(frame),
                                     len(frame)) + frame)
    return data


def read_pcap(data):
    """[(time in ns, frame)]; fails unless the data is a complete pcap file of Ethernet frames."""
    magic, _, _, _, _, _, link_type = struct.unpack_from("<IHHiIII", data)
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    assert link_type == 1
    packets, at = [], 24
    while at < len(data):
        seconds, fraction, kept, length = struct.unpack_from("<IIII", data, at)
        assert kept == length and at + 16 + kept <= len(data)
        packets.append((seconds * 10**9 + fraction * unit, data[at + 16:at + 16 + kept]))
        at += 16 + kept
    return packets


class ExplainCase(unittest.TestCase):
    def setUp(self):
        if not os.access(PROGRAM, os.X_OK):
            self.skipTest(f"{PROGRAM} is not built")
        self.work = tempfile.mkdtemp(prefix="vxlan-pipeline-explain-")
        self.addCleanup(shutil.rmtree, self.work)
        self.config = self.file("config.yaml", CONFIG.encode())

    def file(self, name, data):
        path = os.path.join(self.work, name)
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    def data(self, name):
        with open(os.path.join(self.work, name), "rb") as stream:
            return stream.read()

    def run_program(self, *args, config=None, text=True, **options):
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([PROGRAM, "explain", "-c", config or self.config, *args],
                              stderr=subprocess.PIPE, text=text, timeout=60 * PATIENCE,
                              check=False, cwd=self.work, **options)

    def explain(self, *args, **options):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        result = self.run_program(*args, **options)
        self.assertEqual((result.returncode, result.stderr), (0, "" if options.get("text", True)
                                                              else b""))
        return result.stdout

    def document(self, *args, **options):
        return json.loads(self.explain(*args, "--json", **options))

    def refused(self, status, pattern, *args, **options):
        """Fails unless `explain` exits with the status and says why on stderr; returns stdout."""
        result = self.run_program(*args, **options)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertRegex(result.stderr.splitlines()[0], pattern)
        if status == 1:
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return result.stdout

    def needs_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")


class Usage(ExplainCase):
    def test_usage(self):
        capture = self.file("in.pcap", pcap([HELLO]))
        for sentence, args, pattern in (
                ("no capture", [], "which capture"),
                ("two captures", [capture, "b.pcap"], "'b.pcap' is too many"),
                ("an option that there is not", [capture, "--frobnicate"], "--frobnicate"),
                ("an option without its value", [capture, "-w"], "'w'"),
                ("a colour that there is not", ["--color=red", capture], "'red': auto, always or never"),
                ("two documents on standard output", ["--json", "-w", "-", capture], "--json")):
            with self.subTest(sentence):
                self.refused(2, pattern, *args)

    def test_help(self):
        for option in ("-h", "--help"):
            result = self.run_program(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("IN.pcap", result.stdout)
        self.assertEqual(self.run_program("--version").returncode, 0)

    def test_bad_configuration(self):
        capture = self.file("in.pcap", pcap([HELLO]))
        bad = self.file("bad.yaml", b"listen: {interface: a, port: 99999}\n")
        self.assertEqual(self.refused(2, r"bad\.yaml:1:.*port", capture, config=bad), "")
        self.refused(2, "none.yaml", capture, config=os.path.join(self.work, "none.yaml"))

    def test_without_root(self):
        self.needs_root()
        capture = self.file("in.pcap", pcap([HELLO]))
        os.chmod(self.work, 0o755)
        if not shutil.which("setpriv"):
            self.skipTest("no setpriv")
        copy = shutil.copy(PROGRAM, os.path.join(self.work, "program"))
        result = subprocess.run(
            ["setpriv", "--reuid", "65534", "--clear-groups", copy, "explain", "-c", self.config,
             capture], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"\A.*needs root.*sudo\n\Z")


class Input(ExplainCase):
    def test_not_a_capture(self):
        cut_header = pcap([])[:10]
        for sentence, name, data, pattern in (
                ("no such file", "none.pcap", None, "No such file"),
                ("a text", "text.pcap", b"hello, this is no capture at all\n", "unknown file"),
                ("nothing", "empty.pcap", b"", "truncated"),
                ("half a header", "half.pcap", cut_header, "truncated"),
                ("Linux cooked", "any.pcap", pcap([], link_type=113), "LINUX_SLL.*Ethernet"),
                ("raw IP", "raw.pcap", pcap([], link_type=101), "RAW.*Ethernet"),
                ("raw IP as pcapng", "raw.pcapng", pcapng([HELLO], link_type=101), "RAW")):
            with self.subTest(sentence):
                path = os.path.join(self.work, name)
                if data is not None:
                    self.file(name, data)
                self.assertEqual(self.refused(1, pattern, path), "")
        self.refused(1, "directory", self.work)

    def test_formats(self):
        frames = [HELLO, PLAIN, UNMATCHED]
        want = ["redirected", "not_tunnel", "unmatched"]
        for sentence, data in (
                ("pcap", pcap(frames)),
                ("pcap of a big-endian machine", pcap(frames, ">")),
                ("pcap with nanoseconds", pcap(frames, magic=0xA1B23C4D, unit=1)),
                ("pcapng", pcapng(frames))):
            with self.subTest(sentence):
                document = self.document(self.file("in.pcap", data))
                self.assertEqual([p["verdict"] for p in document["packets"]], want)
                fraction = "123456000" if unit_is_micro(data) else "123456789"
                self.assertEqual([p["time"] for p in document["packets"]],
                                 [f"2023-11-14T22:13:2{n}.{fraction}Z" for n in range(3)])

    def test_no_packets(self):
        document = self.document(self.file("in.pcap", pcap([])))
        self.assertEqual(document["packets"], [])
        self.assertEqual(set(document["verdicts"].values()), {0})

    def test_standard_input(self):
        document = self.document("-", input=pcap([HELLO]).decode("latin-1"), encoding="latin-1")
        self.assertEqual(document["packets"][0]["verdict"], "redirected")

    def test_cut_off_in_the_middle(self):
        """What came before the end is told and written."""
        self.needs_root()
        for name, data in (("cut.pcap", pcap([HELLO, PLAIN])[:-3]),
                           ("header.pcap", pcap([HELLO, PLAIN])[:-len(PLAIN) - 5]),
                           ("cut.pcapng", pcapng([HELLO, PLAIN])[:-3])):
            with self.subTest(name):
                path = self.file(name, data)
                text = self.refused(1, "out.pcap holds what leaves.*cut off within packet 2", path,
                                    "-w", "out.pcap")
                self.assertIn("#1", text)
                self.assertRegex(text, r"total +1\n\Z")
                self.assertEqual(len(read_pcap(self.data("out.pcap"))), 1)
                document = json.loads(self.refused(1, "cut off", path, "--json"))
                self.assertEqual(len(document["packets"]), 1)
                self.assertIn("cut off", document["problem"])

    def test_hostile_lengths(self):
        self.needs_root()
        header = pcap([HELLO])
        for sentence, kept in (("more than the file holds", 0x7FFFFFFF), ("negative", 0xFFFFFFFF)):
            with self.subTest(sentence):
                record = struct.pack("<IIII", 1, 1, kept, kept)
                text = self.refused(1, "cut off", self.file("in.pcap", header + record + b"x"))
                self.assertIn("redirected", text)

    def test_frames_that_cannot_be_run(self):
        """`explain` says so of each, and runs the others."""
        self.needs_root()
        path = self.file("in.pcap", pcap([bytes(9), b"", bytes(14), MACS + bytes(80000), HELLO]))
        said = "3 of 5 packets could not be judged; the first is #1: 9 bytes are less than"
        document = json.loads(self.refused(1, said, path, "--json"))
        self.assertEqual([p["verdict"] for p in document["packets"]],
                         [None, None, "not_tunnel", None, "redirected"])
        self.assertIn("Ethernet header", document["packets"][0]["problem"])
        self.assertIn("80012 bytes", document["packets"][3]["problem"])
        self.assertNotIn("problem", document["packets"][4])
        self.assertEqual(sum(document["verdicts"].values()), 2)
        self.assertEqual(document["not_run"], 3)
        self.assertIn(said, document["problem"])
        text = self.refused(1, said, path)
        self.assertEqual(text.count("not run  "), 3)
        self.assertRegex(text, r"\(not run\) +3\n")

    def test_snap_length(self):
        path = self.file("in.pcap", pcap([(HELLO[:60], len(HELLO)), HELLO]))
        text = self.explain(path)
        self.assertIn(f"the capture kept only 60 of {len(HELLO)} bytes", text)
        self.assertEqual(text.count("kept only"), 1)
        packet = self.document(path)["packets"][0]
        self.assertEqual((packet["length"], packet["captured"]), (len(HELLO), 60))


def unit_is_micro(data):
    return data[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")


class Text(ExplainCase):
    def test_a_packet(self):
        text = self.explain(self.file("in.pcap", pcap([HELLO])))
        self.assertEqual(text.count("simulated gateway " + GATEWAY), 1)
        for line in (r"#1  2023-11-14 22:13:20\.123456000Z  97 bytes",
                     r"    outer    IP 10\.0\.0\.5:53221 > 10\.0\.0\.9:4789: VXLAN, vni 42, .*",
                     r"    inner    IP 10\.1\.0\.1:5000 > 10\.1\.0\.2:514: UDP, length 5",
                     r"    rule     1 \([0-9a-f]{8}\), to 10\.2\.41\.17:8081",
                     r"    events   nat_applied: .*",
                     r"    verdict  redirected: sent out of forward\.interface",
                     r"    leaves   IP 10\.1\.0\.1:5000 > 10\.2\.41\.17:8081: UDP, .*",
                     r" +eth\.dst +02:00:00:00:00:0b -> 02:00:00:00:00:fe",
                     r" +ip\.dst +10\.1\.0\.2 -> 10\.2\.41\.17",
                     r" +ip\.checksum +0x\w+ \(correct\) -> 0x\w+ \(correct\)",
                     r" +udp\.dstport +514 -> 8081",
                     r" +payload as it came \(5 bytes\)",
                     r"redirected +1  .*", r"total +1"):
            self.assertRegex(text, f"(?m)^{line}$")

    def test_what_leaves_untouched_is_not_told_twice(self):
        text = self.explain(self.file("in.pcap", pcap([PLAIN])))
        self.assertIn("not_tunnel", text)
        self.assertNotIn("leaves", text)

    def test_colour(self):
        path = self.file("in.pcap", pcap([HELLO, UNMATCHED]))
        self.assertNotIn("\x1b", self.explain(path))
        self.assertIn("\x1b[32mredirected", self.explain(path, "--color=always"))
        self.assertNotIn("\x1b", self.explain(path, "--color=never"))
        self.assertNotIn("\x1b", self.explain(path, "--color=always",
                                              env={**os.environ, "NO_COLOR": "1"}))

    def test_a_hostile_file_name(self):
        name = "in\x1b[31m\n.pcap"
        text = self.explain(self.file(name, pcap([])))
        self.assertNotIn("\x1b", text)
        self.assertIn(r"in\x1b[31m\x0a.pcap", text)
        path = self.file("plain.pcap", pcap([]))
        broken = os.path.join(self.work, os.fsdecode(b"\xff\xfe.pcap"))
        os.rename(path, broken)
        self.assertIn(r"\xff\xfe.pcap", self.document(broken)["file"])

    def test_output_that_fails(self):
        self.needs_root()
        path = self.file("in.pcap", pcap([HELLO] * 100))
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.refused(1, "No space left", path, stdout=full)
            self.refused(1, "No space left", path, "--json", stdout=full)


class Json(ExplainCase):
    def test_document(self):
        path = self.file("in.pcap", pcap([HELLO, UNMATCHED, PLAIN, tunnel(HELLO, vni=7)]))
        document = self.document(path)
        self.assertEqual(document["file"], path)
        self.assertIs(document["simulated_next_hops"], True)
        self.assertEqual(set(document["verdicts"]), program.VERDICTS)
        self.assertEqual(document["verdicts"]["unmatched"], 1)
        self.assertEqual(sum(document["verdicts"].values()), 4)
        hello, unmatched, plain, other = document["packets"]
        self.check_forwarded(hello)
        self.assertEqual((unmatched["verdict"], unmatched["rule"], unmatched["to"],
                          unmatched["vni"], unmatched["out"], unmatched["changes"]),
                         ("unmatched", None, None, 42, [], []))
        self.assertEqual((plain["verdict"], plain["vni"], plain["in"]["inner"]),
                         ("not_tunnel", None, None))
        self.assertEqual([out["hex"] for out in plain["out"]], [PLAIN.hex()])
        self.assertEqual((other["verdict"], other["out"]), ("unknown_vni", []))

    def check_forwarded(self, packet):
        self.assertEqual((packet["number"], packet["length"], packet["captured"]), (1, 97, 97))
        self.assertEqual((packet["verdict"], packet["rule"], packet["to"], packet["vni"]),
                         ("redirected", 1, "10.2.41.17:8081", 42))
        self.assertEqual(packet["events"], ["nat_applied"])
        self.assertEqual(packet["in"]["hex"], HELLO.hex())
        self.assertEqual(packet["in"]["outer"]["vxlan.vni"], "42")
        self.assertEqual(packet["in"]["inner"]["ip.dst"], "10.1.0.2")
        out, = packet["out"]
        self.assertEqual((out["length"], len(out["hex"]), out["payload_changed"]), (47, 94, False))
        self.assertEqual(out["fields"]["ip.checksum.status"], "correct")
        changes = {change["field"]: change for change in packet["changes"]}
        self.assertEqual(set(changes), {"eth.dst", "eth.src", "ip.checksum", "ip.dst",
                                        "udp.dstport"})
        self.assertEqual(changes["ip.dst"],
                         {"field": "ip.dst", "from": "10.1.0.2", "to": "10.2.41.17"})
        self.assertEqual(changes["ip.checksum"]["status"], "correct")

    def test_the_same_answer_every_time(self):
        zero_id = bytearray(LARGE)
        inner = 50
        zero_id[inner + 18:inner + 22] = b"\0\0\x40\0"  # ID 0, DF
        path = self.file("in.pcap", pcap([bytes(zero_id)] * 5))
        self.assertEqual(self.document(path), self.document(path))


class NextHops(ExplainCase):
    """The MACs of the gateway and interfaces that `explain` simulates."""

    def macs(self, frame, config):
        document = self.document(self.file("in.pcap", pcap([frame])),
                                 config=self.file("hop.yaml", config.encode()))
        packet = document["packets"][0]
        fields = packet["out"][0]["fields"]
        return packet["verdict"], fields["eth.dst"], fields["eth.src"]

    def test_next_hops(self):
        hop = "xplain-out0\n  next_hop: "
        single = CONFIG.replace("xplain-out0", "xplain-in0")
        mac = "02:aa:bb:cc:dd:ee"
        for sentence, frame, config, want in (
                ("route: the gateway", HELLO, CONFIG, ("redirected", GATEWAY, EGRESS)),
                ("single-arm", HELLO, single, ("transmitted", GATEWAY, LISTEN)),
                ("keep", HELLO, CONFIG.replace("xplain-out0", hop + "keep"),
                 ("redirected", "02:00:00:00:00:0b", "02:00:00:00:00:0a")),
                ("a MAC", HELLO, CONFIG.replace("xplain-out0", hop + mac),
                 ("redirected", mac, EGRESS)),
                ("the kernel, by this host's own MAC, from the one that nftables marks", LARGE,
                 CONFIG.replace("xplain-out0", "xplain-out0\n  oversize: pass"),
                 ("passed", LISTEN, PASSING)),
                ("interfaces called lo", HELLO, single.replace("xplain-in0", "lo"),
                 ("transmitted", GATEWAY, LISTEN)),
                ("interfaces called as the sandbox calls its own", HELLO,
                 CONFIG.replace("xplain-in0", "sandbox0").replace("xplain-out0", "sandbox1"),
                 ("redirected", GATEWAY, EGRESS))):
            with self.subTest(sentence):
                self.assertEqual(self.macs(frame, config), want)


class Writing(ExplainCase):
    def test_what_is_written(self):
        """-w writes decapsulated frames, as the JSON has them, with the times of the capture."""
        path = self.file("in.pcap", pcap([PLAIN, HELLO, UNMATCHED, LARGE]))
        document = self.document(path, "-w", "out.pcap")
        leaving = [bytes.fromhex(p["out"][0]["hex"]) for p in document["packets"]
                   if p["verdict"] in ("redirected", "passed")]
        self.assertEqual(len(leaving), 2)
        written = read_pcap(self.data("out.pcap"))
        self.assertEqual([frame for _, frame in written], leaving)
        self.assertEqual([when for when, _ in written],
                         [1700000001123456000, 1700000003123456000])

    def test_nanoseconds_stay(self):
        path = self.file("in.pcap", pcap([HELLO], magic=0xA1B23C4D, unit=1))
        self.explain(path, "-w", "out.pcap")
        self.assertEqual(read_pcap(self.data("out.pcap"))[0][0], 1700000000123456789)

    def test_standard_output(self):
        path = self.file("in.pcap", pcap([HELLO, HELLO]))
        self.assertEqual(len(read_pcap(self.explain(path, "-w", "-", text=False))), 2)

    def test_an_older_file_is_replaced(self):
        path = self.file("in.pcap", pcap([HELLO]))
        self.file("real.pcap", b"old")
        os.chmod(os.path.join(self.work, "real.pcap"), 0o640)
        os.symlink("real.pcap", os.path.join(self.work, "out.pcap"))
        self.explain(path, "-w", "out.pcap")
        self.assertTrue(os.path.islink(os.path.join(self.work, "out.pcap")))
        self.assertEqual(len(read_pcap(self.data("real.pcap"))), 1)
        mode = os.stat(os.path.join(self.work, "real.pcap")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o640)

    def test_a_device_is_not_replaced(self):
        path = self.file("in.pcap", pcap([HELLO]))
        self.explain(path, "-w", "/dev/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_failures_leave_nothing(self):
        self.needs_root()
        data = pcap([HELLO] * 1000)
        path = self.file("in.pcap", data)
        os.symlink("in.pcap", os.path.join(self.work, "alias.pcap"))
        before = sorted(os.listdir(self.work))
        self.refused(1, "is the capture being read", path, "-w", "in.pcap")
        self.refused(1, "is the capture being read", path, "-w", "alias.pcap")
        with open(path, "rb") as stream:
            self.refused(1, "is the capture being read", "-", "-w", "in.pcap", stdin=stream)
        self.refused(1, "No such file", path, "-w", "none/out.pcap")
        self.refused(1, "No space left", path, "-w", "/dev/full")
        self.assertEqual(sorted(os.listdir(self.work)), before)
        self.assertEqual(self.data("in.pcap"), data)

    def test_interrupted(self):
        """A signal ends `explain` while it waits for more packets."""
        self.needs_root()
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                before = sorted(os.listdir(self.work))
                with subprocess.Popen(
                        [PROGRAM, "explain", "-c", self.config, "-", "-w", "out.pcap"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        cwd=self.work) as process:
                    process.stdin.write(pcap([HELLO]))
                    process.stdin.flush()
                    deadline = time.monotonic() + 20
                    while (sorted(os.listdir(self.work)) == before and
                           time.monotonic() < deadline):
                        time.sleep(0.05)
                    time.sleep(0.5)
                    process.send_signal(number)
                    process.wait(20)
                    self.assertEqual(process.returncode, 1)
                    self.assertIn(b"interrupted", process.stderr.read())
                self.assertEqual(sorted(os.listdir(self.work)), before)


class Silence(ExplainCase):
    def received(self, process):
        """{interface: packets received} of the process's network namespace."""
        with open(f"/proc/{process.pid}/net/dev", encoding="ascii") as file:
            lines = [line.replace(":", " ").split() for line in file.readlines()[2:]]
        return {fields[0]: int(fields[2]) for fields in lines}

    def test_no_packets_but_those_of_the_capture(self):
        """`explain` would take the trace of any other packet in its sandbox for the capture's."""
        self.needs_root()
        with subprocess.Popen([PROGRAM, "explain", "-c", self.config, "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, cwd=self.work) as process:
            process.stdin.write(pcap([HELLO]))
            process.stdin.flush()
            deadline = time.monotonic() + 20
            while not any(name.startswith("sandbox") for name in self.received(process)) and \
                    time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(3)  # IPv6 would announce multicast groups, at random times
            received = self.received(process)
            process.stdin.close()
            self.assertEqual(process.wait(20), 0)
        self.assertIn("sandbox0", received)
        self.assertEqual([count for name, count in received.items()
                          if not name.startswith("sandbox") and name != "lo"], [0, 0])


class Traces(ExplainCase):
    def test_nothing_is_left_behind(self):
        """
        `explain` leaves no interface, setting, pin or state file. It runs in namespaces of the
        test's own, where other programs of this machine leave nothing either.
        """
        self.needs_root()
        if not shutil.which("unshare"):
            self.skipTest("no unshare")
        capture = self.file("in.pcap", pcap([HELLO] * 10))
        look = ("ls /sys/class/net; cat /proc/sys/net/ipv4/ip_forward; find /run;"
                " find /sys/fs/bpf ! -name '*.debug'; readlink /proc/self/ns/net")
        script = ("mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf &&"
                  f" mount -t tmpfs tmpfs /run || exit 77; {look};"
                  ' echo ----; "$@" > /dev/null || exit 1; echo ----;' + look)
        result = subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-c", script, "sh", PROGRAM, "explain", "-c",
             self.config, capture], capture_output=True, text=True, timeout=60 * PATIENCE,
            check=False)
        if result.returncode == 77:
            self.skipTest(f"no mounts of its own: {result.stderr}")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        before, _, after = result.stdout.split("----\n")
        self.assertEqual(after, before)

    def test_many_packets(self):
        """Text output is fast enough for real captures."""
        path = self.file("in.pcap", pcap([HELLO, LARGE] * 25000))
        started = time.monotonic()
        text = self.explain(path)
        self.assertLess(time.monotonic() - started, 60 * PATIENCE)
        self.assertRegex(text, r"total +50000\n\Z")
        self.assertIsNone(re.search("PAYLOAD", text))


if __name__ == "__main__":
    unittest.main()
