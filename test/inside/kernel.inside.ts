/** The kernel room on a real kernel: made, read back, put right after a hand, and undone to what was there before. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Kernel } from '../../agent/kernel/kernel.ts';
import { type Line, parseLines } from '../../agent/kernel/lines.ts';
import { systemClock } from '../../common/clock.ts';
import { kernelOf } from '../support/home.ts';
import { addresses, bringUp, ip, marks, routes, rules, run, setting } from './network.ts';

let folder: string;
let kernel: Kernel;
beforeAll(bringUp);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  kernel = kernelOf(folder, systemClock);
});
afterEach(() => rmSync(folder, { recursive: true }));

function linesOf(...text: string[]): Line[] {
  const { lines, problems } = parseLines(text.join('\n'));
  expect(problems).toEqual([]);
  return lines;
}

/** One line of each kind, how the world shows that it is so, and a hand that changes it. */
const kinds: { line: string; isSo: () => boolean; hand: () => void }[] = [
  {
    line: 'address 192.0.2.10/32 dev lo',
    isSo: () => addresses('lo').includes('192.0.2.10/32'),
    hand: () => ip('address', 'del', '192.0.2.10/32', 'dev', 'lo'),
  },
  {
    line: 'address 2001:db8::10/128 dev lo',
    isSo: () =>
      addresses('lo').includes('2001:db8::10/128') &&
      ip('-6', 'address', 'show', 'dev', 'lo').includes('deprecated'),
    hand: () => ip('-6', 'address', 'del', '2001:db8::10/128', 'dev', 'lo'),
  },
  {
    line: 'address 192.0.2.77/24 dev web0',
    isSo: () => addresses('web0').includes('192.0.2.77/24'),
    hand: () => ip('address', 'del', '192.0.2.77/24', 'dev', 'web0'),
  },
  {
    line: 'sysctl net.ipv4.conf.all.arp_ignore 1',
    isSo: () => setting('net.ipv4.conf.all.arp_ignore') === '1',
    hand: () => writeFileSync('/proc/sys/net/ipv4/conf/all/arp_ignore', '2'),
  },
  {
    line: 'sysctl net/ipv4/conf/web0/rp_filter 0',
    isSo: () => setting('net.ipv4.conf.web0.rp_filter') === '0',
    hand: () => writeFileSync('/proc/sys/net/ipv4/conf/web0/rp_filter', '1'),
  },
  {
    line: 'sysctl net.ipv4.conf.*.send_redirects 0',
    isSo: () => redirects().every((value) => value === '0'),
    hand: () => writeFileSync('/proc/sys/net/ipv4/conf/web0/send_redirects', '1'),
  },
  {
    line: 'route default via 10.0.0.2 table 2401',
    isSo: () => routes('2401') === 'default via 10.0.0.2 dev web0',
    hand: () => ip('route', 'replace', 'default', 'via', '10.0.0.9', 'table', '2401'),
  },
  {
    line: 'route 198.51.100.0/24 via 10.0.0.2 dev web0',
    isSo: () => routes('main').includes('198.51.100.0/24 via 10.0.0.2'),
    hand: () => ip('route', 'del', '198.51.100.0/24'),
  },
  {
    line: 'rule from 10.0.0.11 sport 80 proto tcp table 2401',
    isSo: () => rules().includes('from 10.0.0.11 ipproto tcp sport 80 lookup 2401'),
    hand: () => ip('rule', 'del', 'from', '10.0.0.11', 'ipproto', 'tcp', 'sport', '80', 'table', '2401'),
  },
  {
    line: 'rule from 2001:db8::11 table 2401',
    isSo: () => rules('-6').includes('from 2001:db8::11 lookup 2401'),
    hand: () => ip('-6', 'rule', 'del', 'from', '2001:db8::11', 'table', '2401'),
  },
  {
    line: 'mark 192.0.2.10 tcp 80,443 7',
    isSo: () =>
      marks().includes('-A PREROUTING -j EVENKEEL') &&
      marks().includes('--dport 80 -j MARK --set-xmark 0x7/') &&
      marks().includes('--dport 443 -j MARK --set-xmark 0x7/'),
    hand: () => run('iptables-legacy', '-t', 'mangle', '-F', 'PREROUTING'),
  },
  {
    line: 'link web0 up',
    isSo: () => ip('link', 'show', 'dev', 'web0').includes(',UP'),
    hand: () => ip('link', 'set', 'web0', 'down'),
  },
];

const redirects = () =>
  ['all', 'default', 'lo', 'web0'].map((device) => setting(`net.ipv4.conf.${device}.send_redirects`));

/** All that a kind could leave behind. */
const world = () =>
  [addresses('lo'), addresses('web0'), rules(), rules('-6'), routes('2401'), routes('main'), marks()].concat(
    ['net.ipv4.conf.all.arp_ignore', 'net.ipv4.conf.web0.rp_filter'].map(setting),
    redirects(),
  );

describe.each(kinds)('$line', ({ line, isSo, hand }) => {
  it('[3.4] is made, read back, put right after a hand, and undone to what was there before', async () => {
    writeFileSync('/proc/sys/net/ipv4/conf/web0/rp_filter', '1');
    ip('link', 'set', 'web0', 'up');
    const before = world();
    const lines = linesOf(line);
    const wasSo = isSo();
    expect(await kernel.differing(lines)).toHaveLength(wasSo ? 0 : 1);
    await kernel.apply('a', lines);
    expect(isSo()).toBe(true);
    expect(await kernel.differing(lines)).toEqual([]);

    hand();
    expect(isSo()).toBe(false);
    expect(await kernel.differing(lines)).toMatchObject([{ line }]);
    await kernel.apply('a', lines);
    expect(isSo()).toBe(true);

    await kernel.apply('a', []);
    expect(isSo()).toBe(wasSo);
    expect(world()).toEqual(before);
  });

  it('[3.4] stays when it was so before anybody asked for it', async () => {
    if (!isSo()) await kernelOf(`${folder}/other`, systemClock).apply('other', linesOf(line));
    await kernel.apply('a', linesOf(line));
    await kernel.apply('a', []);
    // Marks are in a chain of our own, so they are ours whoever of us has made them.
    expect(isSo()).toBe(!line.startsWith('mark'));
    await kernelOf(`${folder}/other`, systemClock).apply('other', []);
  });
});

describe('what several ask for', () => {
  const vip = 'address 192.0.2.20/32 dev lo';
  const quiet = 'sysctl net.ipv4.conf.lo.arp_ignore 1';

  it('[3.4] stays until nobody asks any more, and then the value is that of before the first', async () => {
    writeFileSync('/proc/sys/net/ipv4/conf/lo/arp_ignore', '0');
    await kernel.apply('a', linesOf(vip, quiet));
    await kernel.apply('b', linesOf(vip, quiet));
    await kernel.apply('a', []);
    expect(addresses('lo')).toContain('192.0.2.20/32');
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('1');
    await kernel.apply('b', []);
    expect(addresses('lo')).not.toContain('192.0.2.20/32');
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('0');
  });

  it('[3.4] is refused where two units ask for different values, instead of a fight', async () => {
    await kernel.apply('a', linesOf(quiet));
    const other = linesOf('sysctl net.ipv4.conf.lo.arp_ignore 2');
    await expect(kernel.apply('b', other)).rejects.toMatchObject({
      code: 'kernel-refused',
      message: expect.stringContaining(`unit a asks for ${quiet}`),
    });
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('1');
    await kernel.apply('a', []);
  });

  it('[3.4] changes with all who share it, and one who does not follow is refused', async () => {
    const other = linesOf('sysctl net.ipv4.conf.lo.arp_ignore 2');
    await kernel.apply('a', linesOf(quiet));
    await kernel.apply('b', linesOf(quiet));
    await kernel.apply('b', other);
    await expect(kernel.apply('a', linesOf(quiet))).rejects.toThrow('unit b asks for');
    await kernel.apply('a', other);
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('2');
    await kernel.apply('a', []);
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('2');
    await kernel.apply('b', []);
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('0');
  });

  it('[3.4] keeps the value of before the first when a unit changes its mind', async () => {
    await kernel.apply('a', linesOf(quiet));
    await kernel.apply('a', linesOf('sysctl net.ipv4.conf.lo.arp_ignore 2'));
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('2');
    await kernel.apply('a', []);
    expect(setting('net.ipv4.conf.lo.arp_ignore')).toBe('0');
  });
});

it('[3.4] what was made is known to the next agent, which undoes it', async () => {
  await kernel.apply('a', linesOf('address 192.0.2.30/32 dev lo', 'sysctl net.ipv4.conf.lo.arp_announce 2'));
  const next = kernelOf(folder, systemClock);
  await next.apply('a', linesOf('sysctl net.ipv4.conf.lo.arp_announce 2'));
  expect(addresses('lo')).not.toContain('192.0.2.30/32');
  await next.apply('a', []);
  expect(setting('net.ipv4.conf.lo.arp_announce')).toBe('0');
  expect(JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8'))).toEqual({ made: [] });
});

it('[3.4] a route that stood there before comes back', async () => {
  ip('route', 'add', '203.0.113.0/24', 'via', '10.0.0.3');
  await kernel.apply('a', linesOf('route 203.0.113.0/24 via 10.0.0.4'));
  expect(routes('main')).toContain('203.0.113.0/24 via 10.0.0.4');
  await kernel.apply('a', []);
  expect(routes('main')).toContain('203.0.113.0/24 via 10.0.0.3');
  ip('route', 'del', '203.0.113.0/24');
});

it('[3.4] what the kernel does not take is told with the line and the words of the command', async () => {
  const lines = linesOf('address 192.0.2.40/32 dev nothere0');
  await expect(kernel.apply('a', lines)).rejects.toMatchObject({
    code: 'kernel-refused',
    message: expect.stringMatching(/^address 192\.0\.2\.40\/32 dev nothere0: ip: .*nothere0/),
  });
  await kernel.apply('a', []);
});

it('[3.7] a file server that is not there yet keeps nothing else from being made, and blames no line for good', async () => {
  const lines = linesOf(`mount nfs4 10.0.0.99:/home ${folder}/home`, 'address 192.0.2.50/32 dev lo');
  await expect(kernel.apply('a', lines)).rejects.toMatchObject({
    code: 'mount-failed',
    message: expect.stringContaining('mount nfs4 10.0.0.99:/home'),
  });
  expect(addresses('lo')).toContain('192.0.2.50/32');
  await kernel.apply('a', []);
  expect(addresses('lo')).not.toContain('192.0.2.50/32');
});

describe('a symbolic link', () => {
  const lines = () => linesOf(`symlink ${folder}/home ${folder}/chroot`);

  it('[3.7] takes the place of an empty folder, which is back when the line goes', async () => {
    mkdirSync(join(folder, 'home'));
    await kernel.apply('a', lines());
    expect(readlinkSync(join(folder, 'home'))).toBe(join(folder, 'chroot'));
    unlinkSync(join(folder, 'home'));
    expect(await kernel.differing(lines())).toHaveLength(1);
    await kernel.apply('a', lines());
    await kernel.apply('a', []);
    expect(statSync(join(folder, 'home')).isDirectory()).toBe(true);
  });

  it('[3.7] never puts a folder aside that has something in it', async () => {
    mkdirSync(join(folder, 'home/ana'), { recursive: true });
    await expect(kernel.apply('a', lines())).rejects.toThrow(/copy that to where .*chroot comes from/);
    expect(statSync(join(folder, 'home/ana')).isDirectory()).toBe(true);
    await kernel.apply('a', []);
    expect(statSync(join(folder, 'home/ana')).isDirectory()).toBe(true);
  });
});

it('[3.5] an address that a unit calls its own goes with it, also when it stood there before', async () => {
  ip('address', 'add', '192.0.2.40/32', 'dev', 'web0');
  await kernel.apply('a', linesOf('address 192.0.2.40/32 dev web0 ours'));
  expect(addresses('web0')).toContain('192.0.2.40/32');
  await kernel.apply('a', []);
  expect(addresses('web0')).not.toContain('192.0.2.40/32');
});

it('[3.5] a device that a parameter names and the box lacks is refused with all that it has', async () => {
  await kernel.apply('a', linesOf('card web0 of vrrpInterface'));
  expect(await kernel.differing(linesOf('card web0 of vrrpInterface'))).toEqual([]);
  const lines = linesOf('card eth7 of vrrpInterface', 'address 192.0.2.41/32 dev eth7 ours');
  await expect(kernel.apply('a', lines)).rejects.toMatchObject({
    code: 'kernel-refused',
    message: expect.stringMatching(
      /^card eth7 of vrrpInterface: there is no such device on this box but .*web0.*: set the parameter vrrpInterface of the node/,
    ),
  });
  // Also before a checker is asked, which would blame the services.
  expect(() => kernel.check(lines)).toThrow('there is no such device on this box');
  expect(await kernel.differing(lines.slice(0, 1))).toHaveLength(1);
  await kernel.apply('a', []);
});
