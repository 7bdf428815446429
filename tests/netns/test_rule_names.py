# SPDX-License-Identifier: GPL-2.0-only
"""What rules are called, and that what a name has counted stays with it."""

import json
import os
import re
import signal

from lib import captures
from lib.command import wait_for
from lib.daemon import BPFFS
from lib.life import Lifecycle, tunnels
from lib.port import is_ip

HERE, THERE = "10.20.0.2:8081", "10.20.0.2:9092"


def rule(port, to=HERE, **more):
    return {**more, "match": {"source_port": port}, "to": to}


def called(name, port, to=HERE):
    return rule(port, to, name=name)


class Names(Lifecycle):
    def reload(self, daemon, *nat):
        reloads = daemon.stderr.count("reloaded")
        self.write({"nat": list(nat)})
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.stderr.count("reloaded") > reloads, 10, "the reload")

    def rules(self):
        """{name: packets}, in file order."""
        rules = self.stats()["rules"]
        self.assertEqual([rule["rule"] for rule in rules], list(range(1, len(rules) + 1)))
        return {rule["name"]: rule["packets"] for rule in rules}

    def send(self, count):
        self.in_port.send(*tunnels(count))
        self.assertEqual(len(self.out_port.receive(is_ip, count)), count)

    def test_over_changes(self):
        """Each row: what is reloaded, and what its rules have counted then."""
        daemon = self.start({"nat": [rule(1000)]})
        made, = self.rules()
        self.assertRegex(made, r"\A[0-9a-f]{8}\Z")
        self.send(5)
        for sentence, nat, wanted in (
                ("one is inserted before it", [called("new", 1), rule(1000)],
                 {"new": 0, made: 5}),
                ("and its number changes again", [rule(1000), called("new", 1)],
                 {made: 5, "new": 0}),
                ("it gets a name", [called("new", 1), called("mine", 1000)],
                 {"new": 0, "mine": 5}),
                ("and another target under that name", [called("mine", 1000, THERE)],
                 {"mine": 5}),
                ("the name goes to another rule, which goes on from it",
                 [called("mine", 2), rule(1000, THERE)], {"mine": 5, None: 0}),
                ("the name is taken away", [rule(2), called("else", 1000, THERE)],
                 {None: 5, "else": 0}),
                ("the rule goes, and comes again", [called("else", 1000, THERE)],
                 {"else": 0}),
                ("it begins anew", [rule(2), called("else", 1000, THERE)],
                 {None: 0, "else": 0})):
            with self.subTest(sentence):
                self.reload(daemon, *nat)
                got = self.rules()
                self.assertEqual(list(got.values()), list(wanted.values()))
                for name, want in zip(got, wanted):
                    if want:
                        self.assertEqual(name, want)
                    else:
                        self.assertRegex(name, r"\A[0-9a-f]{8}\Z")

    def test_over_a_restart(self):
        """Names are pinned: there without a daemon and without the file, and after the next start."""
        daemon = self.start({"nat": [called("syslog", 1000), rule(2)]})
        self.send(7)
        before = self.rules()
        self.assertEqual(list(before.values()), [7, 0])
        daemon.kill()
        self.write({"nat": []}, name="config.yaml")
        self.assertEqual(self.rules(), before)
        self.start({"nat": [rule(3), called("syslog", 1000), rule(2)]})
        after = self.rules()
        self.assertEqual({name: after[name] for name in before}, before)

    def test_of_an_older_build(self):
        """Without pinned names a rule is called by its number; a reload carries its counters."""
        daemon = self.start({"nat": [rule(2), called("syslog", 1000)]})
        self.send(6)
        pins = os.path.join(BPFFS, "vxlan-pipeline", self.instance)
        os.unlink(os.path.join(pins, os.readlink(os.path.join(pins, "current")), "rule_names"))
        self.assertEqual(self.rules(), {"1": 0, "2": 6})
        self.reload(daemon, called("syslog", 1000))
        self.assertEqual(self.rules(), {"syslog": 6})

    def test_everywhere(self):
        """stats, metrics, explain and the page of counters call a rule the same."""
        self.start({"nat": [called("syslog:514", 1000), rule(2)]})
        names = list(self.rules())
        text = self.cli("stats", "--instance", self.instance).stdout
        for number, name in enumerate(names, 1):
            self.assertRegex(text, rf"(?m)^  {re.escape(name)} +0 +0  rule {number}, to ")
        path = self.work.file("in.pcap")
        with open(path, "wb") as file:
            file.write(captures.pcap(tunnels(1)))
        explained = self.cli("explain", "-c", self.write({"nat": [called("syslog:514", 1000)]}),
                             path)
        self.assertIn(f"1 (syslog:514), to {HERE}", explained.stdout)
        document = json.loads(self.cli("explain", "--json", "-c", self.work.path + "/config.yaml",
                                       path).stdout)
        self.assertEqual(document["packets"][0]["rule_name"], "syslog:514")

    def test_many(self):
        """65,536 rules, each with the longest name there is."""
        nat = [{"name": f"{number:a>63}", "match": {"source": f"10.{number >> 8}.{number & 255}.1"},
                "to": HERE} for number in range(65536)]
        self.start({"nat": nat})
        differ = [name for name, rule in zip(self.rules(), nat, strict=True)
                  if name != rule["name"]]
        self.assertEqual(differ[:3], [])
