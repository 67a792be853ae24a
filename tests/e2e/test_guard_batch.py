# SPDX-License-Identifier: GPL-2.0
"""Admissions that TCP has not looked at yet, or cannot take now: nothing that the guard did wrong."""

import socket
import time

from guard import GuardTest, echo
from lab import S4
from wire import ACK, OPTIONS, PSH, SYN, Peer, Wire, spoofed

PORT = 8080


class Admission(GuardTest):
    def batched(self, lab, count):
        """Sends ACK and data so that the stack gets them in one list (netif_receive_skb_list); all is answered at once."""
        lab.s.run("unshare", "-m", "sh", "-c",	# the poll in a thread of its own, which is late
                  "mount -t sysfs none /mnt && echo 1 > /mnt/class/net/s0/threaded")
        wire = Wire(lab.c, "c0")
        for i in range(count):
            p = Peer(wire, spoofed(i), 4000, S4, PORT)
            p.send(SYN, options=OPTIONS)
            p.recv(SYN | ACK)
            p.send(ACK)
            for part in b"abc":
                p.send(PSH | ACK, payload=bytes([part]))
            got = 0
            while got < 3:
                got += p.recv(PSH | ACK).size
                p.send(ACK)	# else Nagle keeps the rest back

    def test_guard_batch(self):
        """Data right behind the ACK, before the stack has looked at that one: taken, and nothing is wrong."""
        for native in (False, True):
            with self.subTest(native=native):
                lab = self.lab()
                self.echo(lab)
                if native:
                    self.native(lab)
                else:
                    lab.s.run("ethtool", "-K", "s0", "gro", "on")
                self.on(lab, *(("--xdp-mode", "native") if native else ()))
                self.batched(lab, 40)
                self.assertEqual(self.cookies(lab), {"sent": 40, "ok": 40, "bad": 0})
                lab.close()

    def test_guard_slow_application(self):
        """A full accept queue is no failed admission: the listener stays guarded, and nobody is reset."""
        lab = self.lab()
        listener = lab.listen(backlog=4)
        lab.attach("--guard", "on", "--live")
        self.known(lab, v6=(False,))
        socks = [lab.c.socket(socket.AF_INET) for _ in range(40)]
        for c in socks:
            c.setblocking(False)
            c.connect_ex((S4, PORT))
        time.sleep(0.3)
        for c in socks:
            try:
                c.send(b"hello")
            except OSError:
                pass
        time.sleep(1)
        entry = self.guard(lab)
        self.assertTrue(entry["guard"]["armed"], entry)
        self.assertEqual(entry["cookies"]["bad"], 0)
