# SPDX-License-Identifier: GPL-2.0-only
"""
Open vSwitch's datapath in user space, with AF_XDP, where it is installed. It polls on a core of its
own, so it has a section of its own: it would take its neighbours' caches all the time.
"""

import os
import shutil
import subprocess
import time

from lib import frames
from lib.command import run, wait_for

import ground
from measure import alternate

COMMANDS = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl")


class OpenVswitch(ground.Chain):
    """A bridge takes the tunnel's packets from in0, another strips, rewrites and sends to out0."""

    bridges = ("phy", frames.OUTER_DESTINATION_MAC), ("int", ground.OUT_MAC)

    def set_up(self):
        self.where = f"/run/ovs-{self.number}"
        os.makedirs(self.where)
        self.environment = {**os.environ, "OVS_RUNDIR": self.where, "OVS_DBDIR": self.where}
        run("ovsdb-tool", "create", f"{self.where}/db", env=self.environment)
        self.start("ovsdb-server", f"{self.where}/db", f"--remote=punix:{self.where}/db.sock")
        wait_for(lambda: os.path.exists(f"{self.where}/db.sock"), 10, "ovsdb-server")
        self.vsctl("--no-wait", "init")
        self.start("ovs-vswitchd", f"unix:{self.where}/db.sock")
        for interface in ("in0", "out0"):
            self.appliance.ip("addr", "flush", "dev", interface)
        self.vsctl("set", "open_vswitch", ".", f"other_config:pmd-cpu-mask={1 << polling_cpu():x}")
        self.connect()

    def connect(self):
        for name, mac in self.bridges:
            self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                       f"other-config:hwaddr={mac}")
        for bridge, port, kind in (("phy", "in0", "afxdp"), ("int", "out0", "afxdp"),
                                   ("int", "tunnel", "vxlan")):
            settings = ("options:remote_ip=flow", "options:key=1") if kind == "vxlan" else ()
            self.vsctl("add-port", bridge, port, "--", "set", "interface", port, f"type={kind}",
                       *settings)
        self.appliance.ip("addr", "add", f"{ground.TUNNEL}/8", "dev", "phy")
        self.appliance.ip("link", "set", "phy", "up")
        self.control("ovs-ofctl", "del-flows", "int")
        self.control("ovs-ofctl", "add-flow", "int",
                     f"udp,tp_src={ground.RULE_PORT},actions=mod_dl_src:{ground.OUT_MAC},"
                     f"mod_dl_dst:{ground.FAR_MAC},mod_nw_dst:{ground.TARGET},"
                     f"mod_tp_dst:{ground.TARGET_PORT},output:out0")
        time.sleep(1)  # until it has noticed the address of the tunnel

    def start(self, *command):
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command(*command), env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.scope.addCleanup(process.wait)
        self.scope.addCleanup(process.kill)

    def vsctl(self, *words):
        self.control("ovs-vsctl", f"--db=unix:{self.where}/db.sock", "--timeout=20", *words)

    def control(self, *command):
        self.appliance.run(*command, env=self.environment)


def polling_cpu():
    """Another CPU than the sender's."""
    return ground.all_cpus()[0]


def ovs(findings, scope, pace):
    missing = [name for name in COMMANDS if not shutil.which(name)]
    if missing or len(ground.all_cpus()) < 2:
        findings.notes.append(f"Open vSwitch: not measured: this machine has no {missing[0]}"
                              if missing else "Open vSwitch: not measured: needs two CPUs")
        return
    chains = {"vxlan-pipeline": ground.Pipeline(scope), "Open vSwitch": OpenVswitch(scope)}
    rates = alternate({name: (ground.Source(chain), 1) for name, chain in chains.items()}, pace)
    findings.figure("ovs", rates.ratio("vxlan-pipeline", "Open vSwitch"))
