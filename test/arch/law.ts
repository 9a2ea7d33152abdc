/** The import law: which room may import which, the reason for each forbidden edge, and no cycles. */
import { posix } from 'node:path';
import type { Source } from './source.ts';

/** `may` names rooms; a room may always import itself, and `*` is everything. */
interface Rule {
  may: string[];
  because: string;
}

const base = ['protocol', 'common'];

const law: Record<string, Rule> = {
  protocol: {
    may: [],
    because: 'what crosses a wire stands alone, so that both ends and every tool can read it',
  },
  common: {
    may: ['protocol', 'root'],
    because:
      'common is shared by manager and agent and may know neither; the version is that of package.json',
  },
  'manager/store': { may: base, because: 'the store keeps what others decide and knows nobody above it' },
  'manager/desired': {
    may: base,
    because: 'deciders take values and return values; what they need is passed in',
  },
  'manager/health': {
    may: base,
    because: 'deciders take values and return values; what they need is passed in',
  },
  'manager/pool': {
    may: base,
    because: 'deciders take values and return values; what they need is passed in',
  },
  'manager/history': {
    may: base,
    because: 'the history is told what was counted, and given the file that keeps it',
  },
  'manager/external': {
    may: base,
    because: 'what leaves for others is what pools say: it is handed on, and nothing is asked back',
  },
  'manager/storage': {
    may: [...base, 'manager/store'],
    because: 'a move writes what is declared and reads what nodes said; both are handed to it',
  },
  'manager/queue': {
    may: [...base, 'manager/store', 'manager/desired'],
    because: 'the queue keeps the order in the store, and rings and hands out by what it is given',
  },
  'manager/broker': {
    may: [...base, 'manager/store', 'manager/desired'],
    because: 'the broker carries what store and desired say and starts nothing else',
  },
  'manager/api': {
    may: [...base, 'manager/store', 'manager/desired'],
    because: 'a route asks store and desired; other parts are handed to it by manager.ts',
  },
  'manager/wiring': {
    may: [...base, 'manager/*'],
    because: 'wiring is a part of manager.ts that has a room of its own',
  },
  'manager/setup': {
    may: [...base, 'manager/*'],
    because: 'setup makes or replaces what manager.ts then opens',
  },
  'manager/manager': {
    may: [...base, 'manager/*'],
    because: 'manager.ts wires the manager and nothing of the agent',
  },
  'manager/main': {
    may: [...base, 'manager/*'],
    because: 'main.ts starts the manager and nothing of the agent',
  },
  'agent/converge': {
    may: [...base, 'agent/drivers', 'agent/kernel', 'agent/probe', 'agent/state'],
    because: 'a node converges from its own disk, with or without a link to the manager',
  },
  'agent/kernel': {
    may: [...base, 'agent/drivers'],
    because:
      "the kernel is told lines by others and runs commands from the box's own list; it knows no unit or tree",
  },
  'agent/link': {
    may: [...base, 'agent/state'],
    because: 'a message only says "look again": the link puts it in the state and a key in the queue',
  },
  'agent/listener': {
    may: base,
    because:
      'whoever asks a node how it is gets what is known already: the listener reads no disk and starts nothing',
  },
  'agent/local': {
    may: base,
    because: 'the door on the box is handed what it may show and do, and reaches for nothing more',
  },
  'agent/own': {
    may: [
      ...base,
      'agent/config',
      'agent/converge',
      'agent/drivers',
      'agent/kernel',
      'agent/local',
      'agent/state',
    ],
    because:
      'a box that has left keeps what it had from its own disk; no manager is asked, and nothing is rendered',
  },
  'agent/upgrade': {
    may: [...base, 'agent/link'],
    because: 'an upgrade replaces the agent and knows nothing of what it looks after',
  },
  'agent/box': {
    may: [...base, 'agent/*'],
    because: 'box.ts starts the agent of a member, or of a box of its own',
  },
  'agent/drift': {
    may: [...base, 'agent/state'],
    because: 'drift only puts a key in the queue; it mends nothing',
  },
  'agent/storage': {
    may: [...base, 'agent/drivers'],
    because:
      "who copies reads what is declared and runs commands from the box's own list; it changes no unit",
  },
  'agent/queue': { may: [...base, 'agent/state'], because: 'the queue keeps order and is told what to run' },
  'agent/wiring': {
    may: [...base, 'agent/*'],
    because: 'wiring is a part of agent.ts that has a room of its own',
  },
  'agent/agent': {
    may: [...base, 'agent/*'],
    because: 'agent.ts wires the agent and nothing of the manager',
  },
  'agent/main': { may: [...base, 'agent/*'], because: 'main.ts starts the agent and nothing of the manager' },
  cli: { may: base, because: 'the CLI speaks to the manager as any client does, and starts it as a process' },
  console: { may: base, because: 'the console speaks to the manager as any client does' },
  bin: { may: ['scripts'], because: 'the launcher builds and then runs the bundle' },
  test: { may: ['*'], because: 'tests may import anything' },
  bench: { may: ['*'], because: 'benchmarks may import anything' },
  scripts: { may: ['*'], because: 'scripts may import anything' },
};

const unlisted: Rule = {
  may: base,
  because: 'a room without a row of its own in the law imports common and protocol',
};

/** Imported by their one starter, whatever the row of another room says. */
const doors: Record<string, { only: string; because: string }> = {
  'manager/manager.ts': {
    only: 'manager/main.ts',
    because: 'a manager is built in one place: main.ts, or a test',
  },
  'agent/agent.ts': { only: 'agent/box.ts', because: 'an agent is built in one place: box.ts, or a test' },
};

/** Packages that only some rooms may use. */
const packages: { names: string[]; rooms: string[]; because: string }[] = [
  {
    names: ['sqlite3'],
    rooms: ['manager/store'],
    because: 'one file writes the database, and only the manager is native',
  },
  {
    names: ['aedes', 'fastify'],
    rooms: ['manager/*'],
    because: 'nodes and clients dial out; they serve no broker and no API',
  },
];

const free = ['test', 'bench', 'scripts'];
const deciders = /^(common\/health\/|manager\/desired\/select\.ts$)/;
const outside = /^(node:)?(fs|net|http|https|tls|dns|child_process|timers|os|worker_threads)(\/|$)/;

/** `manager/store/db.ts` → `manager/store`; `manager/main.ts` → `manager/main`; `cli/commands/get.ts` → `cli`. */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  if (!path.includes('/')) return 'root';
  return top === 'manager' || top === 'agent' ? `${top}/${second.replace(/\.[a-z]+$/, '')}` : top;
}

const matches = (room: string, pattern: string) =>
  pattern === '*' || pattern === room || (pattern.endsWith('/*') && room.startsWith(pattern.slice(0, -1)));

function ruleFor(room: string): Rule {
  if (room === 'root') return { may: ['*'], because: 'settings of tools' };
  return law[room] ?? unlisted;
}

export const targetOf = (path: string, from: string) =>
  posix.normalize(posix.join(posix.dirname(path), from));

/** Every forbidden edge as `file -> file: reason`, and every relative import that leads nowhere. */
export function breaches(sources: Source[]): string[] {
  const known = new Set(sources.map(({ path }) => path));
  return sources.flatMap((source) =>
    source.imports.flatMap(({ from }) => {
      const reason = from.startsWith('.')
        ? edgeReason(source.path, targetOf(source.path, from), known)
        : packageReason(source.path, from);
      return reason ? [`${source.path} -> ${from}: ${reason}`] : [];
    }),
  );
}

function edgeReason(path: string, target: string, known: Set<string>): string | undefined {
  if (/\.[cm]?[jt]sx?$/.test(target) && !known.has(target) && !target.startsWith('dist/'))
    return 'there is no such file';
  const [room, other] = [roomOf(path), roomOf(target)];
  const door = doors[target];
  if (door && path !== door.only && !free.includes(room)) return door.because;
  const { may, because } = ruleFor(room);
  return room === other || may.some((pattern) => matches(other, pattern)) ? undefined : because;
}

function packageReason(path: string, name: string): string | undefined {
  const room = roomOf(path);
  if (deciders.test(path) && outside.test(name))
    return 'deciders are pure: no files, network, processes or timers';
  if (free.includes(room)) return undefined;
  const broken = packages.find(
    ({ names, rooms }) => names.includes(name) && !rooms.some((pattern) => matches(room, pattern)),
  );
  return broken?.because;
}

/** Each cycle once, as the files in the order in which they import each other. */
export function cycles(sources: Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, imports }) => [path, imports.map(({ from }) => targetOf(path, from))]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) found.push([...trail.slice(seenAt), path].join(' -> '));
    if (seenAt >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}
