# SPDX-License-Identifier: GPL-2.0-only
"""
Network namespaces, veth pairs and the daemon on them. Everything that is made here has a name of
this process, is registered with the test that made it, and is removed whether it passes or not.
"""

import contextlib
import ctypes
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest

from . import frames, kernel, program
from .program import PATIENCE

ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
BPFFS = "/sys/fs/bpf"
HEARTBEAT_LIFETIME = 3.5  # seconds after which a dead daemon's next hops are not trusted any more
PINS = os.path.join(BPFFS, "vxlan-pipeline")
STATE = "/run/vxlan-pipeline"
VETH_XDP_MTU = 3498
FOREIGN = "foreign.bpf.o"  # compiled beforehand, below build/, where there is no compiler
WIRES = [pair.split(":") for pair in os.environ.get("TEST_WIRES", "").split(",") if pair]

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def unique(stem):
    return f"vpt{os.getpid()}-{stem}{next(_numbers)}"


def run(*command, check=True, timeout=60, **options):
    """A command and its output; a failure says what it said."""
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            timeout=timeout * PATIENCE, **options)
    if check and result.returncode:
        raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n"
                             f"{result.stdout}{result.stderr}")
    return result


def wait_for(condition, seconds=10.0, what="it"):
    """Polls until the condition answers something true, and returns that."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def need_commands(*names):
    for name in names:
        if not shutil.which(name):
            raise unittest.SkipTest(f"this machine has no {name}")


def injected(call, fault):
    """What goes before a command, or a `-p`, to have strace do something at each such system call."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:{fault}")


def compile_foreign(directory):
    """An XDP program that is not ours: the path of its object file."""
    source, built = (os.path.join(directory, FOREIGN + end) for end in (".c", ""))
    with open(source, "w", encoding="ascii") as stream:
        stream.write("""
            __attribute__((section("xdp"), used)) int somebody_elses(void *ctx) { return 2; }
            char _license[] __attribute__((section("license"), used)) = "GPL";
        """)
    run("clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", built)
    return built


def foreign_program(directory):
    """The same, compiled in the directory unless it was before."""
    built = os.path.join(program.ROOT, "build", FOREIGN)
    if not os.path.exists(built):
        need_commands("clang")
        built = compile_foreign(directory)
    return built


def mount_bpffs(test):
    """As every systemd machine has it; taken away again if it was not there."""
    if not os.path.ismount(BPFFS):
        run("mount", "-t", "bpf", "bpf", BPFFS)
        test.addCleanup(unmount_bpffs)


def unmount_bpffs():
    """Not while an instance, somebody else's by now, has its pins there."""
    if not os.path.isdir(PINS) or not os.listdir(PINS):
        run("umount", BPFFS, check=False)


class Namespace:
    def __init__(self, test, stem, is_far_end=True):
        self.name, self.is_far_end = unique(stem), is_far_end
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        test.addCleanup(run, "ip", "netns", "delete", self.name, check=False)
        # Nothing but the test's own traffic: no IPv6 addresses of its own making.
        self.sysctl("net.ipv6.conf.default.addr_gen_mode=1",
                    "net.ipv6.conf.default.accept_dad=0")
        self.ip("link", "set", "lo", "up")

    def command(self, *command):
        # `ip netns exec` would hide /sys/fs/bpf behind a fresh sysfs.
        return ("nsenter", f"--net={self.path}", *command)

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def ip(self, *words, **options):
        return self.run("ip", *words, **options)

    def sysctl(self, *settings):
        self.run("sysctl", "-q", "-w", *settings)

    @contextlib.contextmanager
    def entered(self):
        """What this thread opens meanwhile lives in this namespace."""
        with open("/proc/thread-self/ns/net", encoding="ascii") as home, \
                open(self.path, encoding="ascii") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if _libc.setns(home.fileno(), CLONE_NEWNET):
                    os.abort()

    def socket(self, *arguments):
        with self.entered():
            return socket.socket(*arguments)

    def link(self, interface):
        links = json.loads(self.ip("-j", "-d", "link", "show", "dev", interface).stdout)
        return links[0]

    def mac(self, interface):
        return self.link(interface)["address"]

    def xdp(self, interface):
        """What `ip link` says of XDP on the interface; None: nothing attached."""
        return self.link(interface).get("xdp")

    def xdp_interfaces(self):
        links = json.loads(self.ip("-j", "link", "show").stdout)
        return [link["ifname"] for link in links if link.get("xdp")]


def veth(one, one_name, two, two_name, mtu=1500):
    one.ip("link", "add", one_name, "mtu", str(mtu), "type", "veth", "peer", "name", two_name,
           "mtu", str(mtu), "netns", two.name)
    bring_up(one, one_name, two, two_name)
    for namespace, name in ((one, one_name), (two, two_name)):
        # with an MTU above that no end has a native program, and none redirects
        if namespace.is_far_end and mtu <= VETH_XDP_MTU and not kernel.veth_receives_with_gro():
            receive_redirected(namespace, name)


def receive_redirected(namespace, interface):
    """A veth takes redirected frames at least while it has a program of its own."""
    with program.Workspace() as work:
        built = foreign_program(work.path)
        namespace.ip("link", "set", "dev", interface, "xdp", "obj", built, "sec", "xdp")


def napi(namespace, interface, on):
    """Without it a veth loses what is redirected to it."""
    if kernel.veth_receives_with_gro():
        namespace.run("ethtool", "-K", interface, "gro", "on" if on else "off")
    elif on:
        receive_redirected(namespace, interface)
    else:
        namespace.ip("link", "set", "dev", interface, "xdp", "off")


def bring_up(one, one_name, two, two_name):
    """A pair with no offloads that would leave frames half made; NAPI on both ends."""
    for namespace, name in ((one, one_name), (two, two_name)):
        namespace.run("ethtool", "-K", name, "tx", "off", "txvlan", "off", "tso", "off", "gso",
                      "off", "gro", "on", check=False)
    # In this order: an end that comes up takes redirected frames if its peer has GRO by then.
    for namespace, name in ((one, one_name), (two, two_name)):
        namespace.ip("link", "set", name, "up")
    for namespace, name in ((one, one_name), (two, two_name)):
        wait_for(lambda n=namespace, i=name: n.link(i)["operstate"] == "UP", 5, f"{name} up")


def borrow(test, interface, namespace, name, mtu):
    """Takes an interface of this machine into a namespace, until the test ends."""
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:
        mac = file.read().strip()

    def give_back():
        namespace.ip("link", "set", name, "down", check=False)
        namespace.ip("link", "set", name, "xdp", "off", check=False)
        namespace.ip("link", "set", name, "address", mac, check=False)
        namespace.ip("link", "set", name, "netns", str(os.getpid()), "name", interface)
    run("ip", "link", "set", interface, "netns", namespace.name, "name", name)
    test.addCleanup(give_back)
    namespace.ip("link", "set", name, "mtu", str(mtu))


class Port:
    """Sends and captures whole frames on an interface."""

    def __init__(self, test, namespace, interface):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        test.addCleanup(self.socket.close)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((interface, ETH_P_ALL))
        # Whoever it is addressed to: a NIC, other than a veth, filters.
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack(
            "iHH8s", namespace.link(interface)["ifindex"], PACKET_MR_PROMISC, 0, b""))
        self.socket.setblocking(False)

    def send(self, *batch):
        """Slowly enough for a veth ring of 256 entries."""
        for number, frame in enumerate(batch, 1):
            while True:
                try:
                    self.socket.send(frame)
                    break
                except BlockingIOError:  # on a busy machine as many are still on their way
                    select.select([], [self.socket], [], 0.1)
            if number % 40 == 0:
                time.sleep(0.002)

    def receive(self, wanted=None, count=None, quiet=0.3, seconds=5.0):
        """
        The frames that came in and that `wanted` takes: until there are `count` and, to see
        surplus ones, until nothing came for `quiet` seconds.
        """
        quiet *= PATIENCE
        found, deadline = [], time.monotonic() + seconds * PATIENCE
        while True:
            patience = quiet if count is None or len(found) >= count else \
                deadline - time.monotonic()
            if patience <= 0 or not select.select([self.socket], [], [], patience)[0]:
                return found
            frame, address = self.socket.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING and (wanted is None or wanted(frame)):
                found.append(frame)


def is_ip(frame):
    """IP, but not the neighbour discovery that every IPv6 host utters by itself."""
    return frame[12:14] == b"\x08\0" or (frame[12:14] == b"\x86\xdd" and frame[20] != 58 and
                                         frame[38] != 0xFF)


class Daemon:
    """`vxlan-pipeline run` in the foreground, with a notification socket as systemd gives it."""

    def __init__(self, test, namespace, *arguments, instance=None, name="run", environment=None,
                 executable=None):
        self.namespace = namespace
        self.work = program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self.instance = instance
        words = [executable or program.PROGRAM] + ([name] if name else []) + list(arguments)
        if instance:
            words += ["--instance", instance]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        test.addCleanup(self.notify.close)
        self.notify.bind(os.path.join(self.work.path, "notify"))
        with open(os.path.join(self.work.path, "out"), "wb") as out, \
                open(os.path.join(self.work.path, "err"), "wb") as err:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                namespace.command(*words), stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.work.path, "notify"),
                     **(environment or {})})
        test.addCleanup(self.kill)
        self.pid = self.process.pid

    def text(self, which):
        with open(os.path.join(self.work.path, which), encoding="utf-8",
                  errors="replace") as stream:
            return stream.read()

    @property
    def stderr(self):
        return self.text("err")

    @property
    def stdout(self):
        return self.text("out")

    def notified(self, what, seconds=20.0):
        """Waits for a message to the service manager."""
        seconds *= PATIENCE
        deadline = time.monotonic() + seconds
        while True:
            if select.select([self.notify], [], [], 0.05)[0]:
                if what.encode() in self.notify.recv(4096).split(b"\n"):
                    return
            elif self.process.poll() is not None:
                raise AssertionError(f"exited with {self.process.returncode} before {what}:\n"
                                     f"{self.stderr}")
            elif time.monotonic() > deadline:
                raise AssertionError(f"no {what} after {seconds} s:\n{self.stderr}")

    def ready(self):
        self.notified("READY=1")
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20.0):
        seconds *= PATIENCE
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.stderr}") from None

    def terminate(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Ground(unittest.TestCase):
    """
    Three namespaces in a row, and the program in the middle one:

        sender s0 ---- in0 appliance out0 ---- c0 collector
                10.9.0.1   10.9.0.2  10.20.0.1  10.20.0.2

    The lines are veth pairs, or what $TEST_WIRES names: `A:B,C:D`, interfaces of this machine of
    which A is cabled to B, and C to D.
    """

    MTU_IN, MTU_OUT = 3498, 1500

    def setUp(self):
        program.require_program()
        need_commands("ip", "ethtool", "nsenter", "sysctl")
        mount_bpffs(self)
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)
        self.sender = Namespace(self, "s")
        self.sender.sysctl("net.ipv6.conf.default.disable_ipv6=1")
        self.appliance = Namespace(self, "a", is_far_end=False)
        self.collector = Namespace(self, "c")
        wires = iter(WIRES)
        self.wire(next(wires, None), self.sender, "s0", self.appliance, "in0", self.MTU_IN)
        self.wire(next(wires, None), self.appliance, "out0", self.collector, "c0", self.MTU_OUT)
        # Mirrored traffic comes addressed to the host; the kernel drops other hosts' frames.
        self.appliance.ip("link", "set", "in0", "address", frames.OUTER_DESTINATION_MAC)
        self.addresses()
        self.in_port = Port(self, self.sender, "s0")
        self.out_port = Port(self, self.collector, "c0")
        self.instance = unique("i")
        self.addCleanup(self.remove_instance)

    def wire(self, cabled, one, one_name, two, two_name, mtu):
        if not cabled:
            veth(one, one_name, two, two_name, mtu)
            return
        borrow(self, cabled[0], one, one_name, mtu)
        borrow(self, cabled[1], two, two_name, mtu)
        bring_up(one, one_name, two, two_name)

    def addresses(self):
        self.sender.ip("addr", "add", "10.9.0.1/24", "dev", "s0")
        self.appliance.ip("addr", "add", "10.9.0.2/24", "dev", "in0")
        for namespace, interface, last in ((self.appliance, "out0", 1),
                                           (self.collector, "c0", 2)):
            namespace.ip("addr", "add", f"10.20.0.{last}/24", "dev", interface)
            namespace.ip("addr", "add", f"fd20::{last}/64", "dev", interface, "nodad")
        # What `vxlan-pipeline check` asks for where the kernel forwards.
        self.appliance.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                              "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.in0.rp_filter=0",
                              "net.ipv4.conf.all.send_redirects=0",
                              "net.ipv4.conf.in0.send_redirects=0")

    def driver(self, interface):
        return re.search(r"^driver: (.*)", self.appliance.run("ethtool", "-i", interface).stdout)[1]

    def bridge(self):
        """Puts in0 into a bridge, br0: an interface whose driver has no native XDP."""
        mac = self.appliance.mac("in0")
        self.appliance.ip("link", "add", "br0", "type", "bridge")
        self.appliance.ip("link", "set", "in0", "master", "br0")
        self.appliance.ip("link", "set", "br0", "address", mac, "up")
        wait_for(lambda: self.appliance.link("br0")["operstate"] == "UP", 5, "br0 up")

    def build_foreign(self):
        """The object file of somebody else's XDP program, which passes everything."""
        return foreign_program(self.work.path)

    def attach_program(self, namespace, interface):
        """Attaches it; returns its id."""
        built = self.build_foreign()
        namespace.ip("-force", "link", "set", "dev", interface, "xdp", "obj", built, "sec", "xdp")
        return namespace.xdp(interface)["prog"]["id"]

    def remove_instance(self, instance=None):
        """Whatever state a test has left the instance in."""
        instance = instance or self.instance
        if os.path.isdir(os.path.join(PINS, instance)):
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.cli("stop", "--instance", instance, check=False, timeout=10)
        for directory in (os.path.join(PINS, instance), os.path.join(STATE, instance)):
            shutil.rmtree(directory, ignore_errors=True)

    CONFIG = {
        "listen": {"interface": "in0"},
        "forward": {"interface": "out0", "next_hop": "route"},
        "nat": [{"match": {"source_port": 1000}, "to": "10.20.0.2:8081"},
                {"match": {"source_port": 1000}, "to": "[fd20::2]:8081"}],
        "http": {"listen": "off"},
    }

    def config(self, *changes):
        return program.merge(self.CONFIG, *changes)

    def write(self, *changes, name="config.yaml"):
        return self.work.file(name, program.to_yaml(self.config(*changes)))

    def start(self, *changes, arguments=()):
        """A daemon with the configuration, ready."""
        return Daemon(self, self.appliance, "-c", self.write(*changes), *arguments,
                      instance=self.instance).ready()

    def cli(self, *words, **options):
        return self.appliance.run(program.PROGRAM, *words, **options)

    def json(self, command):
        return json.loads(self.cli(command, "--json", "--instance", self.instance).stdout)

    def stats(self):
        return self.json("stats")

    def verdicts(self):
        """{verdict: packets} of those that there were, without what the kernel says by itself."""
        return {name: value["packets"] for name, value in self.stats()["verdicts"].items()
                if value["packets"] and name != "not_tunnel"}

    def know_neighbour(self):
        """The collector's MAC, so that nothing has to be resolved."""
        mac = self.collector.mac("c0")
        for address in ("10.20.0.2", "fd20::2"):
            self.appliance.ip("neigh", "replace", address, "lladdr", mac, "dev", "out0",
                              "nud", "permanent")

    def assert_nothing_left(self):
        """No program on any interface, no pins, no state."""
        self.assertEqual(self.appliance.xdp_interfaces(), [])
        self.assertFalse(os.path.exists(os.path.join(PINS, self.instance)), "pins are left")
        self.assertFalse(os.path.exists(os.path.join(STATE, self.instance)), "/run state is left")
