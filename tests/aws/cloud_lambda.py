# SPDX-License-Identifier: GPL-2.0-only
"""Lambda functions as child processes, EventBridge's rules, and custom resources of stacks."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import boto3

import cloud_models

CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lambda_child.py")
URL = os.environ.get("CLOUD_URL", "http://127.0.0.1:5000")  # of this server, for everybody
functions: dict = {}
rules: dict = {}
answers: dict = {}   # {path: what was put there}, of custom resources and wait conditions
said: list = []      # (function, line)
put = threading.Condition()


def reset():
    for each in (functions, rules, answers, said):
        each.clear()


def client(service):
    return boto3.client(service)


def receive(path, body):
    """Somebody has put an answer to one of the paths that were made up here."""
    with put:
        answers.setdefault(path, []).append(json.loads(body))
        put.notify_all()


def wait(path, enough, seconds):
    """Waits until `enough` (what was put) is true; returns what was put."""
    with put:
        put.wait_for(lambda: enough(answers.get(path, [])), seconds)
        return list(answers.get(path, []))


# Functions.

def create_function(properties, account, region, name):
    directory = tempfile.mkdtemp(prefix="function-", dir=os.environ.get("CLOUD_WORK"))
    functions[name] = {"directory": directory}
    update_function(name, properties, account, region)
    return name


def update_function(name, properties, _, region):
    with open(os.path.join(functions[name]["directory"], "index.py"), "w",
              encoding="utf-8") as stream:
        stream.write(properties["Code"]["ZipFile"])
    functions[name].update(
        handler=properties["Handler"], timeout=properties.get("Timeout", 3), region=region,
        environment=properties.get("Environment", {}).get("Variables", {}),
        log=properties.get("LoggingConfig", {}).get("LogGroup"))


def invoke(name, event):
    """(result, error); what the function says is kept in its log group."""
    function = functions[name.rsplit(":", 1)[-1]]
    environment = {**os.environ, "AWS_LAMBDA_FUNCTION_NAME": name,
                   **{key: str(value) for key, value in function["environment"].items()}}
    with subprocess.Popen([sys.executable, CHILD, function["directory"], function["handler"]],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**environment, "LAMBDA_TIMEOUT": str(function["timeout"])},
                          text=True) as child:
        output, _ = child.communicate(json.dumps(event) + "\n", timeout=function["timeout"])
    printed, _, answer = output.rpartition("@@")
    said.extend((name, line) for line in printed.splitlines())
    answer = json.loads(answer or '{"error": "no answer"}')
    return answer.get("result"), answer.get("error")


# Rules.

def matches(pattern, event):
    for key, wanted in pattern.items():
        if key not in event:
            return False
        if isinstance(wanted, dict):
            if not isinstance(event[key], dict) or not matches(wanted, event[key]):
                return False
        elif event[key] not in wanted:
            return False
    return True


def emit(source, kind, detail):
    """An event on the account's bus."""
    event = {"version": "0", "id": str(uuid.uuid4()), "source": source, "detail-type": kind,
             "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "detail": detail}
    for rule in list(rules.values()):
        if "EventPattern" in rule and matches(rule["EventPattern"], event):
            for target in rule["Targets"]:
                threading.Thread(target=invoke, args=(target["Arn"], event), daemon=True).start()


def tick(name):
    """The time of a rule with a schedule has come; returns the answers."""
    return [invoke(target["Arn"], {"source": "aws.events", "detail-type": "Scheduled Event",
                                   "detail": {}}) for target in rules[name]["Targets"]]


def create_rule(properties, _account, _region, name):
    rules[name] = properties
    return name


# Resources.

def arn(name, _, account, region):
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


def ask(properties, kind, stack_id, logical):
    """A custom resource: its function answers by a web request. Returns why it failed, or None."""
    path = f"/answer/{uuid.uuid4()}"
    invoke(properties["ServiceToken"], {
        "RequestType": kind, "ResponseURL": URL + path, "StackId": stack_id,
        "RequestId": "1", "LogicalResourceId": logical, "ResourceProperties": properties})
    found = wait(path, bool, 5)
    if not found:
        return f"{logical}: the function did not answer"
    return found[0]["Reason"] if found[0]["Status"] != "SUCCESS" else None


def create_handle(*_):
    return f"{URL}/wait/{uuid.uuid4()}"


def failed(signals):
    return next((one["Reason"] for one in signals if one["Status"] != "SUCCESS"), None)


def create_condition(properties, _account, _region, name):
    path, count = properties["Handle"].removeprefix(URL), int(properties["Count"])

    def enough(signals):
        good = {one["UniqueId"] for one in signals if one["Status"] == "SUCCESS"}
        return failed(signals) or len(good) >= count

    signals = wait(path, enough, int(properties["Timeout"]))
    reason = failed(signals)
    if reason or not enough(signals):
        raise RuntimeError(f"WaitCondition received failed message: '{reason}'" if reason else
                           f"WaitCondition timed out. Received {len(signals)} of {count} signals")
    return name


cloud_models.add("AWS::Lambda::Function", create_function,
                 lambda name, *_: functions.pop(name, None), update_function, arn)
cloud_models.add("AWS::Events::Rule", create_rule, lambda name, *_: rules.pop(name, None),
                 lambda name, properties, *_: rules.__setitem__(name, properties))
cloud_models.add("AWS::CloudFormation::WaitConditionHandle", create_handle)
cloud_models.add("AWS::CloudFormation::WaitCondition", create_condition,
                 update=lambda *_: None)


def get_said():
    return said
