# SPDX-License-Identifier: GPL-2.0
"""What it costs a server that nobody attacks: new connections, requests, bulk; nothing, synward and conntrack in turn."""

import contextlib
import json
import math
import re
import shutil
import statistics
import subprocess

from host import BUILD, CLIENTS, CONNECTIONS, PORT, SERVER, Skip, host, note
from lab import S4, wait_until
from peers import conntrack

# Student's t, one-sided, 95 %, by degrees of freedom
T95 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833, 10: 1.812, 14: 1.761,
       19: 1.729, 24: 1.711, 29: 1.699}


def lower(ratios):
    """Mean, and the bound that the true one is above with 95 % confidence."""
    n, mean = len(ratios), statistics.mean(ratios)
    if n < 2:
        return mean, 0.0
    t = T95[max(k for k in T95 if k <= n - 1)]
    return mean, mean - t * statistics.stdev(ratios) / math.sqrt(n)


def connections(h, seconds):
    return h.clients(seconds)["per_second"]


def requests(h, seconds):
    out = h.finish(h.on(CLIENTS, h.c, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", f"http://{S4}:{PORT}/"))
    return float(re.search(r"Requests/sec: *([\d.]+)", out).group(1))


def stream(h, seconds):
    """Gbit/s of one TCP stream towards the server, in packets of the MTU."""
    if not shutil.which("iperf3"):
        raise Skip("no iperf3")
    if not getattr(h, "iperf", None):
        h.iperf = h.on(SERVER, h.s, "iperf3", "-s", "-B", S4)
        wait_until(lambda: any(x.port == 5201 for x in h.s.ss()), what="iperf3")
    out = h.finish(h.on(CLIENTS, h.c, "iperf3", "-c", S4, "-t", max(1, round(seconds)), "-J"))
    return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9


def bulk(h, seconds):
    """The same with segmentation offload, as between any two hosts; the lab is without for the flood's sake."""
    def offload(way):
        for ns, dev in ((h.c, "c0"), (h.s, "s0")):
            ns.run("ethtool", "-K", dev, "tx", way, "tso", way, "gso", "on")
    offload("on")
    try:
        return stream(h, seconds)
    finally:
        offload("off")


MEASURES = (("new connections/s", connections), ("keepalive requests/s", requests), ("bulk Gbit/s", bulk),
            ("bulk Gbit/s in packets of the MTU", stream))
CONFIGS = (("none", lambda h: None), ("synward", lambda h: h.attach()), ("conntrack", conntrack))


def pairs(n, seconds, measures=MEASURES):
    """n interleaved rounds: {measure, per config the median, ratios against none with their lower bound}."""
    rows = []
    with contextlib.ExitStack() as stack:
        hosts = {}
        for name, setup in CONFIGS:
            hosts[name] = stack.enter_context(host(f"overhead-{name}"))
            setup(hosts[name])
            hosts[name].clients(0.2)
        for what, measure in measures:
            got = {name: [] for name, _ in CONFIGS}
            try:
                for i in range(n):
                    note(f"overhead: {what}, round {i + 1} of {n}")
                    order = CONFIGS if i % 2 else CONFIGS[::-1]
                    for name, _ in order:
                        got[name].append(measure(hosts[name], seconds))
            except Skip as why:
                rows.append({"what": what, "skipped": str(why)})
                continue
            row = {"what": what, **{name: statistics.median(v) for name, v in got.items()}}
            for name in ("synward", "conntrack"):
                mean, bound = lower([a / b for a, b in zip(got[name], got["none"])])
                row[f"{name}_ratio"], row[f"{name}_lower"] = mean, bound
            rows.append(row)
    return rows


def clock(counts):
    """What counting itself takes of each run: the sink's program is little else."""
    runs, ns = counts.pop("sink")
    return ns / max(runs, 1)


def per_connection(seconds):
    """ns in synward's programs for one connection with one request, by the kernel's own counters; and of an admission."""
    out = {}
    with host("cost") as h:
        h.attach()
        h.clients(0.2)
        got, counts = {}, {}
        with h.counted(counts):
            got = h.clients(seconds)
        counting = clock(counts)
        out["connection_ns"] = sum(ns - runs * counting for runs, ns in counts.values()) / max(got["answered"], 1)
        out["by_hook"] = {hook: {"ns": ns / max(runs, 1) - counting, "packets": runs / max(got["answered"], 1)}
                          for hook, (runs, ns) in counts.items()}
        out["counting_ns"] = counting
    return out


def admission(count=20000):
    """ns for an ACK with a valid cookie, live: at XDP and at tc ingress."""
    with host("admission", serve=False) as h:
        h.s.sysctl("net.core.somaxconn", 65535)
        h.s.listen("0.0.0.0", PORT, 65535)
        h.attach("--guard", "on", "--live")
        for _ in range(2):	# the kernel's answer is seen; then a cookie is sent
            h.c.connect(S4, PORT)
        counts = {}
        with h.counted(counts):
            sent = json.loads(h.finish(h.on(CLIENTS, h.s, BUILD / "source", "s0", S4, PORT, "proofs", count)))["sent"]
        counting = clock(counts)
        taken = sum(x.state == "ESTABLISHED" for x in h.s.ss()) - 2
        (xdp, xdp_ns), (tc, tc_ns) = counts["xdp"], counts["ingress"]
        return {"path": "ack-cookie-valid", "hook": "xdp + tc", "ns": xdp_ns / xdp + tc_ns / tc - 2 * counting,
                "xdp": xdp_ns / xdp - counting, "tc": tc_ns / tc - counting, "share": taken / sent}
