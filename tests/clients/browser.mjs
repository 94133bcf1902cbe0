// The browser as a connector: the Vercel AI SDK waits, then streams the next turn; openai for Node reads the items.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const apiKey = process.argv[2];
const openai = createOpenAI({ apiKey }); // OPENAI_BASE_URL
const model = process.env.MODEL;
const tools = {
  mcp: openai.tools.mcp({ serverLabel: "web", connectorId: "connector_browser", requireApproval: "never" }),
};
const common = { model: openai(model), maxRetries: 0, tools };
const errors = [];

const first = await generateText({ ...common, prompt: "Go." });
const results = first.steps.flatMap(({ toolResults }) => toolResults);
const messages = [{ role: "user", content: "Go." }, ...first.responseMessages, { role: "user", content: "On." }];
const second = streamText({ ...common, messages, onError: ({ error }) => errors.push(String(error)) });
for await (const part of second.stream) if (part.type === "tool-result") results.push(part);

const client = new OpenAI({ apiKey, maxRetries: 0 });
const tool = { type: "mcp", server_label: "web", connector_id: "connector_browser", require_approval: "never" };
const made = await client.responses.create({ model, input: "Go.", tools: [tool] });
const step = made.output.find(({ type }) => type === "mcp_call");

console.log(JSON.stringify({
  names: results.map(({ output }) => output.name),
  output: results[1].output.output,
  answers: [first.text, await second.text, made.output_text],
  errors,
  browser: step.browser_id,
  picture: step.screenshot.file_id,
}));
