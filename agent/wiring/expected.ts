/** What policies expect on the box: directories that their items name. One that is missing is an alarm, and holds nothing back. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import { policiesOf } from '../../common/policies.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import { createAlarms } from '../link/alarms.ts';
import type { ReportBody } from '../link/outbox.ts';
import type { MissingDirectories } from '../probe/directories.ts';
import type { Desired } from '../state/desired.ts';

export interface ExpectedOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list'>;
  missing: MissingDirectories;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export interface Expected {
  /** What is declared may have changed. */
  look(): void;
  /** Says again what is missing: a new session has begun. */
  again(): void;
  start(): () => Promise<void>;
}

/** Directories come and go without a word. */
const EVERY_MS = 300_000;
const QUIET_MS = 300;
const MOST_NAMED = 3;

export function createExpected({ node, desired, missing, report, clock, log }: ExpectedOptions): Expected {
  const alarms = createAlarms(report);
  /** Policies about which an alarm may stand. */
  const warned = new Set<string>();
  const judge = async (policy: ResourceOf<'Policy'>) => {
    const named = namedBy(policy, desired);
    const absent = named.size === 0 ? [] : await missing([...new Set(named.values())]);
    if (absent === null) return;
    const gone = new Set(absent);
    const lines = [...named].filter(([, path]) => gone.has(path)).map(([line]) => line);
    if (lines.length === 0) return clear(policy.name);
    const more = lines.length > MOST_NAMED ? `; and ${lines.length - MOST_NAMED} more` : '';
    const message = `there is no such directory: ${lines.slice(0, MOST_NAMED).join('; ')}${more}`;
    warned.add(policy.name);
    alarms.raise('directory-missing', policy.name, message);
  };
  const clear = (policy: string) => {
    warned.delete(policy);
    alarms.clear('directory-missing', policy);
  };
  const work = async () => {
    const box = desired.get('Node', node)?.spec ?? { roles: [] };
    const cluster = desired.get('Cluster', 'cluster') ?? undefined;
    const policies = policiesOf(desired.list('Policy'), box, cluster);
    for (const policy of policies) await judge(policy);
    for (const name of [...warned]) if (!policies.some((policy) => policy.name === name)) clear(name);
    return undefined;
  };
  const loop = createLoop({ clock, log, quiet: QUIET_MS, atMost: 2_000, work });
  const look = () => loop.put('expected');
  return {
    look,
    again: alarms.repeat,
    start: () => {
      look();
      const end = clock.every(EVERY_MS, look);
      return async () => {
        end();
        await loop.stop();
      };
    },
  };
}

/** The directories that items name, by the line that tells of one: an item may name several. */
function namedBy({ spec }: ResourceOf<'Policy'>, desired: Pick<Desired, 'list'>): Map<string, string> {
  const named = new Map<string, string>();
  for (const { for: input, directory } of spec.expects ?? []) {
    const kind = spec.inputs[input]?.kind;
    for (const item of kind === undefined ? [] : desired.list(kind)) {
      const path = (item.spec as Record<string, unknown>)[directory];
      if (typeof path === 'string' && path.startsWith('/'))
        named.set(`${item.kind}/${item.name}: ${path}`, path);
    }
  }
  return named;
}
