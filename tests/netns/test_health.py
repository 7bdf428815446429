# SPDX-License-Identifier: GPL-2.0-only
"""/healthz and `status` report a fault in time, and its end."""

import ctypes
import os
import signal
import struct
import subprocess
import time

from lib import frames
from lib.command import injected, need_commands, wait_for
from lib.life import Traffic, rules
from lib.namespace import napi, veth
from lib.port import Port, is_ip
from lib.watch import TOLD_WITHIN, Watched, update_link

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # __WALL
SLOWLY = injected("bpf", "delay_enter=12000")  # makes loading a configuration slow as a whole
SLOWER = injected("bpf", "delay_enter=40000")  # makes each step of it slow


class Stalled:
    """Stops one thread of a process by ptrace; the others run on."""

    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, pid):
        self.pid = pid

    def ptrace(self, request):
        arguments = [ctypes.c_void_p(value) for value in (request, self.pid, 0, 0)]
        if self.libc.ptrace(*arguments):
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x})")

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.pid, WALL)
        return self

    def __exit__(self, *_):
        self.ptrace(PTRACE_DETACH)


class Health(Watched):
    def told_of(self, sentence, fault, heal, *names):
        """
        The instance is well; not well while there is the fault, each reason with all of the `names`
        in it; well again afterwards.
        """
        with self.subTest(sentence):
            wait_for(self.is_well, 10, f"health before: {sentence}")
            fault()
            self.told(False, sentence)
            said = f"{self.get().text} / {self.reasons()}"
            for name in names:
                for text in said.split(" / "):
                    self.assertIn(name, text)
            heal()
            self.told(True, sentence)
            self.assertEqual(self.reasons(), "")

    def bpftool(self, *words):
        need_commands("bpftool")
        self.appliance.run("bpftool", *words)

    def foreign(self):
        """Loads and pins somebody else's program; returns the path."""
        path = self.pin("foreign")
        self.bpftool("prog", "load", self.build_foreign(), path)
        return path

    def test_links(self):
        """A link that is down, or whose peer is, on either side."""
        self.start()
        for namespace, interface, affected, why in (
                (self.appliance, "in0", "in0", "down"), (self.sender, "s0", "in0", "carrier"),
                (self.appliance, "out0", "out0", "down"),
                (self.collector, "c0", "out0", "carrier")):
            self.told_of(f"{interface} down", lambda n=namespace, i=interface: n.ip(
                "link", "set", i, "down"), lambda n=namespace, i=interface: n.ip(
                    "link", "set", i, "up"), affected, why)
        self.ports_anew()
        self.assertTrue(self.forwards())

    def ports_anew(self):
        """Opens new sockets: the old ones report that their interface was down or deleted."""
        self.in_port = Port(self, self.sender, "s0")
        self.out_port = Port(self, self.collector, "c0")

    def out_anew(self):
        veth(self.appliance, "out0", self.collector, "c0", self.MTU_OUT)
        for namespace, interface, last in ((self.appliance, "out0", 1),
                                           (self.collector, "c0", 2)):
            namespace.ip("addr", "add", f"10.20.0.{last}/24", "dev", interface)

    def in_anew(self):
        veth(self.sender, "s0", self.appliance, "in0", self.MTU_IN)
        self.appliance.ip("link", "set", "in0", "address", frames.OUTER_DESTINATION_MAC)
        self.appliance.ip("addr", "add", "10.9.0.2/24", "dev", "in0")

    def test_interfaces_made_anew(self):
        """An interface is deleted and created again: the daemon attaches to it by itself."""
        daemon = self.start()
        self.assertTrue(self.forwards(5))
        for interface, anew in (("out0", self.out_anew), ("in0", self.in_anew)):
            self.told_of(f"{interface} deleted",
                         lambda i=interface: self.appliance.ip("link", "delete", i), anew,
                         interface, "does not exist")
            self.ports_anew()
            self.assertTrue(self.forwards(5), interface)
        self.assertEqual(self.verdicts(), {"redirected": 15}, "counted on")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_attachment(self):
        """Another tool meddles with the programs: health says so, and a reload mends it."""
        daemon = self.start()

        def mend():
            self.reload(daemon)
            self.assertTrue(self.forwards())
        self.told_of("detached by another tool", lambda: self.bpftool(
            "link", "detach", "pinned", self.pin("link")), mend, "in0", "detached", "reload")
        program = self.foreign()
        self.told_of("another program in the link", lambda: update_link(self.pin("link"), program),
                     mend, "in0", "another tool", "reload")
        os.unlink(program)
        self.told_of("the passing program detached", lambda: self.bpftool(
            "link", "detach", "pinned", self.pin("egress_link")), mend, "out0", "reload")

    def test_foreign_program(self):
        """The kernel refuses a foreign program while ours is attached; health names one after."""
        daemon = self.start()
        refused = self.appliance.ip("link", "set", "dev", "in0", "xdp", "obj",
                                    self.build_foreign(), "sec", "xdp", check=False)
        self.assertNotEqual(refused.returncode, 0, "the link keeps its interface")
        self.assertTrue(self.forwards())

        self.bpftool("link", "detach", "pinned", self.pin("link"))
        number = self.attach_program(self.appliance, "in0")

        self.told_when(lambda: f"id {number}" in self.get().text, "a foreign program named")
        for said in (self.get().text, self.reasons()):
            self.assertIn("in0", said)
            self.assertIn(f"id {number}", said)
        logged = len(daemon.stderr)
        self.reload(daemon)
        self.assertRegex(daemon.stderr[logged:], f"(?m)not reloaded: in0 .* id {number}")
        self.appliance.ip("link", "set", "dev", "in0", "xdp", "off")
        self.reload(daemon)
        self.told(True, "the foreign program is gone")
        self.assertTrue(self.forwards())

    def lost(self, reason):
        """Packets lost on the way out for that reason, once `status` and /metrics agree on it."""
        def read():
            row = next(row for row in self.json("status")["losses"]
                       if (row["place"], row["reason"]) == ("transmit", reason))
            line = next(line for line in self.get("/metrics").text.splitlines()
                        if 'place="transmit"' in line and f'reason="{reason}"' in line)
            return row["packets"], int(line.split()[-1])
        return wait_for(lambda: len(set(read())) == 1 and read(), 5, "counted alike")[0]

    def fixed(self):
        """A configuration that redirects whether or not the kernel knows the next hop."""
        return {"forward": {"next_hop": self.collector.mac("c0"), "mtu": 1500}}

    def test_refused_by_the_device(self):
        """The peer has no NAPI: the veth refuses redirected frames."""
        self.start()
        self.assertEqual(self.lost("redirect_failed"), 0)

        def heal():
            """Once the packets are told of, too, and not the interface alone."""
            wait_for(lambda: " packets were " in self.reasons(), 5, "the packets")
            napi(self.collector, "c0", True)

        with Traffic(self) as traffic:
            self.told_of("no NAPI", lambda: napi(self.collector, "c0", False), heal, " ")
        lost = [self.lost(reason) for reason in ("redirect_failed", "send_failed")]
        self.assertEqual(lost.count(0), 1, "which one depends on the kernel")
        self.assert_accounted(traffic, sum(lost))

    def test_refuses_fragments(self):
        """
        The same where every packet is to be fragmented: Linux 6.3 and later leave out copies for such
        a device, and do not tell of them.
        """
        for namespace, name in ((self.appliance, "out0"), (self.collector, "c0")):
            namespace.ip("link", "set", name, "mtu", "3498")
        self.start({"forward": {"mtu": 1500}}, self.fixed())
        big = [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                     bytes(2000))))] * 10
        self.in_port.send(*big)
        if self.verdicts() != {"fragmented": 10}:
            return  # this kernel copies no frames
        self.assertEqual(len(self.out_port.receive(is_ip, 20)), 20)
        self.told(True, "before")
        napi(self.collector, "c0", False)
        until = time.monotonic() + 5
        while self.is_well() and time.monotonic() < until:
            self.in_port.send(*big)
            time.sleep(0.1)
        self.told(False, "no NAPI")
        self.assertRegex(self.reasons(), "out0 takes no redirected frames|packets were ")
        napi(self.collector, "c0", True)
        self.told(True, "NAPI again")

    def assert_accounted(self, traffic, lost):
        """Every packet arrived or is counted as lost, but for a batch in a ring that went away."""
        missing = traffic.sent - traffic.arrived() - lost
        self.assertTrue(0 <= missing <= traffic.batch, f"{missing} of {traffic.sent} packets")

    def test_refused_by_the_driver(self):
        """The peer is down: the driver accepts the packets and sends none."""
        self.start(self.fixed())
        with Traffic(self) as traffic:
            wait_for(self.is_well, 10, "health")
            before = self.out_port.receive(is_ip, 20, quiet=0)
            self.assertEqual(len(before), 20, "delivered before the fault")
            self.collector.ip("link", "set", "c0", "down")
            self.told(False, "a peer that is down")
            wait_for(lambda: "not taken by the driver" in self.reasons(), 5, "the reason")
            self.assertIn("out0 has no carrier", self.get().text)
            self.assertIn("not taken by the driver", self.get().text)
        self.assertGreater(self.lost("send_failed"), 0)
        self.assertEqual(self.lost("redirect_failed"), 0)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})

    def test_refused_before_the_queue(self):
        """Packets larger than the interface's MTU, while forward.mtu is larger still."""
        daemon = self.start(self.fixed())
        big = [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                     bytes(1200))))] * 10
        wait_for(self.is_well, 10, "health")
        self.appliance.ip("link", "set", "out0", "mtu", "1000")
        self.told(False, "MTU below forward.mtu")
        for name in ("out0", "1000", "1500"):
            self.assertIn(name, self.reasons())
        self.in_port.send(*big)
        self.assertEqual(self.out_port.receive(is_ip), [])
        self.assertEqual(self.lost("redirect_failed"), 10)
        self.assertEqual(self.verdicts(), {"redirected": 10})
        self.appliance.ip("link", "set", "out0", "mtu", "1500")
        self.told(True, "MTU raised again")
        self.in_port.send(*big)
        self.assertEqual(len(self.out_port.receive(is_ip, 10)), 10)
        self.assertEqual(daemon.terminate(), 0)

    def test_refused_in_generic_mode(self):
        """In generic mode, too, health and counters tell of packets that the kernel refuses."""
        self.bridge()
        self.start(self.fixed(), {"listen": {"interface": "br0", "xdp_mode": "generic"}})
        self.assertTrue(self.forwards(5))
        with Traffic(self, pause=0.01) as traffic:
            self.told_of("out0 down",
                         lambda: self.appliance.ip("link", "set", "out0", "down"),
                         lambda: self.appliance.ip("link", "set", "out0", "up"), " ")
            after = self.out_port.receive(is_ip, 20, quiet=0)
            self.assertEqual(len(after), 20, "delivered after the fault")
        self.assertGreater(self.lost("redirect_failed") + self.lost("send_failed"), 0)
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent + 5})

    def test_single_arm(self):
        """Single-arm: the interface is created again, and refuses the frames sent back."""
        self.start(rules("10.9.0.1:8081"), {"forward": {"interface": "in0"}})
        self.out_port = self.in_port
        self.told_of("in0 deleted", lambda: self.appliance.ip("link", "delete", "in0"),
                     self.single_arm_anew, "in0")
        self.in_port = self.out_port = Port(self, self.sender, "s0")
        self.assertTrue(self.forwards())
        with Traffic(self) as traffic:
            self.told_of("no NAPI", self.peer_without_napi,
                         lambda: self.attach_program(self.sender, "s0"),
                         " packets were not taken by the driver of listen.interface")
        self.assertGreater(self.lost("transmit_failed"), 0)
        self.assert_accounted(traffic, self.lost("transmit_failed"))

    def single_arm_anew(self):
        self.in_anew()
        self.sender.ip("addr", "add", "10.9.0.1/24", "dev", "s0")
        self.attach_program(self.sender, "s0")  # a veth flushes XDP_TX only to such a peer

    def peer_without_napi(self):
        self.sender.run("ethtool", "-K", "s0", "gro", "off")
        self.sender.ip("link", "set", "dev", "s0", "xdp", "off")

    def test_next_hop_without_a_route(self):
        self.appliance.ip("route", "add", "198.51.100.0/24", "via", "10.20.0.2")
        self.start(rules("198.51.100.1:8081"))
        self.told_of("no route", lambda: self.appliance.ip("route", "del", "198.51.100.0/24"),
                     lambda: self.appliance.ip("route", "add", "198.51.100.0/24", "via",
                                               "10.20.0.2"), "198.51.100.1", "rule 1",
                     "no route leads there out of out0")

    def test_why_a_next_hop_is_not_known(self):
        """The reason names the gateway that does not answer, or says the route is elsewhere."""
        self.start(rules("198.51.100.1:8081", name="far"))
        for route, wanted in (
                (("via", "10.20.0.77", "dev", "out0"), "its next hop 10.20.0.77 on out0 "),
                (("dev", "in0"), "no route leads there out of out0")):
            with self.subTest(wanted):
                self.appliance.ip("route", "replace", "198.51.100.0/24", *route)
                wait_for(lambda wanted=wanted: f"198.51.100.1 (rule 1, far): {wanted}" in
                         self.reasons(), 10, wanted)

    def neighbour_state(self):
        shown = self.appliance.ip("neigh", "show", "10.20.0.2", "dev", "out0").stdout.split()
        return shown[-1] if shown else "NONE"

    def test_next_hop_that_stops_answering(self):
        """Health says so as soon as the kernel has given up on the neighbour."""
        self.appliance.ip("neigh", "del", "10.20.0.2", "dev", "out0")
        self.appliance.sysctl(*(f"net.ipv4.neigh.out0.{name}" for name in (
            "base_reachable_time_ms=1000", "delay_first_probe_time=1", "ucast_solicit=1",
            "mcast_solicit=1", "retrans_time_ms=200")))
        self.start()
        wait_for(self.is_well, 10, "the neighbour")
        self.collector.ip("addr", "del", "10.20.0.2/24", "dev", "c0")
        wait_for(lambda: self.neighbour_state() in ("FAILED", "INCOMPLETE", "NONE"), 20,
                 "the kernel's verdict")
        self.told(False, "next hop fails")
        for name in ("10.20.0.2", "rule 1"):
            self.assertIn(name, self.reasons())
        self.collector.ip("addr", "add", "10.20.0.2/24", "dev", "c0")
        wait_for(lambda: self.neighbour_state() in ("REACHABLE", "STALE", "DELAY"), 10,
                 "the neighbour")
        self.told(True, "next hop answers")

    def test_stopped_daemon(self):
        """`status` says that a stopped daemon has stalled, and the datapath goes on."""
        daemon = self.start()
        self.assertEqual(self.reasons(), "")
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        # `status` itself takes half a second
        self.told_when(self.reasons, "stopped daemon, by status", TOLD_WITHIN + 0.5)
        said = self.reasons()
        self.assertIn(str(daemon.pid), said)
        self.assertIn("stalled", said)
        self.assertTrue(self.forwards())
        daemon.signal(signal.SIGCONT)
        self.told(True, "daemon goes on")
        self.assertEqual(self.reasons(), "")

    def test_stalled_loop(self):
        """The control loop's thread stops: the HTTP server's thread says so."""
        daemon = self.start()
        wait_for(self.is_well, 10, "health")
        with Stalled(daemon.pid):
            self.told_of_stall("stalled loop")
        self.told(True, "loop goes on")

    def told_of_stall(self, sentence):
        self.told(False, sentence)
        self.assertIn("stalled", self.get().text)
        self.assertIn("stalled", self.reasons())

    def is_loading(self):
        with open(f"/run/vxlan-pipeline/{self.instance}/reloads", "rb") as file:
            _, begun, ended = struct.unpack("=III", file.read(12))
        return begun != ended

    def test_stalled_in_a_reload(self):
        """The control loop stops while it loads many rules."""
        many = {"nat": [{"match": {"source_port": 1000 + n % 60000, "destination_port": n // 60000 + 1},
                         "to": "10.20.0.2:8081"} for n in range(40000)]}
        daemon = self.start()
        wait_for(self.is_well, 10, "health")
        self.write(many)
        for _ in range(20):
            daemon.signal(signal.SIGHUP)
            daemon.notified("RELOADING=1")
            with Stalled(daemon.pid):
                if not self.is_loading():
                    continue
                self.told_of_stall("stalled reload")
                break
        else:
            self.fail("each reload was over before it could be held")
        wait_for(lambda: not self.is_loading(), 20, "the reload")
        self.told(True, "reload goes on")

    def test_slow_reload(self):
        """A reload that makes progress is no stall, however long it takes."""
        need_commands("strace")
        daemon = self.start()
        wait_for(self.is_well, 10, "health")
        tracer = subprocess.Popen(  # pylint: disable=consider-using-with
            [*SLOWLY, "-p", str(daemon.pid)])
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.terminate)
        wait_for(lambda: "TracerPid:\t0" not in self.proc_status(daemon), 10, "the tracer")
        for _ in range(3):  # a step that gets no CPU may take as long as a stall
            seconds, said = self.reload_watched(daemon)
            self.assertGreater(seconds, 1.8, "slower than a stall")
            if said == {(200, "healthy\n")}:
                break
        self.assertEqual(said, {(200, "healthy\n")})

    def reload_watched(self, daemon):
        """Reloads; returns the seconds it took and the set of /healthz's answers meanwhile."""
        said, began = set(), time.monotonic()
        daemon.signal(signal.SIGHUP)
        daemon.notified("RELOADING=1")
        while self.is_loading():
            answer = self.get()
            said.add((answer.status, answer.text))
            time.sleep(0.05)
        daemon.notified("READY=1")
        return time.monotonic() - began, said

    def proc_status(self, daemon):
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            return file.read()

    def test_ready(self):
        """Health is known before the daemon tells the service manager that it is ready."""
        self.start_by(*SLOWER, "-D").ready()
        self.assertEqual(self.get().text, "healthy\n")

    def test_slow_start(self):
        """A daemon that takes over from a dead one counts as starting, not as stalled."""
        self.start().kill()
        time.sleep(2)
        self.start_by(*SLOWLY, "-D")
        wait_for(lambda: self.json("status")["pid"], 10, "the daemon")
        self.assertRegex(self.reasons(), r"^the daemon, process \d+, is starting$")

    def test_losses_that_nobody_counts(self):
        """If losses cannot be counted, no output claims that nothing was lost."""
        self.start()
        self.assertIn("lost        nothing\n", self.cli("status", "--instance", self.instance).stdout)
        self.remove_instance()
        daemon = self.start_by("unshare", "--mount", "--propagation", "slave", "sh", "-c",
                               "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$0\" \"$@\""
                               ).ready()
        self.assertIn("cannot be counted", daemon.stderr)
        text = self.cli("status", "--instance", self.instance).stdout
        self.assertIn("lost        nothing that is known\n", text)
        self.assertIn("what is refused on the way out is not counted here", text)
        self.assertIs(self.json("status")["transmit_losses_counted"], False)
        self.assertIn("\nvxlan_pipeline_transmit_losses_counted 0\n", self.get("/metrics").text)

    def test_unattended(self):
        daemon = self.start()
        self.assertIn("pid", self.json("status"))
        daemon.kill()
        status = self.json("status")
        self.assertEqual((status["state"], status["pid"], status["healthy"]),
                         ("unattended", None, False))
        self.assertIn("no daemon", " ".join(status["reasons"]))
        self.assertTrue(self.forwards())
        with self.assertRaises(OSError):
            self.get()
        self.start()
        self.told(True, "adopted")


class Drain(Watched):
    def drain(self, *words):
        self.cli("drain", "--instance", self.instance, *words)

    def assert_draining(self, draining):
        status = self.json("status")
        self.assertEqual((status["draining"], status["healthy"]), (draining, not draining), status)

    def test_drain(self):
        """/healthz says 503 until the drain is undone, also after a reload and a restart."""
        daemon = self.start()
        wait_for(self.is_well, 10, "health")
        with Traffic(self) as traffic:
            self.drain()
            self.told(False, "drain")
            self.assertEqual(self.get().text, "draining; vxlan-pipeline drain --undo ends it\n")
            self.drain()
            self.assert_draining(True)
            self.reload(daemon)
            self.told_when(lambda: "draining" in self.get().text, "drained over a reload")
            daemon.kill()
            self.assertTrue(self.json("status")["draining"])
            daemon = self.start()
            self.told_when(lambda: "draining" in self.get().text, "drained over a restart")
            self.assert_draining(True)
            self.drain("--undo")
            self.told(True, "no drain any more")
            self.drain("--undo")
            self.assert_draining(False)
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.drain()
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()
        self.start()
        wait_for(self.is_well, 10, "a drain ends with its instance")

    def test_nothing_to_drain(self):
        for words in ((), ("--undo",)):
            self.assertIn(self.instance, self.fails("drain", "--instance", self.instance, *words))
