# SPDX-License-Identifier: GPL-2.0-only
"""
`tune` on real interfaces and settings: applied, applied again, put back, interrupted halfway.

in9 is a tap: its driver runs XDP programs on frames in one buffer only, so its MTU matters. The
tests mount files of their own over the host's state directory and the CPUs' idle states.
"""

import fcntl
import json
import os

from lib import program
from lib.command import injected, need_commands
from lib.life import Lifecycle

WRAPPER = ("unshare", "--mount", "sh", "-c",
           'mount --bind "$TUNE_STATE" /var/lib && '
           'mount --bind "$TUNE_CPUS" /sys/devices/system/cpu && '
           'for f in $TUNE_READ_ONLY; do mount --bind "$f" "$f" && '
           'mount -o remount,bind,ro "$f"; done && exec "$@"', "sh")
IDLE = [f"cpu{cpu}/cpuidle/state{state}/disable" for cpu in range(2) for state in range(4)]

# The settings that `tune` changes here: (value before, value after).
WANTED = {
    "in9 mtu": (9000, 3498),
    "net/ipv4/conf/out0/forwarding": (0, 1),
    "net/ipv4/conf/in9/forwarding": (0, 1),
    "net/ipv6/conf/out0/accept_ra": (1, 2),
    "net/ipv6/conf/out0/forwarding": (0, 1),
    "net/ipv4/conf/all/rp_filter": (2, 0),
    "net/ipv4/conf/in9/rp_filter": (1, 0),
    "net/ipv4/conf/all/send_redirects": (1, 0),
    "net/ipv4/conf/in9/send_redirects": (1, 0),
    "cpu/cpu0/cpuidle/state2/disable": (0, 1),
    "cpu/cpu1/cpuidle/state2/disable": (0, 1),
    "cpu/cpu1/cpuidle/state3/disable": (0, 1),  # that of cpu0 is disabled already
}
# Kernels without it forward IPv6 from all interfaces or from none: `tune` leaves that alone.
FORCES_IPV6 = os.path.exists("/proc/sys/net/ipv6/conf/lo/force_forwarding")
if FORCES_IPV6:
    WANTED["net/ipv6/conf/in9/force_forwarding"] = (0, 1)


class Tune(Lifecycle):
    CONFIG = program.merge(Lifecycle.CONFIG, {"listen": {"interface": "in9"}})

    def setUp(self):
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("this machine has no tap devices (/dev/net/tun)")
        super().setUp()
        self.state = os.path.join(self.work.path, "state")
        self.cpus = os.path.join(self.work.path, "cpus")
        self.record = os.path.join(self.state, "vxlan-pipeline", self.instance, "tune.json")
        os.mkdir(self.state)
        for name in IDLE:
            path = os.path.join(self.cpus, name)
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="ascii") as file:
                file.write("1\n" if "cpu0/cpuidle/state3" in name else "0\n")
        self.appliance.ip("tuntap", "add", "in9", "mode", "tap")
        self.appliance.ip("link", "set", "in9", "mtu", "9000", "up")
        self.appliance.sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0",
                              "net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.in9.rp_filter=1",
                              "net.ipv4.conf.all.send_redirects=1",
                              "net.ipv4.conf.in9.send_redirects=1")

    def command(self, *words, read_only="", before=()):
        """The command line and its environment, with the test's files mounted over the host's."""
        environment = {**os.environ, "TUNE_STATE": self.state, "TUNE_CPUS": self.cpus,
                       "TUNE_READ_ONLY": read_only}
        return (*WRAPPER, *before, program.PROGRAM, "tune", "--instance", self.instance,
                *words), environment

    def tune(self, *words, status=0, changes=(), **options):
        """Runs `tune --json`; returns {setting: its item}, or stderr if there is no JSON."""
        if "--revert" not in words:
            words = ("-c", self.write(*changes), *words)
        command, environment = self.command("--json", *words, **options)
        result = self.appliance.run(*command, check=False, env=environment)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertEqual(result.stderr == "", status == 0, result.stderr)
        if not result.stdout:
            return result.stderr
        return {item["setting"]: item for item in json.loads(result.stdout)["settings"]}

    def host(self):
        """{name: value} of the host's settings, those of `tune` and others."""
        values = {}
        for line in self.appliance.run("sysctl", "-e", "net.ipv4", "net.ipv6").stdout.splitlines():
            name, _, value = line.partition(" = ")
            values[name] = value
        for link in json.loads(self.appliance.ip("-j", "link", "show").stdout):
            values[link["ifname"]] = (link["mtu"], link["flags"])
        for name in IDLE:
            with open(os.path.join(self.cpus, name), encoding="ascii") as file:
                values[name] = file.read()
        # without counters and what changes by itself
        return {name: value for name, value in values.items()
                if not name.startswith(("net.ipv4.route", "net.ipv6.route"))
                and "random" not in name and "secret" not in name}

    @staticmethod
    def name_in_host(setting):
        if setting.startswith("cpu/"):
            return setting.removeprefix("cpu/")
        if setting.endswith(" mtu"):
            return setting.split()[0]
        return setting.replace("/", ".")


class Applied(Tune):
    def test_applied_twice_and_put_back(self):
        before = self.host()
        done = self.tune()
        self.assertEqual({name: (item["before"], item["after"]) for name, item in done.items()
                          if item["outcome"] == "changed"}, WANTED)
        self.assertEqual({name for name, item in done.items() if item["interrupts"]}, {"in9 mtu"})
        tuned = self.host()
        # IPv6 has its own copy of the MTU
        expected = {self.name_in_host(name) for name in WANTED} | {"net.ipv6.conf.in9.mtu"}
        self.assertEqual({name for name in before if before[name] != tuned[name]}, expected)
        self.assertEqual(tuned["in9"][0], 3498)
        self.assertEqual(tuned["cpu1/cpuidle/state3/disable"], "1\n")
        with open(self.record, encoding="ascii") as file:
            record = file.read()
        self.assertEqual(len(json.loads(record)["settings"]), len(WANTED))

        self.assertEqual([item for item in self.tune().values() if item["outcome"] == "changed"],
                         [])
        self.assertEqual(self.host(), tuned)
        with open(self.record, encoding="ascii") as file:
            self.assertEqual(file.read(), record)

        undone = self.tune("--revert")
        self.assertEqual({name: (item["after"], item["before"]) for name, item in undone.items()},
                         WANTED)
        self.assertEqual({item["note"] for item in undone.values()}, {"as it was"})
        self.assertEqual({name for name, item in undone.items() if item["interrupts"]},
                         {"in9 mtu"})
        self.assertEqual(self.host(), before)
        self.assertEqual(os.listdir(self.state), [])
        self.assertEqual(self.tune("--revert"), {})

    def test_dry_run(self):
        before = self.host()
        planned = self.tune("--dry-run")
        self.assertEqual({item["outcome"] for item in planned.values()}, {"planned"})
        self.assertEqual((planned["in9 mtu"]["before"], planned["in9 mtu"]["after"]), (9000, 3498))
        self.assertEqual(self.host(), before)
        self.assertEqual(os.listdir(self.state), [])

    def test_check_is_content_afterwards(self):
        """Except for findings whose fix is a setting of all interfaces, `all.forwarding`."""
        def found():
            command, environment = self.command()
            result = self.appliance.run(*command[:command.index("tune")], "check", "-c",
                                        self.write(), "--json", check=False, env=environment)
            return {item["check"]: item["fix"] for item in json.loads(result.stdout)["findings"]
                    if item["status"] != "ok" and "all.forwarding" not in (item["fix"] or "")}
        fixable = {"xdp_mtu", "forwarding", "rp_filter", "send_redirects", "idle_states"}
        before = found()
        self.assertLessEqual(fixable, set(before))
        self.assertEqual(before["idle_states"], f"vxlan-pipeline tune -c {self.write()}")
        self.tune()
        self.assertEqual(fixable & set(found()), set())

    def test_only_what_the_configuration_needs(self):
        """Forwarding settings stay if the kernel neither resolves next hops nor gets packets."""
        done = self.tune(changes=({"forward": {"next_hop": "keep", "oversize": "drop"}},))
        self.assertEqual({name for name in done if name.startswith("net/")}, set())
        self.assertIn("in9 mtu", done)

    def test_text(self):
        command, environment = self.command("-c", self.write())
        lines = self.appliance.run(*command, env=environment).stdout.splitlines()
        self.assertRegex(lines[0], r"^changed +in9 mtu +9000 -> 3498 .*interrupts")
        again = self.appliance.run(*command, env=environment).stdout
        self.assertIn("nothing to change", again)
        command, environment = self.command("--revert")
        self.assertRegex(self.appliance.run(*command, env=environment).stdout,
                         r"(?m)^changed +in9 mtu +3498 -> 9000 .*interrupts")
        self.assertIn("nothing to put back",
                      self.appliance.run(*command, env=environment).stdout)


class Meanwhile(Tune):
    """Others change the host between `tune` and `tune --revert`."""

    def test_changed_by_somebody_else(self):
        before = self.host()
        self.tune()
        self.appliance.ip("link", "set", "in9", "mtu", "2000")
        self.appliance.sysctl("net.ipv4.conf.all.rp_filter=2")
        undone = self.tune("--revert")
        self.assertIn("somebody", undone["in9 mtu"]["note"])
        self.assertIn("3498", undone["in9 mtu"]["note"])
        self.assertEqual(undone["net/ipv4/conf/all/rp_filter"]["outcome"], "unchanged")
        self.assertEqual(self.host(), before)

    def test_the_first_values_are_kept(self):
        """A second `tune`, as after a reboot, keeps the recorded values of the first."""
        before = self.host()
        self.tune()
        self.appliance.sysctl("net.ipv4.conf.in9.rp_filter=2")
        again = self.tune()
        self.assertEqual([name for name, item in again.items() if item["outcome"] == "changed"],
                         ["net/ipv4/conf/in9/rp_filter"])
        self.tune("--revert")
        self.assertEqual(self.host(), before)

    def test_traffic_is_not_interrupted(self):
        self.attach_program(self.appliance, "out0")
        self.appliance.ip("link", "set", "dev", "in9", "xdpgeneric", "obj",
                          self.build_foreign(), "sec", "xdp")
        done = self.tune()
        self.assertEqual(done["in9 mtu"]["outcome"], "skipped")
        self.assertEqual(self.appliance.link("in9")["mtu"], 9000)
        self.assertEqual(done["net/ipv4/conf/all/rp_filter"]["outcome"], "changed")

    def left(self):
        """The objects that the record still has."""
        with open(self.record, encoding="ascii") as file:
            return [item["object"] for item in json.load(file)["settings"]]

    def test_traffic_is_not_interrupted_on_the_way_back(self):
        before = self.host()
        self.tune()
        self.appliance.ip("link", "set", "dev", "in9", "xdpgeneric", "obj",
                          self.build_foreign(), "sec", "xdp")
        for again in (False, True):
            with self.subTest(again=again):
                undone = self.tune("--revert")
                mtu = undone.pop("in9 mtu")
                self.assertEqual((mtu["outcome"], mtu["before"], mtu["after"], mtu["interrupts"]),
                                 ("skipped", 3498, 9000, True))
                self.assertIn("in9 carries an XDP program", mtu["note"])
                self.assertIn("first: ", mtu["note"])
                self.assertEqual({item["outcome"] for item in undone.values()},
                                 set() if again else {"changed"}, undone)
                self.assertEqual(self.appliance.link("in9")["mtu"], 3498)
                self.assertEqual(self.left(), ["in9"])
        command, environment = self.command("--revert")
        self.assertRegex(self.appliance.run(*command, env=environment).stdout,
                         r"\Askipped +in9 mtu +3498 -> 9000 .*attached it\n"
                         r"skipped values stay recorded; .*\n\Z")
        self.appliance.ip("link", "set", "dev", "in9", "xdpgeneric", "off")
        undone = self.tune("--revert")
        self.assertEqual({name: (item["outcome"], item["interrupts"])
                          for name, item in undone.items()}, {"in9 mtu": ("changed", True)})
        self.assertEqual(self.host(), before)
        self.assertEqual(os.listdir(self.state), [])

    def test_the_instance_that_runs_is_named(self):
        """--revert names the running instance, and puts back what does not interrupt it."""
        self.tune()
        daemon = self.start()
        undone = self.tune("--revert")
        self.assertEqual(undone["in9 mtu"]["outcome"], "skipped")
        self.assertTrue(undone["in9 mtu"]["note"].endswith(
            f"; first: vxlan-pipeline stop --instance {self.instance}"), undone)
        self.assertEqual(undone["net/ipv4/conf/all/rp_filter"]["outcome"], "changed")
        self.assertEqual(self.appliance.link("in9")["mtu"], 3498)
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(self.tune("--revert")["in9 mtu"]["outcome"], "changed")
        self.assertEqual(self.appliance.link("in9")["mtu"], 9000)
        self.assertEqual(os.listdir(self.state), [])

    def test_put_back_by_somebody_else_meanwhile(self):
        """A value that is already back needs no interruption, whatever program is attached."""
        self.tune()
        self.appliance.ip("link", "set", "in9", "mtu", "9000")
        self.appliance.ip("link", "set", "dev", "in9", "xdpgeneric", "obj",
                          self.build_foreign(), "sec", "xdp")
        undone = self.tune("--revert")
        self.assertEqual((undone["in9 mtu"]["outcome"], undone["in9 mtu"]["interrupts"]),
                         ("unchanged", False))
        self.assertEqual(os.listdir(self.state), [])

    def test_interface_gone(self):
        self.tune()
        mtu = self.appliance.link("out0")["mtu"]
        self.appliance.ip("link", "delete", "in9")
        undone = self.tune("--revert", status=1)
        self.assertEqual(undone["in9 mtu"]["outcome"], "failed")
        self.assertEqual(undone["net/ipv4/conf/all/rp_filter"]["outcome"], "changed")
        left = self.left()
        self.assertTrue(left and all("in9" in name for name in left), left)
        self.assertEqual(left[0], "in9", "in the order in which they were changed")
        self.assertEqual(self.appliance.link("out0")["mtu"], mtu)
        # the interface is created again, and --revert puts back the rest
        self.appliance.ip("tuntap", "add", "in9", "mode", "tap")
        self.tune("--revert")
        self.assertEqual(self.appliance.link("in9")["mtu"], 9000)
        self.assertEqual(os.listdir(self.state), [])


class Failures(Tune):
    def test_one_value_fails(self):
        before = self.host()
        stuck = "cpu0/cpuidle/state2/disable"
        done = self.tune(status=1, read_only=f"/sys/devices/system/cpu/{stuck}")
        self.assertEqual([name for name, item in done.items() if item["outcome"] == "failed"],
                         [f"cpu/{stuck}"])
        self.assertEqual({name for name, item in done.items() if item["outcome"] == "changed"},
                         set(WANTED) - {f"cpu/{stuck}"})
        undone = self.tune("--revert")
        self.assertEqual(undone[f"cpu/{stuck}"]["outcome"], "unchanged")
        self.assertEqual(self.host(), before)
        self.assertEqual(os.listdir(self.state), [])

    def killed(self, words, call, when):
        """Runs `tune` and kills it at the `when`-th such call; False: it made fewer calls."""
        before = injected(call, f"signal=KILL:when={when}")
        command, environment = self.command(*words, before=before)
        result = self.appliance.run(*command, check=False, env=environment)
        return result.returncode != 0

    def test_killed_anywhere(self):
        """--revert puts back whatever a killed `tune` had changed."""
        need_commands("strace")
        before, kills = self.host(), 0
        path = self.write()
        for call in ("write", "fsync", "renameat"):
            for when in (1, 2, 3, 7, 11):
                with self.subTest(f"{call} {when}"):
                    kills += self.killed(("-c", path), call, when)
                    self.tune("--revert")
                    self.assertEqual(self.host(), before)
        self.assertGreaterEqual(kills, 8, "most calls are made")

    def test_killed_on_the_way_back(self):
        need_commands("strace")
        before, kills = self.host(), 0
        for call, when in (("write", 1), ("write", 4), ("write", 9), ("unlinkat", 1)):
            with self.subTest(f"{call} {when}"):
                self.tune()
                kills += self.killed(("--revert",), call, when)
                self.tune("--revert")
                self.assertEqual(self.host(), before)
                self.assertFalse(os.path.exists(self.record))
        self.assertEqual(kills, 4)

    def test_full_disk(self):
        """`tune` changes nothing if it cannot record it."""
        before = self.host()
        command, environment = self.command(
            "-c", self.write(), before=("sh", "-c", "mount -t tmpfs -o size=8k tmpfs /var/lib && "
                                        'head -c 8k /dev/zero > /var/lib/full; exec "$@"', "sh"))
        result = self.appliance.run(*command, check=False, env=environment)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)
        self.assertEqual(self.host(), before)

    def test_records_that_are_none(self):
        before = self.host()
        os.makedirs(os.path.dirname(self.record))
        evil = {"version": 1, "settings": [
            {"kind": "file", "object": os.path.join(self.work.path, "victim"), "before": 7,
             "after": 8}]}
        for sentence, text in (
                ("empty", ""), ("no JSON", "{"), ("another version", '{"version": 2}'),
                ("no values", '{"version": 1, "settings": [{}]}'),
                ("a file that is not ours to write", json.dumps(evil)),
                ("a way out", json.dumps(evil).replace(
                    self.work.path, "/proc/sys/net/../../.." + self.work.path))):
            with self.subTest(sentence):
                with open(self.record, "w", encoding="ascii") as file:
                    file.write(text)
                victim = self.work.file("victim", "8\n")
                for words in (("-c", self.write()), ("--revert",)):
                    command, environment = self.command(*words)
                    result = self.appliance.run(*command, check=False, env=environment)
                    self.assertEqual(result.returncode, 1, result.stdout)
                    self.assertIn("tune.json", result.stderr)
                with open(victim, encoding="ascii") as file:
                    self.assertEqual(file.read(), "8\n")
                self.assertEqual(self.host(), before)

    def test_one_at_a_time(self):
        before = self.host()
        directory = os.path.dirname(self.record)
        os.makedirs(directory)
        descriptor = os.open(directory, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self.assertIn("another tune", self.tune(status=1))
        self.assertEqual(self.host(), before)

    def test_without_root(self):
        os.chmod(self.work.path, 0o755)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                  "--inh-caps=-all", "--bounding-set=-all")
        planned = self.tune("--dry-run", before=nobody)
        self.assertIn("in9 mtu", planned)
        self.assertIn("run as root", self.tune(status=1, before=nobody))

    def test_usage(self):
        for words, status, said in (
                (("--dry-run", "--revert"), 2, "not both"), (("more",), 2, "more"),
                (("--facts", "x"), 2, "--dry-run"), (("--instance", "a/b"), 2, "a/b"),
                (("-c", "/nowhere.yaml"), 2, "/nowhere.yaml"),
                (("-c", self.write({"listen": {"interface": "nic9"}})), 1, "nic9")):
            with self.subTest(" ".join(words)):
                command, environment = self.command(*words)
                result = self.appliance.run(*command, check=False, env=environment)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertIn(said, result.stderr)
                self.assertEqual(result.stdout, "")
