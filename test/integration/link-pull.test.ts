/** Pulls: who may ask for what, that a thousand who ask the same cost one read, and that a busy manager is obeyed. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPull } from '../../agent/link/pull.ts';
import { refusalIn, request } from '../../common/request.ts';
import { createAnswers } from '../../manager/machines/answers.ts';
import { type Courier, type Enrolled, startCourier } from '../support/courier.ts';
import { createJournal } from '../support/journal.ts';

let courier: Courier;
let web1: Enrolled;

beforeEach(async () => {
  courier = await startCourier();
  web1 = await courier.enrol('web1', ['web']);
});
afterEach(() => courier.stop());

const site = (name: string, text = 'a') => ({ kind: 'Site', name, spec: { text }, scopes: ['role/web'] });
const ask = (path: string, of: Enrolled = web1) =>
  request({
    host: '127.0.0.1',
    port: courier.ports.machines,
    method: 'GET',
    path,
    tls: of.current(),
    timeout: 5_000,
  });
const changesOf = (scope: string, epoch = 1, since = 0) =>
  `/v1/scopes/${scope}/changes?epoch=${epoch}&since=${since}`;

describe('a node', () => {
  it('[4] gets the scopes that it follows, and no others', async () => {
    for (const scope of ['cluster', 'role/web', 'node/web1'])
      expect((await ask(changesOf(scope))).status).toBe(200);
    for (const scope of ['role/balancer', 'node/web2', 'nonsense'])
      expect(refusalIn(await ask(changesOf(scope))).code).toBe('forbidden');
    courier.setRoles('web1', []);
    expect(refusalIn(await ask(changesOf('role/web'))).code).toBe('forbidden');
    await courier.removeNode('web1');
    expect(refusalIn(await ask(changesOf('cluster'))).code).toBe('node-removed');
  });

  it('[4] is told what is wrong with its question', async () => {
    for (const query of ['', '?epoch=1', '?epoch=x&since=1', '?epoch=-1&since=0', '?epoch=1&since=1.5'])
      expect(refusalIn(await ask(`/v1/scopes/cluster/changes${query}`)).code).toBe('bad-request');
    expect(refusalIn(await ask('/v1/scopes/cluster')).code).toBe('not-found');
    expect(refusalIn(await ask('/v1/other')).code).toBe('not-found');
  });

  it('[3] gets a delta from where it is, and a snapshot from elsewhere, both signed', async () => {
    courier.journal.commit([site('a.example')]);
    courier.journal.commit([site('b.example', 'x'.repeat(10_000))]);
    const pull = createPull({
      address: '127.0.0.1',
      port: courier.ports.machines,
      signingKey: web1.signingKey,
      credentials: web1.current,
    });
    const pulled = async (epoch: number, since: number) => {
      const answer = await pull('role/web', epoch, since);
      return 'changes' in answer ? answer.changes : undefined;
    };
    expect((await pulled(1, 1))?.changes).toMatchObject([{ name: 'b.example' }]);
    expect(await pulled(1, 2)).toMatchObject({ since: 2, changes: [] });
    for (const from of [0, 9]) expect((await pulled(0, from))?.since).toBe(null);
  });

  it('[3] is shown nothing while the manager is held, and told to come again', async () => {
    await courier.journal.hold('restored');
    const answer = await ask(changesOf('cluster'));
    expect(refusalIn(answer).code).toBe('manager-held');
    expect(answer.retryAfter).toBeGreaterThan(0);
  });
});

describe('answers', () => {
  const counted = (limits?: { making: number; bytes: number }) => {
    const journal = createJournal();
    const reads: string[] = [];
    const store = {
      head: journal.head,
      changes: async (scope: string, epoch: number, since: number) => {
        reads.push(`${scope} ${since}`);
        await pause(20);
        return journal.changes(scope, epoch, since);
      },
    };
    const seal = (message: unknown) => ({ p: JSON.stringify(message), s: '' });
    const answers = createAnswers({ cluster: 'c', store, seal, ...(limits ? { limits } : {}) });
    return { journal, reads, answers };
  };

  it('[3] that many ask for at once are made once, and again only when the scope has moved', async () => {
    const { journal, reads, answers } = counted();
    journal.commit([site('a.example')]);
    await Promise.all(Array.from({ length: 1000 }, () => answers.answer('role/web', 1, 0)));
    await answers.answer('role/web', 1, 0);
    expect(reads).toEqual(['role/web 0']);
    journal.commit([site('b.example')]);
    const { plain } = await answers.answer('role/web', 1, 0);
    expect(reads).toHaveLength(2);
    expect(JSON.parse(JSON.parse(plain.toString()).p).changes).toHaveLength(2);
  });

  it('[3] are refused as busy when too many different ones are being made', async () => {
    const { answers } = counted({ making: 2, bytes: 1000 });
    const asked = await Promise.allSettled([1, 2, 3].map((since) => answers.answer('role/web', 1, since)));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(answers.counts()).toMatchObject({ made: 2, refused: 1 });
  });

  it('[3] are kept within a bound, those asked for longest ago go first', async () => {
    const { reads, answers, journal } = counted({ making: 9, bytes: 3000 });
    journal.commit([site('a.example', 'x'.repeat(800))]);
    for (const since of [0, 8, 0, 9, 0, 8]) await answers.answer('role/web', 1, since);
    expect(reads).toEqual(['role/web 0', 'role/web 8', 'role/web 9', 'role/web 8']);
  });
});
