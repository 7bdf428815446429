# SPDX-License-Identifier: GPL-2.0-only
"""
A program whose calls of bpf(2), of netlink sockets, and of ethtool's ioctl(2) for statistics pass by
this process before the kernel gets them (seccomp_unotify(2)). One of them can get a fault
(call_faults.py) instead.
"""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading
import types

from . import program
from .kernel import SYSTEM_CALLS

SIOCETHTOOL = 0x8946  # linux/sockios.h
# Of these calls only those matter that have this argument: its place and its value.
ONLY_WITH = {"socket": (0, socket.AF_NETLINK), "ioctl": (1, SIOCETHTOOL)}
WATCHED = {SYSTEM_CALLS[name]: name for name in (
    "bpf", "sendto", "sendmsg", "recvfrom", "recvmsg", "setsockopt", *ONLY_WITH)}

# linux/seccomp.h and filter.h
LOAD, JUMP_IF, RETURN = 0x20, 0x15, 0x06
ALLOW, NOTIFY = 0x7fff0000, 0x7fc00000
NUMBER, ARGUMENTS = 0, 16  # in struct seccomp_data: of the call, and eight bytes for each
NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101
CONTINUE = 1

# Installs the filter, hands its listener over and becomes the program.
SUPERVISED = """
import ctypes, os, socket, sys
code = ctypes.create_string_buffer(bytes.fromhex(sys.argv[3]))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
supervisor = socket.socket(socket.AF_UNIX)
supervisor.connect(sys.argv[1])
program = Program(len(code.raw) // 8, ctypes.addressof(code))
listener = libc.syscall(int(sys.argv[2]), 1, 8, ctypes.byref(program))
if listener < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.write(supervisor.fileno(), b"%d" % listener)
os.read(supervisor.fileno(), 1)
os.execvp(sys.argv[4], sys.argv[4:])
"""

# linux/bpf.h, enum bpf_cmd
COMMANDS = (
    "MAP_CREATE", "MAP_LOOKUP_ELEM", "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM", "MAP_GET_NEXT_KEY",
    "PROG_LOAD", "OBJ_PIN", "OBJ_GET", "PROG_ATTACH", "PROG_DETACH", "PROG_TEST_RUN",
    "PROG_GET_NEXT_ID", "MAP_GET_NEXT_ID", "PROG_GET_FD_BY_ID", "MAP_GET_FD_BY_ID",
    "OBJ_GET_INFO_BY_FD", "PROG_QUERY", "RAW_TRACEPOINT_OPEN", "BTF_LOAD", "BTF_GET_FD_BY_ID",
    "TASK_FD_QUERY", "MAP_LOOKUP_AND_DELETE_ELEM", "MAP_FREEZE", "BTF_GET_NEXT_ID",
    "MAP_LOOKUP_BATCH", "MAP_LOOKUP_AND_DELETE_BATCH", "MAP_UPDATE_BATCH", "MAP_DELETE_BATCH",
    "LINK_CREATE", "LINK_UPDATE", "LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID", "ENABLE_STATS",
    "ITER_CREATE", "LINK_DETACH", "PROG_BIND_MAP")

# linux/ethtool.h: those that tell of statistics
ETHTOOL = {0x1b: "GSTRINGS", 0x1d: "GSTATS", 0x37: "GSSET_INFO"}

# linux/netlink.h, rtnetlink.h
NETLINK_ROUTE = 0
PROTOCOLS = {NETLINK_ROUTE: "route", 6: "xfrm", 12: "netfilter", 16: "generic"}
RTM_KINDS = ("LINK", "ADDR", "ROUTE", "NEIGH", "RULE", "QDISC", "TCLASS", "TFILTER")
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr

_libc = ctypes.CDLL(None, use_errno=True)


def _filter():
    """Notifies of the watched calls, also of those on sockets that prove to be no netlink ones."""
    notify = struct.pack("=HBBI", RETURN, 0, 0, NOTIFY)
    allow = struct.pack("=HBBI", RETURN, 0, 0, ALLOW)
    code = b""
    for number, name in WATCHED.items():
        then = notify
        if name in ONLY_WITH:
            place, value = ONLY_WITH[name]
            then = struct.pack("=HBBI", LOAD, 0, 0, ARGUMENTS + 8 * place) + struct.pack(
                "=HBBI", JUMP_IF, 0, 1, value) + notify + allow
        code += struct.pack("=HBBI", LOAD, 0, 0, NUMBER) + struct.pack(
            "=HBBI", JUMP_IF, 0, len(then) // 8, number) + then
    return code + allow


def _message_name(protocol, message):
    if len(message) < HEADER.size:
        return "nothing"
    number = HEADER.unpack_from(message)[1]
    if protocol == NETLINK_ROUTE and 16 <= number < 16 + 4 * len(RTM_KINDS):
        return "RTM_" + ("NEW", "DEL", "GET", "SET")[number % 4] + RTM_KINDS[(number - 16) // 4]
    return f"{PROTOCOLS.get(protocol, protocol)} {number:#x}"


class Memory:
    """The memory of a thread that waits for its call to be answered."""

    def __init__(self, thread):
        self.path = f"/proc/{thread}/mem"

    def read(self, address, size):
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, address)

    def write(self, address, data):
        with open(self.path, "r+b", buffering=0) as file:
            if os.pwrite(file.fileno(), data, address) != len(data):
                raise OSError(errno.EFAULT, "short write")

    def words(self, address, layout):
        return struct.unpack(layout, self.read(address, struct.calcsize(layout)))


class Call:
    """One of the watched calls. `kind` is bpf, socket, option, send, receive or statistics."""

    def __init__(self, supervisor, thread, name, arguments):
        self.supervisor, self.thread, self.name = supervisor, thread, name
        self.arguments, self.memory = arguments, Memory(thread)
        self.kind, self.what, self.socket = name, "", None
        if name == "bpf":
            self.what = self._bpf()
        elif name == "socket":
            self.what = PROTOCOLS.get(arguments[2], str(arguments[2]))
        elif name == "ioctl":
            self.kind, self.buffer = "statistics", self.memory.words(arguments[2] + 16, "=Q")[0]
            self.what = ETHTOOL.get(self.memory.words(self.buffer, "=I")[0])
        else:
            self.socket = supervisor.netlink_socket(thread, arguments[0])
            if self.socket:
                self._on_socket()

    def __str__(self):
        return f"{self.name} {self.what}"

    def matters(self):
        return bool(self.socket or (self.what if self.name == "ioctl" else
                                    self.name in ("bpf", "socket")))

    def _bpf(self):
        command = self.arguments[0]
        name = COMMANDS[command] if command < len(COMMANDS) else str(command)
        if name in ("OBJ_PIN", "OBJ_GET"):
            path = self.memory.read(self.memory.words(self.arguments[1], "=Q")[0], 256)
            return f"{name} {os.path.basename(path.split(bytes(1))[0].decode())}"
        offset = {"MAP_CREATE": 28, "PROG_LOAD": 48}.get(name)
        if offset is None or self.arguments[2] < offset + 16:
            return name
        attributes = self.memory.read(self.arguments[1], offset + 16)
        return f"{name} {attributes[offset:].split(bytes(1))[0].decode()}"

    def _on_socket(self):
        supervisor, protocol = self.supervisor, self.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PROTOCOL)
        self.inode = os.fstat(self.socket.fileno()).st_ino
        if self.name in ("sendto", "sendmsg"):
            self.kind, (self.buffer, self.size) = "send", self._buffer()
            self.what = _message_name(protocol, self.memory.read(self.buffer, HEADER.size))
            supervisor.asked[self.inode] = self.what
        elif self.name in ("recvfrom", "recvmsg"):
            self.kind, (self.buffer, self.size) = "receive", self._buffer()
            self.what = "after " + supervisor.asked.get(self.inode, "nothing, of " + PROTOCOLS.get(
                protocol, str(protocol)))
        else:
            self.kind = "option"
            self.what = f"{self.arguments[1]}:{self.arguments[2]} of {PROTOCOLS.get(protocol)}"

    def _buffer(self):
        """Address and size of what is sent or received; of several pieces, of the first one."""
        if self.name in ("sendto", "recvfrom"):
            return self.arguments[1], self.arguments[2]
        vector = self.memory.words(self.arguments[1] + 16, "=Q")[0]
        return self.memory.words(vector, "=QQ")

    def port(self):
        return self.socket.getsockname()[0]

    def receive(self):
        """Takes the datagram in the program's place; None: there is none."""
        flags = self.arguments[3 if self.name == "recvfrom" else 2]
        blocks = os.get_blocking(self.socket.fileno()) and not flags & socket.MSG_DONTWAIT
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        if not poller.poll(2000 if blocks else 0):
            return None
        try:
            data, _, _, _ = self.socket.recvmsg(
                1 << 20, 0, flags & (socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return None
        return data

    def deliver(self, data, truncated=False):
        """Answers a call of recvfrom(2) or recvmsg(2) with this datagram."""
        sender = struct.pack("=HHII", socket.AF_NETLINK, 0, 0, 0)
        flags = self.arguments[3 if self.name == "recvfrom" else 2]
        shown = data[:self.size]
        self.memory.write(self.buffer, shown)
        if self.name == "recvmsg":
            name = self.memory.words(self.arguments[1], "=Q")[0]
            if name:
                self.memory.write(name, sender)
                self.memory.write(self.arguments[1] + 8, struct.pack("=I", len(sender)))
            is_cut = truncated or len(shown) < len(data)
            self.memory.write(self.arguments[1] + 40, struct.pack(
                "=Qi", 0, socket.MSG_TRUNC if is_cut else 0))
        elif self.arguments[4]:
            self.memory.write(self.arguments[4], sender)
            self.memory.write(self.arguments[5], struct.pack("=I", len(sender)))
        return len(data) if flags & socket.MSG_TRUNC else len(shown)


class Supervisor:
    """
    `words` go before the program's. `calls` are those since count() or fail(); `hit` says whether one
    got the fault.
    """

    def __init__(self):
        self.work = program.Workspace().__enter__()
        self.asked, self.answers, self.pidfds = {}, {}, {}
        self.calls, self.hit, self.armed = [], False, None
        path = os.path.join(self.work.path, "supervisor")
        self.words = (sys.executable, "-S", "-E", "-c", SUPERVISED, path,
                      str(SYSTEM_CALLS["seccomp"]), _filter().hex())
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(1)
        self.server.settimeout(20 * program.PATIENCE)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._supervise)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.server.close()
        for pidfd in self.pidfds.values():
            os.close(pidfd)
        self.work.__exit__()

    def fail(self, name, number, fault, after=None, lasting=False):
        """
        Of the calls that are called so, the one with this number gets the fault; with `lasting`, all
        later ones, too. Counted from now on, or after a call with that name.
        """
        self.hit, self.calls = False, []
        self.armed = types.SimpleNamespace(name=name, number=number, fault=fault, after=after,
                                           lasting=lasting)

    def count(self):
        """From now on calls are listed, and none fails."""
        self.hit, self.calls, self.armed = False, [], None

    def netlink_socket(self, thread, number):
        """A copy of the descriptor; None: it is no netlink socket."""
        with contextlib.suppress(OSError):
            copy = _libc.syscall(SYSTEM_CALLS["pidfd_getfd"], self._pidfd(thread), number, 0)
            if copy >= 0:
                found = socket.socket(fileno=copy)
                if found.family == socket.AF_NETLINK:
                    return found
                found.close()
        return None

    def _pidfd(self, thread):
        if thread not in self.pidfds:
            with open(f"/proc/{thread}/status", encoding="ascii") as file:
                process = next(int(line.split()[1]) for line in file if line.startswith("Tgid"))
            self.pidfds[thread] = os.pidfd_open(process)
        return self.pidfds[thread]

    def _listener(self):
        client, _ = self.server.accept()
        with client:
            number = int(client.recv(16))
            process = struct.unpack("=iII", client.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            pidfd = os.pidfd_open(process)
            listener = _libc.syscall(SYSTEM_CALLS["pidfd_getfd"], pidfd, number, 0)
            os.close(pidfd)
            if listener < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            client.sendall(b".")
        return listener

    def _supervise(self):
        listener = self._listener()
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        try:
            while not self.ended.is_set():
                events = poller.poll(100)
                if events and not events[0][1] & select.POLLIN:
                    return  # the last process has ended
                if events:
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                        self._take(listener)
        finally:
            os.close(listener)

    def _take(self, listener):
        notice = array.array("B", bytes(80))
        fcntl.ioctl(listener, NOTIF_RECV, notice, True)
        ident, thread, _, number, _, _, *arguments = struct.unpack("=QIIiIQ6Q", notice)
        answer = None
        try:
            answer = self._answer(thread, WATCHED[number], arguments)
        finally:
            if answer is None:
                reply = struct.pack("=QqiI", ident, 0, 0, CONTINUE)
            else:
                reply = struct.pack("=QqiI", ident, max(answer, 0), min(answer, 0), 0)
            fcntl.ioctl(listener, NOTIF_SEND, reply)

    def _answer(self, thread, name, arguments):
        call = Call(self, thread, name, arguments)
        try:
            if not call.matters():
                return None
            self.calls.append((call.kind, str(call)))
            if call.kind == "receive" and call.inode in self.answers:
                data = self.answers[call.inode]
                if not arguments[3 if name == "recvfrom" else 2] & socket.MSG_PEEK:
                    del self.answers[call.inode]
                return call.deliver(data)
            return self._fault(call)
        finally:
            if call.socket:
                call.socket.close()

    def _fault(self, call):
        armed = self.armed
        if not armed or str(call) != (armed.after or armed.name):
            return None
        if armed.after:
            armed.after = None
            return None
        armed.number -= 1
        if armed.number >= 0 or (armed.number < -1 and not armed.lasting):
            return None
        answer = armed.fault.apply(call)
        self.hit |= answer is not None
        return answer
