# SPDX-License-Identifier: GPL-2.0-only
"""Compares the fuzzer's model in C with the reference in Python, written independently."""

import json
import os
import subprocess
import unittest

import yaml

from lib import keys, program, reference

DIFFERENTIAL = os.path.join(program.ROOT, "build", "fuzz", "differential")
SEED = int(os.environ.get("FUZZ_SEED", "0") or 0) or int.from_bytes(os.urandom(4), "big")
SCENARIOS, EACH = 40, 300
# Sections that the datapath does not see, so that the fuzzer draws none of them.
UNSEEN = ("monitor.", "http.", "log.")
LEAVING = {"redirected", "transmitted", "fragmented", "passed"}


def model(seed, scenarios, each):
    """Yields configurations as parsed YAML, each with packets and the C model's answers to them."""
    command = [DIFFERENTIAL, "--model", "--seed", str(seed), "--each", str(each),
               "--packets", str(scenarios * each)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr + done.stdout[-1000:])
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            document = json.loads(line)
            yield yaml.safe_load(document["config"]), document["packets"]


class Models(unittest.TestCase):
    """If the two differ, one of them is not what docs/ says."""

    def setUp(self):
        if not os.access(DIFFERENTIAL, os.X_OK):
            self.fail(f"{DIFFERENTIAL} is not there: build it first, with `make fuzz-programs`")

    def test_models_agree(self):
        seen, drawn = set(), set()
        for number, (config, packets) in enumerate(model(SEED, SCENARIOS, EACH)):
            drawn |= keys.said(config)
            config["forward"].setdefault("interface", config["listen"]["interface"])
            python = reference.Reference(config)
            differences = []
            for packet in packets:
                seen.update(packet["verdicts"].split())
                frame = bytes.fromhex(packet["hex"])
                why = self.difference(python.judge(frame), packet)
                if why:
                    differences.append(f"{why}\n{packet}")
            with self.subTest(f"FUZZ_SEED={SEED} configuration {number}"):
                self.assertFalse(differences, f"{config}\n" + "\n".join(differences[:2]))
        self.assertEqual(seen, program.VERDICTS - {"error"})
        self.assertEqual(drawn, {key for key in keys.with_values() if not key.startswith(UNSEEN)})

    @staticmethod
    def difference(python, c):
        """
        How the two differ, or None. The model in C is stricter: the reference must admit every
        verdict of it. If the model has one verdict only, everything must be the same.
        """
        verdicts, events = set(c["verdicts"].split()), set(c["events"].split())
        if not verdicts <= python.verdicts:
            return f"verdicts {python}"
        if len(verdicts) > 1 or python.bytes_open:
            return None
        if (python.rule, -1 if python.vni is None else python.vni) != (c["rule"], c["vni"]):
            return f"rule or VNI {python}"
        if not verdicts & LEAVING:
            return None
        if c["may_cut"] and verdicts == {"passed"}:
            return None
        if python.events != events:
            return f"events {python}"
        if python.fresh_id != bool(c["fresh_id"]) or python.out.hex() != c["out"]:
            return f"bytes {python}"
        return None


if __name__ == "__main__":
    unittest.main()
