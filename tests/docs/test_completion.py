# SPDX-License-Identifier: GPL-2.0-only
"""Bash completion offers what --help says, and values that exist."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import helptext
from lib import program

SCRIPT = os.path.join(program.ROOT, "dist", "completion", "vxlan-pipeline")
LOADER = os.path.join(os.path.dirname(program.PROGRAM), "vxlan_loader")

# As bash does on a tab behind the last word; the words come as arguments.
COMPLETE = f"""
source {SCRIPT} || exit
COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 )) COMPREPLY=(left over)
set -u
"$(complete -p "${{1##*/}}" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

# An /etc and a BPF file system of its own, with two configured instances and an attached one.
MACHINE = """
mount -t tmpfs tmpfs /etc && mkdir /etc/vxlan-pipeline && cd /etc/vxlan-pipeline &&
    touch config.yaml lab.yaml notes.txt && mount -t bpf bpf /sys/fs/bpf &&
    mkdir -p /sys/fs/bpf/vxlan-pipeline/lab /sys/fs/bpf/vxlan-pipeline/orphan && exec "$@"
"""


def complete(*words, first=None, prefix=(), cwd=None):
    """What is offered for the last of the words, sorted."""
    result = subprocess.run(
        [*prefix, "bash", "--norc", "-c", COMPLETE, "bash", first or program.PROGRAM, *words],
        capture_output=True, text=True, cwd=cwd, timeout=20, check=False)
    if result.returncode or result.stderr:
        raise AssertionError(f"{words}: status {result.returncode}: {result.stderr}")
    return sorted(result.stdout.split())


def names(options):
    return sorted(name for long, (short, _) in options.items() for name in (short, long) if name)


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()

    def test_commands(self):
        self.assertEqual(complete(""), sorted(helptext.COMMAND.findall(helptext.text())))
        self.assertEqual(complete("config", ""),
                         sorted(helptext.COMMAND.findall(helptext.text("config"))))
        self.assertEqual(complete("mon"), ["monitor"])

    def test_options_are_those_of_help(self):
        for command in helptext.commands():
            with self.subTest(command):
                said = names(helptext.options(*command))
                self.assertGreater(len(said), 3)
                self.assertEqual(complete(*command, "-"), said)
                self.assertEqual(complete(*command, "--help", "--"),
                                 [name for name in said if name.startswith("--")])
        with self.subTest("vxlan_loader"):
            self.assertEqual(complete("-", first=LOADER), names(helptext.options("run")))
        with self.subTest("without a command"):
            self.assertEqual(complete("-"), names(helptext.options()))

    def test_values(self):
        interfaces = sorted(os.listdir("/sys/class/net"))
        rows = [
            ("colours", ["status", "--color", ""], ["always", "auto", "never"]),
            ("behind an equals sign, as bash cuts words", ["status", "--color", "=", "a"],
             ["always", "auto"]),
            ("right behind it", ["status", "--color", "="], ["always", "auto", "never"]),
            ("in one word, where bash does not", ["status", "--color=n"], ["--color=never"]),
            ("interfaces", ["run", "-i", ""], interfaces),
            ("of both kinds", ["run", "-i", "lo", "--target", ""], interfaces),
            ("what tells flows apart", ["generate", "--vary", "dest"],
             ["destination", "destination-port"]),
            ("a number is not guessed", ["run", "--duration", ""], []),
            ("nor an address", ["run", "-a", "1"], []),
            ("an option without a value is followed by options", ["run", "--verbose", "--du"],
             ["--dump-stats", "--duration"]),
            ("a command that there is not has none", ["nonsense", "-"], []),
        ]
        for sentence, words, expected in rows:
            with self.subTest(sentence):
                self.assertEqual(complete(*words), expected)

    def test_files(self):
        with program.Workspace() as work:
            for name in ("a.yaml", "b.yml", "c.pcap", "d.pcapng", "e.env", "f g.pcap"):
                work.file(name, "")
            os.mkdir(os.path.join(work.path, "directory"))
            rows = [
                ("configurations", ["run", "-c", ""], ["a.yaml", "b.yml", "directory"]),
                ("likewise", ["config", "check", "--config", "a"], ["a.yaml"]),
                ("captures", ["explain", "c"], ["c.pcap"]),
                ("a name with a blank is one", ["explain", "f"], ["f", "g.pcap"]),
                ("files to write", ["explain", "-w", "d"], ["d.pcapng", "directory"]),
                ("old files", ["config", "import", "--env", "e"], ["e.env"]),
            ]
            for sentence, words, expected in rows:
                with self.subTest(sentence):
                    self.assertEqual(complete(*words, cwd=work.path), expected)

    def test_instances(self):
        machine = ["unshare", "--mount", "bash", "-c", MACHINE, "bash"]
        for command in (["run"], ["stats"], ["config", "check"]):
            with self.subTest(command):
                self.assertEqual(complete(*command, "--instance", "", prefix=machine),
                                 ["config", "lab", "orphan"])


if __name__ == "__main__":
    unittest.main()
