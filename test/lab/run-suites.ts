/** Runs the suites of the lab, each in namespaces of its own, one after the other; says plainly when it cannot. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkout, leaveOut } from './host.ts';
import { spawnInside } from './namespace.ts';
import { makeRoots } from './roots.ts';

const SUITES = join(import.meta.dirname, 'suites');
/**
 * Suites whose boxes are a Debian of their own: it is made out here, where there is an internet. They take ten minutes,
 * and run when they are named.
 */
const onBareBoxes = ['install', 'systemd-driver', 'upgrade'];
/** A suite that hangs must not hang the whole run. */
const longestOf = (name: string): number => (onBareBoxes.includes(name) ? 40 : 15) * 60_000;

const say = (line: string): void => {
  process.stderr.write(`lab: ${line}\n`);
};

/** The names of all suites, or of those that a word of `wanted` is part of. */
function suites(wanted: string[]): string[] {
  const all = readdirSync(SUITES)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => basename(name, '.test.ts'))
    .sort();
  return wanted.length === 0
    ? all.filter((name) => !onBareBoxes.includes(name))
    : all.filter((name) => wanted.some((word) => name.includes(word)));
}

/** Runs one suite; returns whether it passed. */
function runSuite(name: string): Promise<boolean> {
  const vitest = join(checkout, 'node_modules', 'vitest', 'vitest.mjs');
  const file = join(SUITES, `${name}.test.ts`);
  return new Promise((resolve) => {
    const child = spawnInside(name, [process.execPath, vitest, 'run', file], {
      cwd: checkout,
      stdio: 'inherit',
    });
    const timer = setTimeout(() => {
      say(`${name} was still running after ${longestOf(name) / 60_000} minutes, and is ended`);
      child.kill('SIGKILL');
    }, longestOf(name));
    const over = (passed: boolean) => {
      clearTimeout(timer);
      if (!passed) countAsFailed(name);
      resolve(passed);
    };
    child.once('error', (err) => {
      say(`${name} could not be started: ${err.message}`);
      over(false);
    });
    child.once('exit', (code) => over(code === 0));
  });
}

/** A suite that ended before it could write its report has failed all the same (`.ci/run` counts reports). */
function countAsFailed(name: string): void {
  const folder = process.env.EVENKEEL_TEST_REPORTS;
  const file = folder && join(folder, `lab-${name}.json`);
  if (file && !existsSync(file)) writeFileSync(file, '{"numFailedTests":1}');
}

/** Runs all, or those that `wanted` names by a part; returns the exit code. */
export async function runSuites(wanted: string[]): Promise<number> {
  const names = suites(wanted);
  const leftOut = leaveOut(names);
  if (leftOut) {
    say(leftOut.line);
    return leftOut.code;
  }
  if (names.some((name) => onBareBoxes.includes(name))) makeRoots();
  const failed: string[] = [];
  for (const name of names) if (!(await runSuite(name))) failed.push(name);
  if (failed.length > 0) say(`failed: ${failed.join(', ')}; logs of failed tests are in var/lab-failed/`);
  return failed.length === 0 ? 0 : 1;
}
