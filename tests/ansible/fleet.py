# SPDX-License-Identifier: GPL-2.0-only
"""
A fleet to roll out to: machines that boot, each with mirrored traffic on its way to a collector.

    control m1 ------ eth0 one ens6 ------ c1 collector
      |               ens5  |
      |                |    BPF file system of its own
      |     sender s1 -+
      |
      +---- m2 ------ eth0 two ...

Machine N has 10.30.N.2 towards the control node, which runs ansible-playbook and serves the
repository; 10.9.N.2 towards the mirror source; 10.20.N.1 towards the collector. Its ens7, with
10.8.N.2, is for a further instance.
"""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import threading
import time

import machine
import rig
import wares
from lib import program, watch
from lib.command import need_commands, run, wait_for
from lib.ground import mount_bpffs
from lib.namespace import Namespace, veth

PPS = 1000
PORT = 9789
CONTROL = "10.30.0.1"
UNIT = "vxlan-pipeline.service"
CONFIG = "/etc/vxlan-pipeline/config.yaml"
COMMANDS = ("ssh", "ssh-keygen", "ansible-playbook", "ip", "ethtool", "nft", "nsenter",
            "sysctl")
# What runs on a usual server in a cloud, and what the package depends on: machines reach no
# mirror of the distribution.
SERVER = ("openssh-server", "python3", "python3-apt", "sudo", "gpg", "libbpf1", "libelf1",
          "libjansson4", "libmicrohttpd12", "libmnl0", "libnftnl11", "libpcap0.8", "libyaml-0-2",
          "libcap2")
RED_HAT = (*SERVER, "rpm", "dnf", "python3-dnf")

# What a machine says it is. The libraries below are always Debian's.
DISTRIBUTIONS = {
    "debian12": ("debian", "Debian GNU/Linux", "12", "bookworm"),
    "debian13": ("debian", "Debian GNU/Linux", "13", "trixie"),
    "debian11": ("debian", "Debian GNU/Linux", "11", "bullseye"),
    "ubuntu22.04": ("ubuntu", "Ubuntu", "22.04", "jammy"),
    "ubuntu24.04": ("ubuntu", "Ubuntu", "24.04", "noble"),
    "rhel9": ("rhel", "Red Hat Enterprise Linux", "9.4", "Plow"),
    "rocky9": ("rocky", "Rocky Linux", "9.4", "Blue Onyx"),
    "amazon2023": ("amzn", "Amazon Linux", "2023", ""),
    "amazon2": ("amzn", "Amazon Linux", "2", ""),
}


def os_release(name):
    ident, title, version, codename = DISTRIBUTIONS[name]
    like = {"ubuntu": "debian", "rhel": "fedora", "rocky": "rhel centos fedora",
            "amzn": "centos rhel fedora"}.get(ident)
    lines = [f'NAME="{title}"', f"ID={ident}", f'VERSION_ID="{version}"',
             f'VERSION="{version} ({codename})"' if codename else f'VERSION="{version}"',
             f'PRETTY_NAME="{title} {version}"']
    if like:
        lines.append(f'ID_LIKE="{like}"')
    if codename and ident in ("debian", "ubuntu"):
        lines.append(f"VERSION_CODENAME={codename}")
    if ident == "ubuntu":
        lines.append(f"UBUNTU_CODENAME={codename}")
    return "\n".join(lines) + "\n"


class Appliance(machine.Machine):
    """A machine of the fleet. `distribution`: debian12 has apt, rhel9 and amazon2023 have dnf."""

    def __init__(self, lab, number, name, distribution):
        self.lab, self.number, self.bpf_mounted = lab, number, False
        self.address = f"10.30.{number}.2"
        self.has_dnf = distribution.startswith(("rhel", "rocky", "amazon"))
        self.user = {"debian12": "admin", "ubuntu22.04": "ubuntu"}.get(distribution, "ec2-user")
        namespace = Namespace(lab.test, name, is_far_end=False)
        self._cable(namespace)
        base = machine.tree_with(wares.RELEASE, RED_HAT if self.has_dnf else SERVER)
        super().__init__(lab.test, wares.RELEASE, namespace, base=base, name=name)
        self.bpffs = os.path.join(self.layer.directory, "bpf")
        os.mkdir(self.bpffs)
        lab.test.addCleanup(self._lose_state)
        lab.test.addCleanup(self.kill)
        self._prepare()
        self.pass_for(distribution)
        self.judge = rig.Judge(lab.test, lab.collector, f"c{number}", "endurance_judge")
        self.sender = None

    def _cable(self, namespace):
        number, lab = self.number, self.lab
        for far, far_end, end, net, last in ((lab.control, f"m{number}", "eth0", "10.30", 2),
                                             (lab.sender, f"s{number}", "ens5", "10.9", 2),
                                             (lab.sender, f"t{number}", "ens7", "10.8", 2),
                                             (lab.collector, f"c{number}", "ens6", "10.20", 1)):
            veth(far, far_end, namespace, end)
            far.ip("addr", "add", f"{net}.{number}.{3 - last}/24", "dev", far_end)
            namespace.ip("addr", "add", f"{net}.{number}.{last}/24", "dev", end)
        namespace.ip("route", "add", "default", "via", f"10.30.{number}.1")
        # What `vxlan-pipeline check` asks for.
        namespace.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", *(
            f"net.ipv4.conf.{end}.{setting}=0" for end in ("all", "ens5")
            for setting in ("rp_filter", "send_redirects")))

    def _prepare(self):
        """The account that the operator logs in to, the host's key, names of hosts, no mirrors."""
        machine.chroot(self.root, "useradd", "--create-home", "--shell", "/bin/bash", self.user)
        self.write(f"/etc/sudoers.d/{self.user}", f"{self.user} ALL=(ALL) NOPASSWD: ALL\n")
        home = self.path(f"/home/{self.user}")
        os.mkdir(f"{home}/.ssh", 0o700)
        shutil.copy(self.lab.ssh("id_ed25519.pub"), f"{home}/.ssh/authorized_keys")
        machine.chroot(self.root, "chown", "-R", self.user, f"/home/{self.user}/.ssh")
        for path in pathlib.Path(self.path("/etc/ssh")).glob("ssh_host_*"):
            path.unlink()
        shutil.copy(self.lab.ssh("host"), self.path("/etc/ssh/ssh_host_ed25519_key"))
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n"
                                 f"{CONTROL} {wares.NAME}\n")
        self.write("/etc/hostname", self.name + "\n")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")  # refuses at once
        self.write("/etc/apt/sources.list", "")
        if self.has_dnf:
            # Debian's own files would tell Ansible that this is Debian.
            for name in ("etc/debian_version", "etc/dpkg/origins/debian", "usr/bin/apt",
                         "usr/bin/apt-get"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path(name))
            for name, text in (("/etc/dnf/vars/releasever", "9\n"), ("/etc/yum.repos.d/.keep", "")):
                os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
                self.write(name, text)
            shutil.copy(self.lab.base_rpm, self.path("/root/base.rpm"))
            machine.chroot(self.root, "rpm", "--force-debian", "-i", "/root/base.rpm")
            os.unlink(self.path("/root/base.rpm"))

    def pass_for(self, distribution):
        """Has the machine say that it is that distribution."""
        self.write("/usr/lib/os-release", os_release(distribution))
        if self.has_dnf:
            _, title, version, codename = DISTRIBUTIONS[distribution]
            name = "system" if distribution.startswith("amazon") else "redhat"
            for other in ("system", "redhat"):
                pathlib.Path(self.path(f"/etc/{other}-release")).unlink(missing_ok=True)
            self.write(f"/etc/{name}-release", f"{title} release {version} ({codename})\n")

    def switch_on(self, bpf=True):
        if not self.bpf_mounted:
            run("mount", "-t", "bpf", "bpf", self.bpffs)
            self.bpf_mounted = True
        self.connect(True)
        super().switch_on(bpf)

    def wait_until_up(self):
        wait_for(self.is_up, 120, f"{self.name} to boot")
        wait_for(self._answers_ssh, 30, "sshd")
        return self

    def _answers_ssh(self):
        with contextlib.suppress(OSError), watch.connect(self.namespace, self.address, 22):
            return True
        return False

    def connect(self, on):
        """Mends or cuts the cable to the control node: what is sent then is lost in silence."""
        # An interface that is down would tell the sender at once.
        for namespace, interface in ((self.lab.control, f"m{self.number}"),
                                     (self.namespace, "eth0")):
            table = f"netdev cut-{interface}"
            chain = (f"{{ type filter hook ingress device {interface} priority -400; "
                     "policy drop; }")
            namespace.run("nft", f"add table {table}; delete table {table}" if on else
                          f"add table {table}; add chain {table} in {chain}")

    def die(self):
        """As if the power failed: the kernel's state is lost, and nothing answers any more."""
        self.connect(False)
        self.kill()
        self._lose_state()

    def boot_again(self, seconds=60):
        """Waits until the machine has shut itself down for a reboot, and does what a BIOS does."""
        wait_for(lambda: self.process.poll() is not None, seconds, f"{self.name} to shut down")
        self._lose_state()
        self.switch_on()

    def _lose_state(self):
        if self.bpf_mounted:
            # Other machines' mount namespaces may hold the file system for longer.
            shutil.rmtree(os.path.join(self.bpffs, "vxlan-pipeline"), ignore_errors=True)
            self.bpf_mounted = run("umount", "-l", self.bpffs, check=False).returncode != 0

    def start_traffic(self):
        self.sender = subprocess.Popen(  # pylint: disable=consider-using-with
            self.lab.sender.command(
                program.PROGRAM, "generate", "-i", f"s{self.number}", "--pps", str(PPS),
                "--seconds", "3600", "--flows", "4", "--batch", "8", "--destination",
                f"10.9.{self.number}.2", "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.lab.test.addCleanup(self.stop_traffic)

    def stop_traffic(self):
        """Ends it; returns how many packets were sent."""
        if self.sender is None:
            return None
        sender, self.sender = self.sender, None
        sender.send_signal(signal.SIGTERM)
        out, err = sender.communicate(timeout=60)
        if not out:
            raise AssertionError(f"the sender of {self.name}: exit {sender.returncode}: {err}")
        return json.loads(out)["packets"]

    def health(self, timeout=5.0):
        """The status of /healthz; 0: nobody answers."""
        try:
            return watch.request(self.namespace, "/healthz", port=PORT, timeout=timeout).status
        except (OSError, watch.http.client.HTTPException):
            return 0

    def status(self):
        return json.loads(self.run("vxlan-pipeline", "status", "--json", check=False).stdout)

    def version(self):
        """The installed version, or None."""
        if not self.exists("/usr/bin/vxlan-pipeline"):
            return None
        return self.run("vxlan-pipeline", "--version").stdout.split()[1]

    def pins(self):
        directory = os.path.join(self.bpffs, "vxlan-pipeline")
        return sorted(os.listdir(directory)) if os.path.isdir(directory) else []

    def main_pid(self, unit=UNIT):
        return int(self.unit(unit, "MainPID")["MainPID"])

    def config(self):
        """The configuration that an operator would write for it."""
        return {"listen": {"interface": "ens5", "vnis": [1], "sources": ["10.9.0.0/16"]},
                "forward": {"interface": "ens6", "next_hop": "route"},
                "nat": [{"match": {"source_port": 42844, "protocol": "udp"},
                         "to": f"10.20.{self.number}.2:8081"}],
                # A load balancer would ask at the second kind of address.
                "http": {"listen": f"{'127.0.0.1' if self.number == 1 else '0.0.0.0'}:{PORT}"}}


class HealthWatch(threading.Thread):
    """Asks a machine for its health ten times a second, from boot to death and after."""

    PAUSE = 0.1

    def __init__(self, test, appliance):
        super().__init__(daemon=True)
        self.appliance, self.seen, self.over = appliance, [], threading.Event()
        test.addCleanup(self.end)

    def run(self):
        while not self.over.is_set():
            before = time.monotonic()
            status = self.appliance.health()
            self.seen.append((before, time.monotonic(), status))
            self.over.wait(self.PAUSE)

    def end(self):
        self.over.set()
        if self.is_alive():
            self.join()

    def not_ready(self, since):
        """[[from, to], ...]: when the machine was not ready."""
        spans, was_ready = [], True
        for begin, end, status in self.seen[:]:
            if end < since:
                continue
            if status != 200 and was_ready:
                spans.append([begin, end])
            elif status != 200:
                spans[-1][1] = end
            was_ready = status == 200
        return spans


def together(watches, since):
    """When two machines were not ready at once: [(machine, machine, from, to)]."""
    return [(one.appliance.name, two.appliance.name, max(a[0], b[0]) - since,
             min(a[1], b[1]) - since)
            for number, one in enumerate(watches) for two in watches[number + 1:]
            for a in one.not_ready(since) for b in two.not_ready(since)
            if max(a[0], b[0]) < min(a[1], b[1])]


class Lab:
    """
    The whole ground. `fleet`: {name: distribution}, in the order of the inventory. This command
    must run in mount and PID namespaces of its own (lib.isolation).
    """

    def __init__(self, test, fleet):
        need_commands(*COMMANDS)
        machine.need()
        program.require_program()
        self.test = test
        mount_bpffs(test)
        self.work = program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self._keys()
        self._names()
        self.control, self.sender, self.collector = (
            Namespace(test, stem) for stem in ("control", "sender", "collector"))
        self.control.ip("addr", "add", f"{CONTROL}/32", "dev", "lo")
        self.base_rpm = wares.distribution(os.path.join(self.work.path, "base"))
        self.repository = wares.Repository(test, self.control, CONTROL)
        wares.build()  # which would take too long under traffic
        self.appliances = [Appliance(self, number, name, distribution)
                           for number, (name, distribution) in enumerate(fleet.items(), 1)]
        self._know_hosts()

    def open(self):
        """Boots all machines, publishes this version and starts the traffic."""
        for appliance in self.appliances:
            appliance.switch_on()
        self.repository.publish(wares.THIS)
        for appliance in self.appliances:
            appliance.wait_until_up()
            appliance.start_traffic()
        return self

    def __getitem__(self, name):
        return next(appliance for appliance in self.appliances if appliance.name == name)

    def ssh(self, name):
        return os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".ssh", name)

    def _keys(self):
        """The operator's key and the machines' keys, in a ~/.ssh that only this command sees."""
        directory = pathlib.Path(self.ssh(""))
        if not directory.exists():
            directory.mkdir(0o700)
            self.test.addCleanup(directory.rmdir)
        run("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", str(directory))
        self.test.addCleanup(run, "umount", "-l", str(directory), check=False)
        for name in ("id_ed25519", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.ssh(name))

    def _names(self):
        """The control node's /etc/hosts, for this command only."""
        hosts = self.work.file("hosts", f"127.0.0.1 localhost\n{CONTROL} {wares.NAME}\n")
        run("mount", "--bind", hosts, "/etc/hosts")
        self.test.addCleanup(run, "umount", "-l", "/etc/hosts", check=False)

    def _know_hosts(self):
        with open(self.ssh("host.pub"), encoding="ascii") as stream:
            key = " ".join(stream.read().split()[:2])
        with open(self.ssh("known_hosts"), "w", encoding="ascii") as stream:
            stream.writelines(f"{appliance.address} {key}\n" for appliance in self.appliances)

    def environment(self):
        """That of the operator's shell."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("ANSIBLE", "SSH"))}
        home = os.path.join(self.work.path, "ansible")
        # ssh's control sockets are outside ANSIBLE_HOME, and named by address: those of another
        # lab lead to another lab's machines.
        return {**kept, "ANSIBLE_HOME": home, "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{home}/cp",
                "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}

    def command(self, *words):
        """Words that run a command on the control node."""
        return self.control.command(*words)

