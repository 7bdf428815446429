# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package as such: how it was built, and what Debian's own tools say of it."""

import glob
import hashlib
import os
import re
import shutil
import unittest

from lib import net, program

import builder
import packages
from scene import Scene


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


class Package(unittest.TestCase):
    def test_lintian(self):
        """Nothing to say, pedantically; what is overridden is explained where it is."""
        net.need_commands("lintian")
        changes = glob.glob(os.path.join(os.path.dirname(packages.deb()), "*.changes"))
        result = net.run("lintian", "--allow-root", "-EvIL", "+pedantic", *changes, check=False,
                         timeout=300)
        said = [line for line in result.stdout.splitlines() if re.match(r"[A-Z]: ", line)
                and not line.startswith("N: ")]
        self.assertEqual(said, [])
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_hardening(self):
        """The program is built with what Debian's hardening=+all stands for."""
        net.need_commands("hardening-check")
        with program.Workspace() as work:
            net.run("dpkg-deb", "-x", packages.deb(), work.path)
            text = net.run("hardening-check", "--nocfprotection",
                           os.path.join(work.path, "usr/bin/vxlan-pipeline"), check=False).stdout
        for feature in ("Position Independent Executable", "Stack protected",
                        "Fortify Source functions", "Read-only relocations", "Immediate binding"):
            with self.subTest(feature):
                self.assertRegex(text, rf"{feature}: yes")

    def test_a_build_from_scratch(self):
        """
        From its source package, in a Debian with its Build-Depends and nothing else, by a user
        without privileges or a network: twice, in different places, with one result.
        """
        source = glob.glob(os.path.join(os.path.dirname(packages.deb()), "*.dsc"))[0]
        chroot = builder.Chroot(self, "bookworm", source)
        sums = []
        for directory, options in (("/build/one", ""), ("/srv/another/place", "nocheck")):
            with self.subTest(directory):
                built = chroot.build(source, directory, options)
                sums.append({os.path.basename(path): sha256(path) for path in built})
                self.assertTrue(sums[-1])
        self.assertEqual(len(sums), 2)
        self.assertEqual({name: value for name, value in sums[0].items() if name in sums[1]},
                         sums[1])


class OwnTests(Scene):
    def test_autopkgtest(self):
        """The package's tests of itself, as Debian's machines run them."""
        self.install()
        script = os.path.join(program.ROOT, "debian", "tests", "forward")
        shutil.copy(script, self.machine.path("/root/forward"))
        result = self.machine.run("/root/forward", timeout=600)
        self.assertEqual(len(re.findall(r"^ok: ", result.stdout, re.MULTILINE)), 3, result.stdout)
