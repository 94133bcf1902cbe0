// A transcript: items as the Responses API has them, each as what it is, with the JSON of it at hand.

const PICTURE = /^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+$/;
const LONG = 1600;

function picture(url, what) {
  return typeof url === "string" && PICTURE.test(url) ? h("img.picture", { src: url, alt: what }) : h("span.dim", {}, `[${what}]`);
}

/** Text; what is very long is folded. */
function prose(text, kind = "prose") {
  const whole = String(text ?? "");
  if (whole.length <= LONG) return h(`div.${kind}`, {}, whole);
  const rest = h("button.plain.more", { onclick: (event) => event.target.parentElement.replaceChildren(whole) }, `… ${count(whole.length - LONG)} more characters`);
  return h(`div.${kind}`, {}, whole.slice(0, LONG), rest);
}

function code(value) {
  return prose(pretty(value), "code");
}

/** JSON laid out, in one line where it is short; anything else as it is. */
function pretty(value) {
  let held = value;
  if (typeof value === "string") {
    try { held = JSON.parse(value); } catch { return value; }
    if (held === null || typeof held !== "object") return value;
  }
  const laid = JSON.stringify(held, null, 2);
  return laid.length < 110 ? laid.replace(/\n\s*/g, " ") : laid;
}

function part(one) {
  if (typeof one === "string") return prose(one);
  const cited = (one.annotations || []).map((note) => h("li", {}, [note.title, note.filename, note.url].filter(Boolean).join(" · ") || note.type));
  if (one.type === "refusal") return h("div", {}, h("b.refusal", {}, "Refused: "), prose(one.refusal));
  if (typeof one.text === "string") return [prose(one.text), cited.length ? h("ol.cited", { "aria-label": "citations" }, cited) : null];
  if (/image|screenshot/.test(one.type || "")) return picture(one.image_url, one.type);
  if (one.type === "input_file") return h("span.dim", {}, `[file ${one.filename || one.file_id || one.file_url || ""}]`);
  return code(one);
}

const parts = (content) => (typeof content === "string" ? [prose(content)] : (content || []).map(part));
const outcomeOf = (output) => (output === null || output === undefined ? null : [h("div.arrow", {}, "↳"), typeof output === "string" ? code(output) : Array.isArray(output) ? parts(output) : code(output)]);
const problem = (error) => (error ? h("div.problem", {}, prose(typeof error === "string" ? error : pretty(error))) : null);
const named = (name, ...rest) => h("div", {}, h("b.name", {}, name || "?"), ...rest);

/** What each type shows; what is not named here is shown as JSON. */
const SHOWN = {
  message: (item) => parts(item.content),
  reasoning: (item) => {
    const said = [...(item.summary || []), ...(item.content || [])].map((one) => one.text).filter(Boolean).join("\n\n");
    return said ? h("details", {}, h("summary", {}, `${said.slice(0, 90)}${said.length > 90 ? " …" : ""}`), prose(said)) : h("span.dim", {}, "not shown");
  },
  function_call: (item) => [named(item.name), code(item.arguments)],
  function_call_output: (item) => outcomeOf(item.output),
  custom_tool_call: (item) => [named(item.name), code(item.input)],
  custom_tool_call_output: (item) => outcomeOf(item.output),
  mcp_call: (item) => [named(`${item.server_label}.${item.name}`), code(item.arguments), outcomeOf(item.output), problem(item.error)],
  mcp_list_tools: (item) => [named(item.server_label, h("span.dim", {}, ` offers ${(item.tools || []).map((tool) => tool.name).join(", ")}`)), problem(item.error)],
  mcp_approval_request: (item) => [named(`${item.server_label}.${item.name}`, h("span.dim", {}, " wants approval")), code(item.arguments)],
  mcp_approval_response: (item) => [h("b", {}, item.approve ? "approved" : "denied"), item.reason ? prose(item.reason) : null],
  web_search_call: (item) => { const { type, ...rest } = item.action || {}; return [named(type || "search"), code(Object.values(rest).length === 1 ? Object.values(rest)[0] : rest)]; },
  file_search_call: (item) => [named((item.queries || []).join(" · ")), ...(item.results || []).map((one) => h("div.found", {}, h("b", {}, one.filename || one.file_id), ` ${Number(one.score || 0).toFixed(2)}`, prose(one.text)))],
  code_interpreter_call: (item) => [code(item.code), ...(item.outputs || []).map((one) => (one.type === "image" ? picture(one.url, "picture") : outcomeOf(one.logs)))],
  image_generation_call: (item) => picture(`data:image/png;base64,${item.result || ""}`, "picture"),
};

const SIDE = { user: "user", system: "system", developer: "system", assistant: "model" };

function itemRow(item) {
  const type = item.type || "message";
  const side = type === "message" ? SIDE[item.role] || "model" : type === "reasoning" ? "model" : "tool";
  const shownAs = type === "message" ? item.role || "message" : type.replace(/_/g, " ").replace(/\bmcp\b/, "MCP");
  const odd = item.status && item.status !== "completed" ? h("span.status", {}, item.status) : null;
  const body = (SHOWN[type] || ((one) => code(one)))(item);
  return h(`div.item.${side}`, {}, h("div.who", {}, h("span.kind", {}, shownAs), odd, raw(item)), h("div.what", {}, body));
}

/** The item itself, made only when it is asked for. */
function raw(item) {
  return h("button.plain.raw", { title: "The JSON of it", "aria-label": "The JSON of it", onclick: (event) => {
    const row = event.target.closest(".item");
    const open = row.querySelector(".json");
    if (open) open.remove();
    else row.lastChild.append(h("div.code.json", {}, JSON.stringify(item, null, 2)));
  } }, "{ }");
}

/** Of an answer of the client's: which item it answers. */
const answered = (item) => (/_output$|_response$/.test(item.type || "") ? item.call_id || item.approval_request_id : undefined);

/** What the client answered stands behind the response that asked for it. */
function turnBlock(turn, at, several) {
  const input = (turn.input || []).map((item) => ({ type: item.role ? "message" : item.type, ...item }));
  const askers = new Set((turn.responses || []).flatMap((response) => (response.output || []).map((item) => item.call_id || item.id)));
  const late = (item) => answered(item) !== undefined && askers.has(answered(item));
  const asked = input.filter((item) => !late(item)).map(itemRow);
  const answers = (turn.responses || []).flatMap((response) => [
    ...(response.output || []).map(itemRow),
    ...input.filter((item) => late(item) && (response.output || []).some((one) => (one.call_id || one.id) === answered(item))).map(itemRow),
    response.error ? problem(response.error) : null,
    response.status && response.status !== "completed" ? h("p.dim", {}, `The response is ${response.status}${response.incomplete_details ? `: ${response.incomplete_details.reason}` : ""}.`) : null]);
  const took = [turn.seconds ? duration(turn.seconds) : null, turn.first_text_s ? `first text after ${duration(turn.first_text_s)}` : null,
    (turn.responses || []).length > 1 ? plural(turn.responses.length, "response") : null].filter(Boolean).join(", ");
  return h("section.turn", {},
    several || took ? h("h4", {}, several ? `Turn ${at + 1}` : "Transcript", h("span.note", {}, took)) : null,
    asked, answers, turn.error ? problem(turn.error) : null);
}

function transcriptBlock(transcript) {
  if (!transcript) return h("p.empty", {}, "No transcript was kept.");
  const several = transcript.turns.length > 1;
  return h("div.transcript", {},
    transcript.path && transcript.path.length ? h("p.path", { title: "Nodes of the graph, in their order" }, transcript.path.map((node, at) => [at ? h("i", {}, "→") : null, h("code", {}, node)])) : null,
    transcript.turns.map((turn, at) => turnBlock(turn, at, several)),
    transcript.fault ? problem(transcript.fault) : null);
}
