# SPDX-License-Identifier: GPL-2.0
"""Connections older than `attach`: 200 of them, in their real states, and what becomes of them."""

import socket
import struct

from lab import C4, C6, LabTest, eventually, histogram

EACH = 25	# connections a kind and family: 4 kinds, 2 families


class Import(LabTest):
    def reset(self, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def build(self, lab):
        """{kind: [(client namespace's socket, server namespace's socket)]}"""
        kinds = {"idle": [], "client": [], "server": [], "outgoing": []}
        for v6 in (False, True):
            listener = lab.listen(v6)
            for kind in ("idle", "client", "server"):
                kinds[kind] += [lab.pair(listener) for _ in range(EACH)]
            there = lab.c.listen("::" if v6 else "0.0.0.0", 9090)
            for _ in range(EACH):	# opened by the host that is watched
                s = lab.s.connect(C6 if v6 else C4, 9090)
                c, _ = there.accept()
                lab.sockets.append(c)
                kinds["outgoing"].append((c, s))
            there.close()
        for c, _ in kinds["client"]:
            c.shutdown(socket.SHUT_WR)
        for _, s in kinds["server"]:
            s.shutdown(socket.SHUT_WR)
        self.kernel_is(lab, ESTABLISHED=4 * EACH, FIN_WAIT_2=2 * EACH, CLOSE_WAIT=2 * EACH)
        return kinds

    def kernel_is(self, lab, **want):
        """Both kernels hold as many sockets in each state as this, by construction the same on both sides."""
        def check():
            for side in (0, 1):
                self.assertEqual(histogram(p[side] for p in lab.kernel().values()), want)
        eventually(check)

    def run_with(self, hook):
        lab = self.lab()
        kinds = self.build(lab)
        lab.attach("--hook", hook)
        self.assert_agree_either_way(lab, 8 * EACH)
        flows = lab.flows()
        self.assertEqual({f["opened"] for f in flows}, {"socket"})
        outgoing = [f for f in flows if 9090 in (f["client"]["port"], f["server"]["port"])]
        self.assertEqual(len(outgoing), 2 * EACH)
        self.assertEqual({(f["local"], f["server"]["port"]) for f in outgoing}, {("client", 9090)})
        self.assertEqual({(f["local"], f["server"]["port"]) for f in flows if f not in outgoing}, {("server", 8080)})
        return lab, kinds

    def assert_agree_either_way(self, lab, count):
        def check():
            kernel = lab.kernel()
            self.assertEqual(len(kernel), count)
            self.assert_same(kernel, lab.mirror())
            hist = lab.synward("states")
            self.assertEqual(histogram(hist["local"]), histogram(v[1] for v in kernel.values()))
            self.assertEqual(histogram(hist["remote"]), histogram(v[0] for v in kernel.values()))
            self.assert_verified(lab, agree=sum(v[1] != "CLOSED" for v in kernel.values()))
        eventually(check)

    def test_import_tc(self):
        self.follow("tc")

    def test_import_xdp(self):
        self.follow("xdp")

    def follow(self, hook):
        lab, kinds = self.run_with(hook)
        total = 8 * EACH
        # Nothing said since the attach: the other side closes too.
        for _, s in kinds["client"]:
            s.close()
        for c, _ in kinds["server"]:
            c.close()
        self.assert_agree_either_way(lab, total)
        # Data both ways, then an orderly close by either side.
        talk = kinds["idle"] + kinds["outgoing"]
        for c, s in talk:
            for a, b in ((c, s), (s, c)):
                a.sendall(b"x" * 100)
                self.assertEqual(len(b.recv(200)), 100)
        self.assert_agree_either_way(lab, total)
        for i, (c, s) in enumerate(talk):
            (c, s)[i % 2].shutdown(socket.SHUT_WR)
        self.assert_agree_either_way(lab, total)
        # Half of them end by a reset from the side that did not close.
        for _, s in talk[::2]:
            self.reset(s)
        for c, _ in talk[1::2]:
            c.close()
        self.assert_agree_either_way(lab, total - len(talk[::2]))

    def test_import_first_close_without_data(self):
        """A FIN is the first that is heard of an imported connection."""
        lab, kinds = self.run_with("auto")
        for i, (c, s) in enumerate(kinds["idle"]):
            (c, s)[i % 2].shutdown(socket.SHUT_WR)
        self.assert_agree_either_way(lab, 8 * EACH)

    def test_import_keeps_what_it_saw(self):
        """A second attach (--replace) of the same device leaves every flow with its state."""
        lab, kinds = self.run_with("auto")
        lab.attach("--replace")
        self.assert_agree_either_way(lab, 8 * EACH)

