# SPDX-License-Identifier: GPL-2.0-only
"""
A whole machine: Debian's own kernel on emulated hardware, with a disk, a serial console and two
network cards, whose cables end in network namespaces of the test. Commands reach it through qemu's
guest agent, a service on the machine.
"""

import base64
import contextlib
import ctypes
import fcntl
import glob
import itertools
import json
import os
import socket
import struct
import subprocess
import time
import unittest

from lib.command import need_commands, run, wait_for
from lib.program import PATIENCE

import machine

COMMANDS = ("qemu-system-x86_64", "mkfs.ext4")
# The kernel of servers in a cloud, with the drivers of virtual machines and no others.
KERNEL = "linux-image-cloud-amd64"
INCLUDED = (KERNEL, "udev", "qemu-guest-agent")
# The modules of the initramfs: with every driver, an emulated CPU would take too long.
INITIAL_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_intel", "crc32c_generic")
CPUS, MEMORY, DISK_SIZE = 2, 1024, "3G"
QUEUES = 2 * CPUS  # of each card: XDP takes one more for each CPU
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
BOOT_SECONDS = 600  # for an emulated machine on a busy one
_libc = ctypes.CDLL(None, use_errno=True)


def need():
    need_commands(*COMMANDS)
    if os.uname().machine != "x86_64":
        raise unittest.SkipTest("the machine that is emulated is an x86_64")
    if not os.path.exists("/dev/net/tun"):
        raise unittest.SkipTest("no /dev/net/tun here, for the ends of its cables")


def _few_modules(path):
    directory = os.path.join(path, "etc/initramfs-tools/conf.d")
    os.makedirs(directory)
    with open(os.path.join(directory, "few-modules"), "w", encoding="ascii") as stream:
        stream.write("MODULES=list\n")
    directory = os.path.join(path, "usr/share/initramfs-tools/modules.d")
    os.makedirs(directory)
    with open(os.path.join(directory, "few-modules"), "w", encoding="ascii") as stream:
        stream.write("\n".join(INITIAL_MODULES) + "\n")


class Disk:
    """
    A bootable system of the release with further packages, below `root`; image() makes a disk of
    it. `nics`: {name: (MAC, address/length)}.
    """

    def __init__(self, test, release, packages, nics):
        need()
        self.layer = machine.Layer(test, machine.tree_with(release, (*INCLUDED, *packages),
                                                           _few_modules))
        self.root = self.layer.root
        self.write("/etc/hostname", "appliance\n")
        self.write("/etc/fstab", "/dev/vda / ext4 errors=remount-ro 0 1\n")
        for name, (mac, address) in nics.items():
            self.write(f"/etc/systemd/network/10-{name}.link",
                       f"[Match]\nMACAddress={mac}\n[Link]\nName={name}\n")
            self.write(f"/etc/systemd/network/10-{name}.network",
                       f"[Match]\nName={name}\n[Network]\nAddress={address}\nIPv6AcceptRA=no\n")
        machine.chroot(self.root, "systemctl", "enable", "systemd-networkd")

    def write(self, path, text):
        path = os.path.join(self.root, path.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)

    def boot_files(self):
        """The paths of its kernel and initramfs."""
        return [glob.glob(os.path.join(self.root, "boot", f"{name}-*"))[0]
                for name in ("vmlinuz", "initrd.img")]

    def image(self):
        path = os.path.join(self.layer.directory, "disk")
        with open(path, "wb"):
            pass
        run("mkfs.ext4", "-q", "-F", "-d", self.root, path, DISK_SIZE, timeout=300)
        return path


def _cable(test, namespace, name):
    """Makes a tap interface; returns descriptors of its queues, for qemu."""
    descriptors = []
    request = struct.pack("16sH22x", name.encode(),
                          IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)
    with namespace.entered():
        for _ in range(QUEUES):
            descriptors.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
            test.addCleanup(os.close, descriptors[-1])
            fcntl.ioctl(descriptors[-1], TUNSETIFF, request)
    return descriptors


class NoAnswer(Exception):
    """The machine does not answer, or not yet."""


class Agent:
    """qemu's guest agent, which runs programs on the machine."""

    def __init__(self, path):
        self.path, self.numbers = path, itertools.count(1)

    @contextlib.contextmanager
    def _connected(self, seconds):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(seconds)
                client.connect(self.path)
                with client.makefile("rw", encoding="utf-8", newline="\n") as stream:
                    self._synchronise(stream, next(self.numbers))
                    yield stream
        except (OSError, ValueError) as error:
            raise NoAnswer(str(error)) from None

    @staticmethod
    def _send(stream, command, **arguments):
        stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        stream.flush()

    @staticmethod
    def _receive(stream):
        line = stream.readline()
        if not line:
            raise OSError("the agent hung up")
        return json.loads(line)

    def _synchronise(self, stream, number):
        """Discards answers that are left from earlier questions, or from before a reboot."""
        self._send(stream, "guest-sync", id=number)
        while self._receive(stream).get("return") != number:
            pass

    def _ask(self, stream, command, **arguments):
        self._send(stream, command, **arguments)
        answer = self._receive(stream)
        if "error" in answer:
            raise AssertionError(f"{command}: {answer['error']}")
        return answer["return"]

    def run(self, command, seconds, stdin=""):
        """Runs a command on the machine; returns it as subprocess.CompletedProcess."""
        deadline = time.monotonic() + seconds
        with self._connected(min(seconds, 30)) as stream:
            pid = self._ask(stream, "guest-exec", **{
                "path": command[0], "arg": list(command[1:]), "capture-output": True,
                "input-data": base64.b64encode(stdin.encode()).decode(),
                "env": [f"{name}={value}" for name, value in machine.ENVIRONMENT.items()]})["pid"]
            while True:
                found = self._ask(stream, "guest-exec-status", pid=pid)
                if found["exited"]:
                    break
                if time.monotonic() > deadline:
                    raise AssertionError(f"{' '.join(command)}: still runs after {seconds} s")
                time.sleep(0.1)
        out, err = (base64.b64decode(found.get(name, "")).decode(errors="replace")
                    for name in ("out-data", "err-data"))
        return subprocess.CompletedProcess(command, found.get("exitcode", -1), out, err)


class Virtual(machine.Systemd):
    """The machine; `cables`: {name of the tap interface: (its namespace, the card's MAC)}."""

    def __init__(self, test, disk, cables):
        self.directory = disk.layer.directory
        kernel, initramfs = disk.boot_files()
        self.agent = Agent(os.path.join(self.directory, "agent"))
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(CPUS),
            "-m", str(MEMORY), "-display", "none", "-nodefaults",
            "-serial", f"file:{self._console}", "-kernel", kernel, "-initrd", initramfs,
            "-append", "root=/dev/vda ro console=ttyS0",
            "-drive", f"file={disk.image()},format=raw,if=virtio,cache=unsafe",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.agent.path},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        inherited = []
        for name, (namespace, mac) in cables.items():
            descriptors = _cable(test, namespace, name)
            inherited += descriptors
            command += ["-netdev", f"tap,id={name},fds={':'.join(map(str, descriptors))}",
                        "-device", f"virtio-net-pci,netdev={name},mac={mac},mq=on,"
                                   f"vectors={2 * QUEUES + 2}"]
        test.addCleanup(self.kill)
        with open(os.path.join(self.directory, "qemu"), "ab") as output:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=inherited, preexec_fn=lambda: _libc.prctl(machine.PR_SET_PDEATHSIG,
                                                                   machine.SIGKILL))

    @property
    def _console(self):
        return os.path.join(self.directory, "console")

    def console(self):
        """The last output of qemu and of the machine's serial console."""
        text = ""
        for path in (os.path.join(self.directory, "qemu"), self._console):
            with contextlib.suppress(OSError), \
                    open(path, encoding="utf-8", errors="replace") as stream:
                text += stream.read()[-3000:]
        return text

    def run(self, *command, check=True, timeout=120, stdin=""):
        result = self.agent.run(command, timeout * PATIENCE, stdin)
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n"
                                 f"{result.stdout}{result.stderr}")
        return result

    def write(self, path, text):
        self.shell(f"cat > {path}", stdin=text)

    def read(self, path):
        return self.run("cat", path).stdout

    def _booted(self, other_than):
        if self.process.poll() is not None:
            raise AssertionError(f"the machine is off:\n{self.console()}")
        try:
            boot = self.boot_id()
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        except (NoAnswer, AssertionError):  # both happen while it shuts down
            return None
        return boot if boot != other_than and state in ("running", "degraded") else None

    def boot_id(self):
        return self.read("/proc/sys/kernel/random/boot_id").strip()

    def up(self, other_than=None):
        """Waits until its services run, with a boot id other than that; returns the boot id."""
        try:
            return wait_for(lambda: self._booted(other_than), BOOT_SECONDS, "it to boot")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.console()}") from None

    def _leave(self, verb):
        """Runs `systemctl VERB`, of which the agent may not live to see the answer."""
        with contextlib.suppress(NoAnswer, AssertionError):
            self.run("systemctl", verb, check=False)

    def reboot(self):
        before = self.boot_id()
        self._leave("reboot")
        return self.up(before)

    def power_off(self):
        self._leave("poweroff")
        return self.process.wait(BOOT_SECONDS * PATIENCE)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
