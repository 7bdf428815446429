# SPDX-License-Identifier: GPL-2.0-only
"""The image run by podman with runc, with what docs/containers.md permits it and no more."""

import json
import os
import re

import markdown
import rig
from engine import CAPABILITIES, PROFILE, Container, mounts, once, storage
from lib.command import wait_for
from lib.daemon import BPFFS, PINS, STATE
from sides import NEW, OLD

PPS = 180000
KEPT = "000000c000001000"  # CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, as the kernel writes them
OWN = "/etc/vxlan-pipeline/config.yaml"


class Scene(rig.Ground):
    """The appliance of the endurance tests, with its daemon in a container."""

    def setUp(self):
        storage()
        super().setUp()
        os.makedirs(STATE, exist_ok=True)
        # what docs/containers.md asks of a host
        self.appliance.sysctl("net.ipv4.fwmark_reflect=1", "net.ipv6.fwmark_reflect=1",
                              "net.ipv4.tcp_fwmark_accept=1")

    @property
    def run_words(self):
        return "run", "--instance", self.instance, "-c", OWN

    def contain(self, side, *words, **options):
        """A daemon in a container, with the configuration of the side; it may be that one's that runs."""
        self.take_side(side)
        self.journal.note(f"a container, {side.name} rules")
        return Container(self, self.appliance, self.work.path, *self.run_words, *words, **options)

    def once(self, *words, **options):
        return once(self.appliance, self.work.path, *words, **options)

    def fails(self, result, *patterns):
        """One sentence, exit 1."""
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        for pattern in patterns:
            self.assertRegex(result.stderr, pattern)

    def own(self, command):
        return command, "--instance", self.instance


class Life(Scene):
    def test_restrictions(self):
        """Three capabilities, no new privileges, a filter of system calls, a root that is read-only."""
        container = self.contain(OLD).ready()
        with open(f"/proc/{container.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        self.assertEqual([status[name] for name in ("CapPrm", "CapEff", "CapBnd")], [KEPT] * 3)
        self.assertEqual([status[name] for name in ("CapInh", "CapAmb")], ["0" * 16] * 2)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        with open(f"/proc/{container.pid}/mountinfo", encoding="ascii") as file:
            found = [line.split() for line in file if line.split()[4] == "/"]
        self.assertIn("ro", found[0][5].split(","))

    def test_commands(self):
        """Commands in the container and on the host say the same; only the former reach the daemon."""
        container = self.contain(OLD).ready()
        wait_for(lambda: container.exec(*self.own("status"), check=False).returncode == 0, 10, "health")
        inside = json.loads(container.exec(*self.own("status"), "--json").stdout)
        outside = self.json("status")
        self.assertEqual((inside.pop("pid"), outside.pop("pid")), (1, None))
        self.assertEqual([inside[key] for key in ("state", "condition", "reasons", "since")],
                         [outside[key] for key in ("state", "condition", "reasons", "since")])
        self.assertEqual((inside["state"], inside["condition"]), ("running", "good"))
        self.assertEqual(json.loads(container.exec(*self.own("stats"), "--json").stdout)["rules"],
                         self.stats()["rules"])
        self.take_side(NEW)
        self.fails(self.cli(*self.own("reload"), check=False), "in a container|another PID namespace")
        self.assertEqual(container.exec(*self.own("reload")).stderr, "")
        self.assertEqual(self.stats()["rules"][1]["to"], "10.20.0.4:9001")
        container.exec(*self.own("drain"))
        self.assertEqual(container.exec(*self.own("status"), check=False).returncode, 1)
        container.exec(*self.own("drain"), "--undo")
        check = container.exec("check", *self.own("config check")[1:], "-c", OWN, check=False)
        self.assertRegex(check.stdout, r"(?m)^ok ")
        container.podman("stop", container.id)
        self.assertEqual(container.wait(), 0)
        self.assert_nothing_left()

    def test_health(self):
        """The engine's health check needs no shell in the image: it runs the program."""
        container = self.contain(OLD, options=(
            "--health-cmd", json.dumps(["/usr/bin/vxlan-pipeline", *self.own("status")]),
            "--health-interval", "disable")).ready()
        for sentence, words, status in (("healthy", (), 0), ("drained", self.own("drain"), 1)):
            with self.subTest(sentence):
                if words:
                    container.exec(*words)
                wait_for(lambda code=status: container.podman(
                    "healthcheck", "run", container.id, check=False).returncode == code, 10, sentence)

    def test_a_second_container(self):
        """Of one instance: refused, whether it has the same /run or another one."""
        container = self.contain(OLD).ready()
        elsewhere = os.path.join(self.work.path, "run")
        os.mkdir(elsewhere)
        apart = tuple(word.replace(f"{STATE}:", f"{elsewhere}:") for word in mounts(self.work.path))
        said = dict(markdown.table("docs/containers.md", "what is wrong"))
        for sentence, volumes in (
                ("another container runs the instance", mounts(self.work.path)),
                ("another container runs it, with another /run", apart)):
            with self.subTest(sentence):
                self.fails(self.once(*self.run_words, volumes=volumes), re.escape(said[sentence]))
                self.assertTrue(container.inspect()["State"]["Running"])
        container.signal("TERM")
        container.wait()
        self.assert_nothing_left()

    def test_what_needs_more(self):
        """explain and tune say that they do not work inside, and where they do."""
        self.take_side(OLD)
        capture = self.work.file("in.pcap")
        with open(capture, "wb") as file:
            file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for words in (("explain", "-c", OWN, "/etc/vxlan-pipeline/in.pcap"), ("tune", "-c", OWN)):
            with self.subTest(words[0]):
                self.fails(self.once(*words), "container", "on the host")

    def test_memory(self):
        """65,536 rules start and run within 32 MB, and are loaded anew within 64."""
        self.write()
        with open(self.config_path, "a", encoding="ascii") as file:
            file.write("nat:\n  - match: {vni: 1, protocol: tcp}\n    to: 10.20.0.2\n")
            file.writelines(f"  - match: {{source_port: {n}}}\n    to: 10.20.0.2:{n}\n"
                            for n in range(1, 65536))
        for limit, reloads in (("32m", False), ("64m", True)):
            with self.subTest(limit):
                container = Container(self, self.appliance, self.work.path, *self.run_words, options=(
                    "--memory", limit, "--memory-swap", limit)).ready(" 65536 rules")
                self.assertEqual(len(self.stats()["rules"]), 65536)
                if reloads:  # not by `podman exec`, which needs memory of the container's own
                    container.signal("HUP")
                    container.ready("reloaded")
                container.podman("stop", container.id)
                self.assertEqual(container.wait(), 0, container.log)
                self.assertFalse(container.inspect()["State"]["OOMKilled"])
                self.assert_nothing_left()


class Replacement(Scene):
    REPLACEMENTS = 5

    def test_replacements(self):
        """USR1 ends the daemon and the next container takes over: 0 lost, five times."""
        container = self.contain(OLD).ready()
        sender = self.send(PPS)
        for _ in range(self.REPLACEMENTS):
            self.journal.note("USR1")
            container.signal("USR1")
            self.assertEqual(container.wait(), 0)
            container = self.contain(self.other_side()).ready("program replaced")
            self.check_in_force()
        self.check(sender)

    def test_lingering(self):
        """With --linger, as in a pod, any stop leaves the datapath; a command removes it for good."""
        container = self.contain(OLD, "--linger").ready()
        sender = self.send(PPS)
        container.podman("stop", container.id)
        self.assertEqual(container.wait(), 0)
        self.assertEqual(self.json("status")["state"], "unattended")
        container = self.contain(NEW, "--linger").ready("program replaced")
        self.check_in_force()
        container.podman("stop", container.id)
        self.check(sender)
        self.assertEqual(self.once(*self.own("stop")).returncode, 0)
        self.assert_nothing_left()

    def test_kill(self):
        """SIGKILL, as of a kernel that is out of memory: 0 lost."""
        container = self.contain(OLD).ready()
        sender = self.send(PPS)
        container.signal("KILL")
        container.wait()
        self.let_come()
        self.contain(NEW).ready("program replaced")
        self.check_in_force()
        self.check(sender)


class BadInput(Scene):
    """A start that cannot succeed: one sentence, exit 1, nothing left."""

    def volumes(self, bpffs=None, state=None):
        """The mounts with others in their place; empty: none."""
        found = list(mounts(self.work.path))
        for index, instead in ((1, bpffs), (3, state)):
            if instead is not None:
                found[index] = instead
        return tuple(word for number, word in enumerate(found)
                     if found[number | 1] and word)

    def rows(self):
        """What is wrong, as in docs/containers.md, and how a container comes to have it."""
        empty = os.path.join(self.work.path, "empty")
        os.mkdir(empty)
        yield "no BPF file system", {"volumes": self.volumes(bpffs="")}
        yield "a directory in its place", {"volumes": self.volumes(bpffs=f"{empty}:{BPFFS}")}
        yield ("a BPF file system that is read-only",
               {"volumes": self.volumes(bpffs=f"{BPFFS}:{BPFFS}:ro")})
        yield f"no {STATE}", {"volumes": self.volumes(state="")}
        yield f"a {STATE} that is read-only", {"volumes": self.volumes(state=f"{STATE}:{STATE}:ro")}
        yield "a filter that denies bpf(2)", {"profile": self.denying("bpf")}
        for name in CAPABILITIES:
            yield f"no {name}", {"capabilities": [one for one in CAPABILITIES if one != name]}
        yield "no capability at all", {"capabilities": ()}

    def test_what_is_missing(self):
        """Each row of the documentation's table says what the table says."""
        self.take_side(OLD)
        documented, tried = dict(markdown.table("docs/containers.md", "what is wrong")), set()
        for sentence, changes in self.rows():
            with self.subTest(sentence):
                tried.add(sentence)
                self.fails(self.once(*self.run_words, **changes), re.escape(documented[sentence]))
                self.assert_nothing_left()
                self.assertFalse(os.path.exists(PINS) and os.listdir(PINS))
        self.assertEqual(set(documented) - tried, {
            sentence for sentence in documented if sentence.startswith("another container")})

    def denying(self, *calls):
        """A copy of the profile without these system calls."""
        with open(PROFILE, encoding="ascii") as file:
            profile = json.load(file)
        for group in profile["syscalls"]:
            group["names"] = [name for name in group["names"] if name not in calls]
        return self.work.file("seccomp.json", json.dumps(profile))

    def test_configuration(self):
        """A mistake in the file, and no file: exit 2, as on a host."""
        self.work.file("config.yaml", "listen: {interfaze: in0}\n")
        result = self.once(*self.run_words)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertRegex(result.stderr, "listen.interfaze")
        os.unlink(self.config_path)
        result = self.once(*self.run_words)
        self.assertIn(OWN, result.stderr)
        self.assert_nothing_left()
