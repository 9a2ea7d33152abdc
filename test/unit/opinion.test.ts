/** The opinion: which checks and units speak against a member of a pool, and which do not. */
import { expect, it } from 'vitest';
import { opinionOf } from '../../common/health/opinion.ts';
import { policiesBehind, policiesOf } from '../../common/policies.ts';
import { cluster, policy } from './store/declared.ts';

const check = (name: string, more: object = {}) => ({ name, type: 'tcp', port: '80', ...more });
const policies = [
  policy('nginx', { checks: [check('http'), check('disk', { gate: true }), check('noise')] }),
  policy('mail', { checks: [check('imap')] }),
  policy('realserver', { gate: true, when: { balancer: ['lvs'] }, checks: [check('kernel')] }),
];

interface Said {
  down?: string[];
  failed?: string[];
  balancer?: 'lvs' | 'haproxy';
}

function opinion(pool: string, { down = [], failed = [], balancer = 'lvs' }: Said = {}) {
  const behind = policiesBehind({ role: 'web', check: pool }, policies, {}, cluster({ balancer }));
  const places = policies.flatMap(({ name, spec }) => spec.checks.map((one) => `${name}/${one.name}`));
  return opinionOf({
    policies: behind,
    check: pool,
    fresh: true,
    catchingUp: false,
    units: new Map(
      policies.map(({ name }) => [name, { result: failed.includes(name) ? 'failed' : 'unchanged' }]),
    ),
    checks: new Map(
      places.map((place) => [place, { state: down.includes(place) ? 'down' : 'up', detail: 'x' }]),
    ),
  }).opinion;
}

it('[3.5] one failed service leaves only its own pool', () => {
  expect([opinion('http', { down: ['mail/imap'] }), opinion('imap', { down: ['mail/imap'] })]).toEqual([
    'up',
    'down',
  ]);
  expect([opinion('http', { failed: ['mail'] }), opinion('imap', { failed: ['mail'] })]).toEqual([
    'up',
    'down',
  ]);
  expect(opinion('http', { down: ['nginx/noise'] })).toBe('up');
});

it('[3.5] a check that gates stands before every pool of the role, and how its unit fares before its own alone', () => {
  for (const pool of ['http', 'imap']) expect(opinion(pool, { down: ['nginx/disk'] })).toBe('down');
  expect(opinion('imap', { failed: ['nginx'] })).toBe('up');
});

it('[3.4] a policy that gates stands before every pool of the role with all its checks and its unit, where it holds', () => {
  for (const pool of ['http', 'imap']) {
    expect(opinion(pool, { down: ['realserver/kernel'] })).toBe('down');
    expect(opinion(pool, { failed: ['realserver'] })).toBe('down');
    expect(opinion(pool, { down: ['realserver/kernel'], balancer: 'haproxy' })).toBe('up');
  }
});

it('[4.8] of the policies among which nodes choose, the one that a node has chosen speaks for its place', () => {
  const choosing = (webServer: string) => ({
    when: { parameters: { webServer } },
    parameters: { webServer: { type: 'string', default: 'nginx' } },
    checks: [check('http')],
  });
  const both = [policy('web-nginx', choosing('nginx')), policy('web-apache', choosing('apache'))];
  const opinionOn = (parameters: Record<string, string>, down: string) =>
    opinionOf({
      policies: policiesBehind({ role: 'web', check: 'http' }, both, { parameters }, undefined),
      check: 'http',
      fresh: true,
      catchingUp: false,
      units: new Map(),
      checks: new Map(
        both.map(({ name }) => [`${name}/http`, { state: name === down ? 'down' : 'up', detail: 'x' }]),
      ),
    }).opinion;
  expect([opinionOn({}, 'web-apache'), opinionOn({ webServer: 'nginx' }, 'web-apache')]).toEqual([
    'up',
    'up',
  ]);
  expect([opinionOn({}, 'web-nginx'), opinionOn({ webServer: 'apache' }, 'web-nginx')]).toEqual([
    'down',
    'up',
  ]);
  expect(opinionOn({ webServer: 'apache' }, 'web-apache')).toBe('down');
  const names = (box: { roles: string[]; parameters?: object }) =>
    policiesOf(both, box as { roles: string[] }, undefined).map(({ name }) => name);
  expect(names({ roles: ['web'] })).toEqual(['web-nginx', 'web-apache']);
  expect(names({ roles: ['web'], parameters: { webServer: 'apache' } })).toEqual(['web-apache']);
  expect(names({ roles: ['mail'], parameters: { webServer: 'apache' } })).toEqual([]);
});

it('[3.7] a check for each item speaks by what was told of it: for none there is nothing to wait for', () => {
  const mounts = policy('mounts', {
    gate: true,
    inputs: { storages: { kind: 'Storage' } },
    checks: [{ name: 'mount', for: 'storages', type: 'mount', path: '{{spec.mountpoint}}' }],
  });
  const of = (told: Record<string, 'up' | 'down' | 'unknown'>) =>
    opinionOf({
      policies: [...policies.slice(0, 1), mounts],
      check: 'http',
      fresh: true,
      catchingUp: false,
      units: new Map(),
      checks: new Map(
        Object.entries({ 'nginx/http': 'up' as const, 'nginx/disk': 'up' as const, ...told }).map(
          ([place, state]) => [place, { state, detail: 'x' }],
        ),
      ),
    }).opinion;
  expect(of({})).toBe('up');
  expect(of({ 'mounts/mount.home': 'up', 'mounts/mount.mail': 'up' })).toBe('up');
  expect(of({ 'mounts/mount.home': 'up', 'mounts/mount.mail': 'down' })).toBe('down');
  expect(of({ 'mounts/mount.home': 'up', 'mounts/mount.mail': 'unknown' })).toBe('up');
});
