#!/usr/bin/env node
/** The build: three bundles in dist/, made again only when a source, the lock file or this script is newer. */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['protocol', 'common', 'manager', 'agent', 'cli'];
const alsoInputs = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'];

/** `external` stays a package beside the manager; the agent and the CLI must run from their one file. */
const bundles = [
  { name: 'agent', external: [] },
  { name: 'manager', external: ['sqlite3'] },
  { name: 'cli', external: [] },
];

/** Packages that others try to load and do well without: never bundled, never required. */
const optional = [
  'bufferutil',
  'utf-8-validate',
  'supports-color',
  'osx-temperature-sensor',
  'macos-temperature-sensor',
];

/** CommonJS packages inside an ES module still ask for these three names. */
const banner = `import { createRequire as __createRequire } from 'node:module';
import { fileURLToPath as __toPath } from 'node:url';
import { dirname as __toFolder } from 'node:path';
var require = __createRequire(import.meta.url);
var __filename = __toPath(import.meta.url);
var __dirname = __toFolder(__filename);`;

const isSource = (name) => /\.(ts|mjs|json|sql|hbs)$/.test(name);

/** Folders count too, so that a deleted file makes the bundles stale. */
function newestIn(folder) {
  let newest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestIn(path));
    else if (isSource(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

function newestSource() {
  const folders = sources.map((name) => join(root, name)).filter((path) => existsSync(path));
  const files = alsoInputs.map((name) => join(root, name)).filter((path) => existsSync(path));
  return Math.max(...folders.map(newestIn), ...files.map((path) => statSync(path).mtimeMs));
}

/** The bundles that are missing or older than the newest source, of those whose entry point exists. */
export function staleBundles() {
  const newest = newestSource();
  return bundles.filter(({ name }) => {
    const output = join(root, 'dist', `${name}.js`);
    const wanted = existsSync(join(root, name, 'main.ts'));
    return wanted && (!existsSync(output) || statSync(output).mtimeMs <= newest);
  });
}

const isBuiltin = (name) => name.startsWith('node:') || builtinModules.includes(name.split('/')[0]);

/** A bundle that still needs a package would fail on a node, where there is no node_modules. */
function refuseStrangers(bundle, metafile) {
  const allowed = new Set([...bundle.external, ...optional]);
  const left = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const strangers = left.filter(({ path, external }) => external && !isBuiltin(path) && !allowed.has(path));
  if (strangers.length === 0) return;
  throw new Error(`dist/${bundle.name}.js would need ${strangers.map(({ path }) => path).join(', ')}`);
}

/**
 * Written beside and renamed, so that a process that starts meanwhile reads the old bundle or the new one;
 * dated at the start of the build, so that a source saved during the build counts as newer.
 */
function replaceFile(path, contents, started) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(temporary, contents);
    utimesSync(temporary, started, started);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function bundleOne(esbuild, bundle) {
  const started = new Date();
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [`${bundle.name}/main.ts`],
    outfile: `dist/${bundle.name}.js`,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    keepNames: true,
    // Names stay, so that a stack can be read. Comments go: one letter beyond Latin-1 in them doubles the text in memory.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'external',
    loader: { '.sql': 'text' },
    banner: { js: banner },
    external: [...bundle.external, ...optional],
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  refuseStrangers(bundle, result.metafile);
  for (const file of result.outputFiles) replaceFile(file.path, file.contents, started);
  const code = result.outputFiles.find((file) => file.path.endsWith('.js'));
  return Math.round((code?.contents.length ?? 0) / 1024);
}

/** Builds what is stale and says so through `say`; silent when all is new enough. */
export async function build(say) {
  const missing = bundles.filter(({ name }) => !existsSync(join(root, name, 'main.ts')));
  for (const { name } of missing) say(`build: no ${name}/main.ts yet, dist/${name}.js is skipped`);
  const stale = staleBundles();
  if (stale.length === 0) return;
  const esbuild = await import('esbuild');
  mkdirSync(join(root, 'dist'), { recursive: true });
  const started = performance.now();
  const sizes = await Promise.all(stale.map((bundle) => bundleOne(esbuild, bundle)));
  const made = stale.map(({ name }, at) => `dist/${name}.js ${sizes[at]} KiB`).join(', ');
  say(`build: ${made} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  await build((line) => process.stderr.write(`${line}\n`)).catch((error) => {
    process.stderr.write(`build: ${error.message}\n`);
    process.exitCode = 1;
  });
}
