# SPDX-License-Identifier: GPL-2.0-only
"""The life of a fleet under traffic: rolled out, upgraded, broken in every way, healed, removed."""

import json
import os
import shutil
import time

import test_collection
import wares
from fleet import UNIT
from lib import program
from lib.command import run, wait_for
from lib.watch import TOLD_WITHIN
from story import Story, change

own = change()
SECOND = {"listen": {"interface": "ens7"}, "forward": {"interface": "ens6"},
          "nat": [{"match": {"source_port": 7}, "to": "10.20.{{ number }}.2"}],
          "http": {"listen": "off"}}
FURTHER = change({"inner": {"clear_df_above": 1300}, "log": {"level": "debug"}})
# What tune may set on these machines.
SETTINGS = "sysctl -a 2> /dev/null | grep -E '^net.ipv4.conf|forward|core.(r|w)mem|backlog'; ip -o link"
# A minute, by which a play has to be over whatever becomes of its machine.
MINUTE = 60


def to_nobody(appliance):
    """Valid, and never healthy: nobody has the target's address."""
    config = appliance.config()
    return program.merge(config, {"nat": [{**config["nat"][0],
                                           "to": f"10.20.{appliance.number}.99:8081"}]})


class Fleet(Story):
    def test_life(self):
        self.tell((
            self.checked_on_fresh_machines, self.refused_on_fresh_machines, self.rolled_out,
            self.again, self.checked_on_running_machines, self.upgraded, self.reconfigured,
            self.downgraded, self.refused_by_the_product, self.refused_by_the_machine,
            self.refused_for_two_roles,
            self.failed_at_the_gate, self.failed_at_the_rate, self.unfit_package,
            self.restarted_one_by_one, self.rebooted, self.cut_off, self.died, self.rolled_back,
            self.uninstalled, self.uninstalled_again))

    # Machines on which nothing is installed.

    def is_fresh(self, appliance):
        self.assertEqual(self.left(appliance), [])
        self.assertIsNone(appliance.version())
        self.assertEqual(appliance.namespace.xdp_interfaces(), [])
        self.assertEqual(appliance.pins(), [])

    @staticmethod
    def left(appliance):
        """Files of the product, other than caches and logs of others."""
        return [path for path in appliance.files_named("vxlan") if not path.startswith((
            "/var/cache/apt/", "/var/cache/dnf/", "/var/lib/apt/lists/", "/var/lib/dnf/",
            "/var/log/", "/var/lib/systemd/"))]

    def checked_on_fresh_machines(self):
        """--check --diff on fresh machines: tells what it would do, and does nothing."""
        done = self.play("--check", "--diff")
        for appliance in self.lab.appliances:
            row = done.recap()[appliance.name]
            self.assertGreater(row["changed"], 0)
            self.assertIn(f"10.20.{appliance.number}.2:8081", done.output)
            self.is_fresh(appliance)

    def refused_on_fresh_machines(self):
        """Mistakes that show before anything is installed: one sentence, and nothing is left."""
        self.repository_key = self.wrong_key()
        rows = [
            ("a repository that nobody serves",
             {"vxlan_pipeline_repository_url": "http://repository.test:81"},
             "vxlan_pipeline_repository_url", "repository.test:81"),
            ("somebody else's key", {"vxlan_pipeline_repository_key": self.repository_key},
             "vxlan_pipeline_repository_key"),
            ("a version that is not there", {"vxlan_pipeline_version": "7.7.7"},
             "vxlan_pipeline_version", "7.7.7"),
            ("a variable that does not exist", {"vxlan_pipeline_verison": "0.1.0"},
             "vxlan_pipeline_verison", "vxlan_pipeline_version"),
        ]
        for sentence, variables, *named in rows:
            self.refused_by_each(sentence, named, **variables)
        self.pass_for("debian11", "amazon2")
        self.refused_by_each("a distribution that nobody tested", ["vxlan_pipeline_distributions"])
        self.pass_for(*self.FLEET.values())

    def pass_for(self, *distributions):
        """What each machine says it is."""
        for appliance, distribution in zip(self.lab.appliances, distributions):
            appliance.pass_for(distribution)

    def refused_by_each(self, sentence, named, **variables):
        """Two plays at once, a machine each: one has apt, the other has dnf."""
        plays = [(appliance, self.begin("--limit", appliance.name, **variables))
                 for appliance in self.lab.appliances]
        for appliance, begun in plays:
            done = begun.wait()
            with self.subTest(f"{sentence}: {appliance.name}"):
                self.assertEqual(done.code, 2, done.timed())
                self.one_failure(done, appliance.name, *named)
                self.is_fresh(appliance)

    def wrong_key(self):
        """A public key that signed nothing."""
        home = self.lab.work.file("x")
        os.unlink(home)
        os.mkdir(home, 0o700)
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet")
        run(*gpg, "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key",
            "somebody else", "rsa3072", "sign", "never")
        key = run(*gpg, "--armor", "--export").stdout
        run("gpgconf", "--homedir", home, "--kill", "gpg-agent")
        return self.lab.work.file("wrong.asc", key)

    def rolled_out(self):
        """The first rollout: installed, configured, started, enabled, forwarding."""
        self.pass_for("debian12", "amazon2023")
        self.settings = [appliance.shell(SETTINGS).stdout for appliance in self.lab.appliances]
        with self.ready_once():
            done = self.play()
        self.healthy(version=wares.THIS)
        self.configured(own)
        self.flowing()
        for appliance in self.lab.appliances:
            self.assertIn("ens5", appliance.namespace.xdp_interfaces())
        self.assertEqual(done.hosts_begun(), ["one", "two"])

    # Machines that run.

    def again(self):
        """The same rollout again changes nothing and interrupts nothing."""
        before = [self.look(appliance) for appliance in self.lab.appliances]
        with self.ready(), self.no_loss():
            self.unchanged(self.play())
        self.assertEqual([self.look(appliance) for appliance in self.lab.appliances], before)

    def checked_on_running_machines(self):
        """--check --diff on running machines: shows the change, and makes none."""
        inventory = self.write_inventory(FURTHER, "further.yml")
        with self.untouched(self.one), self.untouched(self.two):
            done = self.play("--check", "--diff", inventory=inventory)
        self.assertRegex(done.output, r"(?m)^\+.*clear_df_above: 1300")
        for row in done.recap().values():
            self.assertGreater(row["changed"], 0)

    def replaced(self, config, **options):
        """Rolls another version out: no packet is lost, at most one machine is not ready."""
        pids = self.pids()
        with self.no_loss(), self.one_at_a_time():
            done = self.play(**options)
        self.assertTrue(done.in_turn("one", "two"), done.timed())
        self.healthy()
        self.assertFalse(set(pids.items()) & set(self.pids().items()))
        self.configured(config)

    def upgraded(self):
        """Upgrade to the newest: no packet is lost, at most one machine is not ready."""
        self.lab.repository.publish(wares.LATER)
        self.pass_for("ubuntu22.04", "rocky9")
        self.replaced(own)
        self.healthy(version=wares.LATER)

    def installed_collection(self):
        """The collection's name, and the directory where it is installed."""
        archive, name = test_collection.Built.build()
        place = os.path.join(self.lab.work.path, "collections")
        if not os.path.isdir(place):
            self.lab.control.run("ansible-galaxy", "collection", "install", archive, "-p", place,
                                 "--offline", env=self.lab.environment())
        return name, place

    def reconfigured(self):
        """
        A change of the configuration, in a file, by the collection as it is installed, is a reload:
        no packet is lost, each machine stays ready. A further instance is started beside it.
        """
        collection, place = self.installed_collection()
        self.pass_for("ubuntu24.04", "rhel9")
        pids = self.pids()
        with self.no_loss(), self.ready():
            self.play(book=f"{collection}.rollout", collections=place,
                      inventory=self.write_inventory(
                          FURTHER, "further.yml", as_files=True,
                          vxlan_pipeline_instances={"second": SECOND}))
        self.configured(FURTHER)
        self.assertEqual(self.pids(), pids)
        for appliance in self.lab.appliances:
            self.assertEqual(appliance.unit("vxlan-pipeline@second", "ActiveState",
                                            "UnitFileState"),
                             {"ActiveState": "active", "UnitFileState": "enabled"})
            self.assertEqual(appliance.pins(), ["config", "second"])

    def downgraded(self):
        """
        Downgrade to a version by its name, with another configuration, likewise. The further
        instance goes.
        """
        self.inventory = self.write_inventory(vxlan_pipeline_version=wares.THIS)
        self.pass_for("debian13", "rhel9")
        self.replaced(own, vxlan_pipeline_instances={"second": "absent"})
        self.pass_for(*self.FLEET.values())
        self.healthy(version=wares.THIS)
        for appliance in self.lab.appliances:
            self.assertEqual(appliance.state("vxlan-pipeline@second"), "inactive")
            self.assertEqual(appliance.pins(), ["config"])
            self.assertFalse(appliance.exists("/etc/vxlan-pipeline/second.yaml"))

    def refused(self, config, *named):
        """The first machine refuses the configuration; nothing is written anywhere."""
        inventory = self.write_inventory(config, "refused.yml",
                                         vxlan_pipeline_version=wares.THIS)
        with self.untouched(self.one), self.untouched(self.two):
            done = self.play(inventory=inventory, code=2)
        self.assertNotIn("two", done.hosts_begun())
        return self.one_failure(done, "one", "vxlan_pipeline_config", *named)

    def refused_by_the_product(self):
        """A configuration with a mistake: nothing is written, the second machine is untouched."""
        self.refused(change({"forward": {"oversise": "drop"}}), "oversise", "oversize")

    def refused_by_the_machine(self):
        """A configuration with an interface that the machine does not have, likewise."""
        self.refused(change({"forward": {"interface": "ens9"}}), "ens9")

    def refused_for_two_roles(self):
        """Two roles of one play that describe one instance differently."""
        roles = [{"role": "vxlan_pipeline"},
                 {"role": "vxlan_pipeline", "vxlan_pipeline_config": FURTHER(self.one)}]
        book = self.lab.work.file("two.yml", json.dumps([
            {"hosts": "one", "become": True, "gather_facts": False, "roles": roles}]))
        with self.untouched(self.one):
            begun = self.begin(book=book, environment={
                "ANSIBLE_ROLES_PATH": os.path.join(program.ROOT, "ansible", "roles")}).wait()
            self.assertEqual(begun.code, 2, begun.timed())
        self.one_failure(begun, "one", "vxlan_pipeline_instance")

    def failed_at_the_gate(self):
        """Never healthy: the first machine is put back, the second is untouched, exit 2."""
        inventory = self.write_inventory(to_nobody, "nobody.yml",
                                         vxlan_pipeline_version=wares.THIS)
        with self.put_back(self.one), self.untouched(self.two):
            done = self.play(inventory=inventory, code=2, vxlan_pipeline_gate_seconds=5)
        self.assertNotIn("two", done.hosts_begun())
        self.assertRegex(done.output, r"10\.20\.1\.99")

    def failed_at_the_rate(self):
        """Healthy, but packets no longer leave as before: the same."""
        # nobody sends this VNI; what is not listed is no reason for bad health
        inventory = self.write_inventory(change({"listen": {"vnis": [7]}}), "rate.yml",
                                         vxlan_pipeline_version=wares.THIS)
        with self.put_back(self.one), self.untouched(self.two):
            done = self.play(inventory=inventory, code=2, vxlan_pipeline_gate_seconds=5)
        self.assertNotIn("two", done.hosts_begun())
        self.assertIn("vxlan_pipeline_gate_share", done.output)

    def unfit_package(self):
        """A package whose daemon does not start: back to the package of before."""
        self.lab.repository.publish(wares.BROKEN)
        with self.put_back(self.one), self.untouched(self.two):
            done = self.play(vxlan_pipeline_version=wares.BROKEN, code=2)
        self.assertNotIn("two", done.hosts_begun())
        self.healthy(version=wares.THIS)

    # Interruptions, wanted and not.

    def restarted_one_by_one(self):
        """
        A restart that is asked for: each machine, one at a time, is drained and deregistered
        before, and registered after it is healthy.
        """
        # Stands in for the AWS CLI, as there is no load balancer here: notes what it is told.
        told = self.lab.work.file("told")
        aws = self.lab.work.file("aws", f'#!/bin/sh\necho "$(date +%s.%N) $2 $*" >> {told}\n')
        os.chmod(aws, 0o755)
        arn = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/mirror/1"
        pids = self.pids()
        since, clock = time.monotonic(), time.time() - time.monotonic()
        with self.one_at_a_time():
            self.play(inventory=self.write_inventory(
                name="balanced.yml", vxlan_pipeline_target_id="i-{{ inventory_hostname }}",
                vxlan_pipeline_target_group_arn=arn, vxlan_pipeline_aws=aws,
                vxlan_pipeline_version=wares.THIS), vxlan_pipeline_interrupt="restart")
        self.healthy()
        self.flowing()
        self.assertFalse(set(pids.items()) & set(self.pids().items()))
        with open(told, encoding="utf-8") as stream:
            calls = [line.split(" ", 2) for line in stream]
        for watch in self.watches:
            name = watch.appliance.name
            mine = [(float(at) - clock, verb) for at, verb, words in calls if f"Id=i-{name}" in words]
            self.assertEqual([verb for _, verb in mine],
                             ["deregister-targets", "register-targets", "wait"], calls)
            first, last = watch.not_ready(since)[0][0], watch.not_ready(since)[-1][1]
            self.assertEqual(next(status for begin, _, status in watch.seen
                                  if begin > since and status != 200), 503, "drained first")
            # /healthz is asked ten times a second, and may take a while to tell
            self.assertLess(first, mine[0][0] + TOLD_WITHIN)
            self.assertGreater(mine[1][0], last - TOLD_WITHIN)

    def rebooted(self):
        """A reboot that is asked for: drained before, healthy and forwarding after."""
        since = time.monotonic()
        with self.ready(self.one), self.no_loss(self.one):
            begun = self.begin("--limit", "two", vxlan_pipeline_interrupt="reboot")
            self.two.boot_again()
            begun.wait()
        self.assertEqual(begun.code, 0, begun.timed())
        self.healthy(self.two)
        self.flowing(self.two)
        self.assertEqual(next(status for begin, _, status in self.watches[1].seen
                              if begin > since and status != 200), 503, "drained first")

    def interrupted(self, accident, task, **options):
        """
        Has the accident happen to the first machine during the task, while it is not ready: the
        play ends soon, and nothing happens to the second.
        """
        with self.untouched(self.two):
            begun = self.begin(**options)
            wait_for(lambda: self.one.health() == 503 and f"{task}]" in begun.output, 60, task)
            time.sleep(2)  # until the task has begun there, too
            accident()
            since = time.monotonic()
            begun.wait(MINUTE + 10)
            self.assertLess(time.monotonic() - since, MINUTE)
        # Failed first, if ssh took the silence for that of sudo.
        self.assertIn(begun.code, (2, 4), begun.timed())
        self.assertEqual(list(begun.recap()), ["one"])
        self.assertNotIn("two", begun.hosts_begun())

    def cut_off(self):
        """ssh is cut while the machine is drained; the next run, for nothing else, heals it."""
        self.interrupted(lambda: self.one.connect(False),
                         "Wait until the load balancer has moved the flows",
                         vxlan_pipeline_interrupt="restart", vxlan_pipeline_drain_seconds=5)
        self.one.connect(True)
        self.assertEqual(self.one.health(), 503)
        with self.no_loss(), self.ready(self.two):
            self.play()
        self.healthy()

    def died(self):
        """
        A machine dies in mid-task, at the gate, and comes back with half a package; the next run
        heals it.
        """
        self.interrupted(self.one.die, "Wait until the host is healthy and forwards as before",
                         inventory=self.write_inventory(to_nobody, "nobody.yml",
                                                        vxlan_pipeline_version=wares.THIS),
                         vxlan_pipeline_gate_seconds=60)
        self.one.switch_on()
        self.one.wait_until_up()
        self.assertNotEqual(self.one.health(), 200, "it comes back with what has not passed")
        # What a death while the package is replaced leaves besides: a package half installed.
        shutil.copy(wares.deb(wares.LATER), self.one.path("/root/package.deb"))
        self.one.run("dpkg", "--unpack", "/root/package.deb")
        inventory = self.write_inventory(FURTHER, "further.yml",
                                         vxlan_pipeline_version=wares.LATER)
        with self.no_loss(self.two), self.one_at_a_time():
            self.play(inventory=inventory)
        self.healthy(version=wares.LATER)
        self.flowing()
        self.configured(FURTHER)

    def rolled_back(self):
        """rollback.yml: to a named version, and to the configuration from before the change."""
        self.replaced(own, book="rollback", vxlan_pipeline_version=wares.THIS)
        self.healthy(version=wares.THIS)

    # The end.

    def uninstalled(self):
        """
        uninstall.yml, here the collection's, leaves nothing: no file, no unit, no program on an
        interface, no setting.
        """
        collection, place = self.installed_collection()
        done = self.play(book=f"{collection}.uninstall", collections=place)
        for appliance in self.lab.appliances:
            self.assertGreater(done.recap()[appliance.name]["changed"], 0)
            self.is_fresh(appliance)
            self.assertEqual(appliance.unit(UNIT, "LoadState"), {"LoadState": "not-found"})
            self.assertEqual(appliance.health(), 0)
        self.assertEqual([appliance.shell(SETTINGS).stdout for appliance in self.lab.appliances],
                         self.settings, "what tune has set is put back")

    def uninstalled_again(self):
        """Again, it finds nothing to do."""
        self.unchanged(self.play(book="uninstall"))
