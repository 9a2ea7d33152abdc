/** The shipped actions of RHEL's family, carried out with dnf and rpm as they were recorded (test/fixtures/dnf/record.sh). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createExecutables } from '../../../agent/drivers/executables.ts';
import { createPerform } from '../../../agent/queue/perform.ts';
import { type ActionValues, valuesOf } from '../../../common/actions/values.ts';
import { systemClock } from '../../../common/clock.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import type { TryResult } from '../../../protocol/queue.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';
import { temporaryFolder } from '../../support/courier.ts';

interface Recorded {
  argv: string[];
  status: number;
  stdout: string;
  stderr: string;
}

const root = join(import.meta.dirname, '../../..');
const recorded = readFileSync(join(root, 'test/fixtures/dnf/recorded.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

let at: { folder: string; remove: () => Promise<void> };
let shipped: ResourceOf<'Action'>[];
beforeEach(async () => {
  at = await temporaryFolder();
  shipped = (await loadShipped(root)).filter((one): one is ResourceOf<'Action'> => one.kind === 'Action');
});
afterEach(() => at.remove());

/** Says what was recorded for just these arguments, and refuses any others; each answer is given as often as it was recorded. */
function replaying(program: string, answers: readonly Recorded[]): string {
  const path = join(at.folder, program);
  const data = join(at.folder, `${program}.json`);
  writeFileSync(data, JSON.stringify(answers));
  const text = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs');
const answers = JSON.parse(readFileSync(${JSON.stringify(data)}, 'utf8'));
const argv = JSON.stringify([${JSON.stringify(program)}, ...process.argv.slice(2)]);
const nr = answers.findIndex((one) => JSON.stringify(one.argv) === argv);
if (nr < 0) { process.stderr.write('never recorded: ' + argv); process.exit(99); }
const [{ stdout, stderr, status }] = answers.splice(nr, 1);
writeFileSync(${JSON.stringify(data)}, JSON.stringify(answers));
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = status;
`;
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

const answersOf = (program: string) => recorded.filter(({ argv }) => argv[0] === program);

const none = async (): Promise<void> => undefined;

/** Tries the shipped action once, with what is given checked as the manager checks it. */
async function tryIt(name: string, given: Record<string, unknown> = {}): Promise<TryResult> {
  const action = shipped.find((one) => one.name === name);
  if (!action) throw new Error(`no action ${name} is shipped`);
  const valued = valuesOf(action.spec.parameters, given, 'parameters');
  const values: ActionValues = valued.ok ? valued.values : {};
  expect(valued).toMatchObject({ ok: true });
  const run = createPerform({
    allowed: true,
    action: () => ({ digest: 'd', spec: action.spec }),
    roles: () => ['web'],
    resolve: createExecutables({ dnf: join(at.folder, 'dnf'), rpm: join(at.folder, 'rpm') }).resolve,
    deeds: { 'unit-restart': none, 'unit-reload': none, sweep: none, 'certificate-renew': none, facts: none },
    clock: systemClock,
  });
  const nothing = { begin: async () => undefined, leads: () => undefined, live: () => undefined };
  const wanted = { run: 'abcdefghijkl', number: 1, action: name, digest: 'd', values, delay: 0 };
  return run(wanted, { ...nothing, signal: new AbortController().signal });
}

it('[5.1] dnf-install installs what is missing, and is done already where rpm knows it', async () => {
  replaying('rpm', answersOf('rpm'));
  replaying('dnf', answersOf('dnf'));
  const first = await tryIt('dnf-install', { packages: ['htop'] });
  expect(first).toMatchObject({ end: 'succeeded', status: 0 });
  expect(first.output).toContain('htop-3.2.1-1.el9.noarch');
  const second = await tryIt('dnf-install', { packages: ['htop'] });
  expect(second).toMatchObject({ end: 'succeeded', already: true });
});

it('[5.1] a package that no repository has fails with the words of dnf', async () => {
  const missing = { argv: ['rpm', '--query', 'no-such-package'], status: 1, stdout: '', stderr: '' };
  replaying('rpm', [missing]);
  replaying('dnf', answersOf('dnf'));
  const result = await tryIt('dnf-install', { packages: ['no-such-package'] });
  expect(result).toMatchObject({ end: 'failed', status: 1, error: { code: 'command-failed' } });
  expect(result.error?.message).toContain('Unable to find a match: no-such-package');
});

it('[5.1] dnf-security-upgrade takes only what mends holes, dnf-upgrade the rest, and a repository that is away fails', async () => {
  replaying('rpm', []);
  replaying('dnf', answersOf('dnf'));
  const secure = await tryIt('dnf-security-upgrade');
  expect(secure).toMatchObject({ end: 'succeeded' });
  expect(secure.output).toContain('dovecot-2.3.17');
  expect(secure.output).not.toContain('htop');
  expect((await tryIt('dnf-upgrade')).output).toContain('htop-3.2.2');
  const away = await tryIt('dnf-upgrade');
  expect(away).toMatchObject({ end: 'failed', status: 1 });
  expect(away.error?.message).toContain('Failed to download metadata');
});

it('[5.1] dnf-list tells every package with its version', async () => {
  replaying('rpm', answersOf('rpm'));
  const { output } = await tryIt('dnf-list');
  expect(output.split('\n').filter(Boolean).sort()).toEqual([
    'dovecot-2.3.17-1.el9.noarch',
    'htop-3.2.1-1.el9.noarch',
  ]);
});
