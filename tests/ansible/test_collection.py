# SPDX-License-Identifier: GPL-2.0-only
"""The collection's sources: what a reader, a linter and an installation find. No machines."""

import glob
import json
import os
import re
import shutil
import textwrap
import unittest

import yaml

import ec2
from lib import program
from lib.command import need_commands, run
from lib.namespace import Namespace

COLLECTION = os.path.join(program.ROOT, "ansible")
ROLE = os.path.join(COLLECTION, "roles", "vxlan_pipeline")
TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict,
         "raw": object}


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as stream:
        return yaml.safe_load(stream)


def text(*path):
    with open(os.path.join(*path), encoding="utf-8") as stream:
        return stream.read()


def yaml_files(directory=COLLECTION):
    return sorted(os.path.relpath(path, directory) for path in
                  glob.glob(os.path.join(directory, "**", "*.yml"), recursive=True))


class Variables(unittest.TestCase):
    """Defaults, argument specs and the role's README say the same."""

    @classmethod
    def setUpClass(cls):
        cls.specs = load(ROLE, "meta", "argument_specs.yml")["argument_specs"]
        cls.options = cls.specs["main"]["options"]
        cls.defaults = load(ROLE, "defaults", "main.yml")

    def test_each_has_a_default_of_its_type(self):
        self.assertEqual(list(self.defaults), list(self.options), "the same, in the same order")
        for name, option in self.options.items():
            with self.subTest(name):
                self.assertEqual(option["default"], self.defaults[name])
                value = option["default"]
                self.assertIsInstance(value, TYPES[option["type"]])
                self.assertEqual(isinstance(value, bool), option["type"] == "bool")
                self.assertRegex(option["description"], r"\.$", "a sentence")
                if "choices" in option:
                    self.assertIn(value, option["choices"])

    def test_each_entry_point_takes_them_all(self):
        for name, spec in self.specs.items():
            with self.subTest(name):
                self.assertEqual(spec["options"], self.options)
                self.assertTrue(os.path.exists(os.path.join(ROLE, "tasks", f"{name}.yml")))

    def test_readme(self):
        """A row a variable, in the same order: name, default, meaning."""
        rows = {}
        for line in text(ROLE, "README.md").splitlines():
            match = re.match(r"\| `(vxlan_pipeline_\w+)` *\|(.*)\|$", line)
            if match:
                self.assertNotIn(match[1], rows)
                rows[match[1]] = [cell.strip() for cell in re.split(r"(?<!\\)\|", match[2])]
        self.assertEqual(list(rows), list(self.options))
        for name, cells in rows.items():
            with self.subTest(name):
                default = self.options[name]["default"]
                said = next((cell for cell in cells if re.fullmatch(r"`.*`", cell)), None)
                self.assertIsNotNone(said, cells)
                said = said.replace("\\|", "|")
                if isinstance(default, str):
                    self.assertIn(said.strip("` "), (default, json.dumps(default)))
                else:
                    self.assertEqual(yaml.safe_load(said.strip("` ")), default)
                self.assertIn(plain(self.options[name]["description"]),
                              [plain(cell) for cell in cells])

    def test_no_other_is_used(self):
        """Tasks, templates, playbooks, inventories and the page know no variable but these."""
        files = [path for ending in ("yml", "yaml", "j2", "md", "sh", "py")
                 for path in glob.glob(os.path.join(COLLECTION, "**", f"*.{ending}"),
                                       recursive=True)]
        files.append(os.path.join(program.ROOT, "docs", "ansible.md"))
        own = set(load(ROLE, "vars", "main.yml"))
        self.assertGreater(len(files), 10)
        for path in files:
            used = set(re.findall(r"\bvxlan_pipeline_[a-z]\w*", text(path)))
            with self.subTest(os.path.relpath(path, program.ROOT)):
                self.assertEqual(sorted(used - set(self.options) - own), [])

    def test_each_is_used(self):
        used = "".join(text(path) for place, pattern in (
            (ROLE, "tasks/*.yml"), (ROLE, "templates/*.j2"), (ROLE, "vars/*.yml"),
            (COLLECTION, "*.yml"), (COLLECTION, "playbooks/*.yml"))
            for path in glob.glob(os.path.join(place, pattern)))
        for name in self.options:
            with self.subTest(name):
                self.assertRegex(used, rf"\b{name}\b")


def plain(markdown):
    """The words, without code quotes, escapes and line breaks."""
    return re.sub(r"\s+", " ", markdown.replace("`", "").replace("\\", "")).strip()


class Tool(unittest.TestCase):
    """Runs Ansible's tools, which keep what they keep in a directory of the test."""

    COMMANDS = ("ansible-playbook", "ansible-galaxy", "ansible-inventory")

    def setUp(self):
        need_commands(*self.COMMANDS)
        self.work = program.Workspace().__enter__()
        self.addCleanup(self.work.__exit__)

    def run_tool(self, *words, cwd=program.ROOT, **environment):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("ANSIBLE")}
        home = os.path.join(self.work.path, "home")
        return run(*words, cwd=cwd, check=False, timeout=180, env={
            **kept, "HOME": home, "ANSIBLE_HOME": home, "XDG_CACHE_HOME": home,
            "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **environment})


class Kept(unittest.TestCase):
    """What the scripts of the role do when another play has taken what this one had kept."""

    def test_another_play(self):
        """They fail with a reason, and what a rollback leads to stays."""
        for script, words in (("commit.sh", ()), ("put_back.sh", ("config",))):
            with self.subTest(script), program.Workspace() as work:
                os.mkdir(os.path.join(work.path, "before"))
                work.file("before/version", "0.1.0\n")
                result = run("bash", os.path.join(ROLE, "files", script), work.path, *words,
                             check=False)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr,
                                 "another play has changed this host at the same time\n")
                self.assertEqual(text(work.path, "before", "version"), "0.1.0\n")

    def test_ended_change(self):
        """The state before the last change takes the place of the one before that."""
        with program.Workspace() as work:
            for name in ("before", "trying"):
                os.mkdir(os.path.join(work.path, name))
                work.file(f"{name}/version", f"{name}\n")
            run("bash", os.path.join(ROLE, "files", "commit.sh"), work.path)
            self.assertEqual(os.listdir(work.path), ["before"])
            self.assertEqual(text(work.path, "before", "version"), "trying\n")


class Lint(Tool):
    COMMANDS = ("ansible-lint", "git")

    def lint(self, directory):
        """Its exit status, and the last line of what it says."""
        # Without a path, in the root of the collection: with one it would look at nothing else.
        result = self.run_tool("ansible-lint", "--offline", "--strict", "--profile", "production",
                               "--nocolor", cwd=directory)
        return result.returncode, result.stdout + result.stderr

    def copy(self):
        directory = os.path.join(self.work.path, "ansible")
        shutil.copytree(COLLECTION, directory)
        run("git", "init", "-q", directory)
        return directory

    def test_production(self):
        """No finding in any file, and it has looked at every file."""
        directory = self.copy()
        code, said = self.lint(directory)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"Passed with production profile: 0 failure\(s\), 0 warning\(s\)")
        looked = int(re.search(r"on (\d+) files", said)[1])
        # It counts each role besides its files.
        there = [os.path.join(place, name) for place, _, names in os.walk(COLLECTION)
                 for name in names] + glob.glob(os.path.join(COLLECTION, "roles", "*"))
        self.assertEqual(looked, len(there), there)

    def test_a_mistake_is_found(self):
        """In a copy with a mistake in the role's tasks and one in a playbook, it finds both."""
        directory, paths = self.copy(), ("roles/vxlan_pipeline/tasks/main.yml", "rollout.yml")
        for path in paths:
            with open(os.path.join(directory, path), "a", encoding="utf-8") as stream:
                stream.write("- name: a mistake\n  command: /bin/true\n" if "tasks" in path else
                             "- name: a mistake\n  hosts: all\n  tasks:\n    - command: /bin/true\n")
        code, said = self.lint(directory)
        self.assertNotEqual(code, 0)
        for path in paths:
            with self.subTest(path):
                self.assertRegex(said, rf"(?m)^{path}:\d+")


class Built(Tool):
    """What `make ansible` builds."""

    @staticmethod
    def build():
        """Returns the archive's path and the collection's name."""
        said = run("make", "-s", "--no-print-directory", "-C", program.ROOT, "ansible",
                   timeout=120).stdout
        galaxy = load(COLLECTION, "galaxy.yml")
        path = re.search(r"\S+\.tar\.gz", said)
        assert path, said
        return os.path.join(program.ROOT, path[0]), f"{galaxy['namespace']}.{galaxy['name']}"

    def test_version(self):
        """It has the product's version, and builtin modules only."""
        version = run("sed", "-n", "s/^VERSION := //p", "Makefile", cwd=program.ROOT).stdout
        path, name = self.build()
        self.assertEqual(os.path.basename(path),
                         f"{name.replace('.', '-')}-{version.strip()}.tar.gz")
        galaxy = load(COLLECTION, "galaxy.yml")
        self.assertFalse(galaxy.get("dependencies"))

    def test_installed_offline(self):
        """ansible-galaxy takes it without a network; its playbooks and role are found by name."""
        path, name = self.build()
        place = os.path.join(self.work.path, "collections")
        result = self.run_tool("unshare", "--net", "ansible-galaxy", "collection", "install",
                               path, "-p", place, "--offline")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        listed = self.run_tool("ansible-galaxy", "collection", "list", "-p", place,
                               cwd=self.work.path, ANSIBLE_COLLECTIONS_PATH=place)
        self.assertIn(name, listed.stdout)
        inventory = self.work.file("hosts", "[vxlan_pipeline]\nlocalhost\n")
        for book in ("rollout", "rollback", "uninstall"):
            with self.subTest(book):
                result = self.run_tool("ansible-playbook", "--syntax-check", "-i", inventory,
                                       f"{name}.{book}", cwd=self.work.path,
                                       ANSIBLE_COLLECTIONS_PATH=place)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_modules(self):
        """Only ansible.builtin: nothing to install but ansible-core."""
        for path in yaml_files():
            for match in re.finditer(r"(?m)^\s*(?:- )?((?:\w+\.){2}\w+):", text(COLLECTION, path)):
                with self.subTest(f"{path}: {match[1]}"):
                    self.assertRegex(match[1], r"^ansible\.builtin\.")


class Inventories(Tool):
    KNOWN = set(load(ROLE, "defaults", "main.yml"))

    def variables(self, path, before=(), **environment):
        """
        {machine: its variables that begin with vxlan_pipeline_ or ansible_, and instance_id}, with
        every template filled in, of the machines that the playbooks change.
        """
        names = "query('ansible.builtin.varnames', '^vxlan_pipeline_|^instance_id$|^ansible_host$')"
        show = self.work.file("show.yml", json.dumps([{
            "hosts": "vxlan_pipeline", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {
                "msg": f"{{{{ dict({names} | zip(query('ansible.builtin.vars', *{names}))) }}}}"
            }}]}]))
        result = self.run_tool(*before, "ansible-playbook", "-i", path, show, **environment)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return {match[1]: json.JSONDecoder().raw_decode(result.stdout, match.end())[0]["msg"]
                for match in re.finditer(r"(?m)^ok: \[(.+)\] => ", result.stdout)}

    def check(self, found):
        """Each machine has a configuration that the product takes, and no unknown variable."""
        self.assertTrue(found)
        for host, variables in found.items():
            with self.subTest(host):
                self.assertEqual({name for name in variables if name.startswith("vxlan_pipeline_")}
                                 - self.KNOWN, set())
                path = self.work.file("config.yaml", json.dumps(variables["vxlan_pipeline_config"]))
                run(program.PROGRAM, "config", "check", "-c", path)

    def test_static(self):
        """The static example has the group that the playbooks change, and variables for it."""
        self.check(self.variables(os.path.join(COLLECTION, "inventories", "hosts.yml")))

    def test_of_the_page(self):
        """So has the inventory that docs/ansible.md begins with."""
        page = text(program.ROOT, "docs", "ansible.md")
        block = re.search(r"(?m)^    vxlan_pipeline:.*\n(?:(?:    .*)?\n)+", page)[0]
        self.check(self.variables(self.work.file("hosts.yml", textwrap.dedent(block))))

    def test_of_ec2(self):
        """
        The example for EC2 finds the appliances among an account's instances, by their tags, each
        with the address to reach it at and the id that a target group knows it by.
        """
        need_commands("openssl", "dpkg-deb")
        if run("/usr/bin/python3", "-c", "import boto3", check=False).returncode:
            self.skipTest("this machine's python3 has no boto3")
        path = os.path.join(COLLECTION, "inventories", "aws_ec2.yml")
        example = load(path)
        collections = ec2.plugin(os.path.join(program.ROOT, "build", "ansible-collections"))
        tags = {name[4:]: value[0] if isinstance(value, list) else value
                for name, value in example["filters"].items() if name.startswith("tag:")}
        self.assertTrue(tags, "the example selects by tags")
        control = Namespace(self, "control")
        cloud = ec2.Ec2(self, control, self.work, example["regions"][0], [
            {"instanceId": "i-0000000000000000a", "privateIpAddress": "10.30.1.2",
             "privateDnsName": "ip-10-30-1-2.internal", "state": "running",
             "tags": {"Name": "mirror-a", **tags}},
            {"instanceId": "i-0000000000000000b", "privateIpAddress": "10.30.2.2",
             "privateDnsName": "ip-10-30-2-2.internal", "state": "running",
             "tags": {"Name": "mirror-b", **tags}},
            {"instanceId": "i-0000000000000000c", "privateIpAddress": "10.30.3.2",
             "privateDnsName": "ip-10-30-3-2.internal", "state": "running",
             "tags": {"Name": "database"}},
            {"instanceId": "i-0000000000000000d", "privateIpAddress": "10.30.4.2",
             "privateDnsName": "ip-10-30-4-2.internal", "state": "terminated",
             "tags": {"Name": "mirror-gone", **tags}}])
        ask = control.command("ansible-inventory", "-i", path)
        environment = {**cloud.environment, "ANSIBLE_COLLECTIONS_PATH": collections}
        graph = self.run_tool(*ask, "--graph", **environment)
        self.assertEqual((graph.returncode, "WARNING" in graph.stderr), (0, False),
                         graph.stdout + graph.stderr)
        found = self.variables(path, control.command(), **environment)
        self.assertEqual(sorted(row["instance_id"] for row in found.values()),
                         ["i-0000000000000000a", "i-0000000000000000b"])
        self.assertEqual(sorted(row["ansible_host"] for row in found.values()),
                         ["10.30.1.2", "10.30.2.2"])
        for host in found:
            self.assertIn(host, graph.stdout)
        self.check(found)
