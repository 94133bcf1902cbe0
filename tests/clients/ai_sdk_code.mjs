// The hosted code interpreter as the Vercel AI SDK sees it: waiting, streamed, and in the next turn.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

const openai = createOpenAI({}); // OPENAI_BASE_URL, OPENAI_API_KEY
const tools = { code_interpreter: openai.tools.codeInterpreter({}) };
const common = { model: openai(process.env.MODEL), maxRetries: 0, tools };
const told = {};

const first = await generateText({ ...common, prompt: "How much is 6 * 7?" });
told.text = first.text;
const [call] = first.steps.flatMap(({ toolCalls }) => toolCalls);
told.code = call.input.code;
told.container = call.input.containerId;
const [result] = first.steps.flatMap(({ toolResults }) => toolResults);
told.outputs = result.output.outputs;
told.sources = first.steps.flatMap(({ sources }) => sources.map(({ filename }) => filename));

const messages = [{ role: "user", content: "How much is 6 * 7?" }, ...first.responseMessages];
const errors = [];
const second = streamText({
  ...common, messages: [...messages, { role: "user", content: "Again." }], onError: ({ error }) => errors.push(String(error)),
});
told.parts = [];
for await (const part of second.stream) told.parts.push(part.type);
told.streamed = await second.text;
told.errors = errors;
console.log(JSON.stringify(told));
