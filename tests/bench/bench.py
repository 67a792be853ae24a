#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The benchmark: what synward costs, beside references and peers. Prints tables, or one JSON document;
a whole run also writes RESULTS.md, and plots below build/bench. As root, on a machine that does nothing else."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
sys.dont_write_bytecode = True
import cost	# noqa: E402
import host	# noqa: E402
import overhead	# noqa: E402
import peers	# noqa: E402
import report	# noqa: E402

K, M = 1 << 10, 1 << 20


def whole(doc):
    doc["fetch"] = cost.fetch()
    doc["paths"] = cost.paths(64 * K, 9) + cost.paths(M, 3)
    doc["paths"].append(overhead.admission())
    doc["goodput"], doc["absorbed"], doc["skipped"] = peers.goodput(1)
    doc["rounds"] = peers.rounds(9, 2)
    doc["overhead"] = overhead.pairs(20, 0.5)
    doc["per_connection"] = overhead.per_connection(2)
    doc["scale"] = cost.scale((K, 4 * K, 16 * K, 64 * K, 256 * K, M, 4 * M), 2)
    doc["views"], doc["watch"] = cost.views(M)


def quick(doc):
    doc["fetch"] = cost.fetch()
    doc["paths"] = cost.paths(64 * K, 4)
    doc["paths"].append(overhead.admission())
    doc["goodput"], doc["absorbed"], doc["skipped"] = peers.goodput(1, (None, 300_000), ("syncookies-1", "xdp-drop", "synward"))
    doc["overhead"] = overhead.pairs(4, 0.5, overhead.MEASURES[:1])
    doc["per_connection"] = overhead.per_connection(1)
    doc["views"], doc["watch"] = cost.views(M, 2)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--quick", action="store_true", help="in less than two minutes; writes nothing")
    ap.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = ap.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    if os.cpu_count() < 2:
        sys.exit("bench: needs two cores")
    host.reap()
    begin = time.monotonic()
    doc = {"machine": host.machine()}
    (quick if args.quick else whole)(doc)
    doc["machine"]["load_end"] = os.getloadavg()[0]
    doc["seconds"] = round(time.monotonic() - begin)
    doc["targets"] = report.targets(doc)
    host.BUILD.mkdir(parents=True, exist_ok=True)
    (host.BUILD / "result.json").write_text(json.dumps(doc, indent=1))
    if not args.quick:
        report.write(doc)
        report.plots(doc)
    print(json.dumps(doc) if args.json else report.text(doc))


if __name__ == "__main__":
    main()
