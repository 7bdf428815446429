# SPDX-License-Identifier: GPL-2.0-only
"""
The page in a browser: what it shows is what the commands say, whatever happens to the daemon. What it
needs besides, .ci/deps page installs; pictures of the page go to build/page.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time

from lib import frames, program
from lib.command import need_commands, wait_for
from lib.life import TARGETS, tunnels
from lib.namespace import napi
from lib.watch import PORT, Watched

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(program.ROOT, "build", "page")
PICTURES = os.path.join(program.ROOT, "build", "page")
URL = f"http://127.0.0.1:{PORT}/"
LAPTOP = {"width": 1280, "height": 800, "scheme": "light"}
SIZES = {"phone": {"width": 390, "height": 844, "scheme": "dark"}, "laptop": LAPTOP,
         "wall": {"width": 1920, "height": 1080, "scheme": "dark"}}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;<script>alert(2)</script>\u202e"
MOST_BYTES = 40000  # over the wire: the page, and what it asks for first
TABLE = """[...document.querySelectorAll("#%s-rows tr")].map((row) =>
    [...row.cells].map((cell) => cell.textContent))"""


class Browser:
    def __init__(self, test):
        need_commands("chromium", "node")
        if not os.path.isdir(os.path.join(MODULES, "node_modules", "playwright-core")):
            test.skipTest("what drives the browser is not installed: .ci/deps page")
        major = int(re.match(r"v(\d+)", subprocess.run(["node", "--version"], text=True, check=True,
                                                       capture_output=True).stdout)[1])
        if major < 20:
            test.skipTest(f"node {major} is too old for what drives the browser")
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            test.appliance.command("node", os.path.join(HERE, "browser.mjs"), MODULES,
                                   shutil.which("chromium")),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "HOME": test.work.path, "TMPDIR": test.work.path})
        test.addCleanup(self.end)

    def __call__(self, what, **options):
        self.process.stdin.write(json.dumps({"do": what, **options}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the browser ended"}')
        if "error" in answer:
            raise AssertionError(f"{what}: {answer['error']}")
        return answer["result"]

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Seen(Watched):
    """An instance, and a browser beside it."""

    CHANGES = ()

    def setUp(self):
        super().setUp()
        self.browser = Browser(self)
        self.start(*self.CHANGES)
        wait_for(self.is_well, 10, "health")

    def open(self, **size):
        self.browser("open", url=URL, **{**LAPTOP, **size})
        self.wait_for_condition("Good")

    def see(self, script):
        return self.browser("evaluate", script=script)

    def text(self, selector):
        return self.see(f"document.querySelector({json.dumps(selector)}).innerText")

    def table(self, name):
        return self.see(TABLE % name)

    def wait_for_condition(self, word, seconds=15):
        wait_for(lambda: self.text("#condition") == word, seconds, word)

    def requests(self, path=""):
        return [one for one in self.browser("requests") if path in (one["url"] or "")]


def number(text):
    return int(text.replace(",", ""))


class Page(Seen):
    def test_shows_what_the_commands_say(self):
        """Every verdict and counter of `stats`, the rules, VNIs and next hops, and health."""
        self.open()
        unmatched = frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 7, 514, b"x")))
        self.in_port.send(*tunnels(25), *[unmatched] * 5)
        time.sleep(3)
        stats = self.stats()
        self.assertEqual(stats["counters"]["redirected"], 25)
        verdicts = {row[0]: (number(row[3]), number(row[4])) for row in self.table("verdicts")}
        self.assertEqual(verdicts, {name: (hits["packets"], hits["bytes"])
                                    for name, hits in stats["verdicts"].items()})
        self.assertEqual({row[0]: number(row[2]) for row in self.table("counters")},
                         stats["counters"])
        self.assertEqual([(number(row[0]), row[1], row[2], number(row[5]))
                          for row in self.table("rules")],
                         [(rule["rule"], rule["name"], rule["to"], rule["packets"])
                          for rule in stats["rules"]])
        self.assertEqual([(row[0], number(row[3])) for row in self.table("vnis")],
                         [(str(vni["vni"]), vni["packets"]) for vni in stats["vnis"]])
        self.assertEqual(self.text("[data-hops=resolved] b"), "1")
        self.assertIn(self.instance, self.text("#instance"))
        self.assertEqual(self.browser("said"), [])

    def test_rates_are_in_the_picture(self):
        """What arrives, what is dropped and what leaves, while packets come."""
        self.open()
        unmatched = frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 7, 514, b"x")))

        def shown():
            self.in_port.send(*tunnels(10), *[unmatched] * 10)
            said = self.see("document.querySelector('#way-picture svg').getAttribute('aria-label')")
            found = re.fullmatch(r"Packets per second: ([\d.]+) arrive, ([\d.]+) are VXLAN, "
                                 r"([\d.]+) hold a packet, ([\d.]+) pass the rules, ([\d.]+) leave. "
                                 r"Not forwarded, or lost: unmatched ([\d.]+).", said)
            return found and [float(group) for group in found.groups()]
        arrive, vxlan, inner, passed, leave, dropped = wait_for(shown, 15, "rates")
        self.assertEqual((arrive, arrive), (vxlan, inner))
        self.assertAlmostEqual(passed, leave, delta=2, msg="each is rounded")
        self.assertAlmostEqual(arrive, leave + dropped, delta=2)
        self.assertIn("unmatched", self.see("document.querySelector('#way-picture').textContent"))

    def test_reasons(self):
        """What `status` says is wrong; nothing of it when it is mended."""
        self.open()
        self.appliance.ip("link", "set", "out0", "down")
        self.wait_for_condition("Bad")
        for reason in self.json("status")["reasons"]:
            self.assertIn(re.sub(r"\d+(\.\d+)?", "N", reason),
                          re.sub(r"\d+(\.\d+)?", "N", self.text("#reasons")))
        self.assertEqual(self.see("document.title"), f"Bad: {self.instance}")
        self.appliance.ip("link", "set", "out0", "up")
        self.know_neighbour()
        self.wait_for_condition("Good")
        self.assertEqual(self.text("#reasons"), "")
        self.assertRegex(self.text("#since"), r"^for \d+ s$")

    def test_losses(self):
        """A row for what is refused on the way out."""
        self.open()
        self.assertEqual(self.table("losses"), [["Nothing is lost."]])
        napi(self.collector, "c0", False)
        self.in_port.send(*tunnels(10))
        wait_for(lambda: self.table("losses")[0][0] == "transmit", 10, "the loss")
        lost = {row[1].split(":")[0]: number(row[3]) for row in self.table("losses")}
        wanted = {row["reason"].replace("_", " "): row["packets"] for row in self.json("status")["losses"]
                  if row["packets"] and row["place"] != "program"}
        self.assertEqual(lost, wanted)

        def drawn():
            self.in_port.send(*tunnels(10))
            return "lost: redirect failed" in self.see("document.querySelector('#way-picture').textContent")
        wait_for(drawn, 10, "the loss in the picture")

    def test_accessible(self):
        """axe-core finds nothing, in both schemes, at three sizes, when well and when not."""
        for scheme in ("light", "dark"):
            for name, size in SIZES.items():
                with self.subTest(f"{name}, {scheme}"):
                    self.open(**{**size, "scheme": scheme})
                    self.assertEqual(self.browser("audit"), [])
        self.cli("drain", "--instance", self.instance)
        self.wait_for_condition("Bad")
        self.assertEqual(self.browser("audit"), [])

    def test_keyboard(self):
        """The tabulator reaches everything that can be used, in the order of the page."""
        self.open()
        order = []
        for _ in range(16):
            self.browser("press", keys=["Tab"])
            order.append(self.see("document.activeElement.id || document.activeElement.ariaLabel || "
                                  "document.activeElement.textContent"))
        self.assertEqual(order[0], "Skip to the traffic")
        wanted = ["rules-q", "rules-sort", "vnis-q", "vnis-sort", "health", "metrics"]
        self.assertEqual([name for name in order if name in wanted], wanted)

    def test_nothing_is_wider_than_a_phone(self):
        self.open(width=360, height=640)
        self.assertLessEqual(self.see("document.documentElement.scrollWidth"), 360)

    def test_asks_little_and_nobody_else(self):
        """One request a second, fewer while hidden; files are compressed, and not asked for twice."""
        self.open()
        time.sleep(10)
        self.assertEqual({one["url"].split("/")[2] for one in self.requests("http")},
                         {f"127.0.0.1:{PORT}"})
        first = {path: next(one["bytes"] for one in self.requests(path)) for path in
                 ("9789/", "page.css", "page.js", "live.json")}
        polls = self.requests("live.json")
        pace = (len(polls) - 1) / (polls[-1]["at"] - polls[0]["at"]) * 1000
        print(f"    bytes over the wire: {first}, {sum(first.values())} in all; "
              f"{pace:.2f} requests a second", flush=True)
        self.assertLess(sum(first.values()), MOST_BYTES)
        self.assertLess(pace, 1.1)
        self.assertGreater(pace, 0.5)
        self.see("Object.defineProperty(document, 'hidden', {get: () => true})")
        time.sleep(2)
        before = len(self.requests("live.json"))
        time.sleep(6)
        self.assertLessEqual(len(self.requests("live.json")) - before, 1)
        answer = self.get("/")
        self.assertEqual(answer.headers["Content-Security-Policy"], POLICY)
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")

    def test_hostile_texts(self):
        """Whatever text the appliance sends is shown as text."""
        self.open()
        self.browser("change", to=[[where, HOSTILE] for where in (
            "instance", "interface", "target", "mode", "rules.rows.0.name", "rules.rows.0.to",
            "vnis.rows.0.vni", "verdicts.redirected.meaning")] + [
                ["health.reasons", [{"severity": HOSTILE, "text": HOSTILE}]],
                ["losses", [{"place": HOSTILE, "interface": HOSTILE, "reason": HOSTILE, "packets": 1,
                             "pps": 2.0, "meaning": HOSTILE}]],
                ["next_hops.unresolved", [{"target": HOSTILE, "rule": 1, "name": HOSTILE,
                                           "failed": True}]]])
        wait_for(lambda: HOSTILE in self.see("document.querySelector('#reasons').textContent"), 10, "texts")
        for selector in ("#instance", "#facts", "#rules-rows", "#vnis-rows", "#losses-rows",
                         "#hops-rows", "#verdicts-rows"):
            with self.subTest(selector):
                self.assertIn(HOSTILE, self.see(f"document.querySelector('{selector}').textContent"))
        self.assertEqual(self.see("document.querySelectorAll('img, body script').length"), 0)
        self.assertEqual(self.browser("said"), [])

    def test_daemon_that_restarts(self):
        """It is told apart from an instance that is bad, and picked up again."""
        self.open()
        self.in_port.send(*tunnels(10))
        time.sleep(1.5)
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait()
        self.wait_for_condition("No answer")
        self.assertIn("cannot be reached", self.text("#reasons"))
        self.start()
        self.wait_for_condition("Good")
        self.assertEqual({row[0]: number(row[2]) for row in self.table("counters")}["redirected"], 10)

    def test_counters_that_begin_anew(self):
        """An instance that was stopped and started again: no rate is negative, none is made of both."""
        self.open()
        self.in_port.send(*tunnels(200))
        time.sleep(2)
        self.assertEqual(self.daemon.terminate(), 0)
        self.start()
        self.in_port.send(*tunnels(3))
        wait_for(lambda: {row[0]: row[2] for row in self.table("counters")}["redirected"] == "3", 15,
                 "the new counters")
        for _ in range(4):
            time.sleep(1)
            self.assertNotRegex(self.see("document.body.innerText"), r"-\d|NaN|Infinity|undefined")

    def test_answers_that_fail(self):
        """What cannot be used is told in words, and asked for again."""
        self.open()
        self.browser("change", to=[["health.reasons", 1]])
        self.wait_for_condition("No answer")
        self.assertRegex(self.text("#reasons"), "asking again")
        self.browser("change", to=None)
        self.wait_for_condition("Good")

    def test_pictures(self):
        """Of traffic, with drops, at three sizes; for people to look at."""
        os.makedirs(PICTURES, exist_ok=True)
        unmatched = frames.tunnel(frames.inner(frames.udp("10.1.0.1", "10.1.0.2", 7, 514, b"x")))
        for name, size in SIZES.items():
            self.open(**size)
            for _ in range(60):
                self.in_port.send(*tunnels(30), *[unmatched] * 4)
                time.sleep(0.1)
            path = os.path.join(PICTURES, f"{name}.png")
            self.browser("picture", path=path)
            self.assertGreater(os.path.getsize(path), 10000)


class ManyRules(Seen):
    COUNT = 3000
    CHANGES = ({"nat": [{"name": f"r{n}", "match": {"source_port": 1000 + n},
                         "to": f"10.20.0.2:{8000 + n}"} for n in range(COUNT)]},)

    def rows(self):
        return [row[1] for row in self.table("rules") if len(row) > 1]

    def test_search(self):
        """The appliance looks through all rules; the page shows ten at a time."""
        self.open()
        wait_for(lambda: self.text("#rules-note") == "1 to 10 of 3,000", 10, "ten rows")
        self.browser("fill", selector="#rules-q", text="R299")
        wait_for(lambda: self.text("#rules-note") == "1 to 10 of 11, of 3,000 in all", 10, "eleven rules")
        self.assertEqual(self.rows(), ["r299"] + [f"r299{n}" for n in range(9)])
        self.see("document.querySelector('#rules-on').click()")
        wait_for(lambda: self.rows() == ["r2999"], 10, "the last one")
        self.assertTrue(self.see("document.querySelector('#rules-on').disabled"))
        self.browser("fill", selector="#rules-q", text=":8042")
        wait_for(lambda: self.rows() == ["r42"], 10, "a target")
        self.browser("fill", selector="#rules-q", text="<&+%/?#")
        wait_for(lambda: self.table("rules") == [["None holds this."]], 10, "nothing")
        self.browser("fill", selector="#rules-q", text="")
        wait_for(lambda: self.text("#rules-note") == "1 to 10 of 3,000", 10, "all of them again")
        self.browser("fill", selector="#rules-q", text="ü" * 64)  # 128 bytes: more than the server takes
        wait_for(lambda: self.table("rules") == [["None holds this."]], 10, "an answer")
        self.browser("fill", selector="#rules-q", text="")
        self.browser("select", selector="#rules-sort", value="rule")
        wait_for(lambda: self.rows() == [f"r{n}" for n in range(10)], 10, "the first ones")
        self.assertEqual(self.browser("said"), [])


class HostileInterface(Seen):
    """The kernel takes almost any name for an interface."""

    NAME = "<b>&lt;\"'`$"
    CHANGES = ({"listen": {"interface": NAME}},)

    def addresses(self):
        super().addresses()
        self.appliance.ip("link", "set", "in0", "down")
        self.appliance.ip("link", "set", "in0", "name", self.NAME, "up")

    def test_name(self):
        self.open()
        self.assertIn(self.NAME, self.see("document.querySelector('#facts').textContent"))
        self.assertEqual(self.see("document.querySelectorAll('b:not(.tiles b)').length"), 0)
        self.assertEqual(self.browser("said"), [])
