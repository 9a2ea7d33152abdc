/** The doctor's look at the manager itself, and how findings are put together for people. */
import { describe, expect, it } from 'vitest';
import { checklist, merged, pass, skip, warn } from '../../../common/findings.ts';
import { backup, certificates, clock, disk, doors, type Own } from '../../../manager/preflight/own.ts';
import type { Finding } from '../../../protocol/preflight.ts';

const NOW = 1_790_000_000_000;
const DAY = 86_400_000;

describe('[4.3] the manager itself', () => {
  const OWN: Own = {
    ...{
      address: '10.0.0.1',
      ports: { api: 8443, machines: 2400, broker: 8883 },
      now: NOW,
      free: 8 * 1024 ** 3,
    },
    ...{
      ends: { server: NOW + 20 * DAY, authority: NOW + 3000 * DAY },
      nodes: [],
      backup: new Date(NOW - DAY).toISOString(),
    },
  };
  const late = [{ name: 'web1', online: false, certificateExpires: new Date(NOW - DAY).toISOString() }];
  it.each<[string, (own: Own) => Finding, Partial<Own>, RegExp]>([
    ['pass', disk, {}, /8192 MiB/],
    ['warn', disk, { free: 700 * 1024 ** 2 }, /700 MiB/],
    ['fail', disk, { free: 1024 ** 2 }, /1 MiB/],
    ['pass', certificates, {}, /holds for 20 days, the authority for 3000 days/],
    ['warn', certificates, { nodes: late }, /ended: web1/],
    [
      'fail',
      certificates,
      { ends: { server: NOW - 1, authority: NOW + DAY } },
      /manager's certificate has ended/,
    ],
    ['pass', backup, {}, /taken at/],
    ['warn', backup, { backup: new Date(NOW - 9 * DAY).toISOString() }, /9 days old/],
    ['warn', backup, { backup: undefined }, /no backup/],
  ])('%s %o', (state, check, own, found) => {
    expect(check({ ...OWN, ...own })).toMatchObject({ state, found: expect.stringMatching(found) });
  });

  it('fails for a door that does not answer, and doubts its own clock when all nodes do', async () => {
    expect(await doors(OWN, async () => null)).toMatchObject({ state: 'pass' });
    const shut = await doors(OWN, async (_, port) => (port === 8883 ? 'ECONNREFUSED' : null));
    expect(shut).toMatchObject({
      state: 'fail',
      found: '10.0.0.1 does not answer at 8883 (broker): ECONNREFUSED',
    });
    expect([clock([40_000, 41_000, 39_000]), clock([10, -3_000, 20]), clock([9_000])]).toMatchObject([
      { state: 'warn', found: 'all nodes say that the manager is 40 s behind' },
      { state: 'pass' },
      { state: 'skip' },
    ]);
  });
});

describe('[4.3] a checklist', () => {
  it('has a line a check in one order, the worst of those who looked, and help below what is not well', () => {
    const help = {
      why: 'logs do not fit together',
      fix: 'set the clock',
      command: 'timedatectl set-ntp true',
    };
    const findings = merged([
      skip('ports-in', 'not tried'),
      pass('clock', 'within 2 s'),
      warn('clock', '3.2 s behind', help),
      pass('os', 'debian 12'),
    ]);
    expect(checklist(findings, (_, text) => text)).toBe(
      [
        'pass  os        debian 12',
        'warn  clock     3.2 s behind',
        '                logs do not fit together',
        '                fix: set the clock',
        '                $ timedatectl set-ntp true',
        'skip  ports-in  not tried',
      ].join('\n'),
    );
    expect(checklist(findings, (tone, text) => `<${tone}>${text}`)).toContain('<warn>warn  clock');
  });
});
