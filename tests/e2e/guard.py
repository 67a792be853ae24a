# SPDX-License-Identifier: GPL-2.0
"""What the tests of the guard share: floods, servers that echo, and the guard's own view of a listener."""

import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading

from lab import ROOT, S4, S6, LabTest, wait_until

FLOOD = ROOT / "build/tests/flood"
MSS, PUSH = 2, 65536	# TCP_MAXSEG; bytes per send


def address(v6):
    return S6 if v6 else S4


class Flood:
    """Runs tests/flood/flood.c from the client towards the server until end() or its own bounds."""

    def __init__(self, lab, dst, port, dev="c0", **options):
        args = [a for k, v in options.items() for a in (f"--{k}", v)]
        self.lab = lab
        self.p = lab.c.popen(FLOOD, *args, dev, lab.c.peer_mac(dev).hex(":"), dst, port, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)

    def wait(self, timeout=60):
        out, err = self.p.communicate(timeout=timeout)
        assert self.p.returncode == 0, err
        self.lab.end(self.p)
        return json.loads(out)

    def end(self):
        self.p.send_signal(signal.SIGTERM)
        return self.wait()


class Server(threading.Thread):
    """Serves each connection of a listening socket by serve(socket), in a thread of its own."""

    def __init__(self, listener, serve):
        super().__init__(daemon=True)
        self.listener, self.serve, self.accepted = listener, serve, 0
        listener.settimeout(None)
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.one, args=(s,), daemon=True).start()

    def one(self, s):
        with s:
            try:
                self.serve(s)
            except OSError:
                pass


def echo(s):
    while data := s.recv(PUSH):
        s.sendall(data)


def transfer(c, size, seed=0):
    """Sends size bytes to an echo server and takes them back; what returned must be what was sent."""
    block = random.Random(seed).randbytes(PUSH)
    blocks, sent, got, left = size // PUSH, hashlib.sha256(), hashlib.sha256(), size // PUSH * PUSH

    def send():
        for _ in range(blocks):
            c.sendall(block)
            sent.update(block)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    while left:
        data = c.recv(min(left, 4 * PUSH))
        assert data, f"closed with {left} bytes missing"
        got.update(data)
        left -= len(data)
    sender.join(10)
    assert got.digest() == sent.digest(), "other bytes came back"


def said(c, text=b"synward?"):
    """One exchange with an echo server."""
    c.sendall(text)
    back = b""
    while len(back) < len(text):
        data = c.recv(100)
        assert data, "closed"
        back += data
    assert back == text, back


class GuardTest(LabTest):
    def echo(self, lab, port=8080, backlog=512):
        return [Server(lab.listen(v6, port, backlog), echo) for v6 in (False, True)]

    def known(self, lab, *ports, v6=(False, True), dst=None):
        """Lets the guard see the kernel answer: from then on it can."""
        for port in ports or (8080,):
            for x in v6:
                lab.c.connect(dst or address(x), port).close()

    def on(self, lab, *args, devs=("s0",), ports=(8080,), v6=(False, True)):
        """Armed for good, and the kernel seen to answer."""
        lab.attach("--guard", "on", "--live", *args, devs=devs)
        self.known(lab, *ports, v6=v6)

    def native(self, lab, devs=("c0",)):
        """A veth sends what native XDP_TX returns only if its peer has a native program too."""
        lab.attach("--guard", "off", "--xdp-mode", "native", devs=devs, ns=lab.c)

    def reasons(self, lab):
        return lab.synward("status")["reasons"]

    def cookies(self, lab, port=8080, addr="0.0.0.0"):
        return self.guard(lab, port, addr)["cookies"]

    def guard(self, lab, port=8080, addr="0.0.0.0"):
        """The listener as `listeners` shows it."""
        return lab.listener(port, addr)

    def assert_armed(self, lab, port=8080, addr="0.0.0.0", timeout=5):
        wait_until(lambda: self.guard(lab, port, addr)["guard"]["armed"], timeout, f"guard of {addr}:{port} arms")

    def assert_disarmed(self, lab, port=8080, addr="0.0.0.0", timeout=20):
        wait_until(lambda: not self.guard(lab, port, addr)["guard"]["armed"], timeout,
                   f"guard of {addr}:{port} disarms")


def options(ns, port, v6=False):
    """What the kernel agreed to, of each established socket with this local port: {"ts", "sack", "wscale"...}."""
    out = []
    text = ns.run("ss", "-tinHO6" if v6 else "-tinHO4", "state", "established", "sport", "=", f":{port}")
    for line in text.splitlines():
        words = line.split()
        found = {w: w in words for w in ("ts", "sack", "ecn")}
        scale = re.search(r" wscale:(\d+),(\d+)", line)
        found["wscale"] = scale and tuple(map(int, scale.groups()))
        found["mss"] = int(re.search(r" mss:(\d+)", line).group(1))
        out.append(found)
    return out


def quiet_kill(p):
    """SIGKILL, and no trace of it."""
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
