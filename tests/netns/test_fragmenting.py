# SPDX-License-Identifier: GPL-2.0-only
"""
Fragmentation inside XDP: the collector's kernel puts together what was sent. A kernel that cannot
copy frames in XDP fragments the same packets itself, to the MTU of the route.
"""

import contextlib
import os
import random
import signal
import socket
import struct
import time

from lib import frames, kernel, program
from lib.command import injected, need_commands, wait_for
from lib.ground import Ground
from lib.port import SO_RCVBUFFORCE, is_ip
from lib.program import PATIENCE

PORT = 8081


def datagram(number, size, **fields):
    """An inner IPv4 packet of `size` bytes with DF and ID 0; its number is in the payload."""
    payload = struct.pack("!I", number) + random.Random(number).randbytes(size - 32)
    fields = {"df": True, "ident": 0} | fields
    return frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, payload, **fields), payload


class Fragmenting(Ground):
    MTU_OUT = 3498

    def setUp(self):
        super().setUp()
        self.know_neighbour()
        self.server = self.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.server.close)
        self.server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.server.bind(("10.20.0.2", PORT))
        self.server.settimeout(3 * PATIENCE)
        self.cut = "fragmented" if kernel.copies_frames() else "passed"

    def route_mtu(self, mtu):
        self.appliance.ip("route", "replace", "10.20.0.0/24", "dev", "out0", "mtu", str(mtu))

    def deliver(self, sizes, **fields):
        """Sends datagrams of these sizes; fails unless every one arrives intact."""
        pairs = [datagram(n, size, **fields) for n, size in enumerate(sizes)]
        for at in range(0, len(pairs), 50):
            part = pairs[at:at + 50]
            self.in_port.send(*[frames.tunnel(frames.inner(packet)) for packet, _ in part])
            got = sorted(self.server.recv(65535) for _ in part)
            self.assertEqual(got, sorted(payload for _, payload in part))

    def start_fragmenting(self, mtu=1500, **listen):
        if not kernel.copies_frames():
            self.route_mtu(mtu)
        return self.start({"forward": {"mtu": mtu}, "listen": listen})

    def reload(self, daemon, **forward):
        self.write({"forward": {"mtu": 1500} | forward})
        daemon.signal(signal.SIGHUP)
        daemon.notified("READY=1")

    def begin_whole(self, daemon):
        """What follows on a configuration that does not fragment begins without the program that trims."""
        self.reload(daemon, oversize="drop")
        self.reload(daemon)


class Cutting(Fragmenting):
    def test_told_at_start(self):
        """The daemon says so if, and only if, the kernel has to fragment."""
        told = "this kernel does not copy frames" in self.start_fragmenting().stderr
        self.assertEqual(told, not kernel.copies_frames())

    def test_jumbo_datagrams(self):
        """Packets of 2852 bytes leave as two fragments each, without the kernel's stack."""
        self.start_fragmenting()
        self.deliver([2852] * 200)
        self.assertEqual(self.verdicts(), {self.cut: 200})
        fragments = self.out_port.receive(is_ip, 400)
        self.assertEqual(len(fragments), 400)
        for frame in fragments:
            self.assertLessEqual(len(frame) - 14, 1500)
            self.assertEqual(frames.checksum(frame[14:34]), 0, "the header's checksum is right")
            self.assertEqual(frame[22], 64 if kernel.copies_frames() else 63,
                             "the TTL stays, unless the kernel routes")
        idents = [frame[18:20] for frame in fragments]
        self.assertEqual(len(set(idents)), 200, "an ID for each datagram")
        self.assertNotIn(b"\0\0", idents)

    def test_every_size(self):
        """Sizes from unfragmented to the largest, with odd lengths and exact fits."""
        self.start_fragmenting()
        sizes = [1400, 1499, 1500, 1501, 1502, 1507, 1508, 1509, 2000, 2972, 2979, 2980, 2981,
                 2988, 3001, 3400]
        self.deliver(sizes * 3)
        self.assertEqual(self.verdicts(), {"redirected": 9, self.cut: 39})

    def test_mixed_bursts(self):
        """Whole packets and packets to fragment in one burst: one program handles both."""
        self.start_fragmenting()
        shuffled = [100, 2852, 64, 1500, 3000] * 60
        random.Random(1).shuffle(shuffled)
        self.deliver(shuffled)
        self.assertEqual(self.verdicts(), {"redirected": 180, self.cut: 120})

    def test_many_fragments(self):
        """The program makes three, five and eight fragments; more are the kernel's business."""
        for mtu, verdict in ((1400, self.cut), (700, self.cut), (400, self.cut), (300, "passed")):
            with self.subTest(mtu=mtu):
                self.route_mtu(mtu)  # the kernel fragments to this MTU
                daemon = self.start_fragmenting(mtu)
                self.deliver([2852] * 20)
                self.assertEqual(self.verdicts(), {verdict: 20})
                self.assertEqual(daemon.terminate(), 0)

    def test_fragments_of_fragments(self):
        """A fragment that is too large is fragmented again, with the right offsets."""
        self.start_fragmenting()
        packet, payload = datagram(7, 20 + 8 + 4800, ident=99, df=False)
        body = packet[20:]
        pieces = []
        for at in range(0, len(body), 2400):
            piece = body[at:at + 2400]
            pieces.append(frames.ipv4(piece, 17, "10.1.0.1", "10.1.0.2", ident=99,
                                      mf=at + len(piece) < len(body), fragment_offset=at))
        self.in_port.send(*[frames.tunnel(frames.inner(piece)) for piece in pieces])
        self.assertEqual(self.server.recv(65535), payload)
        self.assertEqual(self.verdicts().get(self.cut), 2)

    def test_padding(self):
        """Padding behind a packet that is too large for its path is not sent, nor counted as sent."""
        if not kernel.copies_frames():
            return  # the kernel takes the padding off, and sends the fragments
        self.route_mtu(1000)
        self.start_fragmenting()
        packet, payload = datagram(1, 1200)
        self.in_port.send(frames.tunnel(frames.inner(packet + bytes(20))))
        self.assertEqual(self.server.recv(65535), payload)
        self.assertEqual(self.verdicts(), {"fragmented": 1})
        # two headers each, and 976 bytes, a multiple of 8, in the first fragment
        self.assertEqual(self.stats()["sent"]["bytes"], 2 * 34 + 1200 - 20)

    def test_options_go_to_the_kernel(self):
        """The kernel fragments packets with IP options: it knows which go into later fragments."""
        self.route_mtu(1500)
        self.start_fragmenting()
        self.deliver([2852] * 5, options=b"\1\1\1\0")
        self.assertEqual(self.verdicts(), {"passed": 5})

    def test_generic_mode_goes_to_the_kernel(self):
        """The kernel fragments in generic mode, in which copies of a frame share their data."""
        self.route_mtu(1500)
        self.start_fragmenting(xdp_mode="generic")
        self.deliver([2852] * 10)
        self.assertEqual(self.verdicts(), {"passed": 10})

    def test_reload_while_fragmenting(self):
        daemon = self.start_fragmenting()
        for round_number in range(5):
            self.deliver([2852, 100] * 20)
            if round_number < 4:
                daemon.signal(signal.SIGHUP)
                daemon.notified("READY=1")
        self.assertEqual(self.verdicts(), {self.cut: 100, "redirected": 100})


@contextlib.contextmanager
def running_on(cpu):
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def first_on(cpu):
    """Lets no thread of an ordinary priority run on the CPU, for less than the second that the kernel allows."""
    policy = os.sched_getscheduler(0)
    with running_on(cpu):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            yield
        finally:
            os.sched_setscheduler(0, policy, os.sched_param(0))


@contextlib.contextmanager
def first_everywhere(cpu):
    """The same on every CPU; this thread runs on that one."""
    with first_on(cpu):
        others = [keep_busy(other) for other in range(os.cpu_count()) if other != cpu]
        try:
            yield
        finally:
            for other in others:
                os.kill(other, signal.SIGKILL)
                os.waitpid(other, 0)


def keep_busy(cpu):
    """Starts a process that does so for at most a second, from now on; it is to be killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.sched_setaffinity(0, {cpu})
            os.write(writing, b".")
            until = time.monotonic() + 1
            while time.monotonic() < until:
                pass
        finally:
            os._exit(0)  # pylint: disable=protected-access
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    return child


class Threads(Fragmenting):
    """
    On a CPU that has not met a packet to be fragmented yet, frames leave without the program that
    trims. The first such packet takes the way by a thread, since the kernel would not trim it
    behind the others. It is the one after that with which everything leaves by the program.
    """

    CPU = 0
    AT_FIRST = 65534  # frames that leave with the program when an instance begins
    WAITING = 8192  # packets for which a thread has room

    def setUp(self):
        super().setUp()
        if not kernel.copies_frames():
            self.skipTest("the kernel fragments, as this one does not copy frames")
        self.daemon = self.start_fragmenting()

    def take_in_by_thread(self):
        """What arrives at in0 waits for a thread, as long as all CPUs do something else."""
        self.appliance.run("unshare", "-m", "sh", "-c", "mount -t sysfs sysfs /sys && "
                           "echo 1 > /sys/class/net/in0/threaded")

    def tunnels(self, sizes):
        pairs = [datagram(n, size) for n, size in enumerate(sizes)]
        return ([frames.tunnel(frames.inner(packet)) for packet, _ in pairs],
                sorted(payload for _, payload in pairs))

    def test_in_one_batch(self):
        """Of what the kernel takes in at once, some leaves whole and some does not, in every order."""
        self.take_in_by_thread()
        patterns = ([100, 2852], [2852, 100], [100] * 20 + [2852] * 3 + [1400] * 20,
                    [2852] * 40, [100] * 40, [1500, 1501] * 20, [3000, 100, 2852, 64] * 10)
        for sizes in patterns:
            self.begin_whole(self.daemon)
            for turn in range(3):
                with self.subTest(sizes=sizes, turn=turn):
                    tunnels, payloads = self.tunnels(sizes)
                    with first_everywhere(self.CPU):
                        for tunnel in tunnels:
                            self.in_port.socket.send(tunnel)
                    self.assertEqual(sorted(self.server.recv(65535) for _ in payloads), payloads)
        sizes = [size for pattern in patterns * 3 for size in pattern]
        self.assertEqual(self.verdicts()["fragmented"], sum(size > 1500 for size in sizes))
        sent = self.out_port.receive(is_ip)
        # a fragment has 1480 bytes behind its header
        self.assertEqual(len(sent), sum(-(-(size - 20) // 1480) for size in sizes))
        self.assertLessEqual(max(map(len, sent)), 14 + 1500)

    def send_whole(self, count):
        """Packets that need no fragmenting; what has arrived of them is taken from the server."""
        small = frames.tunnel(frames.inner(datagram(1, 64)[0]))
        for _ in range(count):
            self.in_port.socket.send(small)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.server.recv(65535)

    def leaves_by_thread(self, whole_before=0):
        """Sends a packet to be fragmented: does it leave only once the CPU has time for the thread?"""
        packet, payload = datagram(1, 2852)
        self.server.settimeout(0)
        with running_on(self.CPU):
            self.send_whole(whole_before)
        with first_on(self.CPU), contextlib.suppress(BlockingIOError):
            self.in_port.socket.send(frames.tunnel(frames.inner(packet)))
            self.assertEqual(self.server.recv(65535), payload)
            return False
        self.server.settimeout(3 * PATIENCE)
        self.assertEqual(self.server.recv(65535), payload)
        return True

    def test_from_the_beginning(self):
        """Where packets are fragmented all the time, none takes the way by the thread."""
        self.assertFalse(self.leaves_by_thread(whole_before=self.AT_FIRST - 1))
        self.assertFalse(self.leaves_by_thread(whole_before=70000))
        self.reload(self.daemon)
        self.assertFalse(self.leaves_by_thread())
        self.assertEqual(self.verdicts(), {"fragmented": 3, "redirected": self.AT_FIRST + 69999})

    def test_the_first_one(self):
        """After many that were whole, only the first one does."""
        self.assertTrue(self.leaves_by_thread(whole_before=self.AT_FIRST))
        self.assertFalse(self.leaves_by_thread())
        self.assertFalse(self.leaves_by_thread(whole_before=70000))

    def test_after_one_that_does_not_fragment(self):
        """What a generation left without the program is nothing for the next one to go by."""
        for _ in range(2):
            self.begin_whole(self.daemon)
            self.assertTrue(self.leaves_by_thread())
            self.assertFalse(self.leaves_by_thread())
            self.reload(self.daemon)
            self.assertFalse(self.leaves_by_thread())

    def die_after_the_swap(self, **forward):
        """A start that is killed before it has written what runs now."""
        need_commands("strace")
        killed = self.appliance.run(
            *injected("membarrier", "signal=KILL"), program.PROGRAM, "run", "-c",
            self.write({"forward": {"mtu": 1500} | forward}), "--instance", self.instance,
            "-d", "1", "--linger", check=False)
        self.assertNotEqual(killed.returncode, 0, "the call was made")

    def test_after_two_that_were_killed(self):
        """What is known of a CPU is not by what a daemon has come to write down."""
        self.reload(self.daemon, oversize="drop")
        self.daemon.kill()
        self.die_after_the_swap()
        self.leaves_by_thread()
        self.assertFalse(self.leaves_by_thread())
        self.die_after_the_swap(oversize="drop")
        self.start_fragmenting()
        self.assertTrue(self.leaves_by_thread())
        self.assertFalse(self.leaves_by_thread())

    def send_too_many(self):
        """Fails unless as many arrive as a thread has room for, and those that do not are told."""
        self.server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        self.server.settimeout(3 * PATIENCE)
        tunnels, payloads = self.tunnels([1501] * (self.WAITING + 500))
        with first_on(self.CPU):
            for tunnel in tunnels:
                self.in_port.socket.send(tunnel)
        arrived = [self.server.recv(65535) for _ in range(self.WAITING)]
        self.assertLessEqual(set(arrived), set(payloads))
        self.assertEqual(self.verdicts(), {"fragmented": len(tunnels)})
        self.assertEqual([row["packets"] for row in self.json("status")["losses"]
                          if row["reason"] == "redirect_failed"], [500])

    def test_too_many_at_once(self):
        """What the thread does not get to is lost, and told."""
        self.begin_whole(self.daemon)
        self.send_too_many()
        wait_for(lambda: "No buffer space available" in self.daemon.stderr, 5, "the reason")

    def test_too_many_without_a_daemon(self):
        """The same where the daemon was killed before it has told who counts of the new threads."""
        self.reload(self.daemon, oversize="drop")
        self.daemon.kill()
        self.die_after_the_swap()
        self.send_too_many()


class SmallDevice(Ground):
    """A forward.interface whose MTU is too small for the whole frame."""

    def test_told_at_start(self):
        daemon = self.start({"forward": {"mtu": 1500}})
        self.assertIn("out0", daemon.stderr)
        self.assertIn("mtu", daemon.stderr.lower())
        self.assertRegex(daemon.stderr, r"ip link set dev out0 mtu \d+")

    def test_some_are_too_large(self):
        """The device admits some packets that have to be fragmented: told which it does not."""
        daemon = self.start({"forward": {"mtu": 1400}})
        if not kernel.copies_frames():
            return
        self.assertIn("packets of more than 1488 bytes are not fragmented in XDP", daemon.stderr)
        self.assertIn("they end as oversize, unless routes out of out0 have an MTU of 1400",
                      daemon.stderr)
        # the tunnel takes 50 bytes of in0's MTU; the way out takes 12 more than the packet has
        self.assertIn(f"ip link set dev out0 mtu {self.MTU_IN - 50 + 12}", daemon.stderr)

    def test_passed_without_a_route(self):
        """`pass` hands packets to a kernel that has no MTU to fragment them to."""
        changes = {"forward": {"mtu": 1400, "oversize": "pass"}}
        daemon = self.start(changes)
        self.assertIn("as forward.oversize is pass; they end as oversize, unless routes out of "
                      "out0 have an MTU of 1400", daemon.stderr)
        told = self.cli("check", "-c", self.write(changes), check=False)
        self.assertIn("forward.oversize is pass", told.stdout)


class JumboIngress(Ground):
    """An MTU larger than one buffer."""

    MTU_IN, MTU_OUT = 9000, 9000

    def test_multi_buffer(self):
        """
        The program decapsulates frames in several buffers and passes them to the kernel; it
        redirects the others. On a kernel whose XDP takes one buffer only, the program runs in
        generic mode, and the daemon says so.
        """
        self.know_neighbour()
        server = self.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("10.20.0.2", PORT))
        server.settimeout(3 * PATIENCE)
        daemon = self.start()
        sizes = [100, 2000, 6000, 8900]
        pairs = [datagram(n, size) for n, size in enumerate(sizes)]
        for packet, payload in pairs:
            self.in_port.send(frames.tunnel(frames.inner(packet)))
            self.assertEqual(server.recv(65535), payload)
        if kernel.has_multi_buffer(self.driver("in0")):
            self.assertEqual(self.verdicts(), {"redirected": 2, "passed": 2})
            self.assertEqual(self.json("status")["mode"], "native")
            return
        self.assertEqual(self.verdicts(), {"redirected": 4})
        self.assertEqual(self.json("status")["mode"], "generic")
        self.assertRegex(daemon.stderr, "MTU of 9000.*using generic mode")
