# SPDX-License-Identifier: GPL-2.0-only
"""
Runs a Lambda function's code as Lambda does: one process for many events, one at a time.

    lambda_child.py DIRECTORY MODULE.FUNCTION      an event a line in, a line `@@{...}` a result out

$LAMBDA_HASTE: how many times faster than here the code's waits pass. $LAMBDA_TIMEOUT: in seconds.
"""

import importlib
import json
import os
import sys
import time
import traceback

slow = time.sleep
time.sleep = lambda seconds: slow(seconds / float(os.environ.get("LAMBDA_HASTE", "1")))


class Context:
    aws_request_id = "0"
    log_stream_name = log_group_name = "here"

    def __init__(self):
        self.end = time.monotonic() + float(os.environ.get("LAMBDA_TIMEOUT", "300"))

    def get_remaining_time_in_millis(self):
        return max(0, int((self.end - time.monotonic()) * 1000))


def main(directory, name):
    sys.path.insert(0, directory)
    sys.dont_write_bytecode = True
    module, function = name.rsplit(".", 1)
    handler = None
    for line in sys.stdin:
        try:
            handler = handler or getattr(importlib.import_module(module), function)
            answer = {"result": handler(json.loads(line), Context())}
        except Exception as error:  # pylint: disable=broad-exception-caught
            traceback.print_exc(file=sys.stdout)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(f"@@{json.dumps(answer, default=str)}", flush=True)


main(*sys.argv[1:])
