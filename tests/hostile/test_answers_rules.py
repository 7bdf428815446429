# SPDX-License-Identifier: GPL-2.0-only
"""
The kernel never answers a captured packet, whatever rules of nftables somebody else has: those that
change marks, track connections, translate addresses or reject. A set of rules is a row of ROWS.
"""

from lib.answers import ANYWHERE, Routed, unmatched
from lib.command import need_commands


def chains(family, *hooks, statement, device=""):
    """A table with a chain at each hook, (hook, priority), that has one rule."""
    return f"table {family} other {{\n" + "\n".join(
        f"chain at_{hook} {{ type filter hook {hook} {device}priority {priority}; {statement}; }}"
        for hook, priority in hooks) + "\n}"


FILTER = ("input", "filter"), ("forward", "filter")

ROWS = {  # sentence: rules
    "the mark of its connection is restored": chains(
        "inet", ("prerouting", "mangle"), statement="meta mark set ct mark"),
    "bits of the mark are cleared and set, as Kubernetes does": chains(
        "inet", ("prerouting", "mangle"), statement="meta mark set meta mark and 0xfff0ffff xor 0x4000"),
    "the mark is cleared at every hook": chains(
        "inet", ("prerouting", "mangle"), ("input", "mangle"), ("forward", "mangle"),
        ("postrouting", "mangle"), statement="meta mark set 0"),
    "the mark is cleared on listen.interface": chains(
        "netdev", ("ingress", "filter"), statement="meta mark set 0", device="device in0 "),
    "answers are marked before they are filtered": chains(
        "inet", ("output", "-400"), statement="meta mark set 9"),
    "packets are rejected": chains("inet", *FILTER, statement="iifname in0 reject"),
    "TCP is reset": chains(
        "inet", *FILTER, statement="iifname in0 meta l4proto tcp reject with tcp reset"),
    "connections are tracked": chains("inet", *FILTER, statement="ct state invalid drop"),
    "what leaves is masqueraded": "table ip other { chain post { type nat hook postrouting "
                                  "priority srcnat; masquerade; }\n}",
}


class RulesOfOthers(Routed):
    def setUp(self):
        need_commands("nft")
        super().setUp()

    def test_rules(self):
        storm = self.storm(ANYWHERE, 600)
        self.start(unmatched("pass"))
        for sentence, rules in ROWS.items():
            with self.subTest(sentence):
                self.appliance.run("nft", "-f", self.work.file("rules.nft", rules))
                self.forget_neighbours()
                self.forget()
                for version in (4, 6):
                    self.send(storm[version])
                self.settle()
                self.appliance.run("nft", "delete", "table", rules.split()[1], "other")
                self.assert_silent()
        self.assertGreater(self.verdicts()["passed"], 0)


if __name__ == "__main__":
    import unittest
    unittest.main()
