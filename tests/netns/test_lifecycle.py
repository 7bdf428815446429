# SPDX-License-Identifier: GPL-2.0-only
"""The life of an instance: start, refuse, reload, die, come back, stop."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from lib import frames, net, program

TARGETS = ("10.20.0.2:8081", "10.20.0.2:9092")


def tunnels(count, first=0):
    return [frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514,
                                                  b"number %06d" % n)))
            for n in range(first, first + count)]


def rules(target):
    return {"nat": [{"match": {"source_port": 1000}, "to": target}]}


class Lifecycle(net.Ground):
    def setUp(self):
        super().setUp()
        self.know_neighbour()

    def forwards(self, count=10):
        """Sends a few packets and says whether they all arrive."""
        self.in_port.send(*tunnels(count))
        return len(self.out_port.receive(net.is_ip, count)) == count

    def fails(self, *words, status=1, **options):
        """The command fails with one line that says why; returns that line."""
        result = self.cli(*words, check=False, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertEqual(result.stdout, "")
        return lines[0]

    def start_fails(self, *changes, status=1, words=()):
        return self.fails("run", "-c", self.write(*changes), "--instance", self.instance,
                          "-d", "5", *words, status=status)

    def attach_foreign(self, interface):
        """Somebody else's XDP program; returns its id."""
        net.need_commands("clang")
        source = self.work.file("foreign.c", """
            __attribute__((section("xdp"), used)) int somebody_elses(void *ctx) { return 2; }
            char license[] __attribute__((section("license"), used)) = "GPL";
        """)
        foreign = os.path.join(self.work.path, "foreign.o")
        net.run("clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", foreign)
        self.appliance.ip("link", "set", "dev", interface, "xdp", "obj", foreign, "sec", "xdp")
        return self.appliance.xdp(interface)["prog"]["id"]


class Start(Lifecycle):
    def test_foreign_program(self):
        """Refused, named, and left alone."""
        foreign = self.attach_foreign("in0")
        line = self.start_fails()
        self.assertIn("in0", line)
        self.assertTrue("somebody_elses" in line or str(foreign) in line, line)
        self.assertEqual(self.appliance.xdp("in0")["prog"]["id"], foreign)
        self.appliance.ip("link", "set", "dev", "in0", "xdp", "off")
        self.assert_nothing_left()

    def test_foreign_program_on_the_way_out(self):
        """Not ours to replace; where it passes packets on, ours goes on working beside it."""
        foreign = self.attach_foreign("out0")
        daemon = self.start()
        self.assertEqual(self.appliance.xdp("out0")["prog"]["id"], foreign)
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(self.appliance.xdp("out0")["prog"]["id"], foreign)

    def test_another_instance_on_the_interface(self):
        self.start()
        other = net.unique("i")
        self.addCleanup(self.remove_instance, other)
        line = self.fails("run", "-c", self.write(), "--instance", other, "-d", "5")
        self.assertIn("in0", line)
        self.assertTrue(self.forwards())
        self.assertFalse(os.path.exists(os.path.join(net.PINS, other)))

    def test_missing_interface(self):
        self.assertIn("nic9", self.start_fails({"listen": {"interface": "nic9"}}))
        self.assert_nothing_left()
        self.assertIn("nic9", self.start_fails({"forward": {"interface": "nic9"}}))
        self.assert_nothing_left()

    def test_not_root(self):
        """One line that says that it takes privileges, not what failed for lack of them."""
        net.need_commands("setpriv")
        os.chmod(self.work.path, 0o755)
        path = self.write()
        copy = shutil.copy(program.PROGRAM, self.work.path)
        for command in (("run", "-c", path), ("stop",)):
            with self.subTest(command[0]):
                result = self.appliance.run("setpriv", "--reuid=65534", "--regid=65534",
                                            "--clear-groups", copy, *command, "--instance",
                                            self.instance, check=False)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
                self.assertRegex(result.stderr.lower(), "root|privilege|cap_|permi|permission")
        self.assert_nothing_left()

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
                      ("run", "-d", "minus"), ("run", "-c", "/nonexistent/file.yaml")):
            with self.subTest(" ".join(words)):
                result = self.cli(*words, check=False, timeout=10)
                self.assertIn(result.returncode, (1, 2) if "-c" in words else (2,))
                self.assertTrue(result.stderr)
        self.assert_nothing_left()

    def test_second_daemon(self):
        daemon = self.start()
        line = self.start_fails()
        self.assertIn(str(daemon.pid), line)
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards())
        self.assertEqual(self.json("status")["pid"], daemon.pid)

    def test_native_mode_that_is_not_to_be_had(self):
        """`native` fails and says why; `auto` falls back and warns."""
        self.appliance.ip("link", "set", "in0", "mtu", "9000")
        self.sender.ip("link", "set", "s0", "mtu", "9000")
        result = self.cli("run", "-c", self.write({"listen": {"xdp_mode": "native"}}),
                          "--instance", self.instance, "-d", "1", check=False)
        if result.returncode == 0:
            self.skipTest("this veth runs the program natively at MTU 9000")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        self.assertRegex(result.stderr, "in0")
        self.assert_nothing_left()
        daemon = self.start({"listen": {"xdp_mode": "auto"}})
        self.assertEqual(self.json("status")["mode"], "generic")
        self.assertIn("generic", daemon.stderr)
        self.assertTrue(self.forwards())

    def test_bpffs_is_mounted_when_it_is_not(self):
        """In a mount namespace without it: the start mounts it and succeeds."""
        net.need_commands("unshare")
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
        daemon = net.Daemon(self, self.appliance, "-c", self.write(), "-d", "2",
                            instance=self.instance).ready()
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.wait(10), 0, daemon.stderr)
        self.assertGreater(time.monotonic() - started, 1.5)
        self.assert_nothing_left()

    def test_stop_with_a_daemon(self):
        daemon = self.start()
        self.cli("stop", "--instance", self.instance)
        net.wait_for(lambda: daemon.process.poll() is not None, 10, "the daemon to end")
        self.assert_nothing_left()

    def test_stop_without_a_daemon(self):
        daemon = self.start()
        daemon.kill()
        self.assertTrue(self.forwards())
        self.cli("stop", "--instance", self.instance)
        self.assert_nothing_left()
        self.assertEqual(self.json("status")["state"], "detached")

    def test_stop_of_nothing(self):
        """Nothing to stop is no crash and leaves nothing."""
        self.assertIn(self.cli("stop", "--instance", self.instance,
                               check=False).returncode, (0, 1))
        self.assert_nothing_left()

    def test_linger(self):
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        self.assertTrue(self.forwards())
        self.assertEqual(self.json("status")["state"], "unattended")
        self.cli("stop", "--instance", self.instance)
        self.assert_nothing_left()

    def test_instances_are_independent(self):
        """Stopping one leaves the other; each counts its own."""
        first = self.start()
        other = net.unique("i")
        self.addCleanup(self.remove_instance, other)
        config = program.to_yaml({"listen": {"interface": "out0", "vnis": [5]},
                                  "forward": {"interface": "in0", "next_hop": "keep",
                                              "unmatched": "forward"}, "http": {"listen": "off"}})
        second = net.Daemon(self, self.appliance, "-c", self.work.file("other.yaml", config),
                            instance=other).ready()
        self.assertTrue(self.forwards())
        self.out_port.send(*[frames.tunnel(frames.inner(frames.udp("10.3.0.1", "10.3.0.2", 1, 2)),
                                           vni=5)] * 3)
        self.assertEqual(len(self.in_port.receive(net.is_ip, 3)), 3)
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
        """The configuration of the new start is what counts from then on."""
        daemon = self.start(rules(TARGETS[0]), arguments=["--linger"])
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.start(rules(TARGETS[1]))
        self.in_port.send(*tunnels(3))
        self.assertEqual([frame[36:38] for frame in self.out_port.receive(net.is_ip, 3)],
                         [(9092).to_bytes(2, "big")] * 3)
        self.assertEqual(self.verdicts(), {"redirected": 13})

    def test_stopping_ends_the_counters(self):
        daemon = self.start()
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.start()
        self.assertEqual(self.verdicts(), {})


class Traffic:
    """A steady stream of numbered packets from a thread, while the test does something."""

    def __init__(self, test, pause=0.004, batch=10):
        self.test, self.pause, self.batch, self.sent = test, pause, batch, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.frames = None

    def _send(self):
        while not self.stop.is_set() and self.sent < 100000:
            self.test.in_port.send(*tunnels(self.batch, self.sent))
            self.sent += self.batch
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        self.stop.set()
        self.thread.join()

    def collect(self):
        if self.frames is None:
            self.frames = self.test.out_port.receive(net.is_ip, quiet=0.5)
        return self.frames

    def arrived(self):
        """How many arrived; each must be a different one."""
        numbers = {frame[42:55] for frame in self.collect()}
        if len(numbers) != len(self.frames):
            raise AssertionError(f"{len(self.frames) - len(numbers)} packets came twice")
        return len(numbers)


class Reload(Lifecycle):
    def reload(self, daemon, *changes):
        self.write(*changes)
        daemon.signal(signal.SIGHUP)

    def wait_for_target(self, target):
        net.wait_for(lambda: [rule["to"] for rule in self.stats()["rules"]] == [target], 10,
                     f"the rules to be {target}")

    def test_good_file(self):
        daemon = self.start(rules(TARGETS[0]))
        self.assertTrue(self.forwards(4))
        self.reload(daemon, rules(TARGETS[1]))
        self.wait_for_target(TARGETS[1])
        self.in_port.send(*tunnels(6))
        self.assertEqual([frame[36:38] for frame in self.out_port.receive(net.is_ip, 6)],
                         [(9092).to_bytes(2, "big")] * 6)
        self.assertEqual(self.verdicts(), {"redirected": 10}, "counters survive")
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_broken_files(self):
        """Nothing changes, and the log says why."""
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
                net.wait_for(lambda n=logged, r=reason: r in daemon.stderr[n:], 10,
                             f"a log line with {reason}")
                self.assertIsNone(daemon.process.poll())
                self.assertEqual(self.appliance.xdp("in0")["prog"]["id"], before)
                self.assertTrue(self.forwards(3))
        self.reload(daemon, rules(TARGETS[1]))
        self.wait_for_target(TARGETS[1])

    def test_under_traffic(self):
        """No packet is lost, none comes twice, and the change happens at one instant."""
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
        """A datagram half of which came before the reload is not torn apart."""
        daemon = self.start(rules(TARGETS[0]))
        segment = frames.udp_segment("10.1.0.1", "10.1.0.2", 1000, 514, bytes(100))
        first = frames.ipv4(segment[:64], 17, "10.1.0.1", "10.1.0.2", mf=True)
        later = frames.ipv4(segment[64:], 17, "10.1.0.1", "10.1.0.2", fragment_offset=64)
        self.in_port.send(frames.tunnel(frames.inner(first)))
        self.assertEqual(len(self.out_port.receive(net.is_ip, 1)), 1)
        self.reload(daemon, rules("10.20.0.2:9092"))
        self.wait_for_target("10.20.0.2:9092")
        self.in_port.send(frames.tunnel(frames.inner(later)))
        got = self.out_port.receive(net.is_ip, 1)
        self.assertEqual([frame[30:34] for frame in got], [socket.inet_aton("10.20.0.2")])


class Flags(Lifecycle):
    """The flags of old, under the old name."""

    def loader(self):
        path = os.path.join(self.work.path, "vxlan_loader")
        os.symlink(program.PROGRAM, path)
        return path

    def check(self, *arguments, environment=None, name=None, executable=None, target=8081):
        daemon = net.Daemon(self, self.appliance, *arguments, instance=self.instance, name=name,
                            executable=executable, environment=environment).ready()
        self.in_port.send(*tunnels(5))
        got = self.out_port.receive(net.is_ip, 5)
        self.assertEqual([frame[30:34] + frame[36:38] for frame in got],
                         [socket.inet_aton("10.20.0.2") + target.to_bytes(2, "big")] * 5)
        rule = self.stats()["rules"][0]
        self.assertEqual((rule["to"], rule["packets"]), (f"10.20.0.2:{target}", 5))
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_vxlan_loader(self):
        self.check("-i", "in0", "-t", "out0", "-a", "10.20.0.2", "-p", "8081", "-s", "1000",
                   executable=self.loader())

    def test_run_takes_them_too(self):
        self.check("--interface", "in0", "--target", "out0", "--nat-target", "10.20.0.2",
                   "--nat-port", "8081", "--source-port", "1000", name="run")

    def test_environment(self):
        """What stands in the environment stands in for what no flag says."""
        environment = {"AWS_IPSEC_VM_IP": "10.20.0.2", "AWS_IPSEC_VM_PORT": "7777"}
        self.check("-i", "in0", "-t", "out0", "-s", "1000", environment=environment,
                   executable=self.loader(), target=7777)
        self.check("-i", "in0", "-t", "out0", "-s", "1000", "-p", "8081", name="run",
                   environment=environment)

    def test_flags_win_over_the_file(self):
        path = self.write({"listen": {"interface": "nic9"}, "forward": {"interface": "nic8"}},
                          rules("10.20.0.77:1"))
        self.check("-c", path, "-i", "in0", "-t", "out0", "-a", "10.20.0.2", "-p", "8081", "-s",
                   "1000", name="run")

    def test_dump_stats(self):
        """The counters once, and the end; the instance is not touched."""
        daemon = self.start()
        self.assertTrue(self.forwards(13))
        for command in ((program.PROGRAM, "run"), (self.loader(),)):
            result = self.appliance.run(*command, "--dump-stats", "--instance", self.instance)
            self.assertRegex(result.stdout, r"redirected\D+13\b")
        self.assertIsNone(daemon.process.poll())
        self.assertTrue(self.forwards())

    def test_verbose(self):
        """A dashboard every interval."""
        daemon = self.start(arguments=["-v", "-I", "1"])
        net.wait_for(lambda: "PPS" in daemon.stdout + daemon.stderr, 10, "a dashboard")
        self.assertEqual(daemon.terminate(), 0)


class Views(Lifecycle):
    """status, stats and monitor."""

    def test_status(self):
        self.assertEqual(self.json("status")["state"], "detached")
        daemon = self.start()
        status = self.json("status")
        self.assertLessEqual({"state", "mode", "pid", "since", "healthy", "reasons", "pps"},
                             set(status))
        self.assertEqual((status["state"], status["mode"], status["pid"]),
                         ("running", "native", daemon.pid))
        self.assertIs(status["healthy"], True)
        self.assertEqual(status["reasons"], [])
        text = self.cli("status", "--instance", self.instance).stdout
        for word in ("running", "native", "in0"):
            self.assertIn(word, text)

    def test_status_names_a_link_that_is_down(self):
        self.start()
        self.appliance.ip("link", "set", "out0", "down")

        def unhealthy():
            status = self.json("status")
            return not status["healthy"] and status
        status = net.wait_for(unhealthy, 10, "the status to turn")
        self.assertIn("out0", " ".join(status["reasons"]))

    def test_status_names_the_link_it_listens_on(self):
        self.start()
        self.appliance.ip("link", "set", "in0", "down")

        def unhealthy():
            status = self.json("status")
            return not status["healthy"] and status
        self.assertIn("in0", " ".join(net.wait_for(unhealthy, 10, "the status")["reasons"]))

    def test_rate(self):
        self.start()
        with Traffic(self):
            rates = [self.json("status")["pps"] for _ in range(3)]
        self.assertGreater(max(rates), 100)

    def test_stats_without_an_instance(self):
        self.assertIn(self.instance, self.fails("stats", "--instance", self.instance))

    def test_stats_text(self):
        self.start()
        self.assertTrue(self.forwards(13))
        self.assertRegex(self.cli("stats", "--instance", self.instance).stdout,
                         r"redirected\D+13\b")

    def monitor(self, seconds, *words):
        """The lines that `monitor` writes into a pipe."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "monitor", "-I", "1", "--instance",
                                   self.instance, *words), stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=5)[0].splitlines()
        finally:
            process.kill()
            process.wait()

    def test_monitor(self):
        self.start()
        lines = self.monitor(3.5)
        self.assertEqual(lines[0].split(), ["TIME", "PPS", "VXLAN_PPS", "NAT_HIT%", "REDIRECTED",
                                            "ERRORS", "STATUS"])
        self.assertIn(len(lines) - 1, (2, 3, 4), "a line an interval")
        for line in lines[1:]:
            self.assertEqual(len(line.split()), 7, line)
            self.assertEqual(line.split()[-1], "IDLE")
        self.assertNotIn("\033", "\n".join(lines), "no colour in a pipe")

    def test_monitor_judges_the_rate(self):
        for target, warning, status in ((100, 50, "OK"), (1000000, 100, "LOW"),
                                        (1000000, 999999, "BELOW")):
            with self.subTest(status):
                daemon = self.start({"monitor": {"target_pps": target, "warning_pps": warning}})
                with Traffic(self, pause=0.01):
                    lines = self.monitor(3.2)
                last = lines[-1].split()
                self.assertEqual(last[-1], status, lines)
                self.assertGreater(int(last[1].replace(",", "")), 100)
                self.assertEqual(daemon.terminate(), 0)
