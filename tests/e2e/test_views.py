# SPDX-License-Identifier: GPL-2.0
"""The documents that scripts rely on: their shape, what filters them, and what a handshake leaves in them."""

import json
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

from lab import C4, C6, S4, S6, STATES, SYNWARD, LabTest, eventually, wait_until
from wire import Peer, Wire, spoofed

PORT = 8080
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
NULL = type(None)
SIDE = {"addr": str, "port": int, "state": STATES, "mss": (int, NULL), "wscale": (int, NULL),
        "window": (int, NULL), "sack": (bool, NULL), "timestamps": (bool, NULL)}
FLOW = {"client": SIDE, "server": SIDE, "local": ("client", "server", None), "dev": str,
        "opened": ("active", "simultaneous", "midstream", "socket", "cookie"), "age_ms": int, "idle_ms": int,
        "expires_ms": (int, NULL), "ambiguous": bool, "server_us": (int, NULL), "client_us": (int, NULL),
        "syn_retransmits": int, "synack_retransmits": int, "fin_retransmits": int,
        "first_fin": ("client", "server", "both", None), "half_closed_ms": (int, NULL),
        "reset_by": ("client", "server", None)}
HISTOGRAM = {state: int for state in STATES}
HIST = {"dev": (str, NULL), "time": TIME, "flows": int, "half_open": int, "challenged": int, "pending": int,
        "local": HISTOGRAM, "remote": HISTOGRAM, "client": HISTOGRAM, "server": HISTOGRAM}
LISTENER = {"addr": str, "port": int, "process": (str, NULL), "origin": ("socket", "learned"), "half_open": int,
            "tracked": int, "untracked": int, "kernel_half_open": int, "challenged": int, "pending": int,
            "backlog": int, "backlog_limit": ("listen", "somaxconn", "tcp_max_syn_backlog"), "accept_queue": int,
            "accept_max": int, "syn": int, "completed": int, "refused": int, "aborted": int, "timed_out": int,
            "synack_retransmits": int, "kept_off": int, "passed": int, "dropped": int, "would_keep_off": int,
            "cookies": {"sent": int, "ok": int, "bad": int},
            "guard": {k: object for k in ("mode", "dry_run", "armed", "armed_for_ms", "method", "serves", "why",
                                          "high", "low", "hold_s")}}
STATUS = {"version": str, "netns": object, "devices": [{"dev": str, "hook": str, "xdp_mode": (str, NULL),
          "since": TIME}], "flows": {"used": int, "max": int}, "half_open": {"used": int, "max": int, "untracked": int},
          "guard": object, "cookie": ("assign", "helper", "none"), "conntrack": bool, "reasons": dict}


class Views(LabTest):
    def setUp(self):
        self.net = self.lab()
        self.maxDiff = 4000

    def shape(self, value, want, where="document"):
        """Every key is there with the right type; more keys are allowed."""
        if isinstance(want, dict):
            self.assertIsInstance(value, dict, where)
            self.assertFalse(want.keys() - value.keys(), f"missing in {where}")
            for key, kind in want.items():
                self.shape(value[key], kind, f"{where}.{key}")
        elif isinstance(want, list):
            self.assertTrue(value, f"{where} is empty")
            for x in value:
                self.shape(x, want[0], where + "[]")
        elif want == TIME:
            self.assertRegex(value, TIME, where)
        elif isinstance(want, tuple) and not isinstance(want[0], type):
            self.assertIn(value, want, where)
        else:
            self.assertIsInstance(value, want, where)
            if want in (int, (int, NULL)):
                self.assertNotIsInstance(value, bool, where)

    def flow(self, client=None, port=PORT):
        """The only flow of a server port, or the one from a client socket."""
        found = [f for f in self.net.flows() if f["server"]["port"] == port
                 and (client is None or f["client"]["port"] == client.getsockname()[1])]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def states_of(self, flow):
        return flow["client"]["state"], flow["server"]["state"]

    def test_shapes(self):
        ends = [self.net.listen(False, PORT), self.net.listen(True, PORT)]
        self.net.attach()
        for listener in ends:
            self.net.pair(listener)
        flows = self.net.flows()
        self.shape(flows, [FLOW], "flows")
        self.assertEqual(len(flows), 2)
        self.assertEqual(sorted((f["client"]["addr"], f["server"]["addr"]) for f in flows), [(C4, S4), (C6, S6)])
        for f in flows:
            self.assertEqual(self.states_of(f), ("ESTABLISHED", "ESTABLISHED"))
            self.assertEqual((f["opened"], f["local"], f["dev"], f["ambiguous"]), ("active", "server", "s0", False))
            self.assertEqual((f["first_fin"], f["half_closed_ms"], f["reset_by"]), (None, None, None))
            for side in ("client", "server"):
                self.assertEqual(f[side]["mss"], 1440 if ":" in f[side]["addr"] else 1460)
                self.assertEqual((f[side]["sack"], f[side]["timestamps"]), (True, True))
                self.assertIn(f[side]["wscale"], range(15))
            self.assertGreaterEqual(f["age_ms"], f["idle_ms"])
        hist = self.net.synward("states")
        self.shape(hist, HIST, "states")
        self.assertEqual((hist["dev"], hist["flows"], hist["half_open"]), (None, 2, 0))
        hist = self.net.synward("states", "--dev", "s0")
        self.assertEqual((hist["dev"], hist["server"]["ESTABLISHED"]), ("s0", 2))
        listeners = self.net.synward("listeners")
        self.shape(listeners, [LISTENER], "listeners")
        self.assertEqual(sorted((x["addr"], x["port"], x["completed"], x["syn"], x["origin"]) for x in listeners),
                         [("0.0.0.0", PORT, 1, 1, "socket"), ("::", PORT, 1, 1, "socket")])
        status = self.net.synward("status")
        self.shape(status, STATUS, "status")
        self.assertEqual([x["dev"] for x in status["devices"]], ["s0"])
        self.assertEqual(status["flows"]["used"], 2)
        self.assertGreaterEqual(status["flows"]["max"], 262144)
        self.assertGreaterEqual(status["half_open"]["max"], 65536)
        self.assertTrue(all(type(n) is int for n in status["reasons"].values()), status["reasons"])

    def test_attach_and_detach_answer(self):
        for args in (("attach", "s0"), ("detach", "s0")):
            self.assertIn("s0", json.dumps(self.net.synward(*args)))
        text = self.net.synward("attach", "s0", "--hook", "tc", json=False)
        self.assertIn("s0", text.stdout)
        self.assertEqual(text.stderr, "")

    def test_status_tells_the_hook(self):
        for args, want in ((("--hook", "tc"), ("tc", None)),
                           (("--hook", "xdp", "--xdp-mode", "generic"), ("xdp", "generic")),
                           (("--hook", "xdp", "--xdp-mode", "native"), ("xdp", "native")),
                           ((), ("xdp", "generic"))):	# veth: generic unless told otherwise
            with self.subTest(args=args):
                self.net.attach(*args)
                device, = self.net.synward("status")["devices"]
                if want[0] == "tc":
                    self.assertEqual(device["hook"], "tc")
                else:
                    self.assertEqual((device["hook"], device["xdp_mode"]), want)
                    word = {"generic": "xdpgeneric", "native": "xdp"}[want[1]]
                    self.assertRegex(self.net.s.run("ip", "link", "show", "dev", "s0"), rf"\b{word}\b")
                self.net.synward("detach", "--all")

    def test_text_on_a_pipe(self):
        self.net.attach()
        self.net.pair(self.net.listen())
        for command in ("states", "flows", "listeners", "status"):
            done = self.net.synward(command, json=False)
            self.assertTrue(done.stdout.strip(), command)
            self.assertNotIn("\x1b", done.stdout + done.stderr, command)
        self.assertIn("ESTABLISHED", self.net.synward("states", json=False).stdout)
        self.assertIn(f"{S4}:{PORT}", self.net.synward("flows", json=False).stdout)
        self.assertIn(f"0.0.0.0:{PORT}", self.net.synward("listeners", json=False).stdout)

    def test_help(self):
        for command in ("attach", "detach", "status", "states", "flows", "listeners", "top"):
            done = subprocess.run([SYNWARD, command, "--help"], capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertIn("synward " + command, done.stdout)
            self.assertRegex(done.stdout.lower(), "example", command)
            self.assertNotIn("\x1b", done.stdout)
        for option in ("--help", "--version"):
            done = subprocess.run([SYNWARD, option], capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, bool(done.stdout)), (0, True), option)
        defaults = subprocess.run([SYNWARD, "attach", "--help"], capture_output=True, text=True).stdout
        for value in ("262144", "65536", "63", "30"):
            self.assertRegex(defaults, rf"\b{value}\b")

    def test_filters(self):
        self.net.c.ip("addr add 10.0.0.11/24 dev c0")
        self.net.s.ip(f"neigh replace 10.0.0.11 lladdr {self.net.c.mac('c0').hex(':')} dev s0 nud permanent")
        a, b, six = self.net.listen(False, 8080), self.net.listen(False, 9090), self.net.listen(True, 8080)
        self.net.attach()
        near = [self.net.pair(a) for _ in range(6)]
        for _ in range(4):
            self.net.pair(b, src="10.0.0.11")
        for _ in range(3):
            self.net.pair(six)
        for c, _ in near[:2]:
            c.shutdown(socket.SHUT_WR)
        eventually(lambda: self.assertEqual(self.net.synward("states")["server"]["CLOSE_WAIT"], 2))
        for args, count in (((), 13), (("--port", "9090"), 4), (("--port", "8080"), 9), (("--port", "1"), 0),
                            (("--port", near[3][0].getsockname()[1]), 1),
                            (("--peer", "10.0.0.11"), 4), (("--peer", "10.0.0.11/32"), 4),
                            (("--peer", "10.0.0.0/29"), 6), (("--peer", "10.0.0.0/24"), 10),
                            (("--peer", "fd00::/64"), 3), (("--peer", C6), 3), (("--peer", "192.0.2.0/24"), 0),
                            (("--state", "ESTABLISHED"), 11), (("--state", "CLOSE_WAIT"), 2),
                            (("--state", "FIN_WAIT_2"), 2), (("--state", "FIN_WAIT_2,ESTABLISHED"), 13),
                            (("--state", "TIME_WAIT"), 0), (("--limit", "3"), 3), (("--limit", "100"), 13),
                            (("--dev", "s0"), 13), (("--port", "8080", "--peer", "10.0.0.0/8", "--limit", "5"), 5),
                            (("--port", "8080", "--state", "CLOSE_WAIT"), 2)):
            with self.subTest(args=args):
                self.assertEqual(len(self.net.flows(*args)), count)
        for field in ("age", "idle"):	# greatest first
            got = [f[field + "_ms"] for f in self.net.flows("--sort", field)]
            self.assertEqual(len(got), 13)
            self.assertEqual(got, sorted(got, reverse=True), field)
        rows = self.net.flows("--by", "prefix")
        self.assertIsInstance(rows, list)
        self.assertTrue(0 < len(rows) < 13, rows)

    def watch(self, *args):
        return subprocess.Popen([SYNWARD, "states", "--watch", "1", *args, "--netns", self.net.s.path],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self, p, timeout=5):
        self.assertTrue(select.select([p.stdout], [], [], timeout)[0], f"silent for {timeout} s")
        return p.stdout.readline().decode()

    def test_watch_json(self):
        """One object a line, each with the numbers of its moment; SIGINT ends it."""
        listener = self.net.listen()
        self.net.attach()
        p = self.watch("--json")
        self.net.children.append(p)
        self.assertEqual(json.loads(self.line(p))["server"]["ESTABLISHED"], 0)
        self.net.pair(listener)
        times = set()
        for _ in range(5):
            doc = json.loads(self.line(p))
            self.shape(doc, HIST, "states")
            times.add(doc["time"])
            if doc["server"]["ESTABLISHED"]:
                break
        self.assertEqual(doc["server"]["ESTABLISHED"], 1)
        self.assertNotIn(None, times)
        p.send_signal(signal.SIGINT)
        self.assertIn(p.wait(5), (0, 130, -signal.SIGINT))
        self.assertEqual(p.stderr.read(), b"")

    def test_watch_text(self):
        """On a pipe: plain lines, and it ends when nobody reads any more."""
        self.net.attach()
        p = self.watch()
        self.net.children.append(p)
        text = self.line(p)
        while "TIME_WAIT" not in text:
            text += self.line(p)
        self.assertNotIn("\x1b", text)
        p.stdout.close()
        self.assertIn(p.wait(5), (0, 1, -signal.SIGPIPE))
        self.assertLessEqual(len(p.stderr.read().splitlines()), 1)

    def test_latency(self):
        """A real client and one that takes 300 ms to send its ACK."""
        listener = self.net.listen()
        self.net.attach()
        c, _ = self.net.pair(listener)
        peer = Peer(Wire(self.net.c, "c0"), spoofed(1), 4000, S4, PORT)
        peer.handshake(pause=0.3)
        self.net.sockets.append(listener.accept()[0])
        quick, slow = self.flow(c), [f for f in self.net.flows("--peer", spoofed(1))]
        self.assertEqual(len(slow), 1)
        for f in (quick, slow[0]):
            self.assertEqual(self.states_of(f), ("ESTABLISHED", "ESTABLISHED"))
            self.assertTrue(0 <= f["server_us"] < 200000, f)
        self.assertTrue(0 <= quick["client_us"] < 200000, quick)
        self.assertTrue(290000 <= slow[0]["client_us"] < 2000000, slow[0])

    def test_retransmissions(self):
        """The first SYN, SYN-ACK and FIN are lost behind the mirror and sent again."""
        listener = self.net.listen()
        self.net.attach()
        lost = self.net.s.drop("prerouting", f"tcp dport {PORT} tcp flags & (syn|ack) == syn")
        c = self.net.c.connect(S4, PORT, wait=False)
        wait_until(lambda: lost.packets() >= 1, what="SYN")
        lost.remove()
        s, _ = listener.accept()
        got = [self.flow(c)[f"{x}_retransmits"] for x in ("syn", "synack", "fin")]
        self.assertGreaterEqual(got[0], 1)	# another one each second until the rule is gone
        self.assertEqual(got[1:], [0, 0])
        self.assertTrue(0 <= self.flow(c)["server_us"])
        lost = self.net.s.drop("prerouting", f"tcp dport {PORT} tcp flags & fin == fin")
        c.shutdown(socket.SHUT_WR)
        wait_until(lambda: lost.packets() >= 2, what="FIN")
        lost.remove()
        self.assertEqual(s.recv(1), b"")
        self.assertGreaterEqual(self.flow(c)["fin_retransmits"], 1)
        lost = self.net.c.drop("prerouting", f"tcp sport {PORT} tcp flags & (syn|ack) == (syn|ack)")
        again = self.net.c.connect(S4, PORT, wait=False)
        wait_until(lambda: lost.packets() >= 2, what="SYN-ACK")
        lost.remove()
        self.net.sockets.append(listener.accept()[0])
        self.assertGreaterEqual(self.flow(again)["synack_retransmits"], 1)
        entry = self.net.listener(PORT)
        self.assertEqual((entry["completed"], entry["half_open"]), (2, 0))
        self.assertGreaterEqual(entry["synack_retransmits"], 1)

    def test_refused(self):
        """A listener that a ruleset resets: refused; a port without listener: none appears."""
        self.net.listen()
        self.net.attach()
        table = "table inet no {\n chain c {\n type filter hook input priority 0\n" \
                f" tcp dport {PORT} reject with tcp reset\n }}\n}}\n"
        try:
            self.net.s.nft(table)
        except AssertionError:
            raise unittest.SkipTest("kernel without nft reject") from None
        for port in (PORT, PORT, PORT, 9999):
            with self.assertRaises(ConnectionRefusedError):
                self.net.c.connect(S4, port)
        entry = self.net.listener(PORT)
        self.assertEqual((entry["refused"], entry["completed"], entry["half_open"], entry["syn"]), (3, 0, 0, 3))
        self.assertEqual([x["port"] for x in self.net.synward("listeners")], [PORT])
        self.assertEqual(self.net.mirror(), {})
        for f in self.net.flows():
            self.assertEqual((self.states_of(f), f["reset_by"]), (("CLOSED", "CLOSED"), "server"))

    def test_reset(self):
        """An open connection that either side resets is closed on both, and it is known by whom."""
        listener = self.net.listen()
        self.net.attach()
        for side, who in enumerate(("client", "server")):
            both = self.net.pair(listener)
            port = both[0].getsockname()[1]
            both[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            both[side].close()
            wait_until(lambda: not self.net.kernel(), what="sockets")
            self.assertEqual(self.net.mirror(), {})
            for f in self.net.flows("--port", port):
                self.assertEqual((self.states_of(f), f["reset_by"]), (("CLOSED", "CLOSED"), who))
        self.assertEqual(self.net.listener(PORT)["completed"], 2)

    def test_half_close(self):
        listener = self.net.listen()
        self.net.attach()
        pairs = [self.net.pair(listener) for _ in range(2)]
        begin = time.monotonic()
        for side in (0, 1):
            pairs[side][side].shutdown(socket.SHUT_WR)
        time.sleep(0.4)
        for (c, _), who in zip(pairs, ("client", "server")):
            f = self.flow(c)
            self.assertEqual(f["first_fin"], who)
            # so far, or not known before the end
            self.assertIn(f["half_closed_ms"], (None, *range(390, int(1000 * (time.monotonic() - begin)) + 20)))
        for side in (0, 1):
            pairs[side][1 - side].shutdown(socket.SHUT_WR)
            f = eventually(lambda: self.in_time_wait(pairs[side][0]))
            self.assertTrue(0 < f["expires_ms"] <= 60000, f)
            ended = f["half_closed_ms"]
            self.assertTrue(390 <= ended <= 1000 * (time.monotonic() - begin) + 20, f)
        time.sleep(0.2)
        self.assertEqual(self.flow(pairs[1][0])["half_closed_ms"], ended)

    def in_time_wait(self, c):
        f = self.flow(c)
        self.assertEqual(sorted(self.states_of(f)), ["CLOSED", "TIME_WAIT"])
        return f

    def test_simultaneous_open(self):
        """Both call each other; the client's SYN is lost until the server's has reached it."""
        self.net.attach()
        lost = self.net.s.drop("prerouting", "tcp dport 6000 tcp flags & (syn|ack) == syn")
        a = self.net.c.connect(S4, 6000, src=(C4, 5000), wait=False)
        wait_until(lambda: lost.packets() >= 1, what="SYN")
        b = self.net.s.connect(C4, 5000, src=(S4, 6000), wait=False)
        eventually(lambda: self.assertEqual(self.net.kernel(), {(C4, 5000, S4, 6000): ("ESTABLISHED",) * 2}))
        f = eventually(lambda: self.flow(port=6000))
        self.assertEqual((self.states_of(f), f["opened"]), (("ESTABLISHED", "ESTABLISHED"), "simultaneous"))
        self.assertEqual((f["client"]["addr"], f["client"]["port"]), (C4, 5000))
        a.shutdown(socket.SHUT_WR)
        self.assert_agree(self.net, connections=1)
        b.close()
        self.assert_agree(self.net, connections=1)

    def test_backlog(self):
        """Backlog and accept queue are those of the socket."""
        self.net.s.listen("0.0.0.0", 8080, 7)
        self.net.s.sysctl("net.core.somaxconn", 100)
        self.net.s.listen("10.0.0.2", 9090, 500)
        self.net.attach()
        for _ in range(3):
            self.net.c.connect(S4, 8080)
        wait_until(lambda: self.net.listener(8080)["accept_queue"] == 3)
        entry = self.net.listener(8080)
        self.assertEqual((entry["backlog"], entry["accept_max"], entry["backlog_limit"]), (7, 7, "listen"))
        entry = self.net.listener(9090, "10.0.0.2")
        self.assertEqual((entry["backlog"], entry["accept_max"], entry["backlog_limit"]), (100, 100, "somaxconn"))

    def test_outgoing(self):
        """A connection that the host opens itself: the local side is the client."""
        there = self.net.c.listen("0.0.0.0", 7070)
        self.net.attach()
        self.net.s.connect(C4, 7070)
        self.net.sockets.append(there.accept()[0])
        f = eventually(lambda: self.flow(port=7070))
        self.assertEqual((f["local"], f["client"]["addr"], f["opened"]), ("client", S4, "active"))
        hist = self.net.synward("states")
        self.assertEqual((hist["local"], hist["remote"]), (hist["client"], hist["server"]))
        self.assertEqual(hist["client"]["ESTABLISHED"], 1)
