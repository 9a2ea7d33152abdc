/** The rollout: who goes together, in which order it is done to each, and where it stops. Against a cluster in memory. */
import { expect, it } from 'vitest';
import { type RolloutOptions, rollOut } from '../../cli/upgrade/rollout.ts';
import { nextWave } from '../../cli/upgrade/waves.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';

const OLD = '1.0.0-aaaaaaaaaaaa-agent';
const NEW = '1.1.0-bbbbbbbbbbbb';

interface Box {
  release: string;
  online: boolean;
  drained: boolean;
  /** What the box does with a release: becomes well with it, goes back by itself, or runs it and is not well. */
  ends: 'well' | 'back' | 'ill' | 'keeps' | 'mute';
  alarm: string;
  ill: boolean;
}

/** Boxes in one pool, and every call in its order. */
function clusterOf(names: string[], pooled = names) {
  const boxes = new Map<string, Box>(
    names.map((name) => [
      name,
      { release: OLD, online: true, drained: false, ends: 'well', alarm: '', ill: false },
    ]),
  );
  const calls: string[] = [];
  /** The fewest that took connections at any moment. */
  let fewest = pooled.length;
  const view = (name: string): NodeView => {
    const { release, online, drained, alarm, ill } = boxes.get(name) as Box;
    const check = { unit: 'web', check: 'http', state: 'down', detail: 'refused', since: '' };
    return {
      ...{
        name,
        roles: ['web'],
        address: '',
        state: 'active',
        does: '',
        online,
        lastSeen: '2026-01-01T00:00:00Z',
        version: '',
        release,
      },
      ...{ mode: 'enforce', converged: true, behind: [], units: [], certificateExpires: null },
      queue: { state: 'empty', waiting: 0, action: '' },
      checks: ill ? [check] : [],
      alarms:
        alarm === ''
          ? []
          : [{ code: 'upgrade-failed', subject: 'agent', message: alarm, since: '2026-01-01T00:00:01Z' }],
      ...(drained ? { drain: `evenkeel upgrade to ${NEW} (op)` } : {}),
    };
  };
  const serves = (name: string) => !boxes.get(name)?.drained && !boxes.get(name)?.ill;
  const pool = (): PoolView => ({
    ...{ service: 'web', vip: '', ports: [80], seq: 1, fallback: false, probesOnly: false },
    members: pooled.map((node) => ({
      node,
      wanted: { node, address: '', weight: 1, opinion: 'up', operator: 'none', reasons: [] },
      actual: [
        {
          ...{ director: 'lb', state: serves(node) ? 'up' : 'down', weight: serves(node) ? 1 : 0 },
          ...{ connections: 0, probe: 'up', detail: '', seq: 1 },
        },
      ],
    })),
  });
  const replace = (box: Box, release: string) => {
    if (release === OLD) Object.assign(box, { release, ill: false });
    else if (box.ends === 'back') box.alarm = 'it did not come up here';
    else Object.assign(box, { release: NEW, ill: box.ends === 'ill' });
  };
  const answers: Record<string, (name: string, body: { release?: string; dryRun?: boolean }) => unknown> = {
    nodes: () => ({ items: names.map(view) }),
    pools: () => ({ items: [pool()] }),
    node: view,
    drain: (name) => Object.assign(boxes.get(name) as Box, { drained: true }),
    undrain: (name) => Object.assign(boxes.get(name) as Box, { drained: false }),
    upgradeNode: (name, { release = NEW, dryRun }) => {
      const box = boxes.get(name) as Box;
      if (box.ends === 'keeps') throw new EvenkeelError('upgrade-refused', `${name} keeps its release`);
      if (dryRun && box.ends === 'mute') throw new EvenkeelError('node-unreachable', 'no answer');
      if (!dryRun) replace(box, release);
    },
  };
  const call = async (what: string, parts: { params?: { name: string }; body?: object } = {}) => {
    const name = parts.params?.name ?? '';
    const { release = '', dryRun = false } = (parts.body ?? {}) as { release?: string; dryRun?: boolean };
    if (!['nodes', 'pools', 'node'].includes(what) && !dryRun)
      calls.push([what, name, release].filter(Boolean).join(' '));
    const answer = answers[what]?.(name, parts.body ?? {});
    fewest = Math.min(fewest, pooled.filter(serves).length);
    return answer;
  };
  let now = 0;
  const options = (most = 1): RolloutOptions => ({
    client: { call } as RolloutOptions['client'],
    ...{ release: NEW, names, most, drain: 1_000, patience: 20_000, say: () => undefined },
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  });
  return { boxes, calls, options, fewest: () => fewest, box: (name: string) => boxes.get(name) as Box };
}

it('[4.6] one after the other is drained, replaced, judged and given back, and the pool never lacks more than one', async () => {
  const cluster = clusterOf(['a', 'b', 'c']);
  expect(await rollOut(cluster.options())).toEqual({ done: ['a', 'b', 'c'], failed: [], left: [] });
  expect(cluster.calls).toEqual(
    ['a', 'b', 'c'].flatMap((name) => [`drain ${name}`, `upgradeNode ${name}`, `undrain ${name}`]),
  );
  expect(cluster.fewest()).toBe(2);
});

it('[4.6] the first wave is one node, by which the release is tried; the next are as large as is wanted', async () => {
  const cluster = clusterOf(['a', 'b', 'c', 'd', 'e']);
  await rollOut(cluster.options(2));
  expect(cluster.calls.slice(0, 3)).toEqual(['drain a', 'upgradeNode a', 'undrain a']);
  expect(cluster.calls.slice(3, 5)).toEqual(['drain b', 'drain c']);
  expect(cluster.fewest()).toBe(3);
});

it('[4.6] a box that went back by itself stops the rollout, serves again, and the others are left as they are', async () => {
  const cluster = clusterOf(['a', 'b', 'c']);
  cluster.box('b').ends = 'back';
  const { done, failed, left } = await rollOut(cluster.options());
  expect({ done, left }).toEqual({ done: ['a'], left: ['c'] });
  expect(failed).toEqual([{ node: 'b', why: expect.stringContaining('it did not come up here') }]);
  expect(cluster.box('b')).toMatchObject({ release: OLD, drained: false });
  expect(cluster.calls.some((call) => call.endsWith(' c'))).toBe(false);
});

it('[4.6] what failed yesterday is not taken for a failure of today: the node is judged by how this try ends', async () => {
  const cluster = clusterOf(['a', 'b']);
  cluster.box('a').alarm = 'another release did not come up here';
  expect(await rollOut(cluster.options())).toEqual({ done: ['a', 'b'], failed: [], left: [] });
  expect(cluster.calls[0]).toBe('drain a');
});

it('[4.6] a node that was not well before is no reason to stop, as long as it is no worse: the release may mend it', async () => {
  const cluster = clusterOf(['a', 'b', 'c']);
  cluster.box('b').ill = true;
  expect((await rollOut(cluster.options())).done).toEqual(['a', 'b', 'c']);
});

it('[4.6] directors are never taken together', () => {
  const views = ['d1', 'd2', 'w1'].map((name) => ({
    name,
    roles: [name.startsWith('d') ? 'balancer' : 'web'],
  }));
  expect(nextWave(views as NodeView[], [], { most: 8 }).nodes).toEqual(['d1', 'w1']);
});

it('[4.6] a node that runs the release and is not well with it is taken back to the one of before', async () => {
  const cluster = clusterOf(['a', 'b']);
  cluster.box('a').ends = 'ill';
  const { failed, left } = await rollOut(cluster.options());
  expect(failed).toEqual([
    { node: 'a', why: expect.stringMatching(/web\/http is down: refused.*runs there again/) },
  ]);
  expect(left).toEqual(['b']);
  expect(cluster.calls).toEqual(['drain a', 'upgradeNode a', `upgradeNode a ${OLD}`, 'undrain a']);
  expect(cluster.box('a')).toMatchObject({ release: OLD, drained: false, ill: false });
});

it('[4.6] one that alone serves a pool is not drained: its daemons go on while its agent is replaced', async () => {
  const cluster = clusterOf(['a']);
  expect((await rollOut(cluster.options())).done).toEqual(['a']);
  expect(cluster.calls).toEqual(['upgradeNode a']);
  expect(cluster.fewest()).toBe(1);
});

it('[4.6] however many are wanted at once, half of a pool stays', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const cluster = clusterOf(names);
  const views = names.map((name) => ({ name, roles: ['web'] })) as NodeView[];
  const pool = (serving: string[]) =>
    ({ members: serving.map((node) => ({ node, actual: [{ state: 'up', weight: 1 }] })) }) as PoolView;
  expect(cluster.boxes.size).toBe(6);
  for (let size = 1; size <= names.length; size += 1) {
    const serving = names.slice(0, size);
    const { nodes, drained } = nextWave(views, [pool(serving)], { most: 8 });
    const left = serving.filter((name) => !drained.includes(name));
    expect(left.length).toBeGreaterThanOrEqual(Math.max(1, Math.ceil(size / 2)));
    expect(nodes.length).toBeGreaterThan(0);
  }
});

it('[4.6] a node whose root keeps its release says so before it is drained, and the rollout stops there', async () => {
  const cluster = clusterOf(['a', 'b']);
  cluster.box('a').ends = 'keeps';
  const { failed, left } = await rollOut(cluster.options());
  expect([failed, left]).toEqual([[{ node: 'a', why: 'a keeps its release' }], ['b']]);
  expect(cluster.calls).toEqual([]);
});

it('[4.6] one that an earlier run has left drained is given back, also when it is refused now', async () => {
  const cluster = clusterOf(['a', 'b']);
  Object.assign(cluster.box('a'), { ends: 'keeps', drained: true });
  await rollOut(cluster.options());
  expect(cluster.box('a').drained).toBe(false);
});

it('[4.6] an agent that is too old for the question is replaced as ever', async () => {
  const cluster = clusterOf(['a', 'b']);
  cluster.box('a').ends = 'mute';
  expect((await rollOut(cluster.options())).done).toEqual(['a', 'b']);
  expect(cluster.calls.slice(0, 3)).toEqual(['drain a', 'upgradeNode a', 'undrain a']);
});
