#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Lints templates: judge.py [--own] < TEMPLATES > FINDINGS

Reads a JSON list of templates, each as text, and prints a JSON list with the findings of each: rule, path, message.
The rules are loaded once. --own: those of cloudformation/rules alone, which takes a tenth of the time.
"""
import json
import os
import sys

from cfnlint.api import lint
from cfnlint.rules import RulesCollection

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "..", "..", "cloudformation", "rules")


def main():
    sys.dont_write_bytecode = True
    if "--own" in sys.argv:
        rules = RulesCollection()
        rules.create_from_directory(RULES)
    else:
        from cfnlint.core import get_rules
        rules = get_rules([RULES], [], [], {}, False)
    found = [[{"rule": match.rule.id, "path": [str(key) for key in match.path or []], "message": match.message}
              for match in lint(text, rules, ["eu-west-1"])] for text in json.load(sys.stdin)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
