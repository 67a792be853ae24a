# SPDX-License-Identifier: GPL-2.0
"""Every state a socket can rest in, v4 and v6: first the kernels are shown to be there, then the mirror.

An endpoint's state moves in the mirror when it sends evidence, so what is lost is lost where the
mirror (at s0) and both kernels still agree: towards the server behind the hook, towards the client
behind the hook, and nothing that one kernel counts as sent before the hook."""

import socket
import time

from lab import S4, S6, LabTest, eventually
from wire import ACK, FIN, RST, SYN, Peer, Wire, segment, spoofed

PORT = 8080
FROM_CLIENT, FROM_SERVER = f"tcp dport {PORT}", f"tcp sport {PORT}"
SYN_BIT, SYN_ACK_BITS = "tcp flags & (syn|ack) == syn", "tcp flags & (syn|ack) == (syn|ack)"
FIN_BIT, PURE_ACK = "tcp flags & fin == fin", "tcp flags & (fin|syn|rst|ack) == ack"


class States:
    def setUp(self):
        self.net = self.lab()
        self.listeners = [self.net.listen(v6, PORT) for v6 in (False, True)]
        self.net.attach("--hook", self.hook)

    def connect(self):
        """One connection a family: [(client socket, server socket)]"""
        self.pairs = [self.net.pair(x) for x in self.listeners]
        self.keys = [self.key(c) for c, _ in self.pairs]
        return self.pairs

    def try_connect(self):
        """One attempt a family that does not wait for an answer."""
        self.keys = [self.key(self.net.c.connect(a, PORT, wait=False)) for a in (S4, S6)]

    def key(self, c):
        v6 = c.family == socket.AF_INET6
        return (*c.getsockname()[:2], S6 if v6 else S4, PORT)

    def expect(self, client, server, mirror=None):
        """Both kernels rest in these states, and the mirror says the same (or what mirror says)."""
        want = {k: (client, server) for k in self.keys}
        shown = {k: mirror or (client, server) for k in self.keys}

        def kernels():
            self.assertEqual(self.net.kernel(), want)

        def check():
            got = {(f["client"]["addr"], f["client"]["port"], f["server"]["addr"], f["server"]["port"]):
                   (f["client"]["state"], f["server"]["state"]) for f in self.net.flows()}
            self.assertEqual({k: got.get(k) for k in want}, shown)
            self.assertEqual(set(got), set(want), "flows nobody opened")
            hist = self.net.synward("states")
            for side, state in zip(("client", "server"), shown[self.keys[0]]):
                self.assertEqual({k: n for k, n in hist[side].items() if n}, {state: len(want)}, side)
            if shown[self.keys[0]][1] != "LISTEN":	# whose it is, is known from the server's answer on
                self.assertEqual((hist["local"], hist["remote"]), (hist["server"], hist["client"]))
                self.assertEqual({f["local"] for f in self.net.flows()}, {"server"})
        eventually(kernels)
        eventually(check)
        kernels()
        self.assert_verified(self.net, agree=len(want) * (server != "CLOSED"), stateless=0, silent=0)

    def test_syn_sent(self):
        lost = self.net.s.drop("prerouting", f"{FROM_CLIENT} {SYN_BIT}")
        self.try_connect()
        self.expect("SYN_SENT", "CLOSED", mirror=("SYN_SENT", "LISTEN"))
        self.assertGreaterEqual(lost.packets(), 2)

    def test_syn_rcvd(self):
        self.net.c.drop("prerouting", f"{FROM_SERVER} {SYN_ACK_BITS}")
        self.try_connect()
        self.expect("SYN_SENT", "SYN_RCVD")

    def test_established(self):
        pairs = self.connect()
        self.expect("ESTABLISHED", "ESTABLISHED")
        for c, s in pairs:
            c.sendall(b"question")
            s.recv(100)
            s.sendall(b"answer")
        self.expect("ESTABLISHED", "ESTABLISHED")

    def test_fin_wait_1_client(self):
        pairs = self.connect()
        self.net.s.drop("prerouting", f"{FROM_CLIENT} {FIN_BIT}")
        for c, _ in pairs:
            c.shutdown(socket.SHUT_WR)
        self.expect("FIN_WAIT_1", "ESTABLISHED")

    def test_fin_wait_1_server(self):
        pairs = self.connect()
        self.net.c.drop("prerouting", f"{FROM_SERVER} {FIN_BIT}")
        for _, s in pairs:
            s.shutdown(socket.SHUT_WR)
        self.expect("ESTABLISHED", "FIN_WAIT_1")

    def test_fin_wait_1_sends_on(self):
        """ACKs and data that do not cover the FIN, which is lost, close nothing."""
        pairs = self.connect()
        self.net.s.drop("prerouting", f"{FROM_CLIENT} {FIN_BIT}")
        for c, s in pairs:
            c.shutdown(socket.SHUT_WR)
            s.sendall(b"still here")
            c.recv(100)
        self.expect("FIN_WAIT_1", "ESTABLISHED")

    def test_fin_wait_2_client(self):
        for c, _ in self.connect():
            c.shutdown(socket.SHUT_WR)
        self.expect("FIN_WAIT_2", "CLOSE_WAIT")

    def test_fin_wait_2_server(self):
        for _, s in self.connect():
            s.shutdown(socket.SHUT_WR)
        self.expect("CLOSE_WAIT", "FIN_WAIT_2")

    def test_last_ack_server(self):
        pairs = self.connect()
        for c, _ in pairs:
            c.shutdown(socket.SHUT_WR)
        self.expect("FIN_WAIT_2", "CLOSE_WAIT")
        self.net.c.drop("output", f"{FROM_CLIENT} {PURE_ACK}")
        for _, s in pairs:
            s.shutdown(socket.SHUT_WR)
        self.expect("TIME_WAIT", "LAST_ACK")

    def test_last_ack_client(self):
        pairs = self.connect()
        for _, s in pairs:
            s.shutdown(socket.SHUT_WR)
        self.expect("CLOSE_WAIT", "FIN_WAIT_2")
        self.net.s.drop("output", f"{FROM_SERVER} {PURE_ACK}")
        for c, _ in pairs:
            c.shutdown(socket.SHUT_WR)
        self.expect("LAST_ACK", "TIME_WAIT")

    def test_time_wait_client(self):
        for c, s in self.connect():
            c.close()
            self.assertEqual(s.recv(1), b"")
            s.close()
        self.expect("TIME_WAIT", "CLOSED")

    def test_time_wait_server(self):
        for c, s in self.connect():
            s.close()
            self.assertEqual(c.recv(1), b"")
            c.close()
        self.expect("CLOSED", "TIME_WAIT")

    def test_closing(self):
        """Both kernels in CLOSING: their FINs are lost, and delivered by hand once nobody may answer."""
        pairs, wires = self.connect(), [Wire(self.net.c, "c0"), Wire(self.net.s, "s0")]
        lost = [self.net.s.drop("prerouting", f"{FROM_CLIENT} {FIN_BIT}"),
                self.net.c.drop("prerouting", f"{FROM_SERVER} {FIN_BIT}")]
        for c, s in pairs:
            c.shutdown(socket.SHUT_WR)
            s.shutdown(socket.SHUT_WR)
        fins = [[wire.recv(lambda x: x.outgoing and x.flags & FIN and (":" in x.src) == v6).packet
                 for v6 in (False, True)] for wire in wires]
        eventually(lambda: self.assertEqual({("FIN_WAIT_1", "FIN_WAIT_1")}, set(self.net.kernel().values())))
        self.net.c.drop("output", FROM_CLIENT)
        self.net.s.drop("output", FROM_SERVER)
        for rule in lost:
            rule.remove()
        for wire, packets in zip(wires, fins):
            for packet in packets:
                wire.send(packet)
        self.expect("CLOSING", "CLOSING")

    def test_closing_then_time_wait(self):
        """A client without a kernel: its FIN crosses the server's, then it acknowledges."""
        wire, self.keys = Wire(self.net.c, "c0"), []
        peers = [Peer(wire, spoofed(7, v6), 4000, (S4, S6)[v6], PORT) for v6 in (False, True)]
        for peer, listener in zip(peers, self.listeners):
            peer.handshake()
            s, _ = listener.accept()
            s.shutdown(socket.SHUT_WR)
            fin = peer.recv(FIN)
            peer.send(FIN | ACK, ack=fin.seq)
            peer.recv(ACK)
            self.net.sockets.append(s)

        def server(state):
            got = {x.state for x in self.net.s.ss() if x.state != "LISTEN"}
            self.assertEqual(got, {state})
            self.assertEqual({f["server"]["state"] for f in self.net.flows()}, {state})
        eventually(lambda: server("CLOSING"))
        for peer in peers:
            peer.send(ACK)
        eventually(lambda: server("TIME_WAIT"))
        self.assert_verified(self.net, agree=len(peers))

    def test_refused_segments_change_nothing(self):
        """RST and SYN inside an open connection that its kernel does not believe."""
        pairs, wire = self.connect(), Wire(self.net.c, "c0", sniff=False)
        for (c, _), key in zip(pairs, self.keys):
            src, sport, dst, dport = key
            for flags, seq in ((RST, 1), (RST, 0x80000001), (RST | ACK, 7), (SYN, 99), (FIN | ACK, 5)):
                wire.send(segment(src, sport, dst, dport, flags, seq, 1))
        before = self.net.s.nstat()["TcpInSegs"]
        for c, s in pairs:
            c.sendall(b"alive")
            self.assertEqual(s.recv(100), b"alive")
        self.assertGreater(self.net.s.nstat()["TcpInSegs"], before)
        self.expect("ESTABLISHED", "ESTABLISHED")


class StatesTc(States, LabTest):
    hook = "tc"


class StatesXdp(States, LabTest):
    hook = "xdp"


class ShortTimers(LabTest):
    def test_time_wait_ends(self):
        """--msl 1: what the mirror shows as TIME_WAIT is gone two seconds later, and not before."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach("--msl", "1")
        c, s = lab.pair(listener)
        c.close()
        self.assertEqual(s.recv(1), b"")
        s.close()
        begin = time.monotonic()
        hist = lab.synward("states")
        if time.monotonic() - begin < 1.5:
            self.assertEqual(hist["client"]["TIME_WAIT"], 1)
        eventually(lambda: self.assertEqual(lab.synward("states")["client"]["TIME_WAIT"], 0), 4)
        self.assertGreater(time.monotonic() - begin, 1.0)
        self.assertEqual(lab.mirror(), {})
