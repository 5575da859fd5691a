// Secretlint with its recommended rules over every file of a folder: prints [file, line] of each finding as JSON.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, folder] = process.argv.slice(2);
const require = createRequire(join(modules, "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { lintSource } = await load("@secretlint/core");
const { creator } = await load("@secretlint/secretlint-rule-preset-recommend");
const rules = [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator, options: {} }];

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .sort();
const found = [];
for (const file of files) {
  const source = { filePath: file, content: readFileSync(file, "utf8"), contentType: "text", ext: extname(file) };
  const result = await lintSource({ source, options: { config: { rules } } });
  for (const message of result.messages) found.push([relative(folder, file), message.loc.start.line]);
}
console.log(JSON.stringify(found));
