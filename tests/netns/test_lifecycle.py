# SPDX-License-Identifier: GPL-2.0-only
"""The life of an instance: starts, refused starts, reloads, killed daemons, stops."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from lib import frames, program
from lib.command import injected, need_commands, wait_for
from lib.daemon import PINS, STATE, Daemon
from lib.life import TARGETS, Lifecycle, Traffic, rules, tunnels
from lib.namespace import unique, veth
from lib.port import Port, is_ip

# struct flock: a write lock on the whole file
WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class Start(Lifecycle):
    def test_foreign_program(self):
        """The start is refused, names the foreign program and leaves it alone."""
        foreign = self.attach_program(self.appliance, "in0")
        line = self.start_fails()
        self.assertIn("in0", line)
        self.assertTrue("somebody_elses" in line or str(foreign) in line, line)
        self.assertEqual(self.appliance.xdp("in0")["prog"]["id"], foreign)
        self.appliance.ip("link", "set", "dev", "in0", "xdp", "off")
        self.assert_nothing_left()

    def test_foreign_program_on_the_way_out(self):
        """The foreign program stays; as it passes packets, redirecting to out0 works."""
        foreign = self.attach_program(self.appliance, "out0")
        daemon = self.start()
        self.assertEqual(self.appliance.xdp("out0")["prog"]["id"], foreign)
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(self.appliance.xdp("out0")["prog"]["id"], foreign)

    def test_another_instance_on_the_interface(self):
        self.start()
        other = unique("i")
        self.addCleanup(self.remove_instance, other)
        line = self.fails("run", "-c", self.write(), "--instance", other, "-d", "5")
        self.assertIn("in0", line)
        self.assertTrue(self.forwards())
        self.assertFalse(os.path.exists(os.path.join(PINS, other)))

    def test_missing_interface(self):
        self.assertIn("nic9", self.start_fails({"listen": {"interface": "nic9"}}))
        self.assert_nothing_left()
        self.assertIn("nic9", self.start_fails({"forward": {"interface": "nic9"}}))
        self.assert_nothing_left()

    def test_not_root(self):
        """Without root, each command fails with one line that says it needs privileges."""
        need_commands("setpriv")
        os.chmod(self.work.path, 0o755)
        path = self.write()
        copy = shutil.copy(program.PROGRAM, self.work.path)
        self.start()
        for command in (("run", "-c", path), ("stop",), ("status",), ("stats",)):
            with self.subTest(command[0]):
                result = self.appliance.run("setpriv", "--reuid=65534", "--regid=65534",
                                            "--clear-groups", copy, *command, "--instance",
                                            self.instance, check=False)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
                self.assertRegex(result.stderr.lower(), "root|privilege|cap_|permi|permission")
        self.assertTrue(self.forwards())

    def test_configuration_errors(self):
        path = self.work.file("broken.yaml", "listen: {interface: in0, port: 99999}\nforwrd: 1\n")
        result = self.cli("run", "-c", path, "--instance", self.instance, check=False)
        self.assertEqual(result.returncode, 2, result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertTrue(any(line.startswith(f"{path}:1:") and "listen.port" in line
                            for line in lines), result.stderr)
        self.assertTrue(any(line.startswith(f"{path}:2:") and "forwrd" in line
                            for line in lines), result.stderr)
        self.assert_nothing_left()

    def test_usage_errors(self):
        for words in (("run", "--no-such-flag"), ("run", "stray"), ("no-such-command",),
                      ("run", "-d", "minus"), ("run", "-d"), ("stats", "-x"),
                      ("status", "--json=1"), ("explain", "-x"), ("generate", "--no-such-flag")):
            with self.subTest(" ".join(words)):
                result = self.cli(*words, check=False, timeout=10)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, "^vxlan-pipeline.*: .*\nTry 'vxlan-pipeline .*--help'"
                                                "\\.\n$")
        result = self.cli("run", "-c", "/nonexistent/file.yaml", check=False, timeout=10)
        self.assertEqual(result.returncode, 2)
        self.assertIn("/nonexistent/file.yaml", result.stderr)
        self.assert_nothing_left()

    def test_options_given_again(self):
        """The last one counts, however often an option is given."""
        line = self.fails("run", "-i", "in0", *["-t", "out0", "-I", "1"] * 20, "-t", "nic9",
                          "--instance", self.instance, "-d", "5")
        self.assertIn("nic9", line)
        self.assert_nothing_left()

    def test_second_daemon(self):
        daemon = self.start()
        line = self.start_fails()
        self.assertIn(str(daemon.pid), line)
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards())
        self.assertEqual(self.json("status")["pid"], daemon.pid)

    def test_daemons_that_start_together(self):
        """One daemon wins; the others name its process id and leave nothing."""
        path = self.write()
        for number in range(8):
            if number % 2:  # leaves the process id of a dead daemon in the lock file
                self.start().kill()
            daemons = [Daemon(self, self.appliance, "-c", path, instance=self.instance)
                       for _ in range(3)]
            wait_for(lambda some=daemons: sum(one.process.poll() is None for one in some) == 1,
                     20, "all but one to end")
            winner, = (one for one in daemons if one.process.poll() is None)
            winner.ready()
            for loser in daemons:
                if loser is not winner:
                    self.assertEqual(loser.wait(), 1)
                    self.assertRegex(loser.stderr, rf"^vxlan-pipeline: instance {self.instance} "
                                     rf"already has a daemon, process {winner.pid}; .*\n$")
            self.assertTrue(self.forwards(3))
            self.assertEqual(winner.terminate(), 0)
            self.assert_nothing_left()

    def is_locked(self):
        with open(os.path.join(STATE, self.instance, "lock"), "r+b") as file:
            found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, WHOLE_FILE)
        return struct.unpack("hhqqi4x", found)[0] != fcntl.F_UNLCK

    def test_a_lock_that_a_killed_daemon_had(self):
        """A refused start names the daemon that has just taken the lock, not the dead one."""
        self.start().kill()
        self.assertFalse(self.is_locked())
        daemon = self.start_by(*injected("fcntl", "delay_exit=200000"), "-D")
        wait_for(self.is_locked, 10, "the lock")
        self.assertIn(f" already has a daemon, process {daemon.pid};", self.start_fails())
        self.assertEqual(daemon.ready().terminate(), 0)
        self.assert_nothing_left()

    def test_a_lock_of_nobody(self):
        """A start waits a moment for a holder that has not identified itself, then gives up."""
        directory = os.path.join(STATE, self.instance)
        os.makedirs(directory)
        with open(os.path.join(directory, "lock"), "w", encoding="ascii") as file:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, WHOLE_FILE)
            self.assertIn("try again", self.start_fails())
            daemon = Daemon(self, self.appliance, "-c", self.write(), instance=self.instance)
            time.sleep(0.05)
        self.assertEqual(daemon.ready().terminate(), 0)
        self.assert_nothing_left()

    def test_native_mode_that_is_not_to_be_had(self):
        """`native` fails and says why; `auto` falls back and warns."""
        self.bridge()
        listen = {"interface": "br0", "xdp_mode": "native"}
        result = self.cli("run", "-c", self.write({"listen": listen}), "--instance",
                          self.instance, "-d", "1", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        self.assertRegex(result.stderr, "br0")
        self.assert_nothing_left()
        daemon = self.start({"listen": {"interface": "br0", "xdp_mode": "auto"}})
        self.assertEqual(self.json("status")["mode"], "generic")
        self.assertIn("generic", daemon.stderr)
        self.assertTrue(self.forwards())

    def test_bpffs_is_mounted_when_it_is_not(self):
        """In a mount namespace without a BPF file system, the start mounts one and succeeds."""
        need_commands("unshare")
        result = self.appliance.run(
            "unshare", "--mount", "--propagation", "private", "sh", "-c",
            'umount -l /sys/fs/bpf; grep -q " /sys/fs/bpf " /proc/mounts && exit 77; "$@"; '
            'grep " /sys/fs/bpf bpf " /proc/mounts', "sh", program.PROGRAM, "run", "-c",
            self.write(), "--instance", self.instance, "-d", "1", check=False)
        if result.returncode == 77:
            self.skipTest("/sys/fs/bpf is mounted more than once")
        self.assertIn("/sys/fs/bpf", result.stdout, result.stderr)
        self.assert_nothing_left()

    def test_a_failed_start_keeps_what_ran(self):
        """A lingering datapath outlives a start that fails."""
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        before = self.appliance.xdp("in0")["prog"]["id"]
        path = self.work.file("broken.yaml", "listen: {interface: in0, port: 99999}\n")
        self.assertEqual(self.cli("run", "-c", path, "--instance", self.instance,
                                  check=False).returncode, 2)
        self.start_fails({"forward": {"interface": "nic9"}})
        self.assertEqual(self.appliance.xdp("in0")["prog"]["id"], before)
        self.assertTrue(self.forwards())

    def test_a_failed_start_keeps_what_another_version_pinned(self):
        """A start replaces another version's counters only once it replaces its program."""
        need_commands("bpftool")
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        pin = os.path.join(PINS, self.instance, "counters")
        self.appliance.run("bpftool", "map", "create", f"{pin}-other", "type", "percpu_array",
                           "key", "4", "value", "24", "entries", "1", "name", "counters")
        os.rename(f"{pin}-other", pin)

        def number():
            shown = self.appliance.run("bpftool", "-j", "map", "show", "pinned", pin).stdout
            return json.loads(shown)["id"]
        before = number()
        self.appliance.ip("link", "add", "else0", "type", "veth", "peer", "name", "else1")
        self.attach_program(self.appliance, "else0")
        self.assertIn("else0", self.start_fails({"listen": {"interface": "else0"}}))
        self.assertEqual(number(), before)
        self.assertTrue(self.forwards())
        began = time.monotonic()
        daemon = self.start()
        self.assertNotEqual(number(), before)
        # and so does the time that they are of
        self.assertLess(self.json("stats")["uptime_seconds"], time.monotonic() - began)
        self.assertIn("the counters start anew", daemon.stderr)
        self.assertTrue(self.forwards(5))
        self.assertEqual(self.verdicts(), {"redirected": 5})


    def test_losses_of_a_version_that_knew_fewer_kinds(self):
        """The kinds are counted anew, and all of them."""
        need_commands("bpftool")
        self.assertEqual(self.start(arguments=["--linger"]).terminate(), 0)
        pin = os.path.join(PINS, self.instance, "losses")
        self.appliance.run("bpftool", "map", "create", f"{pin}-other", "type", "percpu_array",
                           "key", "4", "value", "24", "entries", "2", "name", "losses")
        os.rename(f"{pin}-other", pin)
        self.start()
        status = json.loads(self.cli("status", "--json", "--instance", self.instance).stdout)
        self.assertTrue(status["transmit_losses_counted"])
        self.assertIn("passed_dropped", {row["reason"] for row in status["losses"]})


class Stop(Lifecycle):
    def test_signals_leave_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                daemon = self.start()
                self.assertTrue(self.forwards())
                self.assertIsNotNone(self.appliance.xdp("in0"))
                daemon.signal(number)
                self.assertEqual(daemon.wait(), 0, daemon.stderr)
                self.assert_nothing_left()

    def test_duration(self):
        started = time.monotonic()
        daemon = Daemon(self, self.appliance, "-c", self.write(), "-d", "2",
                        instance=self.instance).ready()
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.wait(10), 0, daemon.stderr)
        self.assertGreater(time.monotonic() - started, 1.5)
        self.assert_nothing_left()

    def test_stop_with_a_daemon(self):
        daemon = self.start()
        self.cli("stop", "--instance", self.instance)
        wait_for(lambda: daemon.process.poll() is not None, 10, "the daemon to end")
        self.assert_nothing_left()

    def test_stop_without_a_daemon(self):
        daemon = self.start()
        daemon.kill()
        self.assertTrue(self.forwards())
        self.cli("stop", "--instance", self.instance)
        self.assert_nothing_left()
        self.assertEqual(self.json("status")["state"], "detached")

    def test_stop_of_nothing(self):
        """`stop` without an instance ends in order and leaves nothing."""
        self.assertIn(self.cli("stop", "--instance", self.instance,
                               check=False).returncode, (0, 1))
        self.assert_nothing_left()

    def test_stop_of_a_daemon_that_is_stopped(self):
        """`stop` detaches and says how to end the daemon; that attaches nothing when it goes on."""
        daemon = self.start(arguments=["--linger"])
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        said = self.fails("stop", "--instance", self.instance)
        self.assertIn(f"kill -CONT {daemon.pid}", said)
        self.assertIsNone(self.appliance.xdp("in0"))
        daemon.signal(signal.SIGCONT)
        self.assertEqual(daemon.wait(), 0)
        self.assertIsNone(self.appliance.xdp("in0"))
        self.assert_nothing_left()

    def test_linger(self):
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        self.assertTrue(self.forwards())
        self.assertEqual(self.json("status")["state"], "unattended")
        self.cli("stop", "--instance", self.instance)
        self.assert_nothing_left()

    def test_instances_are_independent(self):
        """Stopping one instance leaves the other running; each has its own counters."""
        veth(self.sender, "s1", self.appliance, "in1")
        self.attach_program(self.sender, "s1")
        other_port = Port(self, self.sender, "s1")
        first = self.start()
        other = unique("i")
        self.addCleanup(self.remove_instance, other)
        config = program.to_yaml({"listen": {"interface": "in1", "vnis": [5]},
                                  "forward": {"next_hop": "keep", "unmatched": "forward"},
                                  "http": {"listen": "off"}})
        second = Daemon(self, self.appliance, "-c", self.work.file("other.yaml", config),
                        instance=other).ready()
        self.assertTrue(self.forwards())
        other_port.send(*[frames.tunnel(frames.inner(frames.udp("10.3.0.1", "10.3.0.2", 1, 2)),
                                        vni=5)] * 3)
        self.assertEqual(len(other_port.receive(is_ip, 3)), 3)
        self.assertEqual(self.verdicts(), {"redirected": 10})
        self.assertEqual(second.terminate(), 0)
        self.assertTrue(self.forwards(), "the first goes on")
        self.assertEqual(first.terminate(), 0)
        self.assert_nothing_left()

class Death(Lifecycle):
    def test_killed(self):
        """SIGKILL stops no packet; the next start adopts, counters included."""
        daemon = self.start()
        self.assertTrue(self.forwards(10))
        attached = self.json("status")["since"]
        daemon.kill()
        self.assertTrue(self.forwards(7), "forwarding goes on")
        status = self.json("status")
        self.assertEqual(status["state"], "unattended")
        self.assertEqual(self.verdicts(), {"redirected": 17}, "stats answers without a daemon")
        self.start()
        status = self.json("status")
        self.assertEqual(status["state"], "running")
        self.assertEqual(self.verdicts(), {"redirected": 17}, "counters survive")
        self.assertEqual(status["since"], attached, "attached since then, not since the restart")
        self.assertTrue(self.forwards(5))
        self.assertEqual(self.verdicts(), {"redirected": 22})
        self.assertEqual(self.stats()["rules"][0]["packets"], 22)

    def test_killed_with_a_link_down(self):
        """What it knew of its neighbours before the link went down serves once that is back."""
        daemon = self.start()
        self.assertTrue(self.forwards())
        self.appliance.ip("link", "set", "out0", "down")
        time.sleep(0.2)
        daemon.kill()
        self.start()
        time.sleep(2)  # long enough to give a neighbour up
        self.appliance.ip("link", "set", "out0", "up")
        wait_for(lambda: self.appliance.link("out0")["operstate"] == "UP", 10, "out0")
        time.sleep(0.02)
        self.assertTrue(self.forwards())

    def test_restart_loses_nothing(self):
        """Killed and started again three times under traffic: every packet arrives once."""
        daemon = self.start()
        with Traffic(self) as traffic:
            for _ in range(3):
                daemon.kill()
                time.sleep(0.1)
                daemon = self.start()
        self.assertEqual(traffic.arrived(), traffic.sent)

    def test_adopted_with_other_rules(self):
        """A daemon that adopts an instance puts its own configuration in force."""
        daemon = self.start(rules(TARGETS[0]), arguments=["--linger"])
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.start(rules(TARGETS[1]))
        self.in_port.send(*tunnels(3))
        self.assertEqual([frame[36:38] for frame in self.out_port.receive(is_ip, 3)],
                         [(9092).to_bytes(2, "big")] * 3)
        self.assertEqual(self.verdicts(), {"redirected": 13})

    def test_stopping_ends_the_counters(self):
        daemon = self.start()
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.start()
        self.assertEqual(self.verdicts(), {})


class Heartbeat(Lifecycle):
    def programs(self):
        """{type: runs} of the programs with the heartbeat map: the datapath's and the daemon's."""
        pin = os.path.join(PINS, self.instance, "heartbeat")
        shown = json.loads(self.appliance.run("bpftool", "-j", "map", "show", "pinned", pin).stdout)
        programs = json.loads(self.appliance.run("bpftool", "-j", "prog", "show").stdout)
        return {each["type"]: each.get("run_cnt", 0) for each in programs
                if shown["id"] in each.get("map_ids", ())}

    def test_is_no_xdp_program(self):
        """Test runs of an XDP program make kernels before 5.18 rewrite code other programs use."""
        need_commands("bpftool")
        before = self.appliance.run("sysctl", "-n", "kernel.bpf_stats_enabled").stdout.strip()
        self.addCleanup(self.appliance.sysctl, f"kernel.bpf_stats_enabled={before}")
        self.appliance.sysctl("kernel.bpf_stats_enabled=1")
        self.start()
        wait_for(lambda: self.programs().get("socket_filter", 0) > 5, 5, "heartbeats")
        self.assertEqual(set(self.programs()), {"xdp", "socket_filter"})


class Reload(Lifecycle):
    def reload(self, daemon, *changes):
        self.write(*changes)
        daemon.signal(signal.SIGHUP)

    def wait_for_target(self, target):
        wait_for(lambda: [rule["to"] for rule in self.stats()["rules"]] == [target], 10,
                 f"the rules to be {target}")

    def test_good_file(self):
        daemon = self.start(rules(TARGETS[0]))
        self.assertTrue(self.forwards(4))
        self.reload(daemon, rules(TARGETS[1]))
        self.wait_for_target(TARGETS[1])
        self.in_port.send(*tunnels(6))
        self.assertEqual([frame[36:38] for frame in self.out_port.receive(is_ip, 6)],
                         [(9092).to_bytes(2, "big")] * 6)
        self.assertEqual(self.verdicts(), {"redirected": 10}, "counters survive")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_broken_files(self):
        """A reload of a broken file changes nothing, and the log says why."""
        daemon = self.start(rules(TARGETS[0]))
        before = self.appliance.xdp("in0")["prog"]["id"]
        path = os.path.join(self.work.path, "config.yaml")
        for sentence, text, reason in (
                ("no YAML", "listen: [interface", "config.yaml:"),
                ("an unknown key", "listen: {interface: in0}\nlissten: {}\n", "lissten"),
                ("a value out of range", "listen: {interface: in0, port: 70000}\n",
                 "listen.port"),
                ("an interface that is not there",
                 "listen: {interface: in0}\nforward: {interface: nic9}\n", "nic9"),
                ("no file", None, "config.yaml")):
            with self.subTest(sentence):
                logged = len(daemon.stderr)
                if text is None:
                    os.unlink(path)
                else:
                    self.work.file("config.yaml", text)
                daemon.signal(signal.SIGHUP)
                wait_for(lambda n=logged, r=reason: r in daemon.stderr[n:], 10,
                         f"a log line with {reason}")
                self.assertIsNone(daemon.process.poll())
                self.assertEqual(self.appliance.xdp("in0")["prog"]["id"], before)
                self.assertTrue(self.forwards(3))
        self.reload(daemon, rules(TARGETS[1]))
        self.wait_for_target(TARGETS[1])

    def ask(self, *words, status=0):
        """Runs `reload`; returns its stderr."""
        result = self.cli("reload", "--instance", self.instance, *words, check=False)
        self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
        return result.stderr

    def asking(self, *words):
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "reload", "--instance", self.instance, *words),
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_command(self):
        """When `reload` returns, the new rules are in force."""
        self.start(rules(TARGETS[0]))
        for number in (1, 0, 1):
            self.write(rules(TARGETS[number]))
            self.assertEqual(self.ask(), "")
            self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[number]])

    def test_command_after_a_daemon_that_was_killed(self):
        """`reload` does not mistake a dead daemon's reloads for those of the next one."""
        daemon = self.start(rules(TARGETS[0]))
        self.ask()
        self.ask()
        daemon.kill()
        self.start(rules(TARGETS[0]))
        self.write(rules(TARGETS[1]))
        self.ask()
        self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])

    def test_command_refused(self):
        daemon = self.start(rules(TARGETS[0]))
        for sentence, change, reason in (
                ("a mistake in the file", {"listen": {"port": 70000}}, "listen.port: '70000'"),
                ("two mistakes", {"listen": {"port": 70000, "vnis": [-1]}},
                 "; the log lists 1 more problem; "),
                ("an interface that is not there", {"forward": {"interface": "nic9"}}, "nic9")):
            with self.subTest(sentence):
                self.write(rules(TARGETS[1]), change)
                said = self.ask(status=1)
                self.assertRegex(said, r"\Avxlan-pipeline: not reloaded: .*; the configuration "
                                       r"before stays\n\Z")
                self.assertIn(reason, said)
                self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[0]])
        self.assertIn("listen.port", daemon.stderr, "the log lists them")
        self.write(rules(TARGETS[1]))
        self.ask()

    def test_several_at_once(self):
        """Each of several `reload`s returns once the file as it was when it began is in force."""
        self.start(rules(TARGETS[0]))
        self.write(rules(TARGETS[1]))
        asking = [self.asking() for _ in range(5)]
        self.assertEqual([process.wait(60) for process in asking], [0] * 5)
        self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])

    def test_command_without_answer(self):
        self.assertIn("no daemon", self.ask(status=1))
        daemon = self.start(rules(TARGETS[0]))
        daemon.signal(signal.SIGSTOP)
        self.assertIn("no answer", self.ask("--timeout", "1", status=1))
        daemon.signal(signal.SIGCONT)
        self.ask()
        daemon.signal(signal.SIGSTOP)
        asking = self.asking()
        wait_for(lambda: self.is_asked(daemon), 10, "the signal")
        daemon.kill()
        self.assertEqual(asking.wait(60), 1)
        self.assertIn("has ended", asking.stderr.read())

    def test_command_meets_half_a_record(self):
        """`reload` ignores a record that is not written to its end."""
        daemon = self.start(rules(TARGETS[0]))
        daemon.signal(signal.SIGSTOP)
        asking = self.asking("--timeout", "1")
        wait_for(lambda: self.is_asked(daemon), 10, "the signal")
        with open(os.path.join(STATE, self.instance, "reloads"), "r+b") as file:
            file.write(struct.pack("=III", 2, 9, 9))
        self.assertEqual(asking.wait(60), 1)
        self.assertIn("no answer", asking.stderr.read())
        daemon.signal(signal.SIGCONT)
        self.ask()

    def test_command_needs_root(self):
        """`reload` without root says so, instead of that there is no daemon."""
        self.start()
        os.chmod(self.work.path, 0o755)
        result = self.appliance.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                    program.PROGRAM, "reload", "--instance", self.instance,
                                    check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("run as root", result.stderr)

    @staticmethod
    def is_asked(daemon):
        """Whether a SIGHUP is pending for the daemon."""
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as stream:
            pending = int(re.search(r"^ShdPnd:\s*(\w+)", stream.read(), re.M)[1], 16)
        return bool(pending & 1 << (signal.SIGHUP - 1))

    def test_under_traffic(self):
        """No packet is lost, none comes twice, and no old rule applies after a new one."""
        daemon = self.start(rules(TARGETS[0]))
        with Traffic(self) as traffic:
            for number in range(1, 7):
                self.reload(daemon, rules(TARGETS[number % 2]))
                self.wait_for_target(TARGETS[number % 2])
                time.sleep(0.05)
        self.assertEqual(traffic.arrived(), traffic.sent)
        ports = [frame[36:38] for frame in traffic.collect()]
        changes = sum(one != two for one, two in zip(ports, ports[1:]))
        self.assertEqual(changes, 6, "as many changes as there were reloads")
        self.assertEqual(self.verdicts(), {"redirected": traffic.sent})

    def test_later_fragments_across_a_reload(self):
        """A later fragment goes where the first one went, although a reload came between."""
        daemon = self.start(rules(TARGETS[0]))
        segment = frames.udp_segment("10.1.0.1", "10.1.0.2", 1000, 514, bytes(100))
        first = frames.ipv4(segment[:64], 17, "10.1.0.1", "10.1.0.2", mf=True)
        later = frames.ipv4(segment[64:], 17, "10.1.0.1", "10.1.0.2", fragment_offset=64)
        self.in_port.send(frames.tunnel(frames.inner(first)))
        self.assertEqual(len(self.out_port.receive(is_ip, 1)), 1)
        self.reload(daemon, rules("10.20.0.2:9092"))
        self.wait_for_target("10.20.0.2:9092")
        self.in_port.send(frames.tunnel(frames.inner(later)))
        got = self.out_port.receive(is_ip, 1)
        self.assertEqual([frame[30:34] for frame in got], [socket.inet_aton("10.20.0.2")])
