# SPDX-License-Identifier: GPL-2.0-only
"""Builds the .rpm packages under test, and a base package that plays the distribution."""

import glob
import os
import re
import shutil
import tarfile

from kernels import packages
from lib import program
from lib.command import run

CACHE = os.path.join(program.ROOT, "build", "rpm-host")
HELPER = "/usr/lib/systemd/systemd-update-helper"
# Values for systemd's templates, whose results Fedora installs and Debian does not.
WORDS = {"SYSTEMD_UPDATE_HELPER_PATH": HELPER, "ROOTLIBEXECDIR": "/usr/lib/systemd",
         "SYSTEM_DATA_UNIT_DIR": "/usr/lib/systemd/system", "TMPFILES_DIR": "/usr/lib/tmpfiles.d",
         "SYSCTL_DIR": "/usr/lib/sysctl.d"}


def _tags(library, prefix="", tags=()):
    return [f"{library}()(64bit)"] + [f"{library}({prefix}{tag})(64bit)" for tag in tags]


# The package may require only what RHEL 9 and Amazon Linux 2023 both provide. Both have glibc 2.34.
PROVIDED = [
    "/bin/sh", "rtld(GNU_HASH)", "systemd = 252",
    *_tags("libc.so.6", "GLIBC_", ["2.2.5", "2.2.6", "2.3.2", "2.3.3", "2.3.4"] +
           [f"2.{minor}" for minor in range(3, 35) if minor not in (19, 20, 21)]),
    *_tags("libelf.so.1", "ELFUTILS_1.", range(0, 8)),
    *_tags("libjansson.so.4", "", ["libjansson.so.4"]),
    *_tags("libmnl.so.0", "LIBMNL_1.", range(0, 3)),
    *_tags("libnftnl.so.11", "LIBNFTNL_", range(11, 16)),
    *_tags("libsystemd.so.0", "LIBSYSTEMD_", range(209, 253)),
    *_tags("libz.so.1", "ZLIB_", ["1.2.0", "1.2.0.2", "1.2.2", "1.2.2.3", "1.2.3.3", "1.2.3.4",
                                  "1.2.3.5", "1.2.5.1", "1.2.5.2", "1.2.7.1", "1.2.9"]),
    *_tags("libcap.so.2"), *_tags("libmicrohttpd.so.12"), *_tags("libyaml-0.so.2"),
]


def _fill_in(text):
    return re.sub(r"\{\{(\w+)\}\}", lambda word: WORDS.get(word[1], word[0]), text)


def systemd_files():
    """systemd's own macros, helper and triggers, from Debian's source package: {name: text}."""
    directory = os.path.join(CACHE, "systemd")
    if not glob.glob(os.path.join(directory, "*.orig.tar.gz")):
        apt = packages.Apt(directory, "bookworm")
        with open(os.path.join(directory, "sources.list"), "r+", encoding="utf-8") as sources:
            text = sources.read().replace("deb [arch=amd64 ", "deb-src [")
            sources.seek(0)
            sources.write(text)
            sources.truncate()
        apt.get("update")
        apt.get("source", "--download-only", "systemd")
    found = {}
    with tarfile.open(glob.glob(os.path.join(directory, "*.orig.tar.gz"))[0]) as archive:
        for member in archive:
            name = re.fullmatch(r"[^/]+/src/rpm/(.+)\.in", member.name)
            if name:
                found[name[1]] = _fill_in(archive.extractfile(member).read().decode())
    return found


def git(*words):
    return run("git", "-c", f"safe.directory={program.ROOT}", "-C", program.ROOT, *words).stdout


def copy_sources(directory):
    """Copies the sources that `make rpm` packs to another directory."""
    for name in filter(None, git("ls-files", "-z", "-co", "--exclude-standard").split("\0")):
        os.makedirs(os.path.dirname(os.path.join(directory, name)), exist_ok=True)
        shutil.copy2(os.path.join(program.ROOT, name), os.path.join(directory, name),
                     follow_symlinks=False)


def make(target, *words, directory=program.ROOT):
    """Runs `make rpm` or `make srpm` with this commit's time; returns the package's path."""
    result = run("make", "-s", "--no-print-directory", "-C", directory, target,
                 f"SOURCE_DATE_EPOCH={git('log', '-1', '--format=%ct').strip()}", *words,
                 timeout=1200)
    return os.path.join(directory, result.stdout.split()[-1])


def newer(directory, version):
    """Changes the sources to a later version with another default configuration."""
    for name, pattern, text in (("Makefile", r"(?m)^VERSION := .*$", f"VERSION := {version}"),
                                ("dist/config.yaml", r"\Z", "# as of a later version\n")):
        path = os.path.join(directory, name)
        with open(path, encoding="utf-8") as stream:
            changed, count = re.subn(pattern, text, stream.read())
        assert count == 1, name
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(changed)


def base(directory, files):
    """Builds the package `test-distribution`; returns its path. `files`: systemd_files(), or {}."""
    triggers = "".join(part for part in re.split(r"(?m)^(?=%transfiletrigger)",
                                                 files.get("triggers.systemd", ""))[1:]
                       if re.search(r"-- /usr/lib/(systemd/system|tmpfiles\.d|sysctl\.d)\b", part))
    payload = {"/usr/lib/systemd/system-preset/99-default-disable.preset": "disable *\n"}
    if files:
        payload[HELPER] = files["systemd-update-helper"]
    for name, text in payload.items():
        path = os.path.join(directory, "SOURCES", os.path.basename(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    spec = os.path.join(directory, "test-distribution.spec")
    with open(spec, "w", encoding="utf-8") as stream:
        stream.write("Name: test-distribution\nVersion: 9\nRelease: 1\nSummary: What RHEL 9 has\n"
                     "License: GPL-2.0-only\nBuildArch: noarch\nAutoReqProv: no\n")
        stream.writelines(f"Provides: {name}\n" for name in PROVIDED)
        stream.write("%description\nFor tests.\n%install\n")
        stream.writelines(f"install -Dm 755 %{{_sourcedir}}/{os.path.basename(name)} "
                          f"%{{buildroot}}{name}\n" for name in payload)
        stream.write("\n".join(["%files", *payload]) + "\n\n" + triggers)
    run("rpmbuild", "--quiet", "--nodeps", "--define", f"_topdir {directory}",
        "--define", f"_tmppath {directory}", "-bb", spec)
    return glob.glob(os.path.join(directory, "RPMS", "noarch", "*.rpm"))[0]
