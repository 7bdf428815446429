# SPDX-License-Identifier: GPL-2.0-only
"""Prints each row's result, and counts them."""


class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def row(self, kernel, name, problems, remark=""):
        if problems:
            self.failed += 1
            print(f"FAILED {kernel}: {name}{remark}: " + "\n    ".join(problems), flush=True)
        else:
            self.passed += 1
            print(f"ok {kernel}: {name}{remark}", flush=True)

    def skip(self, what, why):
        self.skipped += 1
        print(f"SKIPPED {what}: {why}", flush=True)

    def add(self, passed, failed, skipped):
        """Adds rows that were printed already."""
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def sum(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
