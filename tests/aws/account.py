# SPDX-License-Identifier: GPL-2.0-only
"""
An AWS account in a network namespace of the test: starts cloud_server.py, with the python3 that has
moto, and asks it.
"""

import functools
import json
import os
import shutil
import socket
import subprocess
import unittest

from lib import program
from lib.command import run, wait_for
from lib.namespace import Namespace

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(program.ROOT, "cloudformation")
PORT, REGION = 5000, "eu-west-1"
PROBE = "import boto3, moto; from moto.server import main; print(moto.__version__)"


class Refused(Exception):
    """AWS refused a call. `code`: its error code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


@functools.lru_cache(maxsize=None)
def python():
    """The interpreter that has moto; skips the test if there is none."""
    candidates = [os.path.join(directory, "python3") for directory in
                  os.environ["PATH"].split(":") + ["/usr/local/bin", "/usr/bin"]]
    for path in filter(os.path.exists, dict.fromkeys(candidates)):
        if run(path, "-c", PROBE, check=False).returncode == 0:
            # What a shim would start: shims are slow.
            return run(path, "-c", "import sys; print(sys.executable)").stdout.strip()
    raise unittest.SkipTest("no python3 of this machine has moto (pip install 'moto[server,all]')")


def aws():
    """The AWS CLI; skips the test if there is none."""
    found = shutil.which("aws", path=os.path.dirname(python()) + ":" + os.environ["PATH"])
    if not found:
        raise unittest.SkipTest("this machine has no AWS CLI (aws)")
    return found


def aws_2(directory, url):
    """
    Makes `aws` in the directory: version 2 of the AWS CLI, as Debian has it, which knows no $AWS_ENDPOINT_URL.
    Skips the test if there is none.
    """
    debian = "/usr/bin/aws"
    if not os.path.exists(debian) or "aws-cli/2." not in run(debian, "--version").stdout:
        raise unittest.SkipTest("version 2 of the AWS CLI is not here: .ci/deps cloudwatch")
    with open(os.path.join(directory, "aws"), "w", encoding="utf-8") as stream:
        stream.write(f'#!/bin/sh\nexec {debian} --endpoint-url {url} "$@"\n')
        os.fchmod(stream.fileno(), 0o755)


class OfModule:
    """Stands in for a test whose cleanups are done when those of its module are over."""

    addCleanup = staticmethod(unittest.addModuleCleanup)


class Account:
    def __init__(self, test, namespace=None, seed=1, address="127.0.0.1"):
        """`address`: of the namespace, where others find the account as well."""
        python()
        self.url = f"http://{address}:{PORT}"
        self.test, self.work = test, program.Workspace().__enter__()
        test.addCleanup(self.work.__exit__)
        self.namespace = namespace or Namespace(test, "cloud")
        self.socket_path = os.path.join(self.work.path, "socket")
        self.log = os.path.join(self.work.path, "log")
        self.server = self.start([python(), os.path.join(HERE, "cloud_server.py"), str(PORT),
                                  self.socket_path], self.log, CLOUD_SEED=str(seed),
                                 CLOUD_URL=self.url, CLOUD_WORK=self.work.path)
        wait_for(self._answers, 60, "moto to answer")

    def environment(self, **more):
        """That of whoever talks to this account."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, "AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "NO_PROXY": "*",
                "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "PYTHONDONTWRITEBYTECODE": "1", **more}

    def start(self, command, log, **environment):
        with open(log, "ab") as stream:
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                self.namespace.command(*command), stdin=subprocess.DEVNULL, stdout=stream,
                stderr=stream, env=self.environment(**environment))
        self.test.addCleanup(process.wait)
        self.test.addCleanup(process.kill)
        return process

    def _answers(self):
        if self.server.poll() is not None:
            with open(self.log, encoding="utf-8") as stream:
                raise AssertionError(f"moto does not start:\n{stream.read()[-2000:]}")
        with self.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex(("127.0.0.1", PORT)) == 0

    def reset(self, test):
        """An empty account, for another test of the module."""
        self.test = test
        self.ask(reset=True)

    def ask(self, **question):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(self.socket_path)
            with client.makefile("rw", encoding="utf-8") as stream:
                stream.write(json.dumps(question) + "\n")
                stream.flush()
                line = stream.readline()
        if not line:
            with open(self.log, encoding="utf-8") as log:
                raise AssertionError(f"moto has ended:\n{log.read()[-2000:]}")
        answer = json.loads(line)
        if "code" in answer:
            raise Refused(answer["code"], answer["text"])
        return answer["ok"]

    def call(self, service, method, **arguments):
        return self.ask(call=[service, method, arguments])

    def ec2(self, method, **arguments):
        return self.call("ec2", method, **arguments)

    def faults(self, *faults):
        self.ask(faults=list(faults))

    def calls(self):
        """{call: how often} since the last time."""
        return self.ask(calls=True)

    def cli(self, *words, **options):
        """Runs the AWS CLI."""
        return run(*self.namespace.command(aws(), *words), env=self.environment(), **options)

    def run(self, *command, check=True, timeout=120, **environment):
        """Runs a program that talks to this account."""
        path = {"PATH": f"{os.path.dirname(aws())}:{os.environ['PATH']}"}
        return run(*self.namespace.command(*command), check=check, timeout=timeout,
                   env=self.environment(**{**path, **environment}))


class Function:
    """A Lambda function's code in a process of its own, as Lambda keeps it from event to event."""

    def __init__(self, account, name, haste=200, timeout=300, **environment):
        self.account, self.output = account, ""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            account.namespace.command(python(), os.path.join(HERE, "lambda_child.py"),
                                      os.path.join(SOURCES, "lambda"), f"{name}.handler"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=account.environment(LAMBDA_HASTE=str(haste), LAMBDA_TIMEOUT=str(timeout),
                                    **environment))
        account.test.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def send(self, event):
        """Begins; answer() has the outcome."""
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """(result, error, what it printed)"""
        printed = []
        for line in self.process.stdout:
            if line.startswith("@@"):
                answer = json.loads(line[2:])
                self.output = "".join(printed)
                return answer.get("result"), answer.get("error"), self.output
            printed.append(line)
        raise AssertionError(f"the function has ended: {''.join(printed)}")

    def __call__(self, event):
        self.send(event)
        return self.answer()
