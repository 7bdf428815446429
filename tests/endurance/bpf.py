# SPDX-License-Identifier: GPL-2.0-only
"""Loads the tests' own BPF programs and reads maps, by libbpf. All of it ends with this process."""

import contextlib
import ctypes
import errno
import os

_lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
_P, _I, _U, _S = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p
for _name, _result, _arguments in (
        ("bpf_object__open_file", _P, (_S, _P)),
        ("bpf_object__load", _I, (_P,)),
        ("bpf_object__close", None, (_P,)),
        ("bpf_object__next_program", _P, (_P, _P)),
        ("bpf_object__find_program_by_name", _P, (_P, _S)),
        ("bpf_object__find_map_fd_by_name", _I, (_P, _S)),
        ("bpf_program__attach", _P, (_P,)),
        ("bpf_program__attach_xdp", _P, (_P, _I)),
        ("bpf_link__destroy", _I, (_P,)),
        ("bpf_map_lookup_elem", _I, (_I, _P, _P)),
        ("bpf_map_get_next_key", _I, (_I, _P, _P)),
        ("bpf_obj_get", _I, (_S,)),
        ("bpf_prog_get_fd_by_id", _I, (_U,)),
        ("bpf_map_get_fd_by_id", _I, (_U,)),
        ("libbpf_num_possible_cpus", _I, ())):
    _function = getattr(_lib, _name)
    _function.restype, _function.argtypes = _result, _arguments

CPUS = _lib.libbpf_num_possible_cpus()


def _check(answer, what):
    """Raises if libbpf returned NULL or a negative number: errno has the reason."""
    if answer is None or (isinstance(answer, int) and answer < 0):
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


class Map:
    """A map; keys and values are bytes. In a per-CPU map, a value holds those of all CPUs."""

    def __init__(self, fd, key_size, value_size):
        self.fd, self.key_size = fd, key_size
        self.value = ctypes.create_string_buffer(value_size)

    def get(self, key):
        """The value, or None if there is no such key."""
        if _lib.bpf_map_lookup_elem(self.fd, key, self.value):
            return None
        return self.value.raw

    def items(self):
        key, following = None, ctypes.create_string_buffer(self.key_size)
        while _lib.bpf_map_get_next_key(self.fd, key, following) == 0:
            key = following.raw
            value = self.get(key)
            if value is not None:
                yield key, value


class Object:
    """A loaded object file. close() removes its programs, maps and links."""

    def __init__(self, test, path):
        self.handle = _check(_lib.bpf_object__open_file(path.encode(), None), path)
        self.links = []
        test.addCleanup(self.close)
        _check(_lib.bpf_object__load(self.handle), f"loading {path}")

    def close(self):
        for link in self.links:
            _lib.bpf_link__destroy(link)
        _lib.bpf_object__close(self.handle)

    def programs(self):
        program = _lib.bpf_object__next_program(self.handle, None)
        while program:
            yield program
            program = _lib.bpf_object__next_program(self.handle, program)

    def attach(self):
        """Attaches each program as its section says."""
        for program in self.programs():
            self.links.append(_check(_lib.bpf_program__attach(program), "attaching"))

    def attach_xdp(self, name, ifindex):
        """Attaches a program to an interface of the thread's network namespace."""
        program = _check(_lib.bpf_object__find_program_by_name(self.handle, name.encode()), name)
        self.links.append(_check(_lib.bpf_program__attach_xdp(program, ifindex), "attaching"))

    def map(self, name, key_size, value_size):
        fd = _check(_lib.bpf_object__find_map_fd_by_name(self.handle, name.encode()), name)
        return Map(fd, key_size, value_size)


def _exists(get, number):
    fd = get(number)
    if fd >= 0:
        os.close(fd)
    elif ctypes.get_errno() != errno.ENOENT:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd >= 0


def program_exists(number):
    return _exists(_lib.bpf_prog_get_fd_by_id, number)


def map_exists(number):
    return _exists(_lib.bpf_map_get_fd_by_id, number)


def describe(fd):
    """The numbers in the descriptor's fdinfo: {"prog_id": ..., "memlock": ...}."""
    return parse_fdinfo(f"/proc/self/fdinfo/{fd}")


def parse_fdinfo(path):
    """Likewise, from a path in /proc; empty if the descriptor has been closed."""
    found = {}
    with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as stream:
        for line in stream:
            name, _, value = line.partition(":")
            if value.strip().isdigit():
                found[name] = int(value)
    return found


def describe_pin(path):
    fd = _check(_lib.bpf_obj_get(path.encode()), path)
    try:
        return describe(fd)
    finally:
        os.close(fd)
