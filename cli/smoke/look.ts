/** How a smoke test looks to people: one line for each node and way, and what it comes to. */
import type { Session } from '../session.ts';

export interface Look {
  state: 'ok' | 'failed' | 'skipped';
  text: string;
}

export interface Line extends Look {
  node: string;
  /** `itself`, or the virtual service through which it was asked. */
  by: string;
  at: string;
}

export interface Smoked {
  ok: boolean;
  site: string;
  /** Sites of earlier runs that were killed. */
  removed: string[];
  lines: Line[];
  /** What is to be said of no node in particular. */
  notes: string[];
}

const tones = { ok: 'good', failed: 'bad', skipped: 'dim' } as const;

export function smokedText({ ok, site, removed, lines, notes }: Smoked, session: Session): string {
  const rows = lines.map(({ node, by, at, state, text }) => [
    node,
    by,
    at,
    { text: state, tone: tones[state] },
    text,
  ]);
  const failed = lines.filter(({ state }) => state === 'failed').length;
  return [
    ...removed.map((name) => `Site/${name} of a run that was killed is removed`),
    ...(rows.length === 0 ? [] : [session.table(['NODE', 'BY', 'AT', 'RESULT', 'WHAT'], rows)]),
    ...notes.map((note) => session.paint('warn', note)),
    '',
    ok
      ? session.paint('good', `the cluster serves: ${site} was declared, fetched and removed`)
      : session.paint(
          'bad',
          failed === 0
            ? 'nothing was tried'
            : `${failed} of the tries failed; ${site} is removed. See: evenkeel doctor, evenkeel nodes`,
        ),
  ].join('\n');
}
