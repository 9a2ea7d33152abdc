/** A copied disk and a second box of one name, against a whole manager: who keeps the place, who is told what, and who is not touched. */
import { join as pathOf } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { incarnationOf } from '../../agent/identity/box.ts';
import { join } from '../../agent/identity.ts';
import { createLink, type Link } from '../../agent/link/link.ts';
import { systemClock } from '../../common/clock.ts';
import type { EventLine, NodeView } from '../../protocol/views.ts';
import { createBox } from '../support/box.ts';
import { until } from '../support/until.ts';
import { createHeldManager, type HeldManager } from './held-manager.ts';

let manager: HeldManager;
const undo: (() => Promise<void>)[] = [];
beforeAll(async () => {
  manager = await createHeldManager();
  await manager.start();
});
afterAll(async () => {
  for (const stop of undo) await stop();
  await manager.end();
});

type Identity = Awaited<ReturnType<HeldManager['joinWith']>>;

/** The agent's side of a box: its link, and what it logs. */
function boot(identity: Identity, hardware: string) {
  const lines: string[] = [];
  const incarnation = { run: `run of ${hardware}`, boot: `boot of ${hardware}`, machine: 'image', hardware };
  const link: Link = createLink({
    ...{ identity, incarnation, desired: createBox(), version: '0.1.0', clock: systemClock },
    handlers: {
      applied: () => undefined,
      pool: () => undefined,
      lease: () => undefined,
      ask: async ({ id, what }) => ({ id, what, units: [] }),
      hello: () => undefined,
      refused: () => undefined,
    },
    beat: () => ({ ok: true }),
    log: pino({ level: 'error' }, { write: (line: string) => void lines.push(line) }),
  });
  undo.push(link.start());
  return { link, lines };
}

const eventsOf = async (type: string) =>
  (await manager.done<{ items: EventLine[] }>('GET', `/api/v1/events?type=${type}&limit=1000`)).items;
const viewOf = (name: string) => manager.done<NodeView>('GET', `/api/v1/nodes/${name}`);
const stringFor = async (body: object) =>
  (await manager.done<{ join: string }>('POST', '/api/v1/invites', { roles: [], ...body })).join;

it('[4.4] of two boxes with one key the first keeps its connection, and the copy is told why it has none', async () => {
  const identity = await manager.joinWith(await stringFor({}), 'web1');
  const first = boot(identity, 'uuid one');
  await until('the first is connected', () => first.link.connected());
  const copy = boot(identity, 'uuid two');
  await until('it is noticed', async () => (await eventsOf('identity.cloned')).length > 0);
  const [event] = await eventsOf('identity.cloned');
  expect(event).toMatchObject({
    ...{ node: 'web1', severity: 'error' },
    data: { first: { hardware: 'uuid one', from: '127.0.0.1' }, second: { hardware: 'uuid two' } },
  });
  await until('the copy is told', () => copy.lines.length > 0);
  expect(copy.lines.join()).toMatch(/this disk was copied.*remove its identity folder/);
  await until('the first is connected again', () => first.link.connected());
  const other = await manager.joinNode('web2', []);
  const link = other.start();
  await until('another node is connected', () => link.connected());
  const [cuts, tells] = [(await eventsOf('node.offline')).length, copy.lines.length];
  for (let looks = 0; looks < 20; looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect({ first: first.link.connected(), copy: copy.link.connected() }).toEqual({
      first: true,
      copy: false,
    });
  }
  expect({ cuts: (await eventsOf('node.offline')).length, tells: copy.lines.length }).toEqual({
    cuts,
    tells,
  });
  expect(await eventsOf('identity.cloned')).toHaveLength(1);
  expect(await viewOf('web1')).toMatchObject({
    online: true,
    alarms: [{ code: 'identity-copied', message: expect.stringMatching(/uuid one.*uuid two/) }],
  });
});

it('[4.4] a second box under the name of one that lives is refused with both addresses, until the other is off', async () => {
  const node = await manager.joinNode('web3', []);
  const link = node.start();
  await until('it is heard', async () => (await viewOf('web3')).online);
  const string = await stringFor({ name: 'web3' });
  const paths = { state: '/srv/s', run: '/srv/r', log: '/srv/l' };
  const facts = {
    ...{ hostname: 'b', os: 'Debian 12', arch: 'x64', agent: '0.1.0', protocol: 1, address: '127.0.0.9' },
    paths,
  };
  const again = () =>
    join(string, { name: 'web3', facts, folder: pathOf(manager.folder, 'other', 'identity') });
  await expect(again()).rejects.toMatchObject({
    ...{ code: 'name-in-use', message: expect.stringMatching(/lives at .*127\.0\.0\.1.*127\.0\.0\.1/) },
  });
  const { items } = await manager.done<{ items: { key: string }[] }>('GET', '/api/v1/joins');
  const trust = () => manager.call('POST', '/api/v1/nodes/web3/trust', { fingerprint: items[0]?.key });
  expect(await trust()).toMatchObject({ status: 409, body: { code: 'name-in-use' } });
  expect(link.connected()).toBe(true);
  await node.away();
  await until('it is away', async () => !(await viewOf('web3')).online);
  expect(await viewOf('web3')).toMatchObject({ state: 'identity-changed' });
  expect(await trust()).toMatchObject({ status: 200 });
  expect(await again()).toMatchObject({ node: 'web3' });
  const refusedBefore = (await eventsOf('trust.refused')).length;
  node.start();
  await until('the old box is refused', async () => (await eventsOf('trust.refused')).length > refusedBefore);
});

it('[4.4] a box shows an id that is new with each process, and says what it can of itself', async () => {
  const [one, two] = [await incarnationOf(), await incarnationOf()];
  expect(one.run).not.toBe(two.run);
  expect(one.boot).toMatch(/^[0-9a-f-]{36}$/);
  expect({ ...one, run: '' }).toEqual({ ...two, run: '' });
  const nothing = await incarnationOf('/nonexistent');
  expect(nothing).toMatchObject({ boot: '', machine: '', hardware: '' });
});
