# SPDX-License-Identifier: GPL-2.0-only
"""
What the running kernel can do, by what it says of itself: the names in its type information (BTF).
Distributions backport, so its version number says little. The program under test finds out by
other means.
"""

import functools
import os
import unittest

BTF = "/sys/kernel/btf"


@functools.cache
def _types(module):
    path = os.path.join(BTF, module)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"the kernel tells no types of {module} ({path}): what it lacks "
                                "cannot be known")
    with open(path, "rb") as stream:
        return stream.read()


def knows(name, module="vmlinux"):
    """Whether the kernel, or a module of it, has a function, a type or a field of that name."""
    return b"\0" + name.encode() + b"\0" in _types(module)


def copies_frames():
    """Broadcast to a devmap, Linux 5.14: without it the program cannot cut, and the kernel does."""
    return knows("dev_map_enqueue_multi")


def has_multi_buffer(driver="veth"):
    """XDP programs that take frames in several buffers, Linux 5.18; of virtio_net, 6.3."""
    # compiled into others, functions have no type
    return knows("xdp_has_frags") and (driver != "virtio_net" or any(
        knows(name, driver) for name in ("build_skb_from_xdp_buff", "virtnet_xdp_handler")))


def veth_receives_with_gro():
    """A veth takes redirected frames once it has GRO, Linux 5.13; before, only with a program."""
    if knows("veth_napi_enable_range"):
        return True
    # modules tell their types since Linux 5.11
    return os.path.exists(os.path.join(BTF, "veth")) and knows("veth_napi_enable_range", "veth")


def counts_locked_memory():
    """What BPF takes is held against RLIMIT_MEMLOCK, which ended with Linux 5.11."""
    return knows("bpf_map_charge_init")


def sends_frames():
    """BPF_PROG_RUN sends what the program makes, Linux 5.18: `generate` needs it."""
    return knows("xdp_test_data")
