# SPDX-License-Identifier: GPL-2.0
"""synward replay: captures through the core of this process and through the BPF programs of the kernel."""

import json
import os
import pty
import resource
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import pcap
from lab import ROOT, SYNWARD

MKCAPTURE = ROOT / "build/tests/mkcapture"
VECTORS = Path(os.environ.get("SW_VECTORS", ROOT / "../shared/vectors"))
TIMELESS = ("packets", "tcp", "skipped", "malformed", "flows")


def replay(*args, expect=0, **kw):
    done = subprocess.run([SYNWARD, "replay", *map(str, args)], capture_output=True, text=True, timeout=100, **kw)
    assert done.returncode == expect, f"{args}: exit {done.returncode}\n{done.stdout[-1000:]}{done.stderr}"
    return done


def lines(*args, **kw):
    return [json.loads(x) for x in replay("--json", *args, **kw).stdout.splitlines()]


def flows(docs):
    return [x for x in docs if "flow" in x]


def end_to_end(paths):
    """The packets of all, far apart in time, so that none meets another's connections; by link layer."""
    out = {}
    for n, path in enumerate(paths):
        found, link = pcap.read(path)
        begin = (10**6 + 2000 * n) * 10**9 - found[0][0]
        out.setdefault(link, []).extend((begin + time, data) for time, data in found)
    return out


class Replay(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="synward-replay-")
        self.addCleanup(tmp.cleanup)
        self.dir = Path(tmp.name)
        self.maxDiff = 2000

    def scripts(self):
        subprocess.run([MKCAPTURE, "scripts", self.dir], check=True)
        return sorted(self.dir.glob("scripts-*.pcap"))

    def many(self, n, seed):
        path = self.dir / "many.pcap"
        truth = subprocess.run([MKCAPTURE, "many", path, str(n), str(seed)], check=True, capture_output=True)
        return path, json.loads(truth.stdout)

    def same_in_kernel(self, path):
        if os.geteuid():
            self.skipTest("needs root")
        here, there = replay("--json", path), replay("--json", "--in-kernel", path)
        for n, (a, b) in enumerate(zip(here.stdout.splitlines(), there.stdout.splitlines())):
            self.assertEqual(a, b, f"{path.name}, line {n + 1}: in this process, in the kernel")
        self.assertEqual(here.stdout, there.stdout)
        return json.loads(here.stdout.splitlines()[-1])["summary"]

    # the same in the kernel

    def test_in_kernel_scripts(self):
        paths = self.scripts()
        self.assertEqual(len(paths), 10)
        for link, packets in end_to_end(paths).items():
            path = pcap.write(self.dir / "all.pcap", packets, link)
            self.assertGreater(self.same_in_kernel(path)["flows"], 1000)
        self.assertEqual(replay(path).stdout, replay("--in-kernel", path).stdout)

    def test_in_kernel_many(self):
        path, _ = self.many(60000, 7)
        self.assertEqual(self.same_in_kernel(path)["packets"], 60000)

    def test_in_kernel_damaged_frames(self):
        """Frames cut off by the capture, garbled, tiny, foreign."""
        packets, _ = pcap.read(self.many(5000, 3)[0])
        bad = []
        for i, (time, data) in enumerate(packets):
            cut = bytearray(data)
            if i % 5 == 0:
                cut[i % len(cut)] ^= 1 << i % 8
            bad.append((time, bytes(cut[:i % 70] if i % 11 == 0 else cut)))
        for name, snap in (("whole", 1 << 18), ("cut", 60)):
            summary = self.same_in_kernel(pcap.write(self.dir / name, bad, snap=snap))
            self.assertGreater(summary["malformed"], 100)
            self.assertGreater(summary["skipped"], 5)

    def test_in_kernel_vectors(self):
        """All captures of the vectors, one after the other."""
        if not VECTORS.exists():
            self.skipTest(f"no {VECTORS}")
        total = 0
        for link, packets in end_to_end(sorted(VECTORS.glob("pcaps/**/*.pcap"))).items():
            total += len(packets)
            self.same_in_kernel(pcap.write(self.dir / "all.pcap", packets, link))
        self.assertGreater(total, 500)

    # what it says

    def test_vectors(self):
        """Each assertion of truth.tsv, about the newest flow after so many packets."""
        if not VECTORS.exists():
            self.skipTest(f"no {VECTORS}")
        wrong = []
        rows = [x.split("\t") for x in (VECTORS / "truth.tsv").read_text().splitlines()[1:]]
        for name, after, kind, state in rows:
            packets, link = pcap.read(VECTORS / "pcaps" / name)
            is_ = "CLOSED"
            if int(after):
                cut = pcap.write(self.dir / "cut.pcap", packets[:int(after)], link)
                newest = flows(lines(cut))[-1:]
                is_ = next((f[s]["state"] for f in newest for s in ("client", "server")
                            if f[s]["addr"] == "192.168.0.1"), is_)
            if (is_ == state) != (kind == "STATE"):
                wrong.append(f"{name} after {after}: {kind} {state}, is {is_}")
        self.assertGreater(len(rows), 200)
        self.assertFalse(wrong)

    def test_lines(self):
        """One connection, line by line: what changed when, and what became of it."""
        path, _ = self.many(60000, 2)
        port = next(f["client"]["port"] for f in flows(lines(path)) if f["server"]["port"] == 80 and
                    (f["client"]["state"], f["server"]["state"]) == ("TIME_WAIT", "CLOSED")).to_bytes(2, "big")
        one = [x for x in pcap.read(path)[0] if x[1][34:38] in (port + b"\0P", b"\0P" + port)]
        docs = lines(pcap.write(self.dir / "one.pcap", one))
        states = [(x["packet"], x["client"]["state"], x["server"]["state"]) for x in docs if "packet" in x]
        self.assertEqual(states, [
            (1, "SYN_SENT", "LISTEN"), (2, "SYN_SENT", "SYN_RCVD"), (3, "ESTABLISHED", "ESTABLISHED"),
            (13, "FIN_WAIT_1", "ESTABLISHED"), (14, "FIN_WAIT_2", "CLOSE_WAIT"), (15, "TIME_WAIT", "LAST_ACK"),
            (16, "TIME_WAIT", "CLOSED")])
        self.assertEqual([x["flow"] for x in flows(docs)], [1])
        flow, summary = flows(docs)[0], docs[-1]["summary"]
        self.assertEqual((flow["first_fin"], flow["client"]["mss"], flow["client"]["wscale"], flow["opened"]),
                         ("client", 1460, 7, "active"))
        self.assertEqual({k: summary[k] for k in TIMELESS},
                         {"packets": 16, "tcp": 16, "skipped": 0, "malformed": 0, "flows": 1})

    def test_link_layers(self):
        """The same connections, whatever the file is like."""
        for path in self.scripts()[:6:5]:	# IPv4, IPv6
            packets, _ = pcap.read(path)
            packets = [(t, d) for t, d in packets if len(d) < 65000]	# what a header less does not fit
            truth = lines(pcap.write(path, packets))
            other = self.dir / "other"
            for link in (pcap.RAW, pcap.NULL, pcap.LOOP, pcap.SLL, pcap.SLL2):
                with self.subTest(link=link, path=path.name):
                    self.assertEqual(lines(pcap.write(other, [(t, pcap.relink(d, link)) for t, d in packets], link)),
                                     truth)
            self.assertEqual(lines(pcap.write_ng(other, packets)), truth)
            self.assertEqual(lines(pcap.write(other, packets, order=">")), truth)
            micro = [(t // 1000 * 1000, d) for t, d in packets]
            self.assertEqual(lines(pcap.write(other, micro, ns=False)), lines(pcap.write(path, micro)))

    def test_cut_off(self):
        """A snap length that keeps the headers changes nothing but what checksums would say."""
        path, truth = self.many(20000, 5)
        packets, _ = pcap.read(path)
        whole, cut = lines(path), lines(pcap.write(self.dir / "cut", packets, snap=94))
        self.assertEqual(flows(whole), flows(cut))
        self.assertEqual(sum(f["server"]["port"] == 80 for f in flows(cut)), truth["begun"])

    def test_more_flows_than_room(self):
        """Every flow has its line, also what the tables had to give up."""
        path, truth = self.many(30000, 9)
        few = flows(lines("--max-flows", 64, "--max-half-open", 64, path))
        orderly = {(f["client"]["addr"], f["client"]["port"]) for f in few if f["server"]["port"] == 80}
        self.assertEqual(len(orderly), truth["begun"])
        self.assertEqual([f["flow"] for f in few], list(range(1, len(few) + 1)))
        self.assertGreater(len(few), truth["begun"] + 1000)	# given up, and picked up again
        self.assertTrue(any(f["ambiguous"] for f in few))

    # large

    def test_million(self):
        """A million packets: every connection right, fast, in bounded memory, with a bar on a terminal."""
        path, truth = self.many(1000000, 1)
        best = 1e9
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            replay(path)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        shown = subprocess.run(["/usr/bin/env", "python3", "-c", f"""
import resource, subprocess
subprocess.run({[SYNWARD, "replay", str(path)]}, stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""], capture_output=True, text=True, check=True)
        peak = int(shown.stdout) // 1024
        print(f"note: replay of 1,000,000 packets: {1e6 / best:,.0f} packets per second of CPU time, peak {peak} MiB")
        self.assertGreater(1e6 / best, 150000)	# 600,000 on an idle machine; noise counts as its CPU time, too
        self.assertLess(peak, 300)
        docs = [json.loads(x) for x in replay("--json", path).stdout.splitlines() if x.startswith('{"flow"')]
        orderly = [f for f in docs if f["server"]["port"] == 80]
        self.assertEqual(len(orderly), truth["begun"])
        self.assertEqual(sum((f["client"]["state"], f["server"]["state"], f["handshake"], f["first_fin"]) ==
                             ("TIME_WAIT", "CLOSED", "complete", "client") for f in orderly), truth["ended"])
        self.assertFalse([f for f in orderly if f["ambiguous"] or f["opened"] != "active"])

        master, slave = pty.openpty()
        p = subprocess.Popen([SYNWARD, "replay", "--json", str(path)], stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        said = b""
        while True:
            try:
                said += os.read(master, 4096)
            except OSError:
                break
        os.close(master)
        self.assertEqual(p.wait(), 0)
        self.assertRegex(said, rb"\[#+ +\] +\d+ %")
        self.assertTrue(said.endswith(b" \r"))	# and it is taken away again

    # bad input

    def test_damaged(self):
        """Where a file ends early or is garbled: what came before is shown, one line, exit 1."""
        path = self.scripts()[0]
        whole = path.read_bytes()
        packets, _ = pcap.read(path)
        ends, at = [], 24
        for _, data in packets[:40]:
            at += 16 + len(data)
            ends.append(at)
        bad = self.dir / "bad.pcap"
        for n, end in ((1, ends[0] + 1), (2, ends[1] + 15), (5, ends[4] + 16), (40, ends[39] + 40)):
            bad.write_bytes(whole[:end])
            good = pcap.write(self.dir / "good.pcap", packets[:n])
            done = replay(bad, expect=1)
            self.assertEqual(done.stdout, replay(good).stdout)
            self.assertRegex(done.stderr, rf"^synward: \S+bad.pcap is damaged after packet {n}: .*\n$")
            docs = [json.loads(x) for x in replay("--json", bad, expect=1).stdout.splitlines()]
            self.assertEqual(docs[:-1], lines(good))
            self.assertIn("damaged", docs[-1]["error"])
        bad.write_bytes(whole[:ends[2]] + b"\xff" * 64 + whole[ends[2]:])
        self.assertIn("damaged after packet 3", replay(bad, expect=1).stderr)

    def test_no_capture(self):
        empty, header, text = self.dir / "empty", self.dir / "header", self.dir / "text"
        empty.write_bytes(b"")
        pcap.write(header, [])
        text.write_text("GET / HTTP/1.1\n" * 10)
        wireless = pcap.write(self.dir / "wireless", [(1, b"\0" * 60)], 105)
        for path, says in ((empty, "no capture"), (header, "holds no packets"), (text, "no capture"),
                           (wireless, "not supported"), (self.dir, "directory"), (self.dir / "none", "No such file")):
            done = replay(path, expect=1)
            self.assertEqual(done.stdout, "")
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertIn(says, json.loads(replay("--json", path, expect=1).stdout)["error"])

    def test_usage(self):
        for args in ((), ("a", "b"), ("--max-flows", "x", "a"), ("--syn-timeout", "0", "a"), ("--frob", "a")):
            self.assertEqual(replay(*args, expect=2).stderr.count("\n"), 1)

    def test_unprivileged(self):
        """Anybody may replay; the kernel's way needs root and says so."""
        path = self.scripts()[0]
        shutil.copy(SYNWARD, self.dir / "synward")
        for p in (self.dir, self.dir / "synward", path):
            p.chmod(0o755)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(self.dir / "synward"), "replay"]
        done = subprocess.run([*nobody, str(path)], capture_output=True, text=True, cwd="/")
        self.assertEqual((done.returncode, done.stdout), (0, replay(path).stdout))
        done = subprocess.run([*nobody, "--in-kernel", str(path)], capture_output=True, text=True, cwd="/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("run as root", done.stderr)
        with open(path, "rb") as f:
            self.assertEqual(replay("-", stdin=f).stdout, replay(path).stdout)
