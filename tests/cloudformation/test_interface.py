# SPDX-License-Identifier: GPL-2.0-only
"""The function of the launch hook, on moto's EC2: launched.py has the cases."""

import collections
import json
import os
import subprocess
import unittest

import templates

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launched.py")
Row = collections.namedtuple("Row", "completed indexes checks waiting said")
GOOD = Row(["CONTINUE"], [0, 1], [False, False], 0, "ready")
ROWS = {
    "two interfaces": GOOD,
    "in the other zone": GOOD,
    "one interface": Row(["CONTINUE"], [0], [False], 0, "ready"),
    "no subnet in the zone": Row(["ABANDON"], [0], [True], 0, "no subnet of ForwardSubnets is in eu-west-1b"),
    "twice": GOOD._replace(completed=["CONTINUE", "CONTINUE"]),
    "left over": GOOD,
    "throttled": GOOD,
    "no right to make": Row(["ABANDON"], [0], [True], 0, "UnauthorizedOperation"),
    "no right to attach": Row(["ABANDON"], [0], [True], 0, "UnauthorizedOperation"),
    # It goes with the instance, which is abandoned.
    "no right to switch the check off": Row(["ABANDON"], [0, 1], [True, True], 0, "UnauthorizedOperation"),
    # Left are those of another stack and of an instance that waits.
    "strays": Row([], [0], [True], 2, "deleted"),
    "other events": Row([], [0], [True], 0, ""),
    "attached, and not told so": GOOD,
    "pending": GOOD,
    "seen late": GOOD,
    "deleted by another": GOOD,
}


class Interface(unittest.TestCase):
    def test_cases(self):
        done = subprocess.run([templates.python_with("moto"), SCRIPT], text=True, capture_output=True, check=False,
                              cwd="/", timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        found = json.loads(done.stdout)
        self.assertEqual(sorted(found), sorted(ROWS))
        for name, row in ROWS.items():
            about = found[name]
            with self.subTest(name):
                self.assertEqual(Row(about["completed"], about["indexes"], about["checks"], about["waiting"], row.said), row, about)
                self.assertIn(row.said, about["said"])
                self.assertNotIn("raised", str(about["result"]))
                if about["subnet"] is not None:
                    self.assertEqual(about["subnet"], 1 if name == "in the other zone" else 0)
