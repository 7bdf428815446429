# SPDX-License-Identifier: GPL-2.0-only
"""A start, a reload and the control loop, while somebody or something stands in their way."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

from lib import fuse, program
from lib.command import injected, need_commands, wait_for
from lib.daemon import Daemon
from lib.life import TARGETS, Traffic, rules
from lib.port import Port
from lib.watch import PORT, Watched

QUICKLY = 3  # seconds for what takes a fraction of one


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class OddFiles(Watched):
    """What is named as the configuration, and is none."""

    # what it is; how it is made; what is said of it
    KINDS = (
        ("a FIFO", os.mkfifo, "it is a FIFO, not a file"),
        ("a socket", lambda path: socket.socket(socket.AF_UNIX).bind(path), "it is a socket"),
        ("a device", lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
         "it is a device"),
        ("a disk", lambda path: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0)),
         "it is a device"),
        ("a directory", os.mkdir, "Is a directory"),
        ("a link to itself", lambda path: os.symlink(path, path), "Too many levels"),
    )
    COMMANDS = (("config", "check"), ("config", "show"), ("check",), ("run", "-d", "1"),
                ("explain", "none.pcap"), ("tune", "--dry-run"))

    def odd(self, make):
        path = os.path.join(self.work.path, "odd.yaml")
        make(path)
        return path

    def test_commands(self):
        """Every command that reads one refuses it at once, and says what it is."""
        for sentence, make, said in self.KINDS:
            path = self.odd(make)
            for command in self.COMMANDS:
                with self.subTest(f"{' '.join(command)}: {sentence}"):
                    result = self.cli(*command, "-c", path, check=False, timeout=QUICKLY)
                    self.assertEqual(result.returncode, 2, result.stderr)
                    self.assertRegex(result.stderr, f"^{path}: cannot be read: .*{said}.*\n$")
            (os.rmdir if os.path.isdir(path) else os.unlink)(path)

    def test_reload(self):
        """The daemon refuses it at once, goes on as before, and ends when it is told to."""
        daemon = self.start(rules(TARGETS[0]))
        path = os.path.join(self.work.path, "config.yaml")
        for sentence, make, said in self.KINDS:
            with self.subTest(sentence):
                (os.rmdir if os.path.isdir(path) else os.unlink)(path)
                make(path)
                result = self.cli("reload", "--instance", self.instance, check=False,
                                  timeout=QUICKLY)
                self.assertEqual(result.returncode, 1)
                self.assertIn(said, result.stderr)
                self.assertIn("the configuration before stays", result.stderr)
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_pipes(self):
        """A pipe that the user gives is read, also where it takes a moment; it has to end."""
        text = program.to_yaml(self.config())
        check = f'"$0" config check -c {{}}; echo "exit $?"'
        for sentence, command, said in (
                ("standard input", 'cat {file} | ' + check.format("/dev/stdin"), ": OK, 1 rule"),
                ("a substitution", check.format("<(cat {file})"), ": OK, 1 rule"),
                ("one that is slow", "(head -c 40 {file}; sleep 1; tail -c +41 {file}) | " +
                 check.format("/dev/stdin"), ": OK, 1 rule"),
                ("no input at all", check.format("/dev/stdin") + " < /dev/null",
                 "listen.interface: missing"),
                ("one that never ends", check.format("/dev/stdin < <(sleep 60)"),
                 "there was no end of it within 10 s"),
                ("one that never ends, and is full of text", "yes '#' | " +
                 check.format("/dev/stdin"), "larger than 64 MiB")):
            with self.subTest(sentence):
                command = command.replace("{file}", self.work.file("c.yaml", text))
                with subprocess.Popen(["bash", "-c", command, program.PROGRAM], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      start_new_session=True) as shell:
                    lines = iter(shell.stdout.readline, "")
                    answer = "".join(line for _, line in zip(range(2), lines))
                    os.killpg(shell.pid, signal.SIGKILL)
                self.assertIn(said, answer)
                self.assertRegex(answer, "exit 0" if "OK" in said else "exit 2")

    def test_a_service_manager_that_takes_nothing(self):
        """Nobody reads what it is told: reloads go on, and so does the end."""
        daemon = self.start(rules(TARGETS[0]))
        for number in range(20):
            self.write(rules(TARGETS[number % 2]))
            self.cli("reload", "--instance", self.instance, timeout=QUICKLY)
        self.assertEqual(daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_standard_input_is_read_once(self):
        """A reload of what came through a pipe finds nothing more, and changes nothing."""
        command = f'exec "$0" run -c /dev/stdin --instance {self.instance}'
        source = self.write(rules(TARGETS[0]))
        daemon = Daemon(self, self.appliance, "-c", f"cat {source} | ({command})",
                        program.PROGRAM, name=None, executable="bash").ready()
        result = self.cli("reload", "--instance", self.instance, check=False, timeout=QUICKLY)
        self.assertIn("listen.interface: missing", result.stderr)
        self.assertTrue(self.forwards())
        self.cli("stop", "--instance", self.instance)
        daemon.wait()


class DeadFileSystem(Watched):
    """The configuration lies where nobody answers any more."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start(rules(TARGETS[0]))
        directory = os.path.join(self.work.path, "dead")
        os.mkdir(directory)
        fuse.mount_silent(self, directory)
        link = os.path.join(self.work.path, "link")
        os.symlink(os.path.join(directory, "config.yaml"), link)
        os.rename(link, os.path.join(self.work.path, "config.yaml"))

    def test_reload(self):
        """It fails after ten seconds, in which the daemon does all else that it has to."""
        with Traffic(self) as traffic, subprocess.Popen(
                self.appliance.command(program.PROGRAM, "reload", "--instance", self.instance),
                stderr=subprocess.PIPE, text=True) as asking:
            began = time.monotonic()
            while asking.poll() is None:
                self.assertEqual(self.get().text, "healthy\n")
                self.assertLess(time.monotonic() - began, 20)
                time.sleep(0.5)
            self.assertIn("there was no end of it within 10 s", asking.stderr.read())
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(self.daemon.terminate(), 0)
        self.assert_nothing_left()

    def test_end_in_the_middle(self):
        """Told to end while it waits, it ends at once, and another daemon may start."""
        for number, left in ((signal.SIGTERM, False), (signal.SIGUSR1, True)):
            with self.subTest(number.name):
                self.daemon.signal(signal.SIGHUP)
                self.daemon.notified("RELOADING=1")
                self.daemon.signal(number)
                self.assertEqual(self.daemon.wait(QUICKLY), 0, self.daemon.stderr)
                self.assertEqual(self.forwards(), left)
                os.unlink(os.path.join(self.work.path, "config.yaml"))
                self.daemon = self.start(rules(TARGETS[0]))
                self.assertTrue(self.forwards())
                os.rename(os.path.join(self.work.path, "config.yaml"),
                          os.path.join(self.work.path, "good.yaml"))
                os.symlink(os.path.join(self.work.path, "dead/config.yaml"),
                           os.path.join(self.work.path, "config.yaml"))


class UnreadOutput(Watched):
    """Dashboard and log go into a pipe that is full: nobody reads it."""

    def test_life(self):
        """The daemon starts, reloads and ends all the same; the log says what is missing in it."""
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writing, b"x" * 4096)
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "run", "-v", "-I", "1", "-c",
                                   self.write(rules(TARGETS[0])), "--instance", self.instance),
            stdout=writing, stderr=writing)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(writing)
        wait_for(lambda: self.json("status")["state"] == "running", 20, "the start")
        time.sleep(2.5)  # two dashboards
        self.write(rules(TARGETS[1]))
        self.cli("reload", "--instance", self.instance, timeout=10)
        self.assertTrue(self.forwards())
        self.assertEqual(self.get().text, "healthy\n")
        self.assertEqual(os.read(reading, 4096), b"x" * 4096)

        def tells():
            """A dashboard that is written first takes the pipe's only page: reading makes room."""
            self.cli("reload", "--instance", self.instance, timeout=10)
            return re.search(r"\d+ lines of the log were lost", os.read(reading, 4096).decode())
        wait_for(tells, 10, "word of what was lost")
        process.terminate()
        self.assertEqual(process.wait(QUICKLY), 0)
        os.close(reading)
        self.assert_nothing_left()


class TakenPort(Watched):
    """Somebody, anybody, holds the port that HTTP is to be served on."""

    def status(self):
        return json.loads(self.cli("status", "--json", "--instance", self.instance,
                                   check=False).stdout)

    def unserved(self):
        """What `status` says of it."""
        said = [reason for reason in self.status()["reasons"] if "HTTP" in reason]
        return said[0] if said else ""

    def serves(self, port=PORT):
        try:
            return self.get(port=port).status in (200, 503)
        except OSError:
            return False

    def hold(self, address="127.0.0.1", port=PORT, listen=True, uid=None):
        """A process that has the port; with a uid, one of that user."""
        family = "AF_INET6" if ":" in address else "AF_INET"
        code = (f"import socket, time; s = socket.socket(socket.{family}); "
                # as the last daemon's connections have not timed out; alone it would share the port
                f"s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, {int(listen)}); "
                f"s.bind(({address!r}, {port})); {'s.listen(); ' if listen else ''}"
                "print(flush=True); time.sleep(1000)")
        user = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups") if uid else ()
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(*user, sys.executable, "-c", code), stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return process

    def test_start(self):
        """The datapath starts all the same; who holds the port is said, until it is served."""
        for sentence, options, said in (
                ("another account", {"uid": 65534}, "user 65534"),
                ("root", {}, "user 0"),
                ("every address", {"address": "0.0.0.0"}, "user 0"),
                ("IPv6, and with it IPv4", {"address": "::"}, "user 0")):
            with self.subTest(sentence):
                holder = self.hold(**options)
                daemon = self.start()
                self.assertTrue(self.forwards())
                self.assertIn(f"127.0.0.1:{PORT} is held by process {holder.pid} (python3) of "
                              f"{said};", daemon.stderr)
                self.assertRegex(self.unserved(), f"127.0.0.1:{PORT} is held by .*{said};")
                holder.kill()
                wait_for(self.serves, 3, "HTTP")
                self.assertIn(f"HTTP is served on 127.0.0.1:{PORT}", daemon.stderr)
                wait_for(lambda: not self.unserved(), 3, "health")
                self.assertEqual(daemon.terminate(), 0)
                self.assert_nothing_left()

    def test_one_that_only_binds(self):
        """Such a socket is seen from Linux 6.8 on; that the port is taken is said in any case."""
        self.hold(listen=False)
        self.start()
        self.assertTrue(self.forwards())
        self.assertIn(f"127.0.0.1:{PORT} is", self.unserved())

    def test_check(self):
        """It warns and names the holder: a start is not kept back."""
        holder = self.hold(uid=65534)
        result = self.cli("check", "-c", self.write(), "--json", check=False)
        found = [finding for finding in json.loads(result.stdout)["findings"]
                 if finding["check"] == "http"]
        self.assertEqual([finding["status"] for finding in found], ["warn"])
        self.assertIn(f"process {holder.pid} (python3) of user 65534", found[0]["why"])

    def test_reload(self):
        """What it moves to is taken: the rest of it is in force, and HTTP follows when it can."""
        daemon = self.start()
        holder = self.hold(port=9999)
        for listen in ("127.0.0.1:9999", "0.0.0.0:9999"):
            with self.subTest(listen):
                self.write({"http": {"listen": listen}}, rules(TARGETS[1]))
                self.cli("reload", "--instance", self.instance)
                self.assertEqual([rule["to"] for rule in self.stats()["rules"]], [TARGETS[1]])
                self.assertIn(f"{listen} is held by", self.unserved())
                self.assertFalse(self.serves())
        self.write()
        self.cli("reload", "--instance", self.instance)
        self.assertTrue(self.serves())
        self.assertEqual(self.unserved(), "")
        self.write({"http": {"listen": "127.0.0.1:9999"}})
        self.cli("reload", "--instance", self.instance)
        holder.kill()
        wait_for(lambda: self.serves(9999), 3, "HTTP")
        self.write({"http": {"listen": "off"}})
        self.cli("reload", "--instance", self.instance)
        self.assertEqual(self.unserved(), "")
        self.assertEqual(daemon.terminate(), 0)


class LateInterfaces(Watched):
    """An interface comes after the start, as one does that AWS attaches a minute after boot."""

    COMES_WITHIN = 5

    def wait(self, *changes):
        """A daemon that waits."""
        return Daemon(self, self.appliance, "-c", self.write(*changes), "--wait",
                      instance=self.instance).ready()

    def take_away(self, *names):
        for name in names:
            self.appliance.ip("link", "set", name, "netns", self.sender.name, "name", f"{name}x")

    def bring(self, name):
        self.sender.ip("link", "set", f"{name}x", "netns", self.appliance.name, "name", name)
        self.appliance.ip("link", "set", name, "up")
        self.appliance.ip("addr", "add", {"in0": "10.9.0.2/24", "out0": "10.20.0.1/24"}[name],
                          "dev", name)
        if name == "out0":
            self.know_neighbour()

    def know_neighbour(self):
        mac = self.collector.mac("c0")
        self.appliance.ip("neigh", "replace", "10.20.0.2", "lladdr", mac, "dev", "out0", "nud",
                          "permanent")

    def attached(self):
        return self.status()["state"] == "running"

    def await_attachment(self, daemon, seconds=COMES_WITHIN):
        try:
            wait_for(self.attached, seconds, "the attachment")
        except AssertionError as error:
            self.fail(f"{error}\n{daemon.stderr}")

    def status(self):
        return json.loads(self.cli("status", "--json", "--instance", self.instance,
                                   check=False).stdout)

    def test_comes(self):
        """It is said which one is waited for, and it is attached in time."""
        for names in (("in0",), ("out0",), ("in0", "out0")):
            with self.subTest(" and ".join(names)):
                self.take_away(*names)
                daemon = self.wait()
                self.assertEqual(self.get().status, 503)
                for said in (daemon.stderr, self.get().text, " ".join(self.status()["reasons"])):
                    self.assertIn(f"no interface {names[0]} on this host", said)
                self.assertEqual(self.status()["state"], "detached")
                result = self.cli("stats", "--instance", self.instance, check=False)
                self.assertIn(f"not attached yet: no interface {names[0]}", result.stderr)
                for name in names:
                    self.bring(name)
                began = time.monotonic()
                self.await_attachment(daemon, 20)
                self.assertLess(time.monotonic() - began, self.COMES_WITHIN)
                wait_for(self.is_well, 5, "health")
                self.in_port, self.out_port = (Port(self, self.sender, "s0"),
                                               Port(self, self.collector, "c0"))
                self.assertTrue(self.forwards())
                self.assertEqual(daemon.terminate(), 0)
                self.assert_nothing_left()

    def test_mtu_comes_later(self):
        """An interface comes with one MTU, and is given another when it is configured."""
        self.appliance.ip("link", "set", "out0", "mtu", "1400")
        daemon = self.wait({"forward": {"mtu": 1450}})
        self.assertIn("forward.mtu: 1450 is more than the MTU of out0", self.get().text)
        self.appliance.ip("link", "set", "out0", "mtu", "1500")
        self.await_attachment(daemon)
        self.assertTrue(self.forwards())
        self.assertEqual(daemon.terminate(), 0)

    def test_costs_nothing(self):
        """A wait takes hardly any CPU time, and little of the log."""
        self.take_away("in0")
        daemon = self.wait()
        before, lines = cpu_seconds(daemon.pid), len(daemon.stderr.splitlines())
        time.sleep(5)
        self.assertLess(cpu_seconds(daemon.pid) - before, 0.25)
        self.assertEqual(len(daemon.stderr.splitlines()), lines)

    def test_little_locked_memory(self):
        """The limit that BPF's memory counts against until Linux 5.10 is lifted while it may be."""
        self.take_away("out0")
        daemon = Daemon(self, self.appliance, "--memlock=65536:65536", program.PROGRAM, "run", "-c",
                        self.write(), "--wait", instance=self.instance, name=None,
                        executable="prlimit").ready()
        self.bring("out0")
        self.await_attachment(daemon)

    def test_end_while_it_waits(self):
        self.take_away("out0")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(number.name):
                daemon = self.wait()
                daemon.signal(number)
                self.assertEqual(daemon.wait(QUICKLY), 0, daemon.stderr)
                self.assert_nothing_left()
        daemon = self.wait()
        self.cli("stop", "--instance", self.instance)
        self.assertEqual(daemon.wait(QUICKLY), 0)
        self.assert_nothing_left()

    def test_a_mistake_is_mended(self):
        """The name was wrong: a reload is all it takes, also to one that is not there yet."""
        self.take_away("out0")
        daemon = self.wait({"forward": {"interface": "ut0"}})
        self.write()
        self.cli("reload", "--instance", self.instance)
        wait_for(lambda: "no interface out0" in self.get().text, 3, "the reason")
        self.bring("out0")
        self.await_attachment(daemon)

    def test_what_lingers_goes_on(self):
        """A daemon that waits leaves alone what runs, and takes it over when it can."""
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        self.appliance.ip("link", "set", "out0", "mtu", "1400")
        daemon = self.wait({"forward": {"mtu": 1450}})
        self.assertTrue(self.forwards())
        self.assertIn("forward.mtu: 1450", self.get().text)
        self.appliance.ip("link", "set", "out0", "mtu", "1500")
        wait_for(lambda: "program replaced" in daemon.stderr, self.COMES_WITHIN, "the adoption")
        self.assertTrue(self.forwards(5))
        self.assertEqual(self.verdicts(), {"redirected": 15})

    def test_by_hand(self):
        """Without --wait a start fails at once; `check` fails with it, and warns for --wait."""
        self.take_away("out0")
        self.assertIn("no interface out0", self.start_fails())
        self.assert_nothing_left()
        for words, status in (((), "fail"), (("--wait",), "warn")):
            result = self.cli("check", "-c", self.write(), "--json", *words, check=False)
            found = [finding["status"] for finding in json.loads(result.stdout)["findings"]
                     if finding["check"] == "interface"]
            self.assertEqual(found, [status])
            self.assertEqual(result.returncode, status == "fail", result.stdout)

    def test_other_failures_end_it(self):
        """What is no interface to wait for fails as ever: it is not to be overlooked."""
        self.attach_program(self.appliance, "in0")
        self.assertIn("somebody_elses", self.start_fails(words=["--wait"]))


class Scarcity(Watched):
    """What fails once, for want of memory or descriptors, is told; nothing is concluded from it."""

    MTU_IN = MTU_OUT = 9001  # native mode takes frames in several buffers

    def setUp(self):
        super().setUp()
        need_commands("strace")

    def calls(self, name):
        """How many such system calls a start makes, and which mode it gets."""
        trace = os.path.join(self.work.path, "trace")
        result = self.appliance.run(
            "strace", "-f", "-qq", "-o", trace, "-e", f"trace={name}", program.PROGRAM, "run",
            "-c", self.write(), "--instance", self.instance, "-d", "1")
        with open(trace, encoding="utf-8") as lines:
            return sum(f" {name}(" in line for line in lines), self.mode_of(result.stderr)

    @staticmethod
    def mode_of(log):
        return re.search(r"attached, (.*) mode", log)[1]

    def test_memory(self):
        """No memory for one of the requests: the start fails, or runs as it would have."""
        count, mode = self.calls("bpf")
        if mode != "native, multi-buffer":
            self.skipTest("this kernel takes no frames in several buffers")
        modes, failed = set(), 0
        for number in range(5, count, 12):
            with self.subTest(f"request {number} of {count}"):
                result = self.appliance.run(
                    *injected("bpf", f"error=ENOMEM:when={number}"), program.PROGRAM, "run", "-c",
                    self.write(), "--instance", self.instance, "-d", "1", check=False)
                if result.returncode:
                    failed += 1
                    # libbpf takes a probe of its own that fails for an older kernel
                    self.assertRegex(result.stderr.splitlines()[-1],
                                     "(?i)memory|refuses the program: Invalid argument")
                else:
                    modes.add(self.mode_of(result.stderr))
        self.assertEqual(modes, {mode})
        self.assertGreater(failed, 3)

    @contextlib.contextmanager
    def failing(self, daemon, number):
        """That daemon's next bpf(2) but so many finds no memory."""
        with subprocess.Popen([*injected("bpf", f"error=ENOMEM:when={number}"), "-p",
                               str(daemon.pid)]) as tracer:
            try:
                wait_for(lambda: self.tracer(daemon) == tracer.pid, 5, "strace")
                yield
            finally:
                tracer.terminate()
        wait_for(lambda: self.tracer(daemon) == 0, 5, "strace to end")

    @staticmethod
    def tracer(daemon):
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            return int(re.search(r"TracerPid:\s*(\d+)", file.read())[1])

    def test_reload(self):
        """A reload that finds no memory keeps mode and counters, whether it succeeds or not."""
        daemon = self.start()
        mode = self.mode_of(daemon.stderr)
        sent = 0
        for number in range(8, 80, 3):
            logged = len(daemon.stderr)
            with self.subTest(f"request {number}"), self.failing(daemon, number):
                self.reload(daemon)
                self.assertTrue(self.forwards(5))
                sent += 5
                self.assertEqual(self.verdicts(), {"redirected": sent}, daemon.stderr[logged:])
                for applied in re.findall("replaced, (.*) mode", daemon.stderr[logged:]):
                    self.assertEqual(applied, mode)

    def test_descriptors(self):
        """No descriptor for one of the duplicates: the start fails, or the instance is well."""
        count, mode = self.calls("fcntl")
        if mode != "native, multi-buffer":
            self.skipTest("this kernel takes no frames in several buffers")
        for number in range(1, count + 1):
            with self.subTest(f"call {number} of {count}"):
                daemon = self.start_by(*injected("fcntl", f"error=EMFILE:when={number}"), "-D")
                with contextlib.suppress(AssertionError):  # it has ended
                    daemon.ready()
                    time.sleep(1)
                if daemon.process.poll() is None:
                    self.assertEqual(self.reasons(), "", daemon.stderr)
                    daemon.signal(signal.SIGTERM)
                if daemon.wait():
                    self.assertRegex(daemon.stderr, "Too many open files|try again")

    def test_every_warning(self):
        """Two things go wrong after the swap: each is told."""
        need_commands("bpftool")
        daemon = self.start(arguments=["--linger"])
        self.assertEqual(daemon.terminate(), 0)
        pin = self.pin("counters")
        os.unlink(pin)
        self.appliance.run("bpftool", "map", "create", pin, "type", "percpu_array", "key", "4",
                           "value", "24", "entries", "1", "name", "counters")
        daemon = self.start_by(*injected("symlink", "error=ENOSPC"), "-D").ready()
        self.assertIn("the counters start anew", daemon.stderr)
        self.assertIn("cannot be written: No space left on device", daemon.stderr)
