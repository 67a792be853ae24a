# SPDX-License-Identifier: GPL-2.0
"""Bad input: one clear line, the right exit status, nothing left behind."""

import json
import os
import shutil
import subprocess
import unittest

from lab import SYNWARD, LabTest, eventually, need

FOREIGN = '__attribute__((section("xdp"), used)) int foreign_xdp(void *ctx) { return 2; }\n'


class Errors(LabTest):
    def setUp(self):
        self.net = self.lab(pairs=2)

    def said(self, done, code, words, json_too):
        text = f"{done.args}: exit {done.returncode}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        self.assertEqual(done.returncode, code, text)
        self.assertEqual(len(done.stderr.splitlines()), 1, text)
        self.assertNotIn("\x1b", done.stdout + done.stderr, text)
        for word in words:
            self.assertIn(word.lower(), done.stderr.lower(), text)
        if json_too:
            self.assertEqual(list(json.loads(done.stdout)), ["error"], text)
            self.assertIsInstance(json.loads(done.stdout)["error"], str, text)
        else:
            self.assertEqual(done.stdout, "", text)

    def fails(self, *args, code=1, words=()):
        """The command fails with the status and one line that has the words, under --json too."""
        for json_too in (False, True):
            self.said(self.net.synward(*args, json=json_too, expect=None), code, words, json_too)

    def raw(self, *cmd, json_too=False, **kw):
        return subprocess.run([str(c) for c in cmd] + ["--json"] * json_too, capture_output=True, text=True,
                              timeout=60, **kw)

    def nothing_left(self):
        self.assertFalse(self.net.s.pins.exists())
        for dev in ("s0", "s1"):
            self.assertNotIn("prog/xdp", self.net.s.run("ip", "-d", "link", "show", "dev", dev))
        self.assertNotIn("clsact", self.net.s.run("tc", "qdisc", "show"))

    def test_unknown_device(self):
        self.fails("attach", "nosuch0", words=["nosuch0"])
        self.fails("attach", "x" * 40, words=["x" * 15], code=1)
        self.nothing_left()

    def test_attached_already(self):
        self.net.attach()
        self.fails("attach", "s0", words=["s0", "already"])
        self.fails("attach", "s1", "s0", words=["s0"])
        self.assertEqual([x["dev"] for x in self.net.synward("status")["devices"]], ["s0"])
        self.net.pair(self.net.listen())
        eventually(lambda: self.assertEqual(self.net.synward("states")["server"]["ESTABLISHED"], 1))

    def test_same_device_twice(self):
        done = self.net.synward("attach", "s0", "s0", json=False, expect=None)
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.said(done, done.returncode, ["s0"], False)
        self.nothing_left()

    def test_vanished_device(self):
        """status says that it is gone; the rest goes on; detach cleans."""
        self.net.attach(devs=("s0", "s1"))
        self.net.s.run("ip", "link", "del", "s1")
        listener = self.net.listen()
        self.net.pair(listener)
        eventually(lambda: self.assertEqual(self.net.synward("states")["server"]["ESTABLISHED"], 1))
        self.net.synward("status")
        text = self.net.synward("status", json=False).stdout
        line = [x for x in text.splitlines() if "s1" in x]
        self.assertEqual(len(line), 1, text)
        self.assertRegex(line[0], "gone|vanished|missing|deleted|no longer|removed")
        self.net.synward("detach", "s1")
        self.assertNotIn("s1", self.net.synward("status", json=False).stdout)
        self.net.synward("detach", "--all")
        self.assertFalse(self.net.s.pins.exists())

    def test_only_device_vanished(self):
        self.net.attach(devs=("s1",))
        self.net.s.run("ip", "link", "del", "s1")
        self.assertRegex(self.net.synward("status", json=False).stdout, "s1.*(gone|vanished|missing|deleted|no longer|removed)")
        self.net.synward("detach", "--all")
        self.assertFalse(self.net.s.pins.exists())

    def foreign(self, dev):
        d = self.net.dir()
        (d / "foreign.c").write_text(FOREIGN)
        subprocess.run(["clang", "-O2", "-target", "bpf", "-c", d / "foreign.c", "-o", d / "foreign.o"], check=True)
        self.net.s.run("ip", "link", "set", "dev", dev, "xdpgeneric", "obj", d / "foreign.o", "sec", "xdp")
        self.assertIn("prog/xdp", self.net.s.run("ip", "-d", "link", "show", "dev", dev))

    @need("clang")
    def test_foreign_xdp(self):
        """An XDP program of somebody else is named and left alone, and so is the other device."""
        self.foreign("s1")
        before = self.net.s.run("ip", "-d", "link", "show", "dev", "s1")
        self.fails("attach", "s0", "s1", "--hook", "xdp", words=["s1", "foreign_xdp"])
        self.assertEqual(self.net.s.run("ip", "-d", "link", "show", "dev", "s1"), before)
        self.assertNotIn("prog/xdp", self.net.s.run("ip", "-d", "link", "show", "dev", "s0"))
        self.assertFalse(self.net.s.pins.exists())
        self.net.attach("--hook", "tc", devs=("s0", "s1"))	# needs no XDP
        self.net.synward("detach", "--all")
        self.assertEqual(self.net.s.run("ip", "-d", "link", "show", "dev", "s1"), before)

    @need("setpriv")
    def test_no_privilege(self):
        copy = self.net.dir() / "synward"
        self.net.dir().chmod(0o755)
        shutil.copy(SYNWARD, copy)
        copy.chmod(0o755)
        nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy)
        for json_too in (False, True):
            with self.net.s.inside():
                done = self.raw(*nobody, "attach", "s0", json_too=json_too)
            self.said(done, 1, ["root"], json_too)
        self.nothing_left()
        self.said(self.raw(*nobody, "attach", "s0", "--netns", self.net.s.path), 1, ["root"], False)
        self.net.attach()
        with self.net.s.inside():
            self.said(self.raw(*nobody, "states"), 1, ["root"], False)

    def test_options(self):
        """Out of range or no number: wrong usage, before anything is touched."""
        for args in (("--syn-timeout", "0"), ("--syn-timeout", "-5"), ("--syn-timeout", "12x"), ("--syn-timeout", ""),
                     ("--syn-timeout", "1000000"), ("--max-flows", "-1"), ("--max-flows", "0"), ("--max-flows", "12x"),
                     ("--max-flows", "99999999999999999999999"), ("--max-half-open", "-1"), ("--max-half-open", "1e3"),
                     ("--msl", "0"), ("--msl", "99999999999"), ("--hook", "foo"), ("--xdp-mode", "fast"),
                     ("--nosuch",), ("--syn-timeout",)):
            with self.subTest(args=args):
                self.fails("attach", "s0", *args, code=2, words=[args[0]])
        self.nothing_left()

    def test_options_of_views(self):
        self.net.attach()
        for args in (("flows", "--port", "65536"), ("flows", "--port", "0x"), ("flows", "--port", "-1"),
                     ("flows", "--state", "NOPE"), ("flows", "--limit", "-1"),
                     ("flows", "--peer", "10.0.0.0/33"), ("flows", "--peer", "fd00::/129"), ("flows", "--peer", "host"),
                     ("flows", "--sort", "nosuch"), ("flows", "--by", "nosuch"), ("states", "--watch", "0"),
                     ("states", "--nosuch"), ("listeners", "extra"), ("status", "--nosuch")):
            with self.subTest(args=args):
                self.fails(*args, code=2)

    def test_usage(self):
        for args in (("nosuch",), ("attach",), ("detach",)):
            with self.subTest(args=args):
                self.fails(*args, code=2)
        for json_too in (False, True):
            self.said(self.raw(SYNWARD, "nosuch", json_too=json_too), 2, ["nosuch"], json_too)
        done = self.raw(SYNWARD)
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_too_large_for_memory(self):
        """Sizes that no machine of this kind has: refused before or after trying, and undone."""
        for option in ("--max-flows", "--max-half-open"):
            done = self.net.synward("attach", "s0", option, "4000000000", json=False, expect=None)
            self.assertIn(done.returncode, (1, 2), done.stderr)
            self.said(done, done.returncode, [option], False)
            self.nothing_left()

    def test_not_attached(self):
        for command in ("states", "flows", "listeners"):
            self.fails(command, words=["attach"])
        self.fails("detach", "s0", words=["s0"])
        self.net.attach()
        self.fails("states", "--dev", "s1", words=["s1"])

    def test_netns(self):
        for name in ("nosuch", "/nosuch", "99999999", "/etc/passwd"):
            with self.subTest(netns=name):
                self.said(self.raw(SYNWARD, "attach", "s0", "--netns", name), 1, [name], False)
        self.net.attach()
        for name in (self.net.s.name, self.net.s.path):
            done = self.raw(SYNWARD, "status", "--netns", name, json_too=True)
            self.assertEqual(json.loads(done.stdout)["devices"][0]["dev"], "s0")
        sleeper = self.net.s.popen("sleep", "60")
        done = self.raw(SYNWARD, "status", "--netns", sleeper.pid, json_too=True)
        self.assertEqual(json.loads(done.stdout)["devices"][0]["dev"], "s0")
        with self.net.s.inside():	# none given: the one it is started in
            done = self.raw(SYNWARD, "status", json_too=True)
        self.assertEqual(json.loads(done.stdout)["devices"][0]["dev"], "s0")

    def test_bpffs_of_another_mount_namespace(self):
        """`ip netns exec` hides bpffs, and a pin there would die with the command: refused."""
        done = self.raw("ip", "netns", "exec", self.net.s.name, SYNWARD, "attach", "s0")
        self.said(done, 1, ["--netns"], False)
        self.nothing_left()
        done = self.raw("unshare", "-m", "sh", "-c",
                        f"while umount /sys/fs/bpf 2>/dev/null; do :; done; exec {SYNWARD} attach s0 --netns {self.net.s.path}")
        self.said(done, 1, ["bpf"], False)
        self.nothing_left()

    def test_bridge_and_port(self):
        if self.net.s.run("ip", "link", "add", "br0", "type", "bridge", check=False).returncode:
            raise unittest.SkipTest("kernel without bridge")
        self.net.s.ip("link set s1 master br0", "link set br0 up")
        self.fails("attach", "br0", "s1", words=["br0", "s1"])
        self.nothing_left()
        self.net.attach(devs=("br0",))
        self.fails("attach", "s1", words=["br0", "s1"])

    def test_bond_and_slave(self):
        if self.net.s.run("ip", "link", "add", "bond0", "type", "bond", check=False).returncode:
            raise unittest.SkipTest("kernel without bonding")
        self.net.s.ip("link set s1 down", "link set s1 master bond0", "link set bond0 up")
        self.fails("attach", "bond0", "s1", words=["bond0", "s1"])
        self.nothing_left()

    def test_closed_output(self):
        """A reader that goes away is no crash; a full disk is an error."""
        self.net.attach()
        with open("/dev/full", "w") as full:
            done = subprocess.run([SYNWARD, "status", "--netns", self.net.s.path], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        end, start = os.pipe()
        os.close(end)
        done = subprocess.run([SYNWARD, "status", "--netns", self.net.s.path], stdout=start, stderr=subprocess.PIPE,
                              text=True, timeout=60)
        os.close(start)
        self.assertIn(done.returncode, (0, 1, -13))
        self.assertLessEqual(len(done.stderr.splitlines()), 1)
