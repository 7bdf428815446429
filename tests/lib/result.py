# SPDX-License-Identifier: GPL-2.0-only
"""
Counts the tests that ran: every row of a table is one. A test that leaves an instance's pins behind
has failed: a later one would find them.
"""

import contextlib
import os
import time
import unittest

from .daemon import PINS


def pinned():
    """The instances that have pins; one that is "" when only the directory for them is there."""
    with contextlib.suppress(FileNotFoundError):
        return set(os.listdir(PINS)) or {""}
    return set()


class Result(unittest.TestResult):
    """Counts subtests (the rows of tables); a test without any is one."""

    def __init__(self, verbose):
        super().__init__()
        self.verbose, self.passed, self.failed, self.rows = verbose, 0, 0, {}
        self.left = set()
        self.started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.rows[test] = [0, 0]

    def stopTest(self, test):
        left = pinned() - self.left
        if left:
            self.left |= left
            self.failed += 1
            print(f"FAILED {test}: it leaves behind "
                  f"{', '.join(os.path.join(PINS, name) for name in sorted(left))}", flush=True)
        if self.verbose:
            good, bad = self.rows[test]
            print(f"{test.id()}: {time.monotonic() - self.started:.1f} s"
                  f"{f', {good + bad} rows' if good + bad else ''}", flush=True)

    def _fail(self, what, error):
        self.failed += 1
        print(f"FAILED {what}\n{self._exc_info_to_string(error, what)}", flush=True)

    def addSuccess(self, test):
        if not sum(self.rows[test]):
            self.passed += 1

    def addSubTest(self, test, subtest, err):
        self.rows[test][1 if err else 0] += 1
        if err:
            self._fail(subtest, err)
        else:
            self.passed += 1

    def addFailure(self, test, err):
        self._fail(test, err)

    def addError(self, test, err):
        self._fail(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIPPED {test}: {reason}", flush=True)


def every_test(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from every_test(item)
        else:
            yield item
