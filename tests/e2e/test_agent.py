# SPDX-License-Identifier: GPL-2.0
"""The agent: what it follows, what it writes into its log, and what goes wrong around it."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from agent import PORT, AgentTest, parse_metrics
from guard import Flood, quiet_kill, said
from lab import C4, PINS, S4, SYNWARD, eventually, need, wait_until

@contextlib.contextmanager
def open_dir(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


CAPS = {12, 38, 39}	# CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF


class Follows(AgentTest):
    def test_agent_attaches_and_stays(self):
        """It attaches what is not attached; it ends, and all stays; --detach-on-exit, and nothing does."""
        lab = self.lab(pairs=2)
        lab.attach(devs=("s0",))
        agent = self.agent(lab, "s0", "s1")
        self.assertEqual(self.devices(lab), ["s0", "s1"])
        self.assertNotIn("s0: attached", agent.log())
        self.assertEqual(agent.end(), 0)
        self.assertEqual(self.devices(lab), ["s0", "s1"])
        agent = self.agent(lab, "s0", "--detach-on-exit")
        self.assertEqual(agent.end(signal.SIGINT), 0)
        self.assertEqual(self.devices(lab), ["s1"])
        agent = self.agent(lab, "--detach-on-exit")	# takes what is attached
        agent.said("watching s1")
        self.assertEqual(agent.end(), 0)
        self.assertFalse(lab.s.pins.exists())

    def test_agent_device_comes_and_goes(self):
        """One that is not there yet is waited for; one that went is attached again; the other counts on."""
        lab = self.lab(pairs=2)
        agent = self.agent(lab, "s0", "s1", "new0")
        agent.said("new0: there is no such device yet")
        lab.s.ip("link add new0 type veth peer name new1", "link set new0 up")
        agent.said("new0: attached")
        self.assert_watching(lab, "s0", "s1", "new0")
        listener = lab.listen()
        lab.pair(listener)
        eventually(lambda: self.assertEqual(lab.synward("states")["server"]["ESTABLISHED"], 1))
        lab.s.run("ip", "link", "del", "s1")
        agent.said("s1: the device is gone")
        self.assert_watching(lab, "s0", "new0")
        lab.s.ip("link add s1 type veth peer name new2", "link set s1 up")
        agent.said("s1: attached", times=2)
        self.assert_watching(lab, "s0", "s1", "new0")
        self.assertEqual(lab.synward("states")["server"]["ESTABLISHED"], 1)

    def test_agent_leaves_what_was_detached(self):
        """Who detaches by hand is not fought; SIGHUP attaches again."""
        lab = self.lab(pairs=2)
        agent = self.agent(lab, "s0", "s1")
        lab.synward("detach", "s1")
        time.sleep(2)
        self.assertEqual(self.devices(lab), ["s0"])
        lab.synward("detach", "--all")
        agent.said("nothing is attached")
        self.assertEqual(agent.metric("synward_attached"), 0)
        agent.hup()
        agent.said("attached, XDP", times=4)
        self.assert_watching(lab, "s0", "s1")
        eventually(lambda: self.assertEqual(agent.metric("synward_attached"), 1))

    def test_agent_follows_listeners(self):
        """Of a socket that begins to listen later the guard knows the backlog; its policy is set once."""
        lab = self.lab()
        config = self.config(lab, 'devices = { s0 }\nlistener "8080" {\n mode = off\n hold = 7\n}\n'
                                  'listener "8081" {\n hold = 9\n}\n')
        self.agent(lab, "--config", config)
        lab.listen(port=8080, backlog=200)
        eventually(lambda: self.assertEqual(self.guard(lab)["guard"]["mode"], "off"), 30)
        self.assertEqual((self.guard(lab)["guard"]["hold_s"], self.guard(lab)["guard"]["high"]), (7, 100))
        lab.synward("guard", "auto", "--listener", "8080")
        lab.listen(port=8081, backlog=300)
        eventually(lambda: self.assertEqual(self.guard(lab, 8081)["guard"]["hold_s"], 9), 30)
        self.assertEqual(self.guard(lab)["guard"]["mode"], "auto")


class Configured(AgentTest):
    def test_agent_config(self):
        """What the file says, then what another one says."""
        lab = self.lab(pairs=2)
        lab.listen(port=8080)
        config = self.config(lab, "devices = { s0 }\nmax-flows = 1000\nguard {\n mode = on\n live = no\n}\n")
        agent = self.agent(lab, "--config", config)
        self.assertEqual(self.devices(lab), ["s0"])
        self.assertLess(lab.synward("status")["flows"]["max"], 2000)
        guard = lab.synward("guard")["guard"]
        self.assertEqual((guard["mode"], guard["dry_run"]), ("on", True))
        maps = (lab.s.pins / "meta").stat().st_ino
        self.config(lab, 'devices = { s1 }\nmax-flows = 1000\nhttp = "127.0.0.1:9999"\n'
                         'guard {\n mode = auto\n live = yes\n high = 50\n low = 10\n}\n'
                         'listener "0.0.0.0:8080" {\n method = drop\n}\n')
        agent.hup()
        agent.said("configuration read")
        self.assert_watching(lab, "s1")
        self.assertEqual((lab.s.pins / "meta").stat().st_ino, maps, "everything went with the last device")
        guard = lab.synward("guard")["guard"]
        self.assertEqual((guard["mode"], guard["dry_run"], guard["high"], guard["low"]), ("auto", False, 50, 10))
        self.assertEqual(self.guard(lab)["guard"]["method"], "drop")
        self.assertTrue(agent.metrics(9999))
        with self.assertRaises(ConnectionRefusedError):
            agent.metrics()
        self.assertNotIn("stay as they were", agent.log())
        self.config(lab, "devices = { s1 }\nmax-flows = 2000\nhttp = off\n")	# no guard: its policy stays
        agent.hup()
        agent.said("configuration read", times=2)
        agent.said("max-flows, .* stay as they were at the first attach")
        with self.assertRaises(ConnectionRefusedError):
            agent.metrics(9999)
        self.assertEqual(lab.synward("guard")["guard"]["mode"], "auto")
        self.assertFalse(lab.synward("guard")["guard"]["dry_run"])

    def test_agent_keeps_a_temporary_policy(self):
        """`guard --for` outlives a restart of the agent whose configuration says the same as holds after it."""
        lab = self.lab()
        lab.listen()
        config = self.config(lab, "devices = { s0 }\nguard { mode = auto }\n")
        agent = self.agent(lab, "--config", config)
        lab.synward("guard", "on", "--for", "1h")
        quiet_kill(agent.p)
        self.agent(lab, "--config", config)
        self.assertEqual(lab.synward("guard")["guard"]["mode"], "on")
        self.assertIsNotNone(lab.synward("guard")["guard"]["until"])

    def test_agent_bad_config(self):
        """The message names file and line; at start nothing is done, later the configuration of before stays."""
        lab = self.lab(pairs=2)
        bad = (("devices = { s0 }\nnosuch = 1\n", 2, "nosuch"), ("guard {\n\n mode = always\n}\n", 3, "always"),
               ("guard {\n mode = auto\n", None, "brace"), ("max-flows = 12x\n", 1, "max-flows"),
               ("\n\nhttp = nowhere\n", 3, "nowhere"), ("guard {\n high = 5\n low = 9\n}\n", 3, "low"),
               ('listener "x" {\n}\n', 2, "listener"), ("secret = /nosuch/file\n", 1, "/nosuch/file"),
               ("devices = { s0, s0 }\n", 1, "s0"), ("/* devices = { s0 }\n", None, "comment"), ("}\n", 1, "brace"),
               ("guard {\n ${NOSUCH}\n}\n", None, "parsed"), ("devices = { " + "x" * 16 + " }\n", 1, "x"), ("detach-on-exit = maybe\n", 1, "detach-on-exit"))
        for text, line, word in bad:
            with self.subTest(text=text):
                config = self.config(lab, text)
                done = lab.synward("run", "--config", config, json=False, expect=1)
                self.assertRegex(done.stderr, rf"^synward: {re.escape(str(config))}:{line or '[0-9]+'}: .*{word}")
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertFalse(lab.s.pins.exists())
        for path, why in (("/nosuch/synward.conf", "No such file"), (lab.dir(), "directory")):
            self.assertIn(why, lab.synward("run", "--config", path, json=False, expect=1).stderr)
        config = self.config(lab, "devices = { s0 }\nguard { mode = on }\n")
        agent = self.agent(lab, "--config", config)
        self.config(lab, "devices = { s1 }\nguard {\n mode = off\n hold = 0\n}\n")
        agent.hup()
        self.assertRegex(agent.said("stays"), r"synward\.conf:4: hold wants .*; the configuration of before stays")
        config.unlink()
        agent.hup()
        agent.said("cannot open .*; the configuration of before stays")
        self.assertEqual(self.devices(lab), ["s0"])
        self.assertEqual(lab.synward("guard")["guard"]["mode"], "on")
        self.assertTrue(agent.metrics())

    def test_agent_nothing_to_do(self):
        lab = self.lab()
        self.assertIn("--config", lab.synward("run", json=False, expect=1).stderr)
        for args in (("s0", "--http", "nowhere"), ("s0", "--http", "127.0.0.1:0"), ("s0", "s0"), ("x" * 16,)):
            self.assertEqual(len(lab.synward("run", *args, json=False, expect=1).stderr.splitlines()), 1)
        self.assertFalse(lab.s.pins.exists())


class Trouble(AgentTest):
    def test_agent_killed_in_flood(self):
        """kill -9 in mid-flood and again: the guard keeps the flood off all the time, and counters go on."""
        lab = self.lab()
        self.echo(lab, backlog=256)
        config = self.config(lab, "devices = { s0 }\nguard {\n mode = auto\n live = yes\n hold = 3\n}\n")
        agent = self.agent(lab, "--config", config)
        said(lab.c.connect(S4, 8080))
        flood = Flood(lab, S4, 8080, rate=20000)
        self.assert_armed(lab)
        agent.said(r"0\.0\.0\.0:8080: armed, by cookie")
        agent.said(r"0\.0\.0\.0:8080 is under attack: \d+ SYNs a second")
        name = {"listener": "0.0.0.0:8080"}
        eventually(lambda: self.assertGreater(agent.metric("synward_kept_off_total", **name), 10000))
        before = agent.metrics()
        quiet_kill(agent.p)
        gap = [self.guard(lab)["kept_off"]]
        for _ in range(5):
            time.sleep(0.2)
            said(lab.c.connect(S4, 8080))
            entry = self.guard(lab)
            self.assertTrue(entry["guard"]["armed"])
            gap.append(entry["kept_off"])
        self.assertEqual(gap, sorted(set(gap)), "not every SYN of the gap was kept off")
        again = self.agent(lab, "--config", config)
        again.said("0.0.0.0:8080: the guard is armed, for [1-9]")
        after = again.metrics()
        for key, value in before.items():
            if key[0].endswith("_total") or key[0].endswith("_count"):
                self.assertGreaterEqual(after.get(key, -1), value, key)
        self.assertGreater(after["synward_kept_off_total", tuple(name.items())], gap[-1] - 1)
        self.assertEqual(again.metric("synward_attack", **name), 1)
        said(lab.c.connect(S4, 8080))
        flood.end()
        line = again.said("disarmed after")
        self.assertRegex(line, r"an attack: \d+ SYNs, \d+ a second at most, .* kept off, \d+ connections by cookie; most from 198\.")
        self.assertNotIn("would have", line)
        self.assertEqual(again.metric("synward_attack", **name), 0)
        lab.synward("guard", "off")
        again.said("guard of all listeners: off, live")

    def test_agent_always_armed(self):
        """A listener that is armed always does not arm; an attack and its end are told all the same."""
        lab = self.lab()
        self.echo(lab)
        agent = self.agent(lab, "--config", self.config(lab, "devices = { s0 }\nguard {\n mode = on\n live = yes\n}\n"))
        self.known(lab, v6=(False,))
        name = {"listener": "0.0.0.0:8080"}
        self.assertEqual(agent.metric("synward_attack", **name), 0)
        flood = Flood(lab, S4, 8080, rate=5000)
        agent.said(r"0\.0\.0\.0:8080 is under attack: \d+ SYNs a second")
        self.assertEqual(agent.metric("synward_attack", **name), 1)
        flood.end()
        agent.said("0.0.0.0:8080: the attack is over")
        self.assertEqual(agent.metric("synward_attack", **name), 0)

    def test_agent_port_taken(self):
        """At start: said, and nothing attached. Later: said, and HTTP stays where it was."""
        lab = self.lab()
        taken = lab.s.listen("127.0.0.1", 7777)
        done = lab.synward("run", "s0", "--http", "127.0.0.1:7777", json=False, expect=1)
        self.assertRegex(done.stderr, r"^synward: cannot serve HTTP at 127\.0\.0\.1:7777: Address already in use; .*--http")
        self.assertFalse(lab.s.pins.exists())
        config = self.config(lab, "devices = { s0 }\n")
        agent = self.agent(lab, "--config", config)
        self.config(lab, 'devices = { s0 }\nhttp = "127.0.0.1:7777"\n')
        agent.hup()
        agent.said("cannot serve HTTP at 127.0.0.1:7777: Address already in use.*; it stays where it was")
        self.assertTrue(agent.metrics())
        taken.close()
        agent.hup()
        agent.said("configuration read", times=2)
        self.assertTrue(agent.metrics(7777))

    def test_agent_other_command_hangs(self):
        """Another command has the lock and does not go on: page and metrics do, and what is due is done afterwards."""
        lab = self.lab()
        config = self.config(lab, 'devices = { s0 }\nlistener "8080" { mode = off }\n')
        agent = self.agent(lab, "--config", config)
        with open_dir(PINS) as fd:
            fcntl.flock(fd, fcntl.LOCK_EX)
            lab.listen(port=8080)
            for _ in range(3):	# as long as the test has the lock, nobody else's command goes on either
                begin = time.monotonic()
                self.assertEqual(agent.metric("synward_attached"), 1)
                self.assertLess(time.monotonic() - begin, 5)
                time.sleep(0.5)
            self.assertEqual(self.guard(lab)["guard"]["mode"], "auto")
        eventually(lambda: self.assertEqual(self.guard(lab)["guard"]["mode"], "off"), 30)

    @need("mount")
    def test_agent_full_disk(self):
        """A log that cannot be written stops nothing, and says afterwards how much is missing."""
        lab = self.lab()
        disk = lab.dir() / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        agent = self.agent(lab, "s0", log=disk / "log")
        with open(disk / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 512):
                    pass
            except OSError:
                pass
        (disk / "log").write_text("x" * 4090)	# its page is full as well
        before = (disk / "log").stat().st_size
        for mode in ("off", "on", "off"):
            lab.synward("guard", mode)
            time.sleep(1.1)
        self.assertTrue(agent.metrics())
        self.assertLess((disk / "log").stat().st_size - before, 200)
        (disk / "ballast").unlink()
        lab.synward("guard", "auto")
        agent.said(r"[1-9]\d* lines of this log could not be written")
        agent.said("guard of all listeners: auto")

    def test_agent_log_goes_away(self):
        """Who reads its log may leave."""
        lab = self.lab()
        p = lab.s.popen(SYNWARD, "run", "s0", stderr=subprocess.PIPE)
        self.assertIn("attached", p.stderr.readline())
        p.stderr.close()
        p.stderr = None
        for mode in ("on", "off"):
            lab.synward("guard", mode)
            time.sleep(1.2)
        self.assertIsNone(p.poll())

    def test_agent_slow_clients(self):
        """Half a request, no request, and watchers that never read: others are answered, and these let go."""
        lab = self.lab()
        agent = self.agent(lab, "s0")
        begin = time.monotonic()
        for i in range(40):
            agent.raw((b"", b"GET / HTT", b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00\xff\r\n")[i % 4])
        agent.raw(b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\n\r\n")
        for _ in range(5):
            then = time.monotonic()
            self.assertTrue(agent.metrics())
            self.assertLess(time.monotonic() - then, 5)
            time.sleep(0.5)
        status = open(f"/proc/{agent.p.pid}/status").read()
        fds = len(os.listdir(f"/proc/{agent.p.pid}/fd"))
        self.assertGreater(fds, 30)
        # watchers that are sent little are no burden: their socket takes it
        wait_until(lambda: len(os.listdir(f"/proc/{agent.p.pid}/fd")) <= fds - 20, 20, "silent clients are let go")
        self.assertGreater(time.monotonic() - begin, 5)
        self.assertTrue(agent.metrics())
        rss = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
        self.assertLess(rss, 256 << 10)

    @need("setpriv")
    def test_agent_capabilities(self):
        """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough, for all of it."""
        lab = self.lab()
        listener = lab.listen(port=8080)
        agent = self.agent(lab, "s0", before=("setpriv", "--bounding-set=-all,+bpf,+net_admin,+perfmon", "--inh-caps=-all",
                                              "--no-new-privs"))
        text = open(f"/proc/{agent.p.pid}/status").read()
        for kind in ("Eff", "Prm", "Bnd"):
            caps = int(re.search(rf"Cap{kind}:\s+(\w+)", text).group(1), 16)
            self.assertEqual(caps, sum(1 << n for n in CAPS), kind)
        lab.pair(listener)
        eventually(lambda: self.assertEqual(agent.metric("synward_flows", side="server", state="ESTABLISHED"), 1))
        unit = open(os.path.join(os.path.dirname(__file__), "../../user/dist/synward.service")).read()
        self.assertIn("\nCapabilityBoundingSet=CAP_BPF CAP_NET_ADMIN CAP_PERFMON\n", unit)

    def test_agent_notifies(self):
        """sd_notify: ready, the watchdog's food, reloads, the end; the journal's levels."""
        lab = self.lab()
        path = lab.dir() / "notify"
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(path))
        server.settimeout(40)
        self.addCleanup(server.close)
        config = self.config(lab, "devices = { s0 }\n")
        log = lab.dir() / "journal"
        log.touch()
        st = log.stat()
        env = dict(os.environ, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="3000000", JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}")
        agent = self.agent(lab, "--config", config, log=log, env=env)

        def until(want):
            got = []
            while want not in got:
                got += server.recv(1000).decode().splitlines()
            return got
        until("READY=1")
        begin = time.monotonic()
        for _ in range(3):
            until("WATCHDOG=1")
        self.assertLess(time.monotonic() - begin, 9)
        agent.hup()
        self.assertIn("RELOADING=1", until("READY=1"))
        self.assertEqual(agent.end(), 0)
        until("STOPPING=1")
        self.assertTrue(all(re.match(r"<[3-6]>\S", line) for line in log.read_text().splitlines()), log.read_text())

    @need("systemd-analyze")
    def test_agent_unit(self):
        """The shipped unit is one that systemd understands, and hardened."""
        unit = os.path.join(os.path.dirname(__file__), "../../user/dist/synward.service")
        d = self.lab().dir()
        text = open(unit).read().replace("/usr/local/sbin/synward", SYNWARD)
        (d / "synward.service").write_text(re.sub("(?m)^Documentation=.*\n", "", text))
        done = subprocess.run(["systemd-analyze", "verify", d / "synward.service"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # with it bpffs stays read-only, which only a systemd that runs it would show
        self.assertNotIn("ProtectKernelTunables", re.sub("(?m)^#.*", "", text))
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=30", unit],
                              capture_output=True, text=True, timeout=60)
        if "unrecognized option" in done.stderr:	# before 250
            raise unittest.SkipTest("needs systemd-analyze security --offline")
        self.assertEqual(done.returncode, 0, done.stdout[-200:])

    def test_agent_json_log(self):
        lab = self.lab()
        p = lab.s.popen(SYNWARD, "run", "s0", "--json", stdout=subprocess.PIPE)
        lines = [p.stdout.readline() for _ in range(2)]
        for line in lines:
            self.assertEqual(set(json.loads(line)), {"time", "level", "message"})
        self.assertIn("s0", json.loads(lines[0])["message"])


class Serves(AgentTest):
    def test_agent_http(self):
        """Reads only, by its own names only, and the page is one file that asks nobody else."""
        lab = self.lab()
        agent = self.agent(lab, "s0")
        status, headers, page = agent.get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertLess(len(page.encode()), 100_000)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertEqual(re.findall(r"(?:src|href|url|import)\s*[=(]\s*[\"']?(?:https?:)?//", page), [])
        self.assertNotIn("<!-- page.", page)
        self.assertEqual(agent.get("/", method="HEAD")[0], 200)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(agent.get("/", method=method)[0], 405, method)
        for path in ("/nosuch", "/../etc/passwd", "/metrics/", "//"):
            self.assertEqual(agent.get(path)[0], 404, path)
        for host, status in (("localhost", 200), ("LOCALHOST:9293", 200), ("127.0.0.1:9293", 200), ("[::1]:9293", 200),
                             ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403)):
            self.assertEqual(agent.get("/metrics", headers={"Host": host})[0], status, host)
        with self.assertRaises(OSError):	# loopback only
            lab.c.connect(S4, PORT)
        agent.end()
        agent = self.agent(lab, "s0", "--http", f"{S4}:{PORT}")
        self.assertIn(b"200 OK", self.fetch(lab, "/metrics"))
        self.assertEqual(agent.get("/metrics", host=S4, headers={"Host": "any.example"})[0], 200)
        agent.end()
        agent = self.agent(lab, "s0", "--http", "[::1]:80")
        self.assertEqual(agent.get("/metrics", port=80, host="::1")[0], 200)

    def fetch(self, lab, path):
        s = lab.c.connect(S4, PORT)
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        data = b""
        while more := s.recv(65536):
            data += more
        return data

    CONTRACT = ("flows half_open pending challenged syn_backlog syn_total handshakes_total handshake_seconds_bucket "
                "packets_total cookies_total kept_off_total guard_armed table_entries table_max_entries "
                "events_lost_total").split()

    def test_agent_metrics(self):
        """The numbers are those of the commands, under the names that are promised, and no client is among the labels."""
        lab = self.lab()
        lab.nginx()
        agent = self.agent(lab, "s0")
        reader = lab.s.popen(SYNWARD, "events", "--type", "state", "--rate", 1, stdout=subprocess.DEVNULL)
        wait_until(lambda: (lab.s.pins / "readers").exists() and lab.synward("status")["events"]["readers"] == 1, 20)
        for _ in range(30):
            lab.c.run("curl", "-s", f"http://{S4}/")
        try:
            lab.c.connect(S4, 81)
        except ConnectionRefusedError:
            pass
        held = [lab.c.connect(S4, 80) for _ in range(5)]

        def check():
            states, listener = lab.synward("states"), lab.listener(80, "0.0.0.0")
            status, text = lab.synward("status"), agent.get("/metrics")[2]
            m = parse_metrics(text)
            flows = {(labels[0][1], labels[1][1]): n for (name, labels), n in m.items() if name == "synward_flows"}
            self.assertEqual(flows, {(side, s): n for side in ("client", "server") for s, n in states[side].items()})
            at = (("listener", "0.0.0.0:80"),)
            for name, value in (("syn_total", listener["syn"]), ("half_open", 0), ("pending", 0), ("challenged", 0),
                                ("syn_backlog", 511), ("kept_off_total", 0), ("guard_armed", 0), ("guard_dry_run", 1)):
                self.assertEqual(m[f"synward_{name}", at], value, name)
            self.assertEqual(m["synward_handshakes_total", at + (("outcome", "completed"),)], 35)
            self.assertEqual(listener["completed"], 35)
            packets = {dict(labels)["reason"]: n for (name, labels), n in m.items() if name == "synward_packets_total"}
            self.assertEqual(packets, status["reasons"])
            self.assertEqual(m["synward_table_entries", (("table", "flows"),)], status["flows"]["used"])
            self.assertEqual(m["synward_table_max_entries", (("table", "half_open"),)], status["half_open"]["max"])
            return text, m
        text, m = eventually(check)
        self.assertEqual(set(), {f"synward_{n}" for n in self.CONTRACT} - {name for name, _ in m})
        self.assertNotIn(C4, text)
        self.assertGreater(m["synward_events_lost_total", ()], 100)
        reader.terminate()
        for part in ("server", "client"):
            at = (("part", part),)
            self.assertEqual(m["synward_handshake_seconds_count", at], 35)
            buckets = [n for (name, labels), n in m.items() if name == "synward_handshake_seconds_bucket" and at[0] in labels]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(buckets[-1], 35)
            self.assertLess(m["synward_handshake_seconds_sum", at], 35)
        moves = {labels: n for (name, labels), n in m.items() if name == "synward_transitions_total"}
        at = (("side", "client"), ("from", "SYN_SENT"), ("to", "ESTABLISHED"))
        self.assertEqual(moves[at], 35)
        self.formats(agent, text)
        held.clear()

    def formats(self, agent, text):
        """The old text format for who does not ask for OpenMetrics; promtool is content."""
        _, headers, new = agent.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
        self.assertEqual(headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(new.endswith("\n# EOF\n"))
        self.assertIn("# TYPE synward_syn counter\n", new)
        self.assertIn("# TYPE synward_syn_total counter\n", text)
        self.assertEqual(parse_metrics(new).keys(), parse_metrics(text).keys())
        if not shutil.which("promtool"):
            print("note: no promtool: metrics not checked by it")
            return
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_agent_hostile_name(self):
        """A device's name may hold nearly anything: it does not get out of its label, nor into the terminal."""
        lab = self.lab(pairs=2)
        name = 'x"\\{}\x1b[1m'
        lab.s.run("ip", "link", "set", "s1", "down")
        lab.s.run("ip", "link", "set", "s1", "name", name)
        agent = self.agent(lab, name)
        text = agent.get("/metrics")[2]
        parse_metrics(text)
        self.assertIn('dev="x\\"\\\\{}\\\\x1b[1m"', text)
        self.assertNotIn("\x1b", text + agent.log())
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        agent.end()
