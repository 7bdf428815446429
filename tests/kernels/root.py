# SPDX-License-Identifier: GPL-2.0-only
"""The root file system of a guest that runs the tests: a small Debian, and the files of a run."""

import glob
import hashlib
import os
import platform
import shutil
import subprocess

import packages
from lib.foreign import compile_foreign
from lib.program import PROGRAM, ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = (
    # the tests
    "python3", "python3-scapy", "python3-yaml", "iproute2", "nftables", "ethtool", "tcpdump",
    "strace", "procps", "util-linux", "iputils-ping", "bpftool",
    # the guest, and the program's libraries
    "kmod", "libbpf1", "libjansson4", "libyaml-0-2", "libmnl0", "libnftnl11",
    "libpcap0.8", "libsystemd0",
    "libmicrohttpd12", "libcap2",
    # the program as it is built with the sanitizers
    "libasan8", "libubsan1")
SANITIZED = os.path.join("unit", "vxlan-pipeline")  # in build/; hostile/test_system_calls
PATHS_NOT_NEEDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*",
                    "/usr/share/info/*")
SPARE = 1.25  # size of an image, relative to its files


def _release():
    """This machine's release, for the guest: the program is linked with its libraries."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian" or "VERSION_CODENAME" not in system:
        raise packages.Unavailable("the program was not built on a release of Debian")
    return system["VERSION_CODENAME"]


def _image(tree, path):
    """Makes an ext4 image of the tree, without features that need further modules."""
    size = sum(os.lstat(os.path.join(root, name)).st_size // 1024 + 4
               for root, directories, names in os.walk(tree) for name in directories + names)
    command = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal,^metadata_csum", "-d", tree, path,
               f"{int(size * SPARE) + 16384}k"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def debian(cache):
    """The path of Debian's image; makes it, unless there is one with these packages."""
    with packages.alone(cache):
        return _debian(cache)


def _debian(cache):
    release = _release()
    wanted = hashlib.sha256(repr((release, PACKAGES, PATHS_NOT_NEEDED)).encode()).hexdigest()[:16]
    path = os.path.join(cache, f"root-{wanted}.ext4")
    if os.path.exists(path):
        return path
    if not os.path.exists(packages.KEYRING):
        raise packages.Unavailable("no keys of Debian's archive here: install "
                                   "debian-archive-keyring")
    for old in glob.glob(os.path.join(cache, "root-*.ext4")):
        os.unlink(old)
    tree = os.path.join(cache, "root.making")
    shutil.rmtree(tree, ignore_errors=True)
    try:
        packages.run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
                     f"--include={','.join(PACKAGES)}",
                     *[f"--dpkgopt=path-exclude={where}" for where in PATHS_NOT_NEEDED],
                     "--aptopt=Acquire::Retries \"3\"", release, tree,
                     f"deb [signed-by={packages.KEYRING}] {packages.mirror()} {release} main")
        _image(tree, path + ".tmp")
        os.rename(path + ".tmp", path)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return path


def _copy(source, target):
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def payload(kernel, script, directory):
    """Makes an image of the run's files: kernel modules, the program, its tests, `script`."""
    tree = os.path.join(directory, "payload")
    modules = os.path.join(tree, "usr", "lib", "modules", kernel.version)
    home = os.path.join(tree, "pipeline")
    _copy(kernel.directory, modules)
    os.symlink("usr/lib", os.path.join(tree, "lib"))
    subprocess.run(["depmod", "-b", tree, kernel.version], check=True)
    for name in ("lib", "packets", "netns", "hostile"):
        _copy(os.path.join(ROOT, "tests", name), os.path.join(home, "tests", name))
    _copy(os.path.join(HERE, "inside"), os.path.join(home, "tests", "inside"))
    shutil.copy(os.path.join(ROOT, "tests", "run"), os.path.join(home, "tests", "run"))
    os.makedirs(os.path.join(home, "build"))
    shutil.copy(PROGRAM, os.path.join(home, "build", "vxlan-pipeline"))
    sanitized = os.path.join(ROOT, "build", SANITIZED)
    if os.path.exists(sanitized):
        os.makedirs(os.path.join(home, "build", "unit"))
        shutil.copy(sanitized, os.path.join(home, "build", SANITIZED))
    compile_foreign(os.path.join(home, "build"))
    with open(os.path.join(home, "suites"), "w", encoding="utf-8") as stream:
        stream.write(script)
    path = os.path.join(directory, "payload.ext4")
    _image(tree, path)
    shutil.rmtree(tree)
    return path
