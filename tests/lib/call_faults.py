# SPDX-License-Identifier: GPL-2.0-only
"""
Faults of system calls, each of which the kernel may have: for calls that pass by a Supervisor.
To add a fault, add it to FAULTS.
"""

import errno
import os
import struct

from .supervisor import HEADER

NLMSG_ERROR, NLMSG_DONE = 2, 3  # linux/netlink.h
NLM_F_MULTI, NLM_F_DUMP_INTR = 0x02, 0x10


class Fails:
    """The call itself fails."""

    def __init__(self, error):
        self.error = error
        self.said = os.strerror(error)  # what a message says of it

    def __str__(self):
        return errno.errorcode[self.error]

    def apply(self, _):
        return -self.error


class Refused(Fails):
    """The kernel takes a request, does nothing of what it asks for, and answers with an error."""

    def __str__(self):
        return f"answered {super().__str__()}"

    def apply(self, call):
        header = call.memory.read(call.buffer, HEADER.size)
        sequence = HEADER.unpack(header)[3]
        call.supervisor.answers[call.inode] = HEADER.pack(
            HEADER.size + 4 + len(header), NLMSG_ERROR, 0, sequence, call.port()) + struct.pack(
                "=i", -self.error) + header
        return call.size


class Altered:
    """The answer comes, but not as the kernel sent it."""

    def __init__(self, word, alter, error):
        self.word, self.alter, self.said = word, alter, os.strerror(error)

    def __str__(self):
        return self.word

    def apply(self, call):
        data = call.receive()
        if not data:
            return None
        altered = self.alter(data)
        return call.deliver(altered, len(altered) < len(data))


class Counted:
    """The driver has another number of statistics by now than when it was asked for it."""

    said = ""  # it is asked again

    def __init__(self, word, count):
        self.word, self.count = word, count

    def __str__(self):
        return self.word

    def apply(self, call):
        """As struct ethtool_stats or ethtool_gstrings, beyond what there was room for."""
        layout, size = {"GSTATS": ("=II", 8), "GSTRINGS": ("=III", 32)}.get(call.what, (None, 0))
        if not layout:
            return None
        *before, told = call.memory.words(call.buffer, layout)
        number = self.count(told)
        call.memory.write(call.buffer, struct.pack(layout, *before, number) +
                          b"x" * number * size)
        return 0


def _truncated(data):
    return data[:-4]  # more than the padding behind a message


def _interrupted(data):
    """NLM_F_DUMP_INTR in every part of a list: something changed meanwhile."""
    data, at = bytearray(data), 0
    while at + HEADER.size <= len(data):
        size, kind, flags, sequence, port = HEADER.unpack_from(data, at)
        if flags & NLM_F_MULTI:
            HEADER.pack_into(data, at, size, kind, flags | NLM_F_DUMP_INTR, sequence, port)
        at += max((size + 3) & ~3, HEADER.size)
    return bytes(data)


def _given_up(data):
    """The kernel ends a list early, with an error."""
    _, _, flags, sequence, port = HEADER.unpack_from(data)
    if not flags & NLM_F_MULTI:
        return data
    return HEADER.pack(HEADER.size + 4, NLMSG_DONE, NLM_F_MULTI, sequence, port) + struct.pack(
        "=i", -errno.ENOMEM)


def _fails(*errors):
    return [Fails(error) for error in errors]


# By the kind of the call. The errors are those of the kernel's sources, without those by which it
# says that it does not know what is asked for.
FAULTS = {
    "bpf": _fails(errno.ENOMEM, errno.EPERM, errno.EINVAL, errno.EBUSY, errno.EAGAIN, errno.EINTR,
                  errno.ENOSPC),
    "socket": _fails(errno.EMFILE, errno.ENOBUFS, errno.EACCES),
    "option": _fails(errno.ENOMEM, errno.EPERM, errno.ENOPROTOOPT),
    "send": _fails(errno.ENOBUFS, errno.EPERM, errno.EINTR, errno.EAGAIN) + [
        Refused(error) for error in (errno.EPERM, errno.ENOMEM, errno.EBUSY)],
    "receive": _fails(errno.ENOBUFS, errno.EINTR, errno.EAGAIN, errno.ENOMEM) + [
        Altered("truncated", _truncated, errno.EMSGSIZE),
        Altered("interrupted", _interrupted, errno.EINTR),
        Altered("given up", _given_up, errno.ENOMEM)],
    "statistics": [
        # Linux since 7b07be1ff1cb, and before
        Counted("told of none", lambda told: 0), Counted("told of more", lambda told: told + 50),
        *_fails(errno.ENOMEM, errno.EBUSY)],
}
