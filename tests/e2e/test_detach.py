# SPDX-License-Identifier: GPL-2.0
"""Nothing of synward stays behind: not after detach, not after a failed attach, not after kill -9."""

import ctypes
import json
import os
import platform
import random
import signal
import subprocess
import time
from pathlib import Path

from lab import PINS, SYNWARD, LabTest, another_has, eventually, need, wait_until

BPF_PROG_QUERY, BPF_TCX_INGRESS, BPF_TCX_EGRESS = 16, 46, 47
NR_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
ALONE = os.environ.get("SYNWARD_E2E_ALONE")	# no other test runs: compare all objects of the kernel
libc = ctypes.CDLL(None, use_errno=True)


def tcx(ns, dev):
    """Number of tcx programs on both sides of a device, which bpftool before 7.3 does not show."""
    index = json.loads(ns.run("ip", "-j", "link", "show", "dev", dev))[0]["ifindex"]
    found = 0
    for way in (BPF_TCX_INGRESS, BPF_TCX_EGRESS):
        attr = (ctypes.c_uint32 * 32)(index, way)
        with ns.inside():
            if libc.syscall(NR_BPF, BPF_PROG_QUERY, attr, ctypes.sizeof(attr)) == 0:
                found += attr[6]	# prog_cnt
    return found


def objects():
    """{(kind, id): entry} of all the BPF objects of this kernel."""
    out = {}
    for kind in ("prog", "map", "link"):
        text = subprocess.run(["bpftool", "-jf", kind, "show"], capture_output=True, text=True).stdout
        out.update(((kind, x["id"]), x) for x in json.loads(text or "[]") if "id" in x)
    return out


def own(pins):
    """The objects pinned below a directory, and those that they use."""
    found, everything = set(), objects()
    for key, entry in everything.items():
        if any(Path(p).is_relative_to(pins) for p in entry.get("pinned", ())):
            found.add(key)
    found |= {("prog", everything[k]["prog_id"]) for k in found if k[0] == "link"}
    found |= {("map", m) for k in found if k[0] == "prog" and k in everything for m in everything[k].get("map_ids", ())}
    return found


def world(ns, devs):
    """What an attach may change, apart from the objects themselves."""
    out = {"pins": sorted(map(str, ns.pins.rglob("*"))), "pin directory": ns.pins.exists()}
    for dev in devs:
        link = json.loads(ns.run("ip", "-d", "-j", "link", "show", "dev", dev))[0]
        out[dev, "link"] = link
        out[dev, "tcx"] = tcx(ns, dev)
        out[dev, "features"] = ns.run("ethtool", "-k", dev)
        out[dev, "filters"] = ns.run("tc", "filter", "show", "dev", dev, "ingress", check=False).stdout_text \
            + ns.run("tc", "filter", "show", "dev", dev, "egress", check=False).stdout_text
    out["qdiscs"] = ns.run("tc", "qdisc", "show")
    out["ruleset"] = ns.run("nft", "list", "ruleset")
    out["sysctls"] = [x for x in ns.run("sysctl", "-a", check=False).stdout_text.splitlines()
                      if x.startswith("net.") and "_count" not in x or "bpf" in x]
    return out


@need("bpftool", "tc", "ethtool", "sysctl")
class Detach(LabTest):
    def setUp(self):
        self.net = self.lab(pairs=2)
        # where nf_conntrack is a module, sysctls come with its first use, wherever that is
        self.net.c.nft("table inet w {\n chain c {\n  type filter hook input priority 0\n  ct state invalid counter\n }\n}\n")
        self.devs = ("s0", "s1")
        self.maxDiff = 4000
        self.before, self.known = world(self.net.s, self.devs), set(objects())
        self.assertGreater(len(self.before["sysctls"]), 100)
        self.mine = set()

    def attach(self, *args, devs=("s0",)):
        self.net.attach(*args, devs=devs)
        self.mine |= own(self.net.s.pins)
        kinds = {kind for kind, _ in self.mine}
        self.assertLessEqual({"prog", "map"}, kinds, "attach pinned nothing")

    def assert_clean(self):
        """The namespace is as before, and what was ours ends (the kernel frees it a little later)."""
        # links of which only the pin was removed end in the background (bpf_link_put)
        eventually(lambda: self.assertEqual(world(self.net.s, self.devs), self.before))

        def gone():
            left = set(objects())
            self.assertFalse(left & self.mine)
            if ALONE:	# whoever else uses synward on this machine has it pinned
                self.assertFalse(left - self.known - own(PINS))
        eventually(gone, 10)

    def round(self, *args):
        listener = self.net.listen()
        for devs, how in ((self.devs, ("--all",)), (("s0",), ("s0",))):
            self.attach(*args, devs=devs)
            now = world(self.net.s, self.devs)
            self.assertNotEqual(now, self.before)
            self.assertEqual(now["sysctls"], self.before["sysctls"])
            self.net.pair(listener)
            self.net.synward("detach", *how)
            self.assert_clean()

    def test_seed(self):
        """The tables' hash has another secret after each attach."""
        lab, seeds = self.net, set()
        for _ in range(3):
            lab.attach()
            meta = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", lab.s.pins / "meta"],
                                  capture_output=True, text=True, check=True).stdout
            seeds.add(tuple(json.loads(meta)[0]["formatted"]["value"]["config"]["seed"]))
            lab.synward("detach", "--all", json=False)
        self.assertEqual(len(seeds), 3)
        self.assertTrue(all(any(s) for s in seeds), seeds)

    def test_detach_tc(self):
        self.round("--hook", "tc")

    def test_detach_auto(self):
        self.round()

    def test_detach_xdp_native(self):
        self.round("--hook", "xdp", "--xdp-mode", "native")

    def test_pins_are_private(self):
        self.attach()
        for path in (PINS, self.net.s.pins):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_detach_one_of_two(self):
        self.attach(devs=("s0", "s1"))
        self.net.synward("detach", "s1")
        self.assertEqual([x["dev"] for x in self.net.synward("status")["devices"]], ["s0"])
        now = world(self.net.s, self.devs)
        for what in ("link", "tcx", "features", "filters"):
            self.assertEqual(now["s1", what], self.before["s1", what])
        self.net.pair(self.net.listen())
        eventually(lambda: self.assertEqual(set(self.net.mirror().values()), {("ESTABLISHED", "ESTABLISHED")}))
        self.net.synward("detach", "s0")
        self.assert_clean()

    def test_detach_twice(self):
        self.attach()
        self.net.synward("detach", "--all")
        self.net.synward("detach", "--all")
        self.assert_clean()
        done = self.net.synward("detach", "s0", expect=1)
        self.assertIn("s0", done.stderr)

    def test_foreign_qdisc_stays(self):
        """A clsact of somebody else is not ours to remove."""
        self.net.s.run("tc", "qdisc", "add", "dev", "s0", "clsact")
        self.before = world(self.net.s, self.devs)
        self.attach("--hook", "tc")
        self.net.synward("detach", "--all")
        self.assert_clean()

    def test_failed_attach(self):
        """The second device cannot be had: the first one is given back."""
        for args in ((), ("--hook", "tc")):
            self.net.synward("attach", "s0", "nosuch0", *args, expect=1)
            self.assert_clean()

    def test_failed_second_attach(self):
        """What was attached before a failed attach goes on."""
        self.attach()
        before = world(self.net.s, self.devs)
        self.net.synward("attach", "s1", "nosuch0", expect=1)
        self.assertEqual(world(self.net.s, self.devs), before)
        self.assertEqual([x["dev"] for x in self.net.synward("status")["devices"]], ["s0"])
        self.net.synward("detach", "--all")
        self.assert_clean()

    def killed(self, *args, after):
        p = subprocess.Popen([SYNWARD, *args, "--netns", self.net.s.path], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        try:
            p.wait(after)
        except subprocess.TimeoutExpired:
            p.kill()
        return p.wait(), time.monotonic() - begin

    def kill_rounds(self, rounds, before, *args):
        """kill -9 at moments spread over the run of a command; detach --all makes good every time."""
        listener, ends = self.net.listen(), []
        for _ in range(40):
            self.net.pair(listener)	# something to import
        before()
        begin = time.monotonic()
        self.net.synward(*args)
        whole = time.monotonic() - begin
        self.mine |= own(self.net.s.pins)
        self.net.synward("detach", "--all")
        for i in range(rounds):
            before()
            status, took = self.killed(*args, after=whole * 1.1 * (i + random.random()) / rounds)
            if status != -signal.SIGKILL:	# the first time it waited for the lock of another one
                whole = min(whole, took)
            ends.append(status)
            self.mine |= own(self.net.s.pins)
            self.net.synward("detach", "--all")
            self.assertEqual(world(self.net.s, self.devs), self.before, f"round {i}: {ends}")
        self.assertGreater(ends.count(-signal.SIGKILL), rounds // 3, "killed too late")
        self.assert_clean()
        self.attach(devs=self.devs)
        self.net.synward("detach", "--all")
        self.assert_clean()

    def test_kill_attach(self):
        self.kill_rounds(8, lambda: None, "attach", "s0", "s1")

    def test_kill_attach_tc(self):
        self.kill_rounds(6, lambda: None, "attach", "s0", "s1", "--hook", "tc")

    def test_kill_detach(self):
        self.kill_rounds(5, lambda: self.attach(devs=self.devs), "detach", "s0", "s1")

    def test_attach_after_a_killed_one(self):
        """Without detach in between: attach works, or says in one line what to do."""
        for i in range(4):
            self.killed("attach", "s0", after=0.1 + 0.25 * i)
            done = self.net.synward("attach", "s0", expect=None)
            if done.returncode:
                self.assertEqual(done.returncode, 1)
                self.assertIn("detach", done.stderr)
            self.net.synward("detach", "--all")
            self.assertEqual(world(self.net.s, self.devs), self.before)

    def test_namespace_deleted(self):
        """Pins of a namespace deleted without detach go with the next attach or detach, wherever."""
        other = self.lab()
        for how in (("attach", "s0"), ("detach", "--all")):
            self.attach()
            ns = self.net.s
            subprocess.run(["ip", "netns", "del", ns.name], check=True)
            os.close(ns.fd)
            ns.fd = os.open(os.devnull, os.O_RDONLY)
            wait_until(lambda: "c0" not in self.net.c.run("ip", "-br", "link"), 30, "devices gone")
            other.synward(*how)	# if no other test's command was faster
            self.assertTrue(not ns.pins.exists() or another_has(ns.inode))
            self.net = self.lab(pairs=2)

    def test_inode_again(self):
        """A new namespace with the inode number of a deleted one does not take the old pins for its own."""
        self.attach()
        other = self.lab()
        self.net.s.pins.rename(other.s.pins)
        for command in ("status", "states"):
            self.assertIn("nothing is attached", other.synward(command, expect=1).stderr)
        self.assertEqual(other.synward("detach", "--all")["detached"], [])
        self.assertFalse(other.s.pins.exists())
        self.assert_clean()
        self.attach()
        self.net.s.pins.rename(other.s.pins)
        other.attach()
        self.assertEqual([x["dev"] for x in other.synward("status")["devices"]], ["s0"])
        self.assert_clean()

    def test_kill_watch(self):
        """The kernel part stands alone: counting goes on when a reader is killed."""
        self.attach()
        listener = self.net.listen()
        p = subprocess.Popen([SYNWARD, "states", "--watch", "1", "--json", "--netns", self.net.s.path],
                             stdout=subprocess.PIPE)
        self.assertTrue(p.stdout.readline())
        p.kill()
        p.wait()
        p.stdout.close()
        self.net.pair(listener)
        wait_until(lambda: self.net.synward("states")["server"]["ESTABLISHED"] == 1)
        self.net.synward("detach", "--all")
        self.assert_clean()
