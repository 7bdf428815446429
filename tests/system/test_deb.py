# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package: its build, and the verdict of Debian's own tools."""

import glob
import hashlib
import os
import re
import shutil
import unittest

from lib import program
from lib.command import need_commands, run

import builder
import installed
import machine
import packages
from scene import Scene


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


class Package(unittest.TestCase):
    RELEASE = "bookworm"
    LINTIAN = ("lintian", "--allow-root", "-EvIL", "+pedantic")

    def deb(self):
        return packages.deb_of(self, self.RELEASE)

    def lintian(self):
        """Runs the release's own lintian on the package."""
        directory = os.path.dirname(self.deb())
        if self.RELEASE == packages.HERE:
            need_commands("lintian")
            return run(*self.LINTIAN, *glob.glob(os.path.join(directory, "*.changes")),
                       check=False, timeout=300)
        root = machine.Layer(self, machine.tree_with(self.RELEASE, ("lintian",))).root
        shutil.copytree(directory, os.path.join(root, "packages"))
        return machine.chroot(root, "sh", "-c", f"cd /packages && {' '.join(self.LINTIAN)} "
                              "*.changes *.dsc", check=False)

    def test_lintian(self):
        """lintian finds nothing, even pedantically; each override has its reason beside it."""
        result = self.lintian()
        said = [line for line in result.stdout.splitlines() if re.match(r"[A-Z]: ", line)
                and not line.startswith("N: ")]
        self.assertEqual(said, [])
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_monitoring(self):
        """Rules and dashboards are where docs/monitoring.md says."""
        listed = run("dpkg-deb", "--contents", self.deb()).stdout
        for path in installed.MONITORING:
            self.assertRegex(listed, rf"(?m) \./usr/share/vxlan-pipeline/{re.escape(path)}$")

    def test_hardening(self):
        """The program is built with all of Debian's hardening flags."""
        need_commands("hardening-check")
        with program.Workspace() as work:
            run("dpkg-deb", "-x", self.deb(), work.path)
            text = run("hardening-check", "--nocfprotection",
                       os.path.join(work.path, "usr/bin/vxlan-pipeline"), check=False).stdout
        for feature in ("Position Independent Executable", "Stack protected",
                        "Fortify Source functions", "Read-only relocations", "Immediate binding"):
            with self.subTest(feature):
                self.assertRegex(text, rf"{feature}: yes")

    def test_a_build_from_scratch(self):
        """
        Two builds from the source package, in different directories, make identical files, without
        a compiler's warning. The system has the Build-Depends and nothing else; the user has
        neither privileges nor a network.
        """
        source = packages.source(packages.deb())
        chroot = builder.Chroot(self, self.RELEASE, source)
        sums = []
        for directory, options in (("/build/one", ""), ("/srv/another/place", "nocheck")):
            with self.subTest(directory):
                built, said = chroot.build(source, directory, options)
                sums.append({os.path.basename(path): sha256(path) for path in built
                             if path.endswith(".deb")})
                self.assertTrue(sums[-1])
                self.assertEqual([line for line in said.splitlines() if "warning: " in line], [])
        self.assertEqual(len(sums), 2)
        self.assertEqual({name: value for name, value in sums[0].items() if name in sums[1]},
                         sums[1])


class PackageOnDebian13(Package):
    RELEASE = "trixie"
    # The package follows the policy of the older release.
    LINTIAN = (*Package.LINTIAN, "--suppress-tags", "out-of-date-standards-version")


class OwnTests(Scene):
    TOOLS = ("autopkgtest", "dpkg-dev")

    def setUp(self):
        machine.fetch(self.RELEASE, self.TOOLS)
        super().setUp()

    def test_autopkgtest(self):
        """The package's own tests pass, run like on Debian's machines."""
        self.machine.run(*machine.APT, "install", *self.TOOLS)
        shutil.copy(self.deb, self.machine.path("/root"))
        shutil.copytree(os.path.join(program.ROOT, "debian"),
                        self.machine.path("/root/source/debian"))
        # The tests ask for a machine of their own; systemd and bpf(2) are all they need of it.
        result = self.machine.shell(
            "autopkgtest --no-built-binaries --ignore-restrictions=isolation-machine "
            "/root/*.deb /root/source/ -- null 2>&1", timeout=600, check=False)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:])
        self.assertRegex(result.stdout, r"(?m)^forward +PASS$")
        self.assertEqual(len(re.findall(r"^ok: ", result.stdout, re.MULTILINE)), 3, result.stdout)
