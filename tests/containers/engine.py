# SPDX-License-Identifier: GPL-2.0-only
"""The image under test, built from these sources, and podman to run it in a namespace of the test."""

import atexit
import functools
import glob
import json
import os
import resource
import shutil
import subprocess
import tempfile

import packages
from lib import program
from lib.command import need_commands, run, wait_for
from lib.daemon import BPFFS, STATE

DIST = os.path.join(program.ROOT, "dist", "container")
PROFILE = os.path.join(DIST, "seccomp.json")
CAPABILITIES = ("BPF", "NET_ADMIN", "PERFMON")
COMMANDS = ("podman", "runc", "conmon", "buildah", "nsenter")
TAG = "localhost/vxlan-pipeline:test"


def build(directory, deb):
    """Builds the image of the package in the directory; returns the paths of image and list."""
    options = {"env": {**os.environ, "IMAGE_OUTPUT": directory}, "timeout": 300}
    run(os.path.join(DIST, "make-root"), deb, **options)
    image, materials, digest = run(os.path.join(DIST, "make-image"), **options).stdout.split()
    return os.path.join(program.ROOT, image), os.path.join(program.ROOT, materials), digest


@functools.lru_cache(maxsize=None)
def built():
    """(image, list of materials, digest) of these sources, for all tests of this process."""
    need_commands(*COMMANDS)
    return build(os.path.join(program.ROOT, "build", "containers"), packages.deb())


@functools.lru_cache(maxsize=None)
def storage():
    """Where podman keeps images and containers of this process: its general options."""
    directory = tempfile.mkdtemp(prefix="vxlan-pipeline-podman-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    limits = ", ".join(f'"{name}={limit}:{limit}"' for name, limit in (
        ("nofile", resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        ("nproc", resource.getrlimit(resource.RLIMIT_NPROC)[1])))  # podman's exceed what is permitted
    with open(os.path.join(directory, "containers.conf"), "w", encoding="ascii") as file:
        file.write(f'[containers]\ndefault_ulimits = [{limits}]\n[engine]\nevents_logger = "none"\n')
    os.environ["CONTAINERS_CONF"] = file.name
    options = ("--root", os.path.join(directory, "root"), "--runroot", "/run/podman-test",
               "--tmpdir", os.path.join(directory, "tmp"), "--storage-driver", "vfs",
               "--cgroup-manager", "cgroupfs", "--runtime", "runc")
    loaded = run("podman", *options, "load", "-q", "-i", built()[0], timeout=120).stdout.split()[-1]
    run("podman", *options, "tag", loaded, TAG)
    return options


def secured(capabilities=CAPABILITIES, profile=PROFILE):
    """The options of docs/containers.md that say what the container may do."""
    return ("--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
            *(f"--cap-add={name}" for name in capabilities),
            "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={profile}")


class Container:
    """One container of an appliance, in the background."""

    def __init__(self, test, namespace, configuration, *words, options=(), **secure):
        self.namespace, self.volumes = namespace, mounts(configuration)
        result = self.podman("run", "--detach", "--network", "host", *secured(**secure),
                             *self.volumes, *options, TAG, *words)
        self.id = result.stdout.strip()
        test.addCleanup(self.podman, "rm", "--force", "--time", "0", self.id, check=False)

    def podman(self, *words, **options):
        return podman(self.namespace, *words, **options)

    @property
    def log(self):
        result = self.podman("logs", self.id)
        return result.stdout + result.stderr

    def inspect(self):
        return json.loads(self.podman("inspect", self.id).stdout)[0]

    @property
    def pid(self):
        return self.inspect()["State"]["Pid"]

    def ready(self, what="attached, "):
        """Waits until the daemon has said so."""
        def said():
            if what in self.log:
                return True
            if not self.inspect()["State"]["Running"]:
                raise AssertionError(f"the container ended:\n{self.log}")
            return False
        wait_for(said, 20, repr(what))
        return self

    def exec(self, *words, **options):
        return self.podman("exec", self.id, "vxlan-pipeline", *words, **options)

    def signal(self, name):
        self.podman("kill", "--signal", name, self.id)

    def wait(self):
        return int(self.podman("wait", self.id, timeout=30).stdout)


def mounts(configuration):
    """The host's directories: `configuration` is the one that serves as /etc/vxlan-pipeline."""
    return ("--volume", f"{BPFFS}:{BPFFS}", "--volume", f"{STATE}:{STATE}",
            "--volume", f"{configuration}:/etc/vxlan-pipeline:ro")


def podman(namespace, *words, **options):
    return namespace.run("podman", *storage(), *words, **options)


def once(namespace, configuration, *words, volumes=None, options=(), **secure):
    """Runs one command in a container; returns its result."""
    return podman(namespace, "run", "--rm", "--network", "host", *secured(**secure),
                  *(mounts(configuration) if volumes is None else volumes), *options, TAG, *words,
                  check=False)
