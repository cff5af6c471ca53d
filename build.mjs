// Builds the front end: `npm run build` writes one release to app/static/build, and the server reads it at start-up
// (app/pages/assets.py). A release is a set of hashed files that never change, each compressed by gzip and brotli.
//
// manifest.json names them: `entries` maps a source to its file and to the files that it imports; `files` lists all.
// Its modification time is the start of the build, so a newer source has changed since.

import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const ROOT = dirname(fileURLToPath(import.meta.url));
const SOURCES = "app/static";
const OUT = join(ROOT, SOURCES, "build");
const MANIFEST = join(OUT, "manifest.json");

const brotli = promisify(brotliCompress);
const gzipped = promisify(gzip);
// Of the distance parameters (RFC 7932, section 4), these make the largest script smallest: 0.2 % less than the
// defaults.
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_NPOSTFIX]: 1,
    [constants.BROTLI_PARAM_NDIRECT]: 4,
  },
};

const LIBRARIES = join(ROOT, SOURCES, "js/core/libraries.js");
const WITHOUT_LIBRARIES = ["libraries.js", "underscore.js"];
const UNDERSCORE = join(ROOT, "node_modules/underscore/modules/index.js");

const COMMON = {
  absWorkingDir: ROOT,
  outdir: OUT,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  minify: true,
  metafile: true,
  write: false,
  charset: "utf8",
  legalComments: "none", // THIRD_PARTY_NOTICES.md has the licences
  logLevel: "warning",
};
const PAGES = {
  ...COMMON,
  entryPoints: ["js/app.js", "css/app.css", "css/embed.css", "css/docs.css"].map(
    (name) => `./${SOURCES}/${name}`,
  ),
  alias: { underscore: `./${SOURCES}/js/core/underscore_global.cjs` },
  external: ["jquery"], // Backbone works without it; ajax.js and delegation.js replace it
  splitting: true,
  sourcemap: true,
};
// Scripts without imports, at addresses without a hash. They are not modules: a page of another site loads embed.js
// with <script async>. As an IIFE, embed.js adds no names to that page.
const STANDALONE = {
  ...COMMON,
  format: "iife",
  entryPoints: ["js/embed/embed.js", "js/offline/service_worker.js"].map(
    (name) => `./${SOURCES}/${name}`,
  ),
};

const startedAt = new Date();
const results = await Promise.all([buildPages(), build(STANDALONE)]);
await mkdir(OUT, { recursive: true });
const written = await Promise.all(results.flatMap(({ outputFiles }) => outputFiles).map(writeAll));
await writeManifest(Object.assign({}, ...results.map(({ metafile }) => metafile.outputs)));
await removeAllBut(new Set([basename(MANIFEST), ...written.flat()]));

// esbuild makes a chunk for each set of entries that share a module. The dozen parts that modules of app.js load by
// import() would make dozens of chunks. All modules of app.js are loaded before a part. If each part imports all of them,
// esbuild puts them into one chunk.
async function buildPages() {
  const { metafile } = await build({ ...PAGES, plugins: [importing()] });
  const app = outputOf(metafile, `${SOURCES}/js/app.js`);
  const shared = [app, ...importedBy(metafile.outputs, app)]
    .flatMap((output) => Object.keys(metafile.outputs[output].inputs))
    .filter((source) => source.startsWith(SOURCES) && source !== `${SOURCES}/js/app.js`);
  const parts = Object.values(metafile.inputs)
    .flatMap(({ imports }) => imports)
    .filter(({ kind }) => kind === "dynamic-import")
    .map(({ path }) => path);
  return build({ ...PAGES, plugins: [importing(shared, parts)] });
}

// Puts imports before the code of our modules: of the libraries everywhere, and of the `shared` modules in `parts`. (`inject`
// would put the libraries before other packages' CommonJS modules, too, and esbuild would wrap each module in a function.)
function importing(shared = [], parts = []) {
  const libraries = `import { Backbone, _ } from ${JSON.stringify(LIBRARIES)};`;
  const imports = shared.map((source) => `import ${JSON.stringify(join(ROOT, source))};`).join("");
  return {
    name: "importing",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^underscore:called$/ }, ({ path }) => ({
        path,
        namespace: "underscore",
      }));
      onLoad({ filter: /.*/, namespace: "underscore" }, async () => ({
        contents: `export { ${await calledFunctions()} } from ${JSON.stringify(UNDERSCORE)};`,
        resolveDir: ROOT,
      }));
      onLoad({ filter: /\/app\/static\/js\/.*\.js$/ }, async ({ path }) => {
        const isPart = parts.includes(relative(ROOT, path));
        const isOfLibraries = WITHOUT_LIBRARIES.includes(basename(path));
        const contents = await readFile(path, "utf8");
        return { contents: `${isOfLibraries ? "" : libraries}${isPart ? imports : ""}${contents}` };
      });
    },
  };
}

// The names of Underscore's functions that Backbone or our modules call. Backbone has a table of some: `forEach: 3`.
async function calledFunctions() {
  const js = join(ROOT, SOURCES, "js");
  const ours = (await readdir(js, { recursive: true })).filter((name) => name.endsWith(".js"));
  const libraries = ["backbone/backbone.js", "backbone.radio/build/backbone.radio.js"];
  const paths = [
    ...ours.map((name) => join(js, name)),
    ...libraries.map((name) => join(ROOT, "node_modules", name)),
  ];
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8")));
  const named = texts.join("\n").matchAll(/\b_\w*\.(\w+)|\b(\w+): \d\b/g);
  const names = new Set(Array.from(named, ([, member, key]) => member ?? key));
  const functions = await import(UNDERSCORE);
  return [...names].filter((name) => name in functions && name !== "default").sort();
}

function outputOf({ outputs }, source) {
  return Object.keys(outputs).find((name) => outputs[name].entryPoint === source);
}

/** The outputs that this one imports statically, directly or indirectly. */
function importedBy(outputs, output, found = new Set()) {
  for (const { path, kind } of outputs[output].imports) {
    if (kind !== "import-statement" || found.has(path)) continue;
    found.add(path);
    importedBy(outputs, path, found);
  }
  return found;
}

/** Writes the compressed forms of a file, unless an earlier build has written them. Returns their names. */
async function writeAll({ path, contents }) {
  const forms = [[`${path}.gz`, () => gzipped(contents, { level: constants.Z_BEST_COMPRESSION })]];
  // Source maps are for developers only: they are large, and brotli would take seconds.
  if (!path.endsWith(".map")) forms.push([`${path}.br`, () => brotli(contents, BROTLI)]);
  await Promise.all(forms.map(([name, form]) => writeOnce(name, form)));
  return forms.map(([name]) => basename(name));
}

async function writeOnce(path, form) {
  if (!(await stat(path).catch(() => null))) await replace(path, await form());
}

/** Replaces a file atomically, so that no process reads a part of it. */
async function replace(path, contents) {
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, contents);
  await rename(partial, path);
}

async function writeManifest(outputs) {
  const names = Object.keys(outputs).sort();
  const entries = names.filter((name) => outputs[name].entryPoint);
  const manifest = {
    entries: Object.fromEntries(
      entries.map((name) => [
        relative(SOURCES, outputs[name].entryPoint),
        {
          file: basename(name),
          imports: [...importedBy(outputs, name)].map((path) => basename(path)),
        },
      ]),
    ),
    files: names.map((name) => basename(name)),
  };
  await replace(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  await utimes(MANIFEST, startedAt, startedAt);
}

async function removeAllBut(names) {
  const others = (await readdir(OUT)).filter((name) => !names.has(name));
  await Promise.all(others.map((name) => rm(join(OUT, name), { force: true })));
}
