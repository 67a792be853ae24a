# SPDX-License-Identifier: GPL-2.0
"""Thousands of connection lives over a bad wire, seen from both ends: mirror and kernels agree in the end.

SYNWARD_SOAK_SEED=N runs that seed alone. The lives follow the seed; how they interleave does not."""

import collections
import concurrent.futures
import contextlib
import os
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path

from hop import DELAY, LATER, NO_ANSWER, VANISH
from lab import LabTest, Net, eventually, histogram, need

SEEDS = [int(s) for s in os.environ.get("SYNWARD_SOAK_SEED", "1 2 3").split()]
LIVES, WORKERS = 1200, 64
PORT, CLOSED_PORT = 8080, 9
HERE, THERE = ("10.9.0.1", "fd09::1"), ("10.9.0.2", "fd09::2")
LATE = 6	# seconds to wait for what a bad wire may lose a few times


class Scene:
    """Client and server with a bad wire between them, mirrors at both of its ends."""

    def __init__(self, test, seed):
        self.lab = lab = test.lab()
        self.hop = Net(lab, f"sw-hop-{os.getpid()}-d")
        test.addCleanup(self.hop.remove)
        self.hop.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.hop.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        for ns, dev, host in ((lab.c, "cw", 1), (lab.s, "sw", 2)):
            self.hop.ip(f"link add h{dev} type veth peer name {dev} netns {ns.name}", f"link set h{dev} up")
            ns.ip(f"addr add 10.9.0.{host}/24 dev {dev}", f"addr add fd09::{host}/64 dev {dev} nodad",
                  f"link set {dev} up")
            for where, name in ((ns, dev), (self.hop, f"h{dev}")):
                where.run("ethtool", "-K", name, "tx", "off", "gro", "off")
            ns.sysctl("net.core.somaxconn", 4096)
            ns.sysctl("net.ipv4.tcp_max_syn_backlog", 4096)
            ns.sysctl("net.ipv4.tcp_syncookies", 0)
            ns.sysctl("net.ipv4.tcp_tw_reuse", 1)
            ns.sysctl("net.ipv4.ip_local_port_range", "20000 60999")
        for ns, other, dev in ((lab.c, lab.s.mac("sw"), "cw"), (lab.s, lab.c.mac("cw"), "sw")):
            host = 2 if ns is lab.c else 1
            ns.ip(*(f"neigh replace {net}{host} lladdr {other.hex(':')} dev {dev} nud permanent"
                    for net in ("10.9.0.", "fd09::")))
        self.hop.popen(sys.executable, Path(__file__).with_name("hop.py"), "hcw", "hsw", seed, 5, 3, 20)
        self.listeners = [lab.listen(v6, PORT, 4096) for v6 in (False, True)]
        self.accepted, self.news = {}, threading.Condition()
        for listener in self.listeners:
            listener.settimeout(None)
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()
        lab.attach("--hook", ("xdp", "tc")[seed % 2], devs=("sw",))
        lab.attach(devs=("cw",), ns=lab.c)

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                s, peer = listener.accept()
                self.lab.sockets.append(s)
                s.settimeout(LATE)
                with self.news:
                    self.accepted[peer[:2]] = s
                    self.news.notify_all()

    def served(self, c):
        """The server's socket of a client's connection."""
        key = c.getsockname()[:2]
        with self.news:
            assert self.news.wait_for(lambda: key in self.accepted, LATE), f"{key} not accepted"
            return self.accepted.pop(key)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end(s)


def end(s):
    """close() that may reset. The kernel can lose an RST that comes while another CPU closes the socket (it finds
    the one that FIN_WAIT_2 has just left): it arrives before anybody goes on."""
    s.close()
    time.sleep(DELAY + LATER + 0.01)


class Life:
    """One connection, or an attempt, as its number and the seed want it."""

    kinds = ("orderly",) * 10 + ("reset",) * 3 + ("unread", "vanish", "refused", "unanswered", "impatient",
                                                    "reuse", "reuse", "both_open", "left", "left")

    def __init__(self, scene, seed, number):
        self.scene, self.number = scene, number
        self.random = random.Random(f"{seed} {number}")
        self.v6 = self.random.random() < 0.4
        self.kind = self.random.choice(self.kinds)

    def live(self):
        try:
            getattr(self, self.kind)()
        except (TimeoutError, AssertionError, ConnectionError) as why:
            return f"{self.kind}: {why!r}"
        return self.kind

    def pause(self):
        time.sleep(self.random.choice((0, 0, 0.001, 0.01, 0.05)))

    def new(self, ns, port=0):
        s = ns.socket(socket.AF_INET6 if self.v6 else socket.AF_INET)
        s.settimeout(LATE)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(((HERE if ns is self.scene.lab.c else THERE)[self.v6], port))
        return s

    def open(self, port=0):
        c = self.new(self.scene.lab.c, port)
        c.connect((THERE[self.v6], PORT))
        return c, self.scene.served(c)

    def say(self, a, b, most=3):
        """Some data from a to b, all of it read."""
        for _ in range(self.random.randrange(most + 1)):
            size = self.random.choice((1, 100, 1448, 9000, 30000))
            a.sendall(b"x" * size)
            while size:
                got = len(b.recv(size))
                assert got, "end of data"
                size -= got

    def talk(self, ends):
        for _ in range(self.random.randrange(3)):
            a, b = self.random.sample(ends, 2)
            self.say(a, b)

    def close(self, first, second):
        """In one of the orders that there are."""
        how = self.random.choice(("close", "half", "half", "together"))
        if how == "together":
            first.shutdown(socket.SHUT_WR)
            second.shutdown(socket.SHUT_WR)
            self.pause()
        elif how == "half":
            first.shutdown(socket.SHUT_WR)
            assert second.recv(1) == b""
            self.say(second, first)
            self.pause()
        else:
            first.close()
            assert second.recv(1) == b""
        second.close()
        first.close()

    def pick(self, ends):
        return self.random.sample(ends, 2)

    def orderly(self):
        ends = self.open()
        self.talk(ends)
        self.close(*self.pick(ends))

    def reset(self):
        ends = self.open()
        self.talk(ends)
        a, b = self.pick(ends)
        if self.random.random() < 0.3:
            self.random.choice((a, b)).shutdown(socket.SHUT_WR)
            self.pause()
        reset(a)
        b.close()

    def unread(self):
        """close() with unread data is a reset."""
        a, b = self.pick(self.open())
        a.sendall(b"x" * 1000)
        time.sleep(0.05)
        end(b)
        a.close()

    def vanish(self):
        """The wire swallows all that follows; the server may wait, send or close."""
        c, s = self.open()
        self.talk((c, s))
        c.sendall(VANISH)
        s.recv(100)
        what = self.random.choice(("wait", "send", "close", "shutdown"))
        if what == "send":
            s.sendall(b"x" * 1000)
        elif what == "close":
            s.close()
        elif what == "shutdown":
            s.shutdown(socket.SHUT_WR)
        self.pause()
        self.random.choice((reset, socket.socket.close))(c)

    def refused(self):
        with contextlib.suppress(ConnectionRefusedError):
            self.new(self.scene.lab.c).connect((THERE[self.v6], CLOSED_PORT))
            raise AssertionError("connected to a closed port")

    def unanswered(self):
        """The SYN-ACK is lost for good; the client waits, or goes."""
        c = self.new(self.scene.lab.c, NO_ANSWER[self.number % len(NO_ANSWER)])
        c.setblocking(False)
        c.connect_ex((THERE[self.v6], PORT))
        time.sleep(0.02)
        if self.random.random() < 0.5:
            c.close()

    def impatient(self):
        """close() while connecting: the SYN-ACK meets no socket."""
        c = self.new(self.scene.lab.c)
        c.setblocking(False)
        c.connect_ex((THERE[self.v6], PORT))
        time.sleep(self.random.random() * 0.004)
        c.close()

    def reuse(self):
        """The same ports again, while one of the ends may be in TIME_WAIT; then once more."""
        port = 12000 + self.number
        for _ in range(3):
            try:
                ends = self.open(port)
            except OSError as why:
                if why.errno not in (98, 99):	# the own end is in TIME_WAIT, for less than a second
                    raise
                self.pause()
                continue
            self.talk(ends)
            c, s = ends
            how = self.random.choice(("server", "server", "client", "reset"))
            if how == "reset":
                reset(self.random.choice(ends))
            elif how == "server":
                s.close()
                assert c.recv(1) == b""
            else:
                c.close()
                assert s.recv(1) == b""
            c.close()
            s.close()
            self.pause()

    def both_open(self):
        """Both call each other; on this wire the SYNs cross."""
        ends = [self.new(ns, 14000 + self.number) for ns in (self.scene.lab.c, self.scene.lab.s)]
        for s, to in zip(ends, (THERE, HERE)):
            s.setblocking(False)
            s.connect_ex((to[self.v6], 14000 + self.number))
        for s in ends:
            s.settimeout(LATE)
        self.say(*ends)
        self.say(*reversed(ends))
        if self.random.random() < 0.5:
            self.close(*self.pick(ends))

    def left(self):
        """Open, or closed by one side, until the end."""
        a, b = self.pick(self.open())
        self.talk((a, b))
        if self.random.random() < 0.6:
            a.shutdown(socket.SHUT_WR)


@need("ss", "ethtool")
class Soak(LabTest):
    def soak(self, seed):
        print(f"seed {seed}", flush=True)
        scene = Scene(self, seed)
        lab = scene.lab
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            ends = collections.Counter(pool.map(lambda n: Life(scene, seed, n).live(), range(LIVES)))
        print(dict(ends), flush=True)
        # what takes longer than LATE is left as it is
        self.assertLess(sum(n for how, n in ends.items() if how not in Life.kinds), LIVES * 0.06)
        eventually(lambda: self.check(lab), 10)

    def check(self, lab):
        for ns, states in ((lab.s, {"SYN_RCVD"}), (lab.c, {"SYN_SENT"})):
            sockets = histogram(x.state for x in ns.ss())
            states |= {"ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "TIME_WAIT"}
            self.assertLessEqual(states, set(sockets))
            self.assert_verified(lab, ns)
        opened = lab.s.nstat()["TcpPassiveOpens"]
        self.assertGreater(opened, LIVES * 0.8)
        self.assertEqual(sum(x["completed"] for x in lab.synward("listeners")), opened)
        self.assertIn("simultaneous", {f["opened"] for f in lab.flows()})
        self.recount(lab)

    def recount(self, lab):
        """`tracked` of every listener is what the table holds."""
        half = collections.Counter("::" if ":" in f["server"]["addr"] else "0.0.0.0"
                                   for f in lab.flows("--state", "SYN_RCVD")
                                   if f["server"]["state"] == "SYN_RCVD" and f["server"]["port"] == PORT)
        shown = {x["addr"]: x["tracked"] for x in lab.synward("listeners") if x["port"] == PORT}
        self.assertEqual(shown, {addr: half[addr] for addr in ("0.0.0.0", "::")})
        self.assertGreater(half.total(), 10)


for seed in SEEDS:
    setattr(Soak, f"test_seed_{seed}", lambda self, seed=seed: self.soak(seed))
