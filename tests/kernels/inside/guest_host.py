# SPDX-License-Identifier: GPL-2.0-only
"""Requests of a guest to the machine that runs it."""

import os

from lib.ground import WIRES

SERIAL = "/dev/ttyS0"


def set_link(interface, up):
    """Unplugs an interface's cable or plugs it in. `interface`: its name when the guest started."""
    number = [name for pair in WIRES for name in pair].index(interface)
    with open(os.open(SERIAL, os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0) as serial:
        serial.write(f"\n@@ ask link {number} {'up' if up else 'down'}\n".encode())
        serial.readline()
