# SPDX-License-Identifier: GPL-2.0-only
"""A file system whose server is gone: whoever asks for anything on it waits, as on a dead NFS mount."""

import ctypes
import os
import unittest

_libc = ctypes.CDLL(None, use_errno=True)
MNT_FORCE = 1


def mount_silent(test, directory):
    """Mounts it on the directory until the test ends; a file below it can be named, not opened."""
    if not os.path.exists("/dev/fuse"):
        raise unittest.SkipTest("this machine has no FUSE")
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other"
    if _libc.mount(b"silent", directory.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {directory}")

    def end():
        os.close(server)  # which ends the wait of whoever still asks
        _libc.umount2(directory.encode(), MNT_FORCE)
    test.addCleanup(end)
