# SPDX-License-Identifier: GPL-2.0-only
"""
A Debian machine that boots under systemd: a container in a network namespace of the test.

It boots from a directory tree that is made once for each release and kept in build/system/RELEASE;
trees with further packages are kept beside it. A machine writes to an overlay of its own, which is
removed at the end of the test.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from lib import program
from lib.command import need_commands, run, wait_for
from lib.daemon import BPFFS

CACHE = os.path.join(program.ROOT, "build", "system")
# The packages of a usual server; python3 is for the package's own tests.
INCLUDED = ("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "ethtool", "ca-certificates",
            "curl", "python3-minimal", "libpython3-stdlib")
APT = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "Acquire::Retries=5")
COMMANDS = ("debootstrap", "systemd-nspawn", "nsenter", "mount")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
               "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
PR_SET_PDEATHSIG, SIGKILL = 1, 9
A_DAY = 86400
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def only_one(path):
    """A lock between test runs: the second waits, and finds the work done."""
    os.makedirs(CACHE, exist_ok=True)
    with open(path + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.lru_cache(maxsize=None)
def need():
    """Skips the test if this machine cannot run containers; tries one with its own /usr."""
    need_commands(*COMMANDS)
    tried = run("systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                "--private-network", "--console=pipe", "-D", "/", "--volatile=yes",
                "/usr/bin/true", check=False)
    if tried.returncode:
        raise unittest.SkipTest(f"systemd-nspawn makes no container here: {tried.stderr.strip()}")


def tree(release):
    """The directory with the release's installed system; installs it if there is none."""
    need()
    path = os.path.join(CACHE, release)
    with only_one(path):
        if not os.path.isdir(path):
            unfinished = path + ".unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            debootstrap("--variant=minbase", f"--include={','.join(INCLUDED)}", release, unfinished)
            os.rename(unfinished, path)
    return path


def tree_with(release, names, prepare=lambda path: None):
    """The same with further packages; calls `prepare` with its path before it installs them."""
    base = tree(release)
    path = f"{base}-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}"
    with only_one(path):
        if not os.path.isdir(path):
            unfinished = path + ".unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            run("cp", "-a", base, unfinished, timeout=600)
            prepare(unfinished)
            chroot(unfinished, *APT, "update")
            chroot(unfinished, *APT, "install", *names, timeout=1800)
            chroot(unfinished, *APT, "clean")
            os.rename(unfinished, path)
    return path


def debootstrap(*words):
    """Runs debootstrap, twice if need be: unlike apt it does not repeat a failed download."""
    if run("debootstrap", *words, check=False, timeout=1800).returncode:
        shutil.rmtree(words[-1], ignore_errors=True)
        run("debootstrap", *words, timeout=1800)


def chroot(path, *command, timeout=600, **options):
    return run("chroot", path, *command, timeout=timeout, env=ENVIRONMENT, **options)


def fetch(release, names):
    """Downloads these packages and their dependencies to apt's cache in the release's tree."""
    path = tree(release)
    updated = os.path.join(path, "var/lib/apt/periodic/update")
    with only_one(path):
        # Older lists may name packages that the mirror no longer has.
        if not os.path.exists(updated) or os.path.getmtime(updated) < time.time() - A_DAY:
            chroot(path, *APT, "update")
            os.makedirs(os.path.dirname(updated), exist_ok=True)
            pathlib.Path(updated).touch()
        chroot(path, *APT, "--download-only", "install", *names)


def _remove_stale():
    """Removes directories of killed tests: those whose lock nobody holds."""
    for name in os.listdir(CACHE):
        if not name.startswith("machine-"):
            continue
        path = os.path.join(CACHE, name)
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(fd)


def _is_init(pid):
    """Whether it is the first process of a PID namespace, not one of systemd-nspawn's helpers."""
    with contextlib.suppress(FileNotFoundError), \
            open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return re.search(r"^NSpid:.*\s1$", stream.read(), re.MULTILINE) is not None
    return False


class Layer:
    """An overlay at `root` above the files of a tree; removed at the end of the test."""

    def __init__(self, test, base):
        _remove_stale()
        self.directory = tempfile.mkdtemp(prefix="machine-", dir=CACHE)
        test.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        lock = os.open(self.directory, os.O_RDONLY)
        test.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.root, above = (os.path.join(self.directory, name) for name in ("root", "above"))
        os.mkdir(self.root)
        os.mkdir(above)
        self.written = os.path.join(above, "written")
        test.addCleanup(run, "umount", "-l", self.root, check=False)
        if not self._mount(base, above):
            # The upper directory must not lie on an overlay itself, but may lie in memory.
            run("mount", "-t", "tmpfs", "tmpfs", above)
            test.addCleanup(run, "umount", "-l", above, check=False)
            if not self._mount(base, above):
                raise AssertionError(f"no overlay can be mounted above {base}")

    def _mount(self, base, above):
        work = os.path.join(above, "work")
        for path in (self.written, work):
            os.makedirs(path, exist_ok=True)
        return run("mount", "-t", "overlay", "overlay", "-o",
                   f"lowerdir={base},upperdir={self.written},workdir={work}", self.root,
                   check=False).returncode == 0


class Systemd:
    """Questions to a machine. Subclasses have run(*command), which runs it there as root."""

    def shell(self, script, **options):
        return self.run("sh", "-euc", script, **options)

    def unit(self, name, *properties):
        """{property: value} as `systemctl show` has them."""
        text = self.run("systemctl", "show", name, "-p", ",".join(properties)).stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def state(self, name):
        return self.unit(name, "ActiveState")["ActiveState"]

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout


class Machine(Systemd):
    """
    One machine. `namespace` is its network; it shares the tests' BPF file system unless `bpffs` is
    the directory of another one. `base`: a tree other than the release's.
    """

    def __init__(self, test, release, namespace, base=None, bpffs=BPFFS, name="appliance"):
        self.namespace, self.process, self.init = namespace, None, None
        self.bpffs, self.name = bpffs, name
        self.layer = Layer(test, base or tree(release))
        self.root = self.layer.root
        test.addCleanup(self.kill)

    def boot(self, bpf=True):
        """Boots and waits until the services run. Without `bpf`, bpf(2) fails on the machine."""
        self.switch_on(bpf)
        wait_for(self.is_up, 120, "the machine to boot")
        return self

    def switch_on(self, bpf=True):
        """Begins to boot. The machine ends with the thread that calls this."""
        with open(self._console, "ab") as console:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                 "--network-namespace-path", self.namespace.path, "--capability=all",
                 f"--system-call-filter={'' if bpf else '~'}bpf",
                 f"--bind={self.bpffs}:{BPFFS}", "--console=read-only",
                 f"--hostname={self.name}", "-D", self.root],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                # only the network's part of /proc/sys and /sys is writable
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, SIGKILL))
        self.init = wait_for(self._find_init, 60, "the machine's first process")

    def _find_init(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the machine does not boot:\n{self.console()}")
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as stream:
            children = stream.read().split()
        return next((int(child) for child in children if _is_init(child)), None)

    def is_up(self):
        """`degraded` is enough: some units cannot work in a container."""
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    @property
    def _console(self):
        return os.path.join(self.layer.directory, "console")

    def console(self):
        with open(self._console, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def run(self, *command, timeout=300, **options):
        """Runs a command as root on the machine."""
        return run("nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net",
                   "--pid", "--root", "--wd", *command, timeout=timeout, env=ENVIRONMENT,
                   **options)

    def power_off(self):
        """Shuts the machine down; boot() starts it again."""
        self.run("systemctl", "poweroff", check=False)
        self.process.wait(120)
        self.process = None

    def kill(self):
        """Kills the machine: all of its processes end with its first one, which outlives nspawn."""
        if self.process is not None and self.process.poll() is None:
            if self.init is not None and _is_init(self.init):
                os.kill(self.init, SIGKILL)
            self.process.kill()
            self.process.wait()

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as stream:
            return stream.read()

    def write(self, path, text):
        with open(self.path(path), "w", encoding="utf-8") as stream:
            stream.write(text)

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def files_named(self, part):
        """Paths with `part` in them that were written on the machine and still exist."""
        found = []
        for directory, directories, files in os.walk(self.layer.written):
            for name in directories + files:
                path = "/" + os.path.relpath(os.path.join(directory, name), self.layer.written)
                # A device marks a file that was deleted from the tree below.
                if part in path and self.exists(path):
                    found.append(path)
        return sorted(found)
