/** The kernel's IPVS table: read as it is, and made what it is to be by differences alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planTable } from '../../agent/drivers/lvs/plan.ts';
import { type Declaration, structureOf } from '../../agent/drivers/lvs/structure.ts';
import { parseTable } from '../../agent/drivers/lvs/table.ts';
import { rowsOf, targetOf, trafficOf, wantsOf } from '../../agent/drivers/lvs/target.ts';
import type { WantedServer } from '../../common/balancer.ts';
import { declaration } from '../support/lvs.ts';

/** As a kernel 6.1 shows it, whose second has 100 ticks. */
const shown = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  C0000235:0035 rr  
  -> C000020B:0035      Masq    7      0          3         
UDP  C0000235:0036 rr ops  
TCP  [fd00:0000:0000:0000:0000:0000:0000:0010]:0050 sh persistent 6000 40000000
TCP  C000020A:0050 mh  persistent 6000 FFFFFFFF
  -> C0000205:09B0      Masq    1      0          0         
  -> C000020B:0050      Tunnel  100    12         5         
FWM  00000005 wlc persistent 30000 FFFFFF00
  -> C000020B:0000      Route   7      0          0         
FWM  4560BC6D wlc persistent 30000 40000000
  -> [fd00:0000:0000:0000:0000:0000:0000:0011]:0000      Route   7      0          0         
`;

const ours = { hz: 100, isOurs: () => true };
/** Everybody is wanted up, with the weight that is declared. */
const allUp = (declared: Declaration): WantedServer[] =>
  structureOf(declared).flatMap(({ backends, members }) =>
    backends.flatMap((backend) =>
      members.map(({ node, weight }) => ({ backend, server: node, state: 'up' as const, weight })),
    ),
  );
const plan = (
  declared: Declaration,
  table: string,
  wanted = allUp(declared),
  shares = new Map<string, number>(),
) => {
  const services = parseTable(table);
  const targets = structureOf(declared).map((entry) =>
    targetOf(entry, {
      wants: wantsOf(wanted),
      shares,
      actual: services.find(({ key }) => key === entry.key),
      takes: () => true,
    }),
  );
  return planTable(targets, services, ours).map(({ line }) => line);
};

describe('[3.2] the table of the kernel is read', () => {
  it('in IPv4, IPv6, UDP and by marks, with what each server holds', () => {
    const table = parseTable(shown);
    expect(table.map(({ key, scheduler, ops }) => `${key} ${scheduler}${ops ? ' ops' : ''}`)).toEqual([
      'udp 192.0.2.53:53 rr',
      'udp 192.0.2.53:54 rr ops',
      'tcp [fd00::10]:80 sh',
      'tcp 192.0.2.10:80 mh',
      'mark 5 wlc',
      'mark 1163967597 wlc',
    ]);
    expect(table[3]?.servers).toEqual([
      { place: '192.0.2.5:2480', method: 'NAT', weight: 1, active: 0, inactive: 0 },
      { place: '192.0.2.11:80', method: 'TUN', weight: 100, active: 12, inactive: 5 },
    ]);
    expect(table[5]?.servers[0]).toMatchObject({ place: '[fd00::11]:0', method: 'DR' });
    expect(table[3]?.persistence).toEqual({ ticks: 6000, mask: 0xff_ff_ff_ff });
  });

  it('as nothing when there is nothing, or nonsense', () => {
    expect(parseTable('')).toEqual([]);
    expect(parseTable('  -> C000020B:0050 Route 1 0 0\nTCP\nFWM')).toEqual([]);
  });

  it('into a row for each backend and node; a service by its mark has one for each of its ports', () => {
    const declared = declaration({ shop: { ports: [80, 443], groupPorts: true, protocol: 'tcp' } });
    const entries = structureOf(declared);
    const table = parseTable(`FWM  4560BC6D wlc \n  -> C000020B:0000      Route   100      2          1\n`);
    const rows = rowsOf(entries, table, () => undefined);
    expect(rows.map(({ backend, server, admin, sessions }) => [backend, server, admin, sessions])).toEqual([
      ['shop-80', 'n1', 'ready', 3],
      ['shop-80', 'n2', 'maint', 0],
      ['shop-443', 'n1', 'ready', 3],
      ['shop-443', 'n2', 'maint', 0],
    ]);
  });

  it('with what it counted, without the fallback as a member', () => {
    const declared = declaration({ web: { vip: '192.0.2.10' } });
    const listing = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.0.2.10:80                       5       11       10      736      790
  -> 192.0.2.5:2480                      3        5        5      442      486
  -> 192.0.2.11:80                       2        6        5      294      304
TCP  192.0.2.99:80                       5       11       10      736      790
  -> 192.0.2.11:80                       5       11       10      736      790
`;
    const table = parseTable(
      'TCP  C000020A:0050 wlc \n  -> C000020B:0050      Route   100      2          1\n',
    );
    const rows = trafficOf(listing, structureOf(declared), table);
    expect(
      rows.map(({ server, connections, active, bytesIn }) => [server, connections, active, bytesIn]),
    ).toEqual([
      [null, 5, 2, 736],
      ['n1', 2, 2, 294],
    ]);
  });
});

describe('[3.2] the table is made what it is to be by differences', () => {
  const web = declaration({ web: { vip: '192.0.2.10', scheduler: 'mh', persistence: { seconds: 60 } } });

  it('of nothing to everything, in lines that ipvsadm takes', () => {
    expect(plan(web, '')).toEqual([
      '-A -t 192.0.2.10:80 -s mh -p 60',
      '-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 100',
      '-a -t 192.0.2.10:80 -r 192.0.2.12:80 -g -w 100',
    ]);
  });

  it('and not at all when it is so', () => {
    const so = `TCP  C000020A:0050 mh  persistent 6000 FFFFFFFF
  -> C000020B:0050      Route  100    12         5         
  -> C000020C:0050      Route  100    0         0         
`;
    expect(plan(web, so)).toEqual([]);
  });

  it('whatever a hand has changed: scheduler, persistence, way, weight, a stranger; other addresses are others', () => {
    const changed = `TCP  C000020A:0050 rr  persistent 6000 FFFFFF00
  -> C000020B:0050      Tunnel  100    12         5         
  -> C000020C:0050      Route   7    0         0         
  -> C0000263:0050      Route   1    0         0         
`;
    expect(plan(web, changed)).toEqual([
      '-E -t 192.0.2.10:80 -s mh -p 60',
      '-e -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 100',
      '-e -t 192.0.2.10:80 -r 192.0.2.12:80 -g -w 100',
      '-d -t 192.0.2.10:80 -r 192.0.2.99:80',
    ]);
    const others = planTable([], parseTable(shown), { hz: 100, isOurs: (key) => key === 'mark 5' });
    expect(others.map(({ line }) => line)).toEqual(['-D -f 5']);
  });

  it('in IPv6 and by a mark, with the prefix by which visitors count as one', () => {
    const declared = declaration({
      web6: { vip: 'fd00::10', persistence: { seconds: 300, prefix: 64 } },
      shop: {
        ports: [80, 443],
        groupPorts: true,
        protocol: 'tcp',
        persistence: { seconds: 300, prefix: 24 },
      },
    });
    expect(plan(declared, '')).toEqual([
      '-A -t [fd00::10]:80 -s wlc -p 300 -M 64',
      '-A -f 1163967597 -s wlc -p 300 -M 255.255.255.0',
      '-a -t [fd00::10]:80 -r [fd00::11]:80 -g -w 100',
      '-a -f 1163967597 -r 192.0.2.11:0 -g -w 100',
      '-a -f 1163967597 -r 192.0.2.12:0 -g -w 100',
    ]);
  });

  it('with the fallback when nobody is left, beside a member that drains, and with its share while a pool comes back', () => {
    const declared = declaration({ web: { vip: '192.0.2.10' } });
    const say = (n1: WantedServer['state'], weight = 100): WantedServer[] => [
      { backend: 'web-80', server: 'n1', state: n1, weight },
      { backend: 'web-80', server: 'n2', state: 'down', weight: 0 },
    ];
    const fallback = '-a -t 192.0.2.10:80 -r 192.0.2.5:2480 -m -w';
    expect(plan(declared, '', say('down'))).toContain(`${fallback} 1`);
    expect(plan(declared, '', say('drain'))).toEqual([
      '-A -t 192.0.2.10:80 -s wlc',
      '-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 0',
      `${fallback} 1`,
    ]);
    expect(plan(declared, '', say('up')).join()).not.toContain('2480');
    expect(plan(declared, '', say('up', 10), new Map([['web', 0.9]]))).toContain(`${fallback} 90`);
    const unweighed = declaration({ web: { vip: '192.0.2.10', scheduler: 'rr' } });
    expect(plan(unweighed, '', say('up', 10), new Map([['web', 0.9]]))).toContain(`${fallback} 1`);
    expect(plan(unweighed, '', say('up', 10), new Map([['web', 0.3]])).join()).not.toContain('2480');
  });

  it('with a fallback that stands alone leaving a tenth to whoever comes first, and no more than half by rr', () => {
    const weights = { weights: { n1: 40, n2: 200 } };
    const none: WantedServer[] = ['n1', 'n2'].map((server) => {
      return { backend: 'web-80', server, state: 'down', weight: 0 };
    });
    const alone = (spec: object, share: number) =>
      plan(declaration({ web: { vip: '192.0.2.10', ...spec } }), '', none, new Map([['web', share]])).at(-1);
    expect(alone({}, 0.9)).toMatch(/2480 -m -w 900$/);
    expect(alone(weights, 0.9)).toMatch(/2480 -m -w 1800$/);
    expect(alone(weights, 0)).toMatch(/2480 -m -w 1$/);
    expect(alone({ scheduler: 'rr' }, 0.9)).toMatch(/2480 -m -w 1$/);
  });

  it('with weights for the fallback by which wrr, that serves one server in a row, still mixes', () => {
    const tenths = fc.integer({ min: 1, max: 9 });
    const weight = fc.integer({ min: 1, max: 25 }).map((tens) => tens * 10);
    fc.assert(
      fc.property(tenths, weight, weight, (tenth, one, other) => {
        const members = [one, other].map((weight, at): WantedServer => {
          return { backend: 'web-80', server: `n${at + 1}`, state: 'up', weight };
        });
        const declared = declaration({ web: { vip: '192.0.2.10' } });
        const share = new Map([['web', tenth / 10]]);
        const line = plan(declared, '', members, share).find((text) => text.includes('2480')) ?? '';
        const fallback = Number(/-w (?<weight>\d+)$/.exec(line)?.groups?.weight);
        // As near as a tenth of the divisor allows, and in as few turns as that tenth.
        const sum = one + other;
        const divisor = [one, other, fallback].reduce(divisorOf);
        expect(Math.abs(fallback - (sum * tenth) / (10 - tenth))).toBeLessThanOrEqual(
          divisorOf(one, other) / 20 + 0.5,
        );
        expect(divisor).toBeGreaterThanOrEqual(Math.floor(divisorOf(one, other) / 10));
      }),
    );
  });
});

const divisorOf = (a: number, b: number): number => (b === 0 ? a : divisorOf(b, a % b));
