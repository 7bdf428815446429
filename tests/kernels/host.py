# SPDX-License-Identifier: GPL-2.0-only
"""`check` and `tune` on virtio-net, whose MTU, channels and ring can be set, unlike veth's."""

import json

from lib.program import to_yaml

NAME = "check and tune, applied and put back"
CONFIG = {"listen": {"interface": "eth0"}, "forward": {"interface": "eth1", "mtu": 1500},
          "nat": [{"match": {"source_port": 1000}, "to": "192.0.2.9:8081"}]}
FILES = {"/host/config.yaml": to_yaml(CONFIG).encode()}

# What the guest makes wrong, as check names it, and what has to be right when tune has run.
TUNED = {"channels", "rx_ring", "xdp_mtu", "forwarding", "send_redirects"}


def _found(text):
    return {item["check"] for item in json.loads(text)["findings"] if item["status"] != "ok"}


def _settings(text):
    return {item["setting"]: item for item in json.loads(text)["settings"]}


def judge(results, kernel):
    """What is not as it should be, as a list of lines; `kernel`: "6.1.0-50-cloud-amd64"."""
    version = tuple(int(number) for number in kernel.split(".")[:2])
    def read(name):
        return results.get(f"host/{name}", b"").decode(errors="replace")

    statuses = read("statuses").split()
    # the first check fails: two channels and one CPU are what virtio_net crashes with
    if statuses != ["1"] + ["0"] * 5:
        return [f"exit statuses {statuses}:"] + read("log").splitlines()[-12:]
    before, tuned, after = read("before"), read("tuned"), read("after")
    problems, found, done = [], _found(read("check.json")), _settings(read("tune.json"))
    # virtio_net changes its ring from 6.1 on, and says from 6.3 on that any MTU will do
    wrong = TUNED - ({"rx_ring"} if version < (6, 1) else set()) - \
        ({"xdp_mtu"} if version >= (6, 3) else set())
    if found & TUNED != wrong:
        problems.append(f"check finds {sorted(found)}, which should have {sorted(wrong)}")
    if _found(read("checked.json")) & TUNED:
        problems.append(f"still found after tune: {sorted(_found(read('checked.json')) & TUNED)}")
    changed = {name for name, item in done.items() if item["outcome"] == "changed"}
    wanted = {"eth0 channels"} | ({"eth0 rx-ring"} if "rx_ring" in wrong else set()) | \
        ({"eth0 mtu", "eth1 mtu"} if "xdp_mtu" in wrong else set())
    if {name for name in changed if name.startswith("eth")} != wanted:
        problems.append(f"tune changed {sorted(changed)}, not {sorted(wanted)}")
    if changed != set(done):
        problems.append(f"not changed: {sorted(set(done) - changed)}")
    if any(item["outcome"] == "changed" for item in _settings(read("again.json")).values()):
        problems.append("the second tune changed something")
    if "native" not in read("log"):
        problems += ["not attached in native mode:"] + read("log").splitlines()[-12:]
    back = _settings(read("revert.json"))
    if set(back) != changed or {item["note"] for item in back.values()} != {"as before"}:
        problems.append(f"revert: {read('revert.json')}")
    if before == tuned or before != after:
        problems += ["before:", before, "tuned:", tuned, "after:", after]
    return problems
