/** What keepalived is told, what is left for ipvsadm, and what keepalived is never given. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decideLvs } from '../../agent/drivers/lvs/decide.ts';
import { createTrackedFiles, type Told } from '../../agent/drivers/lvs/files.ts';
import { shrunken } from '../../agent/drivers/lvs/guard.ts';
import { structureOf } from '../../agent/drivers/lvs/structure.ts';
import { parseTable } from '../../agent/drivers/lvs/table.ts';
import { wantsOf } from '../../agent/drivers/lvs/target.ts';
import type { WantedServer } from '../../common/balancer.ts';
import { renderUnit } from '../../common/render/unit.ts';
import { cases, inputsOf } from '../golden/cases.ts';
import { createManualClock } from '../support/clock.ts';
import { temporaryFolder } from '../support/courier.ts';
import { declaration } from '../support/lvs.ts';

const web = declaration({ web: { vip: '192.0.2.10', fallback: 'none' } });
const row = (place: string, weight = 100) => `  -> ${place}:0050      Route  ${weight}    0         0\n`;
const [n1, n2, stranger] = ['C000020B', 'C000020C', 'C0000263'];
const head = 'TCP  C000020A:0050 wlc \n';
const up: Told = { down: false, weight: 100 };

type Say = Partial<Record<'n1' | 'n2', Partial<WantedServer>>>;

/** What is decided when keepalived was told `told` and the table shows `table`, after `ms` in which it was so. */
function decided(table: string, told: Partial<Record<string, Told>>, say: Say = {}, ms = 0) {
  const wanted = (['n1', 'n2'] as const).map((server): WantedServer => {
    return { backend: 'web-80', server, state: 'up', weight: 100, probe: 'up', ...say[server] };
  });
  const seen = { entries: structureOf(web), table: parseTable(table), hz: null, isOurs: () => true };
  const inputs = { seen, wants: wantsOf(wanted), shares: new Map<string, number>() };
  const files = { told: (member: string) => told[member] ?? null };
  const first = decideLvs({ ...inputs, ...files, missing: new Map(), now: 0 });
  const { tell, changes } = decideLvs({ ...inputs, ...files, missing: first.missing, now: ms });
  return { tell: Object.fromEntries(tell), lines: changes.map(({ line }) => line) };
}
const both = { 'web@n1': up, 'web@n2': up };

describe('[3.2] with keepalived', () => {
  it('verdicts and weights go by its files, and ipvsadm keeps out of what it is just being told', () => {
    const say: Say = { n1: { state: 'down', weight: 0 }, n2: { weight: 30 } };
    expect(decided(head + row(n1) + row(n2), both, say)).toEqual({
      tell: { 'web@n1': { down: true, weight: 0 }, 'web@n2': { down: false, weight: 30 } },
      lines: [],
    });
    expect(decided(head + row(n1) + row(n2), both, { n1: { state: 'drain', weight: 0 } }).tell).toEqual({
      'web@n1': { down: false, weight: 0 },
    });
  });

  it('nothing is done when all is so', () => {
    expect(decided(head + row(n1) + row(n2), both)).toEqual({ tell: {}, lines: [] });
  });

  it('what hands did to the table is put right, who was down before its start goes out', () => {
    const told = { ...both, 'web@n1': { down: true, weight: 0 } };
    const say: Say = { n1: { state: 'down', weight: 0 } };
    expect(decided(head + row(n1) + row(n2, 7) + row(stranger), told, say).lines).toEqual([
      '-e -t 192.0.2.10:80 -r 192.0.2.12:80 -g -w 100',
      '-d -t 192.0.2.10:80 -r 192.0.2.11:80',
      '-d -t 192.0.2.10:80 -r 192.0.2.99:80',
    ]);
  });

  it('who is missing comes back once its own check has had its time, if the probe of the director says so', () => {
    const add = '-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 100';
    expect(decided(head + row(n2), both, {}, 2_999).lines).toEqual([]);
    expect(decided(head + row(n2), both, {}, 3_000).lines).toEqual([add]);
    expect(decided(head + row(n2), both, { n1: { probe: 'unknown' } }, 60_000).lines).toEqual([]);
  });

  it('a whole virtual service that is gone is put back at once, with those that are proven', () => {
    expect(decided('', both, { n2: { probe: 'unknown' } }).lines).toEqual([
      '-A -t 192.0.2.10:80 -s wlc',
      '-a -t 192.0.2.10:80 -r 192.0.2.11:80 -g -w 100',
    ]);
  });
});

describe('[3.2] tracked files', () => {
  const opened = async () => {
    const { folder, remove } = await temporaryFolder();
    onTestFinished(remove);
    const clock = createManualClock();
    const place = join(folder, 'lvs');
    return { folder: place, clock, files: createTrackedFiles({ folder: place, clock }) };
  };
  const entries = structureOf(web);

  it('are all there before keepalived loads: of a cold start everybody as up, of a later one the new member as down', async () => {
    const { folder, files } = await opened();
    await files.fill(entries.map((entry) => ({ ...entry, members: entry.members.slice(0, 1) })));
    expect(readdirSync(folder).sort()).toEqual(['web@n1.down', 'web@n1.weight']);
    expect(files.read('web@n1')).toEqual(up);
    await files.fill(entries);
    expect([files.read('web@n1'), files.read('web@n2')]).toEqual([up, { down: true, weight: 100 }]);
  });

  it('hold the difference to 100, and are read as keepalived reads them', async () => {
    const { folder, files } = await opened();
    await files.fill(entries);
    await files.write('web@n1', { down: false, weight: 30 });
    await files.write('web@n2', { down: true, weight: 0 });
    const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');
    expect(['web@n1.down', 'web@n1.weight', 'web@n2.down', 'web@n2.weight'].map(textOf)).toEqual([
      '0\n',
      '-70\n',
      '1\n',
      '-100\n',
    ]);
    writeFileSync(join(folder, 'web@n2.down'), 'nonsense');
    expect(files.read('web@n2')).toEqual({ down: false, weight: 0 });
  });

  it('of nobody are taken away a minute later, for keepalived reads one that is gone as up', async () => {
    const { folder, clock, files } = await opened();
    await files.fill(entries);
    await files.fill([]);
    await clock.advance(59_000);
    await files.fill([]);
    expect(existsSync(join(folder, 'web@n1.down'))).toBe(true);
    await clock.advance(1_000);
    await files.fill([]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('[3.2] keepalived is never given', async () => {
  const one = cases.find(({ name }) => name === 'balancer-lvs-services.golden');
  if (!one) throw new Error('the golden case is gone');
  const unit = renderUnit(await inputsOf(one));
  const text = unit.files.find(({ path }) => path === 'keepalived.conf')?.text ?? '';
  const judged = (changed: string) => shrunken(changed, unit.context.inputs);

  it('anything but what the resources explain', () => {
    expect(judged(text)).toBeNull();
    expect(judged(text.replace('real_server 192.0.2.12 80 {', 'real_server 192.0.2.1 80 {'))).toBe(
      'tcp 192.0.2.10:80 lacks 192.0.2.12:80, which is n2; tcp 192.0.2.10:80 has 192.0.2.1:80, which is no member of web',
    );
  });

  it('an empty file, nor one that ends too early, wherever that is', () => {
    expect(judged('')).toContain('no virtual server');
    const lastServer = text.lastIndexOf('real_server');
    for (let at = 0; at < lastServer; at += 97)
      expect(judged(text.slice(0, at)), `cut at ${at}`).not.toBeNull();
  });
});
