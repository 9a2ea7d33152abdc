#!/usr/bin/env node
/** `npx evenkeel` in a checkout: brings dist/cli.js up to date when a source is newer, then runs it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The CLI's standard output belongs to programs, so everything said here goes to standard error. */
const say = (line) => process.stderr.write(`${line}\n`);

function giveUp(line) {
  say(line);
  process.exit(1);
}

if (!existsSync(join(root, 'node_modules'))) {
  giveUp(`evenkeel: this checkout is not ready yet; run: npm run build   (in ${root})`);
}
const { build } = await import('../scripts/build.mjs');
await build(say).catch((error) => giveUp(`evenkeel: the build failed: ${error.message}`));

const cli = join(root, 'dist', 'cli.js');
if (!existsSync(cli)) giveUp(`evenkeel: there is no dist/cli.js; run: npm run build   (in ${root})`);
process.argv[1] = cli;
await import(pathToFileURL(cli).href);
