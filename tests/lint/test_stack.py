# SPDX-License-Identifier: GPL-2.0-only
"""
BPF functions that call each other share 512 bytes of stack. Many kernels count it in units of 32 bytes each, and the
verifier counts what it visits, so that only some configurations and kernels would refuse a program that has more.
"""

import os
import struct
import unittest

from lib import program

OBJECT = os.path.join(os.path.dirname(program.PROGRAM), "pipeline.bpf.o")
MAX_BPF_STACK, UNIT = 512, 32  # include/linux/filter.h; kernel/bpf/verifier.c, check_max_stack_depth()
SHT_SYMTAB, SHT_REL, STT_FUNC, STT_SECTION = 2, 9, 2, 3
MOV64_X, ADD64_K, CALL, PSEUDO_CALL, FRAME = 0xbf, 0x07, 0x85, 1, 10
LDX, ST, STX = 1, 2, 3


class Elf:
    """Sections, functions and calls of a relocatable object of BPF."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        offset, size, count = struct.unpack_from("<Q", self.data, 40)[0], *struct.unpack_from(
            "<HH", self.data, 58)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, offset + n * size)
                         for n in range(count)]
        table = next(s for s in self.sections if s[1] == SHT_SYMTAB)
        self.names = self.bytes(self.sections[table[6]])
        self.symbols = list(struct.iter_unpack("<IBBHQQ", self.bytes(table)))

    def bytes(self, section):
        return self.data[section[4]:section[4] + section[5]]

    def name(self, symbol):
        return self.names[symbol[0]:self.names.index(b"\0", symbol[0])].decode()

    def functions(self):
        """{(section, offset): (name, instructions)}"""
        answer = {}
        for symbol in self.symbols:
            if symbol[1] & 15 == STT_FUNC:
                code = self.bytes(self.sections[symbol[3]])[symbol[4]:symbol[4] + symbol[5]]
                answer[symbol[3], symbol[4]] = (self.name(symbol),
                                                list(struct.iter_unpack("<BBhi", code)))
        return answer

    def relocations(self, section):
        """{offset of an instruction: the symbol that it names}"""
        return {offset: self.symbols[info >> 32]
                for rel in self.sections if rel[1] == SHT_REL and rel[7] == section
                for offset, info in struct.iter_unpack("<QQ", self.bytes(rel))}


def depth(instructions):
    """Bytes of stack that a function uses, by the addresses that it makes of its frame pointer."""
    lowest, bases = 0, set()
    for code, registers, offset, value in instructions:
        to, source = registers & 15, registers >> 4
        if code & 7 in (ST, STX) and to == FRAME or code & 7 == LDX and source == FRAME:
            lowest = min(lowest, offset)
        if code == ADD64_K and to in bases:
            lowest = min(lowest, value)
        bases.discard(to)
        if code == MOV64_X and source == FRAME:
            bases.add(to)
    return -lowest


class Stack(unittest.TestCase):
    def setUp(self):
        self.elf = Elf(OBJECT)
        self.functions = self.elf.functions()

    def called(self, where):
        """The functions that a function calls."""
        section, start = where
        relocations = self.elf.relocations(section)
        for number, (code, registers, _, value) in enumerate(self.functions[where][1]):
            if code != CALL or registers >> 4 != PSEUDO_CALL:
                continue
            at = start + number * 8
            symbol = relocations.get(at)
            if symbol is None:
                yield section, at + (value + 1) * 8
            elif symbol[1] & 15 == STT_SECTION:
                yield symbol[3], (value + 1) * 8
            else:
                yield symbol[3], symbol[4]

    def chain(self, where):
        """(bytes, names) of the deepest chain of calls that begins with a function."""
        name, instructions = self.functions[where]
        own = max(1, -(-depth(instructions) // UNIT)) * UNIT
        below = max((self.chain(callee) for callee in self.called(where)), default=(0, []))
        return own + below[0], [f"{name} {own}", *below[1]]

    def test_every_chain_of_calls_fits(self):
        longest = 0
        for where, (name, _) in self.functions.items():
            with self.subTest(name):
                size, names = self.chain(where)
                self.assertLessEqual(size, MAX_BPF_STACK, " -> ".join(names))
                longest = max(longest, len(names))
        self.assertGreaterEqual(longest, 3, "the calls are found")

    def test_what_counts(self):
        """A store, a load, and an address that is made and used elsewhere."""
        frame = FRAME
        for instructions, expected in (
                ([(0x7b, frame | 1 << 4, -24, 0)], 24),
                ([(0x61, 1 | frame << 4, -40, 0)], 40),
                ([(MOV64_X, 2 | frame << 4, 0, 0), (ADD64_K, 2, 0, -56)], 56),
                ([(MOV64_X, 2 | 1 << 4, 0, 0), (ADD64_K, 2, 0, -56)], 0),
                ([(0x7b, 2 | 1 << 4, -24, 0)], 0)):
            with self.subTest(instructions):
                self.assertEqual(depth(instructions), expected)


if __name__ == "__main__":
    unittest.main()
