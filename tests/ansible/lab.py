#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
A fleet to try playbooks on by hand, the same as the tests have: two machines, a repository and
traffic, all of it on this machine.

  tests/ansible/lab.py up [NAME=DISTRIBUTION...]   makes it; removes it when it is interrupted
  tests/ansible/lab.py down                        removes it
  tests/ansible/lab.py run COMMAND...              runs a command on the control node of that lab
  tests/ansible/lab.py publish VERSION             adds a version to the repository: later | unfit
  tests/ansible/lab.py on NAME COMMAND...          runs a command on a machine, as root
  tests/ansible/lab.py watch SECONDS               prints health, packets and losses once a second

The default is one=debian12 two=rhel9. `up` prints the inventory, and ends with the shell that
started it. Needs root, and what `make all build/endurance/judge.bpf.o` builds.
"""

import os
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)] + [
    os.path.join(os.path.dirname(HERE), name) for name in ("system", "endurance")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from lib import isolation, program  # noqa: E402

FILE = os.path.join(program.ROOT, "build", "ansible-lab")
VERBS = ("publish", "on", "watch")
# Sends words to the lab's process, with a NUL between each two, and prints its answer.
ASK = r"""
asked=$1 answered=$2 word=$3
shift 3
{ printf %s "$word"; [ $# = 0 ] || printf '\0%s' "$@"; } > "$asked"
cat "$answered"
"""


def up(words):
    import fleet
    import play

    names = dict(word.split("=", 1) for word in words) or {"one": "debian12", "two": "rhel9"}
    test = unittest.TestCase()
    try:
        lab = fleet.Lab(test, names).open()
        print(f"inventory: {play.inventory(lab)}\nrepository: {lab.repository.web}\n"
              "ready", flush=True)
        serve(lab)
    except (KeyboardInterrupt, SystemExit):
        print("going", flush=True)
    finally:
        test.doCleanups()


def serve(lab):
    """Does what `lab.py VERB` asks for through the FIFO, until that is `down`."""
    import wares

    asked, answered = (os.path.join(lab.work.path, name) for name in ("asked", "answered"))
    for path in (asked, answered):
        os.mkfifo(path)
    with open(FILE, "a", encoding="utf-8") as stream:
        stream.write(f"\n{lab.control.path}\n{asked}\n{answered}")
    while True:
        with open(asked, encoding="utf-8") as stream:
            words = stream.read().split("\0")
        with open(answered, "w", encoding="utf-8") as stream:
            try:
                if words[0] == "down":
                    return
                if words[0] == "publish":
                    lab.repository.publish(
                        {"later": wares.LATER, "unfit": wares.BROKEN}.get(words[1], words[1]))
                elif words[0] == "on":
                    result = lab[words[1]].run(*words[2:], check=False)
                    stream.write(result.stdout + result.stderr)
                elif words[0] == "watch":
                    watch(lab, float(words[1]), stream)
            except Exception as error:  # pylint: disable=broad-except
                stream.write(f"{type(error).__name__}: {error}\n")


def watch(lab, seconds, stream):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for appliance in lab.appliances:
            order = appliance.judge.order()
            stream.write(f"{appliance.name}: {appliance.health()}, {order.received} packets, "
                         f"{order.missing} missing, {order.late} late\n")
        stream.flush()
        time.sleep(1)


def running():
    """The lines that `up` has left: its process, the control node, the FIFOs."""
    try:
        with open(FILE, encoding="utf-8") as stream:
            lines = stream.read().split("\n")
        if len(lines) < 4 or not os.path.exists(f"/proc/{lines[0]}"):
            raise FileNotFoundError
    except FileNotFoundError:
        sys.exit("lab: no lab is up, or not yet: tests/ansible/lab.py up")
    for _ in range(2):  # setpriv has become unshare, whose child is sh, whose child is Python
        with open(f"/proc/{lines[0]}/task/{lines[0]}/children", encoding="ascii") as stream:
            lines[0] = (stream.read().split() or [lines[0]])[0]
    return lines


def inside(pid, script, *words):
    return ["nsenter", f"--target={pid}", "--mount", "--pid", f"--wdns={os.getcwd()}", "sh", "-c",
            script, "sh", *words]


def main():
    verb, words = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if verb == "up":
        if os.getpid() != 1 and not os.environ.get("TESTS_ISOLATED"):
            os.makedirs(os.path.dirname(FILE), exist_ok=True)
            with open(FILE, "w", encoding="ascii") as stream:
                stream.write(str(os.getpid()))
        isolation.isolate()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        up(words)
        return 0
    if verb == "run" and words:
        pid, control, _, _ = running()
        os.environ.update(ANSIBLE_HOME="/run/ansible", ANSIBLE_SSH_CONTROL_PATH_DIR="/run/ansible/cp",
                          LC_ALL="C.UTF-8")
        os.execvp("nsenter", inside(pid, f'exec nsenter --net={control} "$@"', *words))
    if verb == "down" or verb in VERBS and words:
        pid, _, asked, answered = running()
        return subprocess.run(inside(pid, ASK, asked, answered, verb, *words),
                              check=False).returncode
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
