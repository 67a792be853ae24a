# SPDX-License-Identifier: GPL-2.0
"""synward lab: what each scenario shows is what the kernel's sockets did, and nothing stays behind."""

import concurrent.futures
import json
import os
import platform
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import golden
from lab import PINS, ROOT, SYNWARD, descriptors, eventually, holders, need, parse_ss, wait_until

UTF8 = dict(os.environ, LC_ALL="C.UTF-8", NO_COLOR="1")
ENDS = {	# client, server
    "handshake": ("ESTABLISHED", "ESTABLISHED"), "refused": ("CLOSED", "CLOSED"), "dropped": ("CLOSED", "CLOSED"),
    "close": ("TIME_WAIT", "CLOSED"), "close-three": ("TIME_WAIT", "CLOSED"), "half-close": ("TIME_WAIT", "CLOSED"),
    "simultaneous-open": ("ESTABLISHED", "ESTABLISHED"), "simultaneous-close": ("TIME_WAIT", "TIME_WAIT"),
    "lost-ack": ("TIME_WAIT", "CLOSED"), "reset": ("CLOSED", "CLOSED"), "reuse": ("ESTABLISHED", "ESTABLISHED"),
}
GAUGES = ("syn-queue", "flood", "flood-cookies", "flood-synward")
KERNEL = tuple(int(x) for x in re.findall(r"\d+", platform.release())[:2])


def lab(*args, expect=0, **kw):
    kw.setdefault("env", UTF8)
    done = subprocess.run([SYNWARD, "lab", *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **kw)
    assert done.returncode == expect, f"{args}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"
    return done


def all_of(fn, names):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(fn, names)))


def untuned(text):
    """What a host's buffers say about the window scale is not the scenario's."""
    return re.sub(r"wscale \d+", "wscale 7", text)


def namespaces(pid):
    """The network namespaces that a lab holds, by its client's and server's device; None before they are there."""
    found = {}
    for fd, what in descriptors(pid).items():
        if not what.startswith("net:["):
            continue
        path = f"/proc/{pid}/fd/{fd}"
        links = subprocess.run(["nsenter", f"--net={path}", "ip", "-o", "link"], capture_output=True, text=True).stdout
        for dev in ("c0", "s0"):
            if f" {dev}: " in links:
                found[dev] = path
    return found if len(found) == 2 else None


class Scenarios(unittest.TestCase):
    def setUp(self):
        if os.geteuid():
            self.skipTest("needs root")
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("no /dev/net/tun")
        self.maxDiff = 4000

    def start(self, *args, **kw):
        p = subprocess.Popen([SYNWARD, "lab", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=UTF8, **kw)
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        return p

    def test_ladders(self):
        """Each ladder is the reviewed one, and ends as the kernel's sockets do."""
        runs = all_of(lab, ENDS)

        def check(name):
            text = untuned((runs.pop(name, None) or lab(name)).stdout)
            golden.same(self, f"lab/{name}.txt", text, exact=False)
            self.assertIn("The kernel's sockets: client {}, server {}\n".format(*ENDS[name]), text)
        for name in ENDS:
            with self.subTest(name):
                if name == "simultaneous-open" and KERNEL < (6, 12):
                    continue	# before, SYN-ACKs that crossed were answered by challenge ACKs
                golden.again(self, lambda name=name: check(name))

    def test_lines(self):
        """The same in JSON: the last states of the rows are those of the sockets."""
        for name, done in all_of(lambda n: lab(n, "--json"), [n for n in ENDS if n != "dropped"]).items():
            docs = [json.loads(x) for x in done.stdout.splitlines()]
            self.assertEqual((docs[-1]["client_socket"], docs[-1]["server_socket"]), ENDS[name])
            last = (docs[-2]["client_state"], docs[-2]["server_state"])
            self.assertEqual(last, ENDS[name], name)

    @need("ss", "nsenter")
    def test_sockets(self):
        """ss says the same in both namespaces, which are gone when the command is, whatever ended it."""
        wanted = dict(ENDS, dropped=("SYN_SENT", "CLOSED"))	# while it lasts
        ways = dict(zip(wanted, 4 * [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))

        def one(name):
            p = self.start(name, "--slow")
            nets = wait_until(lambda: namespaces(p.pid), 20, f"namespaces of {name}")
            inodes = [os.readlink(x)[5:-1] for x in nets.values()]

            def check():
                for dev, want in zip(("c0", "s0"), wanted[name]):
                    text = subprocess.run(["nsenter", f"--net={nets[dev]}", "ss", "-tanH"], capture_output=True,
                                          text=True, check=True).stdout
                    is_ = {x.state for x in parse_ss(text) if x.state != "LISTEN" and 40000 in (x.port, x.peer_port)}
                    assert is_ == ({want} - {"CLOSED"}), f"{name} {dev}: {is_}, not {want}"
            eventually(check)
            held = {inode: holders(inode) for inode in inodes}
            assert all(p.pid in x for x in held.values()), f"{name}: {p.pid} is not seen: {held}"
            p.send_signal(ways[name])
            p.wait(10)
            return set().union(*(holders(*x) for x in held.items()))
        for name, left in all_of(one, wanted).items():
            self.assertEqual(left, set(), name)

    def test_gauges(self):
        """The queue fills, floods keep clients out or do not: by the numbers of the kernel and of the guard."""
        golden.again(self, self.gauges)	# its requests live for three seconds, on a busy machine as well

    def gauges(self):
        docs = {n: [json.loads(x) for x in d.stdout.splitlines()]
                for n, d in all_of(lambda n: lab(n, "--json"), GAUGES).items()}
        queue = docs["syn-queue"]
        self.assertEqual([d["half_open"] for d in queue[:3]], [0, 4, 16])
        self.assertIn(queue[3]["half_open"], (16, 17))
        self.assertIn(f"{24 - queue[3]['half_open']} found no room", queue[3]["gauge"])
        self.assertIn("SYN_SENT", queue[4]["gauge"])
        self.assertIn("ESTABLISHED", queue[5]["gauge"])
        self.assertLess(queue[5]["half_open"], 16)
        for name, served, least, most in (("flood", 0, 128, 129), ("flood-cookies", 10, 128, 129),
                                          ("flood-synward", 10, 40, 80)):
            said = " ".join(d["gauge"] for d in docs[name])
            self.assertIn(f"{served} of 10 clients got in", said)
            self.assertTrue(least <= docs[name][1]["half_open"] <= most, docs[name])
        kept = int(re.search(r"(\d+) were kept off", " ".join(d["gauge"] for d in docs["flood-synward"])).group(1))
        self.assertGreater(kept, 500)

    def test_no_pins_stay(self):
        """The guard's maps go, even when the command is killed while it attaches."""
        p = self.start("flood-synward", "--slow")
        nets = wait_until(lambda: namespaces(p.pid), what="namespaces")
        inode = os.readlink(nets["s0"])[5:-1]
        wait_until(lambda: (PINS / inode / "meta").exists(), 30, "attach")
        held = holders(inode)
        self.assertIn(p.pid, held)
        p.kill()
        p.wait(20)
        wait_until(lambda: not (PINS / inode).exists(), 40, "pins go")
        wait_until(lambda: not holders(inode, held), 10, "namespace goes")

    def test_slow(self):
        """A second for each segment; a key steps on; the terminal is as it was after Ctrl-C."""
        begin = time.monotonic()
        lab("refused", "--slow")
        self.assertGreater(time.monotonic() - begin, 2)
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        p = subprocess.Popen([SYNWARD, "lab", "close", "--slow"], stdin=slave, stdout=slave, stderr=slave, env=UTF8,
                             start_new_session=True)
        said, begin = b"", 0
        end = time.monotonic() + 30
        while b"CLOSE_WAIT" not in said and time.monotonic() < end:	# the fifth segment
            if select.select([master], [], [], 0.1)[0]:
                begin = begin or time.monotonic()	# not what it takes until it plays
                said += os.read(master, 4096)
            os.write(master, b" ")
        self.assertLess(time.monotonic() - begin, 4)
        self.assertNotEqual(termios.tcgetattr(slave)[3], before[3])
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(10), 1)
        self.assertEqual(termios.tcgetattr(slave)[3], before[3])
        os.close(slave)
        os.close(master)

    def test_drawing(self):
        for name in ("close", "lost-ack"):
            root = xml.fromstring(lab(name, "--svg", "-").stdout)
            words = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
            for word in ("TIME_WAIT", "LAST_ACK", "close()", "SYN seq=0"):
                self.assertIn(word, words)
            self.assertEqual("✗" in words, name == "lost-ack")

    def test_chinese(self):
        golden.again(self, lambda: golden.same(self, "lab/lost-ack.zh.txt", exact=False,
                                               text=untuned(lab("lost-ack", "--lang", "zh").stdout)))

    def test_list(self):
        """Every scenario, and what it teaches; each has a test here. Also for those who are not root."""
        docs = json.loads(lab("--json").stdout)
        self.assertEqual([d["scenario"] for d in docs], [*ENDS, *GAUGES])
        text = lab().stdout
        for d in docs:
            self.assertRegex(text, rf"(?m)^{d['scenario']} +{re.escape(d['title'])} +{re.escape(d['teaches'])}$")
        self.assertEqual(lab("--lang", "zh").stdout.count("\n"), len(docs))

    def test_usage(self):
        for args in (("nothing",), ("close", "b"), ("--frob",), ("close", "--lang", "fr"), ("flood", "--svg", "x"),
                     ("close", "--svg", "x", "--json"), ("close", "--svg", "x", "--slow")):
            self.assertEqual(lab(*args, expect=2).stderr.count("\n"), 1, args)
        with tempfile.TemporaryDirectory(prefix="synward-lab-") as tmp:
            shutil.copy(SYNWARD, tmp)
            os.chmod(tmp, 0o755)
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{tmp}/synward", "lab",
                                   "close"], capture_output=True, text=True, cwd="/")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("run as root", done.stderr)
