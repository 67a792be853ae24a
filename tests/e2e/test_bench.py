# SPDX-License-Identifier: GPL-2.0
"""The benchmark's test runs: each packet takes the path that its figure is for."""

import json

from lab import ROOT, S4, LabTest

FLOWS = 1024
ROUNDS = 5	# and the median: this measures, though as little as can be


class Paths(LabTest):
    def test_bench_paths(self):
        """A few short rounds: paths ends with an error when packets are counted under another reason."""
        lab = self.lab()
        lab.s.listen("0.0.0.0", 8080)
        lab.attach("--max-flows", FLOWS, "--max-half-open", FLOWS)
        lab.c.connect(S4, 8080)
        doc = json.loads(lab.s.run(ROOT / "build/bench/paths", S4, FLOWS, ROUNDS, 1))
        self.assertEqual(doc["flows"], FLOWS)
        ns = {p["path"]: p["ns"] for p in doc["paths"]}
        self.assertGreater(len(ns), 15)
        for cheap, dear in (("non-tcp", "syn-cookie"), ("ref-drop", "ref-raw-gen-syncookie"), ("non-tcp", "established-data")):
            self.assertLess(ns[cheap], ns[dear])
