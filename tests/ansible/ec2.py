# SPDX-License-Identifier: GPL-2.0-only
"""
What the inventory plugin amazon.aws.aws_ec2 needs: the plugin, out of Debian's package `ansible`, and
an EC2 that knows some instances. It answers inside a network namespace, which has no way out.

    ec2.py CERTIFICATE KEY < INSTANCES     serves https://127.0.0.1, until it is killed
"""

import glob
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import unittest
import urllib.parse
import xml.sax.saxutils

FIELDS = ("instanceId", "imageId", "instanceType", "privateIpAddress", "privateDnsName", "vpcId",
          "subnetId")


def element(name, value):
    return f"<{name}>{xml.sax.saxutils.escape(str(value))}</{name}>"


def instance_xml(instance):
    """An instance: {field: value, "state": ..., "tags": {name: value}}."""
    tags = "".join("<item>" + element("key", key) + element("value", value) + "</item>"
                   for key, value in instance["tags"].items())
    return ("<item>" + "".join(element(name, instance[name]) for name in FIELDS
                               if name in instance) +
            f"<instanceState><code>16</code>{element('name', instance['state'])}</instanceState>"
            "<placement><availabilityZone>zone-a</availabilityZone></placement>"
            f"<tagSet>{tags}</tagSet></item>")


def filters(query):
    """{name: values} of the request."""
    found, number = {}, 1
    while f"Filter.{number}.Name" in query:
        name, values, place = query[f"Filter.{number}.Name"], [], 1
        while f"Filter.{number}.Value.{place}" in query:
            values.append(query[f"Filter.{number}.Value.{place}"])
            place += 1
        found[name], number = values, number + 1
    return found


def matches(instance, name, values):
    if name.startswith("tag:"):
        return instance["tags"].get(name[4:]) in values
    if name == "tag-key":
        return any(key in values for key in instance["tags"])
    if name == "instance-state-name":
        return instance["state"] in values
    raise ValueError(f"no filter {name} here")


def answer(query, instances):
    if query.get("Action") != "DescribeInstances":
        raise ValueError(f"no action {query.get('Action')} here")
    wanted = [instance for instance in instances
              if all(matches(instance, *one) for one in filters(query).items())]
    items = "".join(f"<item><reservationId>r-{number}</reservationId><ownerId>1</ownerId>"
                    f"<instancesSet>{instance_xml(instance)}</instancesSet></item>"
                    for number, instance in enumerate(wanted))
    return ('<?xml version="1.0" encoding="UTF-8"?><DescribeInstancesResponse '
            'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>'
            f"<reservationSet>{items}</reservationSet></DescribeInstancesResponse>")


class Handler(http.server.BaseHTTPRequestHandler):
    instances: list

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            status, text = 200, answer(dict(urllib.parse.parse_qsl(body)), self.instances)
        except ValueError as error:
            status, text = 400, f"<Response>{element('Error', error)}</Response>"
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def serve(certificate, key):
    Handler.instances = json.load(sys.stdin)
    server = http.server.HTTPServer(("127.0.0.1", 443), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


class Ec2:
    """`environment` has the plugin, and boto3, ask this one. `namespace` is to ask from."""

    def __init__(self, test, namespace, work, region, instances):
        from lib.command import run, wait_for

        self.host = f"ec2.{region}.amazonaws.com"
        certificate, key = (os.path.join(work.path, name) for name in ("ec2.pem", "ec2.key"))
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            f"/CN={self.host}", "-addext", f"subjectAltName=DNS:{self.host}", "-keyout", key,
            "-out", certificate)
        hosts = work.file("hosts-of-ec2", f"127.0.0.1 localhost {self.host}\n")
        run("mount", "--bind", hosts, "/etc/hosts")
        test.addCleanup(run, "umount", "-l", "/etc/hosts", check=False)
        self.environment = {
            "AWS_CA_BUNDLE": certificate, "AWS_ACCESS_KEY_ID": "test", "AWS_MAX_ATTEMPTS": "1",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
        self.server = subprocess.Popen(  # pylint: disable=consider-using-with
            namespace.command(sys.executable, os.path.abspath(__file__), certificate, key),
            stdin=subprocess.PIPE, text=True)
        test.addCleanup(self.server.wait)
        test.addCleanup(self.server.kill)
        self.server.stdin.write(json.dumps(instances))
        self.server.stdin.close()
        wait_for(lambda: namespace.run("sh", "-c", "ss -ltnH 'sport = 443'").stdout, 10,
                 "EC2 to answer")


def plugin(directory):
    """A directory of collections with amazon.aws; skips the test where it cannot be had."""
    from kernels import packages

    place = os.path.join(directory, "collections", "ansible_collections")
    if os.path.isdir(os.path.join(place, "amazon", "aws")):
        return os.path.dirname(place)
    try:
        apt = packages.Apt(directory, "bookworm")
        apt.get("update")
        apt.get("download", "ansible")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile",
                               glob.glob(os.path.join(directory, "ansible_*.deb"))[0]],
                              stdout=subprocess.PIPE) as unpacked, \
                tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive:
            for member in archive:
                parts = member.name.partition("/ansible_collections/amazon/aws/")
                if member.isfile() and parts[2].startswith(("MANIFEST", "meta/", "plugins/")):
                    member.name = f"collections/ansible_collections/amazon/aws/{parts[2]}"
                    archive.extract(member, directory)
    except packages.Unavailable as reason:
        raise unittest.SkipTest(f"the plugin amazon.aws.aws_ec2 cannot be had: {reason}") from None
    finally:
        for path in glob.glob(os.path.join(directory, "ansible_*.deb")):
            os.unlink(path)
        shutil.rmtree(os.path.join(directory, "lists"), ignore_errors=True)
    return os.path.dirname(place)


if __name__ == "__main__":
    serve(*sys.argv[1:])
