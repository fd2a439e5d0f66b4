// What npm publishes: the sources without comments and indentation (prepack).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const here = new URL("./", import.meta.url);
mkdirSync(new URL("dist/", here), { recursive: true });
for (const name of ["index.js", "connection.js", "gateway.js", "snorky.js"]) {
  const lines = readFileSync(new URL(name, here), "utf8").split("\n");
  // A comment has lines of its own, or stands behind code after a blank.
  const code = lines.map((line) => line.replace(/^\s*(\/\/|\/\*\*).*|\s\/\/ .*$/, "").trim()).filter(Boolean);
  writeFileSync(new URL(`dist/${name}`, here), code.join("\n") + "\n");
}
