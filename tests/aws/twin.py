# SPDX-License-Identifier: GPL-2.0-only
"""
A twin of the stack on this machine: what moto says that there is, is there.

    source ---- cloud ------------ ens5 appliance ens6 ---- collector
                |  load balancer        (boots, user data runs)
                |  instance metadata, AWS's API, repository

Every instance of a group is a machine that boots, in a network namespace whose interfaces have the MACs
and addresses that moto gave them. The second one comes when moto has it attached.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

import fleet
import machine
import metadata
import packages
from account import Account
from balancer import SO_RCVBUFFORCE, Balancer
from lib import program
from lib.command import run, wait_for
from lib.namespace import Namespace, veth

RELEASE = "bookworm"
CLOUD, COLLECTOR = "10.0.255.1", "10.0.50.10"
PORTS = (8081, 8082)
BLOCKS = {"listen": {"a": "10.0.1", "b": "10.0.2"}, "forward": {"a": "10.0.11", "b": "10.0.12"}}
BALANCER, SOURCE_BLOCK = "10.0.1.250", "10.0.60"
FLOWS, PPS = 16, 250
UNIT = """[Unit]
Description=What cloud-init does with user data
After=network.target
Wants=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/var/lib/cloud/user-data
StandardOutput=journal
[Install]
WantedBy=multi-user.target
"""


class Machine(machine.Machine):
    """An instance. `about`: of cloud_scaling.snapshot()."""

    def __init__(self, twin, about):
        self.twin, self.id, self.plugged, self.is_gone = twin, about["id"], set(), False
        self.number = next(twin.numbers)
        self.zone, self.group = about["zone"], about["group"]
        namespace = Namespace(twin.test, "instance", is_far_end=False)
        self.plug(about, namespace)
        super().__init__(twin.test, RELEASE, namespace, name=about["id"],
                         base=machine.tree_with(RELEASE, fleet.SERVER))
        self.bpffs = os.path.join(self.layer.directory, "bpf")
        os.mkdir(self.bpffs)
        run("mount", "-t", "bpf", "bpf", self.bpffs)
        twin.test.addCleanup(run, "umount", "-l", self.bpffs, check=False)
        twin.test.addCleanup(self.kill)
        self.write("/etc/hosts", f"127.0.0.1 localhost {self.name}\n{CLOUD} {twin.host}\n")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")  # refuses at once
        self.write("/etc/apt/sources.list", "")
        os.makedirs(self.path("/etc/systemd/system.conf.d"), exist_ok=True)
        self.write("/etc/systemd/system.conf.d/twin.conf",
                   f"[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL={twin.account.url}\n")
        os.makedirs(self.path("/var/lib/cloud"), exist_ok=True)
        self.write("/var/lib/cloud/user-data", about["user_data"])
        os.chmod(self.path("/var/lib/cloud/user-data"), 0o700)
        self.write("/etc/systemd/system/user-data.service", UNIT)
        os.symlink("/etc/systemd/system/user-data.service",
                   self.path("/etc/systemd/system/multi-user.target.wants/user-data.service"))
        self.switch_on()

    @property
    def address(self):
        return self.addresses[0]

    def plug(self, about, namespace=None):
        """Puts in the network interfaces that are attached."""
        namespace = namespace or self.namespace
        for one in sorted(about["interfaces"], key=lambda one: one["index"]):
            index = one["index"]
            if index in self.plugged:
                continue
            far = (self.twin.cloud, self.twin.collector)[index]
            far_end, end = f"{'af'[index]}{self.number}", f"ens{5 + index}"
            veth(far, far_end, namespace, end)
            namespace.ip("link", "set", end, "address", one["mac"])
            router = one["block"].rsplit(".", 1)[0] + ".1"
            far.ip("address", "add", f"{router}/32", "dev", far_end)
            far.ip("route", "add", f"{one['address']}/32", "dev", far_end)
            far.sysctl(f"net.ipv4.conf.{far_end}.rp_filter=0")
            if index == 0:
                # As DHCP would; the second one is left to the user data.
                self.addresses = {0: one["address"]}
                namespace.ip("address", "add", f"{one['address']}/24", "dev", end)
                namespace.ip("route", "add", "default", "via", router)
            self.plugged.add(index)

    def remove(self):
        """The instance is terminated: nothing is left of it."""
        if not self.is_gone:
            self.is_gone = True
            self.kill()
            run("umount", "-l", self.bpffs, check=False)
            for index in self.plugged:
                far = (self.twin.cloud, self.twin.collector)[index]
                far.ip("link", "delete", f"{'af'[index]}{self.number}", check=False)

    def lose(self):
        """As if its zone lost power: nothing answers any more, and AWS does not know yet."""
        self.remove()


class Traffic:
    """
    A mirrored host: numbered packets in VXLAN, as its mirror session says, and a collector that keeps
    the numbers. Long flows never pause; every tenth packet is a new flow of its own.
    """

    def __init__(self, test, twin):
        self.twin, self.sent, self.received, self.ports = twin, {}, {}, {}
        self.next, self.vni, self.over = 0, None, threading.Event()
        self.listeners = []
        for port in PORTS:
            listener = twin.collector.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            listener.bind((COLLECTOR, port))
            listener.settimeout(0.2)
            self.listeners.append((port, listener))
        self.threads = [threading.Thread(target=self.send, daemon=True)] + [
            threading.Thread(target=self.collect, args=one, daemon=True) for one in self.listeners]
        test.addCleanup(self.end)

    def start(self, vni):
        self.vni = vni
        for thread in self.threads:
            thread.start()
        return self

    def end(self):
        self.over.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join()
        for _, listener in self.listeners:
            listener.close()

    def frame(self, flow, number):
        payload = struct.pack("!QQ", number, flow) + bytes(48)
        udp = struct.pack("!HHHH", 20000 + flow % 40000, 514, 8 + len(payload), 0) + payload
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                           socket.inet_aton("10.7.0.9"), socket.inet_aton("10.7.0.1"))
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xffff) + (total >> 16)
        total = ~((total & 0xffff) + (total >> 16)) & 0xffff
        head = head[:10] + struct.pack("!H", total) + head[12:]
        return (struct.pack("!II", 0x08000000, self.vni << 8) + b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
                + head + udp)

    def open(self, port):
        sender = self.twin.source.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((self.twin.source_address, port))
        return sender

    def send(self):
        flows = [self.open(49152 + flow) for flow in range(FLOWS)]
        fresh, at = 0, time.monotonic()
        while not self.over.is_set():
            number = self.next
            if number % 10 == 9:
                flow = 1000 + fresh % 8000
                fresh += 1
                with self.open(50000 + flow) as sender:
                    sender.sendto(self.frame(flow, number), (BALANCER, 4789))
            else:
                flow = number % FLOWS
                flows[flow].sendto(self.frame(flow, number), (BALANCER, 4789))
            self.sent[number] = (time.monotonic(), flow)
            self.next += 1
            at += 1 / PPS
            time.sleep(max(0, at - time.monotonic()))
        for sender in flows:
            sender.close()

    def collect(self, port, listener):
        while not self.over.is_set():
            try:
                payload = listener.recv(2048)
            except TimeoutError:
                continue
            number = struct.unpack_from("!Q", payload)[0]
            self.received[number] = self.received.get(number, 0) + 1
            self.ports[number] = port

    def lost(self, since, until=None, settle=1.5):
        """Numbers sent in this span that never came."""
        until = self.next if until is None else until
        time.sleep(settle)
        return [number for number in range(since, until) if number not in self.received]

    def twice(self):
        return [number for number, times in dict(self.received).items() if times > 1]


class Twin:
    def __init__(self, test):
        machine.need()
        self.test, self.machines, self.snapshot = test, {}, []
        self.numbers = iter(range(1, 1000))
        self.host = "repository.twin"
        self.balancers, self.over, self.broken = {}, threading.Event(), None
        self.deb = packages.deb("")
        machine.tree_with(RELEASE, fleet.SERVER)
        self.cloud, self.collector, self.source = (
            Namespace(test, stem) for stem in ("cloud", "collector", "source"))
        self.lay_cables()
        self.account = Account(test, self.cloud, address=CLOUD)
        self.metadata = metadata.Service(test, self.cloud, self.find)
        self.make_network()
        self.publish()
        self.thread = threading.Thread(target=self.live, daemon=True)
        test.addCleanup(self.end)
        self.thread.start()

    def lay_cables(self):
        for address in (CLOUD, metadata.ADDRESS, BALANCER):
            self.cloud.ip("address", "add", f"{address}/32", "dev", "lo")
        self.collector.ip("address", "add", f"{COLLECTOR}/32", "dev", "lo")
        for each in (self.cloud, self.collector):
            each.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        veth(self.cloud, "s0", self.source, "eth0")
        self.cloud.ip("address", "add", f"{SOURCE_BLOCK}.1/24", "dev", "s0")

    def make_network(self):
        ec2 = self.account.ec2
        self.vpc = ec2("create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = {
            (kind, zone): ec2("create_subnet", VpcId=self.vpc, CidrBlock=f"{block}.0/24",
                              AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
            for kind, blocks in BLOCKS.items() for zone, block in blocks.items()}
        subnet = ec2("create_subnet", VpcId=self.vpc, CidrBlock=f"{SOURCE_BLOCK}.0/24",
                     AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]
        made, = ec2("run_instances", ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnet,
                    InstanceType="m5.large", TagSpecifications=[
                        {"ResourceType": "instance",
                         "Tags": [{"Key": "mirror", "Value": "yes"}]}])["Instances"]
        self.mirrored = made["InstanceId"]
        self.source_interface = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self.source_address = made["PrivateIpAddress"]
        self.source.ip("address", "add", f"{self.source_address}/24", "dev", "eth0")
        self.source.ip("route", "add", "default", "via", f"{SOURCE_BLOCK}.1")

    def publish(self):
        """What `make repo` writes, signed by a key made for it, on port 80."""
        self.web = os.path.join(self.account.work.path, "web")
        os.mkdir(self.web)
        run(os.path.join(program.ROOT, "dist", "repo"), timeout=300, env={
            **os.environ, "REPO_OUTPUT": self.web, "REPO_URL": f"http://{CLOUD}",
            "RPM_OUTPUT": "/nonexistent", "DEB_OUTPUT": os.path.dirname(self.deb)})
        server = subprocess.Popen(  # pylint: disable=consider-using-with
            self.cloud.command(sys.executable, "-m", "http.server", "--bind", CLOUD, "--directory",
                               self.web, "80"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.test.addCleanup(server.wait)
        self.test.addCleanup(server.kill)
        with open(os.path.join(self.web, "vxlan-pipeline.asc"), encoding="ascii") as stream:
            self.key = stream.read()

    # What there is.

    def find(self, address):
        return next((one for one in self.snapshot if one["state"] != "Terminated"
                     and any(interface["address"] == address for interface in one["interfaces"])),
                    None)

    def live(self):
        """Has what moto says come true. Machines end with this thread."""
        while not self.over.is_set():
            try:
                self.step()
            except Exception as error:  # pylint: disable=broad-exception-caught
                if not self.over.is_set():
                    self.broken = error
                    raise
            self.over.wait(0.3)

    def step(self):
        self.snapshot = self.account.ask(ask=["cloud_scaling", "snapshot"])
        for about in self.snapshot:
            there = self.machines.get(about["id"])
            if about["state"] == "Terminated":
                if there:
                    there.remove()
            elif there is None:
                self.machines[about["id"]] = Machine(self, about)
            elif not there.is_gone:
                there.plug(about)
            balancer = self.balancers.get(about["group"])
            if balancer:
                self.balance(balancer, about)

    def balance(self, balancer, about):
        name, known = about["id"], about["id"] in balancer.targets
        if about["state"] == "Terminated":
            if known:
                balancer.deregister(name)
                balancer.targets[name].over.set()
        elif about["registered"] and not known:
            balancer.register(name, about["interfaces"][0]["address"], about["zone"])
        elif about["deregistered"] and known:
            balancer.deregister(name)

    def open_balancer(self, stack):
        """Plays the load balancer of a stack."""
        group = self.account.ask(ask=["cloud_stack", "properties_of", stack, "TargetGroup"])
        attributes = {one["Key"]: one["Value"] for one in self.account.ask(ask=[
            "cloud_stack", "properties_of", stack, "LoadBalancer"])["LoadBalancerAttributes"]}
        balancer = Balancer(self.test, self.cloud, BALANCER, group,
                            attributes["load_balancing.cross_zone.enabled"] == "true", "eu-west-1a")
        balancer.told = lambda name, healthy: self.account.ask(
            ask=["cloud_scaling", "set_health", name, healthy])
        self.balancers[stack] = balancer
        return balancer

    def living(self, stack, *states):
        return [one for one in self.snapshot if one["group"] == stack
                and one["state"] in (states or ("InService",))]

    def end(self):
        self.over.set()
        self.thread.join()
        for each in self.machines.values():
            each.kill()

    # What an operator does.

    def deploy(self, template, stack, **parameters):
        """Begins `aws cloudformation deploy`."""
        import account
        words = [f"{name}={value}" for name, value in parameters.items()]
        path = os.path.join(program.ROOT, "build", "cloudformation", f"{template}.yaml")
        return subprocess.Popen(  # pylint: disable=consider-using-with
            self.cloud.command(account.aws(), "cloudformation", "deploy", "--template-file", path,
                               "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
                               *(["--parameter-overrides", *words] if words else [])),
            env=self.account.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True)

    def status(self, stack):
        found = self.account.call("cloudformation", "describe_stacks")["Stacks"]
        return next((one["StackStatus"] for one in found if one["StackName"] == stack), None)

    def outputs(self, stack):
        one, = [one for one in self.account.call("cloudformation", "describe_stacks")["Stacks"]
                if one["StackName"] == stack]
        return {each["OutputKey"]: each["OutputValue"] for each in one["Outputs"]}

    def failures(self, stack):
        return self.account.ask(ask=["cloud_stack", "failures", stack])

    def wait(self, condition, seconds, what):
        """As wait_for, and says why when the twin itself broke."""
        def check():
            if self.broken:
                raise AssertionError(f"the twin broke: {self.broken!r}")
            return condition()
        return wait_for(check, seconds, what)
