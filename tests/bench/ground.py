# SPDX-License-Identifier: GPL-2.0-only
"""
A chain of three network namespaces; the appliance runs the contestant:

    source s0 ---- in0 appliance out0 ---- c0 sink
           10.9.0.1   10.9.0.2  10.20.0.1  10.20.0.2

A packet stays on the CPU that sends it, so two chains differ only in what the appliance runs. Idle
chains cost nothing: contestants have a chain each, and take turns.
"""

import contextlib
import itertools
import json
import os
import subprocess

from lib import frames, program
from lib.command import run
from lib.daemon import BPFFS, Daemon
from lib.namespace import Namespace

BUILD = os.path.join(os.path.dirname(program.PROGRAM), "bench")
PINS = os.path.join(BPFFS, "bench")
MTU = 3498  # the largest of ENA with XDP
LAN = 1500  # the MTU of the target's network
INNER_MAC = "02:00:00:00:14:02"  # like `generate`
RULE_PORT, TARGET, TARGET_PORT = 42844, "10.20.0.2", 8081  # the rule, see bench.h
OUT_MAC, FAR_MAC = "02:00:00:00:20:01", "02:00:00:00:20:02"  # of out0 and c0, in every chain
TUNNEL = "10.0.0.2"  # the tunnel's destination, see lib.frames.tunnel

_numbers = itertools.count(1)


class Scope(contextlib.ExitStack):
    """Runs cleanups, last first, like unittest.TestCase."""

    def addCleanup(self, function, *arguments, **options):  # tests/lib/ knows it by this name
        self.callback(function, *arguments, **options)


def frame(inner_size, tagged=False):
    """
    The bench's frame: one UDP packet in the tunnel, `inner_size` bytes with its IP header. `tagged`:
    with a VLAN tag in front of the tunnel, for one flow and one VNI.
    """
    payload = bytes(n % 256 for n in range(inner_size - 28))
    packet = frames.udp("10.2.41.20", "10.2.41.10", 42844, 514, payload)
    return frames.tunnel(frames.inner(packet, destination=INNER_MAC),
                         vlans=[(frames.ETH_VLAN, 5)] if tagged else ())


class Chain:
    """The three namespaces. A subclass puts the contestant on the appliance."""

    mtu_out = MTU
    single_arm = False

    def __init__(self, scope, queues=1, counted=True):
        """`counted`: with a sink that counts packets at its end."""
        self.scope, self.queues = scope, queues
        self.number = next(_numbers)
        self.pins = os.path.join(PINS, str(self.number))
        self.source, self.appliance, self.sink = (Namespace(scope, stem) for stem in "sac")
        for namespace in (self.source, self.appliance, self.sink):
            namespace.sysctl("net.ipv6.conf.default.disable_ipv6=1")
        self.veth(self.source, "s0", self.appliance, "in0", MTU)
        self.veth(self.appliance, "out0", self.sink, "c0", self.mtu_out)
        self.appliance.ip("link", "set", "in0", "address", frames.OUTER_DESTINATION_MAC)
        self.appliance.ip("link", "set", "out0", "address", OUT_MAC)
        self.sink.ip("link", "set", "c0", "address", FAR_MAC)
        self.address()
        if counted:
            self.attach_sink()
        self.set_up()

    def veth(self, one, one_name, two, two_name, mtu):
        queues = ("numtxqueues", str(self.queues), "numrxqueues", str(self.queues))
        one.ip("link", "add", one_name, "mtu", str(mtu), *queues, "type", "veth", "peer", "name",
               two_name, "mtu", str(mtu), *queues, "netns", two.name)
        for namespace, name in ((one, one_name), (two, two_name)):
            namespace.run("ethtool", "-K", name, "tx", "off", "txvlan", "off", "tso", "off", "gso",
                          "off", "gro", "on", check=False)
        for namespace, name in ((one, one_name), (two, two_name)):
            namespace.ip("link", "set", name, "up")

    def address(self):
        self.source.ip("addr", "add", "10.9.0.1/24", "dev", "s0")
        self.appliance.ip("addr", "add", "10.9.0.2/24", "dev", "in0")
        self.appliance.ip("addr", "add", "10.20.0.1/24", "dev", "out0")
        self.sink.ip("addr", "add", "10.20.0.2/24", "dev", "c0")
        self.appliance.sysctl("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
                              "net.ipv4.conf.in0.rp_filter=0", "net.ipv4.conf.all.send_redirects=0",
                              "net.ipv4.conf.in0.send_redirects=0")
        out, far = ("in0", self.source.mac("s0")) if self.single_arm else ("out0", FAR_MAC)
        if self.single_arm:
            self.appliance.ip("route", "add", "10.20.0.2/32", "dev", "in0")
        self.appliance.ip("neigh", "replace", "10.20.0.2", "lladdr", far, "dev", out, "nud",
                          "permanent")

    def load(self, stem):
        """Loads tests/bench/STEM.bpf.c and pins its programs and maps by their names."""
        where = os.path.join(self.pins, f"{stem}{next(_numbers)}")
        self.scope.addCleanup(self.unload, where)
        os.makedirs(PINS, exist_ok=True)
        os.makedirs(self.pins, exist_ok=True)
        os.makedirs(where)
        run("bpftool", "prog", "loadall", os.path.join(BUILD, f"{stem}.bpf.o"),
            os.path.join(where, "prog"), "pinmaps", os.path.join(where, "map"))
        return where

    def unload(self, where):
        run("rm", "-rf", where, check=False)
        with contextlib.suppress(OSError):  # what others have loaded stays
            os.removedirs(self.pins)

    def attach(self, namespace, interface, where, function):
        namespace.run("bpftool", "net", "attach", "xdpdrv", "pinned",
                      os.path.join(where, "prog", function), "dev", interface, "overwrite")

    def attach_sink(self):
        """Attaches a new sink, with counters at zero."""
        where = self.load("sink")
        self.sink_map = os.path.join(where, "map", "sink_counts")
        if self.single_arm:
            self.attach(self.source, "s0", where, "bench_sink")
        else:
            self.attach(self.sink, "c0", where, "bench_sink")

    def set_up(self):
        """Starts the contestant."""

    def update_map(self, where, name, value):
        """Fills a map inside the appliance's namespace: a devmap looks interfaces up there."""
        self.appliance.run("bpftool", "map", "update", "pinned", os.path.join(where, "map", name),
                           "key", "hex", "0", "0", "0", "0", "value", "hex",
                           *(f"{byte:02x}" for byte in value))

    def way_out(self):
        return self.appliance.link("out0")["ifindex"].to_bytes(4, "little")

    def addresses(self):
        """The MAC addresses with which a frame leaves: destination and source."""
        return frames.mac(FAR_MAC) + frames.mac(OUT_MAC)

    def program_id(self):
        """The id of the XDP program on in0."""
        return self.appliance.xdp("in0")["prog"]["id"]

    def first_arrival(self):
        """CLOCK_MONOTONIC of the sink's first packet, ns, or None."""
        answer = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.sink_map).stdout)
        times = [cpu["value"]["first"] for cpu in answer[0]["formatted"]["values"]]
        return min((time for time in times if time), default=None)


class Redirect(Chain):
    """Redirects every frame and does nothing else."""

    def set_up(self):
        where = self.load("redirect")
        self.update_map(where, "redirect_to", self.way_out())
        self.attach(self.appliance, "in0", where, "bench_redirect")


class Least(Chain):
    """The yardstick: what exactly one rule takes of an XDP program, and nothing more."""

    def set_up(self):
        where = self.load("least")
        self.update_map(where, "least_macs", self.addresses() + bytes(4))
        self.update_map(where, "least_to", self.way_out())
        self.attach(self.appliance, "in0", where, "bench_least")


class Empty(Chain):
    """Ends at in0, with an empty program that drops every frame."""

    def attach_sink(self):
        where = self.load("sink")
        self.sink_map = os.path.join(where, "map", "sink_counts")
        self.attach(self.appliance, "in0", where, "bench_empty")


class Decap(Chain):
    """XDP decapsulates and rewrites, the kernel routes and fragments."""

    mtu_out = LAN

    def set_up(self):
        self.attach(self.appliance, "in0", self.load("decap"), "bench_decap")


class Tc(Chain):
    """A traffic control program does everything."""

    def set_up(self):
        where = self.load("tc")
        self.update_map(where, "tc_ways", self.way_out() + self.addresses())
        self.appliance.run("tc", "qdisc", "add", "dev", "in0", "clsact")
        self.appliance.run("tc", "filter", "add", "dev", "in0", "ingress", "bpf", "direct-action",
                           "object-pinned", os.path.join(where, "prog", "bench_tc"))


class Kernel(Chain):
    """The kernel's vxlan device, nftables without connection tracking, routing."""

    mtu_out = LAN
    rules = """table ip bench {
        chain rewrite {
            type filter hook prerouting priority raw;
            iifname "tunnel" udp sport 42844 ip daddr set 10.20.0.2 udp dport set 8081
        }
    }"""

    def set_up(self):
        self.appliance.ip("link", "add", "tunnel", "address", INNER_MAC, "mtu",
                          str(MTU - 50), "type", "vxlan", "id", "1", "local", TUNNEL, "dstport",
                          "4789", "nolearning")
        self.appliance.sysctl("net.ipv4.conf.tunnel.rp_filter=0",
                              "net.ipv4.conf.tunnel.send_redirects=0")
        self.appliance.ip("addr", "add", f"{TUNNEL}/32", "dev", "in0")
        self.appliance.ip("link", "set", "tunnel", "up")
        self.appliance.run("nft", "-f", "-", input=self.rules)


class Conntrack(Kernel):
    """The same with DNAT by connection tracking."""

    rules = """table ip bench {
        chain rewrite {
            type nat hook prerouting priority dstnat;
            iifname "tunnel" udp sport 42844 dnat to 10.20.0.2:8081
        }
    }"""


class Forward(Kernel):
    """The same without routing: nftables rewrites and forwards where the vxlan device receives."""

    rules = f"""table netdev bench {{
        chain rewrite {{
            type filter hook ingress device "tunnel" priority 0;
            udp sport {RULE_PORT} ip daddr set {TARGET} udp dport set {TARGET_PORT} \\
                ether daddr set {FAR_MAC} ether saddr set {OUT_MAC} fwd to "out0"
        }}
    }}"""


class Pipeline(Chain):
    """vxlan-pipeline. `changes` to its configuration are those of program.merge()."""

    BASE = {
        "listen": {"interface": "in0"},
        "forward": {"interface": "out0", "next_hop": "route", "mtu": LAN, "oversize": "pass"},
        "nat": [{"match": {"source_port": 42844, "protocol": "udp"}, "to": "10.20.0.2:8081"}],
        "http": {"listen": "off"},
    }

    def __init__(self, scope, *changes, executable=None, **options):
        """`executable`: another build than the one under test."""
        self.changes, self.executable = changes, executable or program.PROGRAM
        self.daemon = None
        super().__init__(scope, **options)

    def set_up(self):
        self.config = f"/run/config-{self.number}.yaml"
        self.instance = f"bench{self.number}"
        self.scope.addCleanup(self.clean_up)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(program.to_yaml(program.merge(self.BASE, *self.changes)))
        self.start()

    def start(self):
        self.daemon = Daemon(self.scope, self.appliance, "-c", self.config,
                             instance=self.instance, executable=self.executable)
        self.daemon.ready()

    def clean_up(self):
        """Removes what the daemon, which has been killed by now, left behind."""
        self.appliance.run(self.executable, "stop", "--instance", self.instance, check=False)
        os.remove(self.config)

    def verdicts(self):
        answer = self.appliance.run(self.executable, "stats", "--json", "--instance", self.instance)
        verdicts = json.loads(answer.stdout)["verdicts"]
        return {name: value["packets"] for name, value in verdicts.items() if value["packets"]}


class SingleArm(Pipeline):
    """vxlan-pipeline sends frames out of the interface they came in by."""

    single_arm = True
    BASE = program.merge(Pipeline.BASE, {"forward": {"interface": "in0"}})


class Source:
    """The generator, source.c, at the beginning of a chain."""

    def __init__(self, chain, inner_size=98, flows=1, vnis=1, cpus=None, tagged=False):
        self.chain = chain
        path = f"/run/frame-{chain.number}-{next(_numbers)}"
        with open(path, "wb") as file:
            file.write(frame(inner_size, tagged))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            chain.source.command(os.path.join(BUILD, "source"), "s0", path, chain.sink_map,
                                 str(flows), str(vnis), *map(str, cpus or one_cpu())),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        chain.scope.addCleanup(self.close)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the bench's generator did not start")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def measure(self, warm, length):
        """Returns (packets a second that arrived, packets a second sent). Times in ms."""
        self.process.stdin.write(f"{warm} {length}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 4:
            raise AssertionError("the bench's generator ended")
        ns, packets, _, sent = map(int, answer)
        return packets * 1e9 / ns, sent * 1e9 / ns


def all_cpus():
    return sorted(os.sched_getaffinity(0))


def one_cpu():
    """The last CPU, as the first one gets the machine's interrupts."""
    return all_cpus()[-1:]
