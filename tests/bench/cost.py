# SPDX-License-Identifier: GPL-2.0
"""ns per packet on each path, by test runs; how it grows with the number of flows; what views of a million flows take."""

import json
import os
import subprocess
import time

from host import BUILD, SERVER, host, note
from lab import S4, SYNWARD

PORT, WAYS = 8080, 8	# slots of a bucket
OPEN = ("syn-new", "synack", "ack-completes")	# leave so many open connections behind
CURVE = OPEN + ("established-data", "ref-hash-lookup", "syn-observed", "ref-lru-insert", "syn-cookie", "ref-raw-gen-syncookie")


def run(h, flows, rounds, *only):
    return json.loads(h.s.run(BUILD / "paths", S4, flows, rounds, SERVER, *only, timeout=300))["paths"]


def watch(h, flows):
    """synward attached to tables of that size, which has seen the kernel answer."""
    h.s.listen("0.0.0.0", PORT)
    h.attach("--max-flows", flows, "--max-half-open", flows)
    h.c.connect(S4, PORT)


def fetch():
    """ns for a line of memory at random, by the size of the area that it is in."""
    return json.loads(subprocess.run([BUILD / "memory", str(SERVER)], capture_output=True, check=True, timeout=60).stdout)


def memory(h):
    """Bytes of all maps together, and of the tables of flows for each slot."""
    maps = {}
    for pin in h.s.pins.iterdir():
        done = h.s.run("bpftool", "-j", "map", "show", "pinned", pin, check=False)
        if not done.returncode:		# else it is a link or a program
            maps[pin.name] = json.loads(done.stdout_text)
    slot = max(maps[t]["bytes_value"] / WAYS for t in ("proven", "half"))
    return sum(m["bytes_memlock"] for m in maps.values()), slot


def paths(flows, rounds):
    note(f"paths: {flows} flows")
    with host("paths", serve=False) as h:
        watch(h, flows)
        return [dict(p, flows=flows) for p in run(h, flows, rounds)]


def scale(sizes, rounds):
    """The same of a few paths, from small tables to large ones."""
    rows = []
    for flows in sizes:
        note(f"scale: {flows} flows")
        with host("scale", serve=False) as h:
            watch(h, flows)
            got = {p["path"]: p["best"] for p in run(h, flows, rounds if flows < 1 << 20 else 1, *CURVE)}
            total, slot = memory(h)
            rows.append({"flows": flows, "memory": total, "slot": slot, **got})
    return rows


def timed(h, *args):
    """Seconds and seconds of CPU that a command takes; the best of three."""
    took = []
    for _ in range(3):
        begin = time.monotonic()
        p = subprocess.Popen([SYNWARD, *map(str, args), "--netns", str(h.s.path)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        assert not p.returncode, f"{args}: exit {p.returncode}"
        took.append((time.monotonic() - begin, usage.ru_utime + usage.ru_stime))
    return min(took)


def watching(h, seconds):
    """Share of a core that `states --watch 1` takes."""
    p = subprocess.Popen([SYNWARD, "states", "--watch", "1", "--netns", str(h.s.path)], stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    p.terminate()
    _, _, usage = os.wait4(p.pid, 0)
    p.returncode = 0
    return (usage.ru_utime + usage.ru_stime) / seconds


def views(flows, seconds=5):
    note(f"views: {flows} flows")
    with host("views", serve=False) as h:
        watch(h, flows)
        run(h, flows, 1, *OPEN)
        held = h.synward("status")["flows"]["used"]
        rows = []
        for args in (("states",), ("states", "--json"), ("flows", "--limit", 20), ("flows", "--limit", 20, "--sort", "age"),
                     ("flows", "--limit", 20, "--by", "prefix"), ("listeners",), ("status",)):
            wall, cpu = timed(h, *args)
            rows.append({"command": " ".join(map(str, args)), "flows": held, "ms": wall * 1e3, "cpu_ms": cpu * 1e3})
        return rows, watching(h, seconds)
