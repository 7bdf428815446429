# SPDX-License-Identifier: GPL-2.0-only
"""docs/http.md says what the daemon answers: its paths, and every field of its documents."""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import markdown
from lib.command import wait_for
from lib.life import TARGETS, tunnels
from lib.namespace import napi
from lib.watch import Watched

PAGE = "docs/http.md"


def fields(value, path=""):
    """Every field of a document by its path; [] stands for places of a list."""
    if isinstance(value, dict):
        for name, part in value.items():
            named = "NAME" if path in ("counters", "rates", "verdicts") else name
            yield from fields(part, f"{path}.{named}" if path else named)
    elif isinstance(value, list):
        for part in value:
            yield from fields(part, f"{path}[]")
    else:
        yield path


class Documents(Watched):
    def test_paths(self):
        """Every path with its type."""
        self.start()
        wait_for(self.is_well, 10, "health")
        rows = [row for row in markdown.table(PAGE, "path") if len(row) == 3]
        self.assertGreater(len(rows), 5)
        for path, kind, _ in rows:
            with self.subTest(path):
                answer = self.get(path)
                self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, kind))

    def test_fields(self):
        """Those of an instance that has losses, reasons and next hops that do not answer."""
        self.start({"nat": [{"match": {"source_port": 1000}, "to": TARGETS[0]},
                            {"match": {"source_port": 1001}, "to": "10.20.0.77"}]})
        time.sleep(5.5)  # until there is a point of the last ten minutes
        napi(self.collector, "c0", False)  # then the veth refuses redirected frames
        self.in_port.send(*tunnels(10))
        documented = {row[0] for row in markdown.table(PAGE, "field")}
        self.assertGreater(len(documented), 50)
        shown = set()

        def all_shown():
            shown.update(fields(self.get("/live.json").json()))
            return shown >= documented
        try:
            wait_for(all_shown, 15, "every field")
        finally:
            self.assertEqual(shown, documented)

    def test_rows(self):
        self.start()
        parts = {name.strip("`") for row in markdown.table(PAGE, "part")
                 for name in row[0].split("`, `")}
        for path, name in (("/rules.json", "rules"), ("/vnis.json", "vnis")):
            with self.subTest(path):
                document = self.get(path).json()
                self.assertEqual(set(document) | {"rules", "vnis"}, parts)
                documented = {row[0].rpartition(".")[2] for row in markdown.table(PAGE, "field")
                              if row[0].startswith(f"{name}.rows[]")}
                self.assertEqual(set(document[name][0]), documented)

    def test_queries(self):
        """Defaults and bounds are those of the table."""
        self.start()
        for name, values, default, _ in markdown.table(PAGE, "name"):
            if not default.isdigit():
                continue
            with self.subTest(name):
                self.assertEqual(self.get("/rules.json").json()[name], int(default))
                lowest, highest = (int(word) for word in values.split(" to "))
                for value, status in ((lowest, 200), (highest, 200), (lowest - 1, 400),
                                      (highest + 1, 400)):
                    self.assertEqual(self.get(f"/rules.json?{name}={value}").status, status, value)
