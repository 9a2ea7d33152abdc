/** What a link makes good by itself, over real TLS: heads that were lost, subscriptions that were refused, scopes that a crash left behind. */
import { afterEach, expect, it } from 'vitest';
import { createMissed } from '../../manager/desired/missed.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { scopesOf } from '../../protocol/topics.ts';
import { createBox } from '../support/box.ts';
import { cluster, nodeWith, type Rig, site, startRig } from '../support/rig.ts';
import { until } from '../support/until.ts';

let rig: Rig;
afterEach(() => rig.stop());

it('[3] a head that never arrived is said again when the beats show that the node missed it', async () => {
  const roles = ['web'];
  const missed = createMissed({
    headsOf: (node) =>
      scopesOf({ node, roles }).map((scope) => rig.journal.head(scope) ?? { scope, epoch: 0, rev: 0 }),
    again: (scope) => rig.publisher.again(scope),
  });
  rig = await startRig({ beat: missed.beat });
  const { box } = await rig.startWeb();
  rig.journal.commit([site('a.example')]);
  await rig.settled(box);
  const broker = rig.broker();
  const { publish } = broker;
  broker.publish = async () => undefined;
  rig.journal.commit([site('b.example')]);
  broker.publish = publish;
  await rig.settled(box);
  expect(box.get('Site', 'b.example')).toBeDefined();
});

it('[3] a subscription that was refused is asked for again', async () => {
  rig = await startRig();
  rig.journal.commit([nodeWith('web1', ['web'])]);
  rig.journal.commit([site('a.example')]);
  const { box } = rig.startLink(await rig.enrol('web1', []));
  await until('it has its roles', () => box.get('Node', 'web1') !== undefined);
  rig.journal.commit([cluster(1)]);
  await rig.settled(box, 'cluster');
  expect(box.stand('role/web')).toBeNull();
  rig.setRoles('web1', ['web']);
  await rig.settled(box);
});

it('[3] a scope that a crash left behind is dropped at the next start', async () => {
  rig = await startRig();
  rig.journal.commit([nodeWith('web1', ['web']), site('a.example')]);
  const identity = await rig.enrol('web1', ['web']);
  const { box } = rig.startLink(identity);
  await rig.settled(box);
  await rig.stopLinks();
  const left = createBox();
  await left.apply('role/web', { ...(await rig.journal.changes('role/web', 0, 0)), snapshot: true });
  rig.setRoles('web1', []);
  rig.journal.commit([nodeWith('web1', [])]);
  await left.apply('node/web1', { ...(await rig.journal.changes('node/web1', 0, 0)), snapshot: true });
  rig.startLink(identity, left);
  await until('the scope is dropped', () => left.stand('role/web') === null);
});

it('[3] the first sight of an empty scope is news: what waited for it can go on', async () => {
  rig = await startRig();
  const spare = { ...site('s.example'), scopes: ['role/spare'] };
  rig.journal.commit([spare]);
  rig.journal.commit([{ ...spare, spec: undefined }]);
  const { box, heard } = await rig.startWeb();
  rig.setRoles('web1', ['spare', 'web']);
  rig.journal.commit([nodeWith('web1', ['spare', 'web'])]);
  await rig.settled(box, 'role/spare');
  await until('it was handed on', () => heard.applied.at(-1)?.length === 0);
});

it('[2 bad input] a change that a full disk does not take is told to the manager, and kept when there is room', async () => {
  rig = await startRig();
  const { box } = await rig.startWeb();
  rig.journal.commit([site('a.example')]);
  await rig.settled(box);
  const { apply } = box;
  box.apply = async () => {
    throw new EvenkeelError('write-failed', 'desired.log: ENOSPC: no space left on device, write');
  };
  rig.journal.commit([site('b.example')]);
  await until('the alarm is raised', () => rig.alarms('write-failed').length === 1);
  expect(rig.alarms('write-failed')[0]).toMatchObject({ subject: 'role/web', active: true });
  box.apply = apply;
  await rig.settled(box);
  await until('the alarm is over', () => rig.alarms('write-failed').some(({ active }) => !active));
});
