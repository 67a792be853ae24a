# SPDX-License-Identifier: GPL-2.0
"""A private lab for one test: client and server namespaces joined by veth, the kernels' view and synward's."""

import atexit
import collections
import contextlib
import ctypes
import json as jsonlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SYNWARD = os.path.abspath(os.environ.get("SYNWARD", ROOT / "build/synward"))
PINS = Path("/sys/fs/bpf/synward")
NETNS = Path("/run/netns")
STATES = ("LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT",
          "CLOSING", "LAST_ACK", "TIME_WAIT", "CLOSED")
SS_STATES = {"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN_RCVD", "UNCONN": "CLOSED"}
C4, S4, C6, S6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1

os.environ["PATH"] += ":/usr/sbin:/sbin"
libc = ctypes.CDLL(None, use_errno=True)


def eventually(check, timeout=10.0, interval=0.05):
    """Calls check() until it complains no more, in whatever way; its last complaint is ours."""
    end = time.monotonic() + timeout
    while True:
        last = time.monotonic() > end
        try:
            return check()
        except unittest.SkipTest:
            raise
        except Exception:	# what is not there yet is a KeyError, an OSError, ...
            if last:
                raise
        time.sleep(interval)


def wait_until(fn, timeout=10.0, what="condition"):
    def check():
        value = fn()
        assert value, f"{what}: still {value!r} after {timeout} s"
        return value
    return eventually(check, timeout)


def processes():
    """Their numbers, as a list: a process may be gone by the time that one looks at it."""
    return [int(x) for x in os.listdir("/proc") if x.isdecimal()]


def descriptors(pid):
    """What each descriptor of a process is, by number; those that are closed meanwhile are left out, as a process that ends."""
    out = {}
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                out[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return out


def holders(inode, among=None):
    """
    The processes in that network namespace or with a descriptor of it. When the namespace is gone its number may be
    another one's at once: whoever asks after its end asks about those that had it before.
    """
    out = set()
    for pid in processes() if among is None else among:
        own = ""
        with contextlib.suppress(OSError):
            own = os.readlink(f"/proc/{pid}/ns/net")
        if f"net:[{inode}]" in (own, *descriptors(pid).values()):
            out.add(pid)
    return out


def another_has(inode):
    """Is the number of a namespace that was deleted given to another one by now?"""
    for path in NETNS.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_ino == inode:
                return True
    return bool(holders(inode))


def asleep(pid):
    """Does a process wait in poll()?"""
    return "poll" in Path(f"/proc/{pid}/wchan").read_text()


def need(*tools):
    missing = [t for t in tools if not shutil.which(t)]
    return unittest.skipIf(missing, f"needs {', '.join(missing)}")


class Sock(NamedTuple):
    state: str
    addr: str
    port: int
    peer: str
    peer_port: int


def endpoint(text):
    """ss's addr%dev:port as (addr, port), v4-mapped as v4."""
    addr, port = text.rsplit(":", 1)
    addr = addr.strip("[]").split("%")[0].strip("[]").removeprefix("::ffff:")
    return addr, int(port) if port != "*" else 0


def parse_ss(text):
    for line in text.splitlines():
        state, _, _, here, there = line.split()[:5]
        yield Sock(SS_STATES.get(state, state.replace("-", "_")), *endpoint(here), *endpoint(there))


class Drop:
    """An nft rule in a table of its own that drops, or only counts, what matches."""

    def __init__(self, ns, hook, match, verdict):
        self.ns, self.table = ns, f"e2e{ns.tables}"
        ns.tables += 1
        ns.nft(f"table inet {self.table} {{\n chain c {{\n type filter hook {hook} priority -300\n"
               f" {match} counter {verdict}\n }}\n}}\n")

    def packets(self):
        rules = self.ns.nft(f"list table inet {self.table}\n")
        return int(re.search(r"counter packets (\d+)", rules).group(1))

    def remove(self):
        self.ns.nft(f"delete table inet {self.table}\n")


class Net:
    """One network namespace."""

    home = None

    def __init__(self, lab, name):
        self.lab, self.name, self.path, self.tables, self.macs = lab, name, NETNS / name, 0, {}
        Net.home = Net.home or os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for _ in range(3):	# the very first of all sets up /run/netns and may meet another one doing so
            done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if not done.returncode:
                break
        else:
            raise unittest.SkipTest(f"cannot make a network namespace: {done.stderr.strip()}")
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self.fd).st_ino
        self.pins = PINS / str(self.inode)

    @contextlib.contextmanager
    def inside(self):
        """This thread, its new sockets and its new children, in the namespace; mounts stay as they are."""
        if libc.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(Net.home, CLONE_NEWNET)

    def popen(self, *cmd, **kw):
        with self.inside():
            p = subprocess.Popen([str(c) for c in cmd], text=True, **kw,
                                 preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.lab.children.append(p)
        return p

    def run(self, *cmd, input=None, check=True, timeout=60):
        """Standard output of a command in the namespace; without check, the finished process."""
        p = self.popen(*cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            p.stdout_text, p.stderr_text = p.communicate(input, timeout)
        finally:
            self.lab.end(p)
        if not check:
            return p
        assert p.returncode == 0, f"{' '.join(map(str, cmd))}: {p.stderr_text or p.stdout_text}"
        return p.stdout_text

    def ip(self, *lines):
        self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def nft(self, ruleset):
        return self.run("nft", "-f", "-", input=ruleset)

    def drop(self, hook, match, verdict="drop"):
        return Drop(self, hook, match, verdict)

    def sysctl(self, name, value=None):
        path = Path("/proc/sys", *name.split("."))
        with self.inside():
            return path.read_text().strip() if value is None else path.write_text(str(value))

    def socket(self, *args):
        with self.inside():
            s = socket.socket(*args)
        self.lab.sockets.append(s)
        return s

    def listen(self, addr, port=0, backlog=512):
        s = self.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in addr:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind((addr, port))
        s.listen(backlog)
        s.settimeout(10)
        return s

    def connect(self, addr, port, src=None, wait=True):
        s = self.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
        s.settimeout(10 if wait else 0)
        if src:
            s.bind(src if isinstance(src, tuple) else (src, 0))
        if wait:
            s.connect((addr, port))
        else:
            s.connect_ex((addr, port))
        return s

    def ss(self):
        return list(parse_ss(self.run("ss", "-tanH")))

    def nstat(self):
        """Counters by their nstat names: TcpPassiveOpens, TcpExtSyncookiesSent..."""
        out = {}
        with self.inside():
            text = Path("/proc/thread-self/net/snmp").read_text() + Path("/proc/thread-self/net/netstat").read_text()
        lines = text.splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            group, *names = names.split()
            out.update((group.rstrip(":") + n, int(v)) for n, v in zip(names, values.split()[1:]))
        return out

    def mac(self, dev):
        if dev not in self.macs:
            link = jsonlib.loads(self.run("ip", "-j", "link", "show", "dev", dev))
            self.macs[dev] = bytes.fromhex(link[0]["address"].replace(":", ""))
        return self.macs[dev]

    def peer_mac(self, dev):
        other = self.lab.s if self is self.lab.c else self.lab.c
        return other.mac(("s" if dev[0] == "c" else "c") + dev[1:])

    def remove(self, quiet=False):
        """Every trace of synward and of the namespace; returns what synward should have removed and did not."""
        left = ""
        if not self.path.exists():	# once it is gone, its number and so these pins may be another's
            return left
        if self.pins.exists():
            if os.path.exists(SYNWARD):
                done = subprocess.run([SYNWARD, "detach", "--all", "--netns", self.path],
                                      capture_output=True, text=True, timeout=60)
                if done.returncode or self.pins.exists():
                    left = f"detach --all left {self.pins}: exit {done.returncode} {done.stderr}"
            shutil.rmtree(self.pins, ignore_errors=True)
        for dev in ("c0", "c1", "s0", "s1"):
            subprocess.run(["ip", "-n", self.name, "link", "del", dev], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        return left


class Lab:
    """Client c and server s: c0 10.0.0.1 fd00::1 -- s0 10.0.0.2 fd00::2, and with pairs=2 the same on
    c1 -- s1 with 10.0.1.x and fd01::x. The server reaches the spoofed prefixes through the client,
    which drops them. Asymmetric: what the server sends to the client's first addresses leaves by s1."""

    def __init__(self, name, pairs=1, asymmetric=False):
        if os.geteuid():
            raise unittest.SkipTest("needs root")
        arm()
        self.children, self.sockets, self.tmp = [], [], None
        self.c = self.s = None
        labs.append(self)
        base = f"sw-{name}-{os.getpid()}"
        self.c, self.s = Net(self, base + "-c"), Net(self, base + "-s")
        self.c.ip(*(f"link add c{i} type veth peer name s{i} netns {self.s.name}" for i in range(pairs)))
        for ns, side, host in ((self.c, "c", 1), (self.s, "s", 2)):
            ns.sysctl("net.ipv6.conf.all.accept_dad", 0)
            ns.ip("link set lo up", *(line for i in range(pairs) for line in (
                f"addr add 10.0.{i}.{host}/24 dev {side}{i}",
                f"addr add fd0{i}::{host}/64 dev {side}{i} nodad",
                f"link set {side}{i} up")))
            for i in range(pairs):
                ns.run("ethtool", "-K", f"{side}{i}", "tx", "off")
        for ns, side, host in ((self.c, "c", 2), (self.s, "s", 1)):
            macs = [ns.peer_mac(f"{side}{i}").hex(":") for i in range(pairs)]
            ns.ip(*(f"neigh replace {net}{host} lladdr {mac} dev {side}{i} nud permanent"
                    for i, mac in enumerate(macs) for net in (f"10.0.{i}.", f"fd0{i}::")))
        self.s.ip(f"route add 198.18.0.0/15 via {C4}", f"route add fd99::/64 via {C6}")
        self.c.nft("table inet sink {\n chain c {\n type filter hook prerouting priority -301\n"
                   " ip daddr 198.18.0.0/15 drop\n ip6 daddr fd99::/64 drop\n }\n}\n")
        if asymmetric:
            self.s.ip(f"route add {C4}/32 via 10.0.1.1 dev s1 src {S4}",
                      f"route add {C6}/128 via fd01::1 dev s1 src {S6}")

    def close(self):
        """Safe to call again after an interruption at any point."""
        for p in list(self.children):
            self.end(p)
        for s in self.sockets:
            s.close()
        left = [ns.remove() for ns in (self.c, self.s) if ns]
        if self.tmp:
            self.tmp.cleanup()
        if self in labs:
            labs.remove(self)
            for ns in (self.c, self.s):
                if ns:
                    os.close(ns.fd)
        assert not any(left), "\n".join(left)

    def end(self, p):
        if p.poll() is None:
            p.kill()
            p.wait()
        for stream in (p.stdin, p.stdout, p.stderr):
            if stream:
                stream.close()
        if p in self.children:
            self.children.remove(p)

    def dir(self):
        self.tmp = self.tmp or tempfile.TemporaryDirectory(prefix="synward-e2e-")
        return Path(self.tmp.name)

    # The kernels' view

    def listen(self, v6=False, port=8080, backlog=512):
        return self.s.listen("::" if v6 else "0.0.0.0", port, backlog)

    def pair(self, listener, src=None):
        """One connection from the client to a listener of the server: (client socket, server socket)."""
        v6 = listener.family == socket.AF_INET6
        c = self.c.connect(S6 if v6 else S4, listener.getsockname()[1], src)
        s, _ = listener.accept()
        self.sockets.append(s)
        return c, s

    def kernel(self):
        """{(client addr, port, server addr, port): (client state, server state)}, sides by namespace."""
        out = collections.defaultdict(lambda: ["CLOSED", "CLOSED"])
        for x in self.c.ss():
            if x.state not in ("LISTEN", "CLOSED"):
                out[x.addr, x.port, x.peer, x.peer_port][0] = x.state
        for x in self.s.ss():
            if x.state not in ("LISTEN", "CLOSED"):
                out[x.peer, x.peer_port, x.addr, x.port][1] = x.state
        return {k: tuple(v) for k, v in out.items()}

    # synward's view

    def synward(self, *args, json=True, expect=0, ns=None, timeout=60):
        """Runs synward on the server's namespace. The JSON document, or the finished process when json
        is False or the expected exit status is not 0 (None: any)."""
        assert os.path.exists(SYNWARD), f"no synward at {SYNWARD}: run make, or set SYNWARD"
        cmd = [SYNWARD, *map(str, args), "--netns", str((ns or self.s).path)] + ["--json"] * json
        done = subprocess.run(cmd, capture_output=True, text=True, timeout=timeout)
        said = f"{' '.join(cmd)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        assert expect is None or done.returncode == expect, said
        if not json or done.returncode or expect != 0:
            return done
        try:
            return jsonlib.loads(done.stdout)
        except ValueError as why:
            raise AssertionError(f"not one JSON document ({why}): {said}") from None

    def verify(self, ns=None):
        """The document of `verify`; its exit status says the same."""
        done = self.synward("verify", ns=ns, expect=None)
        assert done.returncode in (0, 3), f"verify: exit {done.returncode} {done.stdout}{done.stderr}"
        doc = jsonlib.loads(done.stdout)
        wrong = [x for kind in ("differ", "only_mirror", "only_kernel") for x in doc[kind]]
        assert (done.returncode == 3) == bool(wrong), f"verify: exit {done.returncode} {done.stdout}"
        assert doc["compared"] == doc["agree"] + len(wrong), done.stdout
        return doc

    def attach(self, *args, devs=("s0",), ns=None):
        return self.synward("attach", *devs, *args, ns=ns)

    def flows(self, *args, ns=None):
        return self.synward("flows", *args, ns=ns)

    def mirror(self, ns=None):
        """As kernel(), from `flows`: no socket where it says LISTEN. No connection may be shown twice."""
        out = {}
        here = {"10.0.0.2", "10.0.1.2", "fd00::2", "fd01::2"}
        for f in self.flows(ns=ns):
            ends = [f["client"], f["server"]]
            if ends[0]["addr"] in here:
                ends.reverse()
            states = tuple("CLOSED" if e["state"] == "LISTEN" else e["state"] for e in ends)
            if states == ("CLOSED", "CLOSED"):
                continue
            key = tuple(e[k] for e in ends for k in ("addr", "port"))
            assert key not in out, f"{key} shown twice: {out[key]} and {states}"
            out[key] = states
        return out

    def listener(self, port, addr=None):
        found = [x for x in self.synward("listeners") if x["port"] == port and addr in (None, x["addr"])]
        assert len(found) == 1, f"listeners on port {port}: {found}"
        return found[0]

    # Traffic

    def nginx(self, port=80):
        d = self.dir()
        temps = " ".join(f"{x}_temp_path {d}/{x};" for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (d / "nginx.conf").write_text(
            f"daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log {d}/error.log;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; {temps}\n"
            f" server {{ listen {port}; listen [::]:{port}; return 200 \"synward\\n\"; }} }}\n")
        p = self.s.popen("nginx", "-p", d, "-c", d / "nginx.conf", "-e", d / "error.log")
        wait_until(lambda: sum(x.state == "LISTEN" and x.port == port for x in self.s.ss()) == 2, what="nginx")
        return p

    def wrk(self, url, seconds=5, connections=32, headers=("Connection: close",)):
        """Number of requests that wrk completed."""
        extra = [a for h in headers for a in ("-H", h)]
        out = self.c.run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *extra, url, timeout=seconds + 30)
        return int(re.search(r"(\d+) requests in", out).group(1))


labs = []


def close_all():
    for lab in list(labs):
        with contextlib.suppress(AssertionError):
            lab.close()


def arm(done=[]):
    """Labs end with the process, whatever ends it; only what SIGKILL leaves is for reap()."""
    if done:
        return
    done.append(True)
    atexit.register(close_all)

    def leave(number, _frame):
        close_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)


def reap():
    """Removes the namespaces of test processes that are no more."""
    for path in NETNS.glob("sw-*") if NETNS.exists() else ():
        m = re.fullmatch(r"sw-.*-(\d+)-\w+", path.name)
        if m and not os.path.exists(f"/proc/{m.group(1)}"):
            ns = Net.__new__(Net)
            with contextlib.suppress(FileNotFoundError):	# another run reaps it as well
                ns.name, ns.path, ns.pins = path.name, path, PINS / str(path.stat().st_ino)
                ns.remove()


def histogram(states):
    """Counts of the states of sockets, given one by one or counted: neither LISTEN nor CLOSED nor zeros."""
    return {k: n for k, n in collections.Counter(states).items() if k not in ("LISTEN", "CLOSED") and n}


class LabTest(unittest.TestCase):
    def lab(self, **kw):
        self.labs = getattr(self, "labs", 0) + 1
        number = f"-{self.labs}" * (self.labs > 1)
        lab = Lab(self._testMethodName.removeprefix("test_") + number, **kw)
        self.addCleanup(lab.close)
        return lab

    def assert_same(self, kernel, mirror, what="connections"):
        """Two views of many connections: says where they differ, without a diff that takes seconds."""
        differ = [f"{k}: {kernel.get(k)} -> {mirror.get(k)}" for k in kernel.keys() | mirror.keys()
                  if kernel.get(k) != mirror.get(k)]
        assert not differ, f"{len(differ)} {what} differ:\n" + "\n".join(sorted(differ)[:10])

    def assert_verified(self, lab, ns=None, **counts):
        """`verify` finds no difference, and counts as told."""
        doc = lab.verify(ns)
        wrong = {k: doc[k][:5] for k in ("differ", "only_mirror", "only_kernel") if doc[k]}
        assert not wrong, f"verify: {doc['compared']} compared, {doc['agree']} agree: {wrong}"
        self.assertEqual({k: doc[k] for k in counts}, counts)
        return doc

    def assert_agree(self, lab, timeout=10, ns=None, connections=None):
        """flows, states and verify say what ss says in both namespaces; every flow was opened by the client."""
        def check():
            before = lab.kernel()
            mirror, hist, after = lab.mirror(ns), lab.synward("states", ns=ns), lab.kernel()
            self.assert_same(before, after, "sockets do not rest,")
            self.assert_same(before, mirror, "flows (kernel -> mirror)")
            for side, column in (("client", 0), ("server", 1)):
                self.assertEqual(histogram(hist[side]), histogram(v[column] for v in before.values()), side)
            self.assertEqual(hist["local"], hist["client" if ns is lab.c else "server"])
            self.assertEqual(hist["remote"], hist["server" if ns is lab.c else "client"])
            if connections is not None:
                self.assertEqual(len(before), connections)
            self.assert_verified(lab, ns, agree=sum(v[ns is not lab.c] != "CLOSED" for v in before.values()))
            return before
        return eventually(check, timeout)
