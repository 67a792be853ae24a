// SPDX-License-Identifier: GPL-2.0
"use strict";
// Draws what /live tells, once a second. All text is set as text: names are anybody's.

const STATES = ["LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",
	"LAST_ACK", "TIME_WAIT", "CLOSED"];

// RFC 9293, figure 5: boxes by their middle; CLOSED stands twice, where ways begin and where they end.
const BOXES = [["CLOSED", 210, 26], ["LISTEN", 210, 106], ["SYN_RCVD", 64, 186], ["SYN_SENT", 356, 186],
	["ESTABLISHED", 210, 276], ["FIN_WAIT_1", 64, 366], ["CLOSE_WAIT", 356, 366], ["FIN_WAIT_2", 64, 456],
	["CLOSING", 210, 456], ["LAST_ACK", 356, 456], ["TIME_WAIT", 210, 546], ["CLOSED", 356, 546]];

// From, to, the line, where its label stands and on which side, whose usual way it is, and when it is taken.
const ARROWS = [
	["CLOSED", "LISTEN", "M198 46V84", 192, 62, "end", "server", "passive open"],
	["LISTEN", "CLOSED", "M222 86V48", 228, 62, "start", "", "close, refused or given up"],
	["CLOSED", "SYN_SENT", "M264 18H392V164", 387, 62, "end", "client", "active open: send SYN"],
	["SYN_SENT", "CLOSED", "M330 166V34H266", 336, 124, "start", "", "close, refused or given up"],
	["LISTEN", "SYN_RCVD", "M156 116 102 164", 116, 132, "end", "server", "receive SYN: send SYN-ACK"],
	["SYN_RCVD", "LISTEN", "M28 166V96H154", 34, 90, "start", "", "receive RST, or given up"],
	["LISTEN", "SYN_SENT", "M264 116 318 164", 270, 140, "end", "", "send SYN"],
	["SYN_SENT", "SYN_RCVD", "M302 182H120", 210, 174, "middle", "", "receive SYN: send SYN-ACK"],
	["SYN_RCVD", "ESTABLISHED", "M104 206 170 254", 122, 236, "end", "server", "receive ACK of SYN"],
	["SYN_SENT", "ESTABLISHED", "M316 206 250 254", 300, 236, "start", "client", "receive SYN-ACK: send ACK"],
	["SYN_RCVD", "FIN_WAIT_1", "M28 206V344", 34, 280, "start", "", "close: send FIN"],
	["ESTABLISHED", "FIN_WAIT_1", "M170 296 104 344", 148, 326, "start", "client", "close: send FIN"],
	["ESTABLISHED", "CLOSE_WAIT", "M250 296 316 344", 272, 326, "end", "server", "receive FIN: send ACK"],
	["FIN_WAIT_1", "FIN_WAIT_2", "M40 386V434", 46, 406, "start", "client", "receive ACK of FIN"],
	["FIN_WAIT_1", "CLOSING", "M104 386 170 434", 148, 404, "start", "", "receive FIN: send ACK"],
	["CLOSE_WAIT", "LAST_ACK", "M356 386V434", 350, 406, "end", "server", "close: send FIN"],
	["FIN_WAIT_2", "TIME_WAIT", "M64 476V546H154", 70, 530, "start", "client", "receive FIN: send ACK"],
	["CLOSING", "TIME_WAIT", "M210 476V524", 216, 496, "start", "", "receive ACK of FIN"],
	["LAST_ACK", "CLOSED", "M356 476V524", 350, 496, "end", "server", "receive ACK of FIN"],
	["TIME_WAIT", "CLOSED", "M264 546H300", 283, 580, "middle", "client", "after 2 MSL, or for a new connection"],
];
const SIDES = [["client", "▲"], ["server", "●"]];
const WINDOW = 300;

const $ = id => document.getElementById(id);

function make(name, attributes, ...children) {
	const svg = ["svg", "g", "rect", "path", "text", "tspan", "title"].includes(name);
	const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
	for (const [k, v] of Object.entries(attributes || {}))
		e.setAttribute(k, v);
	e.append(...children);
	return e;
}

function text(e, value) {
	if (e.textContent !== value)
		e.textContent = value;
}

const whole = n => Math.round(n).toLocaleString("en-US");
function rate(n) {
	if (n >= 1e6)
		return (n / 1e6).toFixed(1) + "M";
	if (n >= 1e4)
		return (n / 1e3).toFixed(0) + "k";
	return n >= 10 || !n ? n.toFixed(0) : n.toFixed(1);
}
function took(us) {
	return us >= 1e6 ? (us / 1e6).toFixed(1) + " s" : us >= 1e3 ? (us / 1e3).toFixed(1) + " ms" : us.toFixed(0) + " µs";
}
const clock = time => new Date(time).toLocaleString("sv");	// 2026-11-21 09:16:25
// In a box, where there is room for so much
const brief = n => n < 1e5 ? whole(n) : rate(n);

// The diagram and its tables

const counts = {}, flows = {};

function drawDiagram() {
	const svg = $("diagram");
	for (const [from, to, d, x, y, anchor, way, when] of ARROWS) {
		const path = make("path", { d, "marker-end": "url(#tip)" }), label = make("text", { x, y, "text-anchor": anchor });
		path.append(make("title", {}, `${from} to ${to}: ${when}`));
		if (way)
			path.classList.add(way + "-way");
		svg.append(path, label);
		const cells = SIDES.map(([side]) => make("td", { class: "n", id: `${from}-${to}-${side}` }));
		$("arrows").tBodies[0].append(make("tr", {}, make("td", {}, from), make("td", {}, to), make("td", {}, when), ...cells));
		flows[`${from} ${to}`] = { label, cells, x };
	}
	for (const [state, x, y] of BOXES) {
		const count = make("text", { class: "count", x, y: y + 13 });
		const box = make("g", {}, make("rect", { x: x - 54, y: y - 20, width: 108, height: 40, rx: 6 }),
			make("text", { class: "name", x, y: y - 4 }, state), count);
		svg.append(box);
		(counts[state] = counts[state] || { boxes: [] }).boxes.push({ box, count });
	}
	for (const state of STATES) {
		counts[state].cells = SIDES.map(([side]) => make("td", { class: "n", id: `${side}-${state}` }));
		$("states").tBodies[0].append(make("tr", {}, make("th", { scope: "row" }, state), ...counts[state].cells));
	}
}

function updateDiagram(s) {
	for (const state of STATES) {
		const n = SIDES.map(([side]) => s[side][state]);
		counts[state].cells.forEach((cell, i) => text(cell, whole(n[i])));
		for (const { box, count } of counts[state].boxes) {
			count.replaceChildren(...SIDES.map(([side, mark], i) =>
				make("tspan", { class: n[i] ? side : "zero", dx: i ? 8 : 0 }, `${mark} ${brief(n[i])}`)));
			box.classList.toggle("used", n[0] + n[1] > 0);
		}
	}
	for (const [from, to, client, server] of s.arrows) {
		const f = flows[`${from} ${to}`], n = [client, server];
		if (!f)
			continue;
		f.cells.forEach((cell, i) => text(cell, rate(n[i])));
		const lines = SIDES.filter((_, i) => n[i] > 0)
			.map(([side, mark]) => [side, `${mark} ${rate(n[side === "server" ? 1 : 0])}`]);
		if (!lines.length)
			lines.push(["zero", "0"]);
		f.label.replaceChildren(...lines.map(([side, line], i) => make("tspan", { class: side, x: f.x, dy: i ? 12 : 0 }, line)));
	}
}

// Charts: points by their second, so that those of before a restart of the agent stay

const CHARTS = [
	["Per second", [["SYN", "syn"], ["completed", "completed"], ["kept off by the guard", "kept_off"]]],
	["Not completed, per second", [["timed out", "timed_out"], ["refused", "refused"], ["aborted", "aborted"]]],
	["Half-open", [["half-open", "half_open"], ["pending", "pending"], ["challenged", "challenged"]]],
];
const points = new Map();

function drawCharts() {
	for (const chart of CHARTS) {
		const [title, series] = chart, caption = make("figcaption", {}, make("b", {}, title));
		const plot = make("svg", { class: "plot", viewBox: "0 0 300 100", preserveAspectRatio: "none", "aria-hidden": "true" });
		chart.lines = series.map(([name], i) => {
			const line = make("path", { class: `s${i}` }), value = make("b", {});
			plot.append(line);
			caption.append(make("span", {}, make("svg", { class: "key", viewBox: "0 0 30 8", "aria-hidden": "true" },
				make("path", { class: `s${i}`, d: "M1 4H29", "stroke-width": "2" })), ` ${name} `, value));
			return { line, value };
		});
		chart.top = make("span", {});
		$("charts").append(make("figure", {}, caption, plot,
			make("div", { class: "axis" }, make("span", {}, "−5 min"), chart.top, make("span", {}, "now"))));
	}
}

function updateCharts(last) {
	for (const t of points.keys())
		if (t <= last - WINDOW)
			points.delete(t);
	const times = [...points.keys()].sort((a, b) => a - b);
	for (const { 1: series, lines, top } of CHARTS) {
		let most = 1;
		for (const t of times)
			for (const [, key] of series)
				most = Math.max(most, points.get(t)[key]);
		text(top, `top: ${rate(most)}`);
		series.forEach(([, key], i) => {
			let d = "", before = -Infinity;
			for (const t of times) {	// a gap stays a gap
				d += `${t - before > 3 ? "M" : "L"}${(t - last + WINDOW).toFixed(1)} ${(98 - 94 * points.get(t)[key] / most).toFixed(1)}`;
				before = t;
			}
			lines[i].line.setAttribute("d", d);
			text(lines[i].value, times.length ? rate(points.get(times[times.length - 1])[key]) : "");
		});
	}
}

function addPoint(p) {
	points.set(p.t, p);
}

// Tables

function fill(table, rows, none) {
	const body = $(table).tBodies[0], heads = [...$(table).tHead.rows[0].cells].map(c => c.textContent);
	body.replaceChildren(...rows.map(row => make("tr", {}, ...row.map(([value, name], i) =>
		make(i ? "td" : "th", i ? { class: name || "", "data-label": heads[i] } : { scope: "row" },
			value instanceof Node ? value : String(value))))));
	if (!rows.length)
		body.append(make("tr", {}, make("td", { colspan: heads.length, class: "empty" }, none)));
}

function gauge(value, most) {
	const cell = make("span", {}, most === null ? whole(value) : `${whole(value)} / ${whole(most)} `);
	if (most)
		cell.append(make("meter", { max: most, value: Math.min(value, most), low: most / 4, high: most / 2, optimum: 0, "aria-hidden": "true" }));
	return cell;
}

function guardCell(g) {
	const dry = g.dry_run ? ", dry run" : "";
	const how = g.armed ? `armed ${Math.round(g.armed_for_ms / 1000)} s, ${g.serves}${dry}` : `${g.mode}${dry}`;
	return make("span", { class: g.armed ? "armed" : "", title: g.why }, how);
}

function updateTables(s) {
	fill("listeners", s.listeners.map(l => [
		[l.listener], [l.process || "–"], [gauge(l.half_open, l.backlog), "n"],
		[l.accept_max === null ? "–" : gauge(l.accept_queue, l.accept_max), "n"],
		[rate(l.syn_per_s), "n"], [rate(l.completed_per_s), "n"],
		[l.guard.dry_run && l.would_keep_off_per_s ? `(${rate(l.would_keep_off_per_s)})` : rate(l.kept_off_per_s), "n"],
		[guardCell(l.guard)]]), "nothing listens in this network namespace");
	text($("more"), s.more_listeners ? `and ${s.more_listeners} listeners with less to tell: synward listeners` : "");
	fill("attacks", s.attacks.map(a => [
		[clock(a.start)], [a.end ? clock(a.end) : "goes on"], [a.listener], [a.kind], [whole(a.peak_syn_per_s), "n"],
		[whole(a.syn), "n"], [whole(a.completed), "n"], [whole(a.kept_off), "n"],
		[a.top_prefixes.length ? a.top_prefixes[0].prefix : "–"]]), "no listener has been armed since attach");
}

function terms(id, list) {
	$(id).replaceChildren(...list.map(([name, value, key]) =>
		make("div", {}, make("dt", {}, name), make("dd", key ? { id: key } : {}, value))));
}

function quantiles(l) {
	return l.count ? `${took(l.p50_us)} · ${took(l.p99_us)}` : "–";
}

function update(s) {
	document.title = s.alarms.some(a => a.level === "attack") ? "⚠ synward" : "synward";
	text($("where"), `${s.host} · ${s.devices.map(d => d.dev).join(", ")} · ${s.version}`);
	$("alarms").replaceChildren(...s.alarms.map(a => make("li", { class: a.level }, a.text)));
	if (!s.attached)
		return;
	terms("now", [["connections", whole(s.flows), "flows"], ["half-open", whole(s.half_open), "half_open"],
		["pending", whole(s.pending), "pending"], ["challenged", whole(s.challenged), "challenged"],
		["SYN/s", rate(s.point.syn)], ["completed/s", rate(s.point.completed)],
		["SYN to SYN-ACK: half · 99 %", quantiles(s.latency.server)],
		["SYN-ACK to ACK: half · 99 %", quantiles(s.latency.client)],
		["resets/s", rate(s.resets[0] + s.resets[1])],
		["guard", `${s.guard.mode}${s.guard.dry_run ? ", dry run" : ""}, ${s.guard.method}, ${s.guard.armed} armed`]]);
	updateDiagram(s);
	addPoint(s.point);
	updateCharts(s.point.t);
	updateTables(s);
	terms("host", [...s.devices.map(d => [d.dev, `${d.hook}${d.xdp_mode ? " " + d.xdp_mode : ""}${d.gone ? ", gone" : ""}`]),
		...s.tables.map(t => [t.table, `${whole(t.used)} of ${whole(t.max)}`])]);
}

// The link: an EventSource comes back by itself, but for when the server refused it

let heard = 0;

function linked(ok, what) {
	document.body.classList.toggle("stale", !ok);
	text($("link"), what);
}

function connect() {
	const source = new EventSource("/live");
	source.addEventListener("history", e => JSON.parse(e.data).forEach(addPoint));
	source.addEventListener("now", e => {
		const s = JSON.parse(e.data);
		heard = Date.now();
		update(s);
		linked(s.attached, s.attached ? `live, ${clock(s.time)}` : "nothing is attached");
	});
	source.onerror = () => {
		linked(false, "no answer, trying again");
		if (source.readyState === EventSource.CLOSED)
			setTimeout(connect, 2000);
	};
}

setInterval(() => {
	if (heard && Date.now() - heard > 5000)
		linked(false, `nothing heard since ${new Date(heard).toLocaleTimeString("sv")}`);
}, 1000);

drawDiagram();
drawCharts();
connect();
