/** What a node answers for its services: the table in agent/listener/answer.ts, and how often one may ask. */
import { describe, expect, it } from 'vitest';
import { answerOf, type Known } from '../../agent/listener/answer.ts';
import { createPace } from '../../agent/listener/pace.ts';
import { createManualClock } from '../support/clock.ts';
import { declared } from './render/declared.ts';

const NOW = Date.UTC(2026, 10, 21);
const policy = (name: string, role: string, ...checks: string[]) =>
  declared('Policy', name, {
    role,
    files: [{ template: 'a.hbs', path: 'a' }],
    checks: checks.map((check) => ({ name: check, type: 'tcp', port: '80' })),
  });
const service = (name: string, role: string, check: string) =>
  declared('VirtualService', name, { vip: '192.0.2.10', ports: [80], pool: { role, check } });
const node = (spec: object = {}) =>
  declared('Node', 'n1', { roles: ['web', 'mail'], address: '127.0.0.11', ...spec });

type Said = Partial<Record<string, 'up' | 'down' | 'unknown'>>;
const known = (said: Said = {}, spec: object = {}): Known => ({
  node: node(spec),
  cluster: declared('Cluster', 'cluster', { address: '127.0.0.1' }),
  services: [service('www', 'web', 'http'), service('post', 'mail', 'smtp'), service('dns', 'dns', 'dns')],
  policies: [policy('web-nginx', 'web', 'http', 'disk'), policy('mail-exim', 'mail', 'smtp', 'disk')],
  units: new Map(),
  checks: new Map(
    Object.entries(said).map(([place, state]) => [
      place,
      { state: state ?? 'unknown', detail: '/srv/secret is full' },
    ]),
  ),
});
const ask = (name: string, of: Known, role?: string) => answerOf({ name, role }, of, NOW);

describe('[3.6] the health listener answers', () => {
  it('200 for a service whose checks are up, and for one that has no verdict yet', () => {
    expect(ask('www', known({ 'web-nginx/http': 'up' }))).toEqual({ status: 200, line: 'up' });
    expect(ask('www', known())).toEqual({ status: 200, line: 'up' });
  });

  it('503 for the service whose check is down, and for no other one', () => {
    const of = known({ 'mail-exim/smtp': 'down', 'web-nginx/http': 'up' });
    expect(ask('post', of)).toEqual({ status: 503, line: 'mail-exim/smtp is down' });
    expect(ask('www', of).status).toBe(200);
  });

  it('by the name of a check too, in one role or in all that the node has', () => {
    const of = known({ 'mail-exim/disk': 'down', 'web-nginx/disk': 'up' });
    expect(ask('disk', of)).toEqual({ status: 503, line: 'mail-exim/disk is down' });
    expect(ask('disk', of, 'web').status).toBe(200);
    expect(ask('disk', of, 'mail').status).toBe(503);
  });

  it('404 for what is no service of this node, and 503 where nothing is declared of it', () => {
    expect(ask('nothing', known()).status).toBe(404);
    expect(ask('dns', known()).status).toBe(404);
    expect(ask('http', known(), 'dns').status).toBe(404);
    expect(ask('www', { ...known(), node: undefined }).status).toBe(503);
  });

  it('503 while a unit of the service has failed, but not while it only holds items back', () => {
    const ended = (result: 'failed' | 'rolledBack' | 'held') => ({
      ...known({ 'web-nginx/http': 'up' }),
      units: new Map([['web-nginx', { result, error: { code: 'x', message: 'password=1' } }]]),
    });
    expect(ask('www', ended('failed'))).toEqual({ status: 503, line: 'web-nginx failed' });
    expect(ask('www', ended('rolledBack'))).toEqual({ status: 503, line: 'web-nginx rolledBack' });
    expect(ask('www', ended('held')).status).toBe(200);
  });

  it('503 with the word of the operator, until it is over', () => {
    const said = { reason: '', owner: 'ann' };
    const soon = new Date(NOW + 1000).toISOString();
    expect(ask('www', known({}, { drain: said }))).toEqual({ status: 503, line: 'draining' });
    const of = known({}, { maintenance: { ...said, until: soon } });
    expect(ask('www', of)).toEqual({ status: 503, line: 'maintenance' });
    expect(answerOf({ name: 'www', role: undefined }, of, NOW + 1000).status).toBe(200);
  });
});

describe('[3.6] the pace of the health listener', () => {
  it('lets one address ask so often, and others nevertheless', async () => {
    const clock = createManualClock();
    const may = createPace({ clock, perSecond: 2, burst: 3 });
    expect(['a', 'a', 'a', 'a', 'b'].map(may)).toEqual([true, true, true, false, true]);
    await clock.advance(500);
    expect(['a', 'a'].map(may)).toEqual([true, false]);
  });

  it('remembers only so many addresses', () => {
    const may = createPace({ clock: createManualClock(), perSecond: 1, burst: 1, most: 2 });
    expect(['a', 'b', 'a', 'c', 'b', 'b'].map(may)).toEqual([true, true, false, true, true, false]);
  });
});
