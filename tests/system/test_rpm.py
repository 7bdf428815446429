# SPDX-License-Identifier: GPL-2.0-only
"""The .rpm: its contents, and its life on a machine under systemd."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import installed
import machine
import rpm_build
from kernels import packages
from lib import program
from lib.command import need_commands, run, wait_for
from lib.daemon import PINS
from lib.life import Lifecycle, Traffic
from lib.namespace import veth

RPM_DIRECTORY = os.path.join(program.ROOT, "rpm")
COMMANDS = ("rpm", "rpmbuild", "rpmlint", "rpmsign", "createrepo_c", "gpg", "objdump")
LATER = "99.0.0"
PORT = 8080
URL = f"http://127.0.0.1:{PORT}"
INSTALLED = ["rpm", "dnf", "libelf1", "libjansson4", "libmnl0", "libnftnl11", "libyaml-0-2", "libmicrohttpd12",
             "libcap2"]
NAMES = ("vxlan-pipeline.service", "vxlan-pipeline-tune.service", "vxlan-pipeline-cloudwatch.timer")
UNITS = ("vxlan-pipeline", "vxlan-pipeline@second")  # the ones that run
# A program that does as much as %check looks at.
TINY_PROGRAM = """
    #include <pcap/pcap.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    int main(int argc, char **argv)
    {
        if (argc > 1 && strcmp(argv[1], "--version") == 0)
            puts("vxlan-pipeline 1");
        return argc > 9 ? (int)(long)%s : 0;
    }
"""

_built = {}


def built(flavour, version=None):
    """
    Builds a package, once. `flavour`: `debian` with this machine's rpm as it is, `fedora` with
    systemd's own macros. `version`: None for this one, or a later one.
    """
    key = (flavour, version)
    if key not in _built:
        need_commands(*COMMANDS)
        directory = os.path.join(program.ROOT, "build", "rpm-test",
                                 f"{flavour}-{version or 'this'}")
        shutil.rmtree(directory, ignore_errors=True)
        rpm_build.copy_sources(directory)
        words = ["--nocheck"]
        if flavour == "fedora":
            macros = os.path.join(directory, "build", "macros.systemd")
            os.mkdir(os.path.dirname(macros))
            with open(macros, "w", encoding="utf-8") as stream:
                stream.write(systemd_files()["macros.systemd"])
            words.append(f"--load={macros}")
        if version:
            rpm_build.newer(directory, version)
        _built[key] = rpm_build.make("rpm", f"RPMFLAGS={' '.join(words)}", directory=directory)
    return _built[key]


def systemd_files():
    try:
        return rpm_build.systemd_files()
    except packages.Unavailable as reason:
        raise unittest.SkipTest(f"systemd's macros cannot be had: {reason}") from None


def query(package, *words):
    return run("rpm", "-qp", *words, package).stdout


def lint(*files):
    settings = os.path.join(RPM_DIRECTORY, "rpmlint.toml")
    return run("rpmlint", "-c", settings, *files, check=False)


class Contents(unittest.TestCase):
    """Tests of the package's file; they install nothing."""

    @classmethod
    def setUpClass(cls):
        need_commands(*COMMANDS)
        # runs %check
        cls.package = rpm_build.make("rpm")
        cls.source = rpm_build.make("srpm")

    def test_lint(self):
        """rpmlint finds nothing but what rpmlint.toml excuses; it does find a mistake."""
        spec = os.path.join(program.ROOT, "build", "rpm", "SOURCES", "vxlan-pipeline.spec")
        result = lint(self.package, self.source, spec)
        self.assertIn("2 packages and 1 specfiles checked; 0 errors, 0 warnings", result.stdout)
        self.assertEqual(result.returncode, 0, result.stdout)
        with program.Workspace() as work, open(spec, encoding="utf-8") as stream:
            bad = work.file("vxlan-pipeline.spec",
                            stream.read().replace("%check", "%check\nls /usr/lib/nothing"))
            shutil.copy(os.path.join(RPM_DIRECTORY, "macros.systemd"), work.path)
            self.assertNotEqual(lint(bad).returncode, 0)

    def test_manuals(self):
        """Each program, and the configuration file, has a compressed manual page."""
        listed = query(self.package, "--list").splitlines()
        for page in ("man8/vxlan-pipeline.8", "man8/vxlan_loader.8", "man5/vxlan-pipeline.yaml.5"):
            self.assertIn(f"/usr/share/man/{page}.gz", listed)

    def test_monitoring(self):
        """Rules and dashboards are where docs/monitoring.md says."""
        listed = query(self.package, "--list").splitlines()
        for path in installed.MONITORING:
            self.assertIn(f"/usr/share/vxlan-pipeline/{path}", listed)

    def test_requirements(self):
        """The package requires only what RHEL 9 provides, in those versions."""
        provided = {name.split(" = ")[0] for name in rpm_build.PROVIDED}
        asked = {line.strip() for line in query(self.package, "--requires").splitlines()}
        asked = {name for name in asked if not re.match(r"rpmlib\(|config\(", name)}
        self.assertLessEqual({"/bin/sh", "libc.so.6()(64bit)", "libelf.so.1()(64bit)"}, asked)
        self.assertLessEqual(asked, provided)

    def test_foreign_programs_are_refused(self):
        """%check refuses a program that needs a library or glibc version RHEL 9 lacks."""
        check = os.path.join(RPM_DIRECTORY, "check-program")
        result = run(check, program.PROGRAM, "0", check=False, cwd=program.ROOT)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("--version says", result.stderr)
        rows = [("libpcap, which has another name", "pcap_lib_version()", "-lpcap",
                 r"needs libpcap\.so\S+, which RHEL 9 has not"),
                ("a function that glibc has since 2.36", "arc4random()", "-s",
                 r"arc4random of glibc 2\.36")]
        with program.Workspace() as work:
            for sentence, call, option, says in rows:
                with self.subTest(sentence):
                    source = work.file("new.c", TINY_PROGRAM % call)
                    made = os.path.join(work.path, "new")
                    run("gcc", "-w", "-D_GNU_SOURCE", "-o", made, source, option)
                    result = run(check, made, "1", "--foreign", check=False, cwd=program.ROOT)
                    self.assertEqual(result.returncode, 1, result.stdout)
                    self.assertRegex(result.stderr, says)

    def test_two_builds_make_one_file(self):
        other = built("debian")
        with open(self.package, "rb") as one, open(other, "rb") as two:
            self.assertEqual(one.read(), two.read())

    def test_scriptlets(self):
        """The scriptlets' commands with either set of macros; every macro is expanded."""
        rows = [
            ("debian", r"systemctl --no-reload preset " + " ".join(NAMES)),
            ("debian", r"systemctl try-restart vxlan-pipeline\.service \$instances"),
            ("fedora", rf"{rpm_build.HELPER} install-system-units " + " ".join(NAMES)),
            ("fedora", rf"{rpm_build.HELPER} remove-system-units vxlan-pipeline\.service"),
            ("fedora", rf"{rpm_build.HELPER} mark-restart-system-units vxlan-pipeline\.service "
                       r"\$instances"),
        ]
        for flavour in ("debian", "fedora"):
            rows += [(flavour, r"systemd-tmpfiles --create vxlan-pipeline\.conf"),
                     (flavour, r"systemd-sysctl 60-vxlan-pipeline\.conf"),
                     (flavour, r"/usr/bin/vxlan-pipeline stop --instance"),
                     (flavour, r"/usr/bin/vxlan-pipeline tune --revert --instance"),
                     (flavour, r"systemctl daemon-reload"),
                     (flavour, r"systemctl stop vxlan-pipeline\.service "
                               r"'vxlan-pipeline@\*\.service'")]
        for flavour, line in rows:
            with self.subTest(f"{flavour}: {line}"):
                text = query(built(flavour), "--scripts")
                self.assertRegex(text, line)
                self.assertNotRegex(text, r"%\{?\w")
                self.assertNotIn("enable ", text.replace("disable ", ""))

    def test_scriptlets_are_shell(self):
        for flavour in ("debian", "fedora"):
            text = query(built(flavour), "--scripts")
            for script in re.split(r"(?m)^\w+ scriptlet \(using /bin/sh\):$", text)[1:]:
                with self.subTest(flavour + script[:60]):
                    run("sh", "-n", "-c", script)

    def test_configuration_is_kept(self):
        """The configuration is %config(noreplace); the package owns its directory, too."""
        listed = query(self.package, "--queryformat", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]")
        self.assertIn("cn /etc/vxlan-pipeline/config.yaml\n", listed)
        self.assertIn(" /etc/vxlan-pipeline\n", listed)


class Life(Lifecycle):
    """One machine, from the repository to the removal of the package."""

    FLAVOUR = "debian"
    CONFIG = {**Lifecycle.CONFIG, "http": {"listen": "127.0.0.1:9789"}}

    def setUp(self):
        self.packages = [built(self.FLAVOUR), built(self.FLAVOUR, LATER)]
        super().setUp()
        for name in ("config", "second", "byhand"):
            self.addCleanup(self.remove_instance, name)
        for number in (1, 2):
            veth(self.sender, f"s{number}", self.appliance, f"in{number}", self.MTU_IN)
        machine.fetch("bookworm", INSTALLED)
        self.host = machine.Machine(self, "bookworm", self.appliance).boot()
        self.host.shell(f"apt-get -q -y --no-install-recommends install {' '.join(INSTALLED)}")
        self.install_base()
        self.web = os.path.join(self.work.path, "web")
        self.repository = os.path.join(self.web, "yum")
        self.instructions = self.publish(self.packages[0])
        self.serve()

    def install_base(self):
        try:
            files = rpm_build.systemd_files()
        except packages.Unavailable:
            files = {}
        shutil.copy(rpm_build.base(os.path.join(self.work.path, "base"), files),
                    self.host.path("/root/base.rpm"))
        self.host.shell("mkdir -p /etc/yum.repos.d && rpm --force-debian -i /root/base.rpm")

    def publish(self, package):
        """Returns the lines that `make repo` tells an operator to paste."""
        result = run(os.path.join(program.ROOT, "dist", "repo"), env={
            **os.environ, "REPO_OUTPUT": self.web, "REPO_URL": URL, "DEB_OUTPUT": "/nonexistent",
            "RPM_OUTPUT": os.path.dirname(os.path.dirname(package))})
        return [line[4:] for line in result.stdout.splitlines() if line.startswith("    ")]

    def serve(self):
        server = subprocess.Popen(  # pylint: disable=consider-using-with
            self.appliance.command("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1",
                                   "--directory", self.web, str(PORT)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_for(self.answers, 20, "the web server")

    def answers(self):
        with self.appliance.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            return client.connect_ex(("127.0.0.1", PORT)) == 0

    def dnf(self, *words, **options):
        return self.host.run("dnf", "-y", "--releasever=9", *words, **options)

    def show(self, unit, name):
        return self.host.unit(unit, name)[name]

    def test_life(self):
        for step in (self.refused_when_tampered_with, self.refused_when_unsigned, self.installed,
                     self.started, self.upgraded, self.went_back, self.erased):
            with self.subTest(step.__doc__):
                step()

    def refused_when_tampered_with(self):
        """metadata that was changed after it was signed is refused"""
        self.host.shell(self.instructions[0])
        path = os.path.join(self.repository, "repodata", "repomd.xml")
        with open(path, "r+", encoding="utf-8") as stream:
            text = stream.read()
            stream.write("<!-- -->\n")
        result = self.dnf("install", "vxlan-pipeline", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("GPG", result.stderr)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)

    def refused_when_unsigned(self):
        """a package that nobody signed is refused, in a repository that is signed"""
        name = os.path.join(self.repository, os.path.basename(self.packages[0]))
        shutil.copy(self.packages[0], name)
        path = os.path.join(self.repository, "repodata", "repomd.xml")
        run("createrepo_c", "--quiet", "--no-database", self.repository)
        self.sign(path)
        result = self.dnf("install", "vxlan-pipeline", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("not signed", result.stdout + result.stderr)
        shutil.rmtree(self.repository + "/repodata")
        self.publish(self.packages[0])

    def sign(self, path):
        with tempfile.TemporaryDirectory() as home:
            gpg = ("gpg", "--homedir", home, "--batch", "--yes")
            run(*gpg, "--import", os.path.join(program.ROOT, "build", "repo-key.asc"))
            run(*gpg, "--armor", "--detach-sign", path)
            run("gpgconf", "--homedir", home, "--kill", "gpg-agent")

    def installed(self):
        """the lines that `make repo` prints install it; nothing is enabled or started"""
        for line in self.instructions:
            self.host.shell(line.replace("dnf ", "dnf -y --releasever=9 --refresh "))
        for unit in NAMES:
            self.assertEqual(self.show(unit, "UnitFileState"), "disabled")
            self.assertEqual(self.host.state(unit), "inactive")
        self.host.run("rpm", "-V", "vxlan-pipeline")
        self.host.run("test", "-d", "/run/vxlan-pipeline")
        self.host.run("vxlan-pipeline", "config", "check", "-c",
                      "/usr/share/doc/vxlan-pipeline/examples/seed.yaml")
        self.assertEqual(self.appliance.xdp_interfaces(), [])

    def started(self):
        """with its configuration edited the unit starts and traffic arrives; so does an instance"""
        self.host.write("/etc/vxlan-pipeline/config.yaml", program.to_yaml(self.config()))
        self.host.write("/etc/vxlan-pipeline/second.yaml", program.to_yaml(self.config(
            {"listen": {"interface": "in1"}, "http": {"listen": "off"}})))
        self.host.run("systemctl", "enable", "vxlan-pipeline")
        for unit in UNITS:
            self.host.run("systemctl", "start", unit, check=False)
            self.assertEqual(self.host.state(unit), "active", self.host.journal(unit))
        self.assertTrue(self.forwards())

    def replaced(self, *words):
        """Installs another version under traffic: no packet is lost, both daemons are restarted."""
        before = {unit: self.show(unit, "MainPID") for unit in UNITS}
        with Traffic(self, pause=0.02) as traffic:
            self.dnf(*words)
            for unit in UNITS:
                wait_for(lambda u=unit: self.show(u, "MainPID") not in ("0", before[u]) and
                         self.host.state(u) == "active", 30, f"{unit} to be restarted")
            self.assertTrue(traffic.thread.is_alive(), "there is traffic until the end")
        self.assertEqual(traffic.arrived(), traffic.sent)
        self.assertEqual(set(self.appliance.xdp_interfaces()) & {"in0", "in1"}, {"in0", "in1"})

    def upgraded(self):
        """an upgrade loses no packet and no edit, and restarts what ran"""
        self.publish(self.packages[1])
        self.replaced("--refresh", "upgrade", "vxlan-pipeline")
        self.assertIn(LATER, self.host.run("vxlan-pipeline", "--version").stdout)
        self.assertEqual(self.host.read("/etc/vxlan-pipeline/config.yaml"),
                         program.to_yaml(self.config()))
        self.assertIn("later version", self.host.read("/etc/vxlan-pipeline/config.yaml.rpmnew"))
        self.assertEqual(self.show("vxlan-pipeline", "UnitFileState"), "enabled")

    def went_back(self):
        """going back to the version before loses no packet either"""
        self.replaced("downgrade", "vxlan-pipeline")
        self.assertNotIn(LATER, self.host.run("vxlan-pipeline", "--version").stdout)

    def by_hand(self):
        """Runs `tune` and an instance without a unit; kills the instance's daemon."""
        self.host.write("/root/byhand.yaml", program.to_yaml(self.config(
            {"listen": {"interface": "in2"}, "http": {"listen": "off"}})))
        self.appliance.sysctl("net.ipv4.conf.out0.forwarding=0")
        tuned = self.host.run("vxlan-pipeline", "tune", "--instance", "byhand", "-c",
                              "/root/byhand.yaml", check=False)
        self.assertEqual(self.forwarding(), "1", tuned.stdout + tuned.stderr)
        self.host.shell("vxlan-pipeline run --instance byhand -c /root/byhand.yaml "
                        "> /root/byhand.log 2>&1 & echo $! > /root/pid")
        wait_for(lambda: self.appliance.xdp("in2"), 30, "an instance started by hand")
        self.host.run("kill", f"-{int(signal.SIGKILL)}", self.host.read("/root/pid").strip())
        self.assertTrue(os.path.isdir(os.path.join(PINS, "byhand")))

    def forwarding(self):
        return self.appliance.run("sysctl", "-n", "net.ipv4.conf.out0.forwarding").stdout.strip()

    def erased(self):
        """removal detaches every instance, takes host settings back, leaves only what was edited"""
        self.by_hand()
        result = self.dnf("remove", "vxlan-pipeline")
        self.assertNotRegex(result.stdout + result.stderr, r"(?i)scriptlet failed|error:")
        self.assertEqual(self.appliance.xdp_interfaces(), [])
        self.assertEqual([name for name in ("config", "second", "byhand")
                          if os.path.exists(os.path.join(PINS, name))], [])
        self.assertEqual(self.forwarding(), "0")
        for unit in (*NAMES, "vxlan-pipeline@second.service"):
            self.assertEqual(self.show(unit, "LoadState"), "not-found", unit)
        left = [name for name in self.host.files_named("vxlan") if not
                name.startswith(("/var/cache/dnf", "/var/lib/dnf", "/var/log", "/etc/yum.repos.d"))]
        self.assertEqual(left, ["/etc/vxlan-pipeline"] + [
            f"/etc/vxlan-pipeline/{name}"
            for name in ("config.yaml.rpmnew", "config.yaml.rpmsave", "second.yaml")])


class LifeWithFedorasMacros(Life):
    """The same with the scriptlets, helper and file triggers of Fedora and RHEL."""

    FLAVOUR = "fedora"

    def setUp(self):
        systemd_files()
        super().setUp()


del Lifecycle
