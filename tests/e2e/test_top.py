# SPDX-License-Identifier: GPL-2.0
"""`synward top` in terminals of several sizes: what it shows is what the other commands say, what keys do, and that the
terminal is given back."""

import contextlib
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from guard import Flood, GuardTest, Server, echo, said
from lab import ROOT, S4, STATES, SYNWARD, eventually, need, wait_until
from screen import Terminal, svg
from wire import OPTIONS, SYN, Peer, Wire

SMALL, LARGE = (80, 24), (200, 60)
PICTURES = Path(os.environ.get("SYNWARD_PICTURES", ROOT / "build/pictures"))
RATE = 3000


def number(text):
    return int(text.replace(",", ""))


def states_of(lines):
    """{"client": {STATE: n}, "server": {STATE: n}} as the first page shows them."""
    out = {"client": {}, "server": {}}
    for line in lines:
        name, *rest = line[:86].split() or [""]
        if name in STATES and line.startswith(" " + name):
            numbers = re.findall(r"(?<!\S)[\d,]+(?!\S)", line[:86])
            if len(numbers) >= 2:	# a dialog may cover them
                out["client"][name], out["server"][name] = map(number, numbers[:2])
    return out


def diagram_of(lines):
    """The same from the boxes of the diagram; the first CLOSED is only where it all begins."""
    out = {"client": {}, "server": {}}
    for y, line in enumerate(lines):
        for box in re.finditer(r"┌ (\w+) ─+┐", line):
            inside = "\n".join(x[box.start():box.end()] for x in lines[y + 1:y + 4])
            numbers = re.match(r"└ C ([\d,]+) ─* ?S ([\d,]+) ", inside) or \
                re.match(r"│ client +([\d,]+) .*\n│ server +([\d,]+) ", inside)
            if numbers:
                out["client"][box[1]], out["server"][box[1]] = map(number, numbers.groups())
    return out


def cpu(pid):
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@need("tmux")
class Top(GuardTest):
    def top(self, lab, size=SMALL, *args, **env):
        t = Terminal(lab.s, *size, SYNWARD, "top", *args, **env)
        self.addCleanup(t.end)
        t.shows(r"synward")
        return t

    def row(self, t, listener):
        """The words of a listener's line."""
        found = [line.split() for line in t.text() if line.startswith(f" {listener} ")]
        self.assertEqual(len(found), 1, "\n".join(t.text()))
        return found[0]

    def connections(self, lab):
        """In several states, which last: (listener, sockets)."""
        listener = lab.listen(False)
        lab.attach()
        pairs = [lab.pair(listener) for _ in range(12)]
        for c, _ in pairs[:3]:
            c.shutdown(socket.SHUT_WR)		# FIN_WAIT_2, CLOSE_WAIT
        for c, s in pairs[3:5]:
            c.close()
            s.close()				# TIME_WAIT, CLOSED
        wire = Wire(lab.c, "c0")
        for i in range(7):			# SYN_SENT, SYN_RCVD
            Peer(wire, f"198.18.0.{i + 1}", 5000, S4, 8080).send(SYN, options=OPTIONS)
        return pairs

    def test_top_numbers(self):
        """Both pages in two sizes: the numbers of `states --json` and `listeners --json`."""
        lab = self.lab()
        self.connections(lab)
        for size in (SMALL, LARGE):
            with self.subTest(size):
                self.numbers(lab, self.top(lab, size), size)

    def numbers(self, lab, t, size):
        def same(of):
            doc, shown = lab.synward("states"), of(t.text())
            self.assertEqual(shown, {side: doc[side] for side in ("client", "server")})
            return doc
        doc = eventually(lambda: same(states_of))
        self.assertEqual([doc["client"][x] for x in ("SYN_SENT", "ESTABLISHED", "FIN_WAIT_2", "TIME_WAIT")],
                         [7, 7, 3, 2])
        t.shows(rf" {doc['flows']} flows  {doc['half_open']} half-open  0 pending  0 challenged ")
        entry = lab.listener(8080)
        self.assertEqual(self.row(t, "0.0.0.0:8080")[1 + (size == LARGE)],
                         f"{entry['half_open']}/{entry['backlog']}")
        t.shows(r"server +12 +\d+us" if size == LARGE else r"server \d+us/\d+us/.* client \d+us/")
        t.keys("Tab")
        t.shows("client's way")
        eventually(lambda: same(diagram_of))
        t.end()

    def test_top_json(self):
        """As much without a terminal: a line per interval, which agrees with what else is said."""
        lab = self.lab()
        pairs = self.connections(lab)
        p = lab.s.popen(SYNWARD, "top", "--json", stdout=subprocess.PIPE)
        first = json.loads(p.stdout.readline())
        for _ in range(20):
            pairs.append(lab.pair(self.reopen(lab)))
        docs = [json.loads(p.stdout.readline()) for _ in range(3)]
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(10), 0)
        self.assertEqual({k: first[k] for k in ("flows", "half_open", "pending")},
                         {"flows": 19, "half_open": 7, "pending": 0})
        opened = sum(d["per_second"]["completed"] * d["interval_ms"] / 1000 for d in docs)
        self.assertAlmostEqual(opened, 20, delta=0.5)
        self.assertEqual(docs[-1]["latency"]["server"]["count"], 20)
        self.assertLessEqual(docs[-1]["latency"]["server"]["p50_us"], docs[-1]["latency"]["server"]["p99_us"])
        doc = lab.synward("states")
        self.assertEqual({k: docs[-1][k] for k in ("client", "server", "flows")},
                         {k: doc[k] for k in ("client", "server", "flows")})
        self.assertEqual([x["listener"] for x in docs[-1]["listeners"]], ["0.0.0.0:8080", "0.0.0.0:8081"])

    def reopen(self, lab):
        if not hasattr(self, "second"):
            self.second = lab.listen(False, 8081)
        return self.second

    def test_top_flood(self):
        """Through a flood, in two sizes: rates, the alarm, the listener's gauge and guard, and what it costs."""
        lab = self.lab()
        self.echo(lab, backlog=256)
        lab.attach("--guard", "auto", "--live")
        for _ in range(3):
            said(lab.c.connect(S4, 8080))
        t = self.top(lab)
        t.shows("no alarm")
        self.visitors(lab)
        begin, pid = time.monotonic(), t.pid()
        used = cpu(pid)
        flood = Flood(lab, S4, 8080, rate=RATE)
        t.shows(r"! 0\.0\.0\.0:8080 under attack: [\d,]+ SYN/s, \d+ % completed; cookie armed", 10)
        t.shows(r"^ 0\.0\.0\.0:8080 .* armed [3-9]\.\ds", 10)
        for size in (SMALL, LARGE):
            t.resize(*size)
            time.sleep(1.2)
            self.attacked(lab, t, size)
        share = (cpu(pid) - used) / (time.monotonic() - begin)
        print(f"note: top in a flood uses {100 * share:.2f} % of a core")
        self.assertLess(share, 0.05)	# under 0.02 where stolen time is told apart; in 10 ms steps
        flood.end()

    def visitors(self, lab):
        """Clients who come and go until the test ends: they complete their handshakes in a flood as well."""
        over = threading.Event()

        def visit():
            while not over.wait(0.05):
                with contextlib.suppress(OSError):
                    c = lab.c.connect(S4, 8080)
                    said(c)
                    if random.random() < 0.7:
                        c.close()
        thread = threading.Thread(target=visit, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def attacked(self, lab, t, size):
        def check():
            rate = re.search(r"SYN +([\d,]+)/s", "\n".join(t.text()))
            self.assertTrue(0.7 * RATE < number(rate[1]) < 1.4 * RATE, rate[0])
            entry = self.guard(lab)
            self.assertTrue(entry["guard"]["armed"])
            self.assertEqual(self.row(t, "0.0.0.0:8080")[1 + (size == LARGE)],
                             f"{entry['half_open']}/{entry['backlog']}")
        eventually(check)	# a flood that was kept waiting makes up for it
        t.shows(r"cookie +[\d,]{5}")
        self.picture(t, size, "flood")
        t.keys("2")
        t.shows(r"SYN_RCVD")
        self.picture(t, size, "states")
        t.keys("1")
        t.shows("LISTENER")

    def picture(self, t, size, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"top-{name}-{size[0]}x{size[1]}.svg").write_text(svg(t.styled()))

    def test_top_alarms(self):
        """What the person on call is told, the worst first: a dry run, a full backlog, a slow application."""
        lab = self.lab()
        for port, backlog in ((8080, 128), (8081, 64), (8082, 2)):
            lab.listen(False, port, backlog)
        lab.attach()
        lab.synward("guard", "off", "--listener", 8081)
        for _ in range(4):	# nobody accepts them
            lab.c.connect(S4, 8082, wait=False)
        p = lab.s.popen(SYNWARD, "top", "--json", stdout=subprocess.PIPE)
        self.addCleanup(lab.end, p)
        floods = [Flood(lab, S4, port, rate=RATE) for port in (8080, 8081)]

        def alarmed():
            alarms = json.loads(p.stdout.readline())["alarms"]
            self.assertEqual(len(alarms), 3, alarms)
            return alarms
        attack, full, slow = eventually(alarmed, 10, 0)
        self.assertRegex(attack, r"^0\.0\.0\.0:8080 under attack: .* SYN/s, 0 % completed; dry run, none kept off$")
        self.assertRegex(full, r"^0\.0\.0\.0:8081: \d+ half-open, its backlog is 64; the guard is off$")
        self.assertRegex(slow, r"^0\.0\.0\.0:8082: accept queue full, 3 of 2: the application is slow")
        for flood in floods:
            flood.end()

    def test_top_guard(self):
        """The guard of the selected listener is switched when the question is answered with y, else not."""
        lab = self.lab()
        lab.listen(False, 8080)
        lab.listen(False, 8081)
        lab.attach()
        t = self.top(lab)
        t.shows(r"0\.0\.0\.0:8081 .*auto \(dry run\)")
        modes = lambda: [(x["guard"]["mode"], x["guard"]["dry_run"]) for x in lab.synward("guard")["listeners"]]
        before = [("auto", True)] * 2
        t.keys("Down", "g")
        t.shows(r">auto, dry run")
        t.keys("Down", "Enter")
        t.shows(r"Set the guard of 0\.0\.0\.0:8081 to auto, live\? \(y or n\)")
        t.keys("n")
        t.shows("nothing was changed")
        self.assertEqual(modes(), before)
        t.keys("g")
        t.keys("Escape")
        time.sleep(0.1)
        self.assertEqual(modes(), before)
        t.keys("g", "Down", "Enter")
        t.shows(r"to auto, live\?")
        lock = os.open("/sys/fs/bpf/synward", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)	# another command is at work: the screen goes on
        t.keys("y")
        t.shows(r"setting the guard of 0\.0\.0\.0:8081")
        t.keys("h")
        t.shows("draw everything anew")
        t.keys("h")
        t.shows(r"auto \(dry run\).*\n.*auto \(dry run\)")
        os.close(lock)
        t.shows(r"the guard of 0\.0\.0\.0:8081 is auto, live now", 20)	# other tests have commands as well
        self.assertEqual(modes(), [("auto", True), ("auto", False)])
        t.shows(r"0\.0\.0\.0:8081 .* auto$")
        t.keys("g", "k", "k", "Enter")
        t.shows(r"to off\?")
        t.keys("y")
        t.shows(r"^ 0\.0\.0\.0:8081 .* off$", 20)
        self.assertEqual(modes(), [("auto", True), ("off", False)])
        lock = os.open("/sys/fs/bpf/synward", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)	# ended while it waits: nothing is set afterwards
        t.keys("g", "Down", "Enter", "y")
        t.shows(r"setting the guard of 0\.0\.0\.0:8081")
        t.keys("q")
        wait_until(lambda: t.value("pane_dead") == "1", what="q ends it")
        os.close(lock)
        self.assertEqual(modes(), [("auto", True), ("off", False)])

    def test_top_keys(self):
        """Sort, filter, flows, pause, help, quit."""
        lab = self.lab()
        busy, idle, other = (lab.listen(False, port) for port in (8081, 8080, 9090))
        lab.attach()
        pairs = [lab.pair(busy) for _ in range(5)]
        pairs.append(lab.pair(other))
        wire = Wire(lab.c, "c0")
        for i in range(4):
            Peer(wire, f"198.18.0.{i + 1}", 5000, S4, 8081).send(SYN, options=OPTIONS)
        t = self.top(lab)
        t.shows(r"0\.0\.0\.0:8081 +4/")
        order = lambda: [int(p) for p in re.findall(r"^ 0\.0\.0\.0:(\d+) ", "\n".join(t.text()), re.M)]
        self.assertEqual(order(), [8081, 8080, 9090])	# by half-open, then by port
        lab.c.connect(S4, 9090)
        t.keys("s")
        t.shows("sorted by SYN/s")
        t.keys("/", "9", "0")
        t.shows(r"Filter: 90_")
        wait_until(lambda: order() == [9090], what="only :9090 is shown")
        t.keys("Enter")
        t.shows(r"LISTENER /90 ")
        t.keys("/", "Escape")
        wait_until(lambda: len(order()) == 3, what="all are shown")

        while order()[0] != 8081:	# the first again by half-open
            t.keys("s")
            time.sleep(0.2)
        t.keys("Home", "Enter")
        t.shows(r"9 flows of 0\.0\.0\.0:8081 by age")
        lines = [line.split() for line in t.text() if re.match(r" (10|198)\.", line)]
        self.assertEqual(sorted(line[1:3] for line in lines),
                         [["ESTABLISHED"] * 2] * 5 + [["SYN_SENT", "SYN_RCVD"]] * 4)
        self.assertEqual({line[0] for line in lines[:5]},
                         {"%s:%d" % c.getsockname() for c, _ in pairs[:5]})
        t.keys("Escape")
        t.shows(r"LISTENER")

        eventually(lambda: self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 7))
        t.keys("p")
        t.shows("PAUSED")
        pairs.append(lab.pair(busy))
        time.sleep(1.5)
        self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 7)
        t.keys("p")
        eventually(lambda: self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 8))

        t.keys("h")
        t.shows("switch the guard of the selected listener")
        t.keys("h")
        t.shows("LISTENER")
        t.keys("q")
        wait_until(lambda: t.value("pane_dead") == "1", what="q ends it")

    def test_top_resize(self):
        """Whatever size the terminal gets: the same numbers where there is room, and nothing breaks where not."""
        lab = self.lab()
        self.connections(lab)
        t = self.top(lab)
        want = lab.synward("states")["client"]
        for size in (LARGE, (132, 30), (60, 15), (20, 4), (3, 2), (1, 1), (250, 70), SMALL):
            t.resize(*size)
            time.sleep(0.3)
            for keys in (("Tab", "h", "h", "1", "Enter"), ("Escape", "g"), ("Escape",)):
                t.keys(*keys)
                time.sleep(0.1)
            self.assertEqual(t.value("pane_dead"), "0", size)
            self.assertEqual(len(t.text()), size[1])
            if size[0] >= SMALL[0] and size[1] >= SMALL[1]:
                eventually(lambda: self.assertEqual(states_of(t.text())["client"], want))
                self.assertIn("Quit", t.text()[-1])
        pid = t.pid()
        t.end()		# the terminal goes away: so does what drew on it
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="top ends")

    def shell(self, lab):
        """top within a shell that says before and afterwards how the terminal is set."""
        script = lab.dir() / "run"
        script.write_text(f"trap : INT QUIT; echo before; stty -g > {lab.dir()}/before; {SYNWARD} top\n"
                          f"echo status $? >&2; stty -g > {lab.dir()}/after; echo after; exec sleep 1000\n")
        t = Terminal(lab.s, *SMALL, "sh", script)
        self.addCleanup(t.end)
        return t

    def assert_given_back(self, lab, t):
        t.shows("^after")
        self.assertEqual((lab.dir() / "before").read_text(), (lab.dir() / "after").read_text())
        self.assertEqual((t.value("alternate_on"), t.value("cursor_flag"), t.value("keypad_flag")), ("0", "1", "0"))
        self.assertEqual(t.text()[0].strip(), "before")	# what was there is there again
        self.assertNotIn("\x1b[7m", "".join(t.styled()))

    def test_top_gives_back(self):
        """However it ends, the terminal is as it was."""
        lab = self.lab()
        lab.listen(False)
        lab.attach()
        ways = {"q": 0, "C-c": 0, signal.SIGTERM: 0, signal.SIGHUP: 0, signal.SIGQUIT: 0,
                signal.SIGSEGV: 139, signal.SIGABRT: 134}
        for way, status in ways.items():
            with self.subTest(way):
                t = self.shell(lab)
                t.shows("LISTENER")
                self.assertEqual(t.value("alternate_on"), "1")
                if isinstance(way, str):
                    t.keys(way)
                else:
                    pid = int(subprocess.check_output(["pgrep", "-P", str(t.pid()), "synward"]))
                    os.kill(pid, way)
                self.assert_given_back(lab, t)
                t.shows(f"^status {status}$")
                t.end()

    def test_top_stopped(self):
        """Ctrl-Z gives the terminal back for the while."""
        lab = self.lab()
        lab.listen(False)
        lab.attach()
        t = Terminal(lab.s, *SMALL, "bash", "--norc", "-i")
        self.addCleanup(t.end)
        t.keys(f"{SYNWARD} top", "Enter")
        t.shows("LISTENER")
        t.keys("C-z")
        t.shows("Stopped")
        self.assertEqual(t.value("alternate_on"), "0")
        t.keys("fg", "Enter")
        t.shows("LISTENER")
        t.keys("q")
        t.shows("# *$")
        self.assertEqual((t.value("alternate_on"), t.value("cursor_flag")), ("0", "1"))

    def test_top_refuses(self):
        """Nothing attached, no terminal, or one that nobody knows: one line, and the terminal is left alone."""
        lab = self.lab()
        self.assertIn("synward attach", self.refused(lab))
        lab.attach()
        for kind in ("unknown-type", "dumb"):
            self.assertIn(kind, self.refused(lab, TERM=kind))
        done = lab.synward("top", json=False, expect=2)
        self.assertIn("synward top --json", done.stderr)
        lab.synward("top", "--interval", "0", json=False, expect=2)

    def refused(self, lab, synward=SYNWARD, **env):
        script = lab.dir() / "run"
        script.write_text("\n".join(f"export {k}={v}" for k, v in env.items()) +
                          f"\nstty -g > {lab.dir()}/before; {synward} top; status=$?\n"
                          f"stty -g > {lab.dir()}/after; echo status $status; exec sleep 1000\n")
        t = Terminal(lab.s, *LARGE, "sh", script)
        self.addCleanup(t.end)
        t.shows("^status 1$")
        text = "\n".join(t.text())
        t.end()
        self.assertEqual((lab.dir() / "before").read_text(), (lab.dir() / "after").read_text())
        self.assertEqual(text.count("\n"), LARGE[1] - 1)
        self.assertRegex(text, r"^synward: ")
        return text

    def test_top_detached(self):
        """Detached under its eyes it says so, and goes on when there is something again."""
        lab = self.lab()
        listener = lab.listen(False)
        lab.attach()
        lab.pair(listener)
        t = self.top(lab)
        eventually(lambda: self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 1))
        lab.synward("detach", "--all")
        t.shows("nothing is attached in this network namespace")
        lab.attach()
        for _ in range(2):
            lab.pair(listener)
        eventually(lambda: self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 3))
        self.assertNotIn("nothing is attached", "\n".join(t.text()))
        # at once: other maps, of which nothing of the old is left
        lab.synward("detach", "--all")
        lab.attach()
        lab.pair(listener)
        eventually(lambda: self.assertEqual(states_of(t.text())["client"]["ESTABLISHED"], 4))
        t.keys("q")
        wait_until(lambda: t.value("pane_dead") == "1", what="q ends it")

    def test_top_plain(self):
        """NO_COLOR: no colours, and the client's way still differs from the server's. C locale: ASCII alone."""
        lab = self.lab()
        self.connections(lab)
        colours = lambda t: re.findall(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d)(?:;\d+)*m", "".join(t.styled()))
        t = self.top(lab)
        t.shows("TIME_WAIT +2")
        self.assertTrue(colours(t))
        t.end()
        t = self.top(lab, NO_COLOR="1")
        t.shows("TIME_WAIT +2")
        self.assertEqual(colours(t), [])
        self.assertIn("\x1b[7m", "".join(t.styled()))	# the selection is seen all the same
        t.keys("Tab")
        t.shows("━━━ client's way  ═══ server's way  ─── others")
        self.assertEqual(colours(t), [])
        t.end()
        t = self.top(lab, LC_ALL="C")
        t.shows("TIME_WAIT +2 +[|]")
        t.keys("Tab")
        t.shows("=== client's way  ~~~ server's way  --- others")
        self.assertTrue("".join(t.text()).isascii())

    def test_top_calm_screen(self):
        """After the first picture only what changed is written: no clearing, little more than the numbers."""
        lab = self.lab()
        listener = lab.listen(False)
        lab.attach()
        t = self.top(lab)
        t.shows("LISTENER")
        log = lab.dir() / "log"
        t.log(log)
        for _ in range(4):
            lab.pair(listener)
            time.sleep(1)
        written = log.read_bytes()
        self.assertTrue(written)
        self.assertIsNone(re.search(rb"\x1b\[[0-3]?J|\x1bc|\x1b\[\?1049", written))
        self.assertLess(len(written), 4 * 1000)

    def test_top_without_ncurses(self):
        """make TUI=0: the same but for the screen."""
        lab = self.lab()
        lab.listen(False)
        lab.attach()
        build = lab.dir() / "b"
        build.mkdir()
        for name in ("synward.bpf.o", "synward.skel.h"):
            shutil.copy(ROOT / "build" / name, build)
        subprocess.run(["make", "-s", "-j2", "-C", ROOT, f"B={build}", "TUI=0", "CFLAGS=-O0"], check=True,
                       capture_output=True, timeout=160)
        self.assertNotIn("curses", subprocess.run(["ldd", build / "synward"], capture_output=True, text=True).stdout)
        self.assertRegex(self.refused(lab, build / "synward"), "built without ncurses.*synward top --json")
        p = lab.s.popen(build / "synward", "top", "--json", stdout=subprocess.PIPE)
        self.assertEqual(json.loads(p.stdout.readline())["flows"], 0)
