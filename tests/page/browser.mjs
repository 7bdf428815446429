// SPDX-License-Identifier: GPL-2.0-only
// A browser for test_page.py: does what each line of standard input says, in JSON, and answers with a line.
//
// usage: node browser.mjs MODULES CHROMIUM     MODULES: where package.json's dependencies are installed

import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {createInterface} from "node:readline";

const require = createRequire(process.argv[2] + "/");
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Nothing of the browser's own may ask the network for anything.
const browser = await chromium.launch({executablePath: process.argv[3], args: ["--no-sandbox", "--disable-gpu",
	"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
	"--disable-sync", "--disable-quic"]});
let context, page, requests, said, changes;

async function wire() {
	const session = await context.newCDPSession(page);
	const urls = new Map();
	await session.send("Network.enable");
	session.on("Network.requestWillBeSent", (event) => urls.set(event.requestId, event.request.url));
	session.on("Network.loadingFinished", (event) => requests.push({url: urls.get(event.requestId), bytes: event.encodedDataLength, at: Date.now()}));
	session.on("Network.loadingFailed", (event) => requests.push({url: urls.get(event.requestId), failed: event.errorText, at: Date.now()}));
}

// Puts other texts into what the appliance answers: [[where, text]], where is a path such as "rules.rows.0.name".
async function tamper(route) {
	const answer = await route.fetch();
	const document = await answer.json();
	for (const [where, value] of changes || []) {
		const steps = where.split("."), last = steps.pop();
		const parent = steps.reduce((part, step) => part && part[step], document);
		if (parent) parent[last] = value;
	}
	await route.fulfill({response: answer, json: document});
}

const commands = {
	async open({url, width, height, scheme}) {
		if (context) await context.close();
		context = await browser.newContext({viewport: {width, height}, colorScheme: scheme, reducedMotion: "reduce"});
		page = await context.newPage();
		requests = []; said = []; changes = null;
		page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
		page.on("pageerror", (error) => said.push(`error: ${error}`));
		page.on("dialog", (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
		await wire();
		await page.goto(url);
	},
	evaluate: ({script}) => page.evaluate(script),
	fill: ({selector, text}) => page.fill(selector, text),
	select: ({selector, value}) => page.selectOption(selector, value),
	press: ({keys}) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve()),
	requests: async () => requests,
	said: async () => said,
	resize: ({width, height}) => page.setViewportSize({width, height}),
	picture: async ({path}) => { await page.screenshot({path, fullPage: true}); },
	async change({to}) {
		changes = to;
		await page.route("**/live.json", to ? tamper : (route) => route.continue());
	},
	// The policy forbids scripts of others; the debugger, by which this one comes, is not bound by it.
	async audit() {
		await page.evaluate(axe);
		const found = await page.evaluate("axe.run()");
		return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
	},
};

for await (const line of createInterface({input: process.stdin})) {
	const command = JSON.parse(line);
	let answer;
	try {
		answer = {result: await commands[command.do](command) ?? null};
	} catch (error) {
		answer = {error: String(error)};
	}
	console.log(JSON.stringify(answer));
}
await browser.close();
