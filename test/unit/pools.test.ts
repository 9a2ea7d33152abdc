/** Pool states: what they say, when they leave, how they are numbered, and what is told to people. */
import { generateKeyPairSync } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { beforeEach, describe, expect, it } from 'vitest';
import { open, seal } from '../../common/envelope.ts';
import { createLog } from '../../common/log.ts';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import type { PoolWorld } from '../../manager/pool/compose.ts';
import { createPools, firstNumberOf, type Pools } from '../../manager/pool/pools.ts';
import { type Envelope, Lease, PoolState, type Report, type UnitReport } from '../../protocol/messages.ts';
import { parseResource, type Resource, type ResourceOf } from '../../protocol/resource.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';

const log = createLog('test', 'silent');
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const shapes = { pool: Compile(PoolState), lease: Compile(Lease) };

const resource = <K extends Resource['kind']>(kind: K, name: string, spec: object): ResourceOf<K> => {
  const parsed = parseResource({ kind, name, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource as ResourceOf<K>;
};
const node = (name: string, more: object = {}) =>
  resource('Node', name, { roles: ['web'], address: '127.0.0.1', ...more });
const policy = (name: string, role: string, check: string) =>
  resource('Policy', name, {
    role,
    files: [{ template: 'a.hbs', path: 'a' }],
    checks: [{ name: check, type: 'tcp', port: '80' }],
  });

let clock: ManualClock;
let observed: Observed;
let pools: Pools;
let stop: () => void;
let declared: {
  services: ResourceOf<'VirtualService'>[];
  nodes: ResourceOf<'Node'>[];
  policies: ResourceOf<'Policy'>[];
};
let states: PoolState[];
let leases: Lease[];
let cleared: string[];
let hints: string[];
let events: string[];
let ids = 0;

const world: PoolWorld = {
  virtualServices: () => declared.services,
  nodes: () => declared.nodes,
  policies: () => declared.policies,
  cluster: () => undefined,
};

function begin(boot = 1) {
  const emit = ({ type, node: about, subject }: { type: string; node?: string; subject: string }) => {
    if (type.startsWith('pool.')) events.push([type, about, subject].filter(Boolean).join(' '));
  };
  observed = createObserved({ clock, emit, headsOf: () => [] });
  observed.start();
  pools = createPools({
    cluster: 'test',
    epoch: () => 1,
    firstNumber: firstNumberOf(boot),
    world,
    observed,
    sign: (message) => seal(message, privateKey),
    publish: async (topic, envelope) => take(topic, envelope),
    clear: async (topic) => void cleared.push(topic),
    hint: (about, what) => hints.push(`${what} ${about}`),
    emit,
    clock,
    log,
  });
  stop = pools.start();
}

function take(topic: string, envelope: Envelope): void {
  const parsed = parseTopic(topic);
  if (parsed?.name === 'lease')
    leases.push(open<Lease>(envelope, publicKey, (value): value is Lease => shapes.lease.Check(value)));
  else
    states.push(
      open<PoolState>(envelope, publicKey, (value): value is PoolState => shapes.pool.Check(value)),
    );
}

beforeEach(() => {
  clock = createManualClock();
  declared = {
    services: [
      resource('VirtualService', 'web', {
        vip: '192.0.2.10',
        ports: [80],
        pool: { role: 'web', check: 'http' },
      }),
    ],
    nodes: [node('a'), node('b'), node('c'), node('lb', { roles: ['balancer'] })],
    policies: [policy('web-nginx', 'web', 'http'), policy('web-mail', 'web', 'smtp')],
  };
  states = [];
  leases = [];
  cleared = [];
  hints = [];
  events = [];
  begin();
});

const base = () => ({ id: `r${++ids}`, session: 's', at: '2026-01-01T00:00:00Z' });
const hello = (name: string) =>
  observed.status(name, { session: 's', state: 'online', version: '1', protocol: 1, scopes: {} });
const check = (name: string, state: 'up' | 'down', more: object = {}) =>
  observed.report(name, {
    ...base(),
    type: 'check',
    unit: 'web-nginx',
    check: 'http',
    state,
    detail: 'said so',
    ...more,
  } as Report);
const unit = (name: string, result: UnitReport['result'], of = 'web-nginx') =>
  observed.report(name, {
    ...base(),
    type: 'unit',
    unit: of,
    scopes: {},
    digest: 'd',
    result,
    held: [],
    timing: {},
    diffs: [],
  });
let counter = 0;
const alive = (...names: string[]) => {
  for (const name of names) observed.beat(name, { s: 's', n: ++counter, e: 1, r: [], ok: true });
};
const everybodyIsWell = async () => {
  for (const name of ['a', 'b', 'c', 'lb']) hello(name);
  for (const name of ['a', 'b', 'c']) check(name, 'up');
  await clock.advance(50);
};
const opinions = () =>
  states
    .at(-1)
    ?.members.map(({ node: name, opinion }) => `${name} ${opinion}`)
    .join(', ');

describe('[2.7] the state of a pool', () => {
  it('follows a report at once, and says why', async () => {
    await everybodyIsWell();
    expect(opinions()).toBe('a up, b up, c up');
    const began = clock.monotonic();
    check('b', 'down');
    await clock.advance(25);
    expect(clock.monotonic() - began).toBeLessThanOrEqual(25);
    expect(opinions()).toBe('a up, b down, c up');
    expect(states.at(-1)?.members[1]?.reasons).toEqual(['web-nginx/http is down: said so']);
    check('b', 'up');
    await clock.advance(25);
    expect(opinions()).toBe('a up, b up, c up');
    expect(events).toEqual(['pool.opinion b web', 'pool.opinion b web']);
  });

  it('is published once for a burst of reports, and not at all when nothing has changed', async () => {
    await everybodyIsWell();
    const before = states.length;
    for (let i = 0; i < 50; i += 1) check('b', i % 2 === 0 ? 'down' : 'up');
    check('c', 'down');
    await clock.advance(25);
    expect(states.length - before).toBeLessThanOrEqual(2);
    const after = states.length;
    alive('a', 'b', 'c', 'lb');
    await clock.advance(5000);
    expect(states.length).toBe(after);
  });

  it('is not moved by a failed service that is not its own', async () => {
    await everybodyIsWell();
    check('b', 'down', { unit: 'web-mail', check: 'smtp' });
    unit('b', 'failed', 'web-mail');
    await clock.advance(100);
    expect(opinions()).toBe('a up, b up, c up');
  });

  it('weighs a unit that failed or rolled back, and lets one that holds items back stay', async () => {
    await everybodyIsWell();
    unit('a', 'held');
    unit('b', 'rolledBack');
    await clock.advance(50);
    expect(opinions()).toBe('a up, b down, c up');
    unit('b', 'changed');
    unit('c', 'failed');
    await clock.advance(50);
    expect(opinions()).toBe('a up, b up, c down');
  });

  it('has no opinion of a silent node, has the directors look more closely, and takes nobody out', async () => {
    await everybodyIsWell();
    for (let i = 0; i < 6; i += 1) {
      await clock.advance(2000);
      alive('a', 'b', 'lb');
    }
    expect(opinions()).toBe('a up, b up, c none');
    expect(hints).toEqual(['probe lb']);
    expect(states.at(-1)?.probesOnly).toBe(false);
  });

  it('carries the word of the operator, with what is left of a drain, and ends a maintenance by the clock', async () => {
    await everybodyIsWell();
    const at = (ms: number) => new Date(clock.now() + ms).toISOString();
    const said = { reason: 'a new disk', owner: 'ada' };
    declared.nodes[0] = node('a', { drain: { ...said, deadline: at(60_000) } });
    declared.nodes[1] = node('b', { maintenance: { ...said, until: at(2000) } });
    pools.touch();
    await clock.advance(50);
    const words = () => states.at(-1)?.members.map(({ operator }) => operator);
    expect(words()).toEqual(['drain', 'maintenance', 'none']);
    expect(states.at(-1)?.members[0]?.drainLeft).toBeGreaterThan(59_000);
    const { deadline } = declared.nodes[0].spec.drain ?? {};
    expect(states.at(-1)?.members[0]?.reasons).toContain(`drain by ada until ${deadline}: a new disk`);
    const count = states.length;
    await clock.advance(1500);
    expect(states.length).toBe(count);
    await clock.advance(1500);
    expect(words()).toEqual(['drain', 'none', 'none']);
  });

  it('gives each member its own weight in the service, else that of the node', async () => {
    declared.nodes[1] = node('b', { weight: 40 });
    declared.services[0] = {
      ...declared.services[0]!,
      spec: { ...declared.services[0]!.spec, weights: { c: 7 } },
    };
    await everybodyIsWell();
    expect(states.at(-1)?.members.map(({ weight }) => weight)).toEqual([100, 40, 7]);
  });

  it('is taken back when the service is deleted', async () => {
    await everybodyIsWell();
    declared.services = [];
    pools.touch();
    await clock.advance(50);
    expect(cleared).toEqual(['evenkeel/1/pool/web']);
    expect(pools.views()).toEqual([]);
  });
});

describe('[2.7] when reports are not to be believed', () => {
  it('more than half of a pool failing within seconds leaves only the probes, until most are well again', async () => {
    await everybodyIsWell();
    check('a', 'down');
    await clock.advance(1000);
    expect(states.at(-1)?.probesOnly).toBe(false);
    check('b', 'down');
    await clock.advance(1000);
    expect(states.at(-1)?.probesOnly).toBe(true);
    expect(events).toContain('pool.guard web');
    check('a', 'up');
    await clock.advance(1000);
    expect(states.at(-1)).toMatchObject({ probesOnly: false });
    expect(opinions()).toBe('a up, b down, c up');
  });

  it('a manager that has lost its network, so that most nodes fell silent, leaves only the probes', async () => {
    await everybodyIsWell();
    for (let i = 0; i < 5; i += 1) {
      await clock.advance(2000);
      alive('lb');
    }
    expect(states.at(-1)?.probesOnly).toBe(true);
    alive('a', 'b', 'c', 'lb');
    await clock.advance(50);
    expect(states.at(-1)?.probesOnly).toBe(false);
  });

  it('a manager that has just started says nothing until every member was heard', async () => {
    hello('a');
    check('a', 'down');
    await clock.advance(2000);
    expect(states).toEqual([]);
    expect(leases).toEqual([]);
    expect(pools.views()[0]?.probesOnly).toBe(true);
    for (const name of ['b', 'c']) {
      hello(name);
      check(name, 'up');
    }
    await clock.advance(50);
    expect(states).toHaveLength(1);
    expect(states[0]?.probesOnly).toBe(false);
    expect(opinions()).toBe('a down, b up, c up');
  });

  it('nor longer than five seconds', async () => {
    hello('a');
    await clock.advance(4900);
    expect(states).toEqual([]);
    await clock.advance(1200);
    expect(opinions()).toBe('a none, b none, c none');
    expect(leases.length).toBeGreaterThan(0);
  });
});

describe('[2.7] numbers and leases', () => {
  it('rise with every state and lease, and across restarts of the manager', async () => {
    await everybodyIsWell();
    for (let i = 0; i < 5; i += 1) {
      check('b', i % 2 === 0 ? 'down' : 'up');
      await clock.advance(1000);
    }
    stop();
    begin(2);
    await everybodyIsWell();
    await clock.advance(2000);
    const numbers = states.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.length).toBeGreaterThan(5);
    const counts = leases.map(({ n }) => n);
    expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b));
  });

  it('a lease of five seconds leaves every second', async () => {
    await everybodyIsWell();
    const before = leases.length;
    await clock.advance(10_000);
    expect(leases.length - before).toBe(10);
    expect(leases.at(-1)).toMatchObject({ cluster: 'test', epoch: 1, seconds: 5 });
  });
});

describe('[2.7] what people see of a pool', () => {
  const poolReport = (members: [string, 'up' | 'drain' | 'down'][], fallback = false) =>
    observed.report('lb', {
      ...base(),
      type: 'pool',
      service: 'web',
      epoch: 1,
      seq: 4,
      fallback,
      members: members.map(([name, state]) => ({
        node: name,
        state,
        weight: state === 'up' ? 100 : 0,
        connections: 2,
        probe: state === 'down' ? ('down' as const) : ('up' as const),
        detail: '',
      })),
    });

  it('is what is wanted beside what each director reads back', async () => {
    await everybodyIsWell();
    poolReport([
      ['a', 'up'],
      ['b', 'down'],
    ]);
    await clock.advance(50);
    const [view] = pools.views();
    expect(view).toMatchObject({
      service: 'web',
      vip: '192.0.2.10',
      ports: [80],
      fallback: false,
      seq: states.at(-1)?.seq,
    });
    expect(view?.members.map(({ node: name, actual }) => [name, actual[0]?.state])).toEqual([
      ['a', 'up'],
      ['b', 'down'],
      ['c', undefined],
    ]);
    expect(view?.members[1]?.actual).toEqual([
      { director: 'lb', state: 'down', weight: 0, connections: 2, probe: 'down', detail: '', seq: 4 },
    ]);
  });

  it('is told as events on transitions only: who left, that the fallback serves, and that it no longer does', async () => {
    await everybodyIsWell();
    const all = (state: 'up' | 'down') =>
      (['a', 'b', 'c'] as const).map((name): [string, 'up' | 'down'] => [name, state]);
    poolReport(all('up'));
    await clock.advance(50);
    poolReport(all('down'), true);
    await clock.advance(50);
    poolReport(all('down'), true);
    await clock.advance(50);
    poolReport(all('up'));
    await clock.advance(50);
    const gone = ['pool.member a web', 'pool.member b web', 'pool.member c web'];
    expect(events).toEqual([...gone, 'pool.fallback web', ...gone, 'pool.served web']);
  });

  it('is a warning when the operator takes the last member', async () => {
    await everybodyIsWell();
    const word = { maintenance: { reason: '', owner: 'ada' } };
    declared.nodes = declared.nodes.map((each) => (each.name === 'lb' ? each : node(each.name, word)));
    pools.touch();
    await clock.advance(50);
    expect(events).toEqual(['pool.fallback web', 'pool.guard web']);
  });
});
