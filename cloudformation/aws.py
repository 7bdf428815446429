#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What an appliance asks and tells AWS, with Python's own library: Debian's and Ubuntu's images have no AWS CLI.

user_data.sh writes it to the appliance. Its settings come from the environment; AWS_ENDPOINT_URL and
AWS_EC2_METADATA_SERVICE_ENDPOINT mean what they mean to AWS's own programs.
"""
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ENV = os.environ
METADATA = ENV.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
REGION = ENV.get("REGION", "")
JSON = {"ssm": "AmazonSSM", "logs": "Logs_20140328"}
QUERY = {"autoscaling": "2011-01-01", "cloudformation": "2010-05-15"}
TRANSIENT = ("Throttl", "RequestLimit", "TooManyRequests", "ServiceUnavailable", "InternalFailure")


def http(url, data=None, headers=None, method=None, timeout=10):
    request = urllib.request.Request(url, data, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read().decode()


def metadata(path):
    """Instance metadata, by IMDSv2 only."""
    token = http(f"{METADATA}/latest/api/token", method="PUT", timeout=5,
                 headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    return http(f"{METADATA}/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}, timeout=5)


def sign(service, url, body, headers):
    """Adds to the headers what makes it a request of the instance's role: Signature Version 4."""
    now = datetime.datetime.now(datetime.timezone.utc)
    role = metadata("iam/security-credentials/").split()[0]
    keys = json.loads(metadata(f"iam/security-credentials/{role}"))
    day, at = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    headers |= {"host": urllib.parse.urlsplit(url).netloc, "x-amz-date": at, "x-amz-security-token": keys["Token"]}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{REGION}/{service}/aws4_request"
    key = ("AWS4" + keys["SecretAccessKey"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")


def call(service, action, **arguments):
    """Calls AWS; again when it is throttled or out of order, five times in half a minute."""
    url = ENV.get("AWS_ENDPOINT_URL") or f"https://{service}.{REGION}.{ENV['SUFFIX']}"
    if service in JSON:
        body = json.dumps(arguments).encode()
        kind = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{JSON[service]}.{action}"}
    else:
        body = urllib.parse.urlencode({"Action": action, "Version": QUERY[service], **arguments}).encode()
        kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    for pause in (1, 2, 4, 8, 16, None):
        headers = dict(kind)
        sign(service, url, body, headers)
        try:
            return http(url.rstrip("/") + "/", body, headers, "POST", 30)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            transient = error.code >= 500 or any(word in said for word in TRANSIENT)
            why = f"{action}: {error.code} {' '.join(said.split())[:300]}"
        except OSError as error:
            transient, why = True, f"{action}: {error}"
        if pause is None or not transient:
            raise OSError(why)
        time.sleep(pause)


def interface(index):
    """MAC, address with prefix length, and gateway of the network interface with this device index."""
    for mac in metadata("network/interfaces/macs/").split():
        mac = mac.rstrip("/")
        about = f"network/interfaces/macs/{mac}/"
        if metadata(about + "device-number").strip() == index:
            network = ipaddress.ip_network(metadata(about + "subnet-ipv4-cidr-block").strip())
            address = metadata(about + "local-ipv4s").split()[0]
            return f"{mac} {address}/{network.prefixlen} {network[1]}"
    raise OSError(f"no network interface with device index {index}")


def read(name):
    return json.loads(call("ssm", "GetParameter", Name=name))["Parameter"]


def parameter(name, file):
    """Writes the parameter's value to the file, and prints its version."""
    found = read(name)
    with open(file, "w", encoding="utf-8") as out:
        out.write(found["Value"].rstrip("\n") + "\n")
    return str(found["Version"])


def complete(hook, result):
    call("autoscaling", "CompleteLifecycleAction", AutoScalingGroupName=ENV["STACK"], LifecycleHookName=hook,
         InstanceId=metadata("instance-id"), LifecycleActionResult=result)


def say(text):
    """A line in the stack's log group, in a stream of the instance."""
    where = {"logGroupName": ENV["LOGS"], "logStreamName": metadata("instance-id")}
    try:
        call("logs", "CreateLogStream", **where)
    except OSError as error:
        if "ResourceAlreadyExists" not in str(error):
            raise
    call("logs", "PutLogEvents", **where, logEvents=[{"timestamp": int(time.time() * 1000), "message": text}])


def signal(status, reason):
    """Tells the stack whether this instance is good: with the reason, by the address that lasts for the stack's first
    day, and without, as a rolling update waits for it. Nobody waits for an instance that comes by itself."""
    instance, problems = metadata("instance-id"), []
    body = {"Status": status, "Reason": reason, "UniqueId": instance, "Data": instance}
    try:
        http(ENV["WAIT_URL"], json.dumps(body).encode(), {"Content-Type": ""}, "PUT", 30)
    except OSError as error:
        problems.append(error)
    try:
        call("cloudformation", "SignalResource", StackName=ENV["STACK"], LogicalResourceId="Group",
             UniqueId=instance, Status=status)
    except OSError as error:
        problems.append(error)
    if len(problems) == 2:
        return f"nobody waits for the signal: {problems[0]}; {problems[1]}"


def wait(version):
    """Returns when the group takes the instance out, or when there is another version of the configuration."""
    asked = time.monotonic()
    while True:
        try:
            if metadata("autoscaling/target-lifecycle-state").strip() == "Terminated":
                return "leave"
            if time.monotonic() >= asked + int(ENV["POLL"]):
                asked = time.monotonic()
                if str(read(ENV["PARAMETER"])["Version"]) != version:
                    return "configure"
        except (OSError, ValueError, KeyError) as error:
            print(f"vxlan-pipeline-aws: {error}", file=sys.stderr)
        time.sleep(5)


COMMANDS = {f.__name__: f for f in (metadata, interface, parameter, complete, say, signal, wait)}

if __name__ == "__main__":
    try:
        print(COMMANDS[sys.argv[1]](*sys.argv[2:]) or "")
    except (OSError, ValueError, KeyError) as problem:
        sys.exit(f"vxlan-pipeline-aws: {sys.argv[1]}: {problem}")
