# SPDX-License-Identifier: GPL-2.0-only
"""A start, a reload and the control loop, while somebody or something stands in their way."""

import json
import os
import signal
import socket
import stat
import subprocess
import time

from lib import frames, fuse, program
from lib.command import wait_for
from lib.daemon import Daemon
from lib.life import TARGETS, Traffic, rules
from lib.watch import Watched

QUICKLY = 3  # seconds for what takes a fraction of one


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
