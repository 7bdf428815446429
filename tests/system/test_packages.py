# SPDX-License-Identifier: GPL-2.0-only
"""The life of a package on a machine: install, edit, start, break, upgrade, remove."""

import os
import re
import signal
import time

from lib.command import wait_for
from lib.daemon import PINS
from lib.life import TARGETS, Traffic, rules
from lib.namespace import veth

import packages
from scene import CONFIG, UNIT, Scene

SECURITY = 2.2  # the score of `systemd-analyze security` that the pipeline's unit must not exceed


class Story(Scene):
    """One machine, from installation to purge; every step is a row."""

    def test_life(self):
        for step in (self.installed, self.sample_refused, self.started, self.security,
                     self.tuned, self.reloaded, self.broken_reload, self.restarted, self.crashed,
                     self.crashed_with_a_link_down,
                     self.upgraded, self.rolled_back, self.rebooted, self.stopped,
                     self.broken_start, self.removed, self.purged):
            with self.subTest(step.__doc__):
                step()

    def installed(self):
        """Installing starts and enables nothing: only the operator knows the interfaces."""
        self.install()
        self.assertEqual(self.version(), packages.field(self.deb, "Version"))
        enabled = self.systemctl("is-enabled", UNIT, check=False)
        self.assertEqual(enabled.stdout.strip(), "disabled")
        self.assertEqual(self.machine.state(UNIT), "inactive")
        self.assert_detached()
        self.assertEqual(self.machine.run("vxlan_loader", "--version").returncode, 0)

    def sample_refused(self):
        """The sample has to be edited: the journal names the file, the line and the key."""
        result = self.systemctl("start", UNIT, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assert_journal(rf"^{CONFIG}:\d+:\d+: listen\.interface: ")
        self.assert_detached()
        wait_for(lambda: self.machine.state(UNIT) == "failed", 30, "the unit to give up")

    def started(self):
        """Started after the mistake is mended, without a reset; real traffic arrives."""
        self.start_when_allowed()
        self.assertEqual(self.machine.state(UNIT), "active")
        self.assertEqual(self.delivered_to(), 8081)
        self.assertIn("running", self.machine.run("vxlan-pipeline", "status", "--json",
                                                   check=False).stdout)
        self.machine.run("curl", "-fsS", "http://127.0.0.1:9789/healthz")
        # The unit's restrictions take nothing from the daemon that it needs.
        warnings = self.machine.run("journalctl", "--no-pager", "-o", "cat", "-p", "warning",
                                    f"_PID={self.main_pid()}").stdout.splitlines()
        # The last one is systemd's own word before it executes the daemon: where the host has control groups of
        # version 1 as well, machines that run at the same time share them.
        expected = ("lets no packet pass", "for fragmenting in XDP, set forward.mtu",
                    "to compat systemd cgroup")
        self.assertEqual([line for line in warnings
                          if not any(text in line for text in expected)], [])

    def start_when_allowed(self):
        """Waits until the unit's start limit has expired, then starts it without a reset."""
        self.configure()
        time.sleep(10)
        self.systemctl("start", UNIT)

    def security(self):
        """systemd-analyze is content with how little the unit may do."""
        text = self.machine.run("systemd-analyze", "security", UNIT).stdout
        score = float(re.search(r"Overall exposure level for .*: ([\d.]+)", text)[1])
        self.assertLessEqual(score, SECURITY, text)

    def tuned(self):
        """Host settings are made by a start of their unit, and taken back when it stops."""
        setting, unit = "net.ipv4.conf.in0.send_redirects", "vxlan-pipeline-tune.service"
        self.machine.run("sysctl", "-w", f"{setting}=1")
        self.systemctl("start", unit)
        self.assertEqual(self.machine.run("sysctl", "-n", setting).stdout.strip(), "0")
        self.assertTrue(self.machine.exists("/var/lib/vxlan-pipeline/config/tune.json"))
        self.systemctl("stop", unit)
        self.assertEqual(self.machine.run("sysctl", "-n", setting).stdout.strip(), "1")
        self.machine.run("sysctl", "-w", f"{setting}=0")
        self.assertEqual(self.delivered_to(), 8081)

    def reloaded(self):
        """A reload is over when the edited file is in force; the process stays."""
        before = self.main_pid()
        self.configure(rules(TARGETS[1]))
        with Traffic(self, pause=0.01) as traffic:
            self.systemctl("reload", UNIT)
            self.assertTrue(self.delivers(9092))
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.main_pid(), before)

    def delivers(self, port):
        stats = self.machine.run("vxlan-pipeline", "stats", "--json").stdout
        return f'"10.20.0.2:{port}"' in stats

    def broken_reload(self):
        """
        A reload with a mistake fails and says which, whether the file or only the daemon shows it;
        the configuration before stays in force.
        """
        for broken, said in (
                ({"listen": {"port": 123456}}, rf"^{CONFIG}:\d+:\d+: listen\.port: "),
                ({"forward": {"interface": "nic9"}}, r"vxlan-pipeline: not reloaded: .*nic9")):
            self.configure(broken)
            result = self.systemctl("reload", UNIT, check=False)
            self.assertNotEqual(result.returncode, 0)
            self.assert_journal(said)
            self.assertEqual(self.machine.state(UNIT), "active")
            self.assertEqual(self.delivered_to(), 9092)
        self.configure(rules(TARGETS[1]))

    def restarted(self):
        """A restart is another process and loses no packet."""
        before = self.main_pid()
        with Traffic(self, pause=0.01) as traffic:
            self.systemctl("restart", UNIT)
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertNotEqual(self.main_pid(), before)

    def crashed(self):
        """A controller that is killed comes back by itself, and no packet is lost."""
        before = self.main_pid()
        with Traffic(self, pause=0.01) as traffic:
            self.systemctl("kill", "--kill-who=main", f"--signal={signal.SIGKILL}", UNIT)
            wait_for(lambda: self.main_pid() not in (0, before), 30, "another controller")
            wait_for(lambda: self.machine.state(UNIT) == "active", 30, "it to be ready")
        self.assertEqual(traffic.arrived(), traffic.sent)

    def crashed_with_a_link_down(self):
        """`check`, which is asked before each start, does not keep it from coming back."""
        before = self.main_pid()
        self.appliance.ip("link", "set", "out0", "down")
        self.systemctl("kill", "--kill-who=main", f"--signal={signal.SIGKILL}", UNIT)
        wait_for(lambda: self.main_pid() not in (0, before), 30, "another controller")
        wait_for(lambda: self.machine.state(UNIT) == "active", 30, "it to be ready")
        self.appliance.ip("link", "set", "out0", "up")
        wait_for(lambda: self.appliance.link("out0")["operstate"] == "UP", 10, "out0")
        wait_for(lambda: self.delivered_to() == 9092, 10, "packets to arrive")

    def upgraded(self):
        """An upgrade runs the newer build, keeps the edited file and loses no packet."""
        before, config = self.main_pid(), self.machine.read(CONFIG)
        self.later()  # builds it, which would take too long under traffic
        with Traffic(self, pause=0.02) as traffic:
            self.upgrade()
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertTrue(self.version().endswith(packages.LATER), self.version())
        self.assertEqual(self.machine.read(CONFIG), config)
        self.assertEqual(self.machine.state(UNIT), "active")
        self.assertNotEqual(self.main_pid(), before)
        # The link to a file that was replaced ends in " (deleted)".
        program = f"/proc/{self.main_pid()}/exe"
        self.assertEqual(self.machine.run("readlink", program).stdout.strip(),
                         "/usr/bin/vxlan-pipeline")

    def rolled_back(self):
        """Back to the older version, which the repository still has: no packet is lost."""
        version = packages.field(self.deb, "Version")
        with Traffic(self, pause=0.02) as traffic:
            self.machine.run("apt-get", "-q", "-y", "--allow-downgrades", "install",
                             f"vxlan-pipeline={version}")
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.version(), version)
        self.assertEqual(self.machine.state(UNIT), "active")

    def rebooted(self):
        """A unit that is enabled comes back with the machine and forwards."""
        self.systemctl("enable", UNIT)
        self.machine.power_off()
        self.assert_detached()
        self.machine.boot()
        self.assertEqual(self.machine.state(UNIT), "active")
        self.assertEqual(self.delivered_to(), 9092)

    def stopped(self):
        """Stopping detaches."""
        self.systemctl("stop", UNIT)
        self.assert_detached()
        self.assertFalse(os.path.exists(os.path.join(PINS, "config")))
        self.assertIsNone(self.delivered_to())

    def broken_start(self):
        """A file with a mistake does not start, and attaches nothing."""
        self.configure({"listen": {"interface": "in0", "port": 123456}})
        self.assertNotEqual(self.systemctl("start", UNIT, check=False).returncode, 0)
        self.assert_detached()
        self.systemctl("stop", UNIT)

    def removed(self):
        """Removal detaches: what runs, further instances, and what has no controller any more."""
        self.start_when_allowed()
        veth(self.appliance, "in1", self.sender, "s1")
        self.configure({"listen": {"interface": "in1"}, "http": {"listen": "off"}}, name="second")
        self.systemctl("start", "vxlan-pipeline@second.service")
        self.assertEqual(sorted(os.listdir(PINS)), ["config", "second"])
        self.systemctl("stop", UNIT)
        self.machine.shell("vxlan-pipeline run --linger -d 1")
        self.assertEqual(sorted(os.listdir(PINS)), ["config", "second"])
        self.machine.run("apt-get", "-q", "-y", "remove", "vxlan-pipeline")
        self.assert_detached()
        self.assertFalse(os.path.exists(PINS))
        self.assertTrue(self.machine.exists(CONFIG), "the configuration stays until it is purged")

    def purged(self):
        """Purging leaves nothing of it."""
        self.machine.run("apt-get", "-q", "-y", "purge", "vxlan-pipeline")
        # The repository's entry is the operator's, and archives are apt's.
        left = [path for path in self.machine.files_named("vxlan")
                if not path.startswith(("/etc/apt/", "/usr/share/keyrings/", "/var/cache/apt/",
                                        "/var/lib/apt/"))]
        self.assertEqual(left, [])
        units = self.systemctl("list-units", "--all", "--plain", "vxlan-pipeline*").stdout
        self.assertNotIn("running", units)


class StoryOnDebian13(Story):
    """The same with a newer systemd, debhelper and libraries."""

    RELEASE = "trixie"


class Incapable(Scene):
    """A machine on which nobody may load BPF programs."""

    BPF = False

    def test_installs_and_says_why_it_does_not_start(self):
        self.install()
        self.configure()
        self.assertNotEqual(self.systemctl("start", UNIT, check=False).returncode, 0)
        self.assert_journal(r"^fail +")
        self.assert_journal(r"^not ready: ")
        self.assert_detached()
        self.machine.run("apt-get", "-q", "-y", "purge", "vxlan-pipeline")
        self.assertFalse(self.machine.exists("/usr/bin/vxlan-pipeline"))


class Obstacles(Scene):
    """What is in the way of a start and goes away: the unit gets over it by itself."""

    COMES_WITHIN = 5  # seconds after an interface has come

    def setUp(self):
        super().setUp()
        self.install()
        self.configure()

    def status_text(self):
        return self.machine.unit(UNIT, "StatusText")["StatusText"]

    def test_an_interface_that_comes_later(self):
        """
        The unit is active at once, says what it waits for, and attaches in time, however late; a
        wrong name is mended by a reload.
        """
        self.appliance.ip("link", "set", "out0", "name", "spare0")
        self.systemctl("enable", UNIT)
        self.machine.power_off()
        self.machine.boot()
        self.assertEqual(self.machine.state(UNIT), "active")
        wait_for(lambda: "no interface out0" in self.status_text(), 5, "the status")
        time.sleep(15)  # longer than five starts take
        self.assert_detached()
        self.configure({"forward": {"interface": "out1"}})
        self.systemctl("reload", UNIT)
        wait_for(lambda: "no interface out1" in self.status_text(), 5, "the other name")
        self.configure()
        self.systemctl("reload", UNIT)
        self.appliance.ip("link", "set", "spare0", "name", "out0")
        self.appliance.ip("link", "set", "out0", "up")
        wait_for(self.appliance.xdp_interfaces, self.COMES_WITHIN, "the attachment")
        wait_for(lambda: "not well" not in self.status_text(), 10, "health")
        self.know_neighbour()
        self.assertEqual(self.delivered_to(), 8081)
        self.assertEqual(self.machine.unit(UNIT, "NRestarts"), {"NRestarts": "0"})

    def test_a_port_that_is_taken(self):
        """Any account may hold it at boot: packets are forwarded, and it is said who does."""
        self.machine.write("/etc/systemd/system/holder.service", "\n".join((
            "[Unit]", f"Before={UNIT}", "[Service]", "User=nobody",
            "ExecStart=python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", "
            "9789)); time.sleep(10000)'", "[Install]", f"RequiredBy={UNIT}", "")))
        self.systemctl("enable", UNIT, "holder.service")
        self.machine.power_off()
        self.machine.boot()
        self.assertEqual(self.machine.state(UNIT), "active")
        self.assertEqual(self.delivered_to(), 8081)
        said = r"HTTP is not served.*127\.0\.0\.1:9789 is held by a process of user 65534"
        self.assert_journal(said)
        self.assertRegex(self.machine.run("vxlan-pipeline", "status", check=False).stdout, said)
        self.systemctl("kill", "--signal=KILL", "holder.service")
        wait_for(lambda: self.machine.run("curl", "-fsS", "http://127.0.0.1:9789/healthz",
                                          check=False).returncode == 0, 5, "HTTP")
