# SPDX-License-Identifier: GPL-2.0-only
"""cloudformation/aws.py: what it sends is what AWS's own library would send, and what it makes of the answers."""

import http.server
import json
import os
import subprocess
import sys
import threading
import unittest
import urllib.parse

import templates

PROGRAM = os.path.join(templates.SOURCES, "aws.py")
KEYS = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalr/K7MDENG+bPxRfiCYEXAMPLEKEY", "Token": "IQoJb3J/pZ2lu+X2Vj=="}
MAC = "02:00:00:00:00:01"
METADATA = {
    "instance-id": "i-0123456789abcdef0", "iam/security-credentials/": "appliance",
    "iam/security-credentials/appliance": json.dumps(KEYS, indent=2),
    "network/interfaces/macs/": f"02:00:00:00:00:00/\n{MAC}/",
    "network/interfaces/macs/02:00:00:00:00:00/device-number": "0", f"network/interfaces/macs/{MAC}/device-number": "1",
    f"network/interfaces/macs/{MAC}/subnet-ipv4-cidr-block": "10.0.11.0/24",
    f"network/interfaces/macs/{MAC}/local-ipv4s": "10.0.11.7\n10.0.11.8",
    "autoscaling/target-lifecycle-state": "InService"}


class Answers(http.server.BaseHTTPRequestHandler):
    """Instance metadata by IMDSv2, AWS, and the address that a stack waits at."""

    def log_message(self, *_):
        pass

    def answer(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_PUT(self):
        if self.path == "/latest/api/token":
            self.answer("TOKEN" if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else "", 200)
        else:
            self.server.signals.append((self.path, self.headers.get("Content-Type"), json.loads(self.body())))
            self.answer("")

    def do_GET(self):
        value = self.server.metadata.get(self.path.removeprefix("/latest/meta-data/"))
        if self.headers["X-aws-ec2-metadata-token"] != "TOKEN":
            self.answer("", 401)
        else:
            self.answer(value or "", 404 if value is None else 200)

    def do_POST(self):
        self.server.calls.append((dict(self.headers), self.body().decode()))
        text, status = self.server.answers.pop(0) if self.server.answers else ("{}", 200)
        self.answer(text, status)


VERIFY = """
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
for headers, body, keys, url, service in json.load(sys.stdin):
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest("POST", url, {name: headers[name] for name in signed if name != "host"}, body.encode())
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"]), service, "eu-west-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    print(headers["authorization"].endswith("Signature=" + auth.signature(text, request)))
"""


class Calls(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.server.calls, self.server.signals, self.server.answers = [], [], []
        self.server.metadata = dict(METADATA)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def run_program(self, *arguments, poll="0", patience=60):
        return subprocess.run(
            [sys.executable, PROGRAM, *arguments], text=True, capture_output=True, check=False, timeout=patience,
            env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
                 "REGION": "eu-west-1", "SUFFIX": "amazonaws.com", "STACK": "mirror", "LOGS": "/vxlan-pipeline/mirror",
                 "PARAMETER": "/mirror/configuration", "WAIT_URL": f"{self.url}/wait?Signature=a%2Fb", "POLL": poll})

    def test_metadata(self):
        rows = (("instance-id", "i-0123456789abcdef0", 0), ("nothing", "", 1))
        for path, said, status in rows:
            with self.subTest(path):
                done = self.run_program("metadata", path)
                self.assertEqual((done.stdout.strip(), bool(done.returncode)), (said, bool(status)))
                self.assertNotIn("Traceback", done.stderr)

    def test_interface(self):
        """The one with device index 1: its MAC, its address with the subnet's length, the subnet's router."""
        self.assertEqual(self.run_program("interface", "1").stdout, f"{MAC} 10.0.11.7/24 10.0.11.1\n")
        done = self.run_program("interface", "2")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "no network interface with device index 2")

    def test_signatures(self):
        """Of each service, with a text that is not ASCII, as botocore makes them."""
        self.server.answers = [(json.dumps({"Parameter": {"Value": "a: ü\n", "Version": 7}}), 200)]
        self.run_program("parameter", "/mirror/configuration", os.devnull)
        self.run_program("say", "ü & <x>")
        self.run_program("complete", "ready", "CONTINUE")
        self.run_program("signal", "SUCCESS", "good")
        services = ["ssm", "logs", "logs", "autoscaling", "cloudformation"]
        self.assertEqual(len(self.server.calls), len(services))
        calls = [({name.lower(): value for name, value in headers.items()}, body, KEYS, self.url + "/", service)
                 for (headers, body), service in zip(self.server.calls, services)]
        done = subprocess.run([templates.python_with("botocore"), "-c", VERIFY], input=json.dumps(calls), text=True,
                              capture_output=True, check=True, timeout=60)
        self.assertEqual(done.stdout.split(), ["True"] * len(services))

    def test_what_is_said(self):
        self.run_program("say", "abandoned: why")
        self.run_program("complete", "drain", "CONTINUE")
        self.run_program("signal", "FAILURE", "why")
        (_, stream), (_, line), (_, action), (_, signal) = self.server.calls
        where = {"logGroupName": "/vxlan-pipeline/mirror", "logStreamName": "i-0123456789abcdef0"}
        self.assertEqual(json.loads(stream), where)
        self.assertEqual(json.loads(line)["logEvents"][0]["message"], "abandoned: why")
        self.assertEqual(dict(urllib.parse.parse_qsl(action)), {
            "Action": "CompleteLifecycleAction", "Version": "2011-01-01", "AutoScalingGroupName": "mirror",
            "LifecycleHookName": "drain", "InstanceId": "i-0123456789abcdef0", "LifecycleActionResult": "CONTINUE"})
        self.assertEqual(dict(urllib.parse.parse_qsl(signal))["Status"], "FAILURE")
        # An address that S3 has signed takes no type of content.
        self.assertEqual(self.server.signals, [("/wait?Signature=a%2Fb", "", {
            "Status": "FAILURE", "Reason": "why", "UniqueId": "i-0123456789abcdef0", "Data": "i-0123456789abcdef0"})])

    def test_failures(self):
        """What is throttled is tried again; what is refused is said, once."""
        throttled = ("<Code>Throttling</Code>", 400)
        rows = (("throttled once", [throttled], 2, True, ""), ("out of order", [("", 503)], 2, True, ""),
                ("no right", [("<Code>AccessDenied</Code> not authorized", 403)], 1, False, "AccessDenied"),
                ("too late", [("<Code>ValidationError</Code> No active Lifecycle Action", 400)], 1, False, "No active"))
        for what, answers, calls, good, said in rows:
            with self.subTest(what):
                self.server.answers, self.server.calls = list(answers), []
                done = self.run_program("complete", "ready", "CONTINUE")
                self.assertEqual((len(self.server.calls), not done.returncode), (calls, good), done.stderr)
                self.assertIn(said, done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_a_log_stream_that_is_there(self):
        self.server.answers = [('{"__type": "ResourceAlreadyExistsException"}', 400)]
        self.assertEqual(self.run_program("say", "x").returncode, 0)
        self.assertEqual(len(self.server.calls), 2)

    def test_wait(self):
        """Ends for the group's decision, and for another version; not for one that is in force, nor for a failure."""
        version = (json.dumps({"Parameter": {"Value": "x", "Version": 3}}), 200)
        rows = (("another version", "2", [version], "InService", "configure"),
                ("taken out", "3", [], "Terminated", "leave"),
                ("refused, then another", "2", [("AccessDenied", 403), version], "InService", "configure"))
        for what, known, answers, state, said in rows:
            with self.subTest(what):
                self.server.answers, self.server.metadata["autoscaling/target-lifecycle-state"] = answers, state
                self.assertEqual(self.run_program("wait", known).stdout.strip(), said)
        self.server.answers = [version] * 99
        with self.subTest("in force"), self.assertRaises(subprocess.TimeoutExpired):
            self.server.metadata["autoscaling/target-lifecycle-state"] = "InService"
            self.run_program("wait", "3", patience=7)
