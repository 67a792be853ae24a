# SPDX-License-Identifier: GPL-2.0
"""The page in headless Chromium against a live agent: its numbers are those of the commands."""

import re
import subprocess
import time

from agent import PORT, AgentTest
from browser import Browser, find
from guard import Flood, quiet_kill, said
from lab import ROOT, S4, STATES, eventually

URL = f"http://127.0.0.1:{PORT}/"
# Contrast of text against what is behind it, as WCAG 2 defines it; the least of all texts that are shown
CONTRAST = """(() => {
	const lum = c => c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
		if (c.length === 3 || c[3]) return c.slice(0, 3); } return [255, 255, 255]; };
	let least = [99, ""];
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
		if (!own || !e.getClientRects().length || ["STYLE", "SCRIPT", "TITLE", "title", "desc"].includes(e.tagName)) continue;
		const svg = e.closest("svg"), a = lum(rgb(getComputedStyle(e)[svg ? "fill" : "color"]).slice(0, 3));
		const b = lum(svg && e.closest("g") ? rgb(getComputedStyle(e.closest("g").querySelector("rect")).fill) : behind(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < least[0]) least = [ratio, e.tagName + "." + e.getAttribute("class") + ": " + e.textContent];
	}
	return least;
})()"""


class Page(AgentTest):
    def setUp(self):
        find()
        self.net = self.lab()

    def open(self, **kw):
        page = Browser(self.net, self.net.s, **kw)
        page.go(URL)
        eventually(lambda: self.assertRegex(self.link(page), "^live, "), 20)
        return page

    def link(self, page):
        return page.eval("document.getElementById('link').textContent")

    def number(self, page, what):
        return int(re.sub(r"\D", "", page.eval(f"document.getElementById('{what}').textContent")) or -1)

    def states(self, page):
        """As `states --json` has them, from the table; and from the diagram, as its boxes spell them."""
        shown = page.eval("Object.fromEntries([...document.querySelectorAll('#states td')].map(e => [e.id, e.textContent]))")
        boxes = page.eval("[...document.querySelectorAll('#diagram g')].map(g => [...g.querySelectorAll('text')].map(t => t.textContent))")
        return ({side: {s: int(shown[f"{side}-{s}"].replace(",", "")) for s in STATES} for side in ("client", "server")},
                dict(boxes))

    def assert_same_numbers(self, page):
        def check():
            doc = self.net.synward("states")
            table, boxes = self.states(page)
            self.assertEqual(table, {side: doc[side] for side in ("client", "server")})
            self.assertEqual(boxes, {s: f"▲ {doc['client'][s]:,}● {doc['server'][s]:,}" for s in STATES})
            for what in ("flows", "half_open", "pending", "challenged"):
                self.assertEqual(self.number(page, what), doc[what], what)
            return doc
        return eventually(check, 15)

    def rates(self, page):
        """{(from, to): (client, server)} of the table, as text, and the labels of the drawing at that moment."""
        rows, labels = page.eval("""[[...document.querySelectorAll('#arrows tbody tr')].map(
            r => [...r.cells].map(c => c.textContent)),
            [...document.querySelectorAll('#diagram > text')].map(t => t.textContent)]""")
        return {(f, t): (c, s) for f, t, _, c, s in rows}, labels

    def assert_arrows(self, page):
        """The arrows that connecting and closing took, per second over the last five, and no other."""
        rates, labels = self.rates(page)
        rates = {k: v for k, v in rates.items() if v != ("0", "0")}
        self.assertLessEqual(set(rates), {("CLOSED", "LISTEN"), ("CLOSED", "SYN_SENT"), ("LISTEN", "SYN_RCVD"),
                                          ("SYN_RCVD", "ESTABLISHED"), ("SYN_SENT", "ESTABLISHED"),
                                          ("ESTABLISHED", "FIN_WAIT_1"), ("ESTABLISHED", "CLOSE_WAIT"),
                                          ("FIN_WAIT_1", "FIN_WAIT_2")})
        self.assertEqual(rates["SYN_SENT", "ESTABLISHED"][1], "0")
        self.assertNotEqual(rates["SYN_SENT", "ESTABLISHED"][0], "0")
        self.assertEqual(rates["ESTABLISHED", "FIN_WAIT_1"][0], "0")
        self.assertEqual(len(labels), 20)
        self.assertEqual(sum(label != "0" for label in labels), len(rates))

    def attack(self, page):
        """Its end, its listener and its kind, of the newest."""
        return page.eval("[...document.querySelector('#attacks tbody tr').cells].map(c => c.textContent).slice(1, 4)")

    def test_page_numbers(self):
        """Numbers, listeners and attacks through a flood; one agent is killed, the next one goes on; pictures of it."""
        self.net.nginx()
        self.net.s.sysctl("net.ipv4.tcp_syncookies", 1)
        agent = self.agent(self.net, "s0")
        page = self.open()
        held = [self.net.c.connect(S4, 80) for _ in range(12)]
        for sock in held[:5]:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")	# the server closes, the client does not
        eventually(lambda: self.assert_arrows(page))
        doc = self.assert_same_numbers(page)
        self.assertEqual((doc["client"]["CLOSE_WAIT"], doc["server"]["FIN_WAIT_2"]), (5, 5))
        rows = page.eval("[...document.querySelectorAll('#listeners tbody tr')].map(r => [...r.cells].map(c => c.textContent))")
        row = {r[0]: r for r in rows}["0.0.0.0:80"]
        self.assertEqual((row[1], row[2].strip(), row[7]), ("nginx", "0 / 511", "auto, dry run"))

        self.net.synward("guard", "auto", "--live", "--hold", 60)
        flood = Flood(self.net, S4, 80, rate=5000)
        eventually(lambda: self.assertRegex(page.eval("document.querySelector('#alarms').textContent"),
                                            r"0\.0\.0\.0:80 .*under attack"), 15)
        self.assertIn("⚠", page.eval("getComputedStyle(document.querySelector('#alarms .attack'), '::before').content"))
        eventually(lambda: self.assertEqual(self.attack(page), ["goes on", "0.0.0.0:80", "attack"]), 15)
        self.assertRegex(page.eval("document.querySelector('#listeners .armed').textContent"), r"^armed \d+ s, cookie$")
        time.sleep(2)
        page.screenshot(ROOT / "build/pictures/page.png")
        self.assertLess(page.eval("document.documentElement.scrollWidth"), 1201)

        points = page.eval("points.size")
        quiet_kill(agent.p)
        eventually(lambda: self.assertRegex(self.link(page), "no answer, trying again"), 20)
        self.assertIn("stale", page.eval("document.body.className"))
        self.agent(self.net, "s0")
        eventually(lambda: self.assertRegex(self.link(page), "^live, "), 20)
        self.assertGreaterEqual(page.eval("points.size"), points, "the charts forgot")
        self.assertEqual(self.attack(page)[0], "goes on")
        flood.end()
        self.assert_same_numbers(page)

        page.size(375, 800, mobile=True, scale=2)
        page.dark(True)
        self.assertLessEqual(page.eval("document.documentElement.scrollWidth"), 375, "wider than a phone")
        page.screenshot(ROOT / "build/pictures/page-phone.png")
        self.assertEqual(set(page.asked), {URL, URL + "live"})
        self.assertEqual([e for e in page.errors if "ERR_" not in e], [])	# but for the agent that was not there

    def test_page_accessible(self):
        """Names and headings, contrast in both themes, and nothing of it without text."""
        self.net.listen(port=8080)
        self.agent(self.net, "s0")
        page = self.open()
        page.eval("document.querySelector('details').open = true")
        for dark in (False, True):
            page.dark(dark)
            ratio, where = page.eval(CONTRAST)
            self.assertGreaterEqual(ratio, 4.5, f"{where}, dark: {dark}")
        tree = page.call("Accessibility.getFullAXTree")["nodes"]
        names = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")}
        roles = {role for role, _ in names}
        self.assertIn(("heading", "States of both ends"), names)
        self.assertTrue(any(role in ("image", "img", "graphics-document", "SvgRoot") and "RFC 9293" in name for role, name in names), names)
        for role in ("main", "table", "columnheader", "rowheader", "status", "banner", "region"):
            self.assertIn(role, roles)
        self.assertEqual([n for n in names if n[0] in ("link", "button", "image", "region", "heading") and not n[1]], [])
        self.assertEqual(page.eval("document.documentElement.lang"), "en")
        # everything can be reached: what scrolls takes the focus
        self.assertTrue(page.eval("[...document.querySelectorAll('.wide')].every(e => e.tabIndex === 0)"))

    def test_page_hostile_names(self):
        """What others may choose, as names of processes, is text and nothing else."""
        evil = "<img src=x>"
        script = (f"import socket,time,ctypes; ctypes.CDLL(None).prctl(15, b{evil!r}, 0, 0, 0); s=socket.socket(); "
                  "s.bind(('0.0.0.0', 4444)); s.listen(); print(flush=True); time.sleep(600)")
        p = self.net.s.popen("python3", "-c", script, stdout=subprocess.PIPE)
        p.stdout.readline()
        self.agent(self.net, "s0")
        page = self.open()
        eventually(lambda: self.assertIn(evil, page.eval("document.getElementById('listeners').textContent")), 20)
        self.assertEqual(page.eval("document.querySelectorAll('img').length"), 0)
