# SPDX-License-Identifier: GPL-2.0
"""The result of a run as tables, as plots, and against what is aimed at."""

import shutil
import subprocess

from host import BUILD, HERE, note
from peers import PEERS

RESULTS = HERE / "RESULTS.md"


def count(n):
    """1024 as 1k, 1048576 as 1M."""
    for unit, size in (("M", 1 << 20), ("k", 1 << 10)):
        if n >= size and n % size == 0:
            return f"{n // size}{unit}"
    return str(n)


def table(head, rows):
    """Markdown, aligned so that it reads as text too."""
    cells = [[str(c) for c in r] for r in (head, *rows)]
    width = [max(len(r[i]) for r in cells) for i in range(len(head))]
    right = [all(c[:1].isdigit() or c[:1] in "-" for c in column) for column in list(zip(*cells[1:]))] or [False] * len(head)
    lines = ["| " + " | ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, width, right)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(width, right)) + "|"
    return "\n".join((lines[0], rule, *lines[1:]))


# path, at most so many times, reference
LIMITS = (("syn-cookie", 2.5, "ref-raw-gen-syncookie"), ("syn-observed", 0.5, "ref-lru-insert"),
          ("established-data", 1.5, "ref-hash-lookup"), ("established-data-egress", 1.5, "ref-hash-lookup"),
          ("syn-denied", 1.5, "ref-lpm-lookup"))


def sizes(doc):
    """Numbers of flows with which the paths were run."""
    return sorted({p["flows"] for p in doc.get("paths", []) if "flows" in p})


def targets(doc):
    """(what, aimed at, found, met) of all that this run measured; ratios are of the rounds' medians."""
    out = []

    def add(what, aim, found, met):
        out.append({"target": what, "aim": aim, "found": found, "met": bool(met)})
    for flows in sizes(doc):
        ns = {p["path"]: p["ns"] for p in doc["paths"] if p.get("flows") == flows}
        for path, limit, ref in LIMITS:
            if path in ns and ns.get(ref, 0) > 0:
                ratio = ns[path] / ns[ref]
                add(f"{path} / {ref}, {count(flows)} flows", f"<= {limit}", f"{ratio:.2f}", ratio <= limit)
        if flows == 1 << 16:
            for path in ("established-data", "established-data-egress"):
                add(f"{path}, observer's overhead", "<= 60 ns", f"{ns[path]:.0f} ns", ns[path] <= 60)
    for r in doc.get("rounds", []):
        limit = {("oracle", 300_000): 0.95, ("oracle", "max"): 0.9, ("kernel", 300_000): 3}.get((r["against"], r["rate"]))
        if limit:
            add(f"goodput / {r['against']}, flood {r['rate']}", f">= {limit}", f"{r['ratio']:.2f}", r["ratio"] >= limit)
    if "per_connection" in doc:
        ns = doc["per_connection"]["connection_ns"]
        add("observer, one connection", "<= 2000 ns", f"{ns:.0f} ns", ns <= 2000)
    for r in doc.get("overhead", []):
        if "skipped" not in r:
            add(f"observer, {r['what']}: lower bound of the ratio", ">= 0.95", f"{r['synward_lower']:.3f}", r["synward_lower"] >= 0.95)
    for r in doc.get("views", []):
        if r["command"] == "states":
            add(f"states, {count(r['flows'])} flows", "<= 100 ms", f"{r['ms']:.0f} ms", r["ms"] <= 100)
    if "watch" in doc:
        add("states --watch 1, 1M flows", "< 8 % of a core", f"{100 * doc['watch']:.1f} %", doc["watch"] < 0.08)
    for r in doc.get("scale", [])[:1]:
        add("memory of a flow slot", "<= 192 bytes", f"{r['slot']:.0f}", r["slot"] <= 192)
    return out


def reasons(doc):
    """Why targets are missed, as far as this run shows it."""
    ns = {p["path"]: p["ns"] for p in doc.get("paths", []) if p.get("flows") == 1 << 16}
    fetch = {f["mib"]: f["ns"] for f in doc.get("fetch", [])}
    table_mib = (1 << 16) * 1.5 * 192 / 2**20
    out = []

    def missed(what):
        return any(t["target"].startswith(what) and not t["met"] for t in doc["targets"])
    if fetch:
        out.append("Memory. A line that nobody has just used takes " + ", ".join(f"{v:.0f} ns of {k} MiB" for k, v in fetch.items())
                   + f" (`build/bench/memory`: loads that wait for each other, in 4 KiB pages, which is what maps have). A table for 64k flows "
                   f"is {table_mib:.0f} MiB: what a path pays is how many such lines it waits for, not how many instructions it has.")
    if missed("syn-cookie") and "part-socket" in ns:
        out.append(f"`syn-cookie`: the kernel's socket lookup alone is {ns['part-socket']:.0f} ns, {ns['part-socket'] / ns['ref-raw-gen-syncookie']:.1f} times "
                   f"the reference; parsing with options {ns['part-parse']:.0f}, cookie {ns['part-cookie']:.0f}; the rest is sums, listener, "
                   "policy, budget, counters, and the frame written anew. The lookup cannot go: a SYN whose 4-tuple is in TIME_WAIT is the kernel's. Tried "
                   "instead: the mirror's four bucket heads (60 ns slower), a counting Bloom filter of all flows in 512 KiB (80 ns faster, and "
                   "100 ns slower for each flow that is made, as its atomic adds wait for the slot's stores).")
    if missed("syn-observed"):
        out.append("`syn-observed`: a spoofed SYN looks into four buckets, two of each table, finds the oldest of sixteen entries and writes three lines of "
                   "its slot. That is more lines than an LRU's bucket and element; it buys exact counts, and that nothing forged evicts what is proven. "
                   "Tried without gain: heads of buckets in a map of their own.")
    if missed("established-data, observer") or missed("established-data-egress, observer"):
        out.append("`established-data` within 60 ns: it waits for two lines, the bucket's head and the slot, and a third when the second bucket has it. "
                   f"A hash lookup, which does nothing with what it finds, has {ns.get('ref-hash-lookup', 0):.0f} ns.")
    if missed("observer, one connection"):
        out.append("One connection: nine packets in synward's programs, of which six take the long way (SYN, SYN-ACK, ACK, and the three that close it): lock, "
                   "two tables, counters of the listener. All of them are needed for the states of both ends; no packet is left out or sampled.")
    if missed("observer, bulk Gbit/s in packets of the MTU"):
        out.append("Bulk in packets of the MTU: generic XDP copies each packet that the sender still holds (`skb_pp_cow_data`); a program that only passes "
                   "them costs nearly as much. It is the default on virtual devices so that arming needs no process; `--hook tc` does without.")
    if missed("goodput"):
        out.append("Goodput: the oracle drops the flood; synward answers it. An answer goes out through the same machine (XDP_TX, the other end's receive "
                   "path), which costs more than the programs do; the oracle knows the flood's addresses, which nobody has in an attack. At the source's "
                   "maximum even dropping takes all of a core: what `--core-rate` leaves without an answer still costs the receive path and "
                   "synward's look at it, and the receive queue is full for clients as well.")
    return out


def paths_table(doc):
    by = {(p["path"], p["flows"]): p for p in doc["paths"] if "flows" in p}
    rows = []
    for name in dict.fromkeys(path for path, _ in by):
        row = [name, next(p["hook"] for p in doc["paths"] if p["path"] == name)]
        for flows in sizes(doc):
            p = by.get((name, flows))
            row += [f"{max(p['best'], 0):.0f}", f"{max(p['ns'], 0):.0f}"] if p else ["-", "-"]
        rows.append(row)
    return table(["path", "hook", *(f"{count(f)} {x}" for f in sizes(doc) for x in ("best", "median"))], rows)


def goodput_table(doc):
    rows = [[r["peer"], f"{r['rate']:,}" if isinstance(r["rate"], int) else r["rate"], f"{r['flood']:,}", f"{r.get('absorbed', 0):,}",
             f"{r['per_second']:,.0f}", r["p50"], r["p99"], r["p999"]] for r in doc["goodput"]]
    return table(["peer", "SYN/s wanted", "sent", "taken by the core", "answers/s", "p50 us", "p99 us", "p99.9 us"], rows)


def overhead_table(doc):
    rows = []
    for r in doc["overhead"]:
        if "skipped" in r:
            rows.append([r["what"], f"skipped: {r['skipped']}", "", "", "", ""])
        else:
            rows.append([r["what"], f"{r['none']:.4g}", f"{r['synward']:.4g}", f"{r['synward_ratio']:.3f} ({r['synward_lower']:.3f})",
                         f"{r['conntrack']:.4g}", f"{r['conntrack_ratio']:.3f} ({r['conntrack_lower']:.3f})"])
    return table(["measure", "nothing", "synward", "ratio (lower bound)", "conntrack", "ratio (lower bound)"], rows)


def text(doc):
    """The whole run."""
    m = doc["machine"]
    parts = [f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux {m['kernel']}, clang {m['clang']}; {m['date']}, "
             f"load {m['load_1min']:.1f} at the start, {m['load_end']:.1f} at the end; {'; '.join(m['mitigations'])}."]
    missed = [t for t in doc["targets"] if not t["met"]]
    parts += ["## Targets", f"{len(doc['targets']) - len(missed)} of {len(doc['targets'])} met.",
              table(["target", "aim", "found", ""], [[t["target"], t["aim"], t["found"], "met" if t["met"] else "MISSED"] for t in doc["targets"]])]
    why = reasons(doc)
    if why:
        parts += ["What is out of reach, and why:", "\n".join(f"- {w}" for w in why)]
    if doc.get("paths"):
        parts += ["## Paths", "ns per packet above the restore step, in synward's own programs as attached, by test runs; best and median of "
                  "interleaved rounds. `ref-*`: programs with one map or helper; `part-*`: parts of syn-cookie alone.", paths_table(doc)]
    for p in doc.get("paths", []):
        if "share" in p:
            parts += [f"`{p['path']}`, live, by the kernel's program statistics: {p['ns']:.0f} ns ({p['xdp']:.0f} at XDP, {p['tc']:.0f} at tc ingress); "
                      f"{100 * p['share']:.1f} % became connections."]
    if doc.get("goodput"):
        parts += ["## Goodput under a flood", "New connections with one HTTP request each, 32 at a time, while spoofed SYNs come in. Clients, server, "
                  "its network and guard share one core; the flood has the other, so that it is the same for all.", goodput_table(doc),
                  "The largest flood that the core takes when it has nothing else to do; where it is what was sent, the source is the limit.",
                  table(["peer", "sent", "taken by the core"], [[a["peer"], f"{a['flood']:,}", f"{a['absorbed']:,}"] for a in doc["absorbed"]]),
                  "\n".join(f"- `{name}`: {what}" for name, _, what in PEERS)]
        parts += [f"- `{s['peer']}` skipped: {s['why']}" for s in doc.get("skipped", [])]
    if doc.get("rounds"):
        parts += ["### In turn", "synward's goodput by that of another (wrk, `Connection: close`), each in fresh namespaces, in turn; the median. Native XDP for "
                  "all; one core is the flood's with what its segments cost there, as a card's receive queue has one, the other is wrk's and nginx's. "
                  "`oracle` drops the flood by its prefix, `kernel` has its own syncookies.",
                  table(["against", "SYN/s", "ratio", "rounds", "sent to it", "sent to synward"],
                        [[r["against"], r["rate"], f"{r['ratio']:.2f}", " ".join(map(str, r["of"])), f"{r['sent']:,.0f}", f"{r['sent_synward']:,.0f}"]
                         for r in doc["rounds"]])]
    if doc.get("overhead"):
        parts += ["## What it costs when nobody attacks", "Default hook. Interleaved rounds; mean of the ratios against nothing, and the bound that it is above "
                  "with 95 % confidence.", overhead_table(doc)]
    if doc.get("per_connection"):
        c = doc["per_connection"]
        parts += [f"One connection with one request takes {c['connection_ns']:.0f} ns in synward's programs: " + ", ".join(
            f"{v['packets']:.1f} packets at {hook} of {v['ns']:.0f} ns" for hook, v in c["by_hook"].items()) + "."]
    if doc.get("scale"):
        keys = [k for k in doc["scale"][0] if k not in ("flows", "memory", "slot")]
        parts += ["## Scale", "ns per packet (best), and memory of all maps.", table(["flows", "MiB", *keys],
                  [[count(r["flows"]), f"{r['memory'] / 2**20:.0f}", *(f"{r[k]:.0f}" for k in keys)] for r in doc["scale"]])]
    if doc.get("views"):
        parts += ["## Views", table(["command", "flows", "ms", "CPU ms"], [[f"`{r['command']}`", count(r["flows"]), f"{r['ms']:.0f}", f"{r['cpu_ms']:.0f}"]
                  for r in doc["views"]]), f"`states --watch 1` takes {100 * doc['watch']:.1f} % of a core."]
    return "\n\n".join(parts) + "\n"


def write(doc):
    RESULTS.write_text("# What synward costs\n\nWritten by `make bench`. " + text(doc))
    note(f"written: {RESULTS}")


def gnuplot(name, script, rows):
    data = BUILD / f"{name}.dat"
    data.write_text("\n".join(" ".join(map(str, r)) for r in rows) + "\n")
    script = (f"set terminal svg size 900,540 background 'white'\nset output '{BUILD / name}.svg'\nset key outside\nset grid\n"
              f"{script.replace('DATA', repr(str(data)))}\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    note(f"plot: {BUILD / name}.svg")


def plots(doc):
    if not shutil.which("gnuplot"):
        note("no gnuplot: no plots")
        return
    if doc.get("scale"):
        keys = [k for k in doc["scale"][0] if k not in ("flows", "memory", "slot")]
        lines = ", ".join(f"DATA using 1:{i + 2} with linespoints title '{k}'" for i, k in enumerate(keys))
        gnuplot("scale", f"set logscale x 2\nset xlabel 'flows'\nset ylabel 'ns per packet'\nplot {lines}",
                [[r["flows"], *(r[k] for k in keys)] for r in doc["scale"]])
        gnuplot("memory", "set logscale xy 2\nset xlabel 'flows'\nset ylabel 'MiB of all maps'\nplot DATA using 1:2 with linespoints notitle",
                [[r["flows"], r["memory"] / 2**20] for r in doc["scale"]])
    if doc.get("goodput"):
        peers = list(dict.fromkeys(r["peer"] for r in doc["goodput"]))
        for key, label in (("per_second", "answers per second"), ("p99", "connect p99, us")):
            blocks = []
            for p in peers:
                blocks += [[r["flood"], max(r[key], 1)] for r in sorted(doc["goodput"], key=lambda r: r["flood"]) if r["peer"] == p] + [[], []]
            lines = ", ".join(f"DATA index {i} using 1:2 with linespoints title '{p}'" for i, p in enumerate(peers))
            gnuplot(f"goodput-{key}", f"set xlabel 'SYNs per second'\nset ylabel '{label}'\n{'set logscale y' if key == 'p99' else ''}\nplot {lines}", blocks)
