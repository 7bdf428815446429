# SPDX-License-Identifier: GPL-2.0-only
"""
Values are put in the place of CONSTANT() in vxlan_pipeline() alone. In another function the placeholder would stay: a
program that loads, and takes each constant for true.
"""

import os
import re
import unittest

from lib import program
from lib.elf import Elf

OBJECT = os.path.join(os.path.dirname(program.PROGRAM), "pipeline.bpf.o")
LOAD = 0x18  # of 64 bits, which stand in two instructions


def upper_half():
    with open(os.path.join(program.ROOT, "bpf", "constants.h"), encoding="utf-8") as file:
        return int(re.search(r"#define CONSTANT_PLACEHOLDER (0x\w+)", file.read())[1], 16)


class Placeholders(unittest.TestCase):
    def test_where_they_are(self):
        wanted = upper_half()
        found = {name for name, code in Elf(OBJECT).functions().values()
                 for first, second in zip(code, code[1:]) if first[0] == LOAD and second[3] == wanted}
        self.assertEqual(found, {"vxlan_pipeline"})


if __name__ == "__main__":
    unittest.main()
