# SPDX-License-Identifier: GPL-2.0-only
"""
Runs command lines as a reader of the README would, one after the other, on a machine that has
ens5, ens6 and a configuration file: run() does so from a test. What it starts in fresh mount, PID
and network namespaces is

    session.py DIRECTORY

DIRECTORY holds config.yaml and is where the commands run; `make` runs where the sources are. It
reads a JSON list of command lines and answers with a JSON list of {command, status, output}.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

UNSHARE = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# Commands that go on until they are told to stop.
SERVICE = re.compile(r"vxlan-pipeline run\b(?!.*(-d|--duration|--dump-stats))")
WATCH = re.compile(r"vxlan-pipeline monitor\b")
# What runs these tests cannot be run by them; that the target exists is all that is looked at.
ITSELF = re.compile(r"make test\b")


def run(directory, commands):
    """The results of the commands, and those of the daemons' ends, from namespaces of their own."""
    result = subprocess.run(
        [*UNSHARE, sys.executable, os.path.abspath(__file__), directory],
        input=json.dumps(commands), capture_output=True, text=True, timeout=400, check=False)
    if result.returncode:
        raise AssertionError(f"the session failed:\n{result.stdout}{result.stderr}")
    return json.loads(result.stdout)


def sh(command):
    subprocess.run(command, shell=True, check=True)


def prepare(directory):
    """
    A machine of our own: /etc, /run, bpffs and two interfaces, gone with the namespaces. All
    collectors are behind a router at ens6.
    """
    sh("mount -t tmpfs tmpfs /run && mount -t bpf bpf /sys/fs/bpf && mkdir /run/etc"
       " && cp -a /etc/. /run/etc && mount --bind /run/etc /etc")
    os.makedirs("/etc/vxlan-pipeline", exist_ok=True)
    shutil.copy(os.path.join(directory, "config.yaml"), "/etc/vxlan-pipeline/config.yaml")
    sh("ip link set lo up")
    for name in ("ens5", "ens6"):
        sh(f"ip link add {name} type veth peer name {name}-peer"
           f" && ethtool -K {name}-peer gro on"
           f" && ip link set {name}-peer up && ip link set {name} up")
    sh("ip addr add 192.0.2.2/24 dev ens6 && ip route add default via 192.0.2.1 && ip neigh add"
       " 192.0.2.1 lladdr 02:00:00:00:00:01 dev ens6 nud permanent")


class Session:
    def __init__(self, directory):
        self.directory = directory
        self.services = []
        os.environ["PATH"] = os.path.join(ROOT, "build") + ":" + os.environ["PATH"]

    def start(self, command, output):
        cwd = ROOT if command.startswith("make") else self.directory
        return subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=cwd,
                                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                text=True)

    def log(self, number):
        return os.path.join(self.directory, f"output.{number}")

    def serve(self, command, path):
        """Starts a daemon, and goes on once the instance runs."""
        with open(path, "w", encoding="utf-8") as output:
            process = self.start(command, output)
        self.services.append((command, process, path))
        for _ in range(200):
            status = subprocess.run(["vxlan-pipeline", "status", "--json"], capture_output=True,
                                    text=True, check=False)
            if process.poll() is not None or '"running"' in status.stdout:
                break
            time.sleep(0.05)
        return process.poll() or 0

    def watch(self, command, path):
        """Lets a command that goes on for ever write two lines, then interrupts it."""
        with open(path, "w", encoding="utf-8") as output:
            process = self.start(command, output)
        for _ in range(200):
            with open(path, encoding="utf-8") as file:
                if process.poll() is not None or file.read().count("\n") >= 2:
                    break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        status = process.wait(10)
        return 0 if status == -signal.SIGINT else status

    def run(self, number, command):
        path = self.log(number)
        if ITSELF.search(command):
            command = command.replace("make", "make -n", 1)
        if SERVICE.search(command):
            status = self.serve(command, path)
        elif WATCH.search(command):
            status = self.watch(command, path)
        else:
            with open(path, "w", encoding="utf-8") as output:
                status = self.start(command, output).wait(300)
        with open(path, encoding="utf-8") as file:
            return {"command": command, "status": status, "output": file.read()}

    def finish(self):
        """The daemons have to be gone by now, or to go when they are asked to."""
        for command, process, path in self.services:
            process.terminate()
            status = process.wait(10)
            with open(path, encoding="utf-8") as file:
                yield {"command": f"{command} (its end)", "status": status, "output": file.read()}


def main():
    directory, = sys.argv[1:]
    commands = json.load(sys.stdin)
    prepare(directory)
    session = Session(directory)
    results = [session.run(number, command) for number, command in enumerate(commands)]
    results += session.finish()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
