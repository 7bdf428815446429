# SPDX-License-Identifier: GPL-2.0-only
"""A Debian system with the Build-Depends of a source package and nothing else."""

import glob
import hashlib
import os
import shutil

from lib.command import need_commands, run

import machine


class Chroot:
    """The system is kept for later runs, named by its Build-Depends; builds write to a layer."""

    def __init__(self, test, release, source):
        need_commands(*machine.COMMANDS)
        self.root = machine.Layer(test, self._tree(release, source)).root

    @staticmethod
    def _tree(release, source):
        with open(source, encoding="utf-8") as stream:
            needs = [line for line in stream if line.startswith("Build-")]
        name = hashlib.sha256("".join(needs).encode()).hexdigest()[:12]
        path = os.path.join(machine.CACHE, f"{release}-build-{name}")
        with machine.only_one(path):
            if not os.path.isdir(path):
                unfinished = path + ".unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                machine.debootstrap("--variant=buildd", release, unfinished)
                shutil.copy(source, os.path.join(unfinished, "root", "source.dsc"))
                machine.chroot(unfinished, *machine.APT, "update")
                machine.chroot(unfinished, *machine.APT, "build-dep", "/root/source.dsc",
                               timeout=1800)
                machine.chroot(unfinished, *machine.APT, "clean")
                os.rename(unfinished, path)
        return path

    def build(self, source, directory, options):
        """Builds the package in `directory`; returns paths of its files and the build's output."""
        place = self.root + directory
        os.makedirs(place)
        for path in glob.glob(source.removesuffix(".dsc") + ".*"):
            shutil.copy(path, place)
        run("chown", "-R", "nobody:nogroup", place)
        result = run(
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
            "--user=nobody", f"--setenv=DEB_BUILD_OPTIONS={options}", "--console=pipe",
            "-D", self.root, "sh", "-euc",
            f"cd {directory} && dpkg-source -x *.dsc source > /dev/null && cd source && "
            "dpkg-buildpackage --no-sign --build=binary 2>&1", timeout=1800, check=False)
        said = result.stdout
        if result.returncode:
            raise AssertionError(f"the build fails:\n{said[-5000:]}{result.stderr}")
        return sorted(path for ending in ("deb", "changes", "buildinfo")
                      for path in glob.glob(os.path.join(place, f"*.{ending}"))), said
