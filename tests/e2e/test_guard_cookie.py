# SPDX-License-Identifier: GPL-2.0
"""Connections through cookies: a client, its socket and the server's notice nothing."""

import contextlib
import select
import socket
import struct
import time

from guard import MSS, Flood, GuardTest, Server, address, echo, options, quiet_kill, said, transfer
from lab import C4, C6, S4, SYNWARD, eventually, need, wait_until
from wire import ACK, OPTIONS, PSH, SYN, Peer, Wire, spoofed

MB = 1 << 20
TCP_MD5SIG, TCP_FASTOPEN, MSG_FASTOPEN = 14, 23, 0x20000000


class Ages(GuardTest):
    def test_guard_every_age(self):
        """Opened before attach, before arming, while armed, after disarming: 10 MB each way in mid-flood and after it."""
        lab = self.lab()
        self.echo(lab, backlog=64)
        open_ = [lab.c.connect(address(v6), 8080) for v6 in (False, True)]
        lab.attach("--guard", "auto", "--live")
        lab.synward("guard", "--hold", 2)
        open_ += [lab.c.connect(address(v6), 8080) for v6 in (False, True)]
        for c in open_[1:]:
            said(c)	# the first one stays silent until the guard is armed
        floods = [Flood(lab, address(v6), 8080, rate=2000) for v6 in (False, True)]
        for addr in ("0.0.0.0", "::"):
            self.assert_armed(lab, addr=addr)
        for v6 in (False, True):
            before = self.cookies(lab, addr=("0.0.0.0", "::")[v6])
            c = lab.c.connect(address(v6), 8080)
            said(c)
            open_.append(c)
            wait_until(lambda: self.cookies(lab, addr=("0.0.0.0", "::")[v6])["ok"] > before["ok"])
        for i, c in enumerate(open_):
            transfer(c, 5 * MB, i)
        for f in floods:
            f.end()
        for addr in ("0.0.0.0", "::"):
            self.assert_disarmed(lab, addr=addr)
        sent = self.cookies(lab)["sent"]
        open_ += [lab.c.connect(address(v6), 8080) for v6 in (False, True)]
        for i, c in enumerate(open_):
            transfer(c, 10 * MB if i > 5 else 5 * MB, i + 100)
        self.assertEqual(self.cookies(lab)["sent"], sent)
        self.assertEqual([f["opened"] for f in lab.flows("--state", "ESTABLISHED")
                          if f["client"]["addr"] in (C4, C6)].count("cookie"), 2)
        eventually(lambda: self.assert_verified(lab))

    def mid_flood(self, lab, end):
        """Clients in the middle of a flood, before and after end()."""
        self.echo(lab)
        self.on(lab)
        flood = Flood(lab, S4, 8080, rate=20000, seconds=170)
        old = [lab.c.connect(S4, 8080) for _ in range(20)]
        for c in old:
            said(c)
        end()
        young = [lab.c.connect(S4, 8080) for _ in range(20)]
        for i, c in enumerate(old + young):
            said(c)
            transfer(c, MB, i)
        return flood

    def test_guard_killed(self):
        """SIGKILL of every synward process in mid-flood: the kernel part goes on."""
        lab = self.lab()
        watchers = []

        def end():
            watchers.extend(lab.s.popen(SYNWARD, *args, "--netns", lab.s.path, stdout=-3)
                            for args in (("states", "--watch"), ("listeners", "--watch")))
            time.sleep(0.3)
            for p in watchers:
                quiet_kill(p)
        flood = self.mid_flood(lab, end)
        self.assertGreaterEqual(self.cookies(lab)["ok"], 40)
        before = self.cookies(lab)["sent"]
        time.sleep(0.2)
        self.assertGreater(self.cookies(lab)["sent"], before)
        flood.end()

    def test_guard_detached_in_flood(self):
        """`detach` in mid-flood: open connections go on, new ones are the kernel's."""
        lab = self.lab()
        flood = self.mid_flood(lab, lambda: lab.synward("detach", "--all"))
        self.assertFalse(lab.s.pins.exists())
        flood.end()
        said(lab.c.connect(S4, 8080))

    def test_guard_for(self):
        """`--for` ends by itself, with no process alive."""
        lab = self.lab()
        self.echo(lab)
        lab.attach("--guard", "off")
        self.known(lab)
        lab.synward("guard", "on", "--live", "--for", "3s")
        begin = time.monotonic()
        said(lab.c.connect(S4, 8080))
        self.assertEqual(self.cookies(lab)["ok"], 1)
        time.sleep(max(0, begin + 3.1 - time.monotonic()))
        said(lab.c.connect(S4, 8080))
        self.assertEqual(self.cookies(lab)["sent"], 1)
        self.assertFalse(self.guard(lab)["guard"]["armed"])


class Options(GuardTest):
    JUMBO = 8948	# greatest MSS of the table, less the timestamps

    # what a client offers: sysctls of its namespace, and the MSS of its socket
    CLIENTS = {
        "as it is": {},
        "without timestamps": {"tcp_timestamps": 0},
        "without SACK": {"tcp_sack": 0},
        "without window scaling": {"tcp_window_scaling": 0},
        "without any": {"tcp_timestamps": 0, "tcp_sack": 0, "tcp_window_scaling": 0},
        "without timestamps and scaling": {"tcp_timestamps": 0, "tcp_window_scaling": 0},
        "with ECN": {"tcp_ecn": 1},
        "with ECN, without timestamps": {"tcp_ecn": 1, "tcp_timestamps": 0},
        "with the least MSS": {"mss": (536, 1220)},
        "with the least MSS, without timestamps": {"mss": (536, 1220), "tcp_timestamps": 0},
        "with an odd MSS": {"mss": (1111, 1333)},
        "with an odd MSS, without timestamps": {"mss": (1399, 1333), "tcp_timestamps": 0},
        "with a large receive buffer": {"tcp_rmem": "4096 6000000 60000000"},
    }

    @contextlib.contextmanager
    def client(self, lab, **how):
        mss = how.pop("mss", None)
        old = {k: lab.c.sysctl(f"net.ipv4.{k}") for k in how}
        for k, v in how.items():
            lab.c.sysctl(f"net.ipv4.{k}", v)

        def connect(v6, port=8080):
            s = lab.c.socket(socket.AF_INET6 if v6 else socket.AF_INET)
            if mss:
                s.setsockopt(socket.IPPROTO_TCP, MSS, mss[v6])
            s.settimeout(5)
            s.connect((address(v6), port))
            return s
        yield connect
        for k, v in old.items():
            lab.c.sysctl(f"net.ipv4.{k}", v)

    def agreed(self, lab, v6, count=1, **how):
        """What both kernels say of connections that such a client opens and uses."""
        with self.client(lab, **how) as connect:
            socks = [connect(v6) for _ in range(count)]
            for c in socks:
                said(c)
            out = options(lab.s, 8080, v6)
            self.assertEqual(len(out), count)
            ports = {c.getsockname()[1] for c in socks}
            for c in socks:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.close()	# reset: nothing stays in TIME_WAIT
            self.assertEqual(len(ports), count)
            wait_until(lambda: not options(lab.s, 8080, v6), what="resets")
        return out

    def compare(self, lab, clients, *args):
        """Each client twice: without the guard, and through cookies."""
        if not getattr(lab, "echoes", None):
            lab.echoes = self.echo(lab)
        want = {(name, v6): self.agreed(lab, v6, **clients[name])[0] for name in clients for v6 in (False, True)}
        self.on(lab, *args)
        wait_until(lambda: not options(lab.s, 8080) + options(lab.s, 8080, True), what="the first ones' end")
        for (name, v6), plain in want.items():
            with self.subTest(name, v6=v6):
                addr = ("0.0.0.0", "::")[v6]
                before = self.counts(lab, addr)
                got, = self.agreed(lab, v6, **clients[name])
                after = eventually(lambda: self.check_ok(lab, addr, before, 1))
                self.assertEqual(after["bad"], before["bad"])
                self.assertLessEqual(got.pop("mss"), mss := plain.pop("mss"))
                self.assertGreater(got.get("mss", mss), 0)
                self.assertEqual(got, plain)

    def counts(self, lab, addr):
        return {**self.cookies(lab, addr=addr), "again": lab.c.nstat()["TcpExtTCPSynRetrans"]}

    def check_ok(self, lab, addr, before, count):
        """So many came through cookies, one for each SYN; clients send SYNs again on a host too busy to pass packets on."""
        after = self.counts(lab, addr)
        new = {k: after[k] - before[k] for k in ("sent", "ok", "again")}
        self.assertEqual(new["ok"], count)
        self.assertTrue(count <= new["sent"] <= count + new["again"], new)
        return after

    def test_guard_options(self):
        self.compare(self.lab(), self.CLIENTS)

    def test_guard_options_native(self):
        lab = self.lab()
        self.native(lab)
        names = ("as it is", "without timestamps", "with ECN", "with the least MSS", "without any")
        self.compare(lab, {k: self.CLIENTS[k] for k in names}, "--xdp-mode", "native")

    def test_guard_jumbo(self):
        lab = self.lab()
        for ns, dev in ((lab.c, "c0"), (lab.s, "s0")):
            ns.ip(f"link set {dev} mtu 9000")
        self.compare(lab, {k: self.CLIENTS[k] for k in ("as it is", "without timestamps")})
        c = lab.c.connect(S4, 8080)
        self.assertEqual(options(lab.s, 8080)[0]["mss"], self.JUMBO)
        transfer(c, 10 * MB)

    def test_guard_thousand(self):
        """1,000 through cookies: all succeed, on a server that speaks first; the same options as one without guard."""
        lab = self.lab()
        lab.c.sysctl("net.ipv4.ip_local_port_range", "10000 60000")

        def banner(s):
            s.sendall(b"220 synward\r\n")
            echo(s)
        servers = [Server(lab.listen(v6), banner) for v6 in (False, True)]
        plain = []
        for v6 in (False, True):
            c = lab.c.connect(address(v6), 8080)
            self.assertEqual(c.recv(20), b"220 synward\r\n")
            plain += options(lab.s, 8080, v6)
            c.close()
        self.on(lab)
        wait_until(lambda: not options(lab.s, 8080) + options(lab.s, 8080, True))
        for v6 in (False, True):
            addr = ("0.0.0.0", "::")[v6]
            before, begun = self.counts(lab, addr), servers[v6].accepted
            socks = [lab.c.connect(address(v6), 8080) for _ in range(500)]
            for c in socks:
                self.assertEqual(c.recv(20), b"220 synward\r\n")
                said(c)
            got = options(lab.s, 8080, v6)
            self.assertEqual(got, [plain[v6]] * 500)
            self.assertEqual(servers[v6].accepted - begun, 500)
            self.assertEqual(self.check_ok(lab, addr, before, 500)["bad"], 0)
        eventually(lambda: self.assert_verified(lab))

    def server_without(self, option):
        """Off on the server from the beginning: cookies agree to no more."""
        lab = self.lab()
        lab.s.sysctl(f"net.ipv4.{option}", 0)
        names = ("as it is", "without timestamps", "with ECN")
        self.compare(lab, {k: self.CLIENTS[k] for k in names})

    def test_guard_server_without_sack(self):
        self.server_without("tcp_sack")

    def test_guard_server_without_scaling(self):
        self.server_without("tcp_window_scaling")

    def test_guard_server_without_timestamps(self):
        self.server_without("tcp_timestamps")

    def test_guard_switched_off_while_armed(self):
        """The kernel refuses what the cookies still offer: the guard lets go of the listener rather than hurt it."""
        for option in ("tcp_sack", "tcp_window_scaling", "tcp_timestamps"):
            with self.subTest(option):
                lab = self.lab()
                self.echo(lab)
                self.on(lab)
                said(lab.c.connect(S4, 8080))
                self.assert_armed(lab)
                lab.s.sysctl(f"net.ipv4.{option}", 0)
                with contextlib.suppress(TimeoutError):	# this one may be lost
                    c = lab.c.connect(S4, 8080)
                    c.settimeout(1)
                    said(c)
                for _ in range(20):
                    said(lab.c.connect(S4, 8080))
                self.assert_disarmed(lab)
                self.assertTrue(self.guard(lab)["guard"]["why"])
                lab.close()


class Kernel(GuardTest):
    """What belongs to the kernel, or behaves as it would."""
    FAST_OPEN = 1	# it takes data of SYNs

    @need("nginx")
    def reconnect(self, lab, *args):
        """10,000 requests over 500 ports; the server closes first and holds each port in TIME_WAIT."""
        lab.nginx()
        lab.attach("--guard", "on", "--live", *args)
        self.known(lab, 80)
        self.assert_armed(lab, 80)
        lost, before = [], self.guard(lab, 80)
        with lab.c.inside():
            for i in range(10000):
                why = self.request(20000 + i % 500)
                if why:
                    lost.append((i, why))
                if len(lost) > 20:
                    break
        self.assertEqual(lost, [])
        entry = self.guard(lab, 80)
        self.assertEqual(entry["cookies"]["bad"], 0)
        self.assertTrue(entry["guard"]["armed"])
        # each port opened by a cookie first, and then from the server's TIME_WAIT
        self.assertEqual(entry["cookies"]["sent"], 500)
        self.assertEqual(entry["passed"] - before["passed"], 9500)
        self.assertGreaterEqual(sum(x.state == "TIME_WAIT" for x in lab.s.ss()), 500)

    def request(self, port):
        """One request from this port; what was wrong with it."""
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.settimeout(5)
            s.bind((C4, port))
            try:
                s.connect((S4, 80))
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = b""
                while data := s.recv(4096):
                    answer += data
            except OSError as why:
                return why
        return None if answer.endswith(b"synward\n") else answer

    def test_guard_time_wait(self):
        self.reconnect(self.lab())

    def test_guard_accept_queue_full(self):
        """Clients wait, as without guard, until the application accepts."""
        lab = self.lab()
        listener = lab.listen(backlog=4)
        lab.attach("--guard", "on", "--live")
        lab.c.connect(S4, 8080)
        socks = [lab.c.socket(socket.AF_INET) for _ in range(12)]
        for c in socks:
            c.setblocking(False)
            c.connect_ex((S4, 8080))
        time.sleep(0.5)
        Server(listener, echo)
        for i, c in enumerate(socks):
            c.settimeout(10)
            select.select([], [c], [], 10)	# its handshake may be still under way
            said(c, b"%03d" % i)
        said(lab.c.connect(S4, 8080))

    def test_guard_syn_with_data(self):
        """Neither data nor a Fast Open request on a SYN is acknowledged; nothing is lost."""
        lab = self.lab()
        lab.s.sysctl("net.ipv4.tcp_fastopen", 3)
        lab.c.sysctl("net.ipv4.tcp_fastopen", 1)
        listener = lab.listen()
        listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        Server(listener, echo)

        def fast(text):
            s = lab.c.socket(socket.AF_INET)
            s.setblocking(True)	# else it does not wait for the handshake
            self.assertEqual(s.sendto(text, MSG_FASTOPEN, (S4, 8080)), len(text))
            self.assertEqual(s.recv(100), text)
        fast(b"first: the client asks for a cookie of Fast Open")
        fast(b"second: it has it, and the kernel takes the data")
        taken = lab.s.nstat()["TcpExtTCPFastOpenPassive"]
        self.assertEqual(taken, self.FAST_OPEN)
        self.on(lab, v6=(False,))
        for i in range(5):
            fast(b"%d: in the SYN" % i)
        self.assertEqual(lab.s.nstat()["TcpExtTCPFastOpenPassive"], taken)
        self.assertEqual(self.cookies(lab)["ok"], 5)

        wire = Wire(lab.c, "c0")
        for v6 in (False,):
            peer = Peer(wire, spoofed(1), 4000, S4, 8080)
            peer.send(SYN, options=OPTIONS + b"\x22\x02\x01\x01", payload=b"x" * 100)
            answer = peer.recv(SYN | ACK)
            self.assertEqual(answer.ack, (peer.nxt - 100) & 0xffffffff)
            self.assertNotIn(b"\x22", answer.packet[40:])

    def test_guard_answer(self):
        """Once for each SYN, never longer than it, the same cookie again; either ACK of a repeated SYN opens."""
        lab = self.lab()
        self.echo(lab)
        self.on(lab)
        wire = Wire(lab.c, "c0")
        offers = (OPTIONS, b"", b"\x02\x04\x05\xb4", b"\x01\x03\x03\x07", b"\x04\x02\x01\x01",
                  b"\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x30\x39\x00\x00\x00\x00\x01\x03\x03\x07",
                  b"\x08\x0a\x00\x00\x30\x39\x00\x00\x00\x00\x04\x02")
        for v6 in (False, True):
            for i, offer in enumerate(offers):
                with self.subTest(v6=v6, offer=offer.hex()):
                    peer = Peer(wire, spoofed(i, v6), 4000, address(v6), 8080)
                    peer.send(SYN, options=offer)
                    answer = peer.recv(SYN | ACK)
                    head = 60 if v6 else 40
                    self.assertLessEqual(len(answer.packet), head + len(offer))
                    self.assertEqual(answer.ack, peer.nxt)
                    peer.send(SYN, seq=peer.nxt - 1, options=offer)
                    again = peer.recv(SYN | ACK)
                    if again.seq != answer.seq:	# another epoch began: not twice in a row
                        peer.send(SYN, seq=peer.nxt - 1, options=offer)
                        answer, again = again, peer.recv(SYN | ACK)
                    self.assertEqual(again.seq, answer.seq)
                    with self.assertRaises(AssertionError):
                        peer.recv(SYN | ACK, 0.05)
                    if offer[:2] != b"\x08\x0a" and b"\x08\x0a" not in offer:
                        peer.send(ACK)
                        peer.send(PSH | ACK, payload=b"x" * 10)
                        self.assertEqual(peer.recv(PSH | ACK).size, 10)
        # nobody answers, nothing is repeated: 1.2 s are more than the kernel's first retransmission
        peer = Peer(wire, spoofed(50), 4000, S4, 8080)
        peer.send(SYN, options=OPTIONS)
        peer.recv(SYN | ACK)
        with self.assertRaises(AssertionError):
            peer.recv(SYN | ACK, 1.2)

    def test_guard_md5(self):
        """A SYN with an MD5 option is left to the kernel, which knows the key."""
        lab = self.lab()
        listener = lab.listen()
        self.on_echo = Server(listener, echo)
        lab.attach("--guard", "on", "--live")
        self.known(lab, v6=(False,))

        def key(sock, peer):
            to = struct.pack("!HH4s", 0, 0, socket.inet_aton(peer)).ljust(128, b"\0")
            to = struct.pack("H", socket.AF_INET) + to[2:]
            try:
                sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, to + struct.pack("BBHi80s", 0, 0, 6, 0, b"secret"))
            except OSError as why:
                self.skipTest(f"no TCP-MD5 in this kernel: {why}")
        key(listener, C4)
        c = lab.c.socket(socket.AF_INET)
        key(c, S4)
        c.settimeout(5)
        before = self.cookies(lab)["sent"]
        c.connect((S4, 8080))
        said(c)
        self.assertEqual(self.cookies(lab)["sent"], before)
        self.assertGreater(self.guard(lab)["passed"], 0)
        # and one whose option is wrong gets no answer at all, as without guard
        wire = Wire(lab.c, "c0")
        peer = Peer(wire, spoofed(1), 4000, S4, 8080)
        peer.send(SYN, options=b"\x13\x12" + bytes(16) + b"\x01\x01")
        with self.assertRaises(AssertionError):
            peer.recv(SYN | ACK, 0.3)


class Devices(GuardTest):
    def test_guard_two_devices(self):
        """Over either device, one listener; answers go out where the SYN came in, whatever the routes say."""
        for asymmetric in (False, True):
            with self.subTest(asymmetric=asymmetric):
                lab = self.lab(pairs=2, asymmetric=asymmetric)
                self.echo(lab)
                self.on(lab, devs=("s0", "s1"))
                for addr in ("10.0.1.2", "fd01::2"):
                    lab.c.connect(addr, 8080).close()	# the kernel answers on this address as well
                for i, addr in enumerate((S4, "10.0.1.2", address(True), "fd01::2")):
                    c = lab.c.connect(addr, 8080)
                    said(c)
                    transfer(c, 3 * MB, i)
                eventually(lambda: self.assertEqual(self.cookies(lab)["ok"], 2))
                self.assertEqual(self.cookies(lab, addr="::")["ok"], 2)
                lab.close()
