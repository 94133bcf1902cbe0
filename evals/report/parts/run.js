// The report of a run.

const { result, outcomes, reasons } = told;
const VERDICTS = { 0: ["passed", "All thresholds hold"], 1: ["failed", "Below its thresholds"], 2: ["fault", "Not everything could be run"] };

const cases = result.cases.map((one, at) => {
  const seconds = one.attempts.map((attempt) => attempt.seconds);
  const tokens = one.attempts.map((attempt) => attempt.usage.input + attempt.usage.output);
  return {
    ...one, at, outcome: outcomes[at], reasons: reasons[at],
    share: mean(one.attempts.map((attempt) => Number(attempt.passed))), score: mean(one.attempts.map((attempt) => attempt.score)),
    seconds: median(seconds), tokens: median(tokens), row: null, words: null,
  };
});
const amount = (outcome) => cases.filter((one) => one.outcome === outcome).length;
const wanted = { text: "", outcome: "", tag: "", grader: "", order: "suite" };

function hero() {
  const rate = result.pass_rate;
  const share = rate ? rate.value : mean(cases.map((one) => one.share));
  const attempts = cases.flatMap((one) => one.attempts);
  const tile = (name, value, note) => h("div.tile", {}, h("dt", {}, name), h("dd", {}, value), note ? h("small", {}, note) : null);
  return h("section.hero", {},
    h("div.card.rate", {}, h("h2", {}, "Pass rate"), h("p.big", {}, percent(share)), rate ? interval(rate, VERDICTS[told.status][0]) : null,
      h("p.note", {}, rate ? `likely ${percent(rate.low)} to ${percent(rate.high)}` : "", ` · ${amount("passed")} of ${plural(cases.length, "case")} passed whole`)),
    h("div.card.grid-card", {}, h("header", {}, h("h2", {}, "Cases"), h("span.note", {}, "a square a case; press one to read it")), waffle(),
      h("p.legend", {}, Object.keys(VERDICT_ORDER).filter(amount).map((name) => [h(`span.key.${name}`, {}), `${name} ${amount(name)}`]))),
    h("dl.tiles", {},
      tile("Cases × epochs", `${count(cases.length)} × ${Math.max(0, ...cases.map((one) => one.attempts.length))}`),
      tile("Time", duration(result.seconds), `${duration(attempts.reduce((sum, one) => sum + one.seconds, 0))} in cases`),
      tile("Tokens", count(result.usage.input + result.usage.output), `${count(result.usage.input)} in, ${count(result.usage.output)} out`),
      tile("Faults", count(amount("fault")), result.complete ? "complete" : "not complete")));
}

const VERDICT_ORDER = { fault: 0, failed: 1, flaky: 2, missing: 3, passed: 4 };

function waffle() {
  return h("div.waffle", {}, cases.map((one) => h(`button.cell.${one.outcome}`, {
    title: `${one.id}: ${one.outcome}, ${percent(one.share, 0)}`, "aria-label": `${one.id}: ${one.outcome}`, onclick: () => open(one) })));
}

function thresholds() {
  return card("Thresholds", "", h("table.shares", {}, result.thresholds.map((one) => h("tr", {},
    h("td", {}, mark(one.holds ? "passed" : "failed")), h("th", { scope: "row" }, one.name),
    h("td.number", {}, figure(one.reached)), h("td.number.dim", {}, `wanted ${figure(one.wanted)}`)))));
}

function charts() {
  const attempts = cases.flatMap((one) => one.attempts);
  return h("section.charts", {},
    result.thresholds.length ? thresholds() : null,
    told.graders.length ? card("Graders", "grades that passed", shares(told.graders, (name) => narrow("grader", name))) : null,
    told.tags.length ? card("Tags", "attempts that passed", shares(told.tags, (name) => narrow("tag", name))) : null,
    Math.max(...[result.pass_at, result.pass_all].map((figures) => Object.keys(figures).length)) > 1 ? card("Again and again", "of k tries", curves(result.pass_at, result.pass_all)) : null,
    card("Latency", "a case, once", histogram(attempts.map((one) => one.seconds), duration, "Latency")),
    card("Tokens", "a case, once", histogram(attempts.map((one) => one.usage.input + one.usage.output), count, "Tokens")));
}

// The list of cases

const list = h(`div.list${cases.length > 400 ? ".many" : ""}`, {});
const found = h("span.note", { role: "status" });

function words(one) {
  one.words ??= JSON.stringify([one.id, one.tags, one.item, one.attempts.map((attempt) => [attempt.grades, attempt.fault, attempt.transcript])]).toLowerCase();
  return one.words;
}

function fits(one) {
  return (!wanted.outcome || one.outcome === wanted.outcome) && (!wanted.tag || one.tags.includes(wanted.tag)) &&
    (!wanted.grader || one.attempts.some((attempt) => attempt.grades.some((grade) => grade.grader === wanted.grader && !grade.passed))) &&
    wanted.text.split(/\s+/).every((word) => words(one).includes(word));
}

const ORDERS = {
  suite: (a, b) => a.at - b.at,
  worst: (a, b) => VERDICT_ORDER[a.outcome] - VERDICT_ORDER[b.outcome] || a.score - b.score || a.at - b.at,
  slowest: (a, b) => b.seconds - a.seconds,
  dearest: (a, b) => b.tokens - a.tokens,
};

function relist() {
  const shown = cases.filter(fits).sort(ORDERS[wanted.order]);
  found.textContent = shown.length === cases.length ? plural(cases.length, "case") : `${count(shown.length)} of ${plural(cases.length, "case")}`;
  list.replaceChildren(...shown.map((one) => (one.row ??= caseRow(one))));
  if (!shown.length) list.append(h("p.empty", {}, "No case fits."));
}

function narrow(what, value) {
  Object.assign(wanted, { tag: "", grader: "", [what]: value });
  for (const name of ["tag", "grader"]) if (pickers[name]) pickers[name].value = wanted[name];
  relist();
  document.getElementById("cases").scrollIntoView({ behavior: "smooth" });
}

const search = h("input", { type: "search", placeholder: "Search ids, texts, tools, reasons  ( / )", "aria-label": "Search cases", oninput: (event) => {
  wanted.text = event.target.value.trim().toLowerCase();
  relist();
} });
const pickers = {
  tag: told.tags.length ? select("Tag", [["", "any tag"], ...told.tags.map((one) => [one.name, one.name])], (value) => { wanted.tag = value; relist(); }) : null,
  grader: told.graders.length ? select("Failed grader", [["", "any grader"], ...told.graders.map((one) => [one.name, `fails ${one.name}`])], (value) => { wanted.grader = value; relist(); }) : null,
};

function toolbar() {
  const outcomeChips = [["", "All", cases.length], ...Object.keys(VERDICT_ORDER).filter(amount).map((name) => [name, name, amount(name)])];
  return h("div.toolbar", {}, search, chips("Outcome", outcomeChips, "", (value) => { wanted.outcome = value; relist(); }),
    pickers.tag, pickers.grader,
    select("Order", [["suite", "in the suite's order"], ["worst", "worst first"], ["slowest", "slowest first"], ["dearest", "most tokens first"]], (value) => { wanted.order = value; relist(); }),
    found);
}

function caseRow(one) {
  const why = one.reasons.flat()[0];
  const body = h("div.body", {});
  const row = h(`details.case.${one.outcome}`, { id: `case-${one.at}`, ontoggle: () => { if (row.open && !body.firstChild) body.append(caseBody(one)); } },
    h("summary", {}, mark(one.outcome), h("span.head", {}, h("span.id", {}, one.id), h("span.tags", {}, one.tags.map((tag) => h("span.tag", {}, tag))),
      h("span.epochs", {}, one.attempts.length > 1 ? one.attempts.map((attempt) => h(`i.${attempt.fault ? "fault" : attempt.passed ? "passed" : "failed"}`, { title: `epoch ${attempt.epoch}` })) : null)),
      h("span.why", {}, why || ""),
      h("span.number", { title: "score" }, one.score.toFixed(2)), h("span.number", {}, duration(one.seconds)), h("span.number", { title: "tokens" }, count(one.tokens))),
    body);
  return row;
}

function caseBody(one) {
  if (!one.attempts.length) return h("p.empty", {}, "It was not asked.");
  const place = h("div", {});
  const turnTo = (at) => place.replaceChildren(attemptBlock(one, Number(at)));
  turnTo(Math.max(0, one.attempts.findIndex((attempt) => !attempt.passed)));
  const first = String(Math.max(0, one.attempts.findIndex((attempt) => !attempt.passed)));
  return h("div", {},
    one.attempts.length > 1 ? chips("Epoch", one.attempts.map((attempt, at) => [String(at), `${attempt.passed ? "✓" : attempt.fault ? "!" : "✗"} epoch ${attempt.epoch}`]), first, turnTo) : null,
    place,
    Object.keys(one.item).length ? h("details.variables", {}, h("summary", {}, "The case's item"), h("div.code", {}, JSON.stringify(one.item, null, 2))) : null);
}

function attemptBlock(one, at) {
  const attempt = one.attempts[at];
  const usage = attempt.usage;
  const spent = [duration(attempt.seconds), `${count(usage.input)} tokens in${usage.cached ? ` (${count(usage.cached)} cached)` : ""}`,
    `${count(usage.output)} out${usage.reasoning ? ` (${count(usage.reasoning)} reasoning)` : ""}`,
    attempt.transcript && attempt.transcript.repairs ? plural(attempt.transcript.repairs, "repair") : null].filter(Boolean).join(" · ");
  return h("div.attempt", {},
    attempt.fault ? h("div.problem", {}, h("b", {}, "Fault: "), attempt.fault) : null,
    h("table.grades", {}, attempt.grades.map((grade) => h("tr", {}, h("td", {}, mark(grade.passed ? "passed" : "failed")), h("th", { scope: "row" }, grade.grader),
      h("td.number", {}, grade.score.toFixed(2)), h("td.reason", {}, grade.why || "")))),
    h("p.note", {}, spent),
    transcriptBlock(attempt.transcript));
}

function open(one) {
  if (!list.contains(one.row)) {
    Object.assign(wanted, { text: "", outcome: "", tag: "", grader: "" });
    search.value = "";
    bar.replaceWith((bar = toolbar()));
    relist();
  }
  one.row.open = true;
  one.row.scrollIntoView({ block: "start", behavior: "smooth" });
  history.replaceState(null, "", `#${encodeURIComponent(one.id)}`);
}

const [tone, verdict] = VERDICTS[told.status];
let bar = toolbar();
show(
  masthead("eval", result.suite, h(`span.verdict.${tone}`, {}, mark(tone), verdict),
    [["model", result.model], ["target", result.target], ["started", when(result.started_at)], ["run", result.run]]),
  h("main", {}, hero(), charts(), h("section.cases", { id: "cases" }, bar, list)));
relist();

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    search.focus();
  }
});
const named_case = cases.find((one) => one.id === decodeURIComponent(location.hash.slice(1)));
if (named_case) open(named_case);
