// node.mjs CLIENT: lines of {"id", "body"} in, {"id", "value" or "error"} out.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { evaluate, prepare } from "./evaluate.mjs";

prepare(await import(pathToFileURL(`${process.argv[2]}/index.js`)));
for await (const line of createInterface({ input: process.stdin })) {
  const { id, body } = JSON.parse(line);
  evaluate(body).then((answer) => process.stdout.write(JSON.stringify({ id, ...answer }) + "\n"));
}
