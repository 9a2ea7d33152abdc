/** How a node looks to people: a line in a table, and the whole of it on a page. */
import type { NodeView } from '../protocol/views.ts';
import type { Tone } from './paint.ts';
import type { Session } from './session.ts';
import type { Cell } from './table.ts';
import { clockTime, relative } from './time.ts';

const stateTones: Record<NodeView['state'], Tone> = {
  pending: 'dim',
  active: 'good',
  draining: 'warn',
  maintenance: 'warn',
  held: 'warn',
  unreachable: 'bad',
  'identity-changed': 'bad',
};

const stateWords = (state: NodeView['state']): string => state.replace('-', ' ');

export const nodeHeaders = ['NAME', 'ROLES', 'ADDRESS', 'STATE', 'HEARD', 'CONVERGED', 'NOTES'];

export function nodeRow(node: NodeView): Cell[] {
  const { name, roles, address, state, online, lastSeen, converged } = node;
  return [
    name,
    roles.join(', ') || '-',
    address,
    { text: stateWords(state), tone: stateTones[state] },
    online ? 'now' : relative(lastSeen),
    { text: converged ? 'yes' : 'no', tone: converged ? 'good' : 'warn' },
    notesOf(node).join('; '),
  ];
}

const words = ['hold', 'drain', 'maintenance'] as const;

/** What the operator has said of it: why, who, and until when. */
export const operatorWords = (node: NodeView): [word: string, said: string][] =>
  words.flatMap((word): [string, string][] => {
    const [why, until] = [node[word], node.until?.[word]];
    if (why === undefined) return [];
    if (until === undefined) return [[word, why]];
    // Of what is over, only a drain is told still: it stays, and its time was that of its visitors.
    const isPast = Date.parse(until) <= Date.now();
    const text = isPast
      ? `visitors had until ${clockTime(until)}`
      : `until ${clockTime(until)} (${relative(until)})`;
    return [[word, `${why}, ${text}`]];
  });

/** Of a queue that waits for a person or for its next try. */
const queueNote = ({ state, action }: NodeView['queue']): string[] =>
  state === 'halted' ? [`queue halted: ${action}`] : state === 'paused' ? ['queue paused'] : [];

const queueText = ({ name, queue: { state, waiting, action } }: NodeView): string =>
  waiting === 0 ? state : `${state}; ${waiting} open, first ${action}: evenkeel queue ${name}`;

/** What a person should know, the worst first. */
function notesOf(node: NodeView): string[] {
  const { alarms, checks, units, behind, mode } = node;
  const down = checks.filter(({ state }) => state === 'down');
  return [
    ...alarms.map(({ code, subject }) => `${code} ${subject}`),
    ...down.map(({ unit, check }) => `${unit}/${check} down`),
    ...units.filter(({ error }) => error !== undefined).map(({ unit, result }) => `${unit} ${result}`),
    ...units
      .filter(({ held }) => held.length > 0)
      .map(({ unit, held }) => `${unit} holds back ${held.length}`),
    ...queueNote(node.queue),
    ...(behind.length > 0 ? [`behind in ${behind.join(', ')}`] : []),
    ...operatorWords(node).map(([word, said]) => `${word}: ${said}`),
    ...(mode === 'enforce' ? [] : [mode]),
  ];
}

export function nodePage(node: NodeView, session: Session): string {
  const { paint } = session;
  const {
    name,
    roles,
    address,
    state,
    does,
    online,
    lastSeen,
    version,
    mode,
    converged,
    behind,
    certificateExpires,
  } = node;
  const facts: [string, string][] = [
    ['roles', roles.join(', ') || '-'],
    ['address', address],
    ['state', paint(stateTones[state], stateWords(state))],
    ['', paint('dim', does)],
    ['mode', mode],
    ['heard', online ? 'now' : relative(lastSeen)],
    ['converged', converged ? paint('good', 'yes') : paint('warn', 'no')],
    ...(behind.length > 0 ? [['behind', behind.join(', ')] as [string, string]] : []),
    ['agent', version || '-'],
    ['certificate', certificateExpires === null ? '-' : `ends ${relative(certificateExpires)}`],
    ['queue', queueText(node)],
    ...operatorWords(node),
  ];
  return [
    paint('bold', name),
    ...facts.map(([label, value]) => `  ${label.padEnd(12)} ${value}`),
    ...section('units', unitsTable(node, session)),
    ...section('held back', heldTable(node, session)),
    ...section('checks', checksTable(node, session)),
    ...section('alarms', alarmsTable(node, session)),
  ].join('\n');
}

const section = (title: string, text: string | undefined): string[] =>
  text === undefined ? [] : ['', `${title}:`, ...text.split('\n').map((line) => `  ${line}`)];

const some = (headers: string[], rows: Cell[][], session: Session): string | undefined =>
  rows.length === 0 ? undefined : session.table(headers, rows);

const good = new Set(['unchanged', 'changed', 'corrected', 'up']);
const toned = (text: string): Cell => ({ text, tone: good.has(text) ? 'good' : 'bad' });

const unitsTable = ({ units }: NodeView, session: Session) =>
  some(
    ['UNIT', 'LAST RESULT', 'WHEN', 'TREE', 'TOOK', 'ERROR'],
    units.map(({ unit, result, at, digest, timing, error = '' }) => {
      const took = Object.values(timing).reduce((sum, ms) => sum + ms, 0);
      return [unit, toned(result), relative(at), digest.slice(0, 12), `${Math.round(took)} ms`, error];
    }),
    session,
  );

const heldTable = ({ units }: NodeView, session: Session) =>
  some(
    ['UNIT', 'ITEM', 'SERVES', 'REASON'],
    units.flatMap(({ unit, held }) =>
      held.map(({ kind, name, serving, reason }) => [unit, `${kind}/${name}`, serving, reason]),
    ),
    session,
  );

const checksTable = ({ checks }: NodeView, session: Session) =>
  some(
    ['CHECK', 'STATE', 'SINCE', 'DETAIL'],
    checks.map(({ unit, check, state, since, detail }) => [
      `${unit}/${check}`,
      toned(state),
      relative(since),
      detail,
    ]),
    session,
  );

const alarmsTable = ({ alarms }: NodeView, session: Session) =>
  some(
    ['ALARM', 'SUBJECT', 'SINCE', 'MESSAGE'],
    alarms.map(({ code, subject, since, message }) => [
      { text: code, tone: 'bad' as const },
      subject,
      relative(since),
      message,
    ]),
    session,
  );
