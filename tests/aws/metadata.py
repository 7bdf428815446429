# SPDX-License-Identifier: GPL-2.0-only
"""
The instance metadata service, version 2 only: an instance is known by the address that it asks from.
Version 1, a missing or a wrong token are refused as AWS refuses them.
"""

import http.server
import json
import secrets
import threading

ADDRESS, PORT = "169.254.169.254", 80
ROLE = "appliance"


def tree_of(instance):
    """{path: text} of an instance of cloud_scaling.snapshot()."""
    macs = "network/interfaces/macs/"
    tree = {
        "instance-id": instance["id"],
        "placement/availability-zone": instance["zone"],
        "autoscaling/target-lifecycle-state": instance["target_state"],
        "iam/security-credentials/": ROLE,
        f"iam/security-credentials/{ROLE}": json.dumps({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIATWIN",
            "SecretAccessKey": "twin", "Token": "twin"}),
        macs: "\n".join(one["mac"] + "/" for one in instance["interfaces"])}
    for one in instance["interfaces"]:
        tree[f"{macs}{one['mac']}/device-number"] = str(one["index"])
        tree[f"{macs}{one['mac']}/subnet-ipv4-cidr-block"] = one["block"]
        tree[f"{macs}{one['mac']}/local-ipv4s"] = one["address"]
        tree[f"{macs}{one['mac']}/interface-id"] = one["id"]
    return tree


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            self.answer(400)
            return
        token = secrets.token_urlsafe(16)
        self.server.tokens[token] = self.client_address[0]
        self.answer(200, token)

    def do_GET(self):  # pylint: disable=invalid-name
        token = self.headers.get("X-aws-ec2-metadata-token")
        if self.server.tokens.get(token) != self.client_address[0]:
            self.server.refused += 1
            self.answer(401)
            return
        instance = self.server.find(self.client_address[0])
        if self.path == "/latest/user-data" and instance:
            self.answer(200, instance["user_data"])
            return
        text = tree_of(instance).get(self.path.removeprefix("/latest/meta-data/")) if instance else None
        self.answer(200 if text is not None else 404, text or "")


class Service:
    """`find`: the instance that has an address, or None."""

    def __init__(self, test, namespace, find):
        with namespace.entered():
            self.server = http.server.ThreadingHTTPServer((ADDRESS, PORT), Handler)
        self.server.daemon_threads = True
        self.server.find, self.server.tokens, self.server.refused = find, {}, 0
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(thread.join)
        test.addCleanup(self.server.shutdown)
