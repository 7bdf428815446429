# SPDX-License-Identifier: GPL-2.0-only
"""The way from the old files can be walked as docs/migration.md says; its tables are complete."""

import glob
import os
import re
import sys
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
import session
from lib import frames, program

PAGE = "docs/migration.md"

# As the old documentation shows them.
OLD_FILES = {
    ".env": """\
# Network Interface Configuration
INTERFACE="ens4"                # Primary interface for XDP attachment
TARGET_INTERFACE="ens5"         # Target interface for packet forwarding

# NAT Configuration
NAT_IP="10.2.41.17"            # Target IP for NAT translation
NAT_PORT="8081"                # Target port for NAT translation
SOURCE_PORT="42844"            # Source port to match for NAT

# Performance Configuration
STATS_INTERVAL="5"             # Statistics display interval
TARGET_PPS="85000"             # Target packet processing rate
PERFORMANCE_THRESHOLD="60000"  # Performance warning threshold

# System Configuration
LOG_FILE="/tmp/vxlan_loader.log"  # Log file location
ENABLE_COLORS="true"              # Enable colored output
DEBUG_LEVEL="0"                   # Debug verbosity (0-3)
""",
    "nat_rules.conf": """\
# Format: source_port=target_ip:target_port
31765=192.168.1.100:8080
12345=10.0.0.50:9000
8080=172.16.0.10:80
""",
    "interfaces.conf": """\
INPUT_INTERFACE=ens5
TARGET_INTERFACE=ens6
ENABLE_REDIRECT=yes
STATS_INTERVAL=5
""",
}
OLD_SCRIPTS = ["xdp.sh", "xdp_pipeline.sh", "check_readiness.sh", "validate_pipeline.sh",
               "deploy_test.sh", "optimize_system.sh", "setup_environment.sh",
               "validate_config.sh"]
RULES = [(42844, "10.2.41.17:8081"), (31765, "192.168.1.100:8080"), (12345, "10.0.0.50:9000"),
         (8080, "172.16.0.10:80")]
CAPTURE = [frames.tunnel(frames.inner(frames.udp("10.2.41.20", "10.2.41.30", port, 514, bytes(64))))
           for port, _ in RULES]


class Switch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program.require_program()
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.lines = list(markdown.commands(PAGE))
        cls.work = program.Workspace()
        directory = cls.work.__enter__().path
        cls.addClassCleanup(cls.work.__exit__)
        for name, text in OLD_FILES.items():
            cls.work.file(name, text)
        cls.work.file("config.yaml", "# in place of what the package brings\n")
        frames.write_pcap(os.path.join(directory, "capture.pcap"), CAPTURE)
        commands = [re.sub(r"^sudo ", "", line) for _, line in cls.lines]
        cls.results = session.run(directory, commands)

    def test_every_command_line_works(self):
        self.assertGreater(len(self.lines), 5, "the page shows its commands in ```sh blocks")
        places = [f"{PAGE}:{number}" for number, _ in self.lines]
        for place, result in zip(places + [PAGE] * len(self.results), self.results):
            with self.subTest(f"{place}: {result['command']}"):
                self.assertEqual(result["status"], 0, result["output"])

    def test_all_that_the_old_files_say_arrives(self):
        with open(os.path.join(self.work.path, "config.yaml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        self.assertEqual(config["listen"]["interface"], "ens5")
        self.assertEqual(config["forward"]["interface"], "ens6")
        self.assertEqual(config["forward"]["unmatched"], "forward")
        self.assertEqual([(rule["match"]["source_port"], rule["to"]) for rule in config["nat"]],
                         RULES)

    def test_the_rules_apply(self):
        explained = next(item["output"] for item in self.results if " explain " in item["command"])
        for _, target in RULES:
            with self.subTest(target):
                self.assertIn(target.split(":")[0], explained)

    def test_what_does_not_arrive_is_said(self):
        said = next(item["output"] for item in self.results if " import " in item["command"])
        self.assertEqual(re.findall(r"warning: (\w+)", said),
                         ["LOG_FILE", "ENABLE_COLORS", "INPUT_INTERFACE", "TARGET_INTERFACE"])


class Tables(unittest.TestCase):
    def test_every_script_has_a_command(self):
        text = "\n".join(row[0] for row in markdown.table(PAGE, "old"))
        for script in OLD_SCRIPTS:
            with self.subTest(script):
                self.assertRegex(text, rf"(?m)(^|`){re.escape(script)}")

    def test_every_setting_that_import_knows_is_told(self):
        told = " ".join(row[0] for row in markdown.table(PAGE, "old"))
        known = set()
        for path in glob.glob(os.path.join(program.ROOT, "src", "import", "import.c")):
            with open(path, encoding="utf-8") as file:
                known |= set(re.findall(r'^\t\{"([A-Z_]+)", [A-Z_]+,', file.read(), re.M))
        self.assertGreater(len(known), 10)
        for name in known:
            with self.subTest(name):
                self.assertRegex(told, rf"\b{name}\b")


if __name__ == "__main__":
    unittest.main()
