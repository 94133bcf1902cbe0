"use strict";
// What every page stands on. Text is set as text: nothing here takes markup.

const told = JSON.parse(document.getElementById("told").textContent);

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "rect", "line", "path", "circle", "text", "title", "polyline", "polygon"]);

/** An element: h("p.lead", {onclick}, "text", child). Children that are null or false are left out. */
function h(what, given, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(given || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "css") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

const percent = (part, digits = 1) => `${(part * 100).toFixed(part === 1 || part === 0 ? 0 : digits)} %`;
const count = (number) => Math.round(number).toLocaleString("en");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const figure = (number) => (Math.abs(number) >= 100 ? count(number) : Number(number.toPrecision(3)).toString());

function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function when(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function quantile(sorted, part) {
  if (!sorted.length) return 0;
  const at = (sorted.length - 1) * part;
  const low = Math.floor(at);
  const above = sorted[Math.min(low + 1, sorted.length - 1)];
  return sorted[low] + (above - sorted[low]) * (at - low);
}

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0);
const median = (values) => quantile([...values].sort((a, b) => a - b), 0.5);

const MARKS = {
  passed: "✓", flaky: "≈", failed: "✗", fault: "!", missing: "·",
  regressed: "▼", worse: "↓", same: "=", better: "↑", improved: "▲", gone: "−", new: "+",
};

/** The sign of an outcome; its word is there for whoever does not see it. */
function mark(outcome) {
  return h(`span.mark.${outcome}`, { title: outcome, role: "img", "aria-label": outcome }, MARKS[outcome]);
}

function card(title, note, ...body) {
  return h("section.card", {}, h("header", {}, h("h2", {}, title), note ? h("span.note", {}, note) : null), ...body);
}

/** Light, dark, or what the system says; kept where the browser lets a file keep anything. */
function themeButton() {
  const kept = () => { try { return localStorage.getItem("eval-theme"); } catch { return null; } };
  const dark = () => (document.documentElement.dataset.theme || "") === "dark";
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("eval-theme", theme); } catch { /* a file may have no storage */ }
  };
  document.documentElement.dataset.theme =
    kept() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  return h("button.theme", { title: "Light or dark", "aria-label": "Light or dark", onclick: () => set(dark() ? "light" : "dark") }, "◐");
}

function masthead(kind, title, verdict, facts) {
  return h("header.masthead", {},
    h("div.bar", {}, h("span.brand", {}, h("b", {}, "GraphNexus"), ` ${kind}`), themeButton()),
    h("div.headline", {}, h("h1", {}, title), verdict),
    h("dl.facts", {}, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

function show(...parts) {
  document.getElementById("page").replaceChildren(...parts.flat().filter(Boolean));
}

/** A row of buttons of which one is pressed. */
function chips(label, choices, chosen, choose) {
  const buttons = choices.map(([value, text, amount]) =>
    h(`button.chip.${value || "all"}`, { "aria-pressed": String(value === chosen), onclick: (event) => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === event.currentTarget));
      choose(value);
    } }, text, amount === undefined ? null : h("i", {}, count(amount))));
  return h("div.chips", { role: "group", "aria-label": label }, buttons);
}

function select(label, choices, choose) {
  return h("select", { "aria-label": label, onchange: (event) => choose(event.target.value) },
    choices.map(([value, text]) => h("option", { value }, text)));
}

function bodyText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
