# SPDX-License-Identifier: GPL-2.0
"""What is shipped for Prometheus and Grafana, with Debian's Prometheus."""

import json
import re
import subprocess
import urllib.parse

from agent import PORT, AgentTest
from guard import Flood
from lab import ROOT, S4, eventually, need

DIST = ROOT / "user/dist"
SERVER = 9090


class Prometheus(AgentTest):
    def start(self, lab):
        """Scrapes the agent each second, with the shipped alerts as they are."""
        d = lab.dir()
        (d / "prometheus.yml").write_text(
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n"
            f"rule_files: ['{DIST}/synward-alerts.yml']\n"
            f"scrape_configs: [{{ job_name: synward, static_configs: [{{ targets: ['127.0.0.1:{PORT}'] }}] }}]\n")
        log = (d / "prometheus.log").open("w")
        lab.s.popen("prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/tsdb",
                    f"--web.listen-address=127.0.0.1:{SERVER}", stdout=log, stderr=log)

    def api(self, agent, path, **query):
        status, _, text = agent.get(f"/api/v1/{path}?{urllib.parse.urlencode(query)}", port=SERVER)
        self.assertEqual(status, 200, text)
        return json.loads(text)["data"]

    def alerts(self, agent):
        try:
            return {(a["labels"]["alertname"], a["labels"].get("listener")): a["state"]
                    for a in self.api(agent, "alerts")["alerts"]}
        except OSError:
            raise AssertionError("Prometheus does not answer yet") from None

    @need("prometheus")
    def test_prometheus_alert_fires(self):
        """It scrapes, the alert fires in a flood and ends after it, and each panel of the dashboard has data."""
        lab = self.lab()
        lab.nginx()
        agent = self.agent(lab, "s0")
        lab.synward("guard", "auto", "--live", "--hold", 3)
        self.start(lab)

        def scraped():
            targets = self.api(agent, "targets")["activeTargets"]
            self.assertEqual([(t["health"], t["lastError"]) for t in targets], [("up", "")])
        eventually(lambda: self.assertEqual(self.alerts(agent), {}), 30)
        eventually(scraped, 20)
        lab.c.run("curl", "-s", f"http://{S4}/", f"http://{S4}/")
        flood = Flood(lab, S4, 80, rate=5000)
        eventually(lambda: self.assertEqual(self.alerts(agent).get(("SynFlood", "0.0.0.0:80")), "firing"), 20)
        self.assertEqual({k for k, v in self.alerts(agent).items() if v == "firing" and k[1] != "0.0.0.0:80"}, set())
        self.dashboard(agent)
        sent = flood.end()["sent"]
        eventually(lambda: self.assertNotIn(("SynFlood", "0.0.0.0:80"), self.alerts(agent)), 20)

        def counted():	# nothing is lost on the way
            kept, = self.api(agent, "query", query='synward_kept_off_total{listener="0.0.0.0:80"}')["result"]
            self.assertEqual(int(kept["value"][1]), lab.listener(80, "0.0.0.0")["kept_off"])
            self.assertGreater(int(kept["value"][1]), sent * 0.9)
        eventually(counted)

    def dashboard(self, agent):
        doc = json.loads((DIST / "synward-dashboard.json").read_text())
        names = {"$__rate_interval": "10s", "$instance": ".*", "$listener": ".*"}
        silent = []
        for panel in doc["panels"]:
            for target in panel["targets"]:
                query = target["expr"]
                for name, value in names.items():
                    query = query.replace(name, value)
                if not self.api(agent, "query", query=query)["result"]:
                    silent.append((panel["title"], query))
        self.assertEqual(silent, [], "panels without data")

    @need("promtool")
    def test_prometheus_rules(self):
        """The alerts by themselves: when each fires, and when not."""
        done = subprocess.run(["promtool", "check", "rules", DIST / "synward-alerts.yml"], capture_output=True, text=True,
                              timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = subprocess.run(["promtool", "test", "rules", ROOT / "tests/e2e/alerts.yml"], capture_output=True, text=True,
                              timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        names = set(re.findall(r"alert: (\w+)", (DIST / "synward-alerts.yml").read_text()))
        tested = set(re.findall(r"alertname: (\w+)", (ROOT / "tests/e2e/alerts.yml").read_text()))
        self.assertEqual(names, tested)
