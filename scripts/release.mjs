#!/usr/bin/env node
/**
 * Makes a release from this checkout: dist/release/, one folder with all that a box needs, the Node it runs on included
 * (docs/adr/0008-real-boxes.md). `node scripts/release.mjs [folder]`; run scripts/build.mjs before, as `npm run release` does.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** As `uname -m` says it, which is what install.sh can ask a box. */
const machine = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];

const sumOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

function filesBelow(folder) {
  const names = readdirSync(folder, { recursive: true }).map(String).sort();
  return names.filter((name) => statSync(join(folder, name)).isFile());
}

/** One line a file, as `sha256sum -c` reads it. */
const sumsOf = (folder, except = []) =>
  filesBelow(folder)
    .filter((name) => !except.includes(name))
    .map((name) => `${sumOf(join(folder, name))}  ${name}\n`)
    .join('');

function copy(from, to) {
  if (!existsSync(join(root, from))) throw new Error(`there is no ${from}; run npm run build first`);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, from), to, { recursive: true, dereference: true });
}

/** What an agent needs; a manager's box has it too. */
function layAgent(folder) {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  cpSync(process.execPath, join(folder, 'bin', 'node'), { dereference: true });
  chmodSync(join(folder, 'bin', 'node'), 0o755);
  for (const name of ['agent', 'cli']) copy(`dist/${name}.js`, join(folder, 'lib', `${name}.js`));
  copy('system', join(folder, 'system'));
  cpSync(join(folder, 'system', 'evenkeel'), join(folder, 'bin', 'evenkeel'));
  rmSync(join(folder, 'system', 'evenkeel'));
  chmodSync(join(folder, 'bin', 'evenkeel'), 0o755);
  const cli = (verb) => execFileSync(process.execPath, [join(root, 'dist', 'cli.js'), verb]);
  writeFileSync(join(folder, 'system', 'completion.bash'), cli('completion'));
  writeFileSync(join(folder, 'system', 'evenkeel.1'), cli('manual'));
  copy('install.sh', join(folder, 'install.sh'));
  copy('LICENSE', join(folder, 'LICENSE'));
}

/** Of sqlite3 and what it loads, only what runs. */
function layManager(folder) {
  copy('dist/manager.js', join(folder, 'lib', 'manager.js'));
  for (const part of ['policies', 'templates']) copy(part, join(folder, 'content', part));
  const packages = join(folder, 'lib', 'node_modules');
  for (const part of ['package.json', 'lib', 'build/Release/node_sqlite3.node'])
    copy(`node_modules/sqlite3/${part}`, join(packages, 'sqlite3', part));
  for (const name of ['bindings', 'file-uri-to-path']) copy(`node_modules/${name}`, join(packages, name));
}

function pack(folder, to) {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...same, '--use-compress-program=gzip -n', '-cf', to, '-C', folder, '.']);
}

/** install.sh as the manager serves it knows what it may fetch. */
function pin(source, to, pins) {
  let text = readFileSync(source, 'utf8');
  for (const [name, value] of Object.entries(pins)) {
    const line = new RegExp(`^${name}=.*$`, 'm');
    if (!line.test(text)) throw new Error(`install.sh has no line ${name}=`);
    text = text.replace(line, `${name}=${value}`);
  }
  writeFileSync(to, text, { mode: 0o755 });
}

function release(target) {
  if (machine === undefined) throw new Error(`there are no releases for ${process.arch}`);
  const fresh = `${target}.new`;
  const agent = `${target}.agent`;
  for (const folder of [fresh, agent]) rmSync(folder, { recursive: true, force: true });
  layAgent(agent);
  layAgent(fresh);
  layManager(fresh);
  const id = `${version}-${createHash('sha256').update(sumsOf(fresh)).digest('hex').slice(0, 12)}`;
  const lay = (folder, name) => {
    const pins = { pinned_release: name, pinned_machine: machine };
    pin(join(folder, 'install.sh'), join(folder, 'install.sh'), pins);
    writeFileSync(join(folder, 'RELEASE'), `${name}\n`);
    writeFileSync(join(folder, 'SHA256SUMS'), sumsOf(folder));
  };
  // By its name a box knows whether it has all of a release or the agent alone.
  lay(agent, `${id}-agent`);
  lay(fresh, id);
  const serve = join(fresh, 'serve');
  mkdirSync(serve);
  pack(agent, join(serve, 'agent.tar.gz'));
  const pinned_bundle = sumOf(join(serve, 'agent.tar.gz'));
  pin(join(fresh, 'install.sh'), join(serve, 'install.sh'), {
    ...{ pinned_release: `${id}-agent`, pinned_bundle },
  });
  writeFileSync(join(fresh, 'SHA256SUMS'), sumsOf(fresh, ['SHA256SUMS']));
  rmSync(agent, { recursive: true });
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
  return id;
}

const target = resolve(process.argv[2] ?? join(root, 'dist', 'release'));
try {
  const id = release(target);
  process.stderr.write(`release: ${id} for ${machine} in ${relative(process.cwd(), target) || '.'}\n`);
} catch (error) {
  process.stderr.write(`release: ${error.message}\n`);
  process.exitCode = 1;
}
