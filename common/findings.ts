/** Findings of preflight and doctor: put together, and as people read them. Pure. */
import { type CheckName, type CheckState, checkNames, type Finding } from '../protocol/preflight.ts';

type Help = Pick<Finding, 'why' | 'fix' | 'command'>;

/** One way for each way to end, so that what is wrong always has its reason and its fix. */
export const pass = (name: CheckName, found: string): Finding => ({ name, state: 'pass', found });
export const skip = (name: CheckName, found: string): Finding => ({ name, state: 'skip', found });
export const warn = (name: CheckName, found: string, help: Help & { why: string; fix: string }): Finding => ({
  ...{ name, state: 'warn', found },
  ...help,
});
export const fail = (name: CheckName, found: string, help: Help & { why: string; fix: string }): Finding => ({
  ...{ name, state: 'fail', found },
  ...help,
});

/** The greater, the more it counts where two look at one thing: a check that was left out says least. */
const weight: Record<CheckState, number> = { skip: 0, pass: 1, warn: 2, fail: 3 };

const placeOf = (name: string): number => {
  const at = (checkNames as readonly string[]).indexOf(name);
  return at === -1 ? checkNames.length : at;
};

/** One finding a check, in the order of the checks: where several looked, the worst counts; of two as bad both are said. */
export function merged(findings: readonly Finding[]): Finding[] {
  const byName = new Map<string, Finding>();
  for (const finding of findings) {
    const other = byName.get(finding.name);
    byName.set(finding.name, other ? worseOf(other, finding) : finding);
  }
  return [...byName.values()].sort((a, b) => placeOf(a.name) - placeOf(b.name));
}

function worseOf(a: Finding, b: Finding): Finding {
  if (weight[a.state] !== weight[b.state]) return weight[a.state] > weight[b.state] ? a : b;
  const both = (field: 'found' | 'why' | 'fix') => joined(a[field], b[field], '; ');
  const [why, fix, command] = [both('why'), both('fix'), joined(a.command, b.command, ' && ')];
  return {
    ...{ name: a.name, state: a.state, found: both('found') ?? '' },
    ...(why === undefined ? {} : { why }),
    ...(fix === undefined ? {} : { fix }),
    ...(command === undefined ? {} : { command }),
  };
}

const joined = (a: string | undefined, b: string | undefined, by: string) =>
  a === undefined || b === undefined || a === b ? (a ?? b) : `${a}${by}${b}`;

export const isFailing = (findings: readonly Finding[]): boolean =>
  findings.some(({ state }) => state === 'fail');

/** How a text is shown; in a pipe or a file as it is. */
export type Colour = (tone: 'good' | 'warn' | 'bad' | 'dim', text: string) => string;

const tones = { pass: 'good', warn: 'warn', fail: 'bad', skip: 'dim' } as const;

/** A line a check; below what warns or fails: what does not work so, what to do, and a command to copy. */
export function checklist(findings: readonly Finding[], colour: Colour): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .flatMap(({ name, state, found, why, fix, command }) => {
      const line = `${colour(tones[state], state.padEnd(4))}  ${name.padEnd(width)}  ${found}`;
      if (state === 'pass' || state === 'skip') return [line];
      const below = (text: string | undefined, before = '') =>
        text === undefined ? [] : [`${' '.repeat(width + 8)}${before}${text}`];
      return [line, ...below(why), ...below(fix, 'fix: '), ...below(command, '$ ')];
    })
    .join('\n');
}

/** `12 pass, 1 warn, 0 fail, 2 skip`. */
export const tally = (findings: readonly Finding[]): string =>
  (['pass', 'warn', 'fail', 'skip'] as const)
    .map((state) => `${findings.filter((one) => one.state === state).length} ${state}`)
    .join(', ');
