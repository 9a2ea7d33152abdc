/** What the command line of the benchmarks may say, judged before anything is measured. */
import { parseArgs } from 'node:util';

export const subjects = ['converge', 'sync', 'queue', 'load'] as const;
export type Subject = (typeof subjects)[number];

export interface Options {
  subject: Subject;
  json: boolean;
  /** Numbers of sites. */
  sizes: number[];
  /** Numbers of emulated agents. */
  agents: number[];
  /** Measurements of what takes long; quick things are measured more often. */
  runs: number;
  /** Leaves the files of the run for a look. */
  keep: boolean;
}

export const usage = `usage: npm run bench -- ${subjects.join('|')} [options]
  --json           one JSON document on standard output instead of a table
  --sizes N,N      numbers of sites (converge; 100,1000,10000,100000)
  --agents N,N     numbers of agents (sync; 100,1000)
  --runs N         measurements of what takes long (3)
  --keep           leave the files of the run`;

const LARGEST = { sizes: 100_000, agents: 2_000, runs: 20 };

/** @throws RangeError that says what is wrong, for people */
export function optionsFrom(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      sizes: { type: 'string', default: '100,1000,10000,100000' },
      agents: { type: 'string', default: '100,1000' },
      runs: { type: 'string', default: '3' },
      keep: { type: 'boolean', default: false },
    },
  });
  const [subject, ...rest] = positionals;
  const known = subjects.find((name) => name === subject);
  if (!known || rest.length > 0) throw new RangeError(`say one of ${subjects.join(', ')}`);
  const [runs = 3, ...more] = counts('runs', values.runs);
  if (more.length > 0) throw new RangeError('--runs wants one number');
  return {
    subject: known,
    json: values.json,
    sizes: counts('sizes', values.sizes),
    agents: counts('agents', values.agents),
    runs,
    keep: values.keep,
  };
}

function counts(option: keyof typeof LARGEST, text: string): number[] {
  const numbers = text.split(',').map(Number);
  const wrong = numbers.find((count) => !Number.isInteger(count) || count < 1 || count > LARGEST[option]);
  if (wrong !== undefined)
    throw new RangeError(`--${option} wants whole numbers from 1 to ${LARGEST[option]}`);
  return [...new Set(numbers)].sort((a, b) => a - b);
}
