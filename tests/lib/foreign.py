# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else's XDP program, which passes every frame."""

import os

from . import program
from .command import need_commands, run

FOREIGN = "foreign.bpf.o"  # guests without a compiler find it in build/, see tests/kernels/root.py


def compile_foreign(directory):
    """Compiles the program in the directory; returns the path of the object file."""
    source, built = (os.path.join(directory, FOREIGN + end) for end in (".c", ""))
    with open(source, "w", encoding="ascii") as stream:
        stream.write("""
            __attribute__((section("xdp"), used)) int somebody_elses(void *ctx) { return 2; }
            char _license[] __attribute__((section("license"), used)) = "GPL";
        """)
    run("clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", built)
    return built


def foreign_program(directory):
    """The path of the object file: the one in build/, else one compiled in the directory."""
    built = os.path.join(program.ROOT, "build", FOREIGN)
    if not os.path.exists(built):
        need_commands("clang")
        built = compile_foreign(directory)
    return built
