# SPDX-License-Identifier: GPL-2.0
"""Hand-made TCP segments: build, parse, send and sniff them on one device of a namespace."""

import errno
import ipaddress
import socket
import struct
import time
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ISN = 0x12345678			# of every spoofed SYN
SPOOF4, SPOOF6 = "198.18.0.0", "fd99::"	# /15 and /64, routed to the client and dropped there
OPTIONS = bytes.fromhex("020405b4" "0101" "0402" "01030307")	# MSS 1460, SACK, window scale 7
ETH_P_ALL, PACKET_OUTGOING = 3, 4


class Segment(NamedTuple):
    src: str
    sport: int
    dst: str
    dport: int
    flags: int
    seq: int
    ack: int
    size: int		# of the payload
    packet: bytes	# from the IP header on
    outgoing: bool


def spoofed(i, v6=False):
    """Address number i of the spoofed prefix."""
    return str(ipaddress.ip_address(SPOOF6 if v6 else SPOOF4) + 1 + i)


def fold(total):
    total = (total >> 16) + (total & 0xffff)
    return (total >> 16) + (total & 0xffff)


def add16(data):
    """The not yet folded one's complement sum of data."""
    data += b"\0" * (len(data) & 1)
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def segment(src, sport, dst, dport, flags, seq=0, ack=0, window=65535, options=b"", payload=b""):
    """An IPv4 or IPv6 packet with one TCP segment and right checksums."""
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options) + len(payload)
    tcp = bytearray(struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                                (20 + len(options)) << 2, flags, window, 0, 0) + options + payload)
    total = add16(a.packed + b.packed) + socket.IPPROTO_TCP + size + add16(bytes(tcp))
    struct.pack_into("!H", tcp, 16, ~fold(total) & 0xffff)
    if a.version == 6:
        return struct.pack("!IHBB", 6 << 28, size, socket.IPPROTO_TCP, 64) + a.packed + b.packed + tcp
    ip = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, 0x4000, 64, socket.IPPROTO_TCP, 0)
                   + a.packed + b.packed)
    struct.pack_into("!H", ip, 10, ~fold(add16(bytes(ip))) & 0xffff)
    return bytes(ip + tcp)


def fragments(packet, size):
    """An IPv4 packet without options as two fragments, the first with size bytes behind the IP header."""
    out = []
    for data, field in ((packet[20:20 + size], 0x2000), (packet[20 + size:], size // 8)):
        ip = bytearray(packet[:20])
        struct.pack_into("!HHH", ip, 2, 20 + len(data), packet[20] << 8 | packet[21], field)
        struct.pack_into("!H", ip, 10, 0)
        struct.pack_into("!H", ip, 10, ~fold(add16(bytes(ip))) & 0xffff)
        out.append(bytes(ip + data))
    return out


def behind(packet, count):
    """An IPv6 packet with so many Destination Options headers before its TCP header."""
    headers = b"".join(bytes([6 if i == count - 1 else 60, 0, 1, 4, 0, 0, 0, 0]) for i in range(count))
    return packet[:4] + struct.pack("!HB", len(packet) - 40 + len(headers), 60) + packet[7:40] + headers + packet[40:]


def parse(packet, outgoing=False):
    """The Segment in an IP packet, None when there is none."""
    if len(packet) >= 40 and packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP:
        at, end = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
        src, dst = packet[12:16], packet[16:20]
    elif len(packet) >= 60 and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP:
        at, end = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
        src, dst = packet[8:24], packet[24:40]
    else:
        return None
    sport, dport, seq, ack, doff, flags = struct.unpack_from("!HHIIBB", packet, at)
    return Segment(str(ipaddress.ip_address(src)), sport, str(ipaddress.ip_address(dst)), dport, flags,
                   seq, ack, end - at - (doff >> 4) * 4, packet[:end], outgoing)


class Wire:
    """One device seen from its namespace: what is sent here leaves towards the veth peer."""

    def __init__(self, ns, dev, sniff=True):
        kind = ETH_P_ALL if sniff else 0
        self.sock = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
        if sniff:
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)	# SO_RCVBUFFORCE
        with ns.inside():
            self.sock.bind((dev, kind))
        peer, here = ns.peer_mac(dev), ns.mac(dev)
        self.eth = {4: peer + here + b"\x08\x00", 6: peer + here + b"\x86\xdd"}

    def send(self, packet):
        end = time.monotonic() + 5
        while True:
            try:
                return self.sock.send(self.eth[packet[0] >> 4] + packet)
            except OSError as why:	# the other end's queue is full, perhaps by what other namespaces send
                if why.errno != errno.ENOBUFS or time.monotonic() > end:
                    raise
            time.sleep(0.001)

    def recv(self, match, timeout=3.0):
        """The next segment for which match() holds."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                frame, addr = self.sock.recvfrom(65535)
            except TimeoutError:
                break
            found = parse(frame[14:], addr[2] == PACKET_OUTGOING)
            if found and match(found):
                return found
        raise AssertionError(f"no such segment within {timeout} s")


class Peer:
    """A client without a kernel socket: it says what it is told to and nothing else."""

    def __init__(self, wire, src, sport, dst, dport):
        self.wire, self.ends = wire, (src, sport, dst, dport)
        self.nxt, self.rcv = ISN, 0

    def send(self, flags, seq=None, ack=None, payload=b"", options=b""):
        here = self.nxt if seq is None else seq
        if flags & ACK and ack is None:
            ack = self.rcv
        self.wire.send(segment(*self.ends, flags, here, ack or 0, options=options, payload=payload))
        if seq is None:
            self.nxt += len(payload) + bool(flags & SYN) + bool(flags & FIN)

    def recv(self, flags, timeout=3.0):
        """The next segment for us that has all these flags."""
        src, sport, dst, dport = self.ends
        got = self.wire.recv(lambda s: (s.src, s.sport, s.dst, s.dport) == (dst, dport, src, sport)
                             and s.flags & flags == flags, timeout)
        self.rcv = got.seq + got.size + bool(got.flags & (SYN | FIN))
        return got

    def handshake(self, pause=0.0):
        self.send(SYN, options=OPTIONS)
        self.recv(SYN | ACK)
        time.sleep(pause)
        self.send(ACK)


def spoofed_port(i):
    return 1024 + i * 7 % 60000


def flood(ns, dev, dst, dport, count, seconds=2.0, flags=SYN, seq=ISN, first=0):
    """Sends count segments, each from an address of its own, spread evenly over the seconds (0: at once)."""
    wire = Wire(ns, dev, sniff=False)
    v6 = ":" in dst
    base = int(ipaddress.ip_address(spoofed(first, v6)))
    pkt = segment(str(ipaddress.ip_address(SPOOF6 if v6 else SPOOF4)), 0, dst, dport, flags, seq,
                  options=OPTIONS if flags & SYN else b"")
    frame = bytearray(wire.eth[6 if v6 else 4] + pkt)
    src, tcp = (14 + 20, 14 + 40) if v6 else (14 + 12, 14 + 20)	# low word of the source, TCP header
    prefix = 0 if v6 else int(ipaddress.ip_address(SPOOF4))
    ipsum = ~struct.unpack_from("!H", frame, 14 + 10)[0] & 0xffff
    tcpsum = ~struct.unpack_from("!H", frame, tcp + 16)[0] & 0xffff
    if v6:
        base &= 0xffffffff
    else:
        ipsum -= add16(struct.pack("!I", prefix))
        tcpsum -= add16(struct.pack("!I", prefix))
    put, begin = struct.pack_into, time.monotonic()
    for i in range(count):
        addr, port = base + i, spoofed_port(first + i)
        words = (addr >> 16) + (addr & 0xffff)
        put("!I", frame, src, addr)
        put("!H", frame, tcp, port)
        put("!H", frame, tcp + 16, ~fold((tcpsum + words + port) % 0xffff) & 0xffff)
        if not v6:
            put("!H", frame, 14 + 10, ~fold((ipsum + words) % 0xffff) & 0xffff)
        while True:
            try:
                wire.sock.send(frame)
                break
            except OSError as why:	# the server's input queue is full
                if why.errno != errno.ENOBUFS or time.monotonic() > begin + seconds + 20:
                    raise
                time.sleep(0.001)
        if seconds and i % 50 == 49:
            ahead = begin + seconds * i / count - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    wire.sock.close()
    return time.monotonic() - begin
