# SPDX-License-Identifier: GPL-2.0
"""A bad wire between two devices: loses, repeats, delays and reorders frames, by a seed.
Usage: hop.py DEV DEV SEED LOSS AGAIN LATE (the last three in percent)

A segment whose payload begins with VANISH is the last that is heard of its connection, either way. SYN-ACKs
to the ports of NO_ANSWER never arrive."""

import errno
import heapq
import random
import select
import socket
import sys
import time

import wire

VANISH = b"VANISH"
NO_ANSWER = range(10000, 11000)
DELAY, LATER = 0.001, 0.015	# seconds: always, and at most on top of it
PACKET_IGNORE_OUTGOING = 23


def bind(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(wire.ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)	# SO_RCVBUFFORCE
    s.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)	# SOL_PACKET
    s.bind((dev, wire.ETH_P_ALL))
    return s


class Hop:
    def __init__(self, devs, seed, loss, again, late):
        self.socks, self.random = [bind(d) for d in devs], random.Random(seed)
        self.loss, self.again, self.late = loss / 100, again / 100, late / 100
        self.gone, self.queue, self.n = set(), [], 0

    def passes(self, seg):
        ends = frozenset(((seg.src, seg.sport), (seg.dst, seg.dport)))
        if ends in self.gone or seg.flags & 18 == 18 and seg.dport in NO_ANSWER:
            return False
        if seg.size and seg.packet[-seg.size:].startswith(VANISH):
            self.gone.add(ends)
            return True
        return self.random.random() >= self.loss

    def take(self, frame, out):
        seg = wire.parse(frame[14:])
        if seg and not self.passes(seg):
            return
        for _ in range(1 + (self.random.random() < self.again)):
            late = self.random.random() < self.late
            due = time.monotonic() + DELAY + (self.random.random() * LATER if late else 0)
            self.n += 1
            heapq.heappush(self.queue, (due, self.n, out, frame))

    def run(self):
        for s in self.socks:
            s.setblocking(False)
        while True:
            wait = max(self.queue[0][0] - time.monotonic(), 0) if self.queue else None
            for s in select.select(self.socks, [], [], wait)[0]:
                for _ in range(64):
                    try:
                        frame = s.recv(65536)
                    except BlockingIOError:
                        break
                    self.take(frame, self.socks[s is self.socks[0]])
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, out, frame = heapq.heappop(self.queue)
                try:
                    out.send(frame)
                except OSError as why:	# the other end's queue is full: lost, as on any bad wire
                    if why.errno not in (errno.ENOBUFS, errno.EAGAIN):
                        raise


if __name__ == "__main__":
    Hop(sys.argv[1:3], *map(int, sys.argv[3:])).run()
