# SPDX-License-Identifier: GPL-2.0
"""Goodput under a flood of SYNs: synward beside what a host has otherwise, each as it is best set up."""

import contextlib
import shutil
import statistics
import time

import storm
from host import ORACLE, PORT, SERVER, Skip, host, note
from lab import C4, S4, Lab

RATES = (None, 100_000, 300_000, 1_000_000, 0)	# None: no flood, 0: all that the source can
SYNPROXY = f"""
table inet bench {{
 chain raw {{ type filter hook prerouting priority -300; tcp dport {PORT} tcp flags syn notrack; }}
 chain in {{ type filter hook input priority 0; tcp dport {PORT} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm; ct state invalid drop; }}
}}
"""


def syncookies(mode):
    def setup(h):
        h.s.sysctl("net.ipv4.tcp_syncookies", mode)
    return setup


def nft(rules):
    def setup(h):
        done = h.s.run("nft", "-f", "-", input=rules, check=False)
        if done.returncode:
            raise Skip(f"nft refuses the rules: {done.stderr_text.strip().splitlines()[0]}")
    return setup


def synproxy(h):
    nft(SYNPROXY)(h)
    h.s.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)


def conntrack(h):
    nft(f"table inet bench {{\n chain in {{ type filter hook input priority 0; ct state established,related accept; "
        f"ct state invalid drop; tcp dport {PORT} accept; }}\n}}\n")(h)


def tc_drop(h):
    h.s.run("tc", "qdisc", "add", "dev", "s0", "clsact")
    h.s.run("tc", "filter", "add", "dev", "s0", "ingress", "bpf", "da", "obj", ORACLE, "sec", "tc")


def xdp_drop(h):
    h.s.run("ip", "link", "set", "dev", "s0", "xdpgeneric", "obj", ORACLE, "program", "oracle_xdp")


def xdp_filter(h):
    if not shutil.which("xdp-filter"):
        raise Skip("no xdp-filter (package xdp-tools)")
    for args in (("load", "--mode", "skb", "--policy", "deny", "--features", "ipv4", "s0"), ("ip", C4, "--mode", "src")):
        done = h.s.run("xdp-filter", *args, check=False)
        if done.returncode:
            raise Skip(f"xdp-filter {args[0]}: {(done.stderr_text or done.stdout_text).strip().splitlines()[-1]}")
    return lambda: h.s.run("xdp-filter", "unload", "s0", check=False)	# its pins are in nobody's namespace


def synward(h):
    h.attach("--guard", "auto", "--live")


# name, how it is set up (returns how that is undone, when the namespaces' end does not do it), what it is
PEERS = (
    ("none", syncookies(0), "no protection: tcp_syncookies=0"),
    ("syncookies-1", syncookies(1), "the kernel's, when the queue is full"),
    ("syncookies-2", syncookies(2), "the kernel's, always"),
    ("conntrack", conntrack, "syncookies-1 behind a stateful nftables ruleset"),
    ("nft-synproxy", synproxy, "nftables synproxy, notrack on SYNs, tcp_loose=0"),
    ("nft-drop", nft("table netdev bench {\n chain c { type filter hook ingress device s0 priority 0; "
                     "ip saddr 198.18.0.0/15 drop; }\n}\n"), "oracle: nftables at the device drops the flood's prefix"),
    ("tc-drop", tc_drop, "oracle: a tc program drops it"),
    ("xdp-drop", xdp_drop, "oracle: an XDP program (generic, as synward's here) drops it"),
    ("xdp-filter", xdp_filter, "oracle: xdp-filter lets the clients' address through, nothing else"),
    ("synward", synward, "attach --guard auto --live"),
)
BY_NAME = {p[0]: p for p in PEERS}


def one(name, rates, seconds):
    """A peer in namespaces of its own: goodput at each rate, and the flood that its core takes without any client."""
    rows = []
    with host(name) as h, contextlib.ExitStack() as end:
        undo = BY_NAME[name][1](h)
        if undo:
            end.callback(undo)
        h.clients(0.2)		# warm; a guard sees the kernel answer
        for rate in rates:
            row = {"peer": name, "rate": "none" if rate is None else rate or "max", "flood": 0}
            with h.flood(rate, row):
                row.update(h.clients(seconds, SERVER))	# the other core is the flood's, whose rate is to be the same for all
            rows.append(row)
            time.sleep(0.1)
        alone = {"peer": name}
        with h.flood(0, alone):		# nothing else to do for the core
            time.sleep(seconds)
    return rows, alone


def goodput(seconds, rates=RATES, names=tuple(BY_NAME)):
    """Each peer once: goodput, floods without clients, and who is skipped and why."""
    rows, alone, skipped = [], [], []
    for name in names:
        note(f"goodput: {name}")
        try:
            got, flood = one(name, rates, seconds)
            rows += got
            alone.append(flood)
        except Skip as why:
            skipped.append({"peer": name, "why": str(why)})
    return rows, alone, skipped


def rounds(n, seconds, rates=(300_000, 0)):
    """The targets' figures: the guard and others in turn, so that a slow moment hits all of them alike. Native XDP, and
    the flood's segments cost the core that brings them, see tests/e2e/storm.py."""
    ratios, sent = {}, {}
    with storm.beside() as core:
        for i in range(n):
            note(f"goodput, interleaved: round {i + 1} of {n}")
            for rate in rates:
                got = {}
                for kind in storm.KINDS:
                    with contextlib.closing(Lab(f"bench-{kind}")) as lab:
                        storm.prepare(lab, kind)
                        lab.c.connect(S4, 80).close()
                        flood = storm.Storm(lab, core, rate or storm.MAX)
                        time.sleep(0.3)
                        got[kind] = lab.wrk(f"http://{S4}/", seconds)
                        sent.setdefault((kind, rate), []).append(flood.end())
                for other in (storm.ORACLE, storm.KERNEL):
                    ratios.setdefault((other, rate), []).append(got[storm.GUARD] / max(got[other], 1))
    return [{"against": other, "rate": rate or "max", "ratio": statistics.median(r), "of": [round(x, 3) for x in r],
             "sent": statistics.median(sent[other, rate]), "sent_synward": statistics.median(sent[storm.GUARD, rate])}
            for (other, rate), r in ratios.items()]
