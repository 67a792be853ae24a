# SPDX-License-Identifier: GPL-2.0
"""Real load, `Connection: close`: mirror and kernels agree when traffic rests, nothing is counted twice."""

from lab import C4, S4, S6, LabTest, need


@need("nginx", "wrk", "ss")
class Wrk(LabTest):
    def load(self, lab, *args, devs=("s0",), late=False, url=f"http://{S4}/", seconds=5):
        if not late:
            lab.nginx()
        lab.attach(*args, devs=devs)
        if late:
            lab.nginx()
        before = lab.s.nstat()
        self.assertGreater(lab.wrk(url, seconds), 1000)
        end = self.assert_agree(lab)
        self.assertGreater(sum(s == "TIME_WAIT" for pair in end.values() for s in pair), 500)
        after = lab.s.nstat()
        opened = after["TcpPassiveOpens"] - before["TcpPassiveOpens"]
        self.assertGreater(opened, 1000)
        self.assertEqual(after["TcpExtListenDrops"], before["TcpExtListenDrops"], "load too much for the kernel")
        entry = lab.listener(80, "::" if "[" in url else "0.0.0.0")
        self.assertEqual(entry["completed"], opened)
        unknown = 32 if late else 0	# SYNs that came before the listener's first answer are nobody's
        self.assertGreaterEqual(entry["syn"] + unknown, opened)
        for field in ("half_open", "tracked", "untracked", "pending", "refused"):
            self.assertEqual(entry[field], 0, field)
        self.assertEqual(sum(x["completed"] for x in lab.synward("listeners")), opened)
        return lab

    def test_wrk_tc(self):
        self.load(self.lab(), "--hook", "tc")

    def test_wrk_auto(self):
        self.load(self.lab(), "--hook", "auto")

    def test_wrk_xdp_native(self):
        lab = self.load(self.lab(), "--hook", "xdp", "--xdp-mode", "native", url=f"http://[{S6}]/", seconds=3)
        device, = lab.synward("status")["devices"]
        self.assertEqual((device["hook"], device["xdp_mode"]), ("xdp", "native"))

    def test_wrk_listener_after_attach(self):
        self.load(self.lab(), late=True, seconds=3)

    def asymmetric(self, *args):
        """SYN in on s0, SYN-ACK out on s1: one mirror, one count."""
        lab = self.lab(pairs=2, asymmetric=True)
        match = "tcp sport 80 tcp flags & (syn|ack) == (syn|ack)"
        ways = [lab.s.drop("output", f'oifname "{dev}" {match}', "accept") for dev in ("s0", "s1")]
        self.load(lab, *args, devs=("s0", "s1"), seconds=3)
        self.assertEqual(ways[0].packets(), 0)
        self.assertGreater(ways[1].packets(), 1000)
        self.assertEqual({f["client"]["addr"] for f in lab.flows()}, {C4})
        self.assertLessEqual({f["dev"] for f in lab.flows()}, {"s0", "s1"})

    def test_wrk_asymmetric_tc(self):
        self.asymmetric("--hook", "tc")

    def test_wrk_asymmetric_xdp(self):
        self.asymmetric("--hook", "xdp")

    def test_wrk_on_the_client(self):
        """The same seen from the other end, where the sockets of the host are the clients."""
        lab = self.lab()
        lab.nginx()
        lab.attach(devs=("c0",), ns=lab.c)
        self.assertGreater(lab.wrk(f"http://{S4}/", 3), 1000)
        self.assert_agree(lab, ns=lab.c)
        self.assertEqual({f["local"] for f in lab.flows(ns=lab.c)}, {"client"})
