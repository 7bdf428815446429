# SPDX-License-Identifier: GPL-2.0-only
"""`monitor` on a terminal: what it shows, and that the terminal is as before however it ends."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from lib import program
from lib.command import need_commands, wait_for
from lib.life import Lifecycle, Traffic, rules

PATIENCE = 5 * program.PATIENCE

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[0m\x1b[?25h\x1b[?1049l"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Terminal:
    """A pseudo-terminal with `monitor` in it."""

    def __init__(self, test, *words, size=(40, 120), **environment):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        test.addCleanup(self.close)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            test.appliance.command(program.PROGRAM, "monitor", "--instance", test.instance, *words),
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm", **environment})

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, height, width):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self):
        """All that was written until now."""
        while select.select([self.master], [], [], 0.05)[0]:
            self.text += os.read(self.master, 65536).decode()
        return self.text

    def screens(self):
        """The screens that were drawn whole, each a list of lines without colours."""
        whole = re.findall(r"\x1b\[1;1H(.*?)\x1b\[J", self.read(), re.S)
        return [[re.sub(r"\x1b\[[0-9]*[mK]", "", line)
                 for line in re.split(r"\x1b\[\d+;1H", text)] for text in whole]

    def shows(self, *patterns, patience=PATIENCE):
        """Waits for a screen from now on that has all of them; returns it."""
        seen = len(self.screens())

        def found():
            for screen in self.screens()[seen:]:
                if all(re.search(pattern, "\n".join(screen), re.M) for pattern in patterns):
                    return screen
            return None
        return wait_for(found, patience, f"{patterns} on the screen")

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def state(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]


class Screen(Lifecycle):
    def test_what_it_shows(self):
        self.start(rules("10.20.0.2:8081", name="syslog"))
        terminal = Terminal(self)
        terminal.shows(r"^instance .*: in0 -> out0, native mode, for 0 d 00:00:\d\d", "^health good$",
                       r"IDLE$", "next hops: 1 resolved, 0 failed")
        with Traffic(self):
            shown = terminal.shows(
                r"^TIME +PPS +VXLAN_PPS +NAT_HIT% +REDIRECTED +ERRORS +STATUS",
                r"^\d\d:\d\d:\d\d +\d{3,} +\d{3,} +100.0% +\d{3,} +0 BELOW$",
                r"^redirected +\d{3,} ", r"^syslog +\d{3,} +\d+\.\d\d +10.20.0.2:8081$",
                r"^1 +\d{3,} ", r"^nothing was lost")
        self.assertLessEqual(len(shown), 40)
        self.assertEqual([line for line in shown if len(line) >= 120], [])
        self.assertEqual(self.kinds(terminal.text), set("HJKmhl"), "the control sequences")

    @staticmethod
    def kinds(text):
        return {kind[-1] for kind in re.findall(r"\x1b\[\??[0-9;]*[A-Za-z]", text)}

    def test_reasons(self):
        self.start()
        terminal = Terminal(self)
        terminal.shows("^health good$")
        self.appliance.ip("link", "set", "out0", "down")
        terminal.shows("^health bad$", "^  .*out0")
        self.appliance.ip("link", "set", "out0", "up")

    def test_no_colour(self):
        self.start()
        for words, environment in ((["--color=never"], {}), ([], {"NO_COLOR": "1"})):
            with self.subTest(words):
                terminal = Terminal(self, *words, **environment)
                terminal.shows("^health good$")
                self.assertNotIn("m", self.kinds(terminal.text))

    def test_small_terminals(self):
        """Each screen fits, and the next one fits the new size."""
        self.start(rules("10.20.0.2:8081", name="a" * 63))
        terminal = Terminal(self, size=(24, 80))
        terminal.shows("^health good$")
        with Traffic(self):
            for height, width in ((10, 40), (3, 9), (1, 1), (50, 200), (24, 80)):
                with self.subTest(f"{width} x {height}"):
                    terminal.resize(height, width)
                    terminal.process.send_signal(signal.SIGWINCH)
                    time.sleep(1.5)
                    shown = terminal.screens()[-1]
                    self.assertLessEqual(len(shown), height)
                    self.assertLess(max(map(len, shown)), width)
        self.assertIn("a" * 20, "\n".join(shown))

    def test_ends(self):
        """The terminal is as before, and the exit status is 0 if it was asked to end."""
        self.start()
        for end in (*ENDS, "q", signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(end):
                terminal = Terminal(self)
                terminal.shows("^health good$")
                self.assertFalse(terminal.is_as_before(), "no echo")
                if end == "q":
                    os.write(terminal.master, b"xq")
                else:
                    terminal.process.send_signal(end)
                status = terminal.process.wait(PATIENCE)
                self.assertEqual(status, 0 if end in (*ENDS, "q") else -end)
                self.assertTrue(terminal.is_as_before())
                self.assertTrue(terminal.read().endswith(LEAVE), terminal.text[-60:])
                self.assertEqual(terminal.text.count(ENTER), 1)

    def test_stopped_and_continued(self):
        self.start()
        terminal = Terminal(self)
        terminal.shows("^health good$")
        for _ in range(2):
            terminal.process.send_signal(signal.SIGTSTP)
            wait_for(lambda: terminal.state() == "T", PATIENCE, "the stop")
            self.assertTrue(terminal.is_as_before())
            self.assertTrue(terminal.read().endswith(LEAVE))
            terminal.process.send_signal(signal.SIGCONT)
            terminal.shows("^health good$")
            self.assertFalse(terminal.is_as_before())
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.process.wait(PATIENCE), 0)
        self.assertTrue(terminal.is_as_before())

    def test_instance_that_goes_and_comes(self):
        daemon = self.start()
        terminal = Terminal(self)
        terminal.shows("^health good$")
        self.assertEqual(daemon.terminate(), 0)
        terminal.shows("nothing is attached any more; waiting for it")
        self.start()
        with Traffic(self):
            terminal.shows("^health good$", r"^redirected +\d{3,} ")

    def test_killed_daemon(self):
        """The datapath goes on, and so does the screen, which says so."""
        daemon = self.start()
        terminal = Terminal(self)
        terminal.shows("^health good$")
        daemon.kill()
        with Traffic(self):
            terminal.shows("^health bad$", "daemon", r"^redirected +\d{3,} ", patience=10)

    def test_lines_in_the_background(self):
        """`timeout` runs it in the background of the terminal, where it must not ask for keys."""
        need_commands("script")
        self.start()
        result = self.appliance.run(
            "script", "-qec", "TERM=xterm timeout 4 "
            f"{program.PROGRAM} monitor -I 1 --instance {self.instance}; true", "/dev/null")
        self.assertIn("IDLE", result.stdout)
        self.assertNotIn("\x1b", result.stdout)

    def test_lines_on_a_terminal(self):
        """With -n, or on a terminal that is none to draw on."""
        self.start()
        for words, environment in ((["-n", "1", "-I", "1"], {}), (["-I", "1"], {"TERM": "dumb"})):
            with self.subTest(words):
                terminal = Terminal(self, *words, **environment)
                wait_for(lambda terminal=terminal: "IDLE" in terminal.read(), PATIENCE, "a line")
                self.assertNotIn("\x1b[?", terminal.text)

    def test_lines_of_an_instance_that_goes_and_comes(self):
        daemon = self.start()
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(program.PROGRAM, "monitor", "-I", "1", "-n", "4", "--instance",
                                   self.instance),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        time.sleep(1.5)
        self.assertEqual(daemon.terminate(), 0)
        time.sleep(2)
        self.start()
        out, err = process.communicate(timeout=3 * PATIENCE)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(out.splitlines()), 5, out)
        self.assertEqual([line.split()[-1] for line in out.splitlines()[1:]], ["IDLE"] * 4)
        self.assertRegex(err, r"\A.*nothing of instance .*waiting for it\n"
                              r".* is attached again\n\Z")
