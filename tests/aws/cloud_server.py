# SPDX-License-Identifier: GPL-2.0-only
"""
An AWS account on this machine: moto, with what it lacks (cloud_*.py).

    cloud_server.py PORT SOCKET

Serves AWS's APIs at PORT, and questions of a test at a Unix socket, so that the test reaches
it from any network namespace: a JSON line in, a JSON line out.

    {"call": [SERVICE, METHOD, {...}]}   calls AWS; {"ok": answer} or {"code": ..., "text": ...}
    {"faults": [{...}]}                  from now on calls fail: see Faults
    {"calls": true}                      {call: how often} since the last such question
    {"reset": true}                      an empty account, and no faults
    {"ask": [MODULE, FUNCTION, ...]}     a function of one of these modules
"""

import collections
import importlib
import importlib.util
import io
import json
import os
import random
import socketserver
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

MODULES = ("cloud_mirroring", "cloud_stack", "cloud_scaling", "cloud_lambda")
ANSWERS = ("/wait/", "/answer/")  # where wait conditions and custom resources are answered
ERROR = ("<Response><Errors><Error><Code>{0}</Code><Message>{1}</Message></Error></Errors>"
         "<RequestID>0</RequestID></Response>")


class Faults:
    """
    Makes calls of EC2 and its kin fail. A fault: {"action": NAME, "share": 0..1, "code": CODE,
    "text": ..., "status": 503, "times": N, "skip": N, "done": true}; `done`: only the answer is lost;
    `skip`: how many calls go well before.
    """

    def __init__(self, application, seed):
        self.application, self.random, self.lock = application, random.Random(seed), threading.Lock()
        self.faults, self.calls = [], collections.Counter()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].startswith(ANSWERS):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            sys.modules["cloud_lambda"].receive(environ["PATH_INFO"],
                                                environ["wsgi.input"].read(length))
            start_response("200 OK", [])
            return [b""]
        action = self.action(environ)
        with self.lock:
            self.calls[action] += 1
            fault = next((one for one in self.faults if self.strikes(one, action)), None)
        if fault is None:
            return self.application(environ, start_response)
        if fault.get("done"):
            b"".join(self.application(environ, lambda *_: None))
        start_response(f"{fault.get('status', 503)} Fault", [("Content-Type", "text/xml")])
        return [ERROR.format(fault["code"], escape(fault.get("text", "a fault of the test"))).encode()]

    def strikes(self, fault, action):
        if fault["action"] not in (action, "*") or not action or fault.get("times", 1) <= 0:
            return False
        if fault.get("skip", 0) > 0:
            fault["skip"] -= 1
            return False
        if self.random.random() >= fault.get("share", 1):
            return False
        if "times" in fault:
            fault["times"] -= 1
        return True

    @staticmethod
    def action(environ):
        """The Action of a call of the query protocol; others have none."""
        if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            return ""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return dict(urllib.parse.parse_qsl(body.decode())).get("Action", "")


class Control(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            try:
                answer = self.answer(**json.loads(line))
            except Exception as error:  # pylint: disable=broad-exception-caught
                answer = {"code": type(error).__name__, "text": str(error)}
            self.wfile.write((json.dumps(answer, default=str) + "\n").encode())

    def answer(self, call=None, faults=None, calls=None, ask=None, reset=False):
        server = self.server
        if reset:
            moto_api_backend.reset()
            for name in MODULES:
                getattr(sys.modules.get(name), "reset", lambda: None)()
            server.faults.faults, server.faults.calls = [], collections.Counter()
        if call:
            service, method, arguments = call
            try:
                answer = getattr(server.client(service), method)(**arguments)
            except ClientError as error:
                return {"code": error.response["Error"]["Code"], "text": str(error)}
            answer.pop("ResponseMetadata", None)
            if hasattr(answer.get("Payload"), "read"):
                answer["Payload"] = answer["Payload"].read().decode()
            return {"ok": answer}
        if faults is not None:
            server.faults.faults = faults
        if calls:
            counted, server.faults.calls = server.faults.calls, collections.Counter()
            return {"ok": counted}
        if ask:
            module, function, *arguments = ask
            return {"ok": getattr(importlib.import_module(module), function)(*arguments)}
        return {"ok": None}


class ControlServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path, faults):
        super().__init__(path, Control)
        self.faults, self.clients, self.lock = faults, {}, threading.Lock()

    def client(self, service):
        with self.lock:
            if service not in self.clients:
                self.clients[service] = boto3.client(
                    service, config=Config(max_pool_connections=32,
                                           retries={"total_max_attempts": 1},
                                           read_timeout=600))
            return self.clients[service]


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


def main(port, path):
    os.environ["MOTO_PORT"] = port
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    for name in MODULES:
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    faults = Faults(DomainDispatcherApplication(create_backend_app),
                    int(os.environ.get("CLOUD_SEED", "1")))
    control = ControlServer(path, faults)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    run_simple("0.0.0.0", int(port), faults, threaded=True, request_handler=Quiet)


if __name__ == "__main__":
    main(*sys.argv[1:])
