/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the bench's page, in their order. */
function hero() {
  page.append(make("h1", {}, "How near to the least program for one rule?"),
    make("p", {}, `vxlan-pipeline ${data.version}, measured against the other ways that Linux has to do its job, in ` +
      `turns, on one machine: ${data.machine.cpu}, ${data.machine.cpus} CPUs, Linux ${data.machine.kernel}.`));
  const facts = [];
  const rate = series.throughput && series.throughput["98"] && series.throughput["98"]["vxlan-pipeline"];
  if (rate) facts.push([mpps(rate.median), "M packets/s", "through one core, generator and receiver included"]);
  if (figures.least_98) facts.push([figures.least_98.median.toFixed(2), "", "of what the least program for one rule forwards"]);
  if (figures.above_least) facts.push([number(figures.above_least.median), "ns", "a packet more than that program takes"]);
  if (figures.bare_98) facts.push([figures.bare_98.median.toFixed(2), "", "of what a bare redirect forwards"]);
  if (figures.kernel) facts.push([figures.kernel.median.toFixed(1), "×", "the kernel's vxlan device with stateless nftables"]);
  if (figures.lost) facts.push([number(figures.lost.median), "lost", `of ${series.loss.sent.packets.toLocaleString("en")} packets at 85,000 a second`]);
  page.append(make("div", {class: "hero"}, ...facts.map(([value, unit, text]) =>
    make("div", {}, make("b", {}, value, " ", make("small", {}, unit)), make("span", {}, text)))));
  const notes = data.quick ? ["a quick look (--quick): the figures mean little", ...data.notes] : data.notes;
  for (const note of notes) page.append(make("div", {class: "warn"}, note));
}

function throughput() {
  if (!series.throughput) return;
  heading("Throughput by size",
    "Millions of packets a second on one core, for each size of the packet inside the tunnel. All of a packet's way " +
    "is on that core: a lean generator, two veth pairs, what stands in the middle, and a receiver that counts and " +
    "drops. So ratios between these bars understate what separates two ways to do the job. Thin lines: the " +
    "middle half of the rounds.");
  const sizes = Object.entries(series.throughput);
  const end = Math.max(...sizes.flatMap(([, of]) => Object.values(of).map(rate => rate.max)));
  page.append(make("div", {class: "two"}, ...sizes.map(([size, of]) => {
    const rows = Object.entries(of).map(([name, rate]) => rateRow(name, rate));
    rows.sort((a, b) => b.value - a.value);
    const title = size === "2852" ? "2852 bytes, cut in two (bare: whole)" : `${size} bytes`;
    return card(title, bars(rows, {wide: 520, label: 190, max: end}));
  })));
}

function yardsticks() {
  const rows = kind => [["98", "98 bytes"], ["512", "512 bytes"], ["1400", "1400 bytes"]]
    .filter(([size]) => figures[`${kind}_${size}`]).map(([size, name]) => ratioRow(name, figures[`${kind}_${size}`]));
  const least = rows("least"), bare = rows("bare");
  if (!least.length) return;
  if (figures.fragmenting_least) least.push(ratioRow("98, fragmenting on", figures.fragmenting_least));
  if (figures.fragmenting) bare.push(ratioRow("98, fragmenting on", figures.fragmenting));
  if (figures.least_bare) bare.push({...ratioRow("least, 98 bytes", figures.least_bare), colour: "var(--least)"});
  const max = Math.max(1, ...[...least, ...bare].map(row => row.max));
  heading("Against least, and against a bare redirect",
    "Least is an XDP program for exactly one rule, with constants: it matches, rewrites, corrects two checksums, puts the MAC " +
    "addresses of the next hop, strips the tunnel and redirects, and each run checks that its frames are vxlan-pipeline's, " +
    "byte for byte. The difference is the price of being general. A bare redirect does not look at the frame.");
  page.append(make("div", {class: "two"}, card("One rule, of least", bars(least, {wide: 520, label: 150, max})),
    card("One rule, of a bare redirect", bars(bare, {wide: 520, label: 150, max}))));
}

function against() {
  if (!data.against || !series.against) return;
  const rows = Object.keys(figures).filter(name => name.startsWith("against_") && !name.endsWith("_ns")).map(name => {
    const {median, low: min, high: max, title} = figures[name], ns = figures[`${name}_ns`].median;
    const plain = title.replace(", of the other build", ""), rate = series.against[plain];
    return {name: plain, value: median, min, max, ns: `${ns > 0 ? "+" : ns < 0 ? "−" : ""}${number(Math.abs(ns))} ns`,
      tip: `${plain}\n× ${median.toFixed(3)}, from ${min.toFixed(3)} to ${max.toFixed(3)}\nthis build ` +
        `${mpps(rate.this.median)}, the other ${mpps(rate.that.median)} million packets a second`};
  });
  if (!rows.length) return;
  heading("Against another build",
    `This build's rate by that of ${data.against.path} (${data.against.version}), in turns, and the time of a packet that it ` +
    "takes more. To the right: this build is faster. Thin lines: the middle half of the pairs.");
  page.append(card("", apart(rows)));
}

function past() {
  const cards = Object.keys(figures).map(name => course(name, data.history)).filter(Boolean);
  if (!cards.length) return;
  heading("Earlier runs on this CPU",
    "Medians of the runs that history.jsonl has, one after the other. Solid line: what must be reached, dashed: what is aimed " +
    "at. What machine, load and neighbours were like differs from run to run: a change counts if --against shows it, too.");
  page.append(make("div", {class: "many"}, ...cards));
}

function timeRow(name, time, fill) {
  const [value, low, high] = [time.median, time.low, time.high].map(Math.round);
  return {name, value: time.median, min: time.low, max: time.high, colour: fill, text: `${value} ns`, low, high};
}

function costs() {
  if (!series.cost && !series.program) return;
  heading("What a packet costs",
    "CPU per packet: nanoseconds of the core for each 98-byte packet, without the generator and the first veth, with the " +
    "second veth and the receiver: the whole chain's time less that of a chain which drops at its interface. The " +
    "program's time: the kernel's own count of run times, less that of an empty program, by where packets leave it. Most " +
    "take the usual way, in one piece; what is unusual, as a VLAN tag in front of the tunnel, takes the stages.");
  const cards = [];
  if (series.cost && Object.keys(series.cost).length) {
    const rows = Object.entries(series.cost).map(([name, cost]) => timeRow(name, cost, colour(name)));
    rows.sort((a, b) => a.value - b.value);
    cards.push(card("CPU per packet", bars(rows, {wide: 520, label: 190})));
  }
  if (series.program) {
    const rows = Object.entries(series.program).map(([name, time]) => timeRow(name, time,
      name.startsWith("usual way") ? "var(--ours)" : name.startsWith("stages") ? "var(--ours-soft)" : colour(name)));
    cards.push(card("The program's time", bars(rows, {wide: 520, label: 255})));
  }
  page.append(make("div", {class: "two"}, ...cards));
}

const marks = of => `p50 ${duration(of.p50)}, p99 ${duration(of.p99)}, p99.9 ${duration(of["p99.9"])}`;

function timesCard(times, options) {
  return card("", histogram(Object.entries(times).map(([name, of]) => ({
    name, histogram: of.histogram, colour: colour(name), p99: of.p99, marks: marks(of)})), options));
}

function latency() {
  if (!series.latency) return;
  heading("Latency at 85,000 packets a second",
    "From the generator's stamp to the receiver's program, through both veth pairs. The generator sends in bursts every " +
    "250 µs, so most of what is seen is a packet waiting for its predecessors. Both axes are logarithmic: what is " +
    "rare shows. Dashed: the 99th percentile.");
  page.append(timesCard(series.latency, {}));
  if (!series.timing) return;
  heading("Program time at 85,000 packets a second",
    "Every packet's run of the XDP program, from its entry to the tracepoint of its redirect: the program, the " +
    "redirect's enqueueing, without reading the clock. What a program that only redirects shows is the part that is " +
    "not the pipeline's. The slow ones, one in twenty, are the first of each burst, which find the caches cold.");
  page.append(timesCard(series.timing, {steps: 14}));
}

function more() {
  if (!series.rules && !series.cores) return;
  heading("Rules, VNIs, cores",
    "98-byte packets. A rule is found in one lookup for each shape, however many rules there are; what remains when " +
    "every packet hits another of 65,536 rules is the memory, which no fast cache holds.");
  const cards = [], names = {rules_1000: "1,000 rules, all hit", rules_65536: "65,536 rules, one hit",
    rules_65536_all: "65,536 rules, all hit", shapes: "8 shapes", vnis: "4,096 VNIs", everything: "everything on"};
  const ratios = Object.keys(names).filter(name => figures[name]).map(name => ratioRow(names[name], figures[name]));
  const rows = of => Object.entries(of).map(([name, rate]) => ({...rateRow(names[name] || name, rate),
    colour: name.startsWith("bare") ? "var(--bare)" : "var(--ours)"}));
  if (series.rules) cards.push(card("Against one rule, sent the same packets", bars(ratios, {wide: 520, label: 160})));
  const side = {...(series.cores || {}), ...(series.arms || {})};
  if (Object.keys(side).length) cards.push(card("Cores and arms, millions of packets a second", bars(rows(side), {wide: 520, label: 160})));
  page.append(make("div", {class: "two"}, ...cards));
}

function table() {
  heading("Every figure",
    "Medians of pairs that were measured one soon after the other, with the ends of the middle half. In the strips a " +
    "dot is a pair, those far off left out; solid line: what must be reached, dashed: what is aimed at.");
  const body = make("tbody"), words = {aim: "ok, aim met", ok: "ok", short: "short", told: ""};
  let section = "";
  for (const figure of Object.values(figures)) {
    if (figure.section !== section) {
      section = figure.section;
      body.append(make("tr", {class: "section"}, make("td", {colspan: 6}, data.sections[section])));
    }
    const word = words[figure.verdict];
    body.append(make("tr", {}, make("td", {}, figure.title),
      make("td", {class: "n"}, figure.must === null ? "" : `${number(figure.must)} / ${number(figure.aim)}`),
      make("td", {class: "n"}, make("b", {}, number(figure.median)), ` ${figure.unit === "ratio" ? "" : figure.unit === "times" ? "×" : figure.unit}`),
      make("td", {class: "n"}, `${number(figure.low)} – ${number(figure.high)}`),
      make("td", {}, strip(figure)), make("td", {}, word ? make("span", {class: `tag ${figure.verdict}`}, word) : "")));
  }
  const head = make("tr", {}, ...[["Figure", ""], ["must / aim", "n"], ["median", "n"], ["middle half", "n"], ["", ""], ["", ""]]
    .map(([text, kind]) => make("th", {class: kind}, text)));
  page.append(card("", make("div", {class: "scroll"}, make("table", {}, make("thead", {}, head), body))));
}

hero(); yardsticks(); against(); throughput(); costs(); latency(); more(); past(); table();
page.append(make("footer", {}, `Measured ${data.when.replace("T", " ").replace("Z", " UTC")} in ${data.seconds} s by \`sudo make bench\`. ` +
  `Load of the machine at the end ${data.machine.load.toFixed(1)}; its host took ${(data.machine.stolen * 100).toFixed(1)} % of the time.`));
