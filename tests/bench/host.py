# SPDX-License-Identifier: GPL-2.0
"""The lab of the benchmark: server and network work on one core, clients on the other; in a flood they leave that to it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e")]
from lab import C4, ROOT, S4, Lab, reap	# noqa: E402, F401

BUILD = ROOT / "build/bench"
ORACLE = BUILD / "oracle.bpf.o"
PORT, CONNECTIONS = 80, 32
CLIENTS, SERVER = 0, 1	# cores
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


class Skip(Exception):
    """A row that this machine cannot have, and why."""


def note(text):
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)


def machine():
    info = {k.strip(): v.strip() for k, v in (line.split(":", 1) for line in
            Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)}
    clang = subprocess.run([os.environ.get("CLANG", "clang"), "--version"], capture_output=True, text=True).stdout
    memory = int(re.search(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text()).group(1))
    weak = Path("/sys/devices/system/cpu/vulnerabilities")
    return {"cpu": info.get("model name", os.uname().machine), "cores": os.cpu_count(), "memory_gib": round(memory / 2**20),
            "kernel": os.uname().release, "clang": re.search(r"version (\S+)", clang).group(1),
            "mitigations": sorted({f.read_text().strip() for f in weak.glob("*")
                                   if f.read_text().startswith("Mitigation") or "RET" in f.read_text()}),
            "load_1min": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d", time.gmtime())}


class Host(Lab):
    """A server with nginx on one core, everything else on the other; answers to the flood end at the client's door."""

    def __init__(self, name, serve=True):
        super().__init__(f"bench-{name}")
        if os.cpu_count() < 2:
            raise Skip("needs two cores")
        for ns in (self.c, self.s):
            ns.sysctl("net.ipv4.tcp_no_metrics_save", 1)
        self.c.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        self.s.ip(f"route add 11.0.0.0/8 via {C4}")
        self.ifindex = json.loads(self.s.run("ip", "-j", "link", "show", "dev", "s0"))[0]["ifindex"]
        self.c.run("ip", "link", "set", "dev", "c0", "xdpgeneric", "obj", ORACLE, "program", "sink_xdp")
        if serve:
            self.receive_on(SERVER, self.s, "s0")
            self.receive_on(CLIENTS, self.c, "c0")
            nginx = self.nginx(PORT)
            os.sched_setaffinity(nginx.pid, {SERVER})

    def receive_on(self, core, ns, dev):
        """One end of the veth hands what it receives to a core, as a network card would; else it is the sender's."""
        ns.run("unshare", "-m", "sh", "-c", "mount -t sysfs none /sys && "
               f"echo {1 << core:x} > /sys/class/net/{dev}/queues/rx-0/rps_cpus")

    def on(self, core, ns, *cmd, nice=0, **kw):
        return ns.popen("nice", "-n", nice, "taskset", "-c", core, *cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def finish(self, p, timeout=60):
        out, err = p.communicate(timeout=timeout)
        self.end(p)
        assert p.returncode == 0, err
        return out

    @contextlib.contextmanager
    def flood(self, rate, result):
        """SYNs at a rate, 0: as many as can be, None: none; what became of them is put into result."""
        if rate is None:
            yield
            return
        before = backlog_drops()
        p = self.on(CLIENTS, self.s, BUILD / "source", "s0", S4, PORT, rate, 60, nice=-10)
        time.sleep(0.5)		# it begins, the guard arms, queues fill
        yield
        p.send_signal(signal.SIGTERM)
        sent = json.loads(self.finish(p))
        lost = backlog_drops() - before
        result.update(flood=round(sent["rate"]), absorbed=round((sent["sent"] - lost) / sent["seconds"]))

    def clients(self, seconds, core=CLIENTS):
        """Answers per second and how long connecting took."""
        return json.loads(self.finish(self.on(core, self.c, BUILD / "clients", S4, PORT, CONNECTIONS, seconds)))

    def programs(self):
        """What the kernel counted by hook of synward's programs, and of the client's sink: (runs, ns)."""
        def count(prog):
            prog = json.loads(self.s.run("bpftool", "-j", "prog", "show", "id", prog))
            return prog.get("run_cnt", 0), prog.get("run_time_ns", 0)
        out = {}
        link = json.loads(self.c.run("ip", "-j", "link", "show", "dev", "c0"))[0]
        if "xdp" in link:
            out["sink"] = count(link["xdp"]["prog"]["id"])
        for hook in ("xdp", "ingress", "egress"):
            link = json.loads(self.s.run("bpftool", "-j", "link", "show", "pinned", self.s.pins / f"link_{self.ifindex}_{hook}"))
            out[hook] = count(link["prog_id"])
        return out

    @contextlib.contextmanager
    def counted(self, result):
        """Runs and ns of each program meanwhile, into result; the kernel counts for so long."""
        was = STATS.read_text()
        STATS.write_text("1")
        try:
            before = self.programs()
            yield
            after = self.programs()
        finally:
            STATS.write_text(was)
        result.update({hook: tuple(a - b for a, b in zip(after[hook], before[hook])) for hook in after})


def backlog_drops():
    """Packets that the server's core has not taken, so far."""
    return int(Path("/proc/net/softnet_stat").read_text().splitlines()[SERVER].split()[1], 16)


@contextlib.contextmanager
def host(name, **kw):
    h = Host(name, **kw)
    try:
        yield h
    finally:
        h.close()
