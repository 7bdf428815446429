# SPDX-License-Identifier: GPL-2.0-only
"""docs/containers.md asks for what the program needs, and for no more."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown

PAGE = "docs/containers.md"
PROFILE = "dist/container/seccomp.json"


class Containers(unittest.TestCase):
    def test_capabilities(self):
        """Those that the program checks at its start."""
        needed = re.findall(r"^\t\{CAP_(\w+), ", markdown.read("src/base/privilege.c"), re.M)
        self.assertEqual(len(needed), 3)
        self.assertEqual(re.findall(r"^ .*--cap-add.*", markdown.read(PAGE), re.M),
                         ["        " + " ".join(f"--cap-add {name}" for name in needed) + " \\"])
        self.assertEqual([row[0].split()[1] for row in markdown.table(PAGE, "option")
                          if row[0].startswith("--cap-add")], needed)

    def test_system_calls(self):
        """The profile names each call once, permits what it names, and nothing that leaves a container."""
        profile = json.loads(markdown.read(PROFILE))
        names = [name for group in profile["syscalls"] for name in group["names"]]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({group["action"] for group in profile["syscalls"]}, {"SCMP_ACT_ALLOW"})
        self.assertEqual(profile["defaultAction"], "SCMP_ACT_ERRNO")
        self.assertEqual(set(names) & {
            "mount", "umount2", "unshare", "setns", "ptrace", "process_vm_readv", "init_module",
            "finit_module", "kexec_load", "keyctl", "add_key", "userfaultfd", "io_uring_setup", "chroot",
            "pivot_root", "open_by_handle_at", "perf_event_open", "move_mount", "fsopen", "mknod",
            "setuid", "setgid", "chown", "personality", "reboot", "swapon", "acct", "clone3"}, set())
        self.assertIn("bpf", names)

    def test_namespaces(self):
        """A clone(2) that makes a namespace is refused, whichever, and threads and children are not."""
        group, = [one for one in json.loads(markdown.read(PROFILE))["syscalls"] if "clone" in one["names"]]
        self.assertEqual(group["names"], ["clone"])
        only, = group["args"]
        self.assertEqual((only["index"], only["op"], only["valueTwo"]), (0, "SCMP_CMP_MASKED_EQ", 0))
        made = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
        self.assertEqual(only["value"], made)
