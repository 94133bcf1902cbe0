// A conversation held with the openai package: streamed calls, their outputs, branches, what is stored, and errors.
import OpenAI from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ maxRetries: 0 }); // OPENAI_BASE_URL, OPENAI_API_KEY
const model = process.env.MODEL;
const weather = zodResponsesFunction({ name: "weather", parameters: z.object({ city: z.string() }) });
const told = {};

// Two calls at once, streamed.
const events = [];
const stream = client.responses.stream({ model, input: "Compare Paris and Rome.", tools: [weather] });
for await (const event of stream) events.push(event.type);
const asked = await stream.finalResponse();
told.events = events;
told.cities = asked.output.map((call) => call.parsed_arguments.city);

// Their outputs continue it.
const outputs = asked.output.map(({ call_id }, at) => ({
  type: "function_call_output",
  call_id,
  output: `${20 + at} degrees`,
}));
const answered = await client.responses.create({ model, input: outputs, previous_response_id: asked.id });
told.answer = answered.output_text;

// Two branches of it: one streamed by hand, one of a fixed shape.
told.deltas = [];
const branch = { model, previous_response_id: answered.id };
for await (const event of await client.responses.create({ ...branch, input: "Which is warmer?", stream: true })) {
  if (event.type === "response.output_text.delta") told.deltas.push(event.delta);
}
const Warmest = z.object({ city: z.string(), degrees: z.number() });
const parsed = await client.responses.parse({
  ...branch,
  input: "As JSON, please.",
  text: { format: zodTextFormat(Warmest, "warmest") },
});
told.parsed = parsed.output_parsed;

// What is stored.
told.same = (await client.responses.retrieve(answered.id)).output_text === answered.output_text;
told.inputs = [];
for await (const item of client.responses.inputItems.list(answered.id, { order: "asc", limit: 1 })) {
  told.inputs.push(item.output);
}
await client.responses.delete(asked.id);
const gone = await client.responses.retrieve(asked.id).catch((error) => error);
told.gone = [gone.constructor.name, gone.status];

// A refusal is the package's own error.
const refused = await client.responses.create({ model, input: "hi", temperature: 9 }).catch((error) => error);
told.refused = [refused.constructor.name, refused.status, refused.param];

console.log(JSON.stringify(told));
