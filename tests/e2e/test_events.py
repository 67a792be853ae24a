# SPDX-License-Identifier: GPL-2.0
"""`events`: each change of a state and each action of the guard, to several readers, with losses told."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

import test_views
from guard import Flood, GuardTest, Server, echo, said
from lab import C4, C6, S4, S6, SYNWARD, another_has, asleep, eventually, need, wait_until
from test_views import NULL, TIME
from wire import flood

PORT, OTHER, READERS = 8080, 9090, 4
SIDE = {"addr": str, "port": int, "state": str}
STATE = {"time": TIME, "type": ("state",), "client": SIDE, "server": SIDE, "local": ("client", "server", None),
         "dev": (str, NULL), "listener": (str, NULL), "from": ("client", "server"), "flags": str,
         "outcome": ("completed", "admitted", "refused", "aborted", "reset", None), "server_us": (int, NULL),
         "client_us": (int, NULL)}
GUARD = {"time": TIME, "type": ("guard",), "listener": (str, NULL), "action": ("armed", "disarmed", "breaker", "policy"),
         "armed": (bool, NULL), "half_open": int, "mode": ("off", "auto", "on"), "dry_run": bool,
         "method": ("cookie", "first-syn", "drop"), "why": str, "attack": (dict, NULL)}
# An own connection from SYN to CLOSED: sender, flags, both states, outcome.
LIFE = [("client", "SYN", "SYN_SENT", "LISTEN", None), ("server", "SYN+ACK", "SYN_SENT", "SYN_RCVD", None),
        ("client", "ACK", "ESTABLISHED", "ESTABLISHED", "completed"),
        ("client", "FIN+ACK", "FIN_WAIT_1", "ESTABLISHED", None), ("server", "ACK", "FIN_WAIT_2", "CLOSE_WAIT", None),
        ("server", "FIN+ACK", "TIME_WAIT", "LAST_ACK", None), ("client", "ACK", "TIME_WAIT", "CLOSED", None)]


class Readers(GuardTest):
    shape = test_views.Views.shape

    def setUp(self):
        self.net, self.maxDiff = self.lab(), 4000
        self.four, self.six = self.net.listen(False, PORT, 4096), self.net.listen(True, PORT, 4096)

    def map(self):
        """Map "readers" (bpf/shared/event.h): the mask first."""
        out = self.net.s.run("bpftool", "-j", "map", "lookup", "pinned", self.net.s.pins / "readers", "key", 0, 0, 0, 0)
        return bytearray(int(x, 16) for x in json.loads(out)["value"])

    def mask(self):
        return self.map()[0]

    def dump(self):
        """Place and number of the ring buffers that the programs write to."""
        out = self.net.s.run("bpftool", "-j", "map", "dump", "pinned", self.net.s.pins / "events")
        return {int(e["key"][0], 16): int.from_bytes([int(x, 16) for x in e["value"]], "little")
                for e in json.loads(out) if "error" not in e["value"]}

    def rings(self):
        return set(self.dump().values())

    def assert_gone(self, rings):
        """The kernel has given their memory back."""
        maps = json.loads(self.net.s.run("bpftool", "-j", "map", "list"))
        self.assertEqual(rings & {m["id"] for m in maps}, set())

    def places(self):
        return sorted(self.dump())

    def reader(self, *args, json_too=True):
        """A reader that is there already; what it says goes to a file."""
        out = (self.net.dir() / f"events{len(self.net.children)}-{time.monotonic_ns()}").open("w+")
        self.addCleanup(out.close)
        before = self.rings()
        with self.net.s.inside():
            p = subprocess.Popen([SYNWARD, "events", *map(str, args)] + ["--json"] * json_too, stdout=out,
                                 stderr=subprocess.PIPE, text=True)
        self.net.children.append(p)
        p.out = out
        if "guard" not in args:
            wait_until(lambda: self.rings() != before and self.mask().bit_count() == len(self.rings())
                       or p.poll() is not None, 20, "reader")
        else:
            wait_until(lambda: asleep(p.pid) or p.poll() is not None, 20, "reader")
        return p

    def told(self, p):
        p.out.seek(0)
        return [json.loads(line) for line in p.out.read().splitlines(True) if line.endswith("\n")]

    def stop(self, p, sig=signal.SIGINT, code=0):
        p.send_signal(sig)
        self.assertEqual((p.wait(10), p.stderr.read()), (code, ""))
        return self.told(p)

    def life(self, listener, src=None):
        """A connection from SYN to CLOSED; the client's port."""
        c, s = self.net.pair(listener, src)
        port = c.getsockname()[1]
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(s.recv(1), b"")
        wait_until(lambda: any((x.state, x.port) == ("FIN_WAIT_2", port) for x in self.net.c.ss()), what="an ACK of its own")
        s.close()
        self.assertEqual(c.recv(1), b"")
        return port

    def lives(self, events):
        """What was told of each connection, by the client's port."""
        out = {}
        for e in events:
            if e["type"] == "state":
                out.setdefault(e["client"]["port"], []).append(
                    (e["from"], e["flags"], e["client"]["state"], e["server"]["state"], e["outcome"]))
        return out


@need("bpftool")
class Events(Readers):
    def test_events_life(self):
        """Every change of both states, in order, with who did it; v4 and v6, opened by either host; as text too."""
        self.net.attach()
        p, text = self.reader(), self.reader(json_too=False)
        four, six = self.life(self.four), self.life(self.six)
        away = self.net.c.listen(C4, OTHER)
        out = self.net.s.connect(C4, OTHER)
        self.net.sockets.append(away.accept()[0])
        with self.assertRaises(ConnectionRefusedError):
            self.net.c.connect(S4, 9999)
        events = self.stop(p)
        for e in events:
            self.shape(e, STATE, "event")
        lives = self.lives(events)
        self.assertEqual((lives[four], lives[six]), (LIFE, LIFE))
        self.assertEqual(lives[out.getsockname()[1]], LIFE[:3])
        refused = [x for x in lives.values() if len(x) == 2]
        self.assertEqual(refused, [[LIFE[0], ("server", "RST+ACK", "CLOSED", "CLOSED", "refused")]])
        self.assertEqual(len(events), 7 + 7 + 3 + 2)
        done = [e for e in events if e["outcome"] == "completed"]
        self.assertEqual([(e["server"]["addr"], e["listener"], e["local"], e["dev"]) for e in done],
                         [(S4, f"0.0.0.0:{PORT}", "server", "s0"), (S6, f"[::]:{PORT}", "server", "s0"),
                          (C4, None, "client", "s0")])
        for e in done:
            self.assertTrue(0 <= e["server_us"] < 1000000 and 0 <= e["client_us"] < 1000000, e)
        times = [e["time"] for e in events]
        self.assertGreater(len(set(times)), 5)
        text.send_signal(signal.SIGTERM)
        self.assertEqual(text.wait(10), 0)
        text.out.seek(0)
        lines = text.out.read().splitlines()
        self.assertEqual(len(lines), len(events))
        self.assertRegex(lines[2], rf"Z  {C4}:{four} +ESTABLISHED +{S4}:{PORT} +ESTABLISHED +client ACK completed server \d+ us")
        self.assertEqual((self.places(), self.mask()), ([], 0))

    def test_events_filters(self):
        """--port, --peer and --type: of what does not pass, nothing is told and nothing lost."""
        other = self.net.listen(False, OTHER)
        self.net.c.ip(f"addr add 10.0.0.9/24 dev c0", "addr add fd00::9/64 dev c0 nodad")
        self.net.attach()
        port, four = self.reader("--port", OTHER), self.reader("--peer", "10.0.0.8/29")
        six, guard = self.reader("--peer", "fd00::8/125", "--type", "state"), self.reader("--type", "guard")
        self.assertEqual(self.places(), [0, 1, 2])	# the last needs none
        plain = [self.life(*x) for x in ((self.four, C4), (self.six, C6), (other, C4))]
        far = [self.life(x, "10.0.0.9") for x in (self.four, other)] + [self.life(self.six, "fd00::9")]
        self.net.synward("guard", "auto", "--high", "77")
        eventually(lambda: self.assertTrue(self.told(guard)))
        self.assertEqual([e["action"] for e in self.stop(guard)], ["policy"])
        for p, want in ((port, [plain[2], far[1]]), (four, far[:2]), (six, far[2:])):
            self.assertEqual(self.lives(self.stop(p)), dict.fromkeys(want, LIFE))

    def test_events_places(self):
        """Four at a time, and one that is killed leaves its place at once; what it left is no more in the end."""
        self.net.attach()
        rings = set()
        for round in range(3):
            ps = [self.reader() for _ in range(READERS)]
            self.assertEqual((self.mask(), len(self.rings())), (15, READERS))
            eventually(lambda: self.assert_gone(rings))	# of those that were killed
            rings = self.rings()
            done = self.net.synward("events", expect=1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("no more", done.stderr)
            port = self.life(self.four)
            eventually(lambda: self.assertEqual([len(self.told(p)) for p in ps], [len(LIFE)] * READERS))
            for p in ps:
                self.assertEqual(self.lives(self.told(p)), {port: LIFE})
            if round < 2:
                for p in ps:
                    p.kill()
                    p.wait()
        self.life(self.four)	# one leaves, the others go on
        self.stop(ps[1])
        self.assertEqual((self.places(), self.mask()), ([0, 2, 3], 13))
        ps[1] = self.reader("--port", PORT)
        self.assertEqual(self.places(), [0, 1, 2, 3])
        for p in ps:
            self.stop(p)
        self.assertEqual((self.places(), self.mask()), ([], 0))
        self.assertEqual(self.rings(), set())
        eventually(lambda: self.assert_gone(rings))
        p = self.reader()
        rings = self.rings()
        p.kill()
        p.wait()
        self.assertEqual(self.places(), [0])
        self.net.synward("detach", "--all")
        self.assertFalse(self.net.s.pins.exists())
        eventually(lambda: self.assert_gone(rings))

    def test_events_losses(self):
        """A flood: who is too slow, or asked for less, misses events and is told how many exactly; each by itself."""
        other = self.net.listen(False, OTHER)
        self.net.attach("--guard", "off")
        every, slow = self.reader("--rate", 1000000), self.reader("--rate", 1000000)
        few, far = self.reader("--rate", 100), self.reader("--port", OTHER)
        slow.send_signal(signal.SIGSTOP)
        begin, n = time.monotonic(), 20000
        flood(self.net.c, "c0", S4, PORT, n, seconds=8)
        port = self.life(other)
        seconds = time.monotonic() - begin
        entry = self.net.listener(PORT, "0.0.0.0")
        slow.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        told = {}
        for p, name in ((every, "every"), (slow, "slow"), (few, "few"), (far, "far")):
            events = self.stop(p)
            told[name] = (sum(e["type"] == "state" for e in events),
                          sum(e["count"] for e in events if e["type"] == "lost"))
            for e in events:
                self.assertNotIn("at_least", e)
        all_there_were = entry["syn"] + entry["half_open"] + len(LIFE)
        self.assertEqual(entry["syn"], n)
        self.assertEqual(told["every"], (all_there_were, 0))
        self.assertEqual(sum(told["slow"]), all_there_were)
        self.assertGreater(min(told["slow"]), 10000)
        self.assertEqual(sum(told["few"]), all_there_were)
        self.assertTrue(100 <= told["few"][0] <= 100 * (seconds + 2), told)
        self.assertEqual((told["far"], self.lives(self.told(far))), ((len(LIFE), 0), {port: LIFE}))
        status = self.net.synward("status")
        self.assertEqual(status["half_open"]["used"], entry["half_open"])
        self.assertEqual(status["events"], {"readers": 0, "lost": sum(lost for _, lost in told.values())})
        p = self.reader()	# what was lost before stays counted
        self.assertEqual(self.net.synward("status")["events"], status["events"] | {"readers": 1})
        self.stop(p)

    def test_events_given_up(self):
        """A reader that is not heard of for a minute costs nothing more; if it comes back it is told so, and goes on."""
        self.net.attach()
        p = self.reader()
        p.send_signal(signal.SIGSTOP)
        self.life(self.four)
        self.assertEqual(self.mask(), 1)
        value = self.map()
        alive_s = 16 + 44	# of the first place
        value[alive_s:alive_s + 4] = (int(time.monotonic()) - 62).to_bytes(4, "little")
        self.net.s.run("bpftool", "map", "update", "pinned", self.net.s.pins / "readers", "key", 0, 0, 0, 0, "value",
                       *value)
        self.life(self.four)
        self.assertEqual((self.mask(), self.places()), (0, [0]))
        p.send_signal(signal.SIGCONT)
        wait_until(lambda: self.mask() == 1, what="back")
        port = self.life(self.four)
        events = self.stop(p)
        lost = [e for e in events if e["type"] == "lost"]
        self.assertEqual(lost, [{"type": "lost", "count": 0, "at_least": True}])
        self.assertEqual(len(self.lives(events)), 2)
        self.assertEqual(self.lives(events)[port], LIFE)

    def test_events_ends(self):
        """By whoever reads its output, and by detach; not by what is attached besides."""
        self.net.attach()
        with self.net.s.inside():
            p = subprocess.Popen([SYNWARD, "events"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.net.children.append(p)
        wait_until(self.mask, what="reader")
        p.stdout.close()
        self.assertEqual((p.wait(5), p.stderr.read()), (0, ""))
        self.assertEqual((self.places(), self.mask()), ([], 0))
        p = self.reader()
        self.net.attach("--replace")
        self.life(self.four)
        eventually(lambda: self.assertEqual(len(self.told(p)), len(LIFE)))
        self.net.synward("detach", "--all")
        self.assertEqual(p.wait(5), 1)
        said = p.stderr.read()
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn("detached", said)
        self.assertFalse(self.net.s.pins.exists())
        done = self.net.synward("events", expect=1)
        self.assertIn("attach", done.stderr)

    def test_events_namespace_deleted(self):
        """What a killed reader left in a namespace that is no more goes with the rest of it."""
        other = self.lab()
        self.net.attach()
        p = self.reader()
        p.kill()
        p.wait()
        ns = self.net.s
        subprocess.run(["ip", "netns", "del", ns.name], check=True)
        os.close(ns.fd)
        ns.fd = os.open(os.devnull, os.O_RDONLY)
        for s in self.net.sockets:	# the listeners hold it
            s.close()
        wait_until(lambda: "c0" not in self.net.c.run("ip", "-br", "link"), 30, "devices gone")
        other.synward("detach", "--all")
        self.assertTrue(not ns.pins.exists() or another_has(ns.inode))

    def test_events_usage(self):
        self.net.attach()
        for args in (("--type", "none"), ("--port", "0"), ("--peer", "x"), ("--rate", "0"), ("eth0",)):
            self.assertEqual(len(self.net.synward("events", *args, expect=2).stderr.splitlines()), 1, args)
        self.assertEqual((self.places(), self.mask()), ([], 0))


@need("bpftool")
class GuardEvents(Readers):
    def guard_told(self, p, *actions, timeout=5):
        """What was told of the guard, once these actions are."""
        def check():
            events = [e for e in self.told(p) if e["type"] == "guard"]
            self.assertEqual([e["action"] for e in events], list(actions), events)
            return events
        events = eventually(check, timeout)
        for e in events:
            self.shape(e, GUARD, "event")
        return events

    def test_events_attack(self):
        """A flood arms a listener and it disarms, though no packet comes any more; both with their true times."""
        self.net.attach("--guard", "auto", "--live")
        self.net.synward("guard", "--hold", 1)
        Server(self.four, echo)
        said(self.net.c.connect(S4, PORT))
        p = self.reader("--type", "guard")
        sent = Flood(self.net, S4, PORT, rate=20000, count=20000).wait()["sent"]
        armed, disarmed = self.guard_told(p, "armed", "disarmed", timeout=8)
        episode, = self.net.synward("attacks")
        name = f"0.0.0.0:{PORT}"
        self.assertEqual((armed["listener"], armed["armed"], armed["attack"]), (name, True, None))
        self.assertEqual((disarmed["listener"], disarmed["armed"]), (name, False))
        self.assertEqual(armed["time"][:23], episode["start"][:23])
        self.assertEqual(disarmed["time"][:23], episode["end"][:23])
        self.assertEqual(disarmed["attack"]["kind"], "attack")
        self.assertGreater(disarmed["attack"]["kept_off"], sent * 0.8)
        self.assertGreater(armed["half_open"], 1000)

    def test_events_policy(self):
        """What a person sets, for all or one, dry or live, and what a deadline takes back."""
        self.net.attach()
        p, text = self.reader(), self.reader(json_too=False)
        self.net.synward("guard", "on", "--live", "--for", "2s")
        name = [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]
        events = self.guard_told(p, "policy", "armed", "armed")
        self.assertEqual([(e["listener"], e["mode"], e["dry_run"]) for e in events],
                         [(None, "on", False)] + [(n, "on", False) for n in name])
        events = self.guard_told(p, "policy", "armed", "armed", "policy", "disarmed", "disarmed")[3:]
        self.assertEqual([(e["listener"], e["mode"], e["dry_run"]) for e in events],
                         [(None, "auto", True)] + [(n, "auto", True) for n in name])
        self.net.synward("guard", "off", "--listener", name[1])
        event = self.guard_told(p, "policy", "armed", "armed", "policy", "disarmed", "disarmed", "policy")[-1]
        self.assertEqual((event["listener"], event["mode"], event["armed"]), (name[1], "off", False))
        text.send_signal(signal.SIGINT)
        text.wait(5)
        text.out.seek(0)
        self.assertRegex(text.out.read(), rf"Z  all listeners policy  on, method cookie\n.*Z  0\.0\.0\.0:{PORT} armed  on, method")

    def test_events_admitted(self):
        """A connection that a cookie opened, from both ends' ESTABLISHED on."""
        self.net.attach("--guard", "on", "--live")
        said_by = Server(self.four, echo)
        said(self.net.c.connect(S4, PORT))	# the kernel is seen to answer
        p = self.reader("--type", "state")
        c = self.net.c.connect(S4, PORT)
        said(c)
        life = self.lives(self.stop(p))[c.getsockname()[1]]
        self.assertEqual(life, [("client", "ACK", "ESTABLISHED", "ESTABLISHED", "admitted")])
        self.assertEqual(said_by.accepted, 2)

    def test_events_breaker(self):
        """The kernel refuses a cookie's connection (MPTCP): the listener is left alone, and that is told."""
        self.net.attach("--guard", "on", "--live")
        p = self.reader("--type", "guard")
        try:
            s = self.net.s.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        except OSError as why:
            self.skipTest(f"no MPTCP: {why}")
        s.bind(("0.0.0.0", OTHER))
        s.listen(100)
        Server(s, echo)
        for _ in range(4):
            c = self.net.c.socket(socket.AF_INET)
            c.settimeout(1)
            try:
                c.connect((S4, OTHER))
                said(c)
            except OSError:
                pass
        events = eventually(lambda: self.assertTrue([e for e in self.told(p) if e["action"] == "breaker"])
                            or self.told(p))
        breaker, = [e for e in events if e["action"] == "breaker"]
        self.assertEqual((breaker["listener"], breaker["armed"]), (f"0.0.0.0:{OTHER}", False))
        self.assertIn("refused", breaker["why"])


if __name__ == "__main__":
    unittest.main()
