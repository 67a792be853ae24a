# SPDX-License-Identifier: GPL-2.0
"""Rulesets and sockets that the guard must leave working: new connections open exactly as without it."""

import contextlib
import errno
import socket
import struct
import time

from guard import GuardTest, Server, address, echo, said
from lab import C4, C6, S4, S6, Net
from wire import ACK, OPTIONS, PSH, RST, SYN, Peer, Wire, spoofed

PORT = 8080
IPPROTO_MPTCP = 262


class Rulesets(GuardTest):
    def outcome(self, lab, addr, port, tries=4):
        """What becomes of new connections: how many speak, or why not."""
        out = []
        for _ in range(tries):
            s = lab.c.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
            s.settimeout(5)
            try:
                s.connect((addr, port))
                s.sendall(b"who?")
                out.append(s.recv(100))
            except OSError as why:
                out.append(errno.errorcode.get(why.errno, type(why).__name__))
            s.close()
        return out

    def same(self, lab, ports=(PORT,), addrs=(S4, S6), tries=4, want=b"who?", method="cookie"):
        """The same without guard and with it armed; returns the listeners then."""
        plain = {(a, p): self.outcome(lab, a, p, tries) for a in addrs for p in ports}
        for found in plain.values():
            self.assertEqual(found, [want] * tries, "without guard")
        lab.attach("--guard", "on", "--live", "--method", method)
        for _ in range(3):	# the first one teaches the guard who answers, the others go through it
            for (a, p), found in plain.items():
                self.assertEqual(self.outcome(lab, a, p, tries), found, f"{a} port {p} with guard")
        return {(x["addr"], x["port"]): x for x in lab.synward("listeners")}

    def chain(self, ns, hook, *rules, kind="filter", priority="0", policy="accept"):
        name = hook + kind
        ns.nft(f"table inet {name} {{\n chain c {{\n type {kind} hook {hook} priority {priority}; policy {policy}\n "
               + "\n ".join(rules) + "\n }\n}\n")

    def through_cookies(self, lab):
        """Connections open as without guard, and they do so by cookies."""
        self.echo(lab)
        listeners = self.same(lab)
        for addr in ("0.0.0.0", "::"):
            cookies = listeners[addr, PORT]["cookies"]
            self.assertGreaterEqual(cookies["ok"], 8)
            self.assertEqual(cookies["bad"], 0)

    def test_guard_stateful_accept(self):
        lab = self.lab()
        self.chain(lab.s, "input", "ct state established,related accept", "meta l4proto ipv6-icmp accept",
                   f"tcp dport {PORT} ct state new accept", policy="drop")
        self.through_cookies(lab)

    def test_guard_not_syn_new_drop(self):
        """The classic rule against segments that no SYN came before: a cookie's connection is one."""
        lab = self.lab()
        self.chain(lab.s, "input", "tcp flags & (fin|syn|rst|ack) != syn ct state new drop")
        self.through_cookies(lab)

    def test_guard_invalid_drop(self):
        lab = self.lab()
        self.chain(lab.s, "input", "ct state invalid drop")	# from here on there is that sysctl
        lab.s.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
        self.through_cookies(lab)

    def test_guard_notrack(self):
        """Ports that conntrack is told to leave alone."""
        lab = self.lab()
        self.chain(lab.s, "prerouting", f"tcp dport {PORT} notrack", priority="raw")
        self.chain(lab.s, "output", f"tcp sport {PORT} notrack", priority="raw")
        self.chain(lab.s, "input", "ct state invalid drop")
        self.through_cookies(lab)

    def test_guard_breaker(self):
        """A ruleset that lets no cookie's connection through: the guard lets go of that listener, and says so."""
        lab = self.lab()
        for port in (PORT, 8081):
            self.echo(lab, port)
        self.on(lab, ports=(PORT, 8081))
        sources = [f"10.1.{i}.1" for i in range(12)]	# a single prefix would prove nothing
        lab.c.ip(*(f"addr add {a}/32 dev c0" for a in sources))
        lab.s.ip(f"route add 10.1.0.0/16 via {C4}")
        rule = lab.s.drop("input", f"tcp dport {PORT} tcp flags & (syn|ack) == ack")
        socks = [lab.c.connect(S4, PORT, a) for a in sources]
        for c in socks:
            c.sendall(b"who?")	# sent again after 200 ms, when there still is no socket
        self.assert_disarmed(lab, PORT)
        self.assertIn("did not come to be", self.guard(lab, PORT)["guard"]["why"])
        self.assertGreaterEqual(self.cookies(lab, PORT)["bad"], 8)
        rule.remove()
        sent = self.cookies(lab, PORT)["sent"]
        self.assertEqual(self.outcome(lab, S4, PORT, 8), [b"who?"] * 8)
        self.assertEqual(self.cookies(lab, PORT)["sent"], sent)
        self.assertTrue(self.guard(lab, 8081)["guard"]["armed"])
        self.assertEqual(self.outcome(lab, S4, 8081), [b"who?"] * 4)
        self.assertEqual(self.cookies(lab, 8081)["ok"], 4)
        for c in socks:	# nobody was reset: the segments that come again are handed over
            self.assertEqual(c.recv(10), b"who?")

    def come_back(self, lab, sources, times=1, then=0):
        """Clients open by cookie, perhaps send a segment more, and data later: so many count as bad."""
        before, wire = self.cookies(lab)["bad"], Wire(lab.c, "c0")
        for _ in range(times):
            for a in sources:
                self.port = getattr(self, "port", 4000) + 1
                peer = Peer(wire, a, self.port, S4, PORT)
                peer.handshake()
                if then:
                    peer.send(then)
                time.sleep(0.05)
                peer.send(PSH | ACK, payload=b"x")
        time.sleep(0.1)
        return self.cookies(lab)["bad"] - before

    def test_guard_banned(self):
        """Sources that a ruleset drops, and clients that let go, do not switch the guard off."""
        lab = self.lab()
        self.echo(lab)
        self.on(lab, v6=(False,))
        said(lab.c.connect(S4, PORT))
        banned = [spoofed(i << 8) for i in range(4)]
        for a in banned:
            lab.s.drop("input", f"ip saddr {a}")
        self.assertEqual(self.come_back(lab, banned[:1], 20), 20)
        self.assert_armed(lab)
        for _ in range(3):	# more than eight, but each /24 counts once
            self.assertEqual(self.come_back(lab, banned), 4)
        self.assert_armed(lab)
        self.assertEqual(self.come_back(lab, [spoofed(i << 8) for i in range(20, 32)], then=RST | ACK), 0)
        self.assert_armed(lab)
        said(lab.c.connect(S4, PORT))

    def test_guard_application_resets(self):
        """Connections that the application resets are connections."""
        lab = self.lab()

        def slam(s):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        Server(lab.listen(), slam)
        lab.attach("--guard", "on", "--live")
        with contextlib.suppress(ConnectionResetError):	# it may be as quick as that
            self.known(lab, v6=(False,))
        wire = Wire(lab.c, "c0")
        for i in range(12):
            peer = Peer(wire, spoofed(i << 8), 4000, S4, PORT)
            peer.handshake()
            self.assertEqual(peer.recv(RST).flags, RST | ACK)
        self.assertEqual((self.cookies(lab)["ok"], self.cookies(lab)["bad"]), (12, 0))
        self.assert_armed(lab)

    def third(self, lab):
        """A namespace behind the server, which routes: 10.9.0.2, fd09::2."""
        ns = Net(lab, lab.s.name[:-1] + "t")
        self.addCleanup(ns.remove)
        ns.ip("link set lo up", f"link add t0 type veth peer name u0 netns {lab.s.name}",
              "addr add 10.9.0.2/24 dev t0", "addr add fd09::2/64 dev t0 nodad", "link set t0 up")
        lab.s.ip("addr add 10.9.0.1/24 dev u0", "addr add fd09::1/64 dev u0 nodad", "link set u0 up")
        ns.ip("route add default via 10.9.0.1", "route add default via fd09::1")
        for n, dev, other, there, host in ((ns, "t0", lab.s, "u0", 1), (lab.s, "u0", ns, "t0", 2)):
            n.run("ethtool", "-K", dev, "tx", "off")
            n.ip(*(f"neigh replace {net}{host} lladdr {other.mac(there).hex(':')} dev {dev} nud permanent"
                   for net in ("10.9.0.", "fd09::")))
        lab.s.sysctl("net.ipv4.ip_forward", 1)
        lab.s.sysctl("net.ipv6.conf.all.forwarding", 1)
        lab.c.ip(f"route add 10.9.0.0/24 via {S4}", f"route add fd09::/64 via {S6}")
        return ns

    def speaks(self, text):
        def serve(s):
            s.recv(100)
            s.sendall(text)
        return serve

    def test_guard_dnat(self):
        """`docker -p`: a published port goes to another namespace, and a userland proxy listens on it here."""
        lab = self.lab()
        container = self.third(lab)
        for v6 in (False, True):
            Server(container.listen("::" if v6 else "0.0.0.0", 80), self.speaks(b"container"))
            Server(lab.listen(v6), self.speaks(b"proxy"))
        self.chain(lab.s, "prerouting", f'iifname "s0" ip daddr {S4} tcp dport {PORT} dnat ip to 10.9.0.2:80',
                   f'iifname "s0" ip6 daddr {S6} tcp dport {PORT} dnat ip6 to [fd09::2]:80', kind="nat", priority="dstnat")
        listeners = self.same(lab, want=b"container")
        self.assertEqual(sum(x["cookies"]["sent"] for x in listeners.values()), 0)

    def test_guard_redirect(self):
        """80 to 8080, and a listener on 80 that only others reach."""
        lab = self.lab()
        for v6 in (False, True):
            Server(lab.listen(v6), self.speaks(b"redirected"))
            Server(lab.listen(v6, 80), self.speaks(b"direct"))
        self.chain(lab.s, "prerouting", f'iifname "s0" tcp dport 80 redirect to :{PORT}', kind="nat", priority="dstnat")
        listeners = self.same(lab, ports=(80,), want=b"redirected")
        self.assertEqual(sum(x["cookies"]["sent"] for x in listeners.values() if x["port"] == 80), 0)

    def test_guard_redirect_reached_both_ways(self):
        """The port that is redirected to answers for itself as well: that teaches nothing of the redirected one.
        And where NAT looks at a connection at all, a cookie's socket does not get through it."""
        lab = self.lab()
        for v6 in (False, True):
            Server(lab.listen(v6), self.speaks(b"8080"))
        self.chain(lab.s, "prerouting", f'iifname "s0" tcp dport 80 redirect to :{PORT}', kind="nat", priority="dstnat")
        self.same(lab, ports=(PORT, 80), want=b"8080")

    def test_guard_firewalled(self):
        """A port that the ruleset drops never looks open, nor one that it rejects."""
        lab = self.lab()
        for port in (PORT, 8081, 8082):
            for v6 in (False, True):
                Server(lab.listen(v6, port), echo)
        self.chain(lab.s, "input", "tcp dport 8081 drop", "tcp dport 8082 reject with tcp reset")
        lab.attach("--guard", "on", "--live")
        self.known(lab)
        wire = Wire(lab.c, "c0")
        for v6 in (False, True):
            for port, answer in ((8081, None), (8082, RST | ACK)):
                for i in range(3):
                    peer = Peer(wire, spoofed(i, v6), 4000, address(v6), port)
                    peer.send(SYN, options=OPTIONS)
                    if answer:
                        self.assertEqual(peer.recv(RST).flags, answer)
                    else:
                        with self.assertRaises(AssertionError):
                            peer.recv(0, 0.2)
        for x in lab.synward("listeners"):
            self.assertEqual(x["cookies"]["sent"], 0, x["port"])
        # sources that the ruleset drops on a port that is open to others: no socket is made of their cookies
        self.assertEqual(self.outcome(lab, S4, PORT), [b"who?"] * 4)

    def test_guard_mptcp(self):
        """The kernel takes no cookie's connection for an MPTCP socket: it is left to the kernel."""
        lab = self.lab()
        try:
            s = lab.s.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as why:
            self.skipTest(f"no MPTCP: {why}")
        s.bind(("0.0.0.0", PORT))
        s.listen(100)
        Server(s, echo)
        entry = self.same(lab, addrs=(S4,))["0.0.0.0", PORT]
        self.assertEqual(entry["cookies"]["sent"], 0)
        self.assertEqual(entry["guard"]["serves"], "first-syn")
        self.assertIn("MPTCP", entry["guard"]["why"])

    def test_guard_mptcp_after_attach(self):
        """One that listens only later: found out by the kernel's refusal, and then left alone."""
        lab = self.lab()
        lab.attach("--guard", "on", "--live")
        try:
            s = lab.s.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as why:
            self.skipTest(f"no MPTCP: {why}")
        s.bind(("0.0.0.0", PORT))
        s.listen(100)
        Server(s, echo)
        self.outcome(lab, S4, PORT, 2)	# the second may be lost
        self.assertEqual(self.outcome(lab, S4, PORT, 8), [b"who?"] * 8)

    def test_guard_transit(self):
        """A router's wildcard listener is not whom transit SYNs are for, though the socket lookup finds it."""
        lab = self.lab()
        third = self.third(lab)
        for v6 in (False, True):
            Server(third.listen("::" if v6 else "0.0.0.0", PORT), self.speaks(b"behind"))
            Server(lab.listen(v6), self.speaks(b"router"))
        lab.attach("--guard", "on", "--live")
        for _ in range(2):
            for addr, text in ((S4, b"router"), ("10.9.0.2", b"behind"), (S6, b"router"), ("fd09::2", b"behind")):
                self.assertEqual(self.outcome(lab, addr, PORT), [text] * 4, addr)
        for addr in ("0.0.0.0", "::"):
            self.assertGreater(self.cookies(lab, addr=addr)["ok"], 0)
            self.assertEqual(self.cookies(lab, addr=addr)["bad"], 0)

    def test_guard_no_listener(self):
        """A port that nobody listens on is refused at once; one that closes stops being answered."""
        lab = self.lab()
        listener = lab.listen()
        server = Server(listener, echo)
        lab.attach("--guard", "on", "--live")
        self.assertEqual(self.outcome(lab, S4, 9999), ["ECONNREFUSED"] * 4)
        self.assertEqual(self.outcome(lab, S4, PORT), [b"who?"] * 4)
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join(5)
        self.assertEqual(self.outcome(lab, S4, PORT), ["ECONNREFUSED"] * 4)
        Server(lab.listen(), echo)
        self.assertEqual(self.outcome(lab, S4, PORT), [b"who?"] * 4)

    def test_guard_outgoing(self):
        """Connections that this host opens, to the same port as well, and its own traffic: untouched."""
        lab = self.lab()
        self.echo(lab)
        for v6 in (False, True):
            Server(lab.c.listen("::" if v6 else "0.0.0.0", PORT), echo)
        self.on(lab)
        for addr in (C4, C6):
            for _ in range(5):
                said(lab.s.connect(addr, PORT))
        for addr in (S4, S6, "127.0.0.1"):	# over lo
            said(lab.s.connect(addr, PORT))
        said(lab.c.connect(S4, PORT))
