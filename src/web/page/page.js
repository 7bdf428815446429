// SPDX-License-Identifier: GPL-2.0-only
// Asks the appliance how it is, one request a second, and shows it. What others have named (rules, interfaces, reasons)
// only ever becomes text: no markup is made of data.
"use strict";

const EVERY_MS = 1000; // between two requests
const HIDDEN_MS = 15000; // the same while nobody sees the page
const SLOW_MS = 5000; // at most, after failures
const PATIENCE_MS = 6000; // for an answer
const OLD_MS = 3500; // from then on what is shown is old
const LIST_TURN = 3; // while a table is searched, so many requests make one turn of all that is asked for
const ROWS = 10;

const $ = (id) => document.getElementById(id);

function make(tag, attributes, ...parts) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
	node.append(...parts);
	return node;
}

function draw(tag, attributes, ...parts) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
	node.append(...parts);
	return node;
}

const fill = (id, ...parts) => $(id).replaceChildren(...parts);
const put = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

// ---- numbers as people read them ----

const whole = (n) => Math.round(n).toLocaleString("en");

function short(n) {
	if (n === null || n === undefined || !isFinite(n)) return "–";
	const units = ["", " k", " M", " G", " T"];
	let unit = 0;
	while (n >= 999.5 && unit < units.length - 1) { n /= 1000; unit++; }
	return (n < 10 && (unit || n % 1) ? n.toFixed(n < 1 || !unit ? 1 : 2) : n < 100 && unit ? n.toFixed(1) : Math.round(n)) + units[unit];
}

const rate = (n) => short(n) + "/s";
const bits = (n) => short(n) + (short(n).includes(" ") ? "bit/s" : " bit/s");

function age(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
	const first = parts.findIndex(([n]) => n);
	return first < 0 ? "0 s" : parts.slice(first, first + 2).filter(([n]) => n).map(([n, unit]) => n + " " + unit).join(" ");
}

// ---- the packet's way ----

// Where a verdict ends it: before which stage. Those that are not here end before the last one.
const ENDS = {not_tunnel: 1, outer_fragment: 1, source_denied: 1, malformed: 1, bad_vxlan: 1,
	unknown_vni: 2, inner_not_ip: 2, truncated: 2, unmatched: 3};

function stages(live) {
	const r = live.rates, v = live.verdicts;
	const unmatched = v.unmatched.pps;
	const list = [
		{title: "arrive", pps: r.total_packets, sub: r.bytes_processed === null ? "" : bits(r.bytes_processed * 8)},
		{title: "are VXLAN", pps: r.vxlan_packets, sub: ""},
		{title: "hold a packet", pps: r.inner_packets, sub: ""},
		{title: "pass the rules", pps: r.inner_packets === null ? null : Math.max(0, r.inner_packets - unmatched), sub: rate(r.nat_applied) + " re-addressed"},
		{title: "leave", pps: r.forwarded, sub: bits(live.sent.bits_per_second)},
	];
	for (const stage of list) stage.out = [];
	for (const [name, verdict] of Object.entries(v)) {
		if (verdict.class === "forwarded" || !verdict.pps) continue;
		list[ENDS[name] || 4].out.push({name: name.replaceAll("_", " "), pps: verdict.pps,
			kind: verdict.cause || "kernel"});
	}
	for (const row of live.losses) {
		if (!row.pps) continue;
		const what = {name: "lost: " + row.reason.replaceAll("_", " "), pps: row.pps, kind: "fault"};
		const leaving = row.place !== "nic" || (live.interface === live.target ? /^tx|_out_/.test(row.reason) : row.interface === live.target);
		if (leaving) (list[4].after = list[4].after || []).push(what);
		else (list[0].before = list[0].before || []).push(what);
	}
	return list;
}

function outText(x, y, what, anchor) {
	return draw("text", {x, y, "font-size": 17, class: what.kind, "text-anchor": anchor || "start"}, what.name + " " + rate(what.pps));
}

function capped(list, most) {
	const sorted = [...list].sort((a, b) => b.pps - a.pps);
	if (sorted.length <= most) return sorted;
	const rest = sorted.slice(most - 1);
	return [...sorted.slice(0, most - 1), {name: rest.length + " others", kind: rest[0].kind, pps: rest.reduce((sum, w) => sum + w.pps, 0)}];
}

function stageBox(node, stage, x, y, width, height) {
	node.append(draw("rect", {x, y, width, height, rx: 10, class: "card"}),
		draw("text", {x: x + 14, y: y + 26, "font-size": 17, class: "soft"}, stage.title),
		draw("text", {x: x + 14, y: y + 62, "font-size": 31, class: "big"}, rate(stage.pps)),
		draw("text", {x: x + 14, y: y + 86, "font-size": 15, class: "soft"}, stage.sub));
}

function bandSize(stage, first, most) {
	return stage.pps && first.pps ? Math.max(3, most * Math.min(1, stage.pps / first.pps)) : 0;
}

function wideWay(list) {
	const rows = Math.max(1, ...list.map((stage) => Math.min(4, stage.out.length)), ...list.map((stage) => (stage.before || stage.after || []).length ? 3 : 0));
	const node = draw("svg", {viewBox: `0 0 1200 ${136 + rows * 24}`});
	list.forEach((stage, i) => {
		const x = i * 256, y = 6;
		if (i) {
			const size = bandSize(stage, list[0], 60);
			node.append(draw("rect", {x: x - 80, y: y + 50 - (size || 2) / 2, width: 80, height: size || 2, class: size ? "flow" : "none"}));
			capped(stage.out, 4).forEach((what, n) => {
				if (!n) node.append(draw("path", {d: `M${x - 40} ${y + 54 + size / 2}V${y + 116}`, class: "grid"}));
				node.append(outText(x - 62, y + 136 + n * 24 - 4, what));
			});
		}
		stageBox(node, stage, x, y, 176, 100);
		if (i === 0) capped(stage.before || [], 3).forEach((what, n) => node.append(outText(x, y + 132 + n * 24, what)));
		if (i === 4) capped(stage.after || [], 3).forEach((what, n) => node.append(outText(1200, y + 132 + n * 24, what, "end")));
	});
	return node;
}

function narrowWay(list) {
	const node = draw("svg", {});
	let y = 2;
	list.forEach((stage, i) => {
		if (i) {
			const size = bandSize(stage, list[0], 90), outs = capped(stage.out, 4), height = Math.max(26, 14 + outs.length * 24);
			node.append(draw("rect", {x: 60 - (size || 2) / 2, y, width: size || 2, height, class: size ? "flow" : "none"}));
			outs.forEach((what, n) => node.append(outText(124, y + 24 + n * 24, what)));
			y += height;
		}
		for (const what of capped(stage.before || [], 3)) { node.append(outText(14, y + 20, what)); y += 26; }
		stageBox(node, stage, 2, y, 356, 100);
		y += 100;
		for (const what of capped(stage.after || [], 3)) { y += 26; node.append(outText(14, y - 4, what)); }
	});
	node.setAttribute("viewBox", `0 0 360 ${y + 4}`);
	return node;
}

function showWay(live) {
	const list = stages(live);
	const node = $("way-picture").clientWidth < 640 ? narrowWay(list) : wideWay(list);
	const outs = list.flatMap((stage) => [...stage.out, ...(stage.before || []), ...(stage.after || [])]);
	node.setAttribute("role", "img");
	node.setAttribute("aria-label", "Packets per second: " + list.map((stage) => `${short(stage.pps)} ${stage.title}`).join(", ") +
		(outs.length ? ". Not forwarded, or lost: " + outs.map((what) => `${what.name} ${short(what.pps)}`).join(", ") : ". All of them leave") + ".");
	fill("way-picture", node);
}

// ---- the last ten minutes ----

const SERIES = [["received", "arrive"], ["sent", "leave"], ["dropped", "dropped"], ["lost", "lost"]];

function nice(n) {
	const power = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
	return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= n);
}

function curve(values, top, width, height, left) {
	let path = "", pen = "M";
	values.forEach((value, i) => {
		if (value === null) { pen = "M"; return; }
		const x = left + width - (values.length - 1 - i) * width / 119, y = 8 + height - value / top * height;
		path += pen + x.toFixed(1) + " " + y.toFixed(1);
		pen = "L";
	});
	return path;
}

function showMinutes(live) {
	const total = Math.max(280, $("minutes-picture").clientWidth), left = 64, width = total - left - 8, height = total < 640 ? 170 : 220;
	const history = SERIES.map(([name]) => live.history[name + "_pps"]);
	const top = nice(Math.max(1, ...history.flat().filter((value) => value !== null)));
	const node = draw("svg", {viewBox: `0 0 ${total} ${height + 40}`, role: "img"});
	for (const part of [0, .5, 1]) {
		const y = 8 + height * (1 - part);
		node.append(draw("path", {d: `M${left} ${y}H${left + width}`, class: "grid"}),
			draw("text", {x: left - 8, y: y + 5, "font-size": 15, "text-anchor": "end", class: "soft"}, short(top * part)));
	}
	for (const minutes of [10, 5, 0])
		node.append(draw("text", {x: left + width * (1 - minutes / 10), y: height + 32, "font-size": 15, class: "soft",
			"text-anchor": minutes === 10 ? "start" : minutes ? "middle" : "end"}, minutes ? `${minutes} min ago` : "now"));
	SERIES.forEach(([name], i) => node.append(draw("path", {d: curve(history[i], top, width, height, left), class: "curve s-" + name})));
	const last = (values) => values.length ? values[values.length - 1] : null;
	node.setAttribute("aria-label", "Packets per second over the last ten minutes. " + SERIES.map(([, word], i) =>
		`${word}: now ${short(last(history[i]))}, at most ${short(Math.max(...history[i].map((value) => value || 0)))}`).join("; ") + ".");
	fill("minutes-picture", node);
	fill("minutes-legend", ...SERIES.map(([name, word], i) => make("li", {},
		draw("svg", {viewBox: "0 0 36 12", "aria-hidden": "true"}, draw("path", {d: "M0 6H36", class: "curve s-" + name})),
		`${word} ${rate(last(history[i]))}`)));
}

// ---- tables ----

const cell = (text, kind) => make("td", kind ? {class: kind === true ? "n" : kind} : {}, text);
const note = (text, columns) => make("tr", {}, make("td", {colspan: columns, class: "soft"}, text));

function showLosses(live) {
	const rows = live.losses.map((row) => make("tr", {}, cell(row.interface ? `${row.place} ${row.interface}` : row.place),
		cell(`${row.reason.replaceAll("_", " ")}: ${row.meaning}`, "text"), cell(short(row.pps), true), cell(whole(row.packets), true)));
	fill("losses-rows", ...(rows.length ? rows : [note("Nothing is lost.", 4)]));
	put("losses-note", (live.losses_counted ? "" : "This kernel does not tell what is lost on the way out. ") +
		(live.losses_omitted ? `${live.losses_omitted} rows more are in status.` : ""));
}

function showHops(live) {
	const hops = live.next_hops;
	fill("hops-counts", ...[["resolved", "answer"], ["local", "are this host"], ["unknown", "not known yet"], ["failed", "do not answer"]]
		.map(([name, word]) => make("li", {"data-hops": name, class: hops[name] ? "" : "zero"}, make("b", {}, whole(hops[name])), word)));
	fill("hops-rows", ...hops.unresolved.map((hop) => make("li", {},
		`${hop.target} (${hop.name || "rule " + hop.rule}) ${hop.failed ? "does not answer" : "is not known yet"}`)));
}

const LISTS = {
	rules: {number: "rule", columns: 6, cells: (row) => [cell(whole(row.rule), "n wide"), cell(row.name, "name"), cell(row.to)]},
	vnis: {number: "vni", columns: 4, cells: (row) => [cell(String(row.vni), true)]},
};

function showList(name, rows, total, matching, offset) {
	const list = LISTS[name];
	const lines = rows.map((row) => make("tr", row.pps ? {} : {class: "quiet"}, ...list.cells(row), cell(short(row.pps), true),
		cell(short(row.bits_per_second), "n wide"), cell(whole(row.packets), true)));
	fill(name + "-rows", ...(lines.length ? lines : [note(total ? "None holds this." : "There are none.", list.columns)]));
	put(name + "-note", rows.length ? `${whole(offset + 1)} to ${whole(offset + rows.length)} of ${whole(matching)}` +
		(matching < total ? `, of ${whole(total)} in all` : "") : "");
	$(name + "-back").disabled = offset === 0;
	$(name + "-on").disabled = offset + rows.length >= matching;
}

// The server takes no more, and refuses a query that is longer.
function upTo64Bytes(text) {
	while (new TextEncoder().encode(text).length > 64)
		text = [...text].slice(0, -1).join("");
	return text;
}

// What is asked for beyond the first rows by rate; null: nothing.
function wanted(name) {
	const list = LISTS[name], q = upTo64Bytes($(name + "-q").value.trim()), sort = $(name + "-sort").value;
	return q || sort !== "pps" || list.offset ? new URLSearchParams({sort, q, limit: ROWS, offset: list.offset || 0}) : null;
}

function showVerdicts(live) {
	fill("verdicts-rows", ...Object.entries(live.verdicts).map(([name, v]) => make("tr", {"data-verdict": name, ...(v.packets ? {} : {class: "quiet"})},
		cell(name), cell(v.meaning, "text wide"), cell(short(v.pps), true), cell(whole(v.packets), true), cell(whole(v.bytes), "n wide"))));
	fill("counters-rows", ...Object.entries(live.counters).map(([name, value]) => make("tr", {"data-counter": name},
		cell(name), cell(short(live.rates[name]), true), cell(whole(value), true))));
}

// ---- histograms ----

function bars(id, title, unit, data, label) {
	const counts = data.counts, bounds = data.bounds.map(label), total = Math.max(280, $(id).clientWidth), step = total / counts.length;
	const sum = counts.reduce((a, b) => a + b, 0), most = Math.max(1, ...counts);
	const node = draw("svg", {viewBox: `0 0 ${total} 210`, role: "img"});
	const word = (i) => i < bounds.length ? bounds[i] : "more";
	const room = Math.max(...counts.map((_, i) => word(i).length)) * 8 + 4; // that a label takes
	node.append(draw("text", {x: 0, y: 16, "font-size": 15, class: "soft"}, `${title}, ${unit}`));
	counts.forEach((count, i) => {
		const height = Math.max(count ? 2 : 0, count / most * 120), x = i * step, middle = {x: x + step / 2, "font-size": step < 34 ? 10 : 13, "text-anchor": "middle"};
		node.append(draw("rect", {x: x + 2, y: 180 - height, width: step - 4, height, class: "bar"}));
		if (step > room || i % 2 === 0) node.append(draw("text", {...middle, y: 200, class: "soft"}, word(i)));
		if (sum && count / sum >= .005) node.append(draw("text", {...middle, y: 174 - height}, Math.round(count / sum * 100) + (step < 34 ? "" : " %")));
	});
	node.append(draw("path", {d: `M0 180H${total}`, class: "grid"}));
	node.setAttribute("aria-label", `${title}, ${unit}: ` + (counts.flatMap((n, i) => n ? [`${i < bounds.length ? "up to " : ""}${word(i)}: ${(n / sum * 100).toFixed(1)} %`] : []).join(", ") || "none yet") + ".");
	fill(id, node);
}

function showHistograms(live) {
	const h = live.histograms;
	$("sizes").hidden = !h;
	if (!h) return;
	bars("sizes-picture", "Frames as they arrive", "bytes", h.size_bytes, String);
	bars("times-picture", "Time in the program", "ns", h.time_ns, (ns) => ns < 1000 ? String(ns) : ns < 1e6 ? (ns / 1024).toFixed(0) + " µs" : "1 ms");
	const any = h.size_bytes.counts.some((count) => count);
	put("sizes-note", any ? `Of the last ${age(h.for_seconds)}; times are of one packet in 1024.` : "No packets, or monitor.histograms is off.");
}

// ---- how it is ----

const WORDS = {good: "Good", degraded: "Degraded", bad: "Bad", unknown: "No answer"};
const COLORS = {good: "#12703c", degraded: "#b36b00", bad: "#c01722", unknown: "#6b7480"};

function showCondition(condition, reasons, since) {
	if (document.body.dataset.condition !== condition || !document.title.includes(":")) {
		document.body.dataset.condition = condition;
		document.querySelector("link[rel=icon]").href = "data:image/svg+xml," + encodeURIComponent(
			`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" fill="${COLORS[condition]}"/></svg>`);
	}
	document.title = `${WORDS[condition]}: ${$("instance").textContent}`;
	put("condition", WORDS[condition]);
	const said = reasons.map((reason) => reason.severity + reason.text).join("\n");
	if (said !== showCondition.said) { // a screen reader reads it out only if it has changed
		showCondition.said = said;
		fill("reasons", ...reasons.map((reason) => make("li", {class: reason.severity}, reason.text)));
	}
	put("since", since);
}

function show(live) {
	const health = live.health, attached = live.counters !== undefined;
	put("instance", live.instance);
	put("facts", attached ? `${live.interface} → ${live.target} · ${live.mode} mode · configuration ${live.generation} · up ${age(live.uptime_seconds)}` : "nothing is attached");
	showCondition(health.condition, health.reasons, `for ${age(health.for_seconds)}` + (health.draining ? ", draining" : ""));
	put("version", "vxlan-pipeline " + live.version);
	showMinutes(live);
	for (const section of document.querySelectorAll("main > section:not(#health):not(#minutes)")) section.hidden = !attached;
	if (!attached) return;
	showWay(live);
	showLosses(live);
	showHops(live);
	showVerdicts(live);
	showHistograms(live);
	for (const name of Object.keys(LISTS))
		if (!wanted(name)) showList(name, live[name].rows, live[name].total, live[name].total, 0);
}

// ---- asking ----

const state = {live: null, version: null, answered: performance.now(), failures: 0, turn: 0, timer: 0, asking: false, again: false};

function showSilence(why) {
	const silent = performance.now() - state.answered;
	if (silent < OLD_MS) return;
	document.body.dataset.stale = "";
	showCondition("unknown", [{severity: "bad", text: why}], `for ${age(silent / 1000)}; what is shown below is that old`);
}

async function ask(path) {
	const answer = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)})
		.catch(() => { throw new Error("The appliance cannot be reached"); });
	if (!answer.ok) throw new Error(`${path.split("?")[0]}: ${answer.status} ${(await answer.text()).slice(0, 200).trim()}`);
	return answer.json();
}

async function askLive() {
	const live = await ask("live.json");
	if (state.version && state.version !== live.version) { location.reload(); return; } // another page fits it
	state.version = live.version;
	show(live);
	state.live = live;
	state.answered = performance.now();
	delete document.body.dataset.stale;
}

async function askList(name, query) {
	const answer = await ask(`${name}.json?${query}`);
	if (String(wanted(name)) === String(query)) showList(name, answer[name], answer.total, answer.matching, answer.offset);
}

// A table that was searched or turned comes at once, and then now and then in the place of the rest.
function nextRequest() {
	const asked = Object.keys(LISTS).map((name) => [name, wanted(name)]).filter(([, query]) => query);
	const changed = asked.find(([name]) => LISTS[name].changed);
	const turn = state.turn++ % LIST_TURN;
	const [name, query] = changed || (turn ? asked[turn - 1] : null) || [null, null];
	if (!name) return askLive();
	LISTS[name].changed = false;
	return askList(name, query);
}

async function tick() {
	clearTimeout(state.timer);
	if (state.asking) { state.again = true; return; }
	const began = performance.now();
	state.asking = true;
	try {
		await nextRequest();
		state.failures = 0;
	} catch (error) {
		state.failures++;
		showSilence(`${error.message}; asking again.`);
	}
	state.asking = false;
	const pause = state.failures ? Math.min(SLOW_MS, EVERY_MS * state.failures) : document.hidden ? HIDDEN_MS : EVERY_MS;
	const wait = state.again ? EVERY_MS / 4 : pause;
	state.again = false;
	state.timer = setTimeout(tick, Math.max(50, wait - (performance.now() - began)));
}

function listen(name) {
	const list = LISTS[name];
	let timer = 0;
	const changed = (offset, pause) => {
		list.offset = offset;
		list.changed = true;
		clearTimeout(timer);
		timer = setTimeout(() => {
			if (!wanted(name) && state.live) show(state.live);
			else tick();
		}, pause);
	};
	list.offset = 0;
	$(name + "-q").addEventListener("input", () => changed(0, 300));
	$(name + "-sort").addEventListener("change", () => changed(0, 0));
	$(name + "-back").addEventListener("click", () => changed(Math.max(0, list.offset - ROWS), 0));
	$(name + "-on").addEventListener("click", () => changed(list.offset + ROWS, 0));
	$(name + "-form").addEventListener("submit", (event) => event.preventDefault());
}

Object.keys(LISTS).forEach(listen);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
addEventListener("resize", () => { if (state.live) show(state.live); });
tick();
