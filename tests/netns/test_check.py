# SPDX-License-Identifier: GPL-2.0-only
"""`check` on real interfaces: its findings, its fixes, and what it does without."""

import contextlib
import http.server
import json
import os
import socket
import threading
import time
import unittest

from lib import frames, kernel, program, watch
from lib.command import need_commands, run, wait_for
from lib.ground import WIRES
from lib.life import Lifecycle
from lib.namespace import unique
from lib.port import is_ip

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
          "--bounding-set=-all")


class Checked(Lifecycle):
    READY = {"listen": {"sources": ["10.0.0.0/8"]}, "forward": {"mtu": 1500, "oversize": "drop"}}

    def setUp(self):
        super().setUp()
        self.appliance.ip("link", "set", "out0", "mtu", "3498")
        # rows that take the link down must not take away the route to IPv6 targets
        self.appliance.run("sysctl", "-qw", "net.ipv6.conf.out0.keep_addr_on_down=1")

    def check(self, *changes, words=(), status=0, wrapper=(), instance=None, **options):
        """Runs `check --json`, which prints nothing else, and returns its findings."""
        result = self.appliance.run(
            *wrapper, program.PROGRAM, "check", "-c", self.write(self.READY, *changes), "--json",
            "--instance", instance or self.instance, *words, check=False, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertEqual(result.stderr, "")
        document = json.loads(result.stdout)
        self.assertEqual(set(document), {"ready", "findings"})
        self.assertIs(document["ready"], status == 0)
        for finding in document["findings"]:
            self.assertEqual(set(finding), {"check", "status", "why", "fix"})
            self.assertIn(finding["status"], ("ok", "warn", "fail"))
            self.assertTrue(finding["why"])
        return document["findings"]

    @staticmethod
    def wrong(findings):
        """Findings that are not ok; without `idle_states`, which this machine's CPUs decide."""
        return [(item["status"], item["check"]) for item in findings
                if item["status"] != "ok" and item["check"] != "idle_states"]


class Findings(Checked):
    def test_ready(self):
        """Nothing is found on a good host, before the instance runs and while it does."""
        self.assertEqual(self.wrong(self.check()), [])
        daemon = self.start(self.READY)
        self.assertEqual(self.wrong(self.check()), [])
        self.assertEqual(daemon.terminate(), 0)

    def test_the_kernel(self):
        """An old kernel cannot fragment in XDP: found with `oversize: fragment`."""
        found = self.wrong(self.check({"forward": {"oversize": "fragment"}}))
        self.assertEqual(found, [] if kernel.copies_frames() else [("warn", "fragmenting")])

    # sentence, command that breaks the host, change of the configuration, status, finding
    ROWS = (
        ("link down", ("ip", "link", "set", "in0", "down"), {}, "warn", "interface"),
        ("the other link down", ("ip", "link", "set", "out0", "down"), {}, "warn", "interface"),
        ("too small for mirrored packets", ("ip", "link", "set", "in0", "mtu", "1500"), {}, "warn",
         "tunnel_mtu"),
        ("forward.mtu too large", ("ip", "link", "set", "out0", "mtu", "1400"), {}, "fail",
         "forward_mtu"),
        ("no room to cut",
         ("sh", "-c", "ip link set in0 mtu 3498 && ip link set out0 mtu 1500"),
         {"forward": {"oversize": "fragment"}}, "warn", "fragmenting"),
        ("no IPv4 forwarding", ("sysctl", "-w", "net.ipv4.conf.out0.forwarding=0"), {}, "warn",
         "forwarding"),
        ("no next hops of IPv6", ("sysctl", "-w", "net.ipv6.conf.out0.forwarding=0"), {}, "warn",
         "forwarding"),
        ("no IPv6 forwarding", ("sh", "-c", "sysctl -w net.ipv6.conf.all.forwarding=0 && "
                                "sysctl -w net.ipv6.conf.out0.forwarding=1"), {}, "warn",
         "forwarding"),
        ("reverse path filtering", ("sysctl", "-w", "net.ipv4.conf.all.rp_filter=1"), {}, "warn",
         "rp_filter"),
        ("redirects", ("sysctl", "-w", "net.ipv4.conf.in0.send_redirects=1"), {}, "warn",
         "send_redirects"),
    )

    def test_what_is_found_and_that_its_command_mends_it(self):
        for sentence, broken, change, status, name in self.ROWS:
            with self.subTest(sentence):
                if name == "fragmenting" and not kernel.copies_frames():
                    self.skipTest("this kernel cuts itself, whatever the room")
                self.appliance.run(*broken)
                findings = self.check(change, status=1 if status == "fail" else 0)
                self.assertEqual(self.wrong(findings), [(status, name)])
                fix = next(item["fix"] for item in findings if item["check"] == name)
                self.appliance.run("sh", "-c", fix)
                for name in ("in0", "out0"):
                    wait_for(lambda name=name: self.appliance.link(name)["operstate"] == "UP",
                             5, name)
                self.assertEqual(self.wrong(self.check(change)), [], fix)

    def test_what_a_start_gets_over(self):
        """The unit runs `check` before each start: a daemon that died must be able to come back."""
        native = {"listen": {"xdp_mode": "native"}}
        rows = (
            ("in0 is down", ("ip", "link", "set", "in0", "down"), self.READY, "interface"),
            ("out0 is down", ("ip", "link", "set", "out0", "down"), self.READY, "interface"),
            ("it ran in generic mode, and native is asked for", (),
             {"listen": {"xdp_mode": "generic"}}, "xdp_mode"),
        )
        for sentence, broken, before, name in rows:
            with self.subTest(sentence):
                self.start(self.READY, before).kill()
                if broken:
                    self.appliance.run(*broken)
                self.assertEqual(self.wrong(self.check(native)), [("warn", name)])
                daemon = self.start(self.READY, native)
                self.assertEqual(self.json("status")["mode"], "native")
                for name in ("in0", "out0"):
                    self.appliance.ip("link", "set", name, "up")
                self.assertEqual(daemon.terminate(), 0)

    def test_foreign_program(self):
        for mode, words in (("native", "xdp off"), ("generic", "xdpgeneric off")):
            with self.subTest(mode):
                self.attach_program(self.appliance, "in0")
                if mode == "generic":
                    self.appliance.ip("link", "set", "dev", "in0", "xdp", "off")
                    self.appliance.ip("link", "set", "dev", "in0", "xdpgeneric", "obj",
                                      self.build_foreign(), "sec", "xdp")
                finding, = [item for item in self.check(status=1)
                            if item["check"] == "xdp_program"]
                self.assertIn("somebody_elses", finding["why"])
                self.assertEqual(finding["fix"], f"ip link set dev in0 {words}")
                self.appliance.run("sh", "-c", finding["fix"])
                self.assertEqual(self.wrong(self.check()), [])

    def test_program_held_by_a_link(self):
        """`ip link` cannot detach it; `check` and `run` name the command that can."""
        need_commands("bpftool")
        pin = f"/sys/fs/bpf/{unique('foreign')}"
        run("bpftool", "prog", "load", self.build_foreign(), pin)
        self.addCleanup(os.unlink, pin)
        self.addCleanup(watch.create_link(self.appliance, "in0", pin).close)
        finding, = [item for item in self.check(status=1) if item["check"] == "xdp_program"]
        self.assertRegex(finding["fix"], r"^bpftool link detach id \d+$")
        self.assertIn(finding["fix"], self.start_fails(self.READY))
        # with the capabilities that the unit leaves it, `run` cannot see the link
        said = self.appliance.run("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin",
                                  program.PROGRAM, "run", "-c", self.write(self.READY),
                                  "--instance", self.instance, check=False).stderr
        self.assertIn("vxlan-pipeline check", said)
        self.assertNotIn("xdp off", said)
        self.appliance.run("sh", "-c", finding["fix"])
        self.assertEqual(self.wrong(self.check()), [])

    def test_another_instance(self):
        self.start(self.READY)
        other = unique("o")
        findings = self.check({"http": {"listen": "127.0.0.1:9000"}}, instance=other, status=1)
        self.assertEqual(self.wrong(findings), [("fail", "xdp_program")])
        fix = next(item["fix"] for item in findings if item["check"] == "xdp_program")
        self.assertEqual(fix, f"vxlan-pipeline stop --instance {self.instance}")

    def test_an_address_that_is_taken(self):
        with self.appliance.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertEqual(self.wrong(self.check({"http": {"listen": listen}})), [],
                             "bound, but nobody listens")
            taken.listen()
            findings = self.check({"http": {"listen": listen}})
        self.assertEqual(self.wrong(findings), [("warn", "http")])

    def test_targets_without_a_route(self):
        """Targets on no link of this host: found until a route leads there out of out0."""
        rules = {"nat": [{"match": {"source_port": 1}, "to": "203.0.113.7:5", "name": "far"},
                         {"match": {"source_port": 2}, "to": "203.0.113.8:5"}]}
        findings = self.check(rules)
        self.assertEqual(self.wrong(findings), [("warn", "targets")])
        finding = next(item for item in findings if item["check"] == "targets")
        self.assertIn("203.0.113.7 (rule 1, far) out of out0, nor for 1 rule more", finding["why"])
        self.appliance.run("sh", "-c", finding["fix"])
        self.appliance.ip("route", "add", "203.0.113.0/24", "dev", "in0")
        self.assertEqual(self.wrong(self.check(rules)), [("warn", "targets")], "not out of out0")
        self.appliance.ip("route", "add", "203.0.113.0/24", "dev", "out0", "metric", "5")
        self.assertEqual(self.wrong(self.check(rules)), [])

    def test_ipv6_that_is_passed(self):
        """IPv6 packets that are passed get no further until the finding's command has run."""
        passing = {"forward": {"unmatched": "pass"}}
        self.appliance.sysctl("net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.in0.forwarding=1",
                              "net.ipv6.conf.out0.forwarding=1")
        self.start(passing)
        sent = [frames.tunnel(frames.inner(frames.udp("fd99::1", "fd20::2", 2000, 514, b"6")))] * 3
        self.in_port.send(*sent)
        self.assertEqual(self.out_port.receive(is_ip), [])
        findings = self.check(passing)
        self.assertEqual(self.wrong(findings), [("warn", "forwarding")])
        self.appliance.run("sh", "-c", next(item["fix"] for item in findings
                                            if item["check"] == "forwarding"))
        self.in_port.send(*sent)
        self.assertEqual(len(self.out_port.receive(is_ip, 3)), 3)
        self.assertEqual(self.verdicts(), {"passed": 6})
        self.assertEqual(self.wrong(self.check(passing)), [])

    def test_no_rule(self):
        self.assertEqual(self.wrong(self.check({"nat": []})), [("warn", "rules")])

    def test_no_packet_of_a_listed_vni(self):
        """Found when packets of other VNIs come and none of a listed one."""
        self.start(self.READY)
        inner = frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 1000, 514, b"7"))
        self.in_port.send(*[frames.tunnel(inner, vni=7)] * 3)
        wait_for(lambda: self.verdicts() == {"unknown_vni": 3}, 5, "the packets")
        findings = self.check()
        self.assertEqual(self.wrong(findings), [("warn", "vnis")])
        self.assertIn("all of the 3 packets", next(item["why"] for item in findings
                                                   if item["check"] == "vnis"))
        self.in_port.send(frames.tunnel(inner))
        self.assertEqual(len(self.out_port.receive(is_ip, 1)), 1)
        self.assertEqual(self.wrong(self.check()), [])

    def test_no_native_mode(self):
        self.bridge()
        for mode, status in (("auto", 0), ("native", 1), ("generic", 0)):
            with self.subTest(mode):
                findings = self.check({"listen": {"interface": "br0", "xdp_mode": mode}},
                                      status=status)
                got = [item for item in self.wrong(findings) if item[1] == "xdp_mode"]
                self.assertEqual(got, {"auto": [("warn", "xdp_mode")],
                                       "native": [("fail", "xdp_mode")], "generic": []}[mode])

    def test_no_interface(self):
        findings = self.check({"listen": {"interface": "nic9"}}, status=1)
        self.assertEqual(self.wrong(findings), [("fail", "interface")])
        self.assertIn("nic9", findings[-1]["why"])

    def test_no_bpf_file_system(self):
        """`check` runs in a mount namespace without a BPF file system."""
        wrapper = ("unshare", "--mount", "sh", "-c",
                   'mount -t tmpfs tmpfs /sys/fs/bpf && exec "$@"', "sh")
        findings = self.check(wrapper=wrapper)
        self.assertEqual(self.wrong(findings), [("warn", "bpffs")])

    @unittest.skipIf(WIRES, "these interfaces have no peer")
    def test_peer_without_napi(self):
        if not kernel.knows("netdev_nl_dev_get_doit"):
            self.skipTest("this kernel does not tell what drivers can do")
        self.collector.run("ethtool", "-K", "c0", "gro", "off")
        wait_for(lambda: ("warn", "egress") in self.wrong(self.check()), 5, "the finding")


class Command(Checked):
    def test_needs_no_root(self):
        os.chmod(self.work.path, 0o755)
        findings = self.check(wrapper=NOBODY)
        self.assertEqual(self.wrong(findings), [("warn", "permission")])
        self.assertIn("sudo", findings[0]["fix"])
        unknown = {item["check"] for item in findings if item["why"].startswith("not known")}
        self.assertLessEqual({"kernel", "jit"}, unknown, "what was not looked at is not good")

    def test_nobody_asks_while_the_daemon_runs(self):
        """Without root, `check` cannot see that the instance's own daemon uses the address."""
        served = {"http": {"listen": "127.0.0.1:9000"}}
        self.start(self.READY, served)
        os.chmod(self.work.path, 0o755)
        findings = self.check(served, wrapper=NOBODY)
        self.assertNotIn("fail", [item["status"] for item in findings])
        http_said, = [item["why"] for item in findings if item["check"] == "http"]
        self.assertIn("not known", http_said)

    def test_nobody_may_not_see_whose_program_it_is(self):
        self.attach_program(self.appliance, "in0")
        os.chmod(self.work.path, 0o755)
        self.assertEqual(self.wrong(self.check(wrapper=NOBODY)),
                         [("warn", "permission"), ("warn", "xdp_program")])

    def test_changes_nothing(self):
        def state():
            links = json.loads(self.appliance.ip("-j", "-d", "link", "show").stdout)
            sysctls = self.appliance.run("sysctl", "-e", "net.ipv4.conf", "net.ipv6.conf").stdout
            return links, sysctls
        before = state()
        self.check()
        self.assertEqual(state(), before)
        self.assert_nothing_left()

    def test_facts_are_judged_as_the_host_they_are_of(self):
        self.appliance.sysctl("net.ipv4.conf.all.rp_filter=2")
        facts = os.path.join(self.work.path, "facts.json")
        here = self.check(words=("--record", facts))
        self.assertEqual(self.wrong(here), [("warn", "rp_filter")])
        away = run(program.PROGRAM, "check", "-c", self.write(self.READY), "--json",
                   "--facts", facts, "--instance", self.instance)
        self.assertEqual(json.loads(away.stdout)["findings"], here)
        said = self.fails("check", "-c", self.write({"listen": {"interface": "in1"}}), "--facts",
                          facts, status=2)
        self.assertIn("in1", said)
        recorded = self.cli("check", "-c", self.write(self.READY), "--record", "-").stdout
        self.assertEqual(json.loads(recorded)["listen"]["name"], "in0")

    def test_bad_configuration(self):
        path = self.work.file("bad.yaml", "listen: {interface: in0, port: 0}\nforward: {ttl: 3}\n")
        result = self.cli("check", "-c", path, "--json", check=False)
        known = self.cli("config", "check", "-c", path, check=False)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(result.stderr, known.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 2)

    def test_usage(self):
        facts = self.work.file("facts.json", "{}")
        for words, said in ((("--colour",), "colour"), (("more",), "more"),
                            (("--color", "red"), "red"), (("--instance", "a/b"), "a/b"),
                            (("--record", "x", "--facts", "y"), "--facts"),
                            (("--json", "--record", "-"), "--record"),
                            (("--facts", "/nowhere"), "/nowhere"),
                            (("--facts", facts), "facts.json")):
            with self.subTest(" ".join(words)):
                result = self.cli("check", "-c", self.write(), *words, check=False)
                self.assertEqual(result.returncode, 2)
                self.assertIn(said, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_text(self):
        self.appliance.sysctl("net.ipv4.conf.all.rp_filter=1")
        words = ("check", "-c", self.write(self.READY), "--instance", self.instance)
        lines = self.cli(*words).stdout.splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("warn  rp_filter "))
        self.assertEqual(lines[at + 1].strip(), "$ sysctl -w net.ipv4.conf.all.rp_filter=0")
        self.assertRegex(lines[-1], r"^ready: 0 of \d+ findings fail, [12] warn$")
        self.assertNotIn("\033", "\n".join(lines), "no colour in a pipe")
        self.assertIn("\033[33mwarn", self.cli(*words, "--color=always").stdout)


class Metadata(http.server.BaseHTTPRequestHandler):
    """Serves instance metadata like EC2: nothing without a token."""

    TOKEN = "c2VjcmV0LXRva2Vu=="
    answers: dict = {}

    def reply(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):  # pylint: disable=invalid-name
        good = self.path == "/latest/api/token" and \
            self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.reply(*((200, self.TOKEN) if good else (400, "bad")))

    def do_GET(self):  # pylint: disable=invalid-name
        if self.headers["X-aws-ec2-metadata-token"] != self.TOKEN:
            return self.reply(401, "who?")
        text = self.answers.get(self.path.removeprefix("/latest/meta-data/"))
        return self.reply(200, text) if text else self.reply(404, "no such thing")

    def log_message(self, *_):
        pass


class Ec2(Checked):
    """A host that claims to be one of EC2, and a metadata server on its loopback."""

    # mounts another /sys/class over the real one, in which /sys/class/dmi cannot be created
    WRAPPER = ("unshare", "--mount", "sh", "-c",
               "mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/dmi/id && "
               'echo "$VENDOR" > /sys/class/dmi/id/sys_vendor && exec "$@"', "sh")

    def listener(self):
        listener = self.appliance.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        return listener

    def serve(self, answers):
        listener = self.listener()
        handler = type("Handler", (Metadata,), {"answers": answers})
        server = http.server.ThreadingHTTPServer(listener.getsockname(), handler, False)
        server.socket.close()
        server.socket = listener
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return listener

    def ask(self, listener, vendor="Amazon EC2"):
        environment = {**os.environ, "VENDOR": vendor, "AWS_EC2_METADATA_SERVICE_ENDPOINT":
                       f"http://127.0.0.1:{listener.getsockname()[1]}"}
        finding, = [item for item in self.check(wrapper=self.WRAPPER, env=environment)
                    if item["check"] == "source_dest_check"]
        return finding

    def test_the_command_names_the_interface(self):
        mac = self.appliance.mac("out0")
        finding = self.ask(self.serve({
            "instance-id": "i-0123456789abcdef0",
            f"network/interfaces/macs/{mac}/interface-id": "eni-0aa1bb2cc3dd4ee5f"}))
        self.assertEqual(finding["status"], "warn")
        self.assertEqual(finding["fix"], "aws ec2 modify-network-interface-attribute "
                         "--network-interface-id eni-0aa1bb2cc3dd4ee5f --no-source-dest-check")

    def test_metadata_of_no_use(self):
        def broken(answer, drip=None):
            listener = self.listener()

            def answer_slowly(connection):
                with contextlib.suppress(OSError):
                    while True:
                        connection.sendall(answer)
                        time.sleep(drip)

            def serve():
                while True:
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    with connection:
                        connection.recv(4096)
                        if drip:
                            answer_slowly(connection)
                        else:
                            connection.sendall(answer)
            threading.Thread(target=serve, daemon=True).start()
            self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
            return listener

        rows = (
            ("no interface of its own", self.serve({"instance-id": "i-0123456789abcdef0"})),
            ("no such instance", self.serve({})),
            ("never answers", self.listener()),
            ("no HTTP", broken(b"220 smtp ready\r\n\r\nhello")),
            ("an empty answer", broken(b"")),
            ("text that is none", broken(b"HTTP/1.1 200 OK\r\n\r\n\x1b[31m;reboot")),
            ("an id that would be a command", self.serve({
                "instance-id": "i-0123456789abcdef0",
                f"network/interfaces/macs/{self.appliance.mac('out0')}/interface-id":
                    "eni-1;reboot"})),
            ("a byte at a time", broken(b"x", 0.1)),
            ("more than fits", broken(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000)),
        )
        for sentence, listener in rows:
            with self.subTest(sentence):
                began = time.monotonic()
                finding = self.ask(listener)
                self.assertLess(time.monotonic() - began, 8 * program.PATIENCE)
                self.assertEqual(finding["status"], "warn")
                self.assertIn(f"Values={self.appliance.mac('out0')}", finding["fix"])
                self.assertNotIn("reboot", json.dumps(finding))

    def test_not_asked_elsewhere(self):
        """On another vendor's machine, `check` does not connect to the metadata server."""
        listener = self.listener()
        finding = self.ask(listener, vendor="QEMU")
        self.assertEqual(finding["status"], "ok")
        listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            listener.accept()
