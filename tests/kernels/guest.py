# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine for one run: builds its initramfs, and runs it in qemu's emulation."""

import ctypes
import gzip
import lzma
import os
import re
import select
import signal
import stat
import subprocess
import tarfile
import time

RESULTS_SIZE = 256 << 20
HERE = os.path.dirname(os.path.abspath(__file__))
_libc = ctypes.CDLL(None, use_errno=True)


def libraries(program):
    """The shared libraries of a program, with the dynamic linker."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(?:=> |^\s*)(/\S+) \(", listed, re.MULTILINE)


class Initramfs:
    """An archive of cpio's newc format."""

    def __init__(self):
        self.parts, self.inode, self.directories = [], 0, set()

    def _add(self, path, mode, data=b""):
        self.inode += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def directory(self, path):
        if path not in ("", "/") and path not in self.directories:
            self.directory(os.path.dirname(path))
            self.directories.add(path)
            self._add(path, stat.S_IFDIR | 0o755)

    def data(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path))
        self._add(path, stat.S_IFREG | mode, data)

    def file(self, path, source):
        with open(source, "rb") as stream:
            self.data(path, stream.read(), 0o755)

    def programs(self, sources):
        """Adds the programs to /bin, and the libraries that they need."""
        needed = set()
        for source in sources:
            self.file(f"/bin/{os.path.basename(source)}", source)
            needed.update(libraries(source))
        for library in sorted(needed):
            self.file(library, library)

    def write(self, path):
        self._add("TRAILER!!!", 0)
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(b"".join(self.parts))


class Kernel:
    """An unpacked kernel package."""

    def __init__(self, package, directory):
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
        boot = os.path.join(directory, "boot")
        self.image = next(os.path.join(boot, name) for name in os.listdir(boot)
                          if name.startswith("vmlinuz-"))
        self.version = os.path.basename(self.image).removeprefix("vmlinuz-")
        self.files, self.directory = {}, None
        for root, _, names in os.walk(directory):
            if os.path.basename(root) == self.version and "modules" in root:
                self.directory = root
            for name in names:
                found = re.fullmatch(r"(.+)\.ko(?:\.xz)?", name)
                if found:
                    self.files[found[1].replace("-", "_")] = os.path.join(root, name)

    def _read(self, name):
        opener = lzma.open if self.files[name].endswith(".xz") else open
        with opener(self.files[name], "rb") as stream:
            return stream.read()

    def modules(self, names):
        """
        Pairs of name and contents of these modules and those they depend on, in the order to load
        them. Modules that the kernel has built in are left out.
        """
        order = {}

        def need(name):
            if name in order or name not in self.files:
                return
            data = self._read(name)
            depends = re.search(rb"\0depends=([^\0]*)\0", data)
            for other in depends[1].decode().split(",") if depends else ():
                need(other.replace("-", "_"))
            order[name] = data

        for name in names:
            need(name)
        return order.items()


class Failed(Exception):
    """The guest did not finish."""


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Guest:
    """
    `with Guest(...) as guest: guest.lines(seconds)`; qemu ends with the block. `drives`: pairs of
    path and whether it is writable; `nics`: triples of tap, MAC and number of queue pairs.
    """

    def __init__(self, kernel, initramfs, drives, nics, cpus=1, memory=1024, control=None,
                 loglevel=4):
        self.command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(memory),
            "-smp", str(cpus), "-display", "none", "-nodefaults", "-no-reboot",
            "-serial", "stdio", "-kernel", kernel.image, "-initrd", initramfs,
            # a CPU that hangs ends the guest within half a minute; a timer that is late, as this
            # machine has other work, is no broken one
            "-append", f"console=ttyS0 loglevel={loglevel} panic=-1 softlockup_panic=1 "
                       "no_timer_check"]
        for path, writable in drives:
            self.command += ["-drive", f"file={path},format=raw,if=virtio,cache=unsafe,"
                                       f"readonly={'off' if writable else 'on'}"]
        for number, (tap, mac, queues) in enumerate(nics):
            self.command += [
                "-netdev",
                f"tap,id=net{number},ifname={tap},script=no,downscript=no,queues={queues}",
                "-device",
                # ctrl_vlan=off: tagged frames pass unfiltered, as on a cable
                f"virtio-net-pci,id=nic{number},netdev=net{number},mac={mac},mq=on,ctrl_vlan=off,"
                f"vectors={2 * queues + 2}"]
        if control:
            self.command += ["-qmp", f"unix:{control},server=on,wait=off"]
        self.process, self.said = None, []

    def __enter__(self):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def answer(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def lines(self, seconds):
        """Yields the guest's lines of output; raises Failed if it runs longer than `seconds`."""
        deadline = time.monotonic() + seconds
        descriptor, pending = self.process.stdout.fileno(), b""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise Failed(f"it took longer than {seconds} s")
            data = os.read(descriptor, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                self.said.append(line.decode(errors="replace").rstrip("\r"))
                yield self.said[-1]


def run_cases(machine, disk, seconds, on_send):
    """Runs the guest to its end; `on_send(case)` sends it traffic. Returns {path: contents}."""
    case, ended = None, False
    for line in machine.lines(seconds):
        words = line.partition("@@ ")[2].split(maxsplit=1)
        if words[:1] == ["case"]:
            case = words[1]
        elif words == ["send"]:
            on_send(case)
            machine.answer()
        elif words == ["end"]:
            ended = True
    if not ended:
        raise Failed("it did not get to its end")
    with tarfile.open(disk, "r:") as archive:
        return {member.name.removeprefix("./"): archive.extractfile(member).read()
                for member in archive if member.isfile()}


def results_disk(directory):
    path = os.path.join(directory, "results.img")
    with open(path, "wb") as stream:
        stream.truncate(RESULTS_SIZE)
    return path


def initramfs(kernel, path, init, programs, modules, files):
    """Writes the archive to `path`. `init`: its first program; `files`: {path: contents}."""
    archive = Initramfs()
    for directory in ("/proc", "/sys", "/dev", "/run", "/results", "/tmp"):
        archive.directory(directory)
    archive.file("/init", init)
    archive.programs(programs)
    for number, (name, data) in enumerate(kernel.modules(modules)):
        archive.data(f"/modules/{number:02}-{name}.ko", data)
    for name, data in files.items():
        archive.data(name, data)
    archive.write(path)
