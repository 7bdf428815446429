# SPDX-License-Identifier: GPL-2.0-only
"""The lists that the sources are made from."""

import ast
import re
import subprocess

from lib import program


def x_macro(name, header="bpf/pipeline.h"):
    """The rows of an X macro, as the preprocessor sees them."""
    text = subprocess.run(
        ["gcc", "-E", "-P", "-iquote", "src", "-iquote", ".", "-"],
        input=f'#include "{header}"\nTHE_LIST\n{name}(ROW)\n',
        cwd=program.ROOT, capture_output=True, text=True, check=True).stdout
    rows = text.split("THE_LIST")[1]
    return [(*[part.strip() for part in match[1].split(",")], ast.literal_eval(f"({match[2]})"))
            for match in re.finditer(r'ROW\(([^"]*),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', rows)]
