# SPDX-License-Identifier: GPL-2.0-only
"""dist/kubernetes/: held to the API's types, chart and base to each other; its pod runs, and is replaced."""

import copy
import re
import unittest

import markdown
from lib import program
from lib.command import run
from manifests import CHART, findings, helm, kind, kustomized, pod_spec, templated

# What may be set, and where it arrives.
SETTINGS = (
    ("another tag", ("image.tag=2.0.0",), "containers.0.image", "registry.example.org/vxlan-pipeline:2.0.0"),
    ("a digest", (f"image.digest=sha256:{'0' * 64}",), "initContainers.0.image",
     f"registry.example.org/vxlan-pipeline@sha256:{'0' * 64}"),
    ("another instance", ("instance=second",), "containers.0.args",
     ["run", "--wait", "--linger", "--instance", "second"]),
    ("an end that detaches", ("linger=false",), "containers.0.args", ["run", "--wait"]),
    ("no probe", ("probe.enabled=false",), "containers.0.readinessProbe", None),
    ("another port", ("probe.port=9790", "configuration=http: {listen: '127.0.0.1:9790'}"),
     "containers.0.readinessProbe.httpGet.port", 9790),
    ("a profile on the nodes",
     ("seccompProfile.type=Localhost", "seccompProfile.localhostProfile=vxlan-pipeline.json"),
     "securityContext.seccompProfile",
     {"type": "Localhost", "localhostProfile": "vxlan-pipeline.json"}),
    ("more memory", ("resources.limits.memory=128Mi",), "initContainers.0.resources.limits.memory", "128Mi"),
    ("a secret for the registry", ("imagePullSecrets[0].name=key",), "imagePullSecrets", [{"name": "key"}]),
    ("other nodes", ("nodeSelector.role=mirror",), "nodeSelector.role", "mirror"),
)
# What the schema refuses, and what it names.
REFUSED = (
    ("a misspelt key", "tolerration=x", "tolerration"),
    ("a misspelt key further in", "image.tagg=x", "tagg"),
    ("a port that is none", "probe.port=70000", "port"),
    ("an instance with a slash", "instance=a/b", "instance"),
    ("an empty configuration", "configuration=", "configuration"),
    ("a word for a switch", "linger=maybe", "linger"),
    ("a digest that is none", "image.digest=sha256:1", "digest"),
    ("a profile without its name", "seccompProfile.type=Localhost", "seccompProfile"),
    ("memory in no unit", "resources.limits.memory=64Megabytes", "memory"),
    ("a toleration of no effect", "tolerations[0].effect=NoScheduling", "effect"),
    ("nobody may be unavailable", "maxUnavailable=0", "maxUnavailable"),
    ("memory in thousandths of a byte", "resources.limits.memory=64m", "memory"),
    ("too little memory to start", "resources.limits.memory=4Mi", "memory"),
    ("memory without a limit", "resources=null", "resources"),
    ("every node of the cluster", "nodeSelector=null", "nodeSelector"),
    ("a label that the selector has", "podLabels.app\\.kubernetes\\.io/name=x", "app.kubernetes.io/name"),
    ("a repository with a tag", "image.repository=example.org/a:1", "repository"),
    ("a priority class that none can be called", "priorityClassName=High_one", "priorityClassName"),
    ("a configuration that is no YAML", "configuration=listen: [", "no YAML"),
    ("a probe of another port", "probe.port=9790", "http.listen is 127.0.0.1:9789"),
    ("a probe of another address", "probe.host=10.0.0.1", "http.listen is 127.0.0.1:9789"),
    ("a probe of nobody", "configuration=http: off", "http.listen is off"),
    ("a probe of nobody, said at length", "configuration=http: {listen: off}", "http.listen is off"),
)
# Mistakes in a manifest that an API server would take in silence or refuse: path, value.
MISTAKES = (
    ("a misspelt key of the pod", "spec.template.spec.hostNetwrok", True),
    ("a misspelt key of a container", "spec.template.spec.containers.0.readynessProbe", {}),
    ("a container's key in the pod", "spec.template.spec.capabilities", {"drop": ["ALL"]}),
    ("a misspelt capability list", "spec.template.spec.containers.0.securityContext.capabilities.adds", ["BPF"]),
    ("a word for a number", "spec.template.spec.terminationGracePeriodSeconds", "twenty"),
    ("a volume of no kind", "spec.template.spec.volumes.0.hostpath", {"path": "/"}),
    ("no selector", "spec.selector", None),
)


def at(value, path):
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else (value or {}).get(step)
    return value


def changed(value, path, new):
    result = copy.deepcopy(value)
    *way, last = path.split(".")
    place = at(result, ".".join(way)) if way else result
    if new is None:
        del place[last]
    else:
        place[last] = new
    return result


class Manifests(unittest.TestCase):
    def test_types(self):
        """Every object of base, removal and chart is one of the API; each mistake is found."""
        cases = {f"{where}: {one['kind']}": one for where, objects in (
            ("base", kustomized("base")), ("remove", kustomized("remove")),
            ("chart", templated()), *((sentence, templated(*settings))
                                      for sentence, settings, *_ in SETTINGS)) for one in objects}
        self.assertGreater(len(cases), 7)
        base = kind(kustomized("base"), "DaemonSet")
        mistakes = {sentence: changed(base, path, new) for sentence, path, new in MISTAKES}
        found = findings({**cases, **mistakes})
        for name in cases:
            with self.subTest(name):
                self.assertEqual(found[name], [])
        for name, path, _ in MISTAKES:
            with self.subTest(name):
                self.assertRegex(" ".join(found[name]), rf'"{path.rpartition(".")[2]}"|type .number.')

    def test_lint(self):
        self.assertIn("0 chart(s) failed", helm("lint", "--strict", CHART).stdout)

    def test_alike(self):
        """Chart and base make the same pod, and replace it in the same way."""
        base, chart = kustomized("base"), templated()
        for objects in (base, chart):
            volume, = [one for one in pod_spec(objects)["volumes"] if "configMap" in one]
            self.assertEqual(volume["configMap"].pop("name"), kind(objects, "ConfigMap")["metadata"]["name"])
        self.assertEqual(pod_spec(base), pod_spec(chart))
        for key in ("updateStrategy", "minReadySeconds"):
            self.assertEqual(*(kind(one, "DaemonSet")["spec"][key] for one in (base, chart)))
        version = re.search(r"(?m)^VERSION := (.*)", markdown.read("Makefile"))[1]
        self.assertTrue(pod_spec(base)["containers"][0]["image"].endswith(f":{version}"))

    def test_settings(self):
        for sentence, settings, path, value in SETTINGS:
            with self.subTest(sentence):
                objects = templated(*settings)
                self.assertEqual(at(pod_spec(objects), path), value)
        self.assertIn("second.yaml", kind(templated("instance=second"), "ConfigMap")["data"])

    def test_refused(self):
        """helm refuses each mistake, and names it."""
        for sentence, setting, named in REFUSED:
            with self.subTest(sentence):
                result = helm("template", "x", CHART, "--set", setting, check=False)
                self.assertNotEqual(result.returncode, 0, result.stdout)
                self.assertIn(named, result.stderr)

    def test_an_older_kubernetes(self):
        """Before 1.30 there is no appArmorProfile, so the chart is refused."""
        self.assertIn("appArmorProfile", pod_spec(templated(kubernetes="1.30.0"))["securityContext"])
        self.assertIn("incompatible", helm("template", "x", CHART, "--kube-version", "1.29.0",
                                           check=False).stderr)

    def test_another_configuration(self):
        """It replaces the pods: with the base by the map's name, with the chart by a checksum."""
        one, other = (kind(templated(f"configuration=log: {{level: {level}}}"), "DaemonSet")
                      for level in ("info", "error"))
        self.assertNotEqual(one["spec"]["template"], other["spec"]["template"])
        self.assertRegex(kind(kustomized("base"), "ConfigMap")["metadata"]["name"], r"^vxlan-pipeline-\w{10}$")

    def test_configurations(self):
        """The samples are valid configurations."""
        for name, objects in (("base", kustomized("base")), ("chart", templated())):
            with self.subTest(name), program.Workspace() as work:
                text = kind(objects, "ConfigMap")["data"]["config.yaml"]
                run(program.PROGRAM, "config", "check", "-c", work.file("config.yaml", text))

    def test_removal(self):
        """It differs from the base in one word: the end of a pod detaches."""
        base, removal = kustomized("base"), kustomized("remove")
        words = pod_spec(removal)["containers"][0].pop("args")
        self.assertEqual([*words, "--linger"], pod_spec(base)["containers"][0].pop("args"))
        self.assertEqual(base, removal)
