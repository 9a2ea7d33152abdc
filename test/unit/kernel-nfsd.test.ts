/** The kernel's file server as a line asks for it: where it listens and its times are read back, and a start changes them. */
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../agent/kernel/lines.ts';
import type { Hands, Look } from '../../agent/kernel/thing.ts';

const LINE = 'nfsd 8 lease 30 grace 30 host 10.0.0.40';
const START = 'rpc.nfsd -N 3 -L 30 -G 30 -H 10.0.0.40 8';
const FOLDER = '/proc/fs/nfsd';
const hexOf = (address: string) =>
  Buffer.from(address.split('.').map(Number).reverse()).toString('hex').toUpperCase();

/** What kernel and rpc.nfsd do, as it was seen on a kernel that has both: times are taken while nothing runs alone. */
function boxWith({ threads = 0, lease = 90, grace = 90, hosts = [] as string[], stranger = '' } = {}) {
  const box = { threads, lease, grace, hosts, commands: [] as string[] };
  const listening = () => [...box.hosts, ...(stranger === '' ? [] : [stranger])];
  const after = (flag: string, command: readonly string[]) => command[command.indexOf(flag) + 1] ?? '';
  const listener = (address: string, at: number) =>
    `   ${at}: ${hexOf(address)}:0801 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 ${at}`;
  const files = (): Record<string, string> => ({
    [`${FOLDER}/threads`]: `${box.threads}`,
    [`${FOLDER}/nfsv4leasetime`]: `${box.lease}`,
    [`${FOLDER}/nfsv4gracetime`]: `${box.grace}`,
    '/proc/net/tcp': ['  sl  local_address rem_address   st', ...listening().map(listener)].join('\n'),
  });
  const look: Look = {
    ask: async () => '',
    read: (file) => files()[file] ?? null,
    list: () => ['parameters'],
    once: (_name, understand) => understand(),
  };
  const hands: Hands = {
    aside: '/run/evenkeel/mounts',
    call: async (command) => {
      box.commands.push(command.join(' '));
      const next = Number(command.at(-1));
      if (next === 0) box.hosts = [];
      else if (box.threads === 0) {
        box.hosts = [command.includes('-H') ? after('-H', command) : '0.0.0.0'];
        box.lease = Number(after('-L', command));
        box.grace = Number(after('-G', command));
      }
      box.threads = next;
    },
    write: async () => undefined,
    pause: async () => undefined,
    warn: () => undefined,
  };
  const { thing } = parseLine(LINE);
  return { box, found: () => thing.found(look), make: () => thing.make(hands, look) };
}

const right = { threads: 8, lease: 30, grace: 30, hosts: ['10.0.0.40'] };

describe('[3.8] the file server of the kernel', () => {
  it('listens at the address of the line and nowhere else', async () => {
    const { box, found, make } = boxWith();
    expect(await found()).toBe('');
    await make();
    expect(box).toMatchObject(right);
    expect(box.commands).toEqual([START]);
    expect(await found()).toBeNull();
  });

  it.each([
    ['listens everywhere', { ...right, hosts: ['0.0.0.0'] }, 'host 0.0.0.0'],
    [
      'listens elsewhere as well',
      { ...right, hosts: ['10.0.0.40', '192.0.2.1'] },
      'host 10.0.0.40,192.0.2.1',
    ],
    ['has another lease', { ...right, lease: 90 }, 'lease 90'],
    ['has another grace', { ...right, grace: 90 }, 'grace 90'],
  ])('that %s is found so, and started anew', async (_, now, said) => {
    const { box, found, make } = boxWith(now);
    expect(await found()).toContain(said);
    await make();
    expect(box.commands).toEqual(['rpc.nfsd 0', START]);
    expect(box).toMatchObject(right);
    expect(await found()).toBeNull();
  });

  it('that has another number of threads goes on while it changes', async () => {
    const { box, found, make } = boxWith({ ...right, threads: 4 });
    expect(await found()).toBe('nfsd 4');
    await make();
    expect(box.commands).toEqual([START]);
    expect(await found()).toBeNull();
  });

  it('is not stopped again for what a start does not change, such as another program at its port', async () => {
    const { box, found, make } = boxWith({ ...right, stranger: '192.0.2.1' });
    for (const _ of [1, 2, 3]) await make();
    expect(box.commands.filter((command) => command === 'rpc.nfsd 0')).toHaveLength(1);
    expect(await found()).toContain('host 10.0.0.40,192.0.2.1');
  });
});
