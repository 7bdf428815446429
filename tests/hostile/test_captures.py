# SPDX-License-Identifier: GPL-2.0-only
"""
Captures that nobody here made, through `explain`: of other formats and link types, compressed, cut
off, damaged, of jumbo frames and of what GRO made of several. What can be judged is; of the rest
`explain` says what it is and which command converts it, and exits 1.
"""

import bz2
import collections
import gzip
import json
import lzma
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest

from lib import captures, frames, kernel, program
from lib.captures import START, enhanced, interface, pcap, pcapng
from lib.ground import Ground
from lib.program import PATIENCE

CONFIG = {
    "listen": {"interface": "rx0"},
    "forward": {"interface": "tx0", "next_hop": "keep", "mtu": 1500},
    "nat": [{"match": {"source_port": 1000}, "to": "192.0.2.9:8081"}],
}

ONE_BUFFER = 3520  # longer frames come in several: Linux 5.18


def packet(payload=b"hello", source_port=1000, **fields):
    return frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", source_port, 514, payload,
                                                 **fields)))


def sized(length):
    """A frame of that many bytes, which rule 1 matches."""
    return packet(bytes(length - len(packet(b""))))


HELLO = packet()
OTHER = packet(source_port=2000)
ARP = frames.ether(bytes(28), frames.ETH_ARP)

Ended = collections.namedtuple("Ended", "status stdout stderr")


class Explain(unittest.TestCase):
    def setUp(self):
        program.require_program()
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)

    def path(self, name):
        return os.path.join(self.work.path, name)

    def file(self, name, data):
        with open(self.path(name), "wb") as stream:
            stream.write(data)
        return self.path(name)

    def run_explain(self, *args, config=None, **options):
        """Fails unless stderr is one line if the exit status is 1, and else empty."""
        written = self.work.file("config.yaml", program.to_yaml(config or CONFIG))
        done = subprocess.run([program.PROGRAM, "explain", "-c", written, *args],
                              capture_output=True, timeout=60 * PATIENCE, check=False,
                              cwd=self.work.path, **options)
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        self.assertIn(ended.status, (0, 1), ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), ended.status, ended.stderr)
        return ended

    def document(self, data, config=None):
        """The JSON document and what was said on stderr."""
        ended = self.run_explain(self.file("in.pcap", data), "--json", config=config)
        return json.loads(ended.stdout), ended.stderr

    def written(self, name="out.pcap"):
        with open(self.path(name), "rb") as stream:
            return captures.read_pcap(stream.read())


NG = pcapng(interface(), enhanced(HELLO), enhanced(OTHER, 1))


class Reading(Explain):
    """Whatever libpcap reads is judged, with the times it has."""

    ROWS = (
        ("pcap of tcpdump", pcap([HELLO, OTHER])),
        ("of a big-endian machine", pcap([HELLO, OTHER], order=">")),
        ("with nanoseconds", pcap([HELLO, OTHER], magic=captures.NANOSECONDS)),
        ("with nanoseconds, of a big-endian machine",
         pcap([HELLO, OTHER], order=">", magic=captures.NANOSECONDS)),
        ("of Kuznetzov's tcpdump, as Red Hat once had it",
         pcap([HELLO, OTHER], magic=captures.KUZNETZOV)),
        ("no snap length, which some appliances write as 0", pcap([HELLO, OTHER], snap=0)),
        ("of an older minor version", pcap([HELLO, OTHER], version=(2, 3))),
        ("frames with their check sequence, as the header says",
         pcap([HELLO + b"\1\2\3\4", OTHER + b"\1\2\3\4"], link=captures.ETHERNET | 0x44000000)),
        ("pcapng of Wireshark", NG),
        ("pcapng of a big-endian machine",
         captures.section(">") + interface(order=">") + enhanced(HELLO, order=">") +
         enhanced(OTHER, 1, order=">")),
        ("pcapng with the same interface twice",
         pcapng(interface(), interface(), enhanced(HELLO), enhanced(OTHER, 1, 1))),
        ("pcapng files put one behind the other",
         pcapng(interface(), enhanced(HELLO)) + pcapng(interface(), enhanced(OTHER, 1))),
        ("pcapng with blocks that nobody knows",
         pcapng(interface(), captures.block(0x0BAD, bytes(8)), enhanced(HELLO),
                captures.block(0x80000001, bytes(4)), enhanced(OTHER, 1))),
    )

    def test_table(self):
        for sentence, data in self.ROWS:
            with self.subTest(sentence):
                document, stderr = self.document(data)
                self.assertEqual(stderr, "")
                self.assertEqual([(p["verdict"], p["time"][:19]) for p in document["packets"]],
                                 [("redirected", "2023-11-14T22:13:20"),
                                  ("unmatched", "2023-11-14T22:13:21")])

    def test_packets_without_a_time(self):
        document, stderr = self.document(pcapng(interface(), captures.simple(HELLO)))
        self.assertEqual((stderr, document["packets"][0]["verdict"]), ("", "redirected"))

    TIMES = (
        ("the last second that 31 bits hold", pcap([HELLO], start=0x7FFFFFFF), "2038-01-19 03:14:07"),
        ("the one behind it", pcap([HELLO], start=0x80000000), "2038-01-19 03:14:08"),
        ("the last that pcap can say", pcap([HELLO], start=0xFFFFFFFF), "2106-02-07 06:28:15"),
        ("in nanoseconds, too", pcap([HELLO], start=0x80000000, magic=captures.NANOSECONDS),
         "2038-01-19 03:14:08"),
        ("of a big-endian machine, too", pcap([HELLO], start=0x80000000, order=">"),
         "2038-01-19 03:14:08"),
        ("pcapng has 64 bits", pcapng(interface(), enhanced(HELLO, when=0x100000000 * 10**6)),
         "2106-02-07 06:28:16"),
    )

    def test_times(self):
        for sentence, data, want in self.TIMES:
            with self.subTest(sentence):
                ended = self.run_explain(self.file("in.pcap", data), "-w", "out.pcap")
                self.assertRegex(ended.stdout, rf"(?m)^#1  {want}\.\d{{9}}Z  {len(HELLO)} bytes$")
                if data[:4] != NG[:4]:
                    again = self.run_explain(self.path("out.pcap"))
                    self.assertIn(f"#1  {want}.", again.stdout)

    def test_a_pipe(self):
        """A pipe that gives one byte at a time is read like a file, and so is a named one."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        data = pcap([HELLO, OTHER])

        def feed():
            with open(fifo, "wb", buffering=0) as stream:
                for at in range(40):
                    stream.write(data[at:at + 1])
                    time.sleep(0.002)
                stream.write(data[40:])

        feeder = threading.Thread(target=feed)
        feeder.start()
        ended = self.run_explain(fifo, "--json")
        feeder.join()
        self.assertEqual([p["verdict"] for p in json.loads(ended.stdout)["packets"]],
                         ["redirected", "unmatched"])


class Refusing(Explain):
    """What is no capture of Ethernet frames is called by its name; nothing is printed or written."""

    ROWS = (
        ("an empty file", b"", "it is empty"),
        ("the beginning of a header", pcap([])[:10], "cut off before the first packet"),
        ("the beginning of a pcapng", NG[:10], "cut off before the first packet"),
        ("a text", b"10:00:00 IP 10.1.0.1 > 10.1.0.2: UDP\n", "it is a text.*tcpdump -w"),
        ("gzip", gzip.compress(pcap([HELLO])), "gzip.*: zcat .* > converted.pcap$"),
        ("bzip2", bz2.compress(pcap([HELLO])), "bzip2.*: bzcat "),
        ("xz", lzma.compress(pcap([HELLO])), "xz.*: xzcat "),
        ("zstd", b"\x28\xb5\x2f\xfd" + bytes(20), "zstd.*: zstdcat "),
        ("lz4", b"\x04\x22\x4d\x18" + bytes(20), "lz4.*: lz4cat "),
        ("compress", b"\x1f\x9d\x90" + bytes(20), "compress.*: zcat "),
        ("zip", b"PK\x03\x04" + bytes(20), "zip.*: unzip -p "),
        ("snoop", captures.snoop([HELLO]), "snoop.*: editcap -F pcap "),
        ("ERF, which nothing tells from noise", captures.erf([HELLO]), "editcap -F pcap "),
        ("a version of pcap that there is not", pcap([HELLO], version=(3, 0)), "version 3.0"),
        ("Linux cooked, as of tcpdump -i any", pcap([captures.cooked(HELLO)], link=captures.LINUX_SLL),
         "LINUX_SLL .*Ethernet.*not on 'any', or convert it: editcap -C 2 -L -T ether "),
        ("Linux cooked, version 2", pcap([captures.cooked2(HELLO)], link=captures.LINUX_SLL2),
         "LINUX_SLL2 .*: tcpdump .* text2pcap "),
        ("raw IP", pcap([HELLO[14:]], link=captures.RAW), "RAW .*: tcpdump .* text2pcap "),
        ("raw IPv6", pcap([], link=captures.IPV6), "IPV6 .* text2pcap -qe 0x86dd "),
        ("the loopback of BSD", pcap([captures.loopback(HELLO)], link=captures.NULL), "NULL "),
        ("the loopback of OpenBSD", pcap([captures.loopback(HELLO)], link=captures.LOOP), "LOOP "),
        ("802.11", pcap([captures.wireless(HELLO)], link=captures.IEEE802_11), "IEEE802_11 "),
        ("802.11 with radiotap", pcap([captures.radiotap(HELLO)], link=captures.RADIOTAP),
         "IEEE802_11_RADIO "),
        ("Linux's log of netfilter", pcap([captures.nflog(HELLO)], link=captures.NFLOG),
         "NFLOG .*not on 'any'$"),
        ("a link type that nobody knows", pcap([HELLO], link=1000), "link type is unnamed"),
        ("raw IP in a pcapng", pcapng(interface(captures.RAW), enhanced(HELLO[14:])), "RAW "),
    )

    def test_table(self):
        for sentence, data, says in self.ROWS:
            with self.subTest(sentence):
                ended = self.run_explain(self.file("in.pcap", data), "-w", "out.pcap")
                self.assertEqual((ended.status, ended.stdout), (1, ""))
                self.assertRegex(ended.stderr.strip(), r"^vxlan-pipeline: .*in\.pcap: .*" + says)
                self.assertFalse(os.path.exists(self.path("out.pcap")))

    def test_standard_input(self):
        """It has no name that a command could take."""
        ended = self.run_explain("-", input=gzip.compress(pcap([HELLO])))
        self.assertIn("standard input: it is compressed with gzip; convert it: zcat FILE >",
                      ended.stderr)

    def test_a_directory(self):
        self.assertRegex(self.run_explain(self.work.path).stderr, "Is a directory")

    NAMES = (
        ("a blank", "a b.pcap", "zcat '{}' > converted.pcap"),
        ("a quote", "it's.pcap", None),
        ("what a shell would run", "$(id).pcap", "zcat '{}' > converted.pcap"),
    )

    def test_names_in_commands(self):
        """A command names the capture so that a shell takes the name for what it is."""
        for sentence, name, command in self.NAMES:
            with self.subTest(sentence):
                path = self.file(name, gzip.compress(pcap([HELLO])))
                stderr = self.run_explain(path).stderr
                if command:
                    self.assertIn(command.format(path), stderr)
                told = stderr.strip().rpartition("convert it: ")[2]
                subprocess.run(["sh", "-ec", told], cwd=self.work.path, check=True)
                self.assertEqual(self.run_explain(self.path("converted.pcap")).status, 0)


TWO_LINK_TYPES = pcapng(interface(), interface(captures.LINUX_SLL), enhanced(HELLO),
                        enhanced(captures.cooked(HELLO), 1, 1), enhanced(OTHER, 2))
TWO_SNAP_LENGTHS = pcapng(interface(), interface(snap=65535), enhanced(HELLO), enhanced(OTHER, 1, 1))


class Ending(Explain):
    """
    Where a capture ends early, what came before is told and written, and the message says at which
    packet it ended and why.
    """

    ROWS = (  # sentence, capture, what is said, verdicts, how many frames are written
        ("cut within the last packet", pcap([HELLO, OTHER, HELLO])[:-7],
         "cut off within packet 3", ["redirected", "unmatched"], 1),
        ("cut within the last packet's header", pcap([HELLO, HELLO])[:-len(HELLO) - 5],
         "cut off within packet 2", ["redirected"], 1),
        ("a pcapng cut within its last packet", NG[:-7], "cut off within packet 2", ["redirected"], 1),
        ("a length beyond all reason in the middle",
         pcap([HELLO]) + b"\0" * 8 + b"\xff\xff\xff\x7f" * 2 + HELLO,
         "damaged or cut off at packet 2", ["redirected"], 1),
        ("noise behind a pcapng's packet", pcapng(interface(), enhanced(HELLO)) + b"\xff" * 40,
         "damaged or cut off at packet 2", ["redirected"], 1),
        ("an interface of another link type in the middle",
         pcapng(interface(), enhanced(HELLO), interface(captures.LINUX_SLL),
                enhanced(captures.cooked(HELLO), 1, 1)),
         "from packet 2 on it is not read: .*several link types", ["redirected"], 1),
        ("an interface of another snap length in the middle",
         pcapng(interface(), enhanced(HELLO), enhanced(OTHER, 1), interface(snap=65535),
                enhanced(HELLO, 2, 1)),
         "from packet 3 on it is not read: .*several snap lengths", ["redirected", "unmatched"], 1),
    )

    def test_table(self):
        for sentence, data, says, verdicts, count in self.ROWS:
            with self.subTest(sentence):
                path = self.file("in.pcap", data)
                ended = self.run_explain(path, "-w", "out.pcap")
                self.assertEqual(ended.status, 1)
                self.assertRegex(ended.stderr, says)
                self.assertIn("out.pcap holds what leaves of those that could be judged",
                              ended.stderr)
                self.assertRegex(ended.stdout, rf"total +{len(verdicts)}\n\Z")
                self.assertEqual(len(self.written()), count)
                document = json.loads(self.run_explain(path, "--json").stdout)
                self.assertEqual([p["verdict"] for p in document["packets"]], verdicts)
                self.assertRegex(document["problem"], says)
                os.unlink(self.path("out.pcap"))

    NOTHING = (
        ("two link types from the start", TWO_LINK_TYPES, "several link types"),
        ("two snap lengths from the start", TWO_SNAP_LENGTHS, "several snap lengths"),
        ("cut within the first packet", pcap([HELLO])[:-1], "cut off within packet 1"),
    )

    def test_nothing_to_write(self):
        """Where not one packet can be read, an older file stays."""
        for sentence, data, says in self.NOTHING:
            with self.subTest(sentence):
                self.file("out.pcap", b"older")
                ended = self.run_explain(self.file("in.pcap", data), "-w", "out.pcap")
                self.assertRegex(ended.stderr, "out.pcap was not written: .*" + says)
                with open(self.path("out.pcap"), "rb") as stream:
                    self.assertEqual(stream.read(), b"older")

    def test_written_to_standard_output(self):
        written = self.work.file("config.yaml", program.to_yaml(CONFIG))
        data = pcap([HELLO, HELLO])[:-3]
        done = subprocess.run([program.PROGRAM, "explain", "-c", written, "-", "-w", "-"],
                              input=data, capture_output=True, timeout=60 * PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(captures.read_pcap(done.stdout)), 1)


class Unjudged(Explain):
    """Packets that cannot be run are named on stderr, and the others are told and written."""

    ROWS = (
        ("less than an Ethernet header", [HELLO, bytes(9), OTHER, b""], 2, "#2: 9 bytes are less than"),
        ("longer than any kernel takes", [sized(100), HELLO + bytes(80000)], 1, "#2: 80097 bytes"),
    )

    def test_table(self):
        for sentence, packets, unjudged, says in self.ROWS:
            with self.subTest(sentence):
                path = self.file("in.pcap", pcap(packets))
                ended = self.run_explain(path, "--json", "-w", "out.pcap")
                self.assertEqual(ended.status, 1)
                self.assertRegex(ended.stderr, f"in.pcap: {unjudged} of {len(packets)} packets could "
                                               f"not be judged; the first is {says}")
                document = json.loads(ended.stdout)
                self.assertEqual(document["not_run"], unjudged)
                self.assertEqual([p["verdict"] is None for p in document["packets"]],
                                 ["problem" in p for p in document["packets"]])
                self.assertIn("could not be judged", document["problem"])
                self.assertEqual(len(self.written()), 1)

    def test_both(self):
        """Packets that cannot be run, and then the capture is cut off."""
        ended = self.run_explain(self.file("in.pcap", pcap([HELLO, bytes(3), HELLO])[:-4]))
        self.assertRegex(ended.stderr, "1 of 2 packets could not be judged; the first is #2: .*; "
                                       ".*cut off within packet 3")


class Converting(Explain):
    """The commands in the messages do what they say. Those that are not installed are skipped."""

    ROWS = (  # sentence, capture, programs that the command needs, verdicts of what it makes
        ("gzip", gzip.compress(pcap([HELLO, OTHER])), "zcat", ["redirected", "unmatched"]),
        ("bzip2", bz2.compress(pcap([HELLO, OTHER])), "bzcat", ["redirected", "unmatched"]),
        ("xz", lzma.compress(pcap([HELLO, OTHER])), "xzcat", ["redirected", "unmatched"]),
        ("gzip of two snap lengths", gzip.compress(TWO_SNAP_LENGTHS), "zcat editcap",
         ["redirected", "unmatched"]),
        ("gzip of two link types", gzip.compress(TWO_LINK_TYPES), "zcat tshark editcap",
         ["redirected", "unmatched"]),
        ("snoop", captures.snoop([HELLO, OTHER]), "editcap", ["redirected", "unmatched"]),
        ("ERF, which becomes a pcap of ERF first", captures.erf([HELLO, OTHER]), "editcap", ["redirected", "unmatched"]),
        ("two link types", TWO_LINK_TYPES, "tshark editcap", ["redirected", "unmatched"]),
        ("another link type first",
         pcapng(interface(captures.LINUX_SLL), interface(), enhanced(captures.cooked(HELLO)),
                enhanced(OTHER, 1, 1)), "tshark editcap", ["unmatched"]),
        ("two snap lengths", TWO_SNAP_LENGTHS, "editcap", ["redirected", "unmatched"]),
        ("Linux cooked", pcap([captures.cooked(HELLO)], link=captures.LINUX_SLL), "editcap",
         ["redirected"]),
        ("Linux cooked, version 2", pcap([captures.cooked2(HELLO)] * 2, link=captures.LINUX_SLL2),
         "tcpdump text2pcap", ["redirected"] * 2),
        ("raw IP", pcap([HELLO[14:], OTHER[14:]], link=captures.RAW), "tcpdump text2pcap",
         ["redirected", "unmatched"]),
        ("the loopback of OpenBSD", pcap([captures.loopback(HELLO)], link=captures.LOOP),
         "tcpdump text2pcap", ["redirected"]),
        ("802.11", pcap([captures.wireless(HELLO)], link=captures.IEEE802_11), "tcpdump text2pcap",
         ["redirected"]),
        ("802.11 with radiotap", pcap([captures.radiotap(HELLO)], link=captures.RADIOTAP),
         "tcpdump text2pcap", ["redirected"]),
    )

    def convert(self, path):
        """Runs the command that `explain` names; returns the path of what it makes, another file."""
        ended = self.run_explain(path)
        self.assertEqual(ended.status, 1)
        command = re.search(r"(?:convert it|frames out): (.* (\S+))$", ended.stderr.strip())
        command, made = command.groups()
        self.assertNotEqual(made, os.path.basename(path))
        done = subprocess.run(["bash", "-o", "pipefail", "-ec", command], cwd=self.work.path,
                              capture_output=True, timeout=60 * PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return self.path(made)

    def test_table(self):
        for sentence, data, needs, verdicts in self.ROWS:
            with self.subTest(sentence):
                absent = [name for name in needs.split() if not shutil.which(name)]
                if absent:
                    self.skipTest(f"not installed: {' '.join(absent)}")
                path = self.convert(self.file("in.pcap", data))
                if self.run_explain(path).status:  # one command is not always enough
                    path = self.convert(path)
                document = json.loads(self.run_explain(path, "--json").stdout)
                self.assertEqual([p["verdict"] for p in document["packets"]], verdicts)
                os.unlink(path)


class Jumbo(Explain):
    """
    Frames longer than one buffer, as AWS mirrors of jumbo frames and GRO make them. With kernels
    before 5.18 they cannot be judged.
    """

    SIZES = (1000, ONE_BUFFER, ONE_BUFFER + 1, 4096, 8500, 9051, 30000, 65549)

    def verdicts(self, sizes, **forward):
        config = program.merge(CONFIG, {"forward": forward, "listen": forward.pop("listen", {})})
        document, stderr = self.document(pcap([sized(size) for size in sizes]), config)
        if not kernel.has_multi_buffer():
            long = [size for size in sizes if size > ONE_BUFFER]
            self.assertRegex(stderr, f"{len(long)} of {len(sizes)} packets .*: {long[0]} bytes are "
                                     f"more than the {ONE_BUFFER} .* Linux 5.18 takes more")
            self.skipTest("this kernel's XDP takes one buffer only")
        self.assertEqual((stderr, document["not_run"]), ("", 0))
        self.assertEqual([p["scattered"] for p in document["packets"]],
                         [size > ONE_BUFFER and config["listen"].get("xdp_mode") != "generic"
                          for size in sizes])
        for got in document["packets"]:
            self.assertFalse(any(out["payload_changed"] for out in got["out"]))
        return [p["verdict"] for p in document["packets"]]

    ROWS = (  # sentence, changes of `forward`, verdicts of SIZES
        ("what is scattered can neither be fragmented nor redirected, and the kernel would send more "
         "than forward.mtu", {"mtu": 1500},
         ["redirected", "fragmented"] + ["oversize"] * 6),
        ("what forward.mtu admits is the kernel's to forward", {"mtu": 9001},
         ["redirected", "redirected"] + ["passed"] * 4 + ["oversize"] * 2),
        ("the interface's own MTU: the kernel fragments to it", {"mtu": None},
         ["redirected"] + ["passed"] * 7),
        ("oversize: drop", {"mtu": 1500, "oversize": "drop"}, ["redirected"] + ["oversize"] * 7),
        ("generic mode: the kernel joins the buffers before", {"mtu": 9001,
                                                               "listen": {"xdp_mode": "generic"}},
         ["redirected"] * 6 + ["oversize"] * 2),
    )

    def test_table(self):
        for sentence, changes, want in self.ROWS:
            with self.subTest(sentence):
                changes = dict(changes)
                self.assertEqual(self.verdicts(self.SIZES, **changes), want)

    def test_what_is_behind_the_packet(self):
        """A short packet with a long trailer, up to what the kernel takes at all, and beyond."""
        config = program.merge(CONFIG, {"forward": {"oversize": "drop"}})
        document, stderr = self.document(
            pcap([HELLO + bytes(3000), HELLO + bytes(60000), HELLO + bytes(100000), HELLO]), config)
        verdicts = [p["verdict"] for p in document["packets"]]
        self.assertEqual((verdicts[0], verdicts[2:]), ("redirected", [None, "redirected"]))
        self.assertRegex(stderr, r"[12] of 4 packets could not be judged")
        if kernel.has_multi_buffer():
            self.assertEqual(verdicts[1], "passed")

    def test_written(self):
        """They are written whole, and told with the reason."""
        if not kernel.has_multi_buffer():
            self.skipTest("this kernel's XDP takes one buffer only")
        config = program.merge(CONFIG, {"forward": {"mtu": 9001}})
        ended = self.run_explain(self.file("in.pcap", pcap([HELLO, sized(8500), sized(40000)])),
                                 "-w", "out.pcap", config=config)
        self.assertEqual((ended.status, ended.stderr), (0, ""))
        self.assertEqual([len(frame) for _, frame in self.written()], [len(HELLO) - 50, 8450])
        self.assertEqual(ended.stdout.count("it comes in several buffers"), 2)
        self.assertEqual(ended.stdout.count("longer than any frame on a wire"), 1)
        self.assertEqual(ended.stdout.count("by the source MAC nftables knows"), 1)


class JumboOnWires(Ground):
    """`explain` says of long frames what `run` does with them."""

    MTU_IN, MTU_OUT = 9000, 9000
    SIZES = (100, 3000, 5000, 8500, 9014)

    def test_the_same_verdicts(self):
        if not kernel.has_multi_buffer(self.driver("in0")):
            self.skipTest("this kernel's XDP, or the driver's, takes one buffer only")
        self.know_neighbour()
        server = self.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        for mtu in (9000, 1500):
            with self.subTest(f"forward.mtu {mtu}"):
                changes = {"forward": {"mtu": mtu}}
                told = program.explain(self.config(changes), [sized(size) for size in self.SIZES])
                daemon = self.start(changes)
                before = self.verdicts()
                self.in_port.send(*[sized(size) for size in self.SIZES])
                want = collections.Counter(before) + collections.Counter(p.verdict for p in told)
                deadline = time.monotonic() + 5 * PATIENCE
                while self.verdicts() != want and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertEqual(self.verdicts(), want)
                daemon.terminate()


if __name__ == "__main__":
    unittest.main()
