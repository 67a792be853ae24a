# SPDX-License-Identifier: GPL-2.0
"""Capture files, written and read byte by byte: what libpcap cannot write, or should refuse."""

import struct
from pathlib import Path

ETHERNET, NULL, RAW, LOOP, SLL, SLL2 = 1, 0, 101, 108, 113, 276
NS_MAGIC, US_MAGIC = 0xa1b23c4d, 0xa1b2c3d4


def read(path):
    """([(ns, bytes)], link type) of a pcap of this byte order."""
    data = Path(path).read_bytes()
    magic, link = struct.unpack_from("=I16xI", data)
    unit = {NS_MAGIC: 1, US_MAGIC: 1000}[magic]
    packets, at = [], 24
    while at < len(data):
        sec, part, caplen, _ = struct.unpack_from("=4I", data, at)
        packets.append((sec * 10**9 + part * unit, data[at + 16:at + 16 + caplen]))
        at += 16 + caplen
    return packets, link


def write(path, packets, link=ETHERNET, snap=1 << 18, order="=", ns=True):
    """Packets as (ns, bytes); what is longer than snap is cut off."""
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", NS_MAGIC if ns else US_MAGIC, 2, 4, 0, 0, snap, link))
        for time, data in packets:
            part = time % 10**9 // (1 if ns else 1000)
            f.write(struct.pack(order + "4I", time // 10**9, part, min(len(data), snap), len(data)) + data[:snap])
    return path


def write_ng(path, packets, link=ETHERNET):
    """A pcapng with nanosecond timestamps."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("=II", kind, len(body) + 12) + body + struct.pack("=I", len(body) + 12)
    with open(path, "wb") as f:
        f.write(block(0x0a0d0d0a, struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1)))
        f.write(block(1, struct.pack("=HHI", link, 0, 1 << 18) + struct.pack("=HHB3xHH", 9, 1, 9, 0, 0)))
        for time, data in packets:
            f.write(block(6, struct.pack("=5I", 0, time >> 32, time & 0xffffffff, len(data), len(data)) + data))
    return path


def relink(data, link):
    """An Ethernet frame as another link layer shows it."""
    kind, ip = data[12:14], data[14:]
    family = 2 if ip[0] >> 4 == 4 else 10
    return {ETHERNET: data, RAW: ip,
            NULL: struct.pack("=I", family) + ip,
            LOOP: struct.pack(">I", family) + ip,
            SLL: b"\0\0\0\1\0\6" + data[6:12] + b"\0\0" + kind + ip,
            SLL2: kind + b"\0\0" + struct.pack(">IHBB", 2, 1, 0, 6) + data[6:12] + b"\0\0" + ip}[link]
