// The report of two benches beside each other: what got dearer first.

const WORSE = new Set(["missed", "dearer"]);
const tones = { missed: "regressed", dearer: "worse", cheaper: "improved", same: "same", gone: "gone", new: "new" };
const worse = told.bars.filter((one) => WORSE.has(one.course));
const reach = Math.log(1.25) + Math.max(0, ...told.bars.filter((one) => one.before && one.after).map((one) => Math.abs(Math.log(one.after / one.before))));

/** Where the figure went, and what may be noise, on a logarithmic scale. */
function course(one) {
  if (!one.before || !one.after) return null;
  const x = (ratio) => 150 + (Math.log(ratio) / reach) * 144;
  return svg(300, 18, `times ${(one.after / one.before).toFixed(2)}`,
    h("rect.band.same", { x: x(1 / (1 + one.noise)), y: 2, width: x(1 + one.noise) - x(1 / (1 + one.noise)), height: 14, rx: 3 }),
    h("line.axis.zero", { x1: 150, x2: 150, y1: 0, y2: 18 }),
    h(`circle.dot.${tones[one.course]}`, { cx: x(one.after / one.before), cy: 9, r: 5 }));
}

const value = (number) => (number === null ? "–" : figure(number));

show(
  masthead("bench", "Before and after", h(`span.verdict.${worse.length ? "regressed" : "improved"}`, {}, mark(worse.length ? "regressed" : "improved"),
    worse.length ? `${plural(worse.length, "figure")} got dearer` : "Nothing got dearer"),
  [["before", told.before.join("; ")], ["after", told.after.join("; ")]]),
  h("main", {}, card("Figures", "less is better; the band is what may be noise", h("table.forest", {}, told.bars.map((one) =>
    h("tr", {}, h("td", {}, mark(tones[one.course])),
      h("th", { scope: "row" }, one.name, one.detail[1] ? h("div.note", {}, one.detail[1]) : null),
      h("td.number.dim", {}, value(one.before)), h("td.number", {}, `${value(one.after)} ${one.unit}`),
      h("td.wide", {}, course(one)),
      h("td.number", {}, one.before && one.after !== null ? `× ${(one.after / one.before).toFixed(2)}` : ""),
      h(`td.word.${tones[one.course]}`, {}, one.course)))))));
