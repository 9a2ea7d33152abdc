/** The door: what a document may not say, since a template, a timer or a calendar could not take it. */
import { expect, it } from 'vitest';
import { parseResource } from '../../protocol/resource.ts';

/** The places of all problems. */
function places(kind: string, spec: object): string[] {
  const parsed = parseResource({ kind, name: 'one', spec });
  return parsed.ok ? [] : parsed.problems.map(({ path }) => path);
}

const storage = { server: '192.0.2.1', export: '/srv', mountpoint: '/home' };
const node = { address: '192.0.2.1' };
const policy = { role: 'web', files: [{ template: 'a.hbs', path: 'a' }] };
const service = { vip: '192.0.2.9', ports: [80], pool: { role: 'web', check: 'http', probe: {} } };
const probed = (probe: object) => places('VirtualService', { ...service, pool: { ...service.pool, probe } });

it.each([
  ['Storage', storage, 'options'],
  ['Node', node, 'parameters'],
  ['Policy', policy, 'inputs'],
  ['Policy', policy, 'parameters'],
  ['VirtualService', service, 'weights'],
])('[2 bad input] a %s takes no field name that would break out of a template', (kind, spec, field) => {
  expect(places(kind, spec)).toEqual([]);
  for (const name of ['rw) *(', 'a\n;', '', '__proto__']) {
    const named = Object.fromEntries([[name, { anything: '\n;}' }]]);
    expect(places(kind, { ...spec, [field]: named })).toContain(`spec/${field}/${name}`);
  }
});

it('[2 bad input] a wait is never so short that it is none, nor longer than a timer', () => {
  for (const wait of ['0s', '0ms', '9ms', '00001s', '30d', '999h', '999999999m'])
    expect(probed({ interval: wait, timeout: wait })).toEqual([
      'spec/pool/probe/interval',
      'spec/pool/probe/timeout',
    ]);
  for (const wait of ['10ms', '500ms', '30s', '90m', '48h', '9d'])
    expect(probed({ interval: wait, timeout: wait })).toEqual([]);
});

it('[2 bad input] a moment that no calendar has is refused', () => {
  const drained = (deadline: string) =>
    places('Node', { ...node, drain: { reason: '', owner: 'ops', deadline } });
  expect(drained('2026-11-21T09:00:00Z')).toEqual([]);
  for (const deadline of ['2026-13-01T00:00:00Z', '2026-01-32T00:00:00Z', '2026-01-01T25:00:00Z'])
    expect(drained(deadline)).toEqual(['spec/drain/deadline']);
});

it('[2 bad input] a reason is one line that moves no cursor', () => {
  const held = (reason: string) => places('Node', { ...node, hold: { reason, owner: 'ops' } });
  expect(held('kernel update, é – ✓')).toEqual([]);
  for (const code of [0x00, 0x0a, 0x1b, 0x7f, 0x85, 0x9b, 0x2028])
    expect(held(`a${String.fromCharCode(code)}31m`)).toEqual(['spec/hold/reason']);
});
