# SPDX-License-Identifier: GPL-2.0
"""What bounds the guard itself: answers, shares of sources; and what it does where cookies cannot serve."""

import json
import os
import select
import socket
import time

import test_guard_rulesets
from guard import Flood, GuardTest, Server, echo, said
from lab import S4, S6, eventually
from wire import OPTIONS, SYN, Wire, behind, fragments, segment, spoofed

PORT = 8080


class Limits(GuardTest):
    def answers(self, lab, count=20000, **flood):
        """(answers, SYNs dropped for the budget, seconds touched) of a flood."""
        before = self.reasons(lab)
        begin = time.monotonic()
        sent = Flood(lab, S4, PORT, count=count, **flood).wait()["sent"]
        seconds = int(time.monotonic() - begin) + 2
        after = self.reasons(lab)
        got = [after[x] - before[x] for x in ("cookie", "reply-budget")]
        self.assertEqual(sum(got), sent)
        return *got, seconds

    def test_guard_reply_budget(self):
        """Answers to one prefix, and to all, are bounded; each SYN is answered or dropped under one reason."""
        lab = self.lab()
        self.echo(lab)
        self.on(lab)
        answered, dropped, _ = self.answers(lab)
        self.assertEqual(dropped, 0)	# many prefixes
        lab.synward("guard", "--reply-rate", 500)
        time.sleep(1.1)	# what it was sent in this second counts
        answered, dropped, seconds = self.answers(lab, sources=200)	# of one /24
        self.assertLessEqual(answered, 500 * seconds)
        self.assertGreaterEqual(answered, 500)
        time.sleep(1.1)
        answered, dropped, _ = self.answers(lab, count=10000)
        self.assertEqual(dropped, 0)	# as many from many prefixes
        lab.synward("guard", "--reply-rate", 50000, "--total-rate", 1280)
        time.sleep(1.1)
        answered, dropped, seconds = self.answers(lab)
        self.assertLessEqual(answered, (1280 + 3 * 64) * seconds)	# each CPU has up to 64 that are not counted yet
        self.assertGreaterEqual(answered, 1280 - 3 * 64)
        # it is a budget per second: clients come through afterwards
        time.sleep(1.1)
        said(lab.c.connect(S4, PORT))

    def test_guard_core_budget(self):
        """A flood beyond what a CPU is to answer: who completed a handshake before is answered all the same, who
        is allowed or goes to another port is left alone; a dry run takes nothing of a live listener's budget."""
        cpus = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, cpus)
        os.sched_setaffinity(0, {min(cpus)})	# each CPU has a budget of its own
        lab, rate = self.lab(), 400
        strangers, others = [f"10.0.0.{i}" for i in range(50, 70)], [f"10.0.0.{i}" for i in range(70, 80)]
        lab.c.ip(*(f"addr add {x}/24 dev c0" for x in strangers + others))
        mac = lab.c.mac("c0").hex(":")
        lab.s.ip(*(f"neigh replace {x} lladdr {mac} dev s0 nud permanent" for x in strangers + others))
        self.echo(lab)
        self.echo(lab, PORT + 1)
        self.on(lab)
        elsewhere, allowed = strangers.pop(), strangers.pop()
        lab.synward("allow", "add", allowed)
        lab.synward("guard", "--core-rate", rate)
        self.assertGreater(self.answers(lab)[1], 18000)
        for live in (True, False):
            with self.subTest(live=live):
                lab.synward("guard", "on", "--live" if live else "--dry-run")
                lab.synward("guard", *(("off",) if live else ("on", "--live")), "--listener", PORT + 1)
                cookie, budget = ("cookie", "reply-budget") if live else ("would-cookie", "would-reply-budget")
                before, begin, asked = self.reasons(lab), time.monotonic(), lab.c.nstat()["TcpExtTCPSynRetrans"]
                flood = Flood(lab, S4, PORT, rate=5000, count=100000)
                time.sleep(0.5)
                for _ in range(50 if live else 0):
                    said(lab.c.connect(S4, PORT))
                    said(lab.c.connect(S4, PORT, allowed))
                    said(lab.c.connect(S4, PORT + 1, elsewhere))
                for x in () if live else others:	# what is only counted takes nothing of a live listener's clients
                    said(lab.c.connect(S4, PORT + 1, x))
                self.assertLessEqual(lab.c.nstat()["TcpExtTCPSynRetrans"] - asked, 2)	# what a queue has no room for
                waiting = []
                for x in strangers if live else ():	# not all while the flood waits for its CPU
                    waiting.append(lab.c.connect(S4, PORT, x, wait=False))
                    time.sleep(0.01)
                time.sleep(0.5)
                self.assertLess(sum(bool(select.select([], [s], [], 0)[1]) for s in waiting), 10)
                sent, after = flood.end()["sent"], self.reasons(lab)
                spent = {k: after[k] - before[k] for k in (cookie, budget)}
                self.assertGreaterEqual(sum(spent.values()), sent)
                self.assertGreaterEqual(spent[cookie], rate / 8)
                self.assertLessEqual(spent[cookie], (time.monotonic() - begin + 0.1) * rate + 50)
                for s in waiting:	# they come again, and then there is no flood
                    s.settimeout(10)
                    said(s)
                if live:	# what is dropped is part of the attack as well
                    eventually(lambda: self.assertGreater(
                        max((x["peak_syn_per_s"] for x in lab.synward("attacks")), default=0), 2 * rate), 5)
                    lab.synward("guard", "--core-rate", 0)
                    self.assertEqual(self.answers(lab)[1], 0)
                    lab.synward("guard", "--core-rate", rate)

    def test_guard_drop_shares(self):
        """Method drop: the shares of a source and of its prefix are as they are set."""
        lab = self.lab()
        lab.s.sysctl("net.core.somaxconn", 65535)
        lab.s.sysctl("net.ipv4.tcp_max_syn_backlog", 65535)
        self.echo(lab, backlog=65535)
        lab.attach("--guard", "on", "--live", "--method", "drop")

        def passed(sources):
            before = self.reasons(lab)["limited"]
            begin = time.monotonic()
            sent = Flood(lab, S4, PORT, count=5000, rate=10000, sources=sources).wait()["sent"]
            return sent - (self.reasons(lab)["limited"] - before), int(time.monotonic() - begin) + 2
        for rate, prefix, bits, sources, share in ((20, 10000, "24,48", 4, 4 * 20), (10000, 50, "24,48", 200, 50),
                                                   (10000, 50, "16,48", 4000, 50)):
            with self.subTest(rate=rate, prefix=prefix, bits=bits):
                got = lab.synward("guard", "--source-rate", rate, "--prefix-rate", prefix, "--prefix", bits)["guard"]["limits"]
                self.assertEqual((got["source_rate"], got["prefix_rate"], got["prefix"]),
                                 (rate, prefix, [int(b) for b in bits.split(",")]))
                count, seconds = passed(sources)
                self.assertGreaterEqual(count, share * 3 // 4)	# counters may share a slot
                self.assertLessEqual(count, share * seconds)
                time.sleep(1.1)

    def test_guard_limits_input(self):
        lab = self.lab()
        self.echo(lab)
        lab.attach()
        before = lab.synward("guard")["guard"]["limits"]
        self.assertEqual(before, {"source_rate": 10, "prefix": [24, 48], "prefix_rate": 100, "reply_rate": 50000,
                                  "core_rate": 400000, "total_rate": 4000000})
        for args in (("--prefix", "24"), ("--prefix", "24,"), ("--prefix", ",48"), ("--prefix", "0,48"),
                     ("--prefix", "33,48"), ("--prefix", "24,65"), ("--prefix", "024,48"), ("--prefix", "24,48,1"),
                     ("--source-rate", "0"), ("--prefix-rate", "x"), ("--reply-rate", "-1"), ("--total-rate", "1"),
                     ("--core-rate", "-1"), ("--core-rate", "9"), ("--reply-rate", "9999999999"), ("--reply-rate", "5", "--listener", str(PORT))):
            with self.subTest(args=args):
                lab.synward("guard", *args, expect=2)
        after = lab.synward("guard", "--prefix", "32,64")["guard"]["limits"]
        self.assertEqual(after, before | {"prefix": [32, 64]})


class Obscured(GuardTest):
    """SYNs that are not parsed: in fragments, or behind more IPv6 headers than are looked at."""
    SHAPES = {
        "a piece of the header": (False, lambda p: fragments(p, 8)),
        "the whole header": (False, lambda p: fragments(p, 32)),
        "nine IPv6 headers": (True, lambda p: [behind(p, 9)]),
        "forty IPv6 headers": (True, lambda p: [behind(p, 40)]),
    }
    sent = 0	# each from an address of its own

    def send(self, lab, shape, count):
        """So many such SYNs; how many the kernel's queue took, how many there were of each reason, for how long."""
        v6, cut = self.SHAPES[shape]
        before, wire, asked = self.reasons(lab), Wire(lab.c, "c0", sniff=False), self.half_open(lab, v6)
        begin = time.monotonic()
        for i in range(self.sent, self.sent + count):
            for p in cut(segment(spoofed(i, v6), 1024 + i, S6 if v6 else S4, PORT, SYN, i,
                                 options=OPTIONS, payload=bytes(8))):
                wire.send(p)
        self.sent += count
        time.sleep(0.1)
        seconds, after = int(time.monotonic() - begin) + 2, self.reasons(lab)
        return self.half_open(lab, v6) - asked, {k: after[k] - before[k] for k in after}, seconds

    def half_open(self, lab, v6):
        return sum(x.state == "SYN_RCVD" and (":" in x.addr) == v6 for x in lab.s.ss())

    def test_guard_obscured(self):
        """They do not reach an armed listener but for a few a second; other fragments are left alone."""
        lab = self.lab()
        lab.s.sysctl("net.core.somaxconn", 65535)
        lab.s.sysctl("net.ipv4.tcp_max_syn_backlog", 65535)
        self.echo(lab, backlog=65535)
        lab.attach("--guard", "on")
        self.known(lab)
        for shape in self.SHAPES:
            with self.subTest(shape, dry_run=True):
                took, reasons, seconds = self.send(lab, shape, 200)
                self.assertEqual(took, 200)
                self.assertGreaterEqual(reasons["would-obscured"], 200 - 8 * seconds - 16)
                self.assertEqual(reasons["obscured"], 0)
        lab.synward("guard", "on", "--live")
        self.known(lab)
        udp = lab.s.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((S4, 53))
        udp.settimeout(3)
        for shape in self.SHAPES:
            with self.subTest(shape):
                time.sleep(1.1)
                took, reasons, seconds = self.send(lab, shape, 1000)
                self.assertTrue(1 <= took <= 8 * seconds + 16, (took, seconds))	# and what two CPUs count at once
                self.assertEqual(reasons["obscured"] + took, 1000)
                self.assertEqual(reasons["cookie"], 0)
                data = os.urandom(3000)
                lab.c.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(data, (S4, 53))
                self.assertEqual(udp.recv(4000), data)
                said(lab.c.connect(S4, PORT))

    def test_guard_obscured_arms(self):
        """Nothing else comes: auto arms by what the kernel answers, and then bounds them."""
        lab = self.lab()
        self.echo(lab)
        lab.attach("--guard", "auto", "--live")
        for shape in ("a piece of the header", "nine IPv6 headers"):
            with self.subTest(shape):
                took, reasons, seconds = self.send(lab, shape, 3000)
                self.assertGreater(reasons["obscured"], 3000 - 256 - 8 * seconds - 32)
                self.assertLess(took, 512)


class BeyondCookies(GuardTest):
    """Listeners whose socket is elsewhere or behind NAT: first-syn serves them, and the views say so."""

    def served_by_first_syn(self, lab, addr, dst, why):
        entry = self.guard(lab, PORT, addr)
        self.assertEqual((entry["guard"]["serves"], entry["cookies"]["sent"]), ("first-syn", 0), entry)
        self.assertIn(why, entry["guard"]["why"])
        doc = json.loads(lab.synward("guard", "--check", "--listener", f"{addr}:{PORT}", expect=3).stdout)
        self.assertEqual([x["served"] for x in doc["listeners"]], [False])
        before = self.reasons(lab)["first-syn"]
        sent = Flood(lab, dst, PORT, count=5000).wait()["sent"]
        self.assertEqual(self.reasons(lab)["first-syn"] - before, sent)
        self.assertGreaterEqual(self.guard(lab, PORT, addr)["kept_off"] - entry["kept_off"], sent)
        said(lab.c.connect(dst, PORT))

    def test_guard_behind_nat(self):
        """A host with a NAT table, as where docker runs, and a port that no rule of it is about."""
        lab = self.lab()
        self.echo(lab)
        test_guard_rulesets.Rulesets.chain(self, lab.s, "prerouting", "tcp dport 1 redirect to :2", kind="nat",
                                           priority="dstnat")
        lab.attach("--guard", "on", "--live")
        self.known(lab, v6=(False,))
        self.served_by_first_syn(lab, "0.0.0.0", S4, "NAT")

    def test_guard_forwarded_port(self):
        """DNAT to another namespace, no socket here."""
        lab = self.lab()
        container = test_guard_rulesets.Rulesets.third(self, lab)
        Server(container.listen("0.0.0.0", 80), echo)
        test_guard_rulesets.Rulesets.chain(
            self, lab.s, "prerouting", f'iifname "s0" ip daddr {S4} tcp dport {PORT} dnat ip to 10.9.0.2:80',
            kind="nat", priority="dstnat")
        lab.attach("--guard", "on", "--live")
        said(lab.c.connect(S4, PORT))
        self.served_by_first_syn(lab, S4, S4, "not on this host")


class Judged(GuardTest):
    def test_guard_armed_since(self):
        """Mode on counts from when it was set, at attach as well."""
        lab = self.lab()
        self.echo(lab)
        begin = time.monotonic()
        self.on(lab)
        self.assertLessEqual(self.guard(lab)["guard"]["armed_for_ms"], (time.monotonic() - begin) * 1000)

    def test_guard_first_syn_disarms(self):
        """Method first-syn: clients whose first SYN was dropped and who came again are no flood that goes on."""
        lab = self.lab()
        self.echo(lab, backlog=64)
        lab.c.ip(*(f"addr add 10.0.0.{i}/24 dev c0" for i in range(50, 200)))
        mac = lab.c.mac("c0").hex(":")
        lab.s.ip(*(f"neigh replace 10.0.0.{i} lladdr {mac} dev s0 nud permanent" for i in range(50, 200)))
        lab.attach("--guard", "auto", "--live", "--method", "first-syn")
        lab.synward("guard", "--hold", 3)
        said(lab.c.connect(S4, PORT))
        Flood(lab, S4, PORT, rate=3000, count=6000).wait()
        self.assertTrue(self.guard(lab)["guard"]["armed"])
        begin = time.monotonic()
        addresses = iter(range(50, 200))
        waiting = []
        while self.guard(lab)["guard"]["armed"]:
            self.assertLess(time.monotonic() - begin, 25, "still armed")
            for _ in range(2):
                waiting.append(lab.c.connect(S4, PORT, f"10.0.0.{next(addresses)}", wait=False))
            time.sleep(0.4)
