// Reads Mermaid diagrams as Mermaid does: a JSON list of texts comes in, and for each one the names
// of its participants and its messages go out, or the parser's error.
//
// The argument is the folder `node_modules` that has the package `mermaid`.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const file = path.resolve(process.argv[2], "mermaid/dist/mermaid.core.mjs");
const { default: mermaid } = await import(pathToFileURL(file));
const answers = [];
for (const text of JSON.parse(fs.readFileSync(0, "utf8"))) {
  try {
    await mermaid.parse(text);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
    answers.push({
      names: [...db.getActors().values()].map((actor) => actor.description),
      messages: db.getMessages(),
    });
  } catch (error) {
    answers.push({ error: String(error.message) });
  }
}
console.log(JSON.stringify(answers));
