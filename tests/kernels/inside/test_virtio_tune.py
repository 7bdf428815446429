# SPDX-License-Identifier: GPL-2.0-only
"""`check` and `tune` on virtio-net: channels, MTU and, with new drivers, the receive ring."""

import json
import re

from lib import frames, kernel
from lib.ground import WIRES
from lib.life import Lifecycle
from lib.namespace import VETH_XDP_MTU
from lib.port import Port

SHORT_OF_QUEUES = WIRES[2]  # three queue pairs: two CPUs want two, and two more for XDP
FIXABLE = {"channels", "rx_ring", "xdp_mtu", "forwarding", "send_redirects"}
SYSCTLS = {"net/ipv4/conf/in1/forwarding": (0, 1), "net/ipv4/conf/out0/forwarding": (0, 1),
           "net/ipv4/conf/in1/send_redirects": (1, 0)}


class Tune(Lifecycle):
    """listen.interface is in1: with two of its three channels in use, too few are left for XDP."""

    CONFIG = {**Lifecycle.CONFIG, "listen": {"interface": "in1"}}

    def setUp(self):
        super().setUp()
        self.wire(SHORT_OF_QUEUES, self.sender, "s1", self.appliance, "in1", self.MTU_IN)
        self.appliance.run("ethtool", "-L", "in1", "combined", "2")
        self.appliance.ip("link", "set", "in1", "address", frames.OUTER_DESTINATION_MAC)
        self.appliance.ip("link", "set", "out0", "mtu", "3498")
        self.appliance.sysctl("net.ipv4.conf.in1.rp_filter=0", "net.ipv4.conf.in1.send_redirects=0")
        self.in_port = Port(self, self.sender, "s1")
        self.ring_is_short = self.shorten_ring()

    def shorten_ring(self):
        """Whether the driver can shorten the ring: before Linux 6.1 it keeps its full length."""
        return self.appliance.run("ethtool", "-G", "in1", "rx", "128", check=False).returncode == 0

    def current(self, option, name):
        """The current setting: `ethtool` prints it after the maximum."""
        text = self.appliance.run("ethtool", option, "in1").stdout
        return int(re.findall(rf"^{name}:\s+(\d+)$", text, re.MULTILINE)[-1])

    def state(self):
        """{setting: value} of the settings that the tests spoil."""
        values = {name: int(self.appliance.run("cat", f"/proc/sys/{name}").stdout)
                  for name in SYSCTLS}
        values.update({f"{name} mtu": self.appliance.link(name)["mtu"] for name in ("in1", "out0")})
        return {**values, "in1 channels": self.current("-l", "Combined"),
                "in1 rx-ring": self.current("-g", "RX")}

    def spoil(self):
        """Spoils the settings that `tune` can repair here; returns {setting: (wrong, right)}."""
        for interface in ("in1", "out0"):
            self.appliance.ip("link", "set", interface, "mtu", "9000")
        for name, (wrong, _) in SYSCTLS.items():
            self.appliance.sysctl(f"{name}={wrong}")
        wanted = {**SYSCTLS, "in1 channels": (2, 1)}
        if self.ring_is_short:
            wanted["in1 rx-ring"] = (128, 256)
        if not kernel.has_multi_buffer("virtio_net"):
            wanted["in1 mtu"] = wanted["out0 mtu"] = (9000, VETH_XDP_MTU)
        return wanted

    def tune(self, *words):
        """Runs `tune`; returns {setting: (before, after, outcome)}."""
        words = ("tune", "--json", "--instance", self.instance, *words)
        if "--revert" not in words:
            words += ("-c", self.write({"forward": {"mtu": 1500}}))
        document = json.loads(self.cli(*words).stdout)
        return {item["setting"]: (item["before"], item["after"], item["outcome"])
                for item in document["settings"]}

    def check(self, *changes):
        """Runs `check`; returns {name: finding} of those that are not ok."""
        result = self.cli("check", "-c", self.write({"forward": {"mtu": 1500}}, *changes), "--json",
                          "--instance", self.instance, check=False)
        return {item["check"]: item for item in json.loads(result.stdout)["findings"]
                if item["status"] != "ok"}

    def test_apply_again_and_revert(self):
        """`tune` sets what it reports, nothing the second time; --revert puts everything back."""
        wanted, before = self.spoil(), self.state()
        found = {"channels", "forwarding", "send_redirects"} | \
            ({"rx_ring"} if "in1 rx-ring" in wanted else set()) | \
            ({"xdp_mtu"} if "in1 mtu" in wanted else set())
        self.assertEqual(FIXABLE & set(self.check()), found)
        planned = self.tune("--dry-run")
        self.assertEqual(planned, {name: (*values, "planned") for name, values in wanted.items()})
        self.assertEqual(self.state(), before, "a dry run changes nothing")
        self.assertEqual(self.tune(), {name: (*values, "changed")
                                       for name, values in wanted.items()})
        tuned = {**before, **{name: after for name, (_, after) in wanted.items()}}
        self.assertEqual(self.state(), tuned)
        self.assertEqual(FIXABLE & set(self.check()), set())
        self.assertNotIn("changed", [outcome for _, _, outcome in self.tune().values()])
        self.assertEqual(self.state(), tuned)
        daemon = self.start({"listen": {"xdp_mode": "native"}, "forward": {"mtu": 1500}})
        self.assertTrue(self.forwards(50))
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual({name: values[:2] for name, values in self.tune("--revert").items()},
                         {name: values[::-1] for name, values in wanted.items()})
        self.assertEqual(self.state(), before)
        self.assertEqual(self.tune("--revert"), {})

    def test_not_under_a_program_that_runs(self):
        """`tune` skips settings that would interrupt traffic, and reports them."""
        self.start({"listen": {"xdp_mode": "auto"}})
        native = self.json("status")["mode"] == "native"
        before, settings = self.state(), self.tune()
        self.assertEqual({outcome for _, _, outcome in settings.values()} - {"skipped"}, set())
        self.assertEqual("in1 channels" in settings, not native, "then it has what it could get")
        self.assertEqual("in1 rx-ring" in settings, self.ring_is_short)
        self.assertEqual(self.state(), before)
        self.assertTrue(self.forwards(50))

    def test_check_finds_it_and_its_command_mends_it(self):
        """
        Two CPUs share two channels. With a third in use, `check` fails a single-arm instance, with
        which the driver would crash the machine.
        """
        single_arm = {"forward": {"interface": "in1"}}
        for channels, change, status in ((2, {}, "warn"), (3, {}, "warn"), (2, single_arm, "warn"),
                                         (3, single_arm, "fail")):
            with self.subTest(channels=channels, change=change):
                self.appliance.run("ethtool", "-L", "in1", "combined", str(channels))
                finding = self.check(change)["channels"]
                self.assertEqual(finding["status"], status)
                self.assertIn("in1", finding["why"])
                self.assertEqual(finding["fix"], "ethtool -L in1 combined 1")
                self.appliance.run("sh", "-c", finding["fix"])
                self.assertNotIn("channels", self.check(change))
