# SPDX-License-Identifier: GPL-2.0-only
"""A CPU that comes online while the program runs fragments, too."""

import re

from lib import kernel
from lib.command import wait_for
from lib.namespace import veth
from test_fragmenting import Fragmenting, running_on

CPU = 1
ONLINE = f"/sys/devices/system/cpu/cpu{CPU}/online"


def set_online(on):
    with open(ONLINE, "w", encoding="ascii") as file:
        file.write("1" if on else "0")


class Cpus(Fragmenting):
    def wire(self, cabled, one, one_name, two, two_name, mtu):
        """A veth, which is taken in by the CPU that sends."""
        veth(one, one_name, two, two_name, mtu)

    def test_comes_online(self):
        """It uses another one's thread until the daemon has made its own."""
        self.addCleanup(set_online, True)
        set_online(False)
        daemon = self.start_fragmenting()
        self.begin_whole(daemon)
        self.deliver([2852, 100] * 5)
        set_online(True)
        with running_on(CPU):
            self.deliver([2852, 100] * 20)
        if kernel.copies_frames():
            wait_for(lambda: re.search(f"CPU {CPU} came online: applying(.*\n)*.*program replaced",
                                       daemon.stderr), 10, "the configuration is applied again")
        with running_on(CPU):
            self.deliver([2852, 100] * 20)
        self.assertEqual(self.verdicts(), {self.cut: 45, "redirected": 45})

    def test_goes_and_comes_back(self):
        """The thread of a CPU that went runs on another one from then on."""
        daemon = self.start_fragmenting()
        self.begin_whole(daemon)
        self.addCleanup(set_online, True)
        set_online(False)
        self.deliver([2852, 100] * 20)
        set_online(True)
        with running_on(CPU):
            self.deliver([2852, 100] * 20)
        self.assertEqual(self.verdicts(), {self.cut: 40, "redirected": 40})
