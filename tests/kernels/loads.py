# SPDX-License-Identifier: GPL-2.0-only
"""
Loads every configuration of cases.py on a kernel, runs it under `explain` and with real traffic,
and compares the results with those of this machine's kernel.
"""

import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

import cases
import guest
import packages
from lib import frames
from lib.program import FORWARDED, PROGRAM, merge, to_yaml

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "veth", "nf_tables", "nft_counter")
# Kernels look at a million instructions of a program at the most, along all paths together, and each
# counts otherwise. Three quarters of that are kept in reserve.
MOST_INSTRUCTIONS = 250_000


class Case:
    """One configuration, and this machine's results with it."""

    def __init__(self, number, name, config, traffic, work):
        self.name, self.traffic = name, traffic
        self.key = f"{number:02}"
        self.config = config
        self.yaml = os.path.join(work, f"{self.key}.yaml")
        with open(self.yaml, "w", encoding="utf-8") as stream:
            stream.write(to_yaml(config))
        self.egress = config["forward"].get("interface")
        self.expected, self.received = None, None

    def explain_here(self, capture):
        result = subprocess.run([PROGRAM, "explain", "--json", "-c", self.yaml, capture],
                                capture_output=True, text=True, check=False, timeout=300)
        if result.returncode:
            sys.exit(f"tests/kernels/run: {self.name}: this machine's kernel: {result.stderr}")
        self.expected = packets_of(result.stdout)

    def files(self):
        where = f"/cases/{self.key}"
        if self.traffic:
            return {f"{where}/auto.yaml": to_yaml(self.config).encode(), f"{where}/traffic": b""}
        return {f"{where}/{mode}.yaml":
                to_yaml(merge(self.config, {"listen": {"xdp_mode": mode}})).encode()
                for mode in cases.MODES}


def without_fresh_id(packet):
    """
    The packet without its ID and header checksum, if the program assigned the ID: that depends on
    the number of CPUs. The header's sum does not, as the checksum compensates the ID: it replaces
    both.
    """
    for out in packet["out"] if "id_assigned" in packet["events"] else ():
        frame = bytearray.fromhex(out["hex"])
        total = frames.ones_sum(bytes(frame[14:14 + (frame[14] & 15) * 4]))
        if frame[18:20] != b"\0\0":
            frame[18:20], frame[24:26] = b"\0\0", total.to_bytes(2, "big")
        out.clear()
        out["hex"] = frame.hex()
        packet["changes"] = []
    return packet


def packets_of(text):
    return [without_fresh_id(packet) for packet in json.loads(text)["packets"]]


def uncut(packet):
    """
    The result of a packet on a kernel that cannot fragment it in XDP. It is passed to the kernel, which
    drops it: the guest has no route for it. Where there is one, as under `explain`, the kernel would send
    more than forward.mtu, so that the packet ends as oversize.
    """
    return {**packet, "verdict": "passed", "out": []} if packet["verdict"] == "fragmented" \
        else packet


def compare(expected, got, broadcast):
    """A list of one line about the first packet with different results; empty if there is none."""
    if len(expected) != len(got):
        return [f"explain answers for {len(got)} packets of {len(expected)}"]
    for ours, theirs in zip(expected, got):
        if ours["verdict"] == "fragmented" and not broadcast:
            if theirs["verdict"] != "oversize":
                return [f"packet {ours['number']}: {theirs['verdict']}, not oversize"]
            continue
        for key in ours:
            if ours[key] != theirs[key]:
                return [f"packet {ours['number']}: {key}: here {json.dumps(ours[key])[:300]}, "
                        f"there {json.dumps(theirs[key])[:300]}"]
    return []


def last_lines(results, path, count=12):
    return results.get(path, b"").decode(errors="replace").splitlines()[-count:]


def loads_of(results, case):
    """{load: (instructions that the verifier looked at, seconds)} of all loads of the case."""
    found = {}
    for path, content in results.items():
        if not path.startswith(f"{case.key}/") or not path.endswith(".load"):
            continue
        for line in content.decode().splitlines():
            words = line.split()
            found[path.split("/")[1].removesuffix(".load")] = (
                int(words[2]) if words[1] == "processed" else 0, float(words[0]))
    return found


def load_remark(loads):
    """`12345 instructions in 3.1 s (explain.auto)`, of the most expensive load."""
    name = max(loads, key=loads.get, default=None)
    return f": {loads[name][0]} instructions in {loads[name][1]:.1f} s ({name})" if name else ""


def judge_loads(loads):
    return [f"{name}: the verifier looked at {instructions} instructions, more than "
            f"{MOST_INSTRUCTIONS}, a quarter of what it takes"
            for name, (instructions, _) in loads.items() if instructions > MOST_INSTRUCTIONS]


def judge_status(results, case, name):
    if results.get(f"{case.key}/{name}.status") == b"0\n":
        return []
    return [f"{name}:"] + last_lines(results, f"{case.key}/{name}.log")


def judge_explain(results, case, broadcast):
    names = [f"run.{mtu}.{mode}" for mtu, mode in cases.FORMS] + \
        [f"explain.{mode}" for mode in cases.MODES]
    problems = [line for name in names for line in judge_status(results, case, name)]
    # without them nothing is passed to the kernel, and the program that is loaded is a smaller one
    problems += [f"{name}: nftables cannot silence the kernel" for name in names
                 if b"cannot be kept from answering" in results.get(f"{case.key}/{name}.log", b"")]
    if not judge_status(results, case, "explain.auto"):
        problems += compare(case.expected, packets_of(results[f"{case.key}/explain.auto.out"]),
                            broadcast)
    return problems


def judge_traffic(results, case, broadcast):
    expected = case.expected if broadcast else [uncut(packet) for packet in case.expected]
    if judge_status(results, case, "run"):
        return judge_status(results, case, "run")
    verdicts = collections.Counter(packet["verdict"] for packet in expected)
    wanted = collections.Counter(out["hex"] for packet in expected
                                 if packet["verdict"] in FORWARDED - {"passed"}
                                 for out in packet["out"])
    got = collections.Counter(frame.hex() for frame in case.received)
    counted = json.loads(results[f"{case.key}/stats.json"])["verdicts"]
    problems = [f"{count} frames did not come: {text[:200]}" for text, count in
                list((wanted - got).items())[:3]]
    problems += [f"{count} frames should not have come: {text[:200]}" for text, count in
                 list((got - wanted).items())[:3]]
    problems += [f"{name} counts {value['packets']}, not {verdicts[name]}"
                 for name, value in counted.items() if value["packets"] != verdicts[name]]
    return problems


class Loads:
    """All cases with this machine's results, to be compared with those of other kernels."""

    def __init__(self, work, only, wires, seconds):
        self.wires, self.seconds = wires, seconds
        self.cases, self.capture = prepare_cases(work, only, wires)
        self.shim = build_shim(work)

    def files(self):
        files = {"/capture.pcap": self.capture, "/traffic.mtu": b"%d" % cases.TRAFFIC_MTU,
                 "/forms": b"".join(b"%d %s\n" % (mtu, mode.encode())
                                    for mtu, mode in cases.FORMS)}
        for case in self.cases:
            files.update(case.files())
        with open(self.shim, "rb") as stream:
            files["/bin/watch_load.so"] = stream.read()
        return files

    def in_guest(self, kernel, work):
        """Runs all cases in a guest; returns its results as {path: contents}."""
        archive, disk = os.path.join(work, "initramfs"), guest.results_disk(work)
        programs = (PROGRAM, *map(shutil.which, ("busybox", "ip")))
        guest.initramfs(kernel, archive, os.path.join(HERE, "init"), programs, MODULES,
                        self.files())
        names = {case.key: case for case in self.cases}

        def on_send(key):
            case = names[key]
            case.received = self.wires.exchange(cases.traffic(), case.egress or "eth0")

        nics = self.wires.nics() if self.wires else []
        with guest.Guest(kernel, archive, [(disk, True)], nics) as machine:
            try:
                return guest.run_cases(machine, disk, self.seconds, on_send)
            except guest.Failed as failure:
                raise guest.Failed("\n    ".join([str(failure)] + machine.said[-20:])) from failure

    def run(self, report, title, release, kernel):
        if not self.cases:
            return
        with tempfile.TemporaryDirectory(prefix="vxlan-pipeline-kernel-") as work:
            try:
                results = self.in_guest(kernel, work)
            except guest.Failed as failure:
                report.row(title, "boot and run every case", [str(failure)])
                return
        most = {}
        for case in self.cases:
            judge = judge_traffic if case.traffic else judge_explain
            loads = loads_of(results, case)
            most = {name: max(loads.get(name, (0, 0)), most.get(name, (0, 0)))
                    for name in {**most, **loads}}
            problems = judge(results, case, release not in packages.WITHOUT_BROADCAST)
            report.row(title, case.name, problems + judge_loads(loads), load_remark(loads))
        print(f"{title}: instructions at the most: " + ", ".join(
            f"{instructions} {name}" for name, (instructions, _) in most.items()), flush=True)


def build_shim(work):
    shim = os.path.join(work, "watch_load.so")
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-o", shim,
                    os.path.join(HERE, "watch_load.c"), "-ldl"], check=True)
    return shim


def prepare_cases(work, only, with_traffic):
    """All cases with this machine's results, and the capture as bytes."""
    tables = [(name, config, False) for name, config in cases.configurations()]
    if with_traffic:
        tables += [(name, config, True) for name, config in cases.traffic_configurations()]
    captures = {False: os.path.join(work, "capture.pcap"),
                True: os.path.join(work, "traffic.pcap")}
    frames.write_pcap(captures[False], cases.capture())
    frames.write_pcap(captures[True], cases.traffic())
    prepared = []
    for number, (name, config, traffic) in enumerate(tables):
        if only and only not in name:
            continue
        case = Case(number, name, config, traffic, work)
        case.explain_here(captures[traffic])
        prepared.append(case)
    with open(captures[False], "rb") as stream:
        return prepared, stream.read()
