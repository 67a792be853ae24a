# SPDX-License-Identifier: GPL-2.0
"""synward run, as its tests use it."""

import http.client
import re
import signal
import socket
import subprocess

from guard import GuardTest
from lab import SYNWARD, eventually, wait_until

PORT = 9293
SAMPLE = re.compile(r'^(synward_\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text):
    """{(name, ((label, value)...)): number}, as they are spelt."""
    out = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        pairs = tuple(LABEL.findall(labels or ""))
        assert "," .join(f'{k}="{v}"' for k, v in pairs) == (labels or ""), line
        assert (name, pairs) not in out, f"twice: {line}"
        out[name, pairs] = float(value)
    return out


class Agent:
    """Runs in the server's namespace. Its log goes to a file; ready when it has said what it watches."""

    def __init__(self, lab, *args, before=(), log=None, wait=True, **kw):
        self.lab = lab
        lab.agents = getattr(lab, "agents", 0) + 1
        self.log_path = log or lab.dir() / f"agent-{lab.agents}.log"
        with open(self.log_path, "a") as to:
            self.p = lab.s.popen(*before, SYNWARD, "run", *args, stdout=subprocess.DEVNULL, stderr=to, **kw)
        if wait:
            self.said("watching ")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def said(self, pattern, times=1, timeout=50):
        """Waits until so many lines of the log have it; the last of them."""
        def check():
            assert self.p.poll() is None, f"the agent has ended: {self.p.returncode}\n{self.log()}"
            found = [line for line in self.log().splitlines() if re.search(pattern, line)]
            assert len(found) >= times, f"{pattern!r} was said {len(found)} times:\n{self.log()}"
            return found[-1]
        return eventually(check, timeout)

    def hup(self):
        self.p.send_signal(signal.SIGHUP)

    def end(self, sig=signal.SIGTERM):
        """Its exit status."""
        self.p.send_signal(sig)
        status = self.p.wait(60)
        self.lab.end(self.p)
        return status

    def get(self, path, port=PORT, method="GET", headers=None, timeout=10, host="127.0.0.1"):
        """(status, headers, text)."""
        with self.lab.s.inside():
            c = http.client.HTTPConnection(host, port, timeout=timeout)
            c.connect()
        try:
            c.request(method, path, headers=headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            c.close()

    def metrics(self, port=PORT):
        status, _, text = self.get("/metrics", port)
        assert status == 200, text
        return parse_metrics(text)

    def metric(self, name, **labels):
        return self.metrics().get((name, tuple(labels.items())))

    def raw(self, data=b"", port=PORT):
        """A connection to it that has sent these bytes."""
        with self.lab.s.inside():
            s = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.lab.sockets.append(s)
        s.sendall(data)
        return s


class AgentTest(GuardTest):
    def agent(self, lab, *args, **kw):
        return Agent(lab, *args, **kw)

    def config(self, lab, text):
        path = lab.dir() / "synward.conf"
        path.write_text(text)
        return path

    def devices(self, lab):
        return sorted(d["dev"] for d in lab.synward("status")["devices"] if not d.get("gone"))

    def assert_watching(self, lab, *devs, timeout=30):
        wait_until(lambda: lab.s.pins.exists() and self.devices(lab) == sorted(devs), timeout, f"watching {devs}")
