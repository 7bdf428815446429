// SPDX-License-Identifier: GPL-2.0-only
// usage: node parse.js MODULES < EXPRESSIONS
// Parses PromQL, given as a JSON list, as Prometheus' own editor does. Prints those with errors, as JSON.
const { createRequire } = require("module");
const { parser } = createRequire(process.argv[2] + "/")("@prometheus-io/lezer-promql");

function isWrong(expression) {
	let wrong = false;
	parser.parse(expression).iterate({ enter: (node) => { wrong = wrong || node.type.isError; } });
	return wrong;
}

const expressions = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(expressions.filter(isWrong)));
