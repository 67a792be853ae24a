# SPDX-License-Identifier: GPL-2.0
"""The guard's commands: what they set stays set, reverts when it is to, and is what the programs do."""

import json
import os
import random
import signal
import socket
import subprocess
import time
import unittest
from unittest import mock

import test_views
from lab import C4, C6, S4, S6, SYNWARD, LabTest, eventually, need, wait_until
from test_views import LISTENER, NULL, TIME
from wire import Wire, SYN, flood, segment, spoofed

PORT, OTHER = 8080, 9090
MODES, METHODS = ("off", "auto", "on"), ("cookie", "first-syn", "drop")
GUARD = {"mode": MODES, "dry_run": bool, "armed": bool, "armed_for_ms": int, "method": METHODS,
         "serves": METHODS + ("none",), "why": str, "high": int, "low": int, "hold_s": int, "until": (str, NULL)}
ALL = {"mode": MODES, "dry_run": bool, "method": METHODS, "high": (int, NULL), "low": (int, NULL), "hold_s": int,
       "until": (str, NULL), "armed": int, "own": int,
       "limits": {"source_rate": int, "prefix": list, "prefix_rate": int, "reply_rate": int, "core_rate": int, "total_rate": int}}
ENTRY = {"prefix": str, "verdict": ("allow", "deny"), "since": TIME, "expires": (str, NULL)}
ATTACK = {"start": TIME, "end": (str, NULL), "listener": str, "kind": ("attack", "armed"), "peak_syn_per_s": int,
          "syn": int, "completed": int, "kept_off": int, "admitted": int, "top_prefixes": list}
FRESH = {"mode": "auto", "dry_run": True, "method": "cookie", "hold_s": 10}


class Commands(LabTest):
    shape = test_views.Views.shape

    def setUp(self):
        self.net = self.lab()
        self.maxDiff = 4000

    def guard(self, *args, port=PORT, addr="0.0.0.0"):
        """What the answer of `guard` says of a listener."""
        return self.of(self.net.synward("guard", *args), port, addr)

    def of(self, doc, port=PORT, addr="0.0.0.0"):
        name = f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"
        found = [x["guard"] for x in doc["listeners"] if x["listener"] == name]
        self.assertEqual(len(found), 1, doc)
        return found[0]

    def has(self, guard, **want):
        self.assertEqual({k: guard[k] for k in want}, want, guard)

    def fails(self, *args, code=1, words=()):
        """One line on stderr that has the words, the same as JSON."""
        for json_too in (False, True):
            done = self.net.synward(*args, json=json_too, expect=code)
            self.assertEqual(len(done.stderr.splitlines()), 1, done)
            for word in words:
                self.assertIn(word, done.stderr)
            if json_too:
                self.assertEqual(list(json.loads(done.stdout)), ["error"])
            else:
                self.assertEqual(done.stdout, "")

    def reasons(self):
        return self.net.synward("status")["reasons"]

    def reason(self, name, at_least):
        eventually(lambda: self.assertGreaterEqual(self.reasons()[name], at_least))

    def connects(self, listener, src=None):
        c, _ = self.net.pair(listener, src)
        return c

    def opened(self, client):
        port = client.getsockname()[1]
        return [f["opened"] for f in self.net.flows("--port", port)]


class Guard(Commands):
    def setUp(self):
        super().setUp()
        self.four, self.six = self.net.listen(False, PORT, 512), self.net.listen(True, PORT, 256)
        self.net.attach()

    def test_fresh(self):
        """auto and dry run; high is half of the real backlog, low a quarter of that."""
        doc = self.net.synward("guard")
        self.shape(doc, {"guard": ALL, "listeners": [{"listener": str, "own": bool, "guard": GUARD}]})
        self.has(doc["guard"], **FRESH, high=None, low=None, until=None, armed=0, own=0)
        self.has(self.of(doc), **FRESH, armed=False, armed_for_ms=0, high=256, low=64, serves="cookie", why="")
        self.has(self.of(doc, addr="::"), **FRESH, high=128, low=32)
        for x in self.net.synward("listeners"):
            self.shape(x, LISTENER | {"guard": GUARD})
            self.has(x["guard"], **FRESH)
        status = self.net.synward("status")
        self.shape(status["guard"], ALL)
        self.assertEqual((status["cookie"], type(status["conntrack"])), ("assign", bool))
        self.assertEqual(self.net.synward("attacks"), [])
        text = self.net.synward("guard", json=False)
        self.assertRegex(text.stdout, rf"0\.0\.0\.0:{PORT} .*auto dry-run .*cookie .*256 +64 +10")
        self.assertEqual(text.stderr, "")

    def test_set(self):
        """What is given changes, all else stays; the answer, other commands and later ones agree."""
        want = dict(FRESH, high=256, low=64)
        for args, change in ((("on",), {"mode": "on"}), (("--live",), {"dry_run": False}),
                             (("auto",), {"mode": "auto"}), (("--dry-run",), {"dry_run": True}),
                             (("--method", "drop"), {"method": "drop"}),
                             (("--high", "100"), {"high": 100, "low": 25}), (("--low", "7"), {"low": 7}),
                             (("--hold", "3"), {"hold_s": 3}), (("off",), {"mode": "off"}),
                             (("on", "--live", "--method", "first-syn", "--high", "50", "--low", "9", "--hold", "60"),
                              {"mode": "on", "dry_run": False, "method": "first-syn", "high": 50, "low": 9, "hold_s": 60}),
                             (("--high", "0", "--low", "0"), {"high": 256, "low": 64})):
            with self.subTest(args=args):
                want |= change
                doc = self.net.synward("guard", *args)
                self.has(self.of(doc), **want, until=None)
                self.has(self.guard(), **want)
                self.has(self.net.listener(PORT, "0.0.0.0")["guard"], **want)
                for name in ("mode", "dry_run", "method", "hold_s"):
                    self.assertEqual(self.net.synward("status")["guard"][name], want[name])
        self.assertTrue(self.guard()["armed"])
        self.assertFalse(self.guard("off")["armed"])

    def test_own(self):
        """--listener gives a policy of its own, from the one in force; a mode without it is for all."""
        self.guard("on", "--high", "77")
        self.has(self.guard("--hold", "5", "--listener", f"0.0.0.0:{PORT}"), mode="on", high=77, hold_s=5)
        self.has(self.guard(addr="::"), mode="on", high=77, hold_s=10)
        doc = self.net.synward("guard", "off", "--listener", f"[::]:{PORT}")
        self.assertEqual([x["listener"] for x in doc["listeners"]], [f"[::]:{PORT}"])
        self.has(doc["guard"], mode="on", own=2)
        self.has(self.guard(), mode="on", hold_s=5)
        self.has(self.guard(addr="::"), mode="off")
        late = self.net.listen(False, OTHER, 64)	# nobody has seen it yet
        self.has(self.guard(port=OTHER), mode="on", high=77, hold_s=10)
        self.has(self.guard("--listener", OTHER, "--high", "0", port=OTHER), mode="on", high=32)
        doc = self.net.synward("guard", "auto", "--live")
        for port, addr in ((PORT, "0.0.0.0"), (PORT, "::"), (OTHER, "0.0.0.0")):
            self.has(self.of(doc, port, addr), mode="auto", dry_run=False)
        self.has(self.of(doc), hold_s=5)	# only what was given
        doc = self.net.synward("guard", "on", "--listener", PORT)	# both families
        self.assertEqual([x["guard"]["mode"] for x in doc["listeners"]], ["on", "on"])
        self.has(self.guard(port=OTHER), mode="auto")
        doc = self.net.synward("guard", "--listener", OTHER)	# shows
        self.assertEqual([(x["listener"], x["guard"]["mode"]) for x in doc["listeners"]], [(f"0.0.0.0:{OTHER}", "auto")])
        late.close()

    def test_for(self):
        """Back to the policy before, also after more than one; another setting makes it permanent."""
        before = self.guard("auto", "--live", "--high", "33")
        self.has(self.guard("on", "--high", "44", "--for", "1h"), mode="on", high=44)
        got = self.guard("--method", "drop", "--for", "8s")	# commands wait for each other, whoever gives them
        self.has(got, mode="on", high=44, method="drop")
        self.assertRegex(got["until"], TIME)
        self.shape(self.net.synward("status")["guard"], ALL | {"until": TIME})
        own = self.guard("off", "--listener", f"[::]:{PORT}", "--for", "12s", addr="::")
        self.has(own, mode="off", method="drop")
        same = {k: before[k] for k in ("mode", "dry_run", "method", "high", "low", "hold_s", "until")}
        eventually(lambda: self.has(self.guard(), **same), 20)
        self.has(self.guard(addr="::"), mode="off")
        eventually(lambda: self.has(self.guard(addr="::"), **same), 20)	# the one before was to end as well
        self.has(self.guard("--high", "55"), mode="auto", high=55)	# after an expired one
        self.guard("on", "--for", "5s")
        self.has(self.guard("--hold", "4"), mode="on", until=None)
        time.sleep(5.2)
        self.has(self.guard(), mode="on", high=55, hold_s=4)

    def test_for_needs_no_process(self):
        self.connects(self.four)	# the kernel is seen to answer
        self.guard("on", "--live", "--for", "3s")
        end = time.monotonic() + 3
        self.assertEqual(self.opened(self.connects(self.four)), ["cookie"])
        time.sleep(max(0, end - time.monotonic()) + 0.3)
        count = self.reasons()["cookie"]
        self.assertEqual(self.opened(self.connects(self.four)), ["active"])
        self.assertEqual(self.reasons()["cookie"], count)

    def test_check(self):
        doc = self.net.synward("guard", "--check")
        self.shape(doc["listeners"], [{"served": bool, "seen": bool, "guard": GUARD}])
        self.assertEqual((doc["unserved"], [x["seen"] for x in doc["listeners"]]), (0, [False, False]))
        self.connects(self.four)
        doc = self.net.synward("guard", "--check")
        self.assertEqual({x["listener"]: x["seen"] for x in doc["listeners"]},
                         {f"0.0.0.0:{PORT}": True, f"[::]:{PORT}": False})
        self.assertRegex(self.net.synward("guard", "--check", json=False).stdout, "not seen to answer")
        self.net.s.sysctl("net.ipv4.tcp_syncookies", 0)
        done = self.net.synward("guard", "--check", expect=3)
        doc = json.loads(done.stdout)
        self.assertEqual((done.stderr, doc["unserved"]), ("", 2))
        for x in doc["listeners"]:
            self.assertFalse(x["served"])
            self.assertIn("tcp_syncookies", x["guard"]["why"])
        self.assertRegex(self.net.synward("guard", "--check", json=False, expect=3).stdout, r"first-syn +NO +.*tcp_syncookies")
        for asked in (("off",), ("on", "--method", "first-syn"), ("--method", "drop")):
            self.assertEqual(self.net.synward("guard", *asked, "--check")["unserved"], 0, asked)
        done = self.net.synward("guard", "auto", "--method", "cookie", "--live", json=False)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertRegex(done.stderr, "cookies cannot serve .*tcp_syncookies.*1 more")
        self.net.s.sysctl("net.ipv4.tcp_syncookies", 1)
        self.assertEqual(self.net.synward("guard", "--live", json=False).stderr, "")

    def test_check_mptcp(self):
        try:
            s = self.net.s.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
            s.bind(("0.0.0.0", OTHER))
            s.listen(64)
        except OSError as why:
            raise unittest.SkipTest(f"no MPTCP: {why}")
        done = self.net.synward("guard", "on", "--listener", OTHER, "--check", expect=3)
        row, = json.loads(done.stdout)["listeners"]
        self.assertEqual((row["served"], row["guard"]["serves"]), (False, "first-syn"))
        self.assertIn("MPTCP", row["guard"]["why"])

    def test_bad_input(self):
        for args in (("maybe",), ("on", "off"), ("--method", "nosuch"), ("--high", "-1"), ("--high", "x"),
                     ("--high", "99999999999"), ("--low", "1e3"), ("--hold", "0"), ("--hold", "86401"),
                     ("--for", "10"), ("--for", "10 m"), ("--for", "0s"), ("--for", "10y"), ("--for", "-1s"),
                     ("--for", "9999999999999999999d"), ("on", "--for", "m"), ("--for", "10m"), ("--for",),
                     ("--listener", "0"), ("--listener", "65536"), ("--listener", "host:80"), ("--listener", "::80"),
                     ("--listener", "[::]"), ("--listener", "[10.0.0.1]:80"), ("--listener", "10.0.0.256:80"),
                     ("--dry-run", "--live"), ("--high", "10", "--low", "10"), ("--nosuch",)):
            with self.subTest(args=args):
                self.fails("guard", *args, code=2)
        self.fails("guard", "--listener", "1", words=["nothing listens on 1"])
        self.fails("guard", "on", "--listener", f"10.9.9.9:{PORT}", words=["10.9.9.9"])
        self.guard("--high", "20")
        self.fails("guard", "--low", "20", words=["--low"])
        self.has(self.guard(), **FRESH, high=20)

    def test_killed(self):
        """kill -9 at any moment: the policy before or the one after; the next command finds all in order."""
        a = ("on", "--live", "--method", "first-syn", "--high", "100", "--low", "50", "--hold", "5")
        b = ("auto", "--dry-run", "--method", "cookie", "--high", "900", "--low", "3", "--hold", "77")
        names = ("mode", "dry_run", "method", "high", "low", "hold_s")

        def policies():
            doc = self.net.synward("guard")
            return {tuple(self.of(doc, addr=x)[n] for n in names) for x in ("0.0.0.0", "::")}
        self.net.synward("guard", *b, "--listener", f"[::]:{PORT}")
        both, whole = {}, 1
        for args in (a, b):
            for _ in range(3):	# one that waits for another test's attach says nothing
                begin = time.monotonic()
                self.net.synward("guard", *args)
                whole = min(whole, time.monotonic() - begin)
            both[args], = policies()
        ends = []
        for i in range(20):
            args = (a, b)[i % 2] + (("--for", "1h") if i % 3 else ())
            p = subprocess.Popen([SYNWARD, "guard", *args, "--netns", self.net.s.path], stdout=subprocess.DEVNULL)
            time.sleep(whole * random.random())
            p.kill()
            ends.append(p.wait())
            self.assertLessEqual(policies(), set(both.values()))
        self.assertGreater(ends.count(-signal.SIGKILL), 3, ends)
        self.net.synward("guard", *a)
        self.assertEqual(policies(), {both[a]})

    def test_cookies_in_views(self):
        """What went by cookies: in flows, listeners, states, status."""
        self.connects(self.four)
        self.guard("on", "--live")
        cookies = [self.connects(self.four) for _ in range(10)]
        for c in cookies:
            self.assertEqual(self.opened(c), ["cookie"])
        flood(self.net.c, "c0", S4, PORT, 50, 0.2)
        self.reason("cookie", 60)
        got = self.net.listener(PORT, "0.0.0.0")
        self.assertEqual((got["kept_off"], got["would_keep_off"], got["syn"], got["completed"]), (60, 0, 61, 11))
        self.assertEqual((got["timed_out"], got["half_open"], got["passed"]), (0, 0, 0))
        self.has(got["cookies"], sent=60, bad=0)
        # for some seconds after the flood
        self.assertEqual((got["challenged"], self.net.synward("states")["challenged"]), (50, 50))
        self.assertIn("50 challenged", self.net.synward("states", json=False).stdout)
        for c in cookies:
            c.send(b"x")
        eventually(lambda: self.assertEqual(self.net.listener(PORT, "0.0.0.0")["cookies"]["ok"], 10))
        self.assertRegex(self.net.synward("listeners", json=False).stdout, rf"0\.0\.0\.0:{PORT} .* 60  armed \d")
        eventually(lambda: self.assertEqual(self.net.synward("states")["challenged"], 0), 6)

    def test_dry_run(self):
        """Armed, and every packet goes its way: the same ones arrive and leave, from the kernel."""
        tables = [self.net.s.drop("prerouting", f"tcp dport {PORT} tcp flags & (syn|ack) == syn", "accept"),
                  self.net.c.drop("prerouting", f"tcp sport {PORT} tcp flags & (syn|ack) == (syn|ack)", "accept")]
        self.connects(self.four)
        self.has(self.guard("on"), dry_run=True, armed=True)
        for _ in range(20):
            self.assertEqual(self.opened(self.connects(self.four)), ["active"])
        self.assertEqual([t.packets() for t in tables], [21, 21])
        got = self.net.listener(PORT, "0.0.0.0")
        self.assertEqual((got["would_keep_off"], got["kept_off"], got["dropped"], got["syn"]), (20, 0, 0, 21))
        self.has(got["cookies"], sent=0, ok=0, bad=0)
        count = self.reasons()
        self.assertEqual((count["would-cookie"], count["cookie"]), (20, 0))
        self.assertIn("(20)", self.net.synward("listeners", json=False).stdout)

    def test_attacks(self):
        """A flood arms a listener: an episode that goes on, and ends by itself."""
        self.guard("auto", "--live", "--high", "64", "--hold", "2", "--low", "63")
        before = time.time()
        flood(self.net.c, "c0", S4, PORT, 4000, 2.0)
        got, = eventually(lambda: self.one_attack())
        self.shape(got, ATTACK)
        self.assertEqual((got["end"], got["listener"]), (None, f"0.0.0.0:{PORT}"))
        self.assertTrue(self.guard()["armed"])
        self.assertEqual(self.net.synward("status")["guard"]["armed"], 1)
        self.assertRegex(self.net.synward("attacks", json=False).stdout, rf"goes on +0\.0\.0\.0:{PORT}")
        self.assertFalse(self.guard(addr="::")["armed"])
        got, = eventually(lambda: self.one_attack(ended=True), 8)
        kept = self.net.listener(PORT, "0.0.0.0")["kept_off"]
        self.assertEqual((got["kind"], got["kept_off"], got["completed"], got["admitted"]), ("attack", kept, 0, 0))
        self.assertGreater(kept, 2000)
        self.assertGreater(got["peak_syn_per_s"], 50)
        self.assertTrue(0 < sum(x["syn"] for x in got["top_prefixes"]) < 2 * kept, got)	# sampled
        for x in got["top_prefixes"]:
            self.assertRegex(x["prefix"], r"^198\.18\.\d+\.0/24$")
        self.assertEqual(got["top_prefixes"], sorted(got["top_prefixes"], key=lambda x: -x["syn"]))
        start, end = (time.mktime(time.strptime(got[k][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
                      for k in ("start", "end"))
        self.assertTrue(before - 2 < start < end < time.time() + 1, got)
        self.connects(self.four)	# its SYN finds out that it is over: since when does not change
        again = self.net.synward("attacks")[-1]	# the oldest
        self.assertEqual(again["end"][:19], got["end"][:19])
        self.assertEqual(again["kept_off"], kept)

    def one_attack(self, ended=False):
        got = self.net.synward("attacks")
        self.assertEqual(len(got), 1)
        self.assertTrue(got[0]["end"] or not ended)
        return got


class Attach(Commands):
    """The guard's options of attach."""

    def test_options(self):
        self.net.listen(False, PORT, 512)
        doc = self.net.attach("--guard", "on", "--live", "--method", "first-syn")
        self.has(doc["guard"], mode="on", dry_run=False, method="first-syn", hold_s=10)
        self.assertEqual(doc["cookie"], "assign")
        self.has(self.guard(), mode="on", dry_run=False, method="first-syn", serves="first-syn", armed=True)
        for args in (("--guard", "off"), ("--live",), ("--dry-run",), ("--method", "drop")):
            self.fails("attach", "s0", "--replace", *args, words=["synward guard"])
        path = self.net.dir() / "secret"
        path.write_text("0" * 32)
        for args in (("--secret", path), ("--cookie-backend", "none")):
            self.fails("attach", "s0", "--replace", *args, words=["detach --all"])
        self.net.attach("--replace")
        self.has(self.guard(), mode="on", dry_run=False, method="first-syn")

    def test_bad_input(self):
        for args in (("--guard", "maybe"), ("--method", "syn"), ("--cookie-backend", "nosuch"), ("--dry-run", "--live")):
            self.fails("attach", "s0", *args, code=2, words=[args[0]])
        path = self.net.dir() / "secret"
        for text in ("", "12", "x" * 32, "0" * 33):
            path.write_text(text)
            self.fails("attach", "s0", "--secret", path, words=["32 hexadecimal"])
        self.fails("attach", "s0", "--secret", path / "nosuch", words=["nosuch"])
        self.assertFalse(self.net.s.pins.exists())
        path.write_text("0123456789abcdef 0123456789ABCDEF\n")
        self.net.attach("--secret", path)

    def test_no_backend(self):
        """--cookie-backend none: no cookie, whatever is asked for; and it says so."""
        listener = self.net.listen(False, PORT, 512)
        done = self.net.synward("attach", "s0", "--guard", "on", "--live", "--cookie-backend", "none", json=False)
        self.assertIn("cookies cannot serve", done.stderr)
        self.assertEqual(self.net.synward("status")["cookie"], "none")
        self.net.synward("guard", "--check", expect=3)
        self.has(self.guard(), serves="first-syn", why="attached with --cookie-backend none")
        self.connects(listener)	# its first SYN is dropped
        self.connects(listener)	# known by now
        count = self.reasons()
        self.assertEqual((count["cookie"], count["first-syn"]), (0, 1))

    def test_hooks_without_cookies(self):
        self.net.listen(False, PORT, 512)
        for devs, args, serves, why in ((("s0",), ("--hook", "tc"), "first-syn", "XDP"), (("lo",), (), "none", "lo")):
            self.net.attach("--live", *args, devs=devs)
            row, = json.loads(self.net.synward("guard", "--check", expect=3).stdout)["listeners"]
            self.assertEqual(row["guard"]["serves"], serves)
            self.assertIn(why, row["guard"]["why"])
            self.net.synward("detach", "--all")

    def test_nothing_attached(self):
        for args in (("guard",), ("guard", "on"), ("attacks",), ("allow", "list"), ("deny", "add", "10.0.0.0/8")):
            self.fails(*args, words=["synward attach"])
        self.assertFalse(self.net.s.pins.exists())


class Lists(Commands):
    def setUp(self):
        super().setUp()
        self.four, self.six = self.net.listen(False, PORT, 512), self.net.listen(True, PORT, 256)
        self.net.attach("--guard", "off")

    def listed(self, verdict):
        return [x["prefix"] for x in self.net.synward(verdict, "list")]

    def syn(self, src, dst):
        self.port = getattr(self, "port", 2000) + 1	# a flow of its own
        Wire(self.net.c, "c0", sniff=False).send(segment(src, self.port, dst, PORT, SYN, 1))

    def denied(self, src, dst=S4):
        """Is a SYN of it dropped?"""
        before = self.reasons()
        self.syn(src, dst)

        def told():
            now = self.reasons()
            self.assertEqual(sum(now.values()) > sum(before.values()), True)
            for reason in ("denied", "observed"):
                if now[reason] > before[reason]:
                    return reason == "denied"
            raise AssertionError(now)
        return eventually(told)

    def test_table(self):
        got = self.net.synward("deny", "add", "10.9.8.7/8")
        self.shape(got, {"added": ENTRY})
        self.has(got["added"], prefix="10.0.0.0/8", verdict="deny", expires=None)
        self.assertEqual(got["replaced"], None)
        got = self.net.synward("deny", "add", "2001:db8::/32", "--ttl", "1h")
        self.shape(got, {"added": ENTRY | {"expires": TIME}})
        self.assertEqual(self.net.synward("allow", "add", "::ffff:192.0.2.1")["added"]["prefix"], "192.0.2.1/32")
        self.assertEqual(self.net.synward("allow", "add", "10.0.0.0/8")["replaced"], "deny")
        self.shape(self.net.synward("deny", "list"), [ENTRY])
        self.assertEqual(self.listed("deny"), ["2001:db8::/32"])
        self.assertEqual(sorted(self.listed("allow")), ["10.0.0.0/8", "192.0.2.1/32"])
        self.assertRegex(self.net.synward("deny", "list", json=False).stdout, r"2001:db8::/32 +deny +20\d\d-.* 20\d\d-")
        self.fails("deny", "del", "10.0.0.0/8", words=["10.0.0.0/8", "allow list"])
        self.fails("allow", "del", "10.0.0.0/9", words=["10.0.0.0/9"])
        got = self.net.synward("allow", "del", "10.0.0.0/8")
        self.assertEqual(got["deleted"]["prefix"], "10.0.0.0/8")
        self.assertEqual(self.net.synward("deny", "flush"), {"flushed": 1})
        self.assertEqual(self.listed("allow"), ["192.0.2.1/32"])
        self.assertEqual(self.net.synward("allow", "flush"), {"flushed": 1})
        for verdict in ("allow", "deny"):
            self.assertEqual(self.net.synward(verdict, "list"), [])
            self.assertRegex(self.net.synward(verdict, "list", json=False).stdout, "^no prefix")
            self.assertEqual(self.net.synward(verdict, "add", "fe80::/10", json=False).stdout, f"{verdict} fe80::/10\n")

    def test_bad_input(self):
        for verdict in ("allow", "deny"):
            for args in ((), ("nosuch",), ("add",), ("del",), ("add", "host"), ("add", "10.0.0.0/33"), ("add", "::/129"),
                         ("add", "10.0.0"), ("add", "10.0.0.0/8x"), ("add", ""), ("add", "10.0.0.0/8", "10.0.0.1"),
                         ("list", "10.0.0.1"), ("flush", "x"), ("add", "10.0.0.1", "--ttl", "10"), ("list", "--ttl", "1h"),
                         ("del", "10.0.0.1", "--force"), ("add", "10.0.0.1", "--nosuch")):
                with self.subTest(args=(verdict, *args)):
                    self.fails(verdict, *args, code=2)
            self.assertEqual(self.listed(verdict), [])

    def test_deny(self):
        """With the guard off: SYNs of the prefix are dropped, the longest one counts, connections go on."""
        client, server = self.net.pair(self.four)
        self.net.synward("deny", "add", "10.0.0.0/24")
        self.assertTrue(self.denied(C4))
        self.assertTrue(self.denied("10.0.0.99"))
        self.assertFalse(self.denied(spoofed(1)))
        self.assertFalse(self.denied(C6, S6))
        client.send(b"still here")
        self.assertEqual(server.recv(10), b"still here")
        got = self.net.listener(PORT, "0.0.0.0")
        self.assertEqual((got["syn"], got["half_open"]), (2, 1))
        self.net.synward("allow", "add", C4)
        self.assertFalse(self.denied(C4))
        self.assertTrue(self.denied("10.0.0.99"))
        self.net.synward("deny", "add", C4)
        self.net.synward("deny", "del", "10.0.0.0/24")
        self.assertTrue(self.denied(C4))
        self.assertFalse(self.denied("10.0.0.99"))
        self.net.synward("deny", "flush")
        self.assertFalse(self.denied(C4))
        self.net.synward("deny", "add", "::/0")	# of IPv6 only
        self.assertFalse(self.denied(C4))
        self.assertTrue(self.denied(C6, S6))
        self.net.synward("allow", "add", C6 + "/64")
        self.assertFalse(self.denied(C6, S6))
        self.assertTrue(self.denied(spoofed(1, True), S6))

    def test_ttl(self):
        """Ends without a process; and an allowed prefix that ends leaves the denied one around it."""
        self.net.synward("deny", "add", "10.0.0.0/16")
        self.net.synward("allow", "add", "10.0.0.0/24", "--ttl", "8s")	# commands wait for each other
        self.net.synward("allow", "add", C4, "--ttl", "1s")
        self.net.synward("deny", "add", "fd00::/32", "--ttl", "8s")
        end = time.monotonic() + 8.2
        self.assertFalse(self.denied(C4))
        self.assertTrue(self.denied(C6, S6))
        time.sleep(max(0, end - time.monotonic()))
        self.assertTrue(self.denied(C4))
        self.assertFalse(self.denied(C6, S6))
        self.assertEqual((self.listed("deny"), self.listed("allow")), (["10.0.0.0/16"], []))
        self.assertEqual(self.net.synward("deny", "flush"), {"flushed": 1})

    def test_allow_exempts(self):
        """Armed: an allowed client is answered by the kernel, any other by a cookie."""
        self.connects(self.four)
        self.net.c.ip("addr add 10.0.0.11/24 dev c0")
        self.net.s.ip(f"neigh replace 10.0.0.11 lladdr {self.net.c.mac('c0').hex(':')} dev s0 nud permanent")
        self.guard("on", "--live")
        self.net.synward("allow", "add", C4)
        self.assertEqual(self.opened(self.connects(self.four, (C4, 0))), ["active"])
        self.assertEqual(self.opened(self.connects(self.four, ("10.0.0.11", 0))), ["cookie"])

    def test_ssh(self):
        """Not who types it: $SSH_CONNECTION, without --force."""
        for peer, held, free in (("10.1.2.3", "10.0.0.0/8", "10.1.2.4"), ("10.1.2.3", "0.0.0.0/0", "::/0"),
                                 ("::ffff:10.1.2.3", "10.1.2.3", "11.0.0.0/8"), ("fd00::5", "fd00::/16", "0.0.0.0/0"),
                                 ("fe80::1%eth0", "fe80::/10", "fe80::2")):
            with self.subTest(peer=peer), mock.patch.dict(os.environ, SSH_CONNECTION=f"{peer} 50000 10.0.0.2 22"):
                self.fails("deny", "add", held, words=[held, "--force"])
                self.net.synward("deny", "add", free)
                self.net.synward("allow", "add", held)
                self.net.synward("deny", "add", held, "--force")
                self.assertEqual(len(self.listed("deny")), 2)
                self.net.synward("deny", "flush")

    @need("bpftool")
    def test_full(self):
        """65,536 prefixes: then it says so; replacing works, and so does flush."""
        value = (bytes(8) + (128 << 55 | 1 << 63).to_bytes(8, "little")).hex(" ")	# for good; bits, deny
        lines = [f"map update pinned {self.net.s.pins}/lists key hex "
                 f"{(128).to_bytes(4, 'little').hex(' ')} {(bytes(10) + bytes.fromhex('ffff') + (0x0b000000 + i).to_bytes(4)).hex(' ')} "
                 f"value hex {value}"
                 for i in range(65536)]
        path = self.net.dir() / "batch"
        path.write_text("\n".join(lines) + "\n")
        subprocess.run(["bpftool", "batch", "file", path], check=True, capture_output=True)
        self.fails("deny", "add", "12.0.0.1", words=["65536", "synward deny del"])
        self.assertEqual(self.net.synward("allow", "add", "11.0.0.1")["replaced"], "deny")
        self.assertEqual(self.net.synward("deny", "flush"), {"flushed": 65535})
        self.assertEqual(self.listed("allow"), ["11.0.0.1/32"])
        self.net.synward("deny", "add", "12.0.0.1")

    def test_killed(self):
        """kill -9 at any moment: a prefix is listed or it is not, and what is listed holds."""
        whole = 1
        for _ in range(3):	# one that waits for another test's attach says nothing
            begin = time.monotonic()
            self.net.synward("deny", "add", "10.0.0.0/8")
            whole = min(whole, time.monotonic() - begin)
        for i in range(8):
            for action in ("add", "del"):
                p = subprocess.Popen([SYNWARD, "deny", action, "10.0.0.0/8", "--netns", self.net.s.path],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(whole * random.random())
                p.kill()
                p.wait()
                if i % 4 == 0:
                    self.assertEqual(self.denied(C4), self.listed("deny") == ["10.0.0.0/8"])
        self.net.synward("deny", "flush")
        self.assertFalse(self.denied(C4))
