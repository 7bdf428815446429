# SPDX-License-Identifier: GPL-2.0-only
"""Tables of packets. `explain` runs once for all rows that share a configuration."""

import concurrent.futures
import os
import struct
import unittest

from . import frames, program, reference


class Row:
    """
    `sentence` says what is tested. `verdict`: a name, or a set if several are right. `events`: all
    events of the packet; None: the reference's. `out`: the frame that leaves; None: the reference's.
    """

    def __init__(self, sentence, frame, verdict, rule=0, events=None, out=None, vni=None):
        self.sentence, self.frame = sentence, frame
        self.verdicts = {verdict} if isinstance(verdict, str) else set(verdict)
        self.rule, self.events, self.out, self.vni = rule, events, out, vni


class PacketTable(unittest.TestCase):
    """Runs tables through the real program; compares the answers with rows and reference."""

    BASE = {
        "listen": {"interface": "rx0"},
        "forward": {"interface": "tx0", "next_hop": "keep", "mtu": 1500},
        "nat": [{"match": {"source_port": 1000}, "to": "192.0.2.9:8081"},
                {"match": {"source_port": 1000}, "to": "[2001:db8::9]:8081"}],
    }

    @classmethod
    def setUpClass(cls):
        program.require_program()

    def config(self, *changes):
        return program.merge(self.BASE, *changes)

    def run_table(self, config, rows):
        return self.check_table(config, rows, program.explain(config, [r.frame for r in rows]))

    def run_tables(self, tables):
        """Several (config, rows) in parallel: loading the programs takes longest."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = [(config, rows, pool.submit(program.explain, config, [r.frame for r in rows]))
                    for config, rows in tables]
            return [self.check_table(config, rows, run.result()) for config, rows, run in runs]

    def check_table(self, config, rows, answer):
        self.assertEqual(len(answer), len(rows), "explain answers for every packet")
        self.check_sum(answer)
        model = reference.Reference(config)
        for number, (row, got) in enumerate(zip(rows, answer), 1):
            want = model.judge(row.frame)
            with self.subTest(row.sentence):
                self.assertEqual(got.number, number)
                self.check_row(row, want, got)
                self.check_bytes(config, row.frame, want, got, row.out)
        return answer

    def check_sum(self, answer):
        self.assertEqual(set(answer.verdicts), program.VERDICTS & set(answer.verdicts))
        counts = {name: value["packets"] if isinstance(value, dict) else value
                  for name, value in answer.verdicts.items()}
        self.assertEqual(sum(counts.values()), len(answer), "verdicts sum to the packets")
        for name, count in counts.items():
            self.assertEqual(sum(packet.verdict == name for packet in answer), count, name)

    def check_row(self, row, want, got):
        if not row.verdicts & want.verdicts:
            self.fail(f"row says {row.verdicts}, reference {want}: the table is wrong")
        self.assertIn(got.verdict, row.verdicts, got)
        self.assertEqual(row.rule, want.rule, "row and reference differ: the table is wrong")
        self.assertEqual(got.rule, row.rule, got)
        if row.vni is not None:
            self.assertEqual(got.vni, row.vni, got)
        if row.events is not None:
            self.assertEqual(got.events, set(row.events), got)

    def check_judgement(self, want, got):
        """Compares verdict, rule, VNI and events with the reference."""
        self.assertIn(got.verdict, want.verdicts, f"{got}\nreference: {want}")
        if len(want.verdicts) > 1 and want.verdicts != reference.CUT_TO_FIT:
            return
        self.assertEqual(got.rule, want.rule, f"{got}\nreference: {want}")
        if want.vni is not None:
            self.assertEqual(got.vni, want.vni, f"{got}\nreference: {want}")
        if got.verdict in program.FORWARDED and not want.bytes_open:
            self.assertEqual(got.events, want.events, f"{got}\nreference: {want}")

    def check_bytes(self, config, frame, want, got, out=None):
        """Compares the frames that left with `out`, or with the reference if that is None."""
        if got.verdict in ("not_tunnel", "outer_fragment"):
            self.assertIn(got.out, ([], [frame]), "the kernel gets the frame untouched")
            return
        if got.verdict not in program.FORWARDED:
            self.assertEqual(got.out, [], "a dropped packet leaves nothing")
            return
        if want.bytes_open:
            self.assertGreaterEqual(len(got.out), 1, got)
            return
        expected = bytearray(want.out if out is None else out)
        if got.verdict == "fragmented":
            self.check_fragments(config, expected, want, got)
            return
        self.assertEqual(len(got.out), 1, got)
        self.compare(config, expected, want, got, got.out[0])

    def compare(self, config, expected, want, got, leaving):
        self.assertGreaterEqual(len(leaving), 14)
        if want.fresh_id:
            ident = leaving[18:20]
            self.assertNotEqual(ident, b"\0\0", "a fresh ID is not zero")
            reference.Reference._replace(expected, 18, ident, 24)
        next_hop = config["forward"].get("next_hop", "route")
        skip = 0
        if got.verdict == "passed":
            skip = 12
            self.assertFalse(leaving[0] & 1, "passed to this host's own MAC")
            self.assertNotEqual(leaving[:6], bytes(6))
        elif next_hop == "route":
            skip = 12
            self.assertFalse(leaving[0] & 1 or leaving[6] & 1, "MACs are unicast")
            self.assertNotEqual(leaving[:6], bytes(6), "the next hop's MAC is there")
        elif next_hop != "keep":
            skip = 12
            self.assertEqual(leaving[:6], frames.mac(next_hop), "the next hop's MAC as given")
            self.assertFalse(leaving[6] & 1, "the source MAC is unicast")
        self.assertEqual(leaving[skip:].hex(), bytes(expected[skip:]).hex(),
                         f"\n{got}\nreference: {want}")

    def check_fragments(self, config, expected, want, got):
        mtu = config["forward"]["mtu"]
        self.assertGreaterEqual(len(got.out), 2)
        packets = [out[14:] for out in got.out]
        for packet in packets:
            self.assertLessEqual(len(packet), mtu, "a fragment fits forward.mtu")
        if want.fresh_id:
            reference.Reference._replace(expected, 18, packets[0][4:6], 24)
            self.assertNotEqual(packets[0][4:6], b"\0\0", "a fresh ID is not zero")
        length = struct.unpack_from("!H", expected, 16)[0]
        whole = bytes(expected[14:14 + length])
        self.assertEqual(reference.reassemble(packets).hex(), whole.hex(), got)


def valid_checksums(packet):
    """Whether a receiver accepts the checksums of an unfragmented IP packet (bytes)."""
    if packet[0] >> 4 == 4:
        header, length, protocol = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0], \
            packet[9]
        if frames.ones_sum(packet[:header]) != 0xFFFF:
            return False
        addresses = packet[12:20]
    else:
        header, length, protocol = 40, 40 + struct.unpack_from("!H", packet, 4)[0], packet[6]
        addresses = packet[8:40]
    segment = packet[header:length]
    if protocol == frames.UDP and segment[6:8] == b"\0\0":
        return packet[0] >> 4 == 4
    pseudo = addresses + struct.pack("!II", len(segment), protocol)
    return frames.ones_sum(pseudo + segment) == 0xFFFF
