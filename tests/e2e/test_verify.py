# SPDX-License-Identifier: GPL-2.0
"""`verify`: agrees where mirror and kernel do, names what differs, and knows what is no difference."""

import socket
import struct
import threading
import time

from lab import C4, S4, S6, LabTest, eventually, need, wait_until
from wire import ACK, OPTIONS, SYN, Peer, Wire, segment, spoofed, spoofed_port

PORT = 8080
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_DEFER_ACCEPT = 19, 20, 21, 9
SYN_BIT, RST_BIT = "tcp flags & (syn|ack) == syn", "tcp flags & rst == rst"


class Verify(LabTest):
    def ends(self, c):
        """A connection's ends as `verify` shows them."""
        return [{"addr": a, "port": p} for a, p in (c.getsockname()[:2], c.getpeername()[:2])]

    def only(self, lab, kind, client, server, mirror, kernel, agree=0, ns=None, local="server"):
        """There is one difference, of this kind."""
        want = {"client": client, "server": server, "local": local, "mirror": mirror, "kernel": kernel}

        def check():
            doc = lab.verify(ns)
            found = {k: doc[k] for k in ("differ", "only_mirror", "only_kernel") if doc[k]}
            self.assertEqual(found, {kind: [want]})
            self.assertEqual((doc["agree"], doc["compared"]), (agree, agree + 1))
        eventually(check)

    # Differences, each really produced

    @need("ss")
    def test_only_mirror(self):
        """A socket that dies without a word on the wire: its RST is lost before the hook."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        lab.pair(listener)
        c, _ = lab.pair(listener)
        lab.s.drop("output", f"tcp sport {PORT} {RST_BIT}")
        lab.s.run("ss", "-K", "dport", "=", f":{c.getsockname()[1]}")
        wait_until(lambda: sum(x.state == "ESTABLISHED" for x in lab.s.ss()) == 1, what="socket")
        self.only(lab, "only_mirror", *self.ends(c), "ESTABLISHED", None, agree=1)
        text = lab.synward("verify", json=False, expect=3)
        self.assertEqual(text.stderr, "")
        head, row, last = text.stdout.splitlines()
        self.assertEqual(head.split(), ["CLIENT", "SERVER", "LOCAL", "MIRROR", "KERNEL"])
        self.assertEqual(row.split(), [f"{C4}:{c.getsockname()[1]}", f"{S4}:{PORT}", "server", "ESTABLISHED", "-"])
        self.assertEqual(last, "2 compared, 1 agree")

    def test_differ(self):
        """An RST that passed the hook, and was lost between it and the socket."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        lab.pair(listener)
        c, _ = lab.pair(listener)
        lost = lab.s.drop("prerouting", f"tcp dport {PORT} {RST_BIT}")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends = self.ends(c)
        c.close()
        wait_until(lost.packets, what="RST")
        self.only(lab, "differ", *ends, "CLOSED", "ESTABLISHED", agree=1)

    def test_only_kernel(self):
        """A socket that TCP_REPAIR opens: established without a segment."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        lab.pair(listener)
        s = lab.s.socket(socket.AF_INET)
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        s.bind((S4, 5000))
        for queue in (1, 2):
            s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            s.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, 1000 * queue)
        s.connect((C4, 6000))
        here, there = self.ends(s)
        self.only(lab, "only_kernel", here, there, None, "ESTABLISHED", agree=1, local="client")

    def test_exit_status(self):
        lab = self.lab()
        self.assertIn("synward attach", lab.synward("verify", expect=1).stderr)
        lab.attach()
        for bad in (("extra",), ("--dev", "s0")):
            self.assertIn("verify --help", lab.synward("verify", *bad, expect=2).stderr)
        done = lab.synward("verify", json=False)
        self.assertEqual((done.returncode, done.stdout), (0, "0 compared, 0 agree\n"))
        self.assertIn("Example", lab.synward("verify", "--help", json=False).stdout)

    # Agreement

    def test_lo(self):
        """Both ends are this host's: both sockets are compared, in every pair of states."""
        lab = self.lab()
        lab.attach(devs=("lo",))
        listeners = [lab.s.listen(a, PORT) for a in ("127.0.0.1", "::1")]
        rested = 0
        for listener in listeners:
            pairs = []
            for _ in range(5):
                c = lab.s.connect(listener.getsockname()[0], PORT)
                pairs.append((c, listener.accept()[0]))
            lab.sockets += [s for _, s in pairs]
            pairs[1][0].shutdown(socket.SHUT_WR)	# FIN_WAIT_2, CLOSE_WAIT
            pairs[2][1].shutdown(socket.SHUT_WR)
            pairs[3][0].close()				# TIME_WAIT alone
            pairs[3][1].close()
            pairs[4][1].close()
            pairs[4][0].close()
            rested += 3 * 2 + 2
        self.assert_verified(lab, agree=rested, elsewhere=0)
        lab.s.drop("input", "tcp dport 9090")
        for addr in ("127.0.0.1", "::1"):		# SYN_SENT, nobody there
            lab.s.connect(addr, 9090, wait=False)
        self.assert_verified(lab, agree=rested + 2)

    def test_mapped(self):
        """An IPv6 socket that speaks IPv4."""
        lab = self.lab()
        listener = lab.s.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", PORT))
        listener.listen()
        lab.attach()
        for addr in (S4, S6):
            lab.c.connect(addr, PORT)
            lab.sockets.append(listener.accept()[0])
        self.assert_verified(lab, agree=2)

    @need("nginx", "wrk")
    def test_under_load(self):
        """Thousands of connections a second come and go: what is on its way is no difference."""
        lab = self.lab()
        lab.nginx()
        lab.attach()
        done = []
        load = threading.Thread(target=lambda: done.append(lab.wrk(f"http://{S4}/", 6)))
        load.start()
        runs = 0
        time.sleep(0.5)
        while load.is_alive():
            self.assert_verified(lab)
            runs += 1
        load.join()
        self.assertGreater(done[0], 1000)
        self.assertGreater(runs, 0)
        self.assert_agree(lab)

    def test_unsent_fin(self):
        """A FIN behind data that the peer's window does not take: the kernel has closed, nobody can know."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        _, s = lab.pair(listener)
        s.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                s.send(b"x" * 65536)
        s.shutdown(socket.SHUT_WR)
        wait_until(lambda: any(x.state == "FIN_WAIT_1" for x in lab.s.ss()), what="FIN_WAIT_1")
        self.assert_verified(lab, agree=1)

    # What is no difference, and counted apart

    def test_stateless(self):
        """Syncookies: answered, and not kept."""
        lab = self.lab()
        lab.s.sysctl("net.ipv4.tcp_syncookies", 2)
        lab.listen(), lab.listen(v6=True)
        lab.attach()
        wire = Wire(lab.c, "c0")
        for v6 in (False, True):
            for i in range(20):
                wire.send(segment(spoofed(i, v6), spoofed_port(i), (S4, S6)[v6], PORT, SYN, 1, options=OPTIONS))
        wait_until(lambda: lab.synward("states")["half_open"] == 40, what="half-open")
        self.assertEqual([x.state for x in lab.s.ss() if x.state != "LISTEN"], [])
        self.assert_verified(lab, stateless=40, agree=0)

    def test_requests_kept(self):
        """Without syncookies the same are requests in the kernel, and agree."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        wire = Wire(lab.c, "c0")
        for i in range(20):
            wire.send(segment(spoofed(i), spoofed_port(i), S4, PORT, SYN, 1, options=OPTIONS))
        wait_until(lambda: lab.synward("states")["half_open"] == 20, what="half-open")
        self.assert_verified(lab, stateless=0, agree=20)
        listener.close()	# the requests go with it or after it, without a segment
        self.assert_verified(lab)

    def test_put_off(self):
        """The final ACK arrived and makes no connection yet: TCP_DEFER_ACCEPT, a full accept queue."""
        lab = self.lab()
        listeners = [lab.listen(), lab.listen(port=9090)]
        listeners[0].setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)
        lab.attach()
        lab.c.connect(S4, PORT)
        wire = Wire(lab.c, "c0")
        peers = [Peer(wire, spoofed(i), 4000, S4, 9090) for i in range(4)]
        for peer in peers:
            peer.send(SYN, options=OPTIONS)
            peer.recv(SYN | ACK)
        listeners[1].listen(1)	# room for two
        for peer in peers:
            peer.send(ACK)
        wait_until(lambda: [x.state for x in lab.s.ss()].count("SYN_RCVD") == 3, what="requests")
        doc = self.assert_verified(lab)	# after a SYN-ACK that is sent again, the mirror says SYN_RCVD as well
        self.assertEqual(doc["compared"] + doc["stateless"], 5)
        self.assertGreater(doc["stateless"], 0)

    def test_elsewhere(self):
        """Connections that pass no attached device, older than attach and younger."""
        lab = self.lab(pairs=2)
        listener, local = lab.listen(), lab.s.listen("127.0.0.1", 9090)

        def open_all():
            for addr in (S4, "10.0.1.2"):
                lab.c.connect(addr, PORT)
                lab.sockets.append(listener.accept()[0])
            a, b = lab.s.connect("127.0.0.1", 9090), local.accept()[0]
            lab.sockets.append(b)
            return a, b
        old = open_all()
        self.assertEqual(lab.attach()["imported"]["flows"], 1)
        open_all()
        self.assert_verified(lab, agree=2, elsewhere=6)
        for s in old:
            s.close()
        self.assert_verified(lab, agree=2, elsewhere=5)
        lab.attach(devs=("s1",))
        self.assert_verified(lab, agree=4, elsewhere=3)

    def test_policy_route(self):
        """The way of a socket is that of its mark."""
        lab = self.lab(pairs=2)
        lab.s.sysctl("net.ipv4.conf.all.rp_filter", 0)
        lab.s.sysctl("net.ipv4.conf.s1.rp_filter", 0)
        lab.s.ip("rule add fwmark 7 lookup 100", f"route add {C4}/32 via 10.0.1.1 dev s1 src {S4} table 100")
        there = lab.c.listen("0.0.0.0", 7070)
        lab.attach()
        for mark in (0, 7):
            s = lab.s.socket(socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, 36, mark)	# SO_MARK
            s.settimeout(5)
            s.bind((S4, 0))
            s.connect((C4, 7070))
            lab.sockets.append(there.accept()[0])
        doc = self.assert_verified(lab)
        self.assertEqual((doc["agree"], doc["elsewhere"]), (1, 1))

    def test_syn_given_up(self):
        """close() while connecting sends nothing; a SYN to a neighbour that does not answer ARP is not sent."""
        lab = self.lab()
        lab.s.sysctl("net.ipv4.neigh.s0.mcast_solicit", 30)	# seconds
        lost = lab.c.drop("prerouting", f"tcp dport 7070 {SYN_BIT}")
        lab.attach()
        given_up = lab.s.connect(C4, 7070, wait=False)
        wait_until(lost.packets, what="SYN")
        self.assert_verified(lab, agree=1, silent=0)
        given_up.close()
        self.assert_verified(lab, agree=0, silent=1)
        lab.s.connect("10.0.0.77", 7070, wait=False)
        self.assertEqual([x.state for x in lab.s.ss()], ["SYN_SENT"])
        self.assert_verified(lab, agree=0, silent=2)

    def test_fin_wait_2_given_up(self):
        """An orphan in FIN_WAIT_2 is a TIME_WAIT socket that says FIN_WAIT_2, for tcp_fin_timeout."""
        lab = self.lab()
        lab.s.sysctl("net.ipv4.tcp_fin_timeout", 8)
        listener = lab.listen()
        lab.attach()
        _, s = lab.pair(listener)
        s.close()
        wait_until(lambda: any(x.state == "FIN_WAIT_2" for x in lab.s.ss()), what="FIN_WAIT_2")
        self.assert_verified(lab, agree=1, silent=0)
        wait_until(lambda: not any(x.state == "FIN_WAIT_2" for x in lab.s.ss()), timeout=30, what="end")
        self.assert_verified(lab, agree=0, silent=1)

    def test_time_wait(self):
        """TIME_WAIT for which the kernel has no room, and which the mirror ends before the kernel."""
        lab = self.lab()
        listener = lab.listen()
        lab.s.sysctl("net.ipv4.tcp_max_tw_buckets", 3)
        lab.attach("--msl", 2)
        begin = time.monotonic()
        for _ in range(5):
            c, s = lab.pair(listener)
            s.close()
            self.assertEqual(c.recv(1), b"")
            c.close()
        wait_until(lambda: lab.s.nstat()["TcpExtTCPTimeWaitOverflow"] == 2, what="overflow")
        doc = self.assert_verified(lab)
        if time.monotonic() - begin < 1.5:	# from 2 s before the end on either view is right
            self.assertEqual((doc["agree"], doc["silent"]), (3, 2))
        wait_until(lambda: not lab.mirror(), timeout=6, what="TIME_WAIT")
        self.assertEqual(sum(x.state == "TIME_WAIT" for x in lab.s.ss()), 3)
        self.assert_verified(lab, compared=0, silent=0)
