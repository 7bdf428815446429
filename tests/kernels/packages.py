# SPDX-License-Identifier: GPL-2.0-only
"""Downloads Debian's kernels from this machine's package mirror, and keeps them in build/."""

import contextlib
import fcntl
import glob
import os
import re
import shutil
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The kernel of Debian's cloud images: smaller than the general one, and it has the ENA driver.
METAPACKAGE = "linux-image-cloud-amd64"
RELEASES = {"bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13"}
WITHOUT_BROADCAST = {"bullseye"}  # broadcast to a devmap, Linux 5.14: fragmentation needs it


class Unavailable(Exception):
    """A kernel is not available; says why."""


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600,
                            **options)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise Unavailable(f"{command[0]}: {said[-1] if said else result.returncode}")
    return result.stdout


def mirror():
    """$DEBIAN_MIRROR, or the mirror in this machine's package sources."""
    named = os.environ.get("DEBIAN_MIRROR")
    if named:
        return named
    if not shutil.which("apt-get"):
        raise Unavailable("no apt-get here, and DEBIAN_MIRROR is not set")
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(RELEASE)",
                   "Created-By: Packages", "Component: main")
    for line in targets.splitlines():
        uri, *names = line.split()
        if set(names) & set(RELEASES) and not uri.rstrip("/").endswith("-security"):
            return uri
    raise Unavailable("this machine's package sources name no Debian mirror; set DEBIAN_MIRROR")


class Apt:
    """apt with its own sources, lists and cache, apart from this machine's."""

    def __init__(self, directory, release):
        self.directory = directory
        os.makedirs(os.path.join(directory, "lists", "partial"), exist_ok=True)
        sources = os.path.join(directory, "sources.list")
        with open(sources, "w", encoding="utf-8") as stream:
            stream.write(f"deb [arch=amd64 signed-by={KEYRING}] {mirror()} {release} main\n")
        self.options = []
        for setting in (f"Dir::Etc::SourceList={sources}", "Dir::Etc::SourceParts=-",
                        f"Dir::State::Lists={directory}/lists", f"Dir::Cache={directory}",
                        "Dir::State::Status=/dev/null", "APT::Architecture=amd64",
                        "APT::Sandbox::User=root", "APT::Update::Error-Mode=any",
                        "Acquire::Retries=3"):
            self.options += ["-o", setting]

    def get(self, *words):
        return run("apt-get", "-q", *self.options, *words, cwd=self.directory)

    def dependency(self, package):
        text = run("apt-cache", *self.options, "depends", "--important", package)
        found = re.search(r"Depends: (linux-image-\S+)", text)
        if not found:
            raise Unavailable(f"{package} depends on no kernel")
        return found[1]


@contextlib.contextmanager
def alone(cache):
    """Within this context no other run makes a file of the cache."""
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kernel(cache, release):
    """The path of the release's kernel package; downloads it unless it is there."""
    with alone(cache):
        return _kernel(cache, release)


def _kernel(cache, release):
    directory = os.path.join(cache, release)
    there = glob.glob(os.path.join(directory, "linux-image-*.deb"))
    if there:
        return there[0]
    if not os.path.exists(KEYRING):
        raise Unavailable("no keys of Debian's archive here: install debian-archive-keyring")
    apt = Apt(directory, release)
    apt.get("update")
    apt.get("download", apt.dependency(METAPACKAGE))
    there = glob.glob(os.path.join(directory, "linux-image-*.deb"))
    if not there:
        raise Unavailable("the mirror has no such package")
    return there[0]
