# SPDX-License-Identifier: GPL-2.0
"""The harness itself, without synward: what the other tests take for granted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import lab as harness
from lab import C4, C6, NETNS, S4, S6, LabTest, Sock, eventually, need, parse_ss, wait_until
from test_halfopen import SynAcks
from wire import ACK, FIN, PSH, SYN, Peer, Wire, flood, spoofed

SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from lab import Lab
lab = Lab("victim", pairs=2)
lab.nginx()
print(lab.c.name, lab.s.name, lab.children[0].pid, lab.tmp.name, flush=True)
{then}
"""


class Harness(LabTest):
    def test_ss_names(self):
        text = """LISTEN 0 511 *:80 *:*
ESTAB 0 0 [::ffff:10.0.0.2]:80 [::ffff:10.0.0.1]:4000
SYN-RECV 0 0 10.0.0.2%s0:80 198.18.0.1:5
TIME-WAIT 0 0 [fe80::1%s0]:80 [fe80::2]:6
UNCONN 0 0 0.0.0.0:0 0.0.0.0:*
"""
        self.assertEqual(list(parse_ss(text)), [
            Sock("LISTEN", "*", 80, "*", 0), Sock("ESTABLISHED", "10.0.0.2", 80, "10.0.0.1", 4000),
            Sock("SYN_RCVD", "10.0.0.2", 80, "198.18.0.1", 5), Sock("TIME_WAIT", "fe80::1", 80, "fe80::2", 6),
            Sock("CLOSED", "0.0.0.0", 0, "0.0.0.0", 0)])

    def test_crafted_segments(self):
        """Kernels take them: handshake, odd and even data, FIN; no checksum is wrong, no reset sent."""
        lab = self.lab()
        wire = Wire(lab.c, "c0")
        for v6 in (False, True):
            listener = lab.listen(v6)
            peer = Peer(wire, spoofed(3, v6), 4000, (S4, S6)[v6], 8080)
            peer.handshake()
            s, addr = listener.accept()
            self.assertEqual(addr[:2], (spoofed(3, v6), 4000))
            peer.send(PSH | ACK, payload=b"odd")
            peer.recv(ACK)
            peer.send(PSH | ACK, payload=b"even")
            peer.send(FIN | ACK)
            eventually(lambda: self.assertEqual(peer.recv(ACK).ack, peer.nxt))
            self.assertEqual(s.recv(20), b"oddeven")
            s.close()
        for ns in (lab.c, lab.s):
            self.assertEqual(ns.nstat()["TcpInCsumErrors"], 0)
            self.assertEqual(ns.nstat()["TcpOutRsts"], 0)

    def test_flood(self):
        """Each SYN from a source of its own, all answered, and the client says nothing to the answers."""
        lab = self.lab()
        for v6, count in ((False, 20000), (True, 5000)):
            lab.s.sysctl("net.core.somaxconn", 65535)
            lab.listen(v6, 8080 + v6, 65535)
            counter = SynAcks(lab, 8080 + v6, v6)
            flood(lab.c, "c0", (S4, S6)[v6], 8080 + v6, count, seconds=0.5)
            eventually(lambda: self.assertEqual(counter.first(), count))
            # the kernel forgets a request whose SYN-ACK it could not send again
            got = [x for x in lab.s.ss() if x.state == "SYN_RCVD" and x.port == 8080 + v6]
            self.assertGreaterEqual(len(got), count * 0.9)
            self.assertLessEqual({x.peer for x in got}, {spoofed(i, v6) for i in range(count)})
            self.assertEqual(len({x.peer for x in got}), len(got))
        self.assertEqual(lab.s.nstat()["TcpInCsumErrors"], 0)
        self.assertEqual(lab.c.nstat()["TcpInSegs"], 0)

    def test_asymmetric(self):
        lab = self.lab(pairs=2, asymmetric=True)
        out = [lab.s.drop("output", f'oifname "s{i}" tcp flags & (syn|ack) == (syn|ack)', "accept") for i in (0, 1)]
        inward = lab.s.drop("prerouting", 'iifname "s0" tcp flags & (syn|ack) == syn', "accept")
        for v6 in (False, True):
            c, s = lab.pair(lab.listen(v6))
            self.assertEqual((c.getsockname()[0], s.getsockname()[0]), ((C4, S4), (C6, S6))[v6])
        self.assertEqual((out[0].packets(), out[1].packets(), inward.packets()), (0, 2, 2))

    def test_drop(self):
        lab = self.lab()
        listener = lab.listen()
        rule = lab.s.drop("prerouting", "tcp dport 8080 tcp flags & (syn|ack) == syn")
        c = lab.c.connect(S4, 8080, wait=False)
        wait_until(lambda: rule.packets() >= 1)
        self.assertEqual({k[2:]: v for k, v in lab.kernel().items()}, {(S4, 8080): ("SYN_SENT", "CLOSED")})
        rule.remove()
        s, _ = listener.accept()
        wait_until(lambda: set(lab.kernel().values()) == {("ESTABLISHED", "ESTABLISHED")})
        self.assertEqual(lab.s.nstat()["TcpPassiveOpens"], 1)
        self.assertEqual(c.getsockname(), s.getpeername())

    @need("nginx", "wrk")
    def test_wrk_drives_nginx(self):
        lab = self.lab()
        lab.nginx()
        done = lab.wrk(f"http://{S4}/", 1)
        self.assertGreater(done, 100)
        self.assertGreaterEqual(lab.s.nstat()["TcpPassiveOpens"], done)

    @need("nginx")
    def test_leaves_nothing(self):
        """Whatever ends a test: its namespaces, processes and files go; after SIGKILL at the next reap()."""
        for then, number in (("lab.close()", None), ("sys.exit(3)", None), ("raise RuntimeError", None),
                             ("input()", signal.SIGTERM), ("input()", signal.SIGINT), ("input()", signal.SIGKILL)):
            with self.subTest(then=then, signal=number):
                text = SCRIPT.format(here=str(Path(harness.__file__).parent), then=then)
                p = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
                *nets, pid, tmp = p.stdout.readline().split()
                if number:
                    self.assertTrue((NETNS / nets[0]).exists())
                    p.send_signal(number)
                p.wait(30)
                p.stdin.close()
                p.stdout.close()
                if number == signal.SIGKILL:
                    harness.reap()
                else:
                    self.assertFalse(os.path.exists(tmp))
                self.assertFalse([n for n in nets if (NETNS / n).exists()])
                wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what=f"nginx {pid} ends")


class Exactness(LabTest):
    def test_syn_is_answered_once_by_the_counter(self):
        """The independent count of half-open handshakes: SYN-ACKs by address, retransmissions not counted."""
        lab = self.lab()
        lab.listen()
        counter = SynAcks(lab, 8080)
        flood(lab.c, "c0", S4, 8080, 100, seconds=0)
        eventually(lambda: self.assertEqual(counter.first(), 100))
        wait_until(lambda: counter.all() >= 150, what="SYN-ACK retransmissions")
        self.assertEqual(counter.first(), 100)
        flood(lab.c, "c0", S4, 8080, 10, seconds=0, first=100, flags=SYN)
        eventually(lambda: self.assertEqual(counter.first(), 110))
