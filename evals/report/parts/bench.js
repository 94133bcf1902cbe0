// The report of a bench: every figure against the most it may be.

const bars = told.bars;
const missed = bars.filter((one) => !one.holds);

function gauge(one) {
  const most = Math.max(one.value, one.limit) || 1;
  return h("div.track.same", {}, h(`div.fill.${one.holds ? "passed" : "failed"}`, { css: { width: `${Math.max(0.5, (one.value / most) * 100)}%` } }));
}

show(
  masthead("bench", told.name, h(`span.verdict.${missed.length ? "failed" : "passed"}`, {}, mark(missed.length ? "failed" : "passed"),
    missed.length ? `${plural(missed.length, "bar")} missed` : "All bars hold"), [["measured", told.about]]),
  h("main", {}, card("Figures", "less is better; the bar is full at its limit", h("table.shares.bars", {}, [...missed, ...bars.filter((one) => one.holds)].map((one) =>
    h("tr", {}, h("td", {}, mark(one.holds ? "passed" : "failed")),
      h("th", { scope: "row" }, one.name, one.detail ? h("div.note", {}, one.detail) : null),
      h("td.wide", {}, gauge(one)), h("td.number", {}, `${figure(one.value)} ${one.unit}`), h("td.number.dim", {}, `at most ${figure(one.limit)}`)))))));
