# SPDX-License-Identifier: GPL-2.0-only
"""What of AWS an appliance sees, inside its network namespace: instance metadata, and CloudWatch."""

import glob
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

from lib.command import run, wait_for

METADATA, MOTO, FRONT = "169.254.169.254", ("127.0.0.1", 5000), ("127.0.0.1", 5001)
ROLE, REGION, KEY = "appliance", "eu-central-1", "metadata-key"
CREDENTIALS = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": KEY, "SecretAccessKey": "secret",
               "Token": "token", "LastUpdated": "2026-01-01T00:00:00Z",
               "Expiration": "2099-01-01T00:00:00Z"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    timeout = 30

    def log_message(self, *_):
        """Says nothing."""

    def answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


class Server:
    """Serves inside a namespace until the test ends; `handler` finds this as self.server.owner."""

    def __init__(self, test, namespace, address, handler):
        self.socket = namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen(16)
        self.http = http.server.ThreadingHTTPServer(address, handler, bind_and_activate=False)
        self.http.socket.close()
        self.http.socket, self.http.owner, self.http.daemon_threads = self.socket, self, True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        test.addCleanup(self.close)

    def close(self):
        self.http.shutdown()
        self.socket.close()


class Metadata(Server):
    """IMDSv2. `gone`: paths that it does not have."""

    class Handler(Handler):
        def do_PUT(self):
            if self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers:
                self.answer(200, b"a-token")
            else:
                self.answer(400)

        def do_GET(self):
            if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
                self.answer(401)
                return
            path = self.path.removeprefix("/latest/meta-data/")
            text = self.server.owner.pages().get(path)
            self.answer(200, text.encode()) if text is not None else self.answer(404)

    def __init__(self, test, namespace):
        namespace.ip("addr", "add", METADATA + "/32", "dev", "lo")
        self.gone, self.group = set(), "fleet one"
        super().__init__(test, namespace, (METADATA, 80), self.Handler)

    def pages(self):
        pages = {"instance-id": "i-0123456789abcdef0", "placement/region": REGION,
                 "placement/availability-zone": REGION + "a",
                 "tags/instance/aws:autoscaling:groupName": self.group,
                 "iam/security-credentials/": ROLE,
                 f"iam/security-credentials/{ROLE}": json.dumps(CREDENTIALS)}
        return {path: text for path, text in pages.items() if path not in self.gone}


class Front(Server):
    """
    Stands in front of moto. `faults`: what the next requests get instead of moto's answer: the code of
    an error, a status without a body, or "hang"; `always` takes the place of an empty list.
    """

    class Handler(Handler):
        def do_POST(self):
            owner, body = self.server.owner, self.body()
            owner.requests.append((dict(self.headers), body))
            fault = owner.faults.pop(0) if owner.faults else owner.always
            if fault == "hang":
                time.sleep(20)
            elif isinstance(fault, int):
                self.answer(fault)
            elif fault:
                self.refuse(fault, "json" in self.headers["Content-Type"])
            else:
                self.pass_on(body)

        def refuse(self, code, as_json):
            if as_json:
                text = json.dumps({"__type": code, "message": "not today"})
                self.answer(400, text.encode(), "application/x-amz-json-1.0")
                return
            text = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
                    "<Message>not today</Message></Error></ErrorResponse>")
            self.answer(400, text.encode(), "text/xml")

        def pass_on(self, body):
            with self.server.owner.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(10)
                client.connect(MOTO)
                head = [f"POST {self.path} HTTP/1.0"]
                head += [f"{name}: {value}" for name, value in self.headers.items()
                         if name.lower() != "connection"]
                client.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
                while data := client.recv(65536):
                    self.wfile.write(data)

    def __init__(self, test, namespace):
        self.namespace, self.faults, self.always, self.requests = namespace, [], None, []
        super().__init__(test, namespace, FRONT, self.Handler)


def start_moto(test, namespace):
    """moto's server; what it does not find in its own region it makes up."""
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        namespace.command("moto_server", "-H", MOTO[0], "-p", str(MOTO[1])),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end():
        process.kill()
        process.wait()

    def listens():
        with namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex(MOTO) == 0
    test.addCleanup(end)
    wait_for(listens, 60, "moto")


def open_home():
    """
    A Python below root's home, which root alone may enter, becomes everybody's: in the mount namespace of
    the tests (lib/isolation.py), the home holds nothing else.
    """
    home, kept = "/root", "/run/home"
    if os.stat(home).st_mode & 0o005:
        return
    os.makedirs(kept)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", kept)
    os.mkdir(f"{kept}/.pyenv")
    run("mount", "--bind", f"{home}/.pyenv", f"{kept}/.pyenv")
    run("mount", "--rbind", kept, home)
    run("umount", "--lazy", kept)


def own_state():
    """The directory of what was sent last: one that ends with the tests, however they end."""
    path = "/var/lib/vxlan-pipeline"
    os.makedirs(path, exist_ok=True)
    if not os.path.ismount(path):
        run("mount", "-t", "tmpfs", "tmpfs", path)
    return path


def clis():
    """{version: its command, which anybody may run} of each AWS CLI of this machine."""
    found = {}
    paths = glob.glob("/root/.pyenv/versions/*/bin/aws")
    if paths:
        open_home()
    for path in ["/usr/bin/aws", *paths]:
        if os.access(path, os.X_OK):
            found[version_of(path)] = path
    return found


def version_of(path):
    return subprocess.run([path, "--version"], capture_output=True, text=True,
                          check=True).stdout.split()[0]


def missing():
    """Why there is no CloudWatch here; None: there is one."""
    if not shutil.which("moto_server"):
        return "no moto_server, which stands in for CloudWatch"
    return None if clis() else "no AWS CLI: .ci/deps cloudwatch"


def sum_of(namespace, metric, dimension):
    """What CloudWatch has of a metric, all in all; None: nothing. moto wants no signature."""
    now = time.time()
    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + shift)) for shift in (-3600, 3600)]
    question = urllib.parse.urlencode({
        "Action": "GetMetricStatistics", "Version": "2010-08-01", "Namespace": "VxlanPipeline",
        "MetricName": metric, "Dimensions.member.1.Name": dimension[0],
        "Dimensions.member.1.Value": dimension[1], "StartTime": times[0], "EndTime": times[1],
        "Period": "86400", "Statistics.member.1": "Sum"})
    connection = http.client.HTTPConnection(*MOTO)
    connection.sock = namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.sock.settimeout(20)
    connection.sock.connect(MOTO)
    connection.request("POST", "/", question, {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{REGION}/monitoring/aws4_request, "
                         "SignedHeaders=host, Signature=0"})
    text = connection.getresponse().read().decode()
    connection.close()
    sums = [float(value) for value in re.findall(r"<Sum>([^<]*)</Sum>", text)]
    return sum(sums) if sums else None
