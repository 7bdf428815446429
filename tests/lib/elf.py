# SPDX-License-Identifier: GPL-2.0-only
"""What the compiler has put into an object file of BPF."""

import struct

SHT_SYMTAB, SHT_REL, STT_FUNC, STT_SECTION = 2, 9, 2, 3


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
