// Charts, drawn as SVG with the page's colours.

const svg = (width, height, label, ...children) =>
  h("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, preserveAspectRatio: "xMinYMid meet" }, ...children);
const label = (x, y, text, anchor = "start", kind = "") => h(`text${kind && "." + kind}`, { x, y, "text-anchor": anchor }, text);

/** A point and the interval it is likely in, on a scale from 0 to 1. */
function interval({ value, low, high }, tone = "passed") {
  const [width, at] = [320, (part) => 6 + part * 308];
  return svg(width, 34, `${percent(value)}, likely ${percent(low)} to ${percent(high)}`,
    h("line.axis", { x1: at(0), x2: at(1), y1: 12, y2: 12 }),
    [0, 0.25, 0.5, 0.75, 1].map((part) => [
      h("line.axis", { x1: at(part), x2: at(part), y1: 9, y2: 15 }),
      label(at(part), 30, `${part * 100}`, part === 0 ? "start" : part === 1 ? "end" : "middle", "tick")]),
    h(`rect.band.${tone}`, { x: at(low), y: 7, width: Math.max(2, at(high) - at(low)), height: 10, rx: 5 }),
    h(`circle.dot.${tone}`, { cx: at(value), cy: 12, r: 5.5 }));
}

/** Names, bars from 0 to 1, and what they count. */
function shares(rows, press) {
  return h("table.shares", {}, rows.map((row) => {
    const rate = row.count ? row.passed / row.count : 0;
    const name = press ? h("button.plain", { onclick: () => press(row.name), title: "Show its cases" }, row.name) : row.name;
    return h("tr", {},
      h("th", { scope: "row" }, name),
      h("td.wide", {}, h(`div.track.${rate < 1 ? "failed" : "passed"}`, {}, h("div.fill.passed", { css: { width: `${rate * 100}%` } }))),
      h("td.number", {}, percent(rate, 0)),
      h("td.number.dim", { title: `mean score ${row.score.toFixed(2)}` }, `${row.passed}/${row.count}`));
  }));
}

/** How often values fall where; median and 95th percentile are marked. */
function histogram(values, format, what) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  if (!sorted.length) return h("p.empty", {}, "Nothing was measured.");
  const [width, height, base, top] = [360, 132, 108, 22];
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const wide = most > least ? most - least : 1;
  const bins = Math.max(1, Math.min(28, most > least ? Math.ceil(2 * Math.sqrt(sorted.length)) : 1));
  const held = new Array(bins).fill(0);
  for (const value of sorted) held[Math.min(bins - 1, Math.floor(((value - least) / wide) * bins))] += 1;
  const highest = Math.max(...held);
  const step = width / bins;
  const x = (value) => (most > least ? ((value - least) / wide) * width : width / 2);
  const bar = bins > 1 ? Math.max(1, step - 2) : 36;
  const bars = held.map((number, at) => {
    const tall = number ? Math.max(2, (number / highest) * (base - top)) : 0;
    const [from, to] = [least + (wide * at) / bins, least + (wide * (at + 1)) / bins];
    return h("rect.bin", { x: (at + 0.5) * step - bar / 2, y: base - tall, width: bar, height: tall, rx: Math.min(2, bar / 4) },
      h("title", {}, `${format(from)} to ${format(to)}: ${number}`));
  });
  const line = (value, name, at) => [
    h("line.rule", { x1: x(value), x2: x(value), y1: at + 4, y2: base }),
    label(x(value), at, `${name} ${format(value)}`, x(value) > width * 0.6 ? "end" : x(value) < width * 0.2 ? "start" : "middle", "named")];
  return svg(width, height, `${what}: median ${format(quantile(sorted, 0.5))}, 95 % below ${format(quantile(sorted, 0.95))}`,
    bars, h("line.axis", { x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 }),
    bins > 1 ? line(quantile(sorted, 0.95), "p95", 9) : null, line(quantile(sorted, 0.5), bins > 1 ? "median" : "always", 20),
    bins > 1 ? [label(0, height - 8, format(least), "start", "tick"), label(width, height - 8, format(most), "end", "tick")] : null);
}

/** pass@k and pass^k over k, each with its band. */
function curves(passAt, passAll) {
  const [width, height, left, right, top, base] = [360, 150, 34, 330, 12, 122];
  const ks = [...new Set([...Object.keys(passAt), ...Object.keys(passAll)].map(Number))].sort((a, b) => a - b);
  const x = (k) => (ks.length > 1 ? left + (ks.indexOf(k) / (ks.length - 1)) * (right - left) : (left + right) / 2);
  const y = (part) => base - part * (base - top);
  const curve = (figures, tone, name) => {
    const points = Object.entries(figures).map(([k, one]) => ({ k: Number(k), ...one })).sort((a, b) => a.k - b.k);
    if (!points.length) return null;
    const band = [...points.map((one) => `${x(one.k)},${y(one.high)}`), ...points.reverse().map((one) => `${x(one.k)},${y(one.low)}`)];
    points.reverse();
    return [
      h(`polygon.area.${tone}`, { points: band.join(" ") }),
      h(`polyline.curve.${tone}`, { points: points.map((one) => `${x(one.k)},${y(one.value)}`).join(" ") }),
      points.map((one) => h(`circle.dot.${tone}`, { cx: x(one.k), cy: y(one.value), r: 4 },
        h("title", {}, `${name}${one.k}: ${percent(one.value)}, likely ${percent(one.low)} to ${percent(one.high)}`)))];
  };
  return h("div", {}, svg(width, height, "pass@k and pass^k by k",
    [0, 0.5, 1].map((part) => [h("line.axis", { x1: left - 6, x2: right, y1: y(part), y2: y(part) }), label(left - 10, y(part) + 3.5, `${part * 100}`, "end", "tick")]),
    curve(passAll, "second", "pass^"), curve(passAt, "accent", "pass@"),
    ks.map((k) => label(x(k), height - 10, `k = ${k}`, "middle", "tick"))),
  h("p.legend", {}, h("span.key.accent", {}), "pass@k: at least one of k", h("span.key.second", {}), "pass^k: all k"));
}

/** Changes with their intervals around `none`; `ratio` draws them on a logarithmic scale around 1. */
function forest(rows, ratio) {
  const flat = (value) => (ratio ? Math.log(value) : value);
  const reach = Math.max(ratio ? Math.log(1.1) : 0.05, ...rows.flatMap((row) => [row.low, row.high, row.by].map((value) => Math.abs(flat(value))))) * 1.05;
  const x = (value) => 150 + (flat(value) / reach) * 144;
  const said = (value) => (ratio ? `× ${value.toFixed(2)}` : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value * 100).toFixed(1)}`);
  const value = (row, number) => ({ part: percent, s: duration, tokens: count })[row.unit](number);
  return h("table.forest", {},
    rows.map((row) => h("tr", { title: `${row.cases} cases, p = ${row.p.toFixed(3)}` },
      h("th", { scope: "row" }, row.name),
      h("td.number.dim", {}, value(row, row.before)),
      h("td.number", {}, value(row, row.after)),
      h("td.wide", {}, svg(300, 18, `${said(row.by)}, likely ${said(row.low)} to ${said(row.high)}`,
        h("line.axis.zero", { x1: 150, x2: 150, y1: 0, y2: 18 }),
        h(`rect.band.${row.verdict}`, { x: x(row.low), y: 5, width: Math.max(2, x(row.high) - x(row.low)), height: 8, rx: 4 }),
        h(`circle.dot.${row.verdict}`, { cx: x(row.by), cy: 9, r: 4.5 }))),
      h("td.number", {}, said(row.by)),
      h(`td.word.${row.verdict}`, {}, row.verdict))));
}
