# SPDX-License-Identifier: GPL-2.0
"""`doctor`: each thing that is broken changes its line, and the command leaves nothing behind."""

import contextlib
import json
import shutil
import socket
import subprocess
import unittest

import test_errors
import test_views
from guard import Server, echo
from lab import C4, S4, SYNWARD, LabTest, need
from test_views import NULL

PORT = 8080
VERDICTS = ("ok", "warn", "fail")
LINE = {"verdict": VERDICTS, "check": str, "about": (str, NULL), "found": str, "do": (str, NULL)}
DOC = {"checks": [LINE], "ok": int, "warn": int, "fail": int}


class Doctor(LabTest):
    shape, foreign = test_views.Views.shape, test_errors.Errors.foreign

    def setUp(self):
        self.net, self.maxDiff = self.lab(pairs=2), 4000

    def doctor(self, *args, fails=0):
        """The lines by check; of several of one name the worst."""
        done = self.net.synward("doctor", *args, expect=None)
        doc = json.loads(done.stdout)
        self.shape(doc, DOC, "doctor")
        lines = doc["checks"]
        for verdict in VERDICTS:
            self.assertEqual(doc[verdict], sum(x["verdict"] == verdict for x in lines))
        self.assertEqual((doc["fail"], done.returncode), (fails, int(fails > 0)), lines)
        self.assertEqual(len(done.stderr.splitlines()), int(fails > 0), done.stderr)
        self.assertEqual(done.stderr, f"synward: {doc['error']}\n" if fails else "")
        for x in lines:
            if x["verdict"] == "fail":
                self.assertTrue(x["do"] or x["check"] in ("device", "pins", "self-test"), x)
        out = {}
        for x in sorted(lines, key=lambda x: VERDICTS.index(x["verdict"])):
            out[x["check"]] = x
        return out

    def has(self, lines, check, verdict, words="."):
        self.assertIn(check, lines)
        self.assertEqual(lines[check]["verdict"], verdict, lines[check])
        self.assertRegex(f"{lines[check]['found']} -> {lines[check]['do']}", words)

    def bad(self, lines):
        return sorted(k for k, x in lines.items() if x["verdict"] != "ok")

    @contextlib.contextmanager
    def ruleset(self, body):
        self.net.s.nft(f"table inet d {{\n{body}\n}}\n")
        yield
        self.net.s.nft("delete table inet d\n")

    def chain(self, *rules, kind="filter", hook="input", policy="accept", before=""):
        return self.ruleset(f"{before}\n chain c {{\n type {kind} hook {hook} priority 0; policy {policy}\n "
                            + "\n ".join(rules) + "\n }")

    def traces(self):
        """All that a run could leave in the namespace and in the kernel's lists of this process's making."""
        ns = self.net.s
        return [ns.run(*cmd.split()) for cmd in ("ip -o link", "ip -4 -o addr", "ip -4 route show table all", "nft list ruleset",
                                                 "ss -tanH", "tc qdisc show", "ip neigh")] + [ns.pins.exists()]

    def test_doctor_healthy(self):
        """All is well in a fresh namespace; with what is attached too. Nothing is left behind."""
        self.net.listen(False, PORT, 100)
        before = self.traces()
        lines = self.doctor()
        self.assertEqual(self.bad(lines), [])
        for check in ("privilege", "kernel", "programs", "helpers", "btf", "cookies", "bpffs", "memory", "syncookies",
                      "timestamps", "device", "rp_filter", "xdp", "vlan", "tc", "self-test", "self-cookie", "conntrack", "nat"):
            self.assertIn(check, lines)
        self.assertNotIn("other-tc", lines)
        self.has(lines, "listener", "ok", "backlog 100 .listen.; can be served by cookie")
        self.assertEqual(lines["listener"]["about"].split()[0], f"0.0.0.0:{PORT}")
        self.assertEqual(self.traces(), before)
        text = self.net.synward("doctor", "s1", json=False).stdout.splitlines()
        self.assertRegex("\n".join(text), r"\nok    device +s1: up, Ethernet\n")
        self.assertNotIn("s0:", "\n".join(text))
        self.assertRegex(text[-1], r"^\d+ ok, 0 warn, 0 fail$")
        self.assertEqual(self.traces(), before)
        self.net.attach("--guard", "on", "--live")
        before = self.traces()
        lines = self.doctor()
        self.assertEqual(self.bad(lines), [])
        self.has(lines, "device", "ok", "attached")
        self.assertEqual(lines["device"]["about"], "s0")
        self.assertEqual((self.traces(), self.net.flows()), (before, []))	# nor did it go by what is attached

    def test_doctor_sysctls(self):
        """What is switched off; a strict rp_filter where the world is elsewhere."""
        self.net.listen(False, PORT)
        for name in ("syncookies", "timestamps", "sack", "window_scaling"):
            self.net.s.sysctl(f"net.ipv4.tcp_{name}", 0)
        self.net.s.sysctl("net.ipv4.conf.s0.rp_filter", 1)
        self.net.s.ip("route add default via 10.0.1.1")
        lines = self.doctor("s0")
        self.assertEqual(self.bad(lines), sorted(["syncookies", "timestamps", "sack", "window-scaling", "rp_filter", "listener",
                                                  "self-cookie"]))
        self.has(lines, "syncookies", "warn", "sysctl -w net.ipv4.tcp_syncookies=1")
        self.has(lines, "rp_filter", "warn", "strict.*sysctl -w net/ipv4/conf/s0/rp_filter=2")
        self.has(lines, "listener", "warn", r"backlog \d+ .*; served by first-syn: net.ipv4.tcp_syncookies is 0")
        for name in ("syncookies", "timestamps", "sack", "window_scaling"):
            self.net.s.sysctl(f"net.ipv4.tcp_{name}", 1)
        self.net.s.sysctl("net.ipv4.conf.s0.rp_filter", 2)
        lines = self.doctor("s0")
        self.assertEqual(self.bad(lines), [])
        self.has(lines, "rp_filter", "ok", "loose")

    @need("nft")
    def test_doctor_rulesets(self):
        """Stateful rules, a firewall, NAT, and a ruleset that keeps a state of its own."""
        Server(self.net.listen(False, PORT), echo)
        with self.chain("ct state invalid drop", "tcp flags & (fin|syn|rst|ack) != syn ct state new drop"):
            self.net.s.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
            lines = self.doctor("s0")
            self.assertEqual(self.bad(lines), [])
            self.has(lines, "conntrack", "ok", "are tracked")
        with self.chain(f"tcp dport {PORT} accept", policy="drop"):
            lines = self.doctor("s0")
            self.assertEqual(self.bad(lines), [])
            self.has(lines, "self-test", "ok", f"port {PORT} ")
            self.has(lines, "conntrack", "ok", "not tracked")
        with self.chain(f"iifname s0 tcp dport {PORT} accept", policy="drop"):
            lines = self.doctor("s0")
            self.assertEqual(self.bad(lines), ["self-test"])
            self.has(lines, "self-test", "warn", "lets no handshake in")
            self.assertNotIn("self-cookie", lines)
        with self.chain(f"tcp dport 80 redirect to :{PORT}", kind="nat", hook="prerouting"):
            lines = self.doctor("s0")
            self.assertEqual(self.bad(lines), ["nat", "self-cookie"])
            self.has(lines, "nat", "warn", "inet d c.*first-syn")
            self.has(lines, "self-cookie", "warn", "left to the kernel: NAT")
        with self.chain("tcp flags & (syn|ack) == syn add @seen { tcp sport } accept",
                        "meta l4proto tcp tcp sport != @seen drop",
                        before=" set seen { type inet_service; flags dynamic,timeout; timeout 1m; }"):
            lines = self.doctor("s0")
            self.assertEqual(self.bad(lines), ["self-cookie"])
            self.has(lines, "self-cookie", "warn", "has not seen the SYN.*first-syn")

    @need("clang", "tc")
    def test_doctor_devices(self):
        """Another XDP program, tc filters, a device that is down; one that is attached to tc, and one on top of it."""
        self.net.listen(False, PORT)
        self.foreign("s1")
        self.net.s.run("tc", "qdisc", "add", "dev", "s1", "clsact")
        self.net.s.run("tc", "filter", "add", "dev", "s1", "ingress", "bpf", "bytecode", "1,6 0 0 0", "flowid", "1:1")
        self.net.s.ip("link set s1 down")
        lines = self.doctor("s1")
        self.assertEqual(self.bad(lines), ["device", "other-xdp"])
        self.has(lines, "device", "warn", "down")
        self.has(lines, "other-xdp", "warn", "foreign_xdp.*--hook tc.*ip link set dev s1 xdp off")
        self.has(lines, "other-tc", "ok", "^1 filters of others")
        self.net.s.ip("link set dev s1 xdpgeneric off", "link set s1 up", "link add br0 type bridge", "link set s1 master br0")
        self.net.attach("--hook", "tc", devs=("s0", "s1"))
        lines = self.doctor("s0")
        self.assertEqual(self.bad(lines), ["listener", "xdp"])
        self.has(lines, "xdp", "warn", "attached to tc.*without --hook")
        self.has(lines, "listener", "warn", "no device is attached by XDP")
        lines = self.doctor("br0", fails=1)
        self.has(lines, "overlap", "fail", "s1 is attached, .*master")
        for dev, word in (("nosuch0", "nosuch0"), ("x" * 40, "x" * 15)):
            done = self.net.synward("doctor", dev, expect=1)
            self.assertEqual((list(json.loads(done.stdout)), len(done.stderr.splitlines())), (["error"], 1))
            self.assertIn(word, done.stderr)
        self.assertEqual(len(self.net.synward("doctor", "s0", "s1", expect=2).stderr.splitlines()), 1)

    def test_doctor_vlan(self):
        """Tags that the driver takes off before native XDP sees the frame."""
        try:
            self.net.s.ip("link add link s0 name s0.7 type vlan id 7")
        except AssertionError:
            self.skipTest("kernel without 8021q")
        self.net.s.run("ethtool", "-K", "s0", "rxvlan", "on")
        self.net.attach("--xdp-mode", "native")
        lines = self.doctor("s0")
        self.has(lines, "vlan", "warn", "1 VLANs.*ethtool -K s0 rxvlan off")
        self.has(lines, "xdp", "ok", "native, driver veth")
        self.net.s.run("ethtool", "-K", "s0", "rxvlan", "off")
        self.assertEqual(self.bad(self.doctor("s0")), [])

    def test_doctor_listeners(self):
        """MPTCP, which cookies do not serve; an application that does not accept."""
        slow = self.net.listen(False, PORT, 1)
        for _ in range(3):
            self.net.c.connect(S4, PORT, wait=False)
        try:
            m = self.net.s.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        except OSError as why:
            self.skipTest(f"no MPTCP: {why}")
        m.bind(("0.0.0.0", 9090))
        m.listen(70)
        doc = self.net.synward("doctor", "s0")
        lines = {x["about"].split()[0]: x for x in doc["checks"] if x["check"] == "listener"}
        self.assertEqual({k: x["verdict"] for k, x in lines.items()}, {f"0.0.0.0:{PORT}": "warn", "0.0.0.0:9090": "warn"})
        self.assertIn("accept queue is full", lines[f"0.0.0.0:{PORT}"]["found"])
        self.assertRegex(lines["0.0.0.0:9090"]["found"], "backlog 70 .listen.; served by first-syn: .*MPTCP")
        slow.close()

    @need("setpriv", "unshare")
    def test_doctor_not_possible(self):
        """Without the privilege; without bpffs where a mount would not last: it fails, says what to do, and goes on."""
        copy = self.net.dir() / "synward"
        self.net.dir().chmod(0o755)	# to be run by nobody
        shutil.copy(SYNWARD, copy)
        with self.net.s.inside():
            done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy, "doctor", "--json"],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done)
        lines = {x["check"]: x for x in json.loads(done.stdout)["checks"]}
        self.has(lines, "privilege", "fail", "run as root")
        self.has(lines, "syncookies", "ok")
        self.assertNotIn("self-test", lines)
        with self.net.s.inside():
            done = subprocess.run(["unshare", "-m", "sh", "-c", f"umount /sys/fs/bpf; exec {SYNWARD} doctor s0 --json"],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done)
        lines = {x["check"]: x for x in json.loads(done.stdout)["checks"]}
        self.assertEqual([k for k, x in lines.items() if x["verdict"] == "fail"], ["bpffs"])
        self.has(lines, "bpffs", "fail", "--netns instead")
        self.has(lines, "self-cookie", "ok")


if __name__ == "__main__":
    unittest.main()
