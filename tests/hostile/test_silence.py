# SPDX-License-Identifier: GPL-2.0-only
"""The rules of nftables that keep the kernel from answering captured packets: their life."""

import fcntl
import os
import re
import signal
import time

from lib import frames, program
from lib.command import need_commands, wait_for
from lib.daemon import Daemon
from lib.ground import Ground
from lib.port import is_ip

REFLECT = "net.ipv4.fwmark_reflect", "net.ipv6.fwmark_reflect", "net.ipv4.tcp_fwmark_accept"
PASS = {"forward": {"unmatched": "pass"}}


def unmatched(count, destination="10.1.0.2"):
    return [frames.tunnel(frames.inner(frames.udp(f"10.66.0.{n % 250 + 1}", destination, 5, 6, b"")))
            for n in range(count)]


class Silence(Ground):
    def setUp(self):
        need_commands("nft")
        super().setUp()

    def tables(self):
        """
        As text: nft 1.0.6 puts whatever it finds in memory where JSON has the flags of a table that lost its
        owner, which the nft of Linux 6.9 and later knows.
        """
        lines = self.appliance.run("nft", "list", "tables").stdout.splitlines()
        return sorted(tuple(line.split()[1:]) for line in lines)

    def ours(self, *instances):
        return sorted((family, f"vxlan-pipeline-{instance}")
                      for instance in instances or [self.instance] for family in ("inet", "netdev"))

    def reflects(self):
        return [self.appliance.run("sysctl", "-n", name).stdout.strip() for name in REFLECT]

    def rules(self):
        """Everything but what changes with each packet."""
        text = self.appliance.run("nft", "list", "ruleset").stdout
        return re.sub(r"packets \d+ bytes \d+", "", text)

    def assert_silent(self):
        self.assertEqual(self.tables(), self.ours())
        self.assertEqual(self.reflects(), ["1", "1", "1"])

    def test_from_start_to_stop(self):
        self.assertEqual(self.reflects(), ["0", "0", "0"])
        daemon = self.start()
        self.assert_silent()
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(self.tables(), [])
        self.assertEqual(self.reflects(), ["0", "0", "0"])

    def test_settings_of_somebody_else_stay(self):
        """The settings were on before, and other tables are there: both are left as they were."""
        self.appliance.sysctl(*(f"{name}=1" for name in REFLECT))
        self.appliance.run("nft", "add", "table", "inet", "vxlan")
        daemon = self.start()
        self.assertEqual(self.tables(), sorted([*self.ours(), ("inet", "vxlan")]))
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(self.tables(), [("inet", "vxlan")])
        self.assertEqual(self.reflects(), ["1", "1", "1"])

    def test_a_killed_daemon_leaves_it_and_stop_removes_it(self):
        self.start().kill()
        self.assert_silent()
        self.cli("stop", "--instance", self.instance)
        self.assertEqual(self.tables(), [])
        self.assertEqual(self.reflects(), ["0", "0", "0"])

    def test_stop_removes_what_is_left_of_the_tables(self):
        for table in self.ours():
            with self.subTest(table):
                self.start().kill()
                self.appliance.run("nft", "delete", "table", *table)
                self.cli("stop", "--instance", self.instance)
                self.assertEqual(self.tables(), [])

    def test_reload_and_restart_leave_the_rules_alone(self):
        """The counts of a reload or restart go on, as the rules stay: there is no gap in them."""
        daemon = self.start(PASS)
        self.in_port.send(*unmatched(7))
        wait_for(lambda: self.verdicts() == {"passed": 7}, 5, "seven packets")
        before = self.appliance.run("nft", "list", "ruleset").stdout
        self.assertIn("counter packets 7 ", before)
        self.write(PASS, {"inner": {"clear_df_above": 1300}})
        self.cli("reload", "--instance", self.instance)
        self.assertEqual(self.appliance.run("nft", "list", "ruleset").stdout, before)
        daemon.kill()
        self.start(PASS)
        self.assertEqual(self.appliance.run("nft", "list", "ruleset").stdout, before)

    def test_a_start_that_fails_leaves_nothing(self):
        self.attach_program(self.appliance, "in0")
        refused = self.cli("run", "-c", self.write(), "--instance", self.instance, check=False)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertEqual(self.tables(), [])
        self.assertEqual(self.reflects(), ["0", "0", "0"])

    def test_what_somebody_takes_away_comes_back(self):
        """From Linux 6.9 on the tables belong to the daemon, and nobody else can take them away."""
        self.start()
        rules = self.rules()
        for sentence, command, refused in (
                ("all rules flushed", ("nft", "flush", "ruleset"), False),
                ("one table deleted", ("nft", "delete", "table", *self.ours()[0]), True),
                ("the other one", ("nft", "delete", "table", *self.ours()[1]), True),
                ("a chain emptied", ("nft", "flush", "chain", *self.ours()[0], "output"), True),
                ("the setting turned off", ("sysctl", "-q", "-w", f"{REFLECT[0]}=0"), False),
                ("that of IPv6", ("sysctl", "-q", "-w", f"{REFLECT[1]}=0"), False),
                ("that of TCP", ("sysctl", "-q", "-w", f"{REFLECT[2]}=0"), False)):
            with self.subTest(sentence):
                done = self.appliance.run(*command, check=False)
                self.assertEqual(done.returncode != 0, refused and "owner" in rules, done.stderr)
                wait_for(lambda: self.rules() == rules and self.reflects() == ["1", "1", "1"], 2,
                         "the rules are back")

    def test_whose_tables_they_are(self):
        """Nobody takes them from a daemon, nor from the one after it; a dead one's can be removed."""
        daemon, rules = self.start(), self.rules()
        if "owner" not in rules:
            self.skipTest("tables of nftables have no owner before Linux 6.9")
        for sentence in ("the first daemon", "the one after kill -9"):
            with self.subTest(sentence):
                self.appliance.run("nft", "flush", "ruleset")
                self.assertEqual(self.rules(), rules)  # at once: nobody had to make them again
            daemon.kill()
            daemon = self.start()
        daemon.kill()
        self.cli("stop", "--instance", self.instance)
        self.assertEqual((self.tables(), self.reflects()), ([], ["0", "0", "0"]))

    def test_two_instances(self):
        """The setting stays until the last one ends."""
        first = self.start()
        second = self.instance + "x"
        self.addCleanup(self.remove_instance, second)
        self.appliance.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
        self.appliance.ip("link", "set", "v0", "up")
        self.appliance.ip("link", "set", "v1", "up")
        one, self.instance = self.instance, second
        other = self.start({"listen": {"interface": "v0"}, "forward": {"interface": "v0"}})
        self.assertEqual(self.tables(), self.ours(one, second))
        self.assertEqual(first.terminate(), 0)
        self.assertEqual(self.tables(), self.ours(second))
        self.assertEqual(self.reflects(), ["1", "1", "1"])
        self.assertEqual(other.terminate(), 0)
        self.assertEqual(self.tables(), [])
        self.assertEqual(self.reflects(), ["0", "0", "0"])

    def test_instances_that_come_and_go(self):
        """Several start and end at the same time: the settings are as they were before the first."""
        words = []
        for number in range(4):
            instance, interface = f"{self.instance}n{number}", f"v{number}"
            self.addCleanup(self.remove_instance, instance)
            self.appliance.ip("link", "add", interface, "type", "veth", "peer", f"w{number}")
            self.appliance.ip("link", "set", interface, "up")
            path = self.write({"listen": {"interface": interface}, "nat": [],
                               "forward": {"interface": interface}}, name=f"{number}.yaml")
            words.append(("-c", path, "--instance", instance))
        for turn in range(12):
            daemons = [Daemon(self, self.appliance, *each) for each in words]
            time.sleep(0.15 + turn * 0.035)
            for daemon in daemons:
                daemon.signal(signal.SIGTERM)
                time.sleep(turn % 5 * 0.005)
            for daemon in daemons:
                daemon.wait()
            self.assertEqual((self.tables(), self.reflects()), ([], ["0", "0", "0"]), turn)

    def test_somebody_holds_the_lock_of_the_settings(self):
        """Any account can, for ever: start and end go on without it."""
        with open(self.appliance.path, "rb") as namespace:
            fcntl.flock(namespace, fcntl.LOCK_EX)
            daemon = self.start()
            self.assert_silent()
            self.assertEqual(daemon.terminate(), 0)
            self.assertEqual((self.tables(), self.reflects()), ([], ["0", "0", "0"]))

    def test_the_interface_moves(self):
        """Another listen.interface after a reload: its packets are marked, the other's no more."""
        self.appliance.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
        self.appliance.ip("link", "set", "v0", "up")
        self.appliance.ip("link", "set", "v1", "up")
        self.start()
        self.assertIn('device "in0"', self.rules())
        self.write({"listen": {"interface": "v0"}})
        self.cli("reload", "--instance", self.instance)
        self.assertIn('device "v0"', self.rules())
        self.assertNotIn("in0", self.rules())

    def test_passed_and_dropped_is_counted(self):
        """What the kernel drops after it was passed is a loss, exactly."""
        for sentence, destination, forwarding in (
                ("no forwarding", "10.20.0.2", 0),
                ("no route", "203.0.113.1", 1),
                ("nobody listens", "10.9.0.2", 1)):
            with self.subTest(sentence):
                daemon = self.start(PASS)
                self.appliance.sysctl(f"net.ipv4.conf.in0.forwarding={forwarding}")
                self.in_port.send(*unmatched(40, destination))
                wait_for(lambda: self.lost() == 40, 5, f"40 lost, not {self.lost()}")
                self.assertEqual(self.verdicts(), {"passed": 40})
                self.appliance.sysctl("net.ipv4.conf.in0.forwarding=1")
                self.assertEqual(daemon.terminate(), 0, daemon.stderr)

    def lost(self):
        return next((row["packets"] for row in self.json("status")["losses"]
                     if row["reason"] == "passed_dropped"), None)

    def test_passed_and_delivered_is_no_loss(self):
        self.start(PASS)
        self.know_neighbour()
        self.in_port.send(*unmatched(40, "10.20.0.2"))
        wait_for(lambda: self.verdicts() == {"passed": 40}, 5, "40 packets")
        self.assertEqual(self.lost(), 0)

    def passed_and_arrived(self, starts=1):
        """Whether what is passed to the kernel arrives, in each of so many new instances."""
        for _ in range(starts):
            daemon = self.start(PASS)
            self.in_port.send(*unmatched(10, "10.20.0.2"))
            arrived = len(self.out_port.receive(is_ip, 10))
            self.assertEqual(self.verdicts(), {"passed": 10})
            daemon.kill()
            self.cli("stop", "--instance", self.instance)
            if arrived != 10:
                return False
        return True

    def test_marks_of_others(self):
        """The mark has no bit by which somebody else would treat the packets in another way."""
        self.know_neighbour()
        self.assertTrue(self.passed_and_arrived())
        with self.subTest("routing rules"):
            rule = "not", "fwmark", "0/0xfffffff0", "priority", "10", "blackhole"
            self.appliance.ip("rule", "add", *rule)
            self.assertTrue(self.passed_and_arrived())
            self.appliance.ip("rule", "del", *rule)
        with self.subTest("Kubernetes"):
            self.appliance.run("nft", "add", "table", "inet", "kube")
            self.appliance.run("nft", "add chain inet kube post { type filter hook postrouting "
                               "priority 0; meta mark and 0xc000 != 0 drop; }")
            self.assertTrue(self.passed_and_arrived(starts=5))

    def test_what_cannot_be_silenced_is_not_passed(self):
        """/proc/sys is read-only, as in most containers; health says so, and it is tried again."""
        script = self.work.file("run", "#!/bin/sh\nexec unshare --mount sh -c '"
                                "mount --bind /proc/sys /proc/sys && "
                                "mount -o remount,bind,ro /proc/sys && "
                                f'exec {program.PROGRAM} "$@"\' sh "$@"\n')
        os.chmod(script, 0o755)
        daemon = Daemon(self, self.appliance, "-c", self.write(PASS), instance=self.instance,
                        executable=script).ready()
        self.assertIn("cannot be kept from answering captured packets", daemon.stderr)
        self.in_port.send(*unmatched(10))
        wait_for(lambda: self.verdicts() == {"no_route": 10}, 5, "ten packets")
        self.assertEqual(self.tables(), [])
        self.appliance.sysctl(*(f"{name}=1" for name in REFLECT))
        wait_for(lambda: self.tables() == self.ours(), 6, "the rules")
        wait_for(lambda: "can be kept from" in daemon.stderr, 6, "applied again")
        wait_for(self.passes, 5, "packets are passed")

    def passes(self):
        before = self.verdicts().get("passed", 0)
        self.in_port.send(*unmatched(1))
        return self.verdicts().get("passed", 0) > before


if __name__ == "__main__":
    import unittest
    unittest.main()
