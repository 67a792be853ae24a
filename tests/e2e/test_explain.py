# SPDX-License-Identifier: GPL-2.0
"""synward explain: ladders of captures against reviewed texts, replay and the vectors, and of live connections."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import golden
import pcap
from lab import ROOT, S4, S6, SYNWARD, LabTest, asleep, descriptors, wait_until
from wire import ACK, FIN, OPTIONS, PSH, RST, SYN, segment

MKCAPTURE = ROOT / "build/tests/mkcapture"
VECTORS = Path(os.environ.get("SW_VECTORS", ROOT / "../shared/vectors"))
UTF8 = dict(os.environ, LC_ALL="C.UTF-8", NO_COLOR="1")
X, Y = 1000000000, 3000000000	# initial sequence numbers
FULL = os.environ.get("SYNWARD_EXPLAIN_FULL")


def explain(*args, expect=0, **kw):
    kw.setdefault("env", UTF8)
    done = subprocess.run([SYNWARD, "explain", *map(str, args)], capture_output=True, text=True, timeout=100, **kw)
    assert done.returncode == expect, f"{args}: exit {done.returncode}\n{done.stdout[-1000:]}{done.stderr}"
    return done


def rows(*args, **kw):
    return [json.loads(x) for x in explain("--json", *args, **kw).stdout.splitlines()]


class Talk:
    """A conversation, segment by segment, numbers relative to X and Y."""

    def __init__(self, client=("192.0.2.1", 40000), server=("198.51.100.7", 80)):
        self.client, self.server, self.now, self.packets = client, server, 10**18, []

    def say(self, to_server, flags, seq=0, ack=0, size=0, ms=10, options=b"", window=65535):
        a, b = (self.client, self.server) if to_server else (self.server, self.client)
        mine, other = (X, Y) if to_server else (Y, X)
        self.now += ms * 10**6
        packet = segment(*a, *b, flags, seq + mine, ack + other if flags & ACK else 0, options=options,
                         payload=b"x" * size, window=window)
        self.packets.append((self.now, packet))
        return self

    def garble(self):
        """The last one arrives with a bit turned over."""
        at, data = self.packets[-1]
        self.packets[-1] = at, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]
        return self

    def c(self, flags, seq=0, ack=0, size=0, **kw):
        return self.say(True, flags, seq, ack, size, **kw)

    def s(self, flags, seq=0, ack=0, size=0, **kw):
        return self.say(False, flags, seq, ack, size, **kw)

    def open(self):
        return self.c(SYN, 0, options=OPTIONS).s(SYN | ACK, 0, 1, options=OPTIONS).c(ACK, 1, 1)

    def close(self, c=1, s=1):
        return (self.c(FIN | ACK, c, s).s(ACK, s, c + 1, ms=1).s(FIN | ACK, s, c + 1, ms=500)
                .c(ACK, c + 1, s + 1, ms=1))


TALKS = {
    "orderly": Talk().open().c(PSH | ACK, 1, 1, 100).s(ACK, 1, 101).close(101, 1),
    "transfer": (Talk().open().c(PSH | ACK, 1, 1, 80).s(ACK, 1, 81, 1460).s(ACK, 1461, 81, 1460).c(ACK, 81, 2921)
                 .s(PSH | ACK, 2921, 81, 700).c(ACK, 81, 3621).s(PSH | ACK, 2921, 81, 700, ms=210).c(ACK, 81, 3621)
                 .close(81, 3621)),
    "dropped": Talk().c(SYN, 0, options=OPTIONS).c(SYN, 0, options=OPTIONS, ms=1000).c(SYN, 0, options=OPTIONS, ms=2000),
    "refused": Talk().c(SYN, 0, options=OPTIONS).s(RST | ACK, -Y, 1),
    "half-close": (Talk().open().c(FIN | ACK, 1, 1).s(ACK, 1, 2).s(PSH | ACK, 1, 2, 400).c(ACK, 2, 401)
                   .s(FIN | ACK, 401, 2).c(ACK, 2, 402)),
    "three-segment": Talk().open().c(FIN | ACK, 1, 1).s(FIN | ACK, 1, 2).c(ACK, 2, 2),
    "simultaneous": (Talk().c(SYN, 0, options=OPTIONS).s(SYN, 0, options=OPTIONS).c(SYN | ACK, 0, 1).s(SYN | ACK, 0, 1)
                     .c(FIN | ACK, 1, 1).s(FIN | ACK, 1, 1).c(ACK, 2, 2).s(ACK, 2, 2)),
    "lost-ack": (Talk().open().c(FIN | ACK, 1, 1).s(ACK, 1, 2).s(FIN | ACK, 1, 2).s(FIN | ACK, 1, 2, ms=200)
                 .s(FIN | ACK, 1, 2, ms=400).c(ACK, 2, 2)),
    "not-believed": (Talk().open().c(RST, 500, ms=10).s(ACK, 1, 1).c(SYN, 77, options=OPTIONS).s(ACK, 1, 1)
                     .c(RST, 10**8).c(ACK, 1, 10**6).c(0, 1, 1).s(SYN | ACK, 0, 77).c(FIN | ACK, 10**7, 1)
                     .c(ACK, 0, 1).s(ACK, 1, 1).s(ACK, 1, 1, window=0).s(RST | ACK, 1, 1).c(ACK, 1, 1, 10)),
    "midstream": Talk().c(PSH | ACK, 500, 900, 10).s(ACK, 900, 510).close(510, 900),
    "reuse": (Talk().open().s(FIN | ACK, 1, 1).c(ACK, 1, 2).c(FIN | ACK, 1, 2).s(ACK, 2, 2)
              .c(SYN, 90000, options=OPTIONS, ms=1000).s(SYN | ACK, 70000, 90001, options=OPTIONS)
              .c(ACK, 90001, 70001).c(RST | ACK, 90001, 70001)),
    "strays": (Talk().open().c(ACK, 101, 1, 100).s(ACK, 1, 1).c(ACK, 1, 1, 100).s(ACK, 1, 201).c(ACK, 200, 1)
               .s(ACK, 1, 201).c(ACK, 1, 1, 100).c(FIN | ACK, 201, 1).garble().s(RST, 1).c(RST, 201, ms=20000)),
    "ipv6": Talk(("2001:db8::1", 40000), ("2001:db8::2", 443)).open().close(),
}


class Explain(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="synward-explain-")
        self.addCleanup(tmp.cleanup)
        self.dir = Path(tmp.name)
        self.maxDiff = 4000

    def talk(self, name):
        return pcap.write(self.dir / f"{name}.pcap", TALKS[name].packets, pcap.RAW)

    # what it says

    def test_golden(self):
        for name in TALKS:
            with self.subTest(name):
                golden.same(self, f"explain/{name}.txt", explain(self.talk(name)).stdout)

    def test_golden_ways(self):
        """The other ways to show one."""
        path = self.talk("not-believed")
        golden.same(self, "explain/ascii.txt", explain("--ascii", path).stdout)
        self.assertEqual(explain(path, env=dict(UTF8, LC_ALL="C")).stdout, explain("--ascii", path).stdout)
        self.assertTrue(explain("--ascii", path).stdout.isascii())
        golden.same(self, "explain/absolute.txt", explain("--absolute", self.talk("orderly")).stdout)
        golden.same(self, "explain/zh.txt", explain("--lang", "zh", path).stdout)
        golden.same(self, "explain/lines.json", explain("--json", path).stdout)
        golden.same(self, "explain/flow-1.txt", explain("--flow", 1, self.talk("reuse")).stdout)
        drawing = self.dir / "x.svg"
        self.assertEqual(explain("--svg", drawing, path).stdout, "")
        golden.same(self, "explain/not-believed.svg", drawing.read_text())
        self.assertEqual(explain("--svg", "-", path).stdout, drawing.read_text())

    def test_width(self):
        """Every line of a ladder ends in the same columns, whatever is between them."""
        for name in TALKS:
            for args in ((), ("--ascii",)):
                lines = explain(*args, "--flow", 1, self.talk(name)).stdout.splitlines()
                first = next(i for i, x in enumerate(lines) if x.startswith(" " * 23) and x[23] != " ")
                for line in lines[first + 1:]:
                    self.assertIn(line[22], "│├⋮|:", line)
                    self.assertIn(line[67], "│┤⋮|:", line)
                    self.assertLessEqual(len(line), 80)

    def test_svg(self):
        """Well-formed, and every state and label of the text is in it."""
        for name in TALKS:
            root = xml.fromstring(explain("--svg", "-", self.talk(name)).stdout)
            words = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
            shown = rows(self.talk(name))
            for r in shown:
                self.assertIn(r["client_state"], words)
                self.assertIn(r["server_state"], words)
            arrows = [x for x in root.iter("{http://www.w3.org/2000/svg}line") if x.get("marker-end")]
            plain = [x for x in shown if x["note"].startswith(("Data:", "All bytes"))]
            self.assertGreaterEqual(len(arrows), len(shown) - len(plain))
            height = float(root.get("viewBox").split()[3])
            self.assertTrue(all(float(t.get("y")) < height for t in root.iter("{http://www.w3.org/2000/svg}text")))

    def test_absolute(self):
        path = self.talk("orderly")
        for a, b in zip(rows(path), rows("--absolute", path)):
            base, other = (X, Y) if a["from"] == "client" else (Y, X)
            self.assertEqual((a["relative"], b["relative"]), (True, False))
            self.assertEqual(a["seq"] + base, b["seq"])
            if a["ack"] is not None:
                self.assertEqual(a["ack"] + other, b["ack"])

    def test_numbers_wrap(self):
        """Relative numbers go on when the real ones wrap."""
        global X, Y
        old, X, Y = (X, Y), 2**32 - 2, 2**32 - 1
        try:
            path = pcap.write(self.dir / "w.pcap", Talk().open().c(PSH | ACK, 1, 1, 10).s(ACK, 1, 11).close(11, 1)
                              .packets, pcap.RAW)
        finally:
            X, Y = old
        self.assertEqual([(r["seq"], r["ack"]) for r in rows(path)],
                         [(r["seq"], r["ack"]) for r in rows(pcap.write(
                             self.dir / "v.pcap", Talk().open().c(PSH | ACK, 1, 1, 10).s(ACK, 1, 11).close(11, 1)
                             .packets, pcap.RAW))])

    def test_all_devices(self):
        """A capture on all devices has a forwarded segment twice: it is one."""
        whole = [(t, b"\0" * 12 + b"\x08\0" + p) for t, p in TALKS["orderly"].packets]
        one = pcap.write(self.dir / "one.pcap", whole)
        cooked = []
        for t, p in whole:
            p = pcap.relink(p, pcap.SLL2)
            cooked += [(t, p), (t + 5000, p[:4] + struct.pack(">I", 7) + p[8:])]
        twice = pcap.write(self.dir / "twice.pcap", cooked, pcap.SLL2)
        self.assertEqual(explain(twice).stdout, explain(one).stdout)

    def test_run(self):
        """A long transfer is one line; in JSON every segment is."""
        t = Talk().open()
        for i in range(500):
            t.s(ACK, 1 + 1000 * i, 1, 1000, ms=1).c(ACK, 1, 1001 + 1000 * i, ms=1)
        path = pcap.write(self.dir / "run.pcap", t.close(1, 500001).packets, pcap.RAW)
        text = " ".join(" ".join(x[24:67].strip("│⋮ ") for x in explain(path).stdout.splitlines()).split())
        self.assertIn("1,000 segments: 0 bytes to the server, 500,000 bytes to the client", text)
        self.assertEqual(len(rows(path)), 1007)

    # against what else is known

    def test_like_replay(self):
        """The states of every script's connection, after each packet, are those of replay."""
        subprocess.run([MKCAPTURE, "scripts", self.dir], check=True)
        compared = 0
        for n in (0, 5):	# IPv4, IPv6
            path = self.dir / f"scripts-{n}.pcap"
            lines = [json.loads(x) for x in subprocess.run([SYNWARD, "replay", "--json", path], capture_output=True,
                                                           text=True, check=True).stdout.splitlines()]
            changes = {x["packet"]: (x["client"]["state"], x["server"]["state"]) for x in lines if "packet" in x}
            flows = [x for x in lines if "flow" in x]
            for f in flows[::4]:
                if f["syn_retransmits"] or f["opened"] == "midstream":
                    continue	# replay ends a handshake after a minute; it may be several flows
                for row in rows("--flow", f["flow"], path):
                    if row["packet"] in changes:
                        self.assertEqual((row["client_state"], row["server_state"]), changes[row["packet"]],
                                         f"{path.name} flow {f['flow']} packet {row['packet']}: {row['note']}")
                        compared += 1
        self.assertGreater(compared, 200)

    def test_vectors(self):
        """Never against an assertion of the vectors: the newest connection of each capture, cut after so many."""
        if not VECTORS.exists():
            self.skipTest(f"no {VECTORS}")
        wrong, n = [], 0
        for line in (VECTORS / "truth.tsv").read_text().splitlines()[1:]:
            name, after, kind, state = line.split("\t")
            if not int(after):
                continue
            packets, link = pcap.read(VECTORS / "pcaps" / name)
            cut = pcap.write(self.dir / "cut.pcap", packets[:int(after)], link)
            last = [json.loads(x)["flow"] for x in subprocess.run(
                [SYNWARD, "replay", "--json", cut], capture_output=True, text=True, check=True).stdout.splitlines()
                if x.startswith('{"flow"')]
            if not last:
                continue
            shown = rows("--flow", max(last), cut)
            if shown[-1]["packet"] != int(after):	# the last packets were no TCP of this flow
                shown.append(shown[-1])
            end = "client" if b"\xc0\xa8\x00\x01" in self.source(packets, link, shown[0]) else "server"
            is_ = shown[-1][f"{end}_state"]
            n += 1
            if (is_ == state) != (kind == "STATE"):
                wrong.append(f"{name} after {after}: {kind} {state}, is {is_}")
        self.assertFalse(wrong)
        self.assertGreater(n, 200)

    @staticmethod
    def source(packets, link, row):
        """Source address of the row's packet, when the client sent it; else its destination."""
        ip = packets[row["packet"] - 1][1][14 if link == pcap.ETHERNET else 0:]
        return ip[12:16] if row["from"] == "client" else ip[16:20]

    def test_every_sentence(self):
        """Each sentence of the table is said of some script, or of a lab's scenario."""
        subprocess.run([MKCAPTURE, "scripts", self.dir], check=True)
        said = set()
        flows = [json.loads(x)["flow"] for x in subprocess.run(
            [SYNWARD, "replay", "--json", self.dir / "scripts-0.pcap"], capture_output=True, text=True,
            check=True).stdout.splitlines() if x.startswith('{"flow"')]
        for n in flows:
            said |= {r["note"] for r in rows("--flow", n, self.dir / "scripts-0.pcap")}
        for name in TALKS:
            said |= {r["note"] for n in range(1, 3 if name == "reuse" else 2)
                     for r in rows("--flow", n, self.talk(name))}
        unsaid = set(golden.notes((ROOT / "user/explain_notes.h").read_text())) - said - {""}
        in_labs = {"Lost on the way: the other end never sees it.", "The receiver's SYN is acknowledged: ESTABLISHED.",
                   "Repeats its SYN, and acknowledges the other one.",
                   "Asks to open. seq is its own initial sequence number, shown as 0."}
        self.assertEqual(unsaid, in_labs | {"Counts for nothing."})

    # large, damaged, wrong

    def sparse(self, connections, size):
        """A capture of many connections, most of it holes: large segments that say nothing."""
        path = self.dir / "sparse.pcap"
        template = [p for _, p in Talk(("2001:db8::", 40000), ("2001:db8:1::1", 443)).open()
                    .s(ACK, 1, 1, 2000).close(1, 2001).packets]
        with open(path, "wb") as f:
            f.write(struct.pack("=IHHiIII", pcap.NS_MAGIC, 2, 4, 0, 0, 1 << 18, pcap.RAW))
            at = f.tell()
            for n in range(connections):
                # words whose sum is always the same: the checksum stays right
                words = struct.pack("!4H", n & 0xffff, 0xffff - (n & 0xffff), n >> 16, 0xffff - (n >> 16))
                for i, p in enumerate(template):
                    client = 24 if i in (1, 3, 5, 6) else 8
                    p, whole = p[:client + 8] + words + p[client + 16:], len(p) if len(p) < 1600 else size
                    f.seek(at)
                    f.write(struct.pack("=4I", 1700000000 + n // 1000, n % 1000 * 1000000 + i * 1000, whole, whole)
                            + p[:60 + 40])
                    at += 16 + whole
            f.truncate(at)
        return path

    def test_large(self):
        """Many connections: the answer comes, within bounds of memory."""
        connections, size = (100000, 20000) if FULL else (4000, 20000)
        path = self.sparse(connections, size)
        code = (f"import resource, subprocess\np = subprocess.run({[SYNWARD, 'explain', '--flow', str(connections), str(path)]},"
                "capture_output=True, text=True, check=True)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
                "print(p.stdout)")
        begin = time.monotonic()
        done = subprocess.run(["python3", "-c", code], capture_output=True, text=True, check=True, env=UTF8)
        seconds = time.monotonic() - begin
        peak, text = done.stdout.split("\n", 1)
        print(f"note: explain of {path.stat().st_size / 1e9:.2f} GB, {connections:,} connections: {seconds:.1f} s, "
              f"peak {int(peak) // 1024} MiB")
        self.assertIn(f"and more, {connections:,} in all", text)
        self.assertIn("FIN_WAIT_2", text)
        self.assertLess(int(peak) // 1024, 256 if FULL else 70)
        self.assertLess(seconds, 60)

    def test_damaged(self):
        path = self.talk("orderly")
        whole = path.read_bytes()
        path.write_bytes(whole[:-10])
        done = explain(path, expect=1)
        self.assertRegex(done.stderr, r"^synward: \S+ is damaged after packet 8: .*\n$")
        self.assertIn("LAST_ACK", done.stdout)
        path.write_bytes(b"GET / HTTP/1.1\n" * 10)
        self.assertIn("no capture", explain(path, expect=1).stderr)
        self.assertIn("error", json.loads(explain("--json", path, expect=1).stdout))
        pcap.write(path, [(1, b"\0" * 60)])
        self.assertIn("no TCP connection", explain(path, expect=1).stderr)

    def test_usage(self):
        path = self.talk("orderly")
        for args in ((), (path, "b"), ("--port", "0"), ("--port", 80, path), ("--flow", "x", path), ("--frob", path),
                     ("--port", 80, "--peer", "host;x"), ("--peer", "10.0.0.1", path), ("--port", 80, "--flow", 1),
                     ("--lang", "fr", path), ("--svg", "x", "--json", path)):
            self.assertEqual(explain(*args, expect=2).stderr.count("\n"), 1, args)
        self.assertIn("the last one is 1", explain("--flow", 2, path, expect=1).stderr)
        self.assertIn("cannot write", explain("--svg", "/nowhere/x", path, expect=1).stderr)

    def test_unprivileged(self):
        """Anybody may explain a file, also from a pipe; live capture needs root and says so."""
        path = self.talk("orderly")
        truth = explain(path).stdout
        shutil.copy(SYNWARD, self.dir / "synward")
        for p in (self.dir, self.dir / "synward", path):
            p.chmod(0o755)
        if os.geteuid():
            nobody = [str(self.dir / "synward"), "explain"]
        else:
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(self.dir / "synward"), "explain"]
        run = dict(capture_output=True, text=True, cwd="/", env=UTF8)
        self.assertEqual(subprocess.run([*nobody, str(path)], **run).stdout, truth)
        with open(path, "rb") as f:
            self.assertEqual(subprocess.run([*nobody, "-"], stdin=f, **run).stdout, truth)
        done = subprocess.run([*nobody, "--port", "80"], **run)
        self.assertEqual(done.returncode, 1)
        self.assertIn("run as root", done.stderr)


class Live(LabTest):
    def watch(self, lab, *args, ns=None):
        p = (ns or lab.s).popen(SYNWARD, "explain", "--json", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: any("socket" in x for x in descriptors(p.pid).values()) and asleep(p.pid), 20, "capture")
        return p

    def states(self, p, first=""):
        out = first + p.stdout.read()
        self.assertEqual(p.wait(20), 0, p.stderr.read())
        docs = [json.loads(x) for x in out.splitlines()]
        return docs, [(x["flags"], x["client_state"], x["server_state"]) for x in docs]

    def test_live(self):
        """One connection as it happens, seen at the server; it ends when the connection is over."""
        for v6 in (False, True):
            lab = self.lab()
            listener = lab.listen(v6)
            p = self.watch(lab, "--port", 8080)
            c, s = lab.pair(listener)
            c.sendall(b"question")
            self.assertEqual(s.recv(100), b"question")
            first = p.stdout.readline()	# as it happens, not at the end
            c.shutdown(socket.SHUT_WR)
            wait_until(lambda: any(x.state == "FIN_WAIT_2" for x in lab.c.ss()))
            s.close()
            docs, states = self.states(p, first)
            self.assertEqual(states[:3], [("SYN", "SYN_SENT", "LISTEN"), ("SYN ACK", "SYN_SENT", "SYN_RCVD"),
                                          ("ACK", "ESTABLISHED", "ESTABLISHED")])
            self.assertEqual(states[-4:], [("FIN ACK", "FIN_WAIT_1", "ESTABLISHED"), ("ACK", "FIN_WAIT_2", "CLOSE_WAIT"),
                                           ("FIN ACK", "TIME_WAIT", "LAST_ACK"), ("ACK", "TIME_WAIT", "CLOSED")])
            self.assertFalse([x for x in docs if x["retransmit"] or x["ignored"]])
            lab.close()

    def test_live_peer(self):
        """Only the peer's connection, and on Ctrl-C what there was so far, as a drawing."""
        lab = self.lab()
        listener = lab.listen()
        lab.c.ip("addr add 10.0.0.9/24 dev c0")
        drawing = lab.dir() / "x.svg"
        p = lab.c.popen(SYNWARD, "explain", "--netns", lab.s.path, "--dev", "s0", "--port", 8080, "--peer", "10.0.0.9",
                        "--svg", drawing, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: any("socket" in x for x in descriptors(p.pid).values()) and asleep(p.pid), 20, "capture")
        lab.pair(listener)
        c = lab.c.connect(S4, 8080, src="10.0.0.9")
        time.sleep(1)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=10)
        self.assertEqual((p.returncode, out), (0, ""), err)
        text = drawing.read_text()
        self.assertIn(f"10.0.0.9:{c.getsockname()[1]}", text)
        self.assertEqual(text.count('marker-end'), 3)

    def test_live_through_a_bridge(self):
        """The same packet on several devices of one host is one segment."""
        lab = self.lab()
        lab.s.ip("link add br0 type bridge", "link set s0 nomaster", "link set s0 master br0", "link set br0 up",
                 "addr flush dev s0", f"addr add {S4}/24 dev br0")
        lab.c.ip("neigh flush dev c0", f"neigh del {S4} dev c0")
        listener = lab.listen()
        p = self.watch(lab, "--port", 8080)
        c, s = lab.pair(listener)
        c.close()
        s.close()
        docs, states = self.states(p)
        self.assertFalse([x for x in docs if x["retransmit"]])
        self.assertIn(len(docs), (6, 7))
