# SPDX-License-Identifier: GPL-2.0-only
"""Pins that a command does not see: what is attached is told apart from nothing."""

import json
import os
import signal

from lib import program
from lib.command import run, wait_for
from lib.container import OWN_BPFFS, OWN_RUN, ContainedDaemon
from lib.daemon import PINS, Daemon
from lib.life import TARGETS, rules
from lib.processes import Processes


class OtherPins(Processes):
    """The BPF file system is one that only the daemon has, as with `ip netns exec`."""

    NETNS_EXEC = "only the daemon's mount namespace has the BPF file system"

    def netns_exec(self, *words, **options):
        """Runs a command by `ip netns exec`."""
        return run("ip", "netns", "exec", self.appliance.name, *words, **options)

    def daemon_by_netns_exec(self):
        self.daemon = NetnsExecDaemon(self, self.write(rules(TARGETS[0]))).ready()
        return self.daemon

    def test_started_by_ip_netns_exec(self):
        """The start warns; commands elsewhere read what is pinned where the daemon sees it."""
        daemon = self.daemon_by_netns_exec()
        self.assertRegex(daemon.stderr, rf"warning: {self.NETNS_EXEC}.*nsenter --net=")
        self.assertFalse(os.path.exists(PINS), "pins are here")
        wait_for(self.is_well, 10, "health")
        for sentence, ask in (("in the host's mount namespace", self.appliance.run),
                              ("by ip netns exec", self.netns_exec)):
            with self.subTest(sentence):
                self.assertTrue(self.forwards(2))

                def asked(*words, run=ask):
                    return run(program.PROGRAM, *words, "--instance", self.instance).stdout
                found = json.loads(asked("status", "--json"))
                self.assertEqual((found["state"], found["mode"], found["pid"], found["pinned"],
                                  found["reasons"]),
                                 ("running", "native", daemon.pid, "elsewhere", []))
                self.assertIn(self.NETNS_EXEC, asked("status"))
                self.assertEqual(json.loads(asked("stats", "--json"))["counters"]["nat_applied"],
                                 self.counted(2))
                self.assertEqual(len(asked("monitor", "-n", "1", "-I", "1").splitlines()), 2)
                asked("drain")
                self.told_when(lambda: "draining" in self.get().text, "drained")
                asked("drain", "--undo")
                self.told(True, "no longer drained")
                asked("reload")
        self.cli("stop", "--instance", self.instance)
        self.assertEqual(daemon.wait(), 0)
        self.assert_nothing_left()

    def counted(self, count):
        """`count` more than at the call before."""
        self.seen = getattr(self, "seen", 0) + count
        return self.seen

    def test_commands_by_ip_netns_exec(self):
        """Of a datapath that is pinned on the host: read while a daemon runs, told of when none does."""
        daemon = self.start(rules(TARGETS[0]))
        self.assertNotIn("mount namespace", daemon.stderr)
        ask = (program.PROGRAM, "status", "--json", "--instance", self.instance)
        found = json.loads(self.netns_exec(*ask).stdout)
        self.assertEqual((found["state"], found["pid"]), ("running", daemon.pid))
        self.assertNotIn(self.NETNS_EXEC, self.netns_exec(*ask[:2], *ask[3:]).stdout)
        daemon.kill()
        found = json.loads(self.netns_exec(*ask, check=False).stdout)
        self.assertRegex(found["reasons"][0], "in0 carries the XDP program 'vxlan_pipeline' .* "
                         "not in the BPF file system of this mount namespace")
        self.assertEqual(self.json("status")["state"], "unattended")

    def test_killed(self):
        """The warning is true: the datapath ends with the daemon; and `status` says so then."""
        daemon = self.daemon_by_netns_exec()
        daemon.kill()
        wait_for(lambda: not self.appliance.xdp_interfaces(), 10, "the end of the datapath")
        self.assertEqual(self.json("status")["state"], "detached")

    def test_check(self):
        daemon = self.daemon_by_netns_exec()
        result = self.cli("check", "-c", self.write(rules(TARGETS[0])), "--instance",
                          self.instance, "--json", check=False)
        found = {each["check"]: each for each in json.loads(result.stdout)["findings"]}
        self.assertEqual(found["xdp_program"]["status"], "ok", found["xdp_program"])
        self.assertEqual(found["bpffs"]["status"], "warn")
        self.assertIn("only its daemon's mount namespace has", found["bpffs"]["why"])
        self.assertIn("nsenter --net=", found["bpffs"]["fix"])
        self.assertEqual(daemon.terminate(), 0)

    def test_no_warning_for_what_the_host_has(self):
        """A mount namespace of its own is no reason to warn, while the file system is the host's."""
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), pids=False).ready()
        self.assertNotIn("mount namespace", daemon.stderr)
        daemon.terminate()
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0]))).ready()
        self.assertNotIn("container", daemon.stderr)

    def test_a_container_without_volumes(self):
        """
        Nothing is shared but the network: what is attached there is told apart from nothing, and not
        taken away.
        """
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), OWN_RUN,
                                 "umount -l /sys/fs/bpf").ready()
        self.assertRegex(daemon.stderr, "container's own: when it ends, forwarding ends")
        told = (r"in0 carries the XDP program 'vxlan_pipeline' \(id \d+\), whose pins are not in the "
                "BPF file system of this mount namespace: started by `ip netns exec`, or in a "
                "container")
        found = self.json("status")
        self.assertEqual((found["state"], found["healthy"]), ("detached", False))
        self.assertRegex(found["reasons"][0], told)
        for command in (("stats",), ("monitor", "-n", "1")):
            with self.subTest(command[0]):
                self.assertRegex(self.fails(*command, "--instance", self.instance), told)
        checked = self.cli("check", "-c", self.write(rules(TARGETS[0])), "--instance",
                           self.instance, check=False)
        self.assertRegex(checked.stdout, r"fail +xdp_program +in0 serves an instance already .* whose "
                         "pins are not in the BPF file system of this mount namespace")
        rules_before = self.appliance.run("nft", "list", "ruleset").stdout
        self.assertIn(f"vxlan-pipeline-{self.instance}", rules_before)
        line = self.start_fails({"http": {"listen": "off"}})
        self.assertRegex(line, r"in0 already serves an instance \(program .*\) whose pins are not in")
        self.assertEqual(self.appliance.run("nft", "list", "ruleset").stdout, rules_before)
        self.assertTrue(self.forwards(3))
        self.assertIsNone(daemon.process.poll())

    def test_a_container_that_shares_run_alone(self):
        """The lock tells of a daemon whose pins are nowhere to be seen."""
        daemon = ContainedDaemon(self, self.write(rules(TARGETS[0])), OWN_BPFFS).ready()
        wait_for(self.is_well, 10, "health")
        found = self.json("status")  # of health the daemon tells in /run
        self.assertEqual((found["state"], found["pid"], found["pinned"], found["reasons"]),
                         ("running", None, "elsewhere", []))
        self.assertIn("pins        not in the BPF file system of this mount namespace",
                      self.cli("status", "--instance", self.instance).stdout)
        daemon.signal(signal.SIGSTOP)
        self.assertRegex(wait_for(self.reasons, 10, "a reason"), "the pins are not in the BPF file "
                         "system of this mount namespace; the daemon, process 1 of")
        daemon.signal(signal.SIGCONT)
        self.assertRegex(self.fails("stats", "--instance", self.instance),
                         "pins of instance .* are not in the BPF file system of this mount "
                         "namespace; its daemon, process 1 of")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)


class NetnsExecDaemon(Daemon):
    """`run` by `ip netns exec`."""

    def __init__(self, test, path):
        super().__init__(test, Outside(), "netns", "exec", test.appliance.name, program.PROGRAM,
                         "run", "-c", path, instance=test.instance, name=None, executable="ip")


class Outside:
    """The network namespace of the test itself."""

    @staticmethod
    def command(*words):
        return words
