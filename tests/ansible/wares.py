# SPDX-License-Identifier: GPL-2.0-only
"""The packages that a fleet installs, in a signed repository that is served over HTTP."""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys

from lib import program
from lib.command import need_commands, run, wait_for

import machine
import packages
import rpm_build

RELEASE = "bookworm"
THIS = run("sed", "-n", "s/^VERSION := //p", os.path.join(program.ROOT, "Makefile")).stdout.strip()
LATER = f"{THIS}+{packages.LATER}"
# Installs, but its daemon ends at once. Newer than all others.
BROKEN = f"{THIS}+unfit"
NAME, PORT = "repository.test", 80
URL = f"http://{NAME}"
COMMANDS = ("apt-ftparchive", "dpkg-deb", "gpg", "rpmbuild", "rpmsign", "createrepo_c")
WRAPPER = """#!/bin/sh
[ "$1" != run ] || { echo "vxlan-pipeline: this build cannot run" >&2; exit 1; }
exec /usr/libexec/vxlan-pipeline "$@"
"""


def deb(version):
    """The Debian package's file."""
    if version == BROKEN:
        return _broken_deb()
    return packages.deb("" if version == THIS else packages.LATER)


def _broken_deb():
    """This version's package with a program that does not run."""
    whole = deb(THIS)
    directory = os.path.join(machine.CACHE, "deb-broken")
    path = os.path.join(directory, os.path.basename(whole).replace(THIS, BROKEN))
    with machine.only_one(directory):
        if os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(whole):
            return path
        shutil.rmtree(directory, ignore_errors=True)
        tree = os.path.join(directory, "tree")
        os.mkdir(directory)
        run("dpkg-deb", "-R", whole, tree)
        os.makedirs(os.path.join(tree, "usr/libexec"))
        own = os.path.join(tree, "usr/bin/vxlan-pipeline")
        os.rename(own, os.path.join(tree, "usr/libexec/vxlan-pipeline"))
        with open(own, "w", encoding="ascii") as stream:
            stream.write(WRAPPER)
        os.chmod(own, 0o755)
        _edit(os.path.join(tree, "DEBIAN/control"), r"(?m)^Version: .*$", f"Version: {BROKEN}")
        run("dpkg-deb", "--root-owner-group", "-b", tree, path)
        shutil.rmtree(tree)
    return path


def _edit(path, pattern, text):
    with open(path, encoding="utf-8") as stream:
        changed, count = re.subn(pattern, text, stream.read())
    assert count == 1, path
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(changed)


def rpm(version):
    """The .rpm's file, built again if a source is newer; without the unit tests."""
    output = os.path.join(machine.CACHE, f"rpm-{'release' if version == THIS else packages.LATER}")
    pattern = os.path.join(output, "RPMS", "*", "*.rpm")
    with machine.only_one(output):
        built = glob.glob(pattern)
        if not built or os.path.getmtime(built[0]) < packages.newest_source():
            sources = output + ".sources"
            shutil.rmtree(sources, ignore_errors=True)
            shutil.rmtree(output, ignore_errors=True)
            rpm_build.copy_sources(sources)
            if version != THIS:
                rpm_build.newer(sources, version)
            made = rpm_build.make("rpm", "RPMFLAGS=--nocheck", directory=sources)
            os.makedirs(os.path.join(output, "RPMS", "any"))
            shutil.copy(made, os.path.join(output, "RPMS", "any"))
            shutil.rmtree(sources)
    return glob.glob(pattern)[0]


def build():
    """Builds what is not built yet."""
    need_commands(*COMMANDS)
    for version in (THIS, LATER):
        deb(version)
        rpm(version)


def distribution(directory):
    """The .rpm that provides what RHEL 9 has."""
    return rpm_build.base(directory, {})


class Repository:
    """What `make repo` writes, served on an address of a namespace."""

    def __init__(self, test, namespace, address):
        need_commands(*COMMANDS)
        self.namespace, self.address = namespace, address
        self.work = program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self.log = self.work.file("log")
        self.web = os.path.join(self.work.path, "web")
        with open(self.log, "ab") as log:
            self.server = subprocess.Popen(  # pylint: disable=consider-using-with
                namespace.command(sys.executable, "-m", "http.server", "--bind", address,
                                  "--directory", self.web, str(PORT)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        test.addCleanup(self.server.wait)
        test.addCleanup(self.server.kill)
        os.mkdir(self.web)

    def publish(self, *versions):
        """Adds these versions."""
        for version in versions:
            rpms = "/nonexistent" if version == BROKEN else \
                os.path.dirname(os.path.dirname(rpm(version)))
            run(os.path.join(program.ROOT, "dist", "repo"), timeout=300, env={
                **os.environ, "REPO_OUTPUT": self.web, "REPO_URL": URL, "RPM_OUTPUT": rpms,
                "DEB_OUTPUT": os.path.dirname(deb(version))})
        wait_for(self._answers, 30, "the web server")

    def _answers(self):
        with self.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex((self.address, PORT)) == 0

    def requests(self):
        """The web server's log."""
        with open(self.log, encoding="utf-8") as stream:
            return stream.read()
