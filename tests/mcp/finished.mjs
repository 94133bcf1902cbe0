// `node --import ./finished.mjs …`: tells on stderr of each POST that was answered in full.
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";

subscribe("http.server.response.finish", ({ request }) => {
  if (request.method === "POST") writeSync(2, "finished\n");
});
