// The report of two runs beside each other: regressions first.

const ORDER = ["regressed", "worse", "gone", "improved", "better", "new", "same"];
const MEANING = {
  regressed: "fell, beyond chance or asked once", worse: "fell, perhaps by chance", gone: "not asked any more",
  improved: "rose, beyond chance or asked once", better: "rose, perhaps by chance", new: "not asked before", same: "no change",
};
const wanted = { text: "", move: "" };
const amount = (move) => told.cases.filter((one) => one.move === move).length;
const both = (pair, format) => pair.map((value) => (value === null ? "–" : format(value))).join(" → ");
const share = (value) => `${Math.round(value * 100)} %`;

function verdict() {
  const { verdict: word, by } = told.pass_rate;
  const points = `${Math.abs(by * 100).toFixed(1)} points`;
  const said = { worse: `Worse by ${points}`, better: `Better by ${points}`, unclear: `Moved by ${points}: may be chance`, same: "The same pass rate" }[word];
  const fell = amount("regressed");
  const tone = word === "worse" || fell ? "regressed" : word === "better" ? "improved" : "same";
  return h(`span.verdict.${tone}`, {}, mark(tone), fell && word !== "worse" ? `${plural(fell, "case")} regressed` : said);
}

function sideCard(name, side, value) {
  return h("div.card.side", {}, h("header", {}, h("h2", {}, name), h("span.note", {}, when(side.started_at))),
    h("p.big", {}, percent(value)),
    h("p.note", {}, [side.model, side.target, `run ${side.run}`, plural(side.cases, "case"), side.faults ? plural(side.faults, "fault") : null].filter(Boolean).join(" · ")));
}

function stepsOf(steps) {
  return h("p.path", {}, steps.length ? steps.map((step, at) => [at ? h("i", {}, "→") : null, h("code", {}, step.replace(/_/g, " "))]) : h("span.dim", {}, "nothing"));
}

function diffed(pieces) {
  return h("div.diff", {}, pieces.map((piece) => h({ same: "span", gone: "del", new: "ins" }[piece[0]], {}, piece[1])));
}

function grades(one) {
  const cell = (grade, at) => (grade.score[at] === null ? h("td.dim", {}, "–")
    : h("td", {}, h("span.number", {}, `${grade.passed[at] === 1 ? "✓" : grade.passed[at] === 0 ? "✗" : "≈"} ${grade.score[at].toFixed(2)}`), h("div.reason", {}, grade.why[at])));
  return h("table.beside", {}, h("tr", {}, h("th", {}, ""), h("th.dim", {}, "before"), h("th.dim", {}, "after")),
    one.grades.map((grade) => h("tr", {}, h("th", { scope: "row" }, grade.grader), cell(grade, 0), cell(grade, 1))));
}

function moveBody(one) {
  const stepped = JSON.stringify(one.steps[0]) !== JSON.stringify(one.steps[1]);
  return h("div", {},
    one.question ? [h("h4", {}, "Asked"), prose(one.question)] : null,
    one.grades.length ? [h("h4", {}, "Grades"), grades(one)] : null,
    stepped ? [h("h4", {}, "Steps before"), stepsOf(one.steps[0]), h("h4", {}, "Steps after"), stepsOf(one.steps[1])] : null,
    h("h4", {}, one.diff.length ? "Final text, what is gone and what is new" : one.passed.includes(null) ? "Final text" : "Final text, the same on both sides"),
    one.diff.length ? diffed(one.diff) : h("div.diff", {}, one.text || "(no text)"));
}

function moveRow(one) {
  const moved = one.grades.find((grade) => grade.score[0] !== grade.score[1]);
  const body = h("div.body", {});
  const row = h(`details.case.${one.move}`, { ontoggle: () => { if (row.open && !body.firstChild) body.append(moveBody(one)); } },
    h("summary", {}, mark(one.move), h(`span.word.${one.move}`, { title: MEANING[one.move] }, one.move),
      h("span.head", {}, h("span.id", {}, one.id), h("span.tags", {}, one.tags.map((tag) => h("span.tag", {}, tag)))),
      h("span.why", {}, moved ? `${moved.grader}: ${moved.why[1] || moved.why[0]}` : ""),
      h("span.pair", { title: "epochs that passed" }, both(one.passed, share)),
      h("span.pair", { title: "seconds" }, both(one.seconds, duration))),
    body);
  return row;
}

const list = h(`div.list.moves${told.cases.length > 400 ? ".many" : ""}`, {});
const rows = new Map(told.cases.map((one) => [one, { row: moveRow(one), words: JSON.stringify(one).toLowerCase() }]));
const found = h("span.note", { role: "status" });

function relist() {
  const shown = told.cases.filter((one) => (!wanted.move || one.move === wanted.move) && wanted.text.split(/\s+/).every((word) => rows.get(one).words.includes(word)));
  found.textContent = shown.length === told.cases.length ? plural(told.cases.length, "case") : `${count(shown.length)} of ${plural(told.cases.length, "case")}`;
  list.replaceChildren(...shown.map((one) => rows.get(one).row));
  if (!shown.length) list.append(h("p.empty", {}, "No case fits."));
}

const toolbar = h("div.toolbar", {},
  h("input", { type: "search", placeholder: "Search ids, texts, reasons", "aria-label": "Search cases", oninput: (event) => { wanted.text = event.target.value.trim().toLowerCase(); relist(); } }),
  chips("Move", [["", "All", told.cases.length], ...ORDER.filter(amount).map((move) => [move, move, amount(move)])], "", (move) => { wanted.move = move; relist(); }), found);

show(
  masthead("compare", told.after.suite, verdict(), [["before", told.before.model || told.before.run], ["after", told.after.model || told.after.run],
    ["suites", told.before.suite === told.after.suite ? null : `${told.before.suite}, ${told.after.suite}`]]),
  h("main", {},
    h("section.sides", {}, sideCard("Before", told.before, told.pass_rate.before), sideCard("After", told.after, told.pass_rate.after)),
    h("section.wide-cards", {},
      card("Passing and scores", `paired over ${plural(told.pass_rate.cases, "case")}; points, with what is likely (95 %)`, forest([told.pass_rate, told.score, ...told.graders.map((one) => ({ ...one, name: `grader ${one.name}` })), ...told.tags.map((one) => ({ ...one, name: `tag ${one.name}` }))], false)),
      card("Costs of a case", "ratios, with what is likely (95 %); less is better", forest(told.costs, true))),
    h("section.cases", { id: "cases" }, toolbar, list)));
relist();
