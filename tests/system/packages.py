# SPDX-License-Identifier: GPL-2.0-only
"""Builds the Debian packages under test from these sources, and serves them in a repository."""

import glob
import os
import platform
import shutil
import socket
import subprocess
import sys
import time

from lib import program
from lib.command import need_commands, run, wait_for

import builder
import machine

HERE = platform.freedesktop_os_release().get("VERSION_CODENAME")  # this machine's release
LATER = "later"  # the version suffix of the newer build
PORT = 8080
NOT_PACKAGED = {"build", ".git", ".ci", "ansible", "cloudformation", "tests",
                "__pycache__"}


def newest_source():
    newest = 0.0
    for directory, directories, files in os.walk(program.ROOT):
        if directory == program.ROOT:
            directories[:] = [name for name in directories if name not in NOT_PACKAGED]
        newest = max([newest] + [os.lstat(os.path.join(directory, name)).st_mtime
                                 for name in files])
    return newest


def deb(suffix=""):
    """The package's file, built again if a source is newer; without the unit tests."""
    need_commands("dpkg-buildpackage", "dh")
    output = os.path.join(machine.CACHE, f"deb-{suffix or 'release'}")
    pattern = os.path.join(output, "vxlan-pipeline_*.deb")
    with machine.only_one(output):
        built = glob.glob(pattern)
        if not built or os.path.getmtime(built[0]) < newest_source():
            shutil.rmtree(output, ignore_errors=True)  # also what a build that was ended left there
            run(os.path.join(program.ROOT, "dist", "deb"), *([suffix] if suffix else []),
                timeout=1800, env={**os.environ, "DEB_OUTPUT": output,
                                   "DEB_BUILD_OPTIONS": "nocheck noddebs"})
            built = glob.glob(pattern)
    return built[0]


def source(path):
    """The source package that was built with the package."""
    return glob.glob(os.path.join(os.path.dirname(path), "*.dsc"))[0]


def deb_of(test, release, suffix=""):
    """The package's file, built with the tools and libraries of the release."""
    own = deb(suffix)
    if release == HERE:
        return own
    output = os.path.join(machine.CACHE, f"deb-{suffix or 'release'}-{release}")
    pattern = os.path.join(output, "vxlan-pipeline_*.deb")
    with machine.only_one(output):
        built = glob.glob(pattern)
        if not built or os.path.getmtime(built[0]) < os.path.getmtime(own):
            chroot = builder.Chroot(test, release, source(own))
            files, _ = chroot.build(source(own), "/build/package", "nocheck noddebs")
            shutil.rmtree(output, ignore_errors=True)
            os.mkdir(output)
            for path in files + glob.glob(source(own).removesuffix(".dsc") + ".*"):
                shutil.copy(path, output)
    return glob.glob(pattern)[0]


def field(path, name):
    return run("dpkg-deb", "-f", path, name).stdout.strip()


def dependencies(path):
    """Names of the packages it depends on, without versions and alternatives."""
    return [part.split("|")[0].split("(")[0].split(":")[0].strip()
            for part in field(path, "Depends").split(",")]


class Repository:
    """A signed repository, served over HTTP on the machine's loopback."""

    def __init__(self, test, namespace):
        need_commands("apt-ftparchive", "gpg")
        self.work = program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self.url = f"http://127.0.0.1:{PORT}"
        self.instructions = None
        self.namespace = namespace
        self.server = subprocess.Popen(  # pylint: disable=consider-using-with
            namespace.command(sys.executable, "-m", "http.server", "--bind", "127.0.0.1",
                              "--directory", self.work.path, str(PORT)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test.addCleanup(self.server.wait)
        test.addCleanup(self.server.kill)

    def publish(self, path):
        """Publishes the package; keeps the lines that an operator is told to paste."""
        result = run(os.path.join(program.ROOT, "dist", "repo"), timeout=300, env={
            **os.environ, "REPO_OUTPUT": self.work.path, "REPO_URL": self.url,
            "DEB_OUTPUT": os.path.dirname(path), "RPM_OUTPUT": "/nonexistent"})
        self.instructions = [line[4:] for line in result.stdout.split("Debian and its kin")[1]
                             .splitlines() if line.startswith("    ")]
        wait_for(self._answers, 30, "the web server")

    def _answers(self):
        time.sleep(0.1)
        with self.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex(("127.0.0.1", PORT)) == 0
