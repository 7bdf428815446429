# SPDX-License-Identifier: GPL-2.0-only
"""What a guest can ask of the machine that runs it."""

import os

from lib.ground import WIRES

SERIAL = "/dev/ttyS0"


def set_link(interface, up):
    """Pulls the cable out of an interface, by its name at the guest's start, or plugs it in."""
    number = [name for pair in WIRES for name in pair].index(interface)
    with open(os.open(SERIAL, os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0) as serial:
        serial.write(f"\n@@ ask link {number} {'up' if up else 'down'}\n".encode())
        serial.readline()
