# SPDX-License-Identifier: GPL-2.0-only
"""
What the running kernel can do, judged by the names in its type information (BTF). Distributions
backport, so the version number says little. The program under test finds out by other means.
"""

import functools
import os
import platform
import unittest

BTF = "/sys/kernel/btf"
# asm/unistd.h
SYSTEM_CALLS = {
    "x86_64": {"ioctl": 16, "socket": 41, "sendto": 44, "recvfrom": 45, "sendmsg": 46,
               "recvmsg": 47, "setsockopt": 54, "bpf": 321, "seccomp": 317, "pidfd_getfd": 438},
    "aarch64": {"ioctl": 29, "socket": 198, "sendto": 206, "recvfrom": 207, "sendmsg": 211,
                "recvmsg": 212, "setsockopt": 208, "bpf": 280, "seccomp": 277, "pidfd_getfd": 438},
}[platform.machine()]


@functools.cache
def _types(module):
    path = os.path.join(BTF, module)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"the kernel tells no types of {module} ({path}): what it lacks "
                                "cannot be known")
    with open(path, "rb") as stream:
        return stream.read()


def knows(name, module="vmlinux"):
    """Whether the kernel, or that module, has a function, a type or a field of the name."""
    return b"\0" + name.encode() + b"\0" in _types(module)


def copies_frames():
    """Broadcast to a devmap, Linux 5.14: without it the kernel fragments, not the program."""
    return knows("dev_map_enqueue_multi")


def has_multi_buffer(driver="veth"):
    """XDP programs take frames in several buffers: Linux 5.18, with virtio_net 6.3."""
    # a function that was inlined has no type: either of the two will do
    return knows("xdp_has_frags") and (driver != "virtio_net" or any(
        knows(name, driver) for name in ("build_skb_from_xdp_buff", "virtnet_xdp_handler")))


def veth_receives_with_gro():
    """GRO suffices for a veth to take redirected frames, Linux 5.13; before, it needs a program."""
    if knows("veth_napi_enable_range"):
        return True
    # modules have type information since Linux 5.11
    return os.path.exists(os.path.join(BTF, "veth")) and knows("veth_napi_enable_range", "veth")


def counts_locked_memory():
    """BPF memory counts against RLIMIT_MEMLOCK: until Linux 5.10."""
    return knows("bpf_map_charge_init")


def sends_frames():
    """BPF_PROG_RUN can transmit frames, Linux 5.18: `generate` needs it."""
    return knows("xdp_test_data")
