// Steps, streams, shapes and follow-ups of the Vercel AI SDK, with items stored by the server and without.
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const sent = []; // the kinds of input items of each request
const openai = createOpenAI({ // OPENAI_BASE_URL, OPENAI_API_KEY
  fetch: (url, init) => {
    sent.push(JSON.parse(init.body).input.map(({ type, role }) => type ?? role));
    return fetch(url, init);
  },
});
const tools = {
  weather: tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ city, sky: "clear" }),
  }),
};
const store = process.argv[2] !== "stateless";
const common = {
  model: openai(process.env.MODEL),
  maxRetries: 0,
  providerOptions: { openai: { store, ...(store ? {} : { include: ["reasoning.encrypted_content"] }) } },
};
const loop = { tools, stopWhen: isStepCount(5) };
const told = {};

// Two calls at once, then one more, then words: three steps.
const first = await generateText({ ...common, ...loop, prompt: "Compare Paris, Rome and Oslo." });
told.text = first.text;
told.steps = first.steps.map(({ toolCalls }) => toolCalls.map(({ input }) => input.city));
told.results = first.steps.flatMap(({ toolResults }) => toolResults.map(({ output }) => output.sky));
told.warnings = first.steps.flatMap(({ warnings }) => warnings ?? []);

// The next question, with the messages of all steps before it, streamed.
const question = { role: "user", content: "And Paris again?" };
const asked = { role: "user", content: "Compare Paris, Rome and Oslo." };
const messages = [asked, ...first.responseMessages, question];
const errors = [];
const second = streamText({ ...common, ...loop, messages, onError: ({ error }) => errors.push(String(error)) });
told.parts = [];
for await (const part of second.stream) told.parts.push(part.type);
told.streamed = await second.text;
told.finish = await second.finishReason;
told.usage = (await second.totalUsage).totalTokens > 0;
told.errors = errors;

// A fixed shape.
const schema = z.object({ city: z.string(), degrees: z.number() });
const shaped = await generateText({ ...common, prompt: "The warmest?", output: Output.object({ schema }) });
told.shape = shaped.output;

// A turn that names the one before.
if (store) {
  const previousResponseId = shaped.finalStep.providerMetadata.openai.responseId;
  const options = { openai: { previousResponseId } };
  told.continued = (await generateText({ ...common, providerOptions: options, prompt: "Why?" })).text;
}

told.sent = sent;
console.log(JSON.stringify(told));
