# SPDX-License-Identifier: GPL-2.0
"""20,000 spoofed SYNs: the half-open count is exactly what the kernel answered and nobody acknowledged."""

import re
import socket
import threading
import time

from lab import C4, C6, S4, S6, LabTest, eventually, wait_until
from wire import ACK, FIN, ISN, RST, SYN, flood

PORT, COUNT = 8080, 20000


class SynAcks:
    """Counts the SYN-ACKs that the server's kernel sends from a port: all, and the first to each peer."""

    def __init__(self, lab, port, v6=False):
        self.ns, self.table = lab.s, f"synacks{port}"
        to, kind = ("ip6 daddr", "ipv6_addr") if v6 else ("ip daddr", "ipv4_addr")
        match = f"tcp sport {port} tcp flags & (syn|ack) == (syn|ack)"
        self.ns.nft(f"""table inet {self.table} {{
 set peers {{
  type {kind} . inet_service
  size 131072
  flags dynamic
 }}
 chain c {{
  type filter hook output priority 0
  {match} counter comment "all"
  {match} {to} . tcp dport @peers accept
  {match} add @peers {{ {to} . tcp dport }} counter comment "first"
 }}
}}
""")

    def count(self, which):
        rules = self.ns.nft(f"list chain inet {self.table} c\n")
        return int(re.search(rf'counter packets (\d+) bytes \d+ comment "{which}"', rules).group(1))

    def all(self):
        return self.count("all")

    def first(self):
        return self.count("first")


class HalfOpen(LabTest):
    def scene(self, *args, v6=False, backlog=65535, cookies=1, retries=None):
        """A listener with 200 open connections, half of them v6, and synward."""
        lab = self.net = self.lab()
        lab.s.sysctl("net.core.somaxconn", 65535)
        lab.s.sysctl("net.ipv4.tcp_max_syn_backlog", 65535)
        lab.s.sysctl("net.ipv4.tcp_syncookies", cookies)
        if retries is not None:
            lab.s.sysctl("net.ipv4.tcp_synack_retries", retries)
        self.v6, self.dst = v6, S6 if v6 else S4
        self.listeners = [lab.listen(x, PORT, backlog) for x in (False, True)]
        lab.attach(*args)
        self.open = [lab.pair(x) for x in self.listeners for _ in range(100)]
        self.answered = SynAcks(lab, PORT, v6)
        self.check(0)
        return lab

    def flood(self, count=COUNT, seconds=2.0, **kw):
        flood(self.net.c, "c0", self.dst, PORT, count, seconds, **kw)

    def entry(self):
        return self.net.listener(PORT, "::" if self.v6 else "0.0.0.0")

    def check(self, completed=0, least=0):
        """Half-open is what was answered and not completed."""
        def agree():
            before, entry, after = self.answered.first(), self.entry(), self.answered.first()
            self.assertEqual(before, after, "no rest")
            self.assertEqual(entry["half_open"], after - completed)
            self.assertEqual(entry["tracked"] + entry["untracked"], entry["half_open"])
            self.assertEqual(self.net.synward("states")["half_open"], entry["half_open"])
            return entry
        entry = eventually(agree, 3)
        self.assertGreaterEqual(entry["half_open"], least)
        return entry

    def check_sockets(self):
        """What the kernel did not keep is stateless; of the rest mirror and kernel agree."""
        eventually(lambda: self.assert_verified(self.net))

    def check_open(self, client="ESTABLISHED", server="ESTABLISHED"):
        """The 200 connections are still there, in both kernels and in the mirror."""
        want = {(*c.getsockname()[:2], *c.getpeername()[:2]): (client, server) for c, _ in self.open}
        self.assertEqual(len(want), 200)

        def agree():
            for view in (self.net.kernel(), self.net.mirror()):
                self.assert_same(want, {k: v for k, v in view.items() if k[0] in (C4, C6)})
        eventually(agree)

    def check_requests(self):
        """kernel_half_open is the length of the kernel's queue."""
        def agree():
            addr = "::" if self.v6 else "0.0.0.0"
            before = sum(x.state == "SYN_RCVD" for x in self.net.s.ss())
            shown = self.net.listener(PORT, addr)["kernel_half_open"]
            after = sum(x.state == "SYN_RCVD" for x in self.net.s.ss())
            self.assertEqual((before, after), (shown, shown))
            return shown
        return eventually(agree)

    def use_open(self):
        """The 200 connections follow what happens to them after the flood."""
        for c, s in self.open:
            c.sendall(b"ping")
            self.assertEqual(s.recv(10), b"ping")
            c.shutdown(socket.SHUT_WR)
        self.check_open("FIN_WAIT_2", "CLOSE_WAIT")

    def test_flood(self):
        lab = self.scene()
        self.flood()
        entry = self.check(least=COUNT * 0.99)
        self.assertGreater(entry["tracked"], COUNT * 0.9)	# 20,000 entries in a table for 65,536
        self.assertGreaterEqual(entry["syn"], entry["half_open"] + 100)
        self.assertEqual(entry["completed"], 100)
        # The kernel forgets a request whose SYN-ACK it could not send again: its queue may be shorter.
        self.assertTrue(COUNT // 2 < self.check_requests() <= entry["half_open"])
        self.check_open()
        self.check_sockets()
        resent = self.answered.first() * 3 // 2	# a SYN-ACK sent again is no second handshake
        wait_until(lambda: self.answered.all() >= resent, what="SYN-ACK retransmissions")
        self.check(least=COUNT * 0.99)
        self.use_open()
        self.assertEqual(lab.s.nstat()["TcpExtListenDrops"], 0)

    def test_flood_small_table(self):
        self.scene("--max-half-open", 1000)
        self.flood()
        entry = self.check(least=COUNT * 0.99)
        used = self.net.synward("status")["half_open"]
        self.assertTrue(1000 <= used["max"] <= 1600, used)	# half as many slots again, in whole buckets
        self.assertTrue(1000 <= entry["tracked"] <= used["max"], entry)
        self.assertLessEqual(used["used"], used["max"])
        self.assertEqual(used["untracked"], entry["untracked"])
        self.check_open()
        self.use_open()

    def test_flood_syncookies_always(self):
        """The kernel keeps no request at all, and yet answered."""
        self.scene(cookies=2)
        self.flood()
        self.check(least=COUNT * 0.99)
        self.assertEqual(self.check_requests(), 0)
        self.check_open()
        self.check_sockets()

    def test_flood_full_backlog(self):
        """The queue overflows at once: the rest of the SYNs is answered by syncookies."""
        lab = self.scene(backlog=128)
        self.flood()
        self.check(least=COUNT * 0.99)
        self.assertGreater(lab.s.nstat()["TcpExtSyncookiesSent"], COUNT // 2)
        self.assertLess(self.entry()["kernel_half_open"], 200)
        self.check_open()
        self.check_sockets()

    def test_flood_without_answers(self):
        """No syncookies, small queue: SYNs that the kernel drops are not half-open, they are pending."""
        lab = self.scene(backlog=64, cookies=0)
        self.flood(5000, 0.5)
        self.assertGreater(lab.s.nstat()["TcpExtTCPReqQFullDrop"], 1000)
        entry = self.check(least=10)
        self.assertLess(entry["half_open"], 2500)
        self.assertGreater(entry["pending"], 0)
        self.check_open()

    def test_flood_v6(self):
        self.scene(v6=True)
        self.flood(5000, 0.5)
        entry = self.check(least=4950)
        self.assertTrue(2500 < self.check_requests() <= entry["half_open"])
        self.check_sockets()
        other = self.net.listener(PORT, "0.0.0.0")
        self.assertEqual((other["half_open"], other["completed"]), (0, 100))
        self.check_open()

    def test_flood_with_clients(self):
        """Connections that open in the middle of the flood are taken back, each once."""
        lab = self.scene()
        thread = threading.Thread(target=self.flood)
        thread.start()
        opened = [lab.pair(self.listeners[0]) for _ in range(100)]
        flooding = thread.is_alive()
        thread.join()
        self.assertTrue(flooding, "clients came after the flood")
        entry = self.check(completed=len(opened), least=COUNT * 0.99)
        self.check_sockets()
        self.assertEqual(entry["completed"], 200)

    def test_flood_aborted(self):
        """The RST that the owner of a spoofed address sends ends one half-open handshake, once."""
        self.scene()
        self.flood(2000, 0.3)
        self.check(least=2000)
        for _ in range(2):
            self.flood(500, 0.1, flags=RST, seq=ISN + 1)
        wait_until(lambda: 1000 < sum(x.state == "SYN_RCVD" for x in self.net.s.ss()) <= 1500, what="resets")
        entry = self.check(completed=500)
        self.assertEqual(entry["half_open"], 1500)
        self.assertEqual(entry["aborted"], 500)
        self.check_sockets()
        self.check_requests()

    def test_flood_of_each_kind(self):
        """Segments of no connection, from anywhere: what is open is not touched, nor is anything counted as open."""
        lab = self.scene("--max-half-open", 1000)
        for n, flags in enumerate((SYN, SYN | ACK, ACK, RST, FIN | ACK)):
            self.flood(seconds=0, flags=flags, first=n * COUNT)
        self.check(least=COUNT * 0.99)
        self.assertEqual(lab.synward("status")["flows"]["evicted"], 0)
        self.check_open()
        self.use_open()

    def window(self, *args, **kw):
        """With --syn-timeout 5 the count is back at exactly 0 between 4 and 7 seconds later, and stays there."""
        self.scene("--syn-timeout", 5, *args, retries=1, **kw)
        begin = time.monotonic()
        self.flood(seconds=0)
        end = time.monotonic()
        entry = self.entry()
        if time.monotonic() - begin < 3.5:	# a machine too slow for this is no failure
            self.assertEqual(entry["half_open"], self.answered.first())
        self.assertGreaterEqual(self.answered.first(), COUNT * 0.99)
        seen = []

        def gone():
            seen.append(self.entry())
            self.assertEqual(seen[-1]["half_open"], 0)
        eventually(gone, end + 7 - time.monotonic())
        self.assertGreater(time.monotonic() - begin, 3.9)
        for before, after in zip(seen, seen[1:]):
            self.assertLessEqual(after["half_open"], before["half_open"])
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            entry = self.entry()
            self.assertEqual([entry[k] for k in ("half_open", "tracked", "untracked")], [0, 0, 0])
        self.check_open()

    def test_window(self):
        self.window()

    def test_window_small_table(self):
        self.window("--max-half-open", 1000)

    def test_window_syncookies(self):
        self.window(cookies=2)
