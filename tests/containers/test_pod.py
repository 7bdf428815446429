# SPDX-License-Identifier: GPL-2.0-only
"""The DaemonSet's own pod, run and replaced by podman under traffic."""

import copy
import json
import os
import re

import yaml

import manifests
from engine import DIST, TAG, podman
from lib.command import run, wait_for
from lib.daemon import BPFFS, PINS, STATE
from sides import NEW, OLD
from test_run import KEPT, PPS, Scene

NAME = "vxlan-pipeline"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"  # where podman reads it


def translated(objects):
    """The pod with its ConfigMap as podman plays them: what it does not know is left out or said in its way."""
    template = copy.deepcopy(manifests.kind(objects, "DaemonSet")["spec"]["template"])
    spec = template["spec"]
    spec["restartPolicy"] = "OnFailure"  # podman: init containers run once
    spec["securityContext"] = {}
    for container in spec["initContainers"] + spec["containers"]:
        container.update(image=TAG, imagePullPolicy="Never")
        container.pop("readinessProbe", None)
        container["resources"] = {"limits": {"memory": container["resources"]["limits"]["memory"]}}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec,
           "metadata": {"name": NAME, "labels": template["metadata"]["labels"],
                        "annotations": {SECCOMP: "localhost/seccomp.json"}}}
    return [manifests.kind(objects, "ConfigMap"), pod]


class Pod(Scene):
    REPLACEMENTS = 3

    def setUp(self):
        self.objects = manifests.kustomized("base")
        super().setUp()
        self.instance = "config"  # nobody else's: the tests have a BPF file system of their own

    def play(self, side, objects=None):
        """Plays the pod with the side's configuration, as the next pod of a node."""
        self.take_side(side)
        self.journal.note(f"a pod, {side.name} rules")
        result = self.begin(objects or self.objects)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        wait_for(lambda: re.search("attached, |program replaced", self.log()), 20, "the pod")

    def begin(self, objects):
        with open(self.config_path, encoding="utf-8") as file:
            manifests.kind(objects, "ConfigMap")["data"] = {"config.yaml": file.read()}
        path = self.work.file("pod.yaml", yaml.safe_dump_all(translated(objects)))
        self.addCleanup(podman, self.appliance, "pod", "rm", "--force", "--time", "0", NAME, check=False)
        return podman(self.appliance, "kube", "play", "--seccomp-profile-root", DIST, path, check=False)

    def log(self):
        result = podman(self.appliance, "logs", f"{NAME}-{NAME}")
        return result.stdout + result.stderr

    def end(self):
        """What kubelet does to a pod: SIGTERM, and the end."""
        self.journal.note("the pod ends")
        podman(self.appliance, "pod", "stop", "--time", "20", NAME)
        podman(self.appliance, "pod", "rm", NAME)

    def test_restrictions(self):
        """What the pod may do and sees of the host: no more than the manifest says."""
        self.play(OLD)
        state, = json.loads(podman(self.appliance, "inspect", f"{NAME}-{NAME}").stdout)
        with open(f"/proc/{state['State']['Pid']}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        self.assertEqual([status[name] for name in ("CapPrm", "CapEff", "CapBnd")], [KEPT] * 3)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertTrue(state["HostConfig"]["ReadonlyRootfs"])
        self.assertEqual(state["HostConfig"]["NetworkMode"].partition(":")[0], "host")
        self.assertEqual({mount["Destination"]: mount["RW"] for mount in state["Mounts"]},
                         {BPFFS: True, STATE: True, "/etc/vxlan-pipeline": False})
        self.assertEqual(state["HostConfig"]["Memory"], 64 << 20)
        wait_for(lambda: self.json("status")["condition"] == "good", 10, "health")

    def test_replacements(self):
        """A pod ends and the next one takes over, with another configuration: 0 lost."""
        self.play(OLD)
        sender = self.send(PPS)
        for _ in range(self.REPLACEMENTS):
            self.end()
            self.assertEqual(self.json("status")["state"], "unattended")
            self.play(self.other_side())
            self.check_in_force()
        self.check(sender)

    def test_removal(self):
        """A pod of remove/ takes over, too; its end detaches and leaves nothing."""
        self.play(OLD)
        self.end()
        self.play(NEW, manifests.kustomized("remove"))
        self.assertEqual(self.stats()["rules"][1]["to"], "10.20.0.4:9001")
        self.end()
        self.assert_nothing_left()

    def test_what_is_missing(self):
        """The first container's words fail, and say why; kubelet then starts no other."""
        self.take_side(OLD)
        words = manifests.pod_spec(self.objects)["initContainers"][0]["args"]
        for sentence, break_it, told in (
                ("nothing", lambda: None, "(?m)^ok "),
                ("the BPF file system", lambda: run("umount", BPFFS), "(?m)^fail .*BPF file system"),
                ("a right configuration", lambda: self.work.file(
                    "config.yaml", "listen: {interfaze: in0}\n"), "listen.interfaze")):
            with self.subTest(sentence):
                break_it()
                result = self.once(*words)
                if not os.path.ismount(BPFFS):
                    run("mount", "-t", "bpf", "bpf", BPFFS)
                self.assertEqual(result.returncode != 0, sentence != "nothing",
                                 result.stdout + result.stderr)
                self.assertRegex(result.stdout + result.stderr, told)
                self.assertFalse(os.path.exists(os.path.join(PINS, self.instance)))
