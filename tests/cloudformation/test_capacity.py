# SPDX-License-Identifier: GPL-2.0-only
"""docs/capacity.md: its figures are those that come out when one reckons."""

import math
import os
import re
import unittest

import imbalance
import templates
from lib import program

PPS, LENGTH, HOSTS = 85000, 2852, 40
BASELINE = {"c5n.large": 3, "c5n.xlarge": 5, "c5n.2xlarge": 10, "c5n.4xlarge": 15, "c5n.9xlarge": 50, "c5n.18xlarge": 100}
TUNNEL, COUNTED, XDP_MTU = 50, 54, 3498


def page():
    with open(os.path.join(program.ROOT, "docs", "capacity.md"), encoding="utf-8") as stream:
        return stream.read()


class Capacity(unittest.TestCase):
    def test_table_of_imbalance(self):
        """The whole table, as the script prints it."""
        self.assertIn("\n" + "\n".join(imbalance.table()) + "\n\n", page())

    def test_imbalance(self):
        """What must hold whatever the numbers: an elephant's share is the least, and one appliance has all."""
        for name, flows in imbalance.TRAFFIC:
            with self.subTest(name):
                self.assertAlmostEqual(sum(flows), 1)
                for count, cell in zip(imbalance.APPLIANCES, imbalance.cells(flows, trials=20)):
                    median, worst = (float(part) for part in cell.split(" / "))
                    self.assertGreaterEqual(median, max(1, max(flows) * count) - 0.005)
                    self.assertLessEqual(worst, count)
                    self.assertLessEqual(median, worst)

    def test_types(self):
        rows = dict(re.findall(r"^\| (c5n\.\w+) \| \d+ \| (.*) \|$", page(), re.M))
        self.assertEqual(list(rows), list(BASELINE))
        allowed = templates.load("appliance.yaml")["Parameters"]["InstanceType"]["AllowedValues"]
        for name, baseline in BASELINE.items():
            with self.subTest(name):
                self.assertIn(name, allowed)
                packets = int(baseline * 1e9 * 0.7 / ((500 + COUNTED) * 8)) // 1000
                self.assertRegex(rows[name], rf"^{baseline}( \(25\))? \| {packets:,},000$")

    def test_figures(self):
        gbit = PPS * (LENGTH + COUNTED) * 8 / 1e9
        hourly = gbit / 8 * 3600
        worst = float(imbalance.cells(dict(imbalance.TRAFFIC)["1,000 equal flows"])[0].split(" / ")[1])
        fragments = math.ceil((LENGTH - 20) / (1500 - 20))
        rows = (
            ("what fits", f"{XDP_MTU} - {TUNNEL} = **{XDP_MTU - TUNNEL} bytes**"),
            ("a host's mirrors", f"x 8 = {PPS / HOSTS * (LENGTH + COUNTED) * 8 / 1e6:.0f} Mbit/s"),
            ("received", f"x 8 = {gbit:.2f} Gbit/s, {hourly:.0f} GB an hour"),
            ("sent", f"x 8 = {PPS * LENGTH * 8 / 1e9:.2f} Gbit/s"),
            ("fragments", f"{PPS * fragments:,} a second, where one ENI sends 1024: **{1024 / fragments / PPS:.1%}**".replace("%", " %")),
            ("512 a second", f"{1024 / fragments * LENGTH * 8 / 1e6:.1f} Mbit/s"),
            ("by more appliances", f"would take {math.ceil(PPS / 512)} of them"),
            ("c5n.large", f"{gbit:.2f} x {worst:.2f} / (0.7 x 3) = {round(gbit, 2) * worst / 2.1:.2f}, rounded up 2"),
            ("c5n.xlarge", f"{gbit:.2f} x {worst:.2f} / (0.7 x 5) = {round(gbit, 2) * worst / 3.5:.2f}, rounded up 1"),
            ("alone", f"at {gbit / 5:.0%} of its baseline".replace("%", " %")),
            ("time for a packet", f"{1e6 / PPS:.1f} microseconds"),
            ("half of it", f"{gbit / 2:.2f} Gbit/s on one appliance"),
            ("across zones", f"{hourly / 2:.0f} GB an hour"))
        text = " ".join(page().split())
        for what, said in rows:
            with self.subTest(what):
                self.assertIn(said, text)
