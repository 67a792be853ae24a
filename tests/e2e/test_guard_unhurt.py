# SPDX-License-Identifier: GPL-2.0
"""What an armed guard must leave alone, and clients that come to it in unusual ways."""

import socket
import time

import test_guard_rulesets
from guard import GuardTest, Server, address, echo, said, transfer
from lab import S4, S6, eventually, wait_until
from wire import ACK, OPTIONS, PSH, SYN, Peer, Wire, spoofed

PORT = 8080


class Old(GuardTest):
    """Connections older than attach that pass through this host, on the port of an armed listener."""

    def silent_until_armed(self, lab, dst, devs, text):
        """Opened before attach; the client speaks first, when the guard is armed."""
        old = [lab.c.connect(a, PORT) for a in dst]
        for c in old:
            said(c)
        lab.attach("--guard", "on", "--live", devs=devs)
        for v6 in (False, True):
            for _ in range(2):
                c = lab.c.connect(address(v6), PORT)
                c.sendall(b"x")
                self.assertEqual(c.recv(100), text)
        for addr in ("0.0.0.0", "::"):
            self.assertTrue(self.guard(lab, addr=addr)["guard"]["armed"])
        for c in old:
            said(c)
            transfer(c, 1 << 20)
        self.assertEqual(self.reasons(lab)["stray"], 0)

    def test_guard_old_transit(self):
        """A router's wildcard listener is armed: what the router forwards to that port of others goes on."""
        lab = self.lab()
        third = test_guard_rulesets.Rulesets.third(self, lab)
        for v6 in (False, True):
            Server(third.listen("::" if v6 else "0.0.0.0", PORT), echo)
            Server(lab.listen(v6), lambda s: s.sendall(b"router") if s.recv(100) else None)
        self.silent_until_armed(lab, ("10.9.0.2", "fd09::2"), ("s0",), b"router")

    def test_guard_old_dnat(self):
        """`docker -p`: the userland proxy's listener is armed, the connections are the container's."""
        lab = self.lab()
        container = test_guard_rulesets.Rulesets.third(self, lab)
        for v6 in (False, True):
            Server(container.listen("::" if v6 else "0.0.0.0", 80), echo)
            Server(lab.listen(v6), echo)
        test_guard_rulesets.Rulesets.chain(
            self, lab.s, "prerouting", f'iifname "s0" ip daddr {S4} tcp dport {PORT} dnat ip to 10.9.0.2:80',
            f'iifname "s0" ip6 daddr {S6} tcp dport {PORT} dnat ip6 to [fd09::2]:80', kind="nat", priority="dstnat")
        self.silent_until_armed(lab, (S4, S6), ("s0",), b"x")


class Handshakes(GuardTest):
    def test_guard_off_in_handshake(self):
        """The guard is switched off between a cookie and its ACK: the connection opens all the same."""
        lab = self.lab()
        self.echo(lab)
        self.on(lab)
        wire = Wire(lab.c, "c0")
        peers = [Peer(wire, spoofed(i, v6), 4000, address(v6), PORT) for v6 in (False, True) for i in range(2)]
        for p in peers:
            p.send(SYN, options=OPTIONS)
            p.recv(SYN | ACK)
        lab.synward("guard", "off")
        for p in peers:
            p.send(ACK)
            p.send(PSH | ACK, payload=b"hello")
            self.assertEqual(p.recv(PSH | ACK).size, 5)


    def test_guard_shared_secret(self):
        """Hosts with one secret and one address: the cookie of one opens a connection at the other."""
        labs = [self.lab() for _ in range(3)]
        path = labs[0].dir() / "secret"
        path.write_text("0123456789abcdef0123456789abcdef\n")
        labs[2].s.ip("addr add 10.0.0.20/24 dev s0")
        for lab, addr in zip(labs, (S4, S4, "10.0.0.20")):	# the last was not asked yet on the address
            self.echo(lab)
            lab.attach("--guard", "on", "--live", "--secret", path)
            for _ in range(2):
                said(lab.c.connect(addr, PORT))
        issuer, *others = (Wire(lab.c, "c0") for lab in labs)
        for i, wire in enumerate(others):
            here = Peer(issuer, spoofed(i), 4000, S4, PORT)
            here.send(SYN, options=OPTIONS)
            here.recv(SYN | ACK)
            there = Peer(wire, *here.ends)
            there.nxt, there.rcv = here.nxt, here.rcv
            there.send(ACK)
            there.send(PSH | ACK, payload=b"hello")
            with self.subTest(i):
                self.assertEqual(there.recv(PSH | ACK).size, 5)
                self.assertEqual(self.cookies(labs[1 + i])["bad"], 0)

    def test_guard_not_admitted(self):
        """What is dropped until there is room in the accept queue is counted, each packet once."""
        lab = self.lab()
        listener = lab.listen(backlog=0)
        lab.attach("--guard", "on", "--live")
        lab.c.connect(S4, PORT)	# takes the only place
        wire = Wire(lab.c, "c0")
        peer = Peer(wire, spoofed(1), 4000, S4, PORT)
        before = self.reasons(lab)
        peer.handshake()
        peer.send(PSH | ACK, seq=peer.nxt, payload=b"hello")
        peer.send(PSH | ACK, seq=peer.nxt + 5, payload=b"hello")
        time.sleep(0.2)
        after = self.reasons(lab)
        self.assertEqual({k: after[k] - before[k] for k in ("cookie", "not-admitted", "observed")},
                         {"cookie": 1, "not-admitted": 3, "observed": 0})
        server = Server(listener, echo)
        wait_until(lambda: server.accepted, what="room in the queue")
        peer.send(PSH | ACK, payload=b"hello")
        self.assertEqual(peer.recv(PSH | ACK).size, 5)
        self.assertEqual(self.reasons(lab)["not-admitted"], after["not-admitted"])


class Addresses(GuardTest):
    def through(self, lab, addr, port, listener, count=3):
        """One the kernel answers, the others by cookie."""
        lab.c.connect(addr, port).close()
        before = self.cookies(lab, port, listener)["ok"]
        for i in range(count):
            c = lab.c.connect(addr, port)
            transfer(c, 1 << 17, i)
        wait_until(lambda: self.cookies(lab, port, listener)["ok"] == before + count, what="cookies")
        self.assertEqual(self.cookies(lab, port, listener)["bad"], 0)

    def test_guard_several_addresses(self):
        """A wildcard listener on addresses of more than one network, one of a single address beside it."""
        lab = self.lab()
        more = ["10.0.0.20", "10.0.0.21", "172.31.0.1", "fd00::20", "fd77::1"]
        lab.s.ip(*(f"addr add {a}/{64 if ':' in a else 24} dev s0" + " nodad" * (":" in a) for a in more))
        for a in more:
            lab.c.ip(f"route replace {a} via {S6 if ':' in a else S4}")
        for a in ("0.0.0.0", "::", "10.0.0.21"):
            s = lab.s.socket(socket.AF_INET6 if ":" in a else socket.AF_INET)
            if ":" in a:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)	# else the one address is taken
            s.bind((a, PORT))
            s.listen(64)
            Server(s, echo)
        lab.attach("--guard", "on", "--live")
        for a in [S4, S6, *more]:
            self.through(lab, a, PORT, a if a == "10.0.0.21" else "::" if ":" in a else "0.0.0.0")

    def test_guard_many_addresses(self):
        """A host with hundreds of them: none makes the guard forget what the kernel answers on another."""
        lab = self.lab()
        self.echo(lab)
        lab.s.ip("route add local 10.77.0.0/16 dev lo")
        lab.c.ip(f"route add 10.77.0.0/16 via {S4}")
        self.on(lab, v6=(False,))
        some = [f"10.77.{i // 100}.{i % 100 + 1}" for i in range(300)]
        for addr in some:
            lab.c.connect(addr, 8080).close()
        before = self.cookies(lab)["ok"]
        for addr in some:
            with lab.c.connect(addr, 8080) as c:
                said(c)
        # four places for each address: where five have one set, one table in seventy, those take turns
        eventually(lambda: self.assertGreaterEqual(self.cookies(lab)["ok"] - before, 291))

    def test_guard_dual_stack(self):
        """IPv4 to a listener on :: of both families."""
        lab = self.lab()
        s = lab.s.socket(socket.AF_INET6)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", PORT))
        s.listen(100)
        Server(s, echo)
        lab.attach("--guard", "on", "--live")
        for a in (S4, S6):
            self.through(lab, a, PORT, "::")

    def test_guard_reuseport(self):
        """Four sockets on one address are one listener, whose backlogs add up."""
        lab = self.lab()
        servers = []
        for _ in range(4):
            s = lab.s.socket(socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind(("0.0.0.0", PORT))
            s.listen(64)
            servers.append(Server(s, echo))
        lab.attach("--guard", "on", "--live")
        self.through(lab, S4, PORT, "0.0.0.0", 40)
        self.assertEqual(self.guard(lab)["guard"]["high"], 128)
        self.assertGreater(min(s.accepted for s in servers), 0)

    def test_guard_link_local(self):
        """Clients and servers of link-local addresses."""
        lab = self.lab()

        def link_local(ns, dev):
            return wait_until(lambda: [x.split("/")[0] for x in ns.run("ip", "-6", "addr", "show", "dev", dev, "-tentative").split()
                                       if x.startswith("fe80")])[0]
        here, there = link_local(lab.c, "c0"), link_local(lab.s, "s0")
        self.echo(lab)
        lab.attach("--guard", "on", "--live")
        with lab.c.inside():
            index = socket.if_nametoindex("c0")
        for i in range(5):
            c = lab.c.socket(socket.AF_INET6)
            c.settimeout(3)
            c.connect((there, PORT, 0, index))
            said(c)
            transfer(c, 1 << 17, i)
        self.assertEqual(c.getsockname()[0].split("%")[0], here)
        self.assertEqual(self.cookies(lab, addr="::")["ok"], 4)
        self.assertEqual(self.cookies(lab, addr="::")["bad"], 0)

    def test_guard_hop_limit(self):
        """A client that takes only what comes from next door (RFC 5082) gets the server's own TTL."""
        lab = self.lab()
        listener = lab.listen()
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        six = lab.listen(True)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        for s in (listener, six):
            Server(s, echo)
        self.on(lab)
        wire = Wire(lab.c, "c0")
        for v6 in (False, True):
            p = Peer(wire, spoofed(1, v6), 4000, address(v6), PORT)
            p.send(SYN, options=OPTIONS)
            answer = p.recv(SYN | ACK)
            self.assertEqual(answer.packet[7 if v6 else 8], 255)
        self.assertEqual(self.reasons(lab)["cookie"], 2)
