// Builds what the browser loads from the npm lock file and this folder, into pages/static/dist: names that carry a hash of the
// content, each file also compressed, and a manifest that leads from a plain name to the file.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static", "dist");
const draft = `${target}.new`;
const images = readdirSync(join(here, "img"));

rmSync(draft, { recursive: true, force: true });
mkdirSync(draft, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: readdirSync(join(here, "entries")).map((name) => `entries/${name}`),
  outdir: draft,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  metafile: true,
  legalComments: "linked",
  target: ["es2022", "chrome109", "firefox115", "safari16"],
  logLevel: "warning",
});

const manifest = {};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  if (output.entryPoint) manifest[basename(output.entryPoint)] = basename(path);
}
for (const name of images) {
  const content = readFileSync(join(here, "img", name));
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8).toUpperCase();
  manifest[name] = `${basename(name, extname(name))}-${hash}${extname(name)}`;
  writeFileSync(join(draft, manifest[name]), content);
}
for (const name of readdirSync(draft)) {
  const content = readFileSync(join(draft, name));
  writeFileSync(join(draft, `${name}.gz`), gzipSync(content, { level: 9 }));
  writeFileSync(
    join(draft, `${name}.br`),
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  );
}
const sorted = Object.fromEntries(Object.entries(manifest).sort());
writeFileSync(join(draft, "manifest.json"), `${JSON.stringify(sorted, null, 2)}\n`);
rmSync(target, { recursive: true, force: true });
renameSync(draft, target);
console.log(`${Object.keys(manifest).length} files in ${relative(process.cwd(), target)}`);
