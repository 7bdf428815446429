# SPDX-License-Identifier: GPL-2.0-only
"""What the steps of a rollout's story share: plays under watch, and comparisons of machines."""

import collections
import contextlib
import json
import os
import time
import unittest

import fleet
import play
import wares
from fleet import CONFIG, UNIT
from lib import program
from lib.command import wait_for
from lib.watch import VERBOSE

GATE = {"vxlan_pipeline_gate_seconds": 8, "vxlan_pipeline_gate_window": 1,
        "vxlan_pipeline_tune": True}
# Everything about a machine that a run may change, in lines.
LOOK = f"""
cd /
for path in etc/vxlan-pipeline etc/apt/sources.list.d etc/yum.repos.d usr/share/keyrings \\
            etc/pki/rpm-gpg etc/apt/trusted.gpg.d usr/bin/vxlan-pipeline etc/systemd/system; do
    [ ! -e $path ] || find $path ! -name '*.keep' -printf '%p %y %m %u %s %T@\\n'
done | sort
find etc/vxlan-pipeline -type f -exec sha256sum {{}} + 2> /dev/null | sort
systemctl show {UNIT} vxlan-pipeline-tune.service -p ActiveState,UnitFileState,MainPID,NRestarts
"""
Row = collections.namedtuple("Row", "received missing late")


def change(*changes):
    """A function that gives a machine's configuration with these changes."""
    return lambda appliance: program.merge(appliance.config(), *changes)


class Story(unittest.TestCase):
    """The machines and everything about them live until the test ends."""

    FLEET = {"one": "debian12", "two": "rhel9"}

    def setUp(self):
        self.lab = fleet.Lab(self, self.FLEET).open()
        self.one, self.two = self.lab.appliances
        self.watches = [fleet.HealthWatch(self, appliance) for appliance in self.lab.appliances]
        for watch in self.watches:
            watch.start()
        self.inventory = self.write_inventory()

    def tell(self, steps):
        """Each step is a row. The story ends with a step after which the fleet cannot be healed."""
        for number, step in enumerate(steps):
            begun, failed = time.monotonic(), False
            with self.subTest(step.__doc__):
                try:
                    step()
                except AssertionError:
                    failed = True
                    raise
            if VERBOSE:
                print(f"    {time.monotonic() - begun:5.1f} s  {step.__name__}", flush=True)
            if failed and not self.healed():
                self.fail(f"not told: {', '.join(step.__name__ for step in steps[number + 1:])}")

    def healed(self):
        for appliance in self.lab.appliances:
            appliance.connect(True)
        try:
            self.play()
            self.healthy()
        except AssertionError:
            return False
        return True

    def write_inventory(self, config=None, name="inventory.yml", as_files=False, **variables):
        """
        `config`: a function of the machine; without it, the machine's own. `as_files`: in files on
        the control node, not in the inventory.
        """
        hosts = {}
        for appliance in self.lab.appliances:
            wanted = (config or change())(appliance)
            hosts[appliance.name] = {"vxlan_pipeline_config": wanted}
            if as_files:
                path = self.lab.work.file(f"{name}-{appliance.name}", program.to_yaml(wanted))
                hosts[appliance.name] = {"vxlan_pipeline_config": {},
                                         "vxlan_pipeline_config_file": path}
        return play.inventory(self.lab, name, hosts, **{**GATE, **variables})

    def begin(self, *words, book="rollout", inventory=None, collections=None, environment=None,
              **variables):
        """`collections`: a directory; the play is run outside the checkout."""
        extra = [word for name, value in variables.items() for word in (
            "-e", f"{name}={value}" if isinstance(value, str) else json.dumps({name: value}))]
        where = {"cwd": self.lab.work.path, "environment": {
            "ANSIBLE_COLLECTIONS_PATH": collections}} if collections else {
                "environment": environment}
        return play.Play(self.lab, "-i", inventory or self.inventory, play.playbook(book), *extra,
                         *words, **where)

    def play(self, *words, code=0, seconds=180, **options):
        done = self.begin(*words, **options).wait(seconds)
        if VERBOSE:
            said = [os.path.basename(word) for word in done.process.args[4:]]
            print(f"        {done.seconds:5.1f} s  {' '.join(said)[:90]}", flush=True)
        self.assertEqual(done.code, code, done.timed())
        return done

    # Packets.

    def counts(self):
        return {appliance.name: Row(*(getattr(appliance.judge.order(), name)
                                      for name in Row._fields))
                for appliance in self.lab.appliances}

    def flowing(self, *appliances):
        """Waits until packets come from these machines, or from all."""
        for appliance in appliances or self.lab.appliances:
            received = appliance.judge.order().received
            wait_for(lambda a=appliance, r=received: a.judge.order().received > r + 50, 20,
                     f"packets from {appliance.name}")

    @contextlib.contextmanager
    def no_loss(self, *appliances):
        """Every packet sent to these machines, or to all, arrives, once and in order."""
        appliances = appliances or self.lab.appliances
        self.flowing(*appliances)
        before, begun = self.counts(), time.monotonic()
        yield
        self.flowing(*appliances)
        after, seconds = self.counts(), time.monotonic() - begun
        for appliance in appliances:
            one, two = before[appliance.name], after[appliance.name]
            with self.subTest(f"no packet of {appliance.name} is lost"):
                self.assertEqual((two.missing - one.missing, two.late - one.late), (0, 0),
                                 [gap for gap in appliance.judge.order().gap])
                self.assertGreater(two.received - one.received, fleet.PPS * seconds / 2)

    @contextlib.contextmanager
    def one_at_a_time(self):
        """At most one machine at a time is not ready."""
        begun = time.monotonic()
        yield
        self.assertEqual(fleet.together(self.watches, begun), [])

    @contextlib.contextmanager
    def ready_once(self):
        """Once a machine is ready, it stays so."""
        begun = time.monotonic()
        yield
        for watch in self.watches:
            self.assertLessEqual(len(watch.not_ready(begun)), 1, watch.appliance.name)

    @contextlib.contextmanager
    def ready(self, *appliances):
        """These machines, or all, answer 200 all the time."""
        begun = time.monotonic()
        yield
        time.sleep(0.3)
        for watch in self.watches:
            if not appliances or watch.appliance in appliances:
                self.assertEqual([[moment - begun for moment in span]
                                  for span in watch.not_ready(begun)], [], watch.appliance.name)

    # Machines.

    def pids(self):
        """{machine: its daemon}"""
        return {appliance.name: appliance.main_pid() for appliance in self.lab.appliances}

    def look(self, appliance):
        return appliance.shell(LOOK).stdout.splitlines()

    @contextlib.contextmanager
    def untouched(self, appliance):
        """The machine is the same to the last file and process, ready and without a loss."""
        before = self.look(appliance)
        with self.ready(appliance), self.no_loss(appliance):
            yield
        self.assertEqual(self.look(appliance), before)

    @contextlib.contextmanager
    def put_back(self, appliance):
        """The machine is in the end what it was: files, version, units; healthy, forwarding."""
        before = self.settled(appliance)
        yield
        self.healthy(appliance)
        self.flowing(appliance)
        self.assertEqual(self.settled(appliance), before)

    @staticmethod
    def settled(appliance):
        files = {name: appliance.read(f"/etc/vxlan-pipeline/{name}") for name in
                 appliance.shell("ls -A /etc/vxlan-pipeline").stdout.split()}
        return (files, appliance.version(), appliance.pins(),
                appliance.unit(UNIT, "ActiveState", "UnitFileState"))

    def healthy(self, *appliances, version=None):
        for appliance in appliances or self.lab.appliances:
            wait_for(lambda a=appliance: a.health() == 200, 5, f"{appliance.name} to be healthy")
            self.assertEqual(appliance.unit(UNIT, "ActiveState", "UnitFileState"),
                             {"ActiveState": "active", "UnitFileState": "enabled"})
            if version:
                self.assertEqual(appliance.version(), version)

    def configured(self, config, *appliances):
        """The file of each machine says this, and so does what runs."""
        for appliance in appliances or self.lab.appliances:
            shown = appliance.run("vxlan-pipeline", "config", "show", "-c", CONFIG).stdout
            path = self.lab.work.file("wanted.yaml", json.dumps(config(appliance)))
            wanted = self.lab.control.run(program.PROGRAM, "config", "show", "-c", path).stdout
            self.assertEqual(shown, wanted)
            rules = json.loads(appliance.run("vxlan-pipeline", "stats", "--json").stdout)["rules"]
            self.assertEqual([rule["to"] for rule in rules],
                             [rule["to"] for rule in config(appliance)["nat"]])

    # What plays say.

    def unchanged(self, done):
        self.assertEqual({host: row["changed"] for host, row in done.recap().items()},
                         {appliance.name: 0 for appliance in self.lab.appliances}, done.timed())

    def one_failure(self, done, host, *named):
        """One task fails, on that machine, with one sentence that has these words in it."""
        failures = done.failures()
        self.assertEqual([failure.host for failure in failures], [host], done.timed())
        message = failures[0].message
        self.assertEqual(len(message.strip().splitlines()), 1, message)
        for word in named:
            self.assertIn(word, message)
        return message
