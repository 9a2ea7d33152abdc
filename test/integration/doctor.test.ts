/** The doctor as operators meet him: the CLI asks the manager, the manager asks agents, and who does not answer is named. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDoctor } from '../../agent/preflight/doctor.ts';
import { exits } from '../../cli/exit-codes.ts';
import { VERSION } from '../../common/version.ts';
import type { Ask } from '../../protocol/messages.ts';
import type { Examined } from '../../protocol/preflight.ts';
import { declare, node, startTestApi, type TestApi } from '../support/api.ts';
import { runCli } from '../support/sandbox.ts';
import { boxOf, MOUNTS_NFS } from '../unit/preflight/boxes.ts';

let api: TestApi;
let caFile: string;
const needed: Ask['needs'][] = [];

/** The agents of n1 and n2, each on a recorded box: n1 is well, n2 lacks its mount. n3 is away. */
const agents = Object.fromEntries(
  Object.entries({ n1: MOUNTS_NFS, n2: '' }).map(([name, mounts]) => {
    const recorded = {
      files: { '/proc/self/mountinfo': mounts },
      at: { '/home': { link: '/chroot/home' } },
      addresses: [{ device: 'lo', address: '127.0.0.1', prefix: 8 }],
      runs: {
        'dpkg-query -W -f=${db:Status-Status} ${Package}\\n kmod nfs-common nginx': {
          ...{ status: 0, output: 'installed kmod\ninstalled nfs-common\ninstalled nginx\n' },
        },
      },
    };
    const doctor = createDoctor({
      box: { ...boxOf(recorded), now: Date.now },
      address: `127.0.0.${name === 'n1' ? 11 : 12}`,
      service: 'direct',
      paths: { state: '/srv/state', run: '/srv/run', log: '/srv/log' },
      manager: { address: '127.0.0.1', ports: { api: 1, machines: 1, broker: 1 } },
    });
    return [name, doctor];
  }),
);

beforeAll(async () => {
  api = await startTestApi({
    seen: (view) => ({ ...view, version: VERSION, online: view.name !== 'n3' }),
    ask: async (name, what, more) => {
      needed.push(more?.needs);
      return { id: '1', what, units: [], ...(await agents[name]?.(more?.needs)) };
    },
  });
  caFile = join(api.folder, 'ca.crt');
  writeFileSync(caFile, api.pki.bundle());
  const storage = { server: '10.0.0.40', export: '/data/home', mountpoint: '/chroot/home', link: '/home' };
  await declare(api.store, [
    ...['n1', 'n2', 'n3'].map((name, at) => node(name, ['web'], `127.0.0.${11 + at}`)),
    { kind: 'Storage', name: 'home', spec: storage },
  ]);
});
afterAll(() => api.stop());

const cli = (...args: string[]) =>
  runCli(['--api', api.url, '--ca', caFile, '--token', api.tokens.admin, ...args]);

it('[4.3] doctor NODE has the agent look with what the roles need, adds the word of the manager, and ends with 1 when a check fails', async () => {
  const ran = await cli('doctor', 'n2');
  expect(ran).toMatchObject({ code: exits.difference.code, stderr: '' });
  expect(needed.at(-1)).toMatchObject({
    modules: ['nfsv4'],
    storages: [{ name: 'home', mountpoint: '/chroot/home' }],
  });
  expect(ran.stdout).toBe(`n2  11 pass, 0 warn, 2 fail, 4 skip
pass  os              debian 12
pass  arch            x64
pass  version         agent ${VERSION}, protocol 1
pass  clock           within 2 s of the manager's
pass  addresses       127.0.0.12 is on this box; 127.0.0.12 is nobody else’s
pass  segment         it sees the manager at 127.0.0.1 without a router
pass  ports-out       127.0.0.1 answers at 1 (joining), 1 (desired state), 1 (messages)
fail  ports-in        the manager does not reach 127.0.0.12:2401: ECONNREFUSED
                      directors and external balancers ask a node there whether it may take traffic
                      fix: open 2401 and the ports of its roles for the cluster network in the firewall of the box
                      $ nft add rule inet filter input tcp dport 2401 accept
skip  ports-taken     this box is a node: its own daemons listen, and its units say who is in their way
pass  disk            20480 MiB free for /srv/state
fail  home-layout     nothing is mounted at /chroot/home
                      site data are not there, and the node is in no pool of its role
                      fix: see what the unit says, and whether the file server answers
                      $ evenkeel local status
pass  kernel-modules  the roles need none
pass  nfs             the kernel has nfsv4
skip  quota           quotas are set on the file server: ask 10.0.0.40
pass  packages        installed: kmod, nfs-common, nginx
skip  systemd         the agent itself starts the daemons of this box
skip  vip-on-lo       no virtual service of its roles asks for it
`);
});

it('[4.3] doctor looks at the manager and at every node, and says of one that is away that it could not be asked', async () => {
  const ran = await cli('doctor', '-o', 'json');
  const seen = JSON.parse(ran.stdout) as Examined[];
  expect(seen.map(({ node, error }) => [node, error === undefined])).toEqual([
    ...[
      [null, true],
      ['n1', true],
      ['n2', true],
    ],
    ['n3', false],
  ]);
  expect(seen[3]?.error).toBe('the node n3 is not connected: it was never heard');
  const own = seen[0]?.checks.map(({ name, state }) => `${name} ${state}`);
  expect(own).toEqual(['clock pass', 'disk pass', 'doors fail', 'certificates pass', 'backup warn']);
  const home = seen[1]?.checks.find(({ name }) => name === 'home-layout');
  expect(home).toMatchObject({
    state: 'pass',
    found: expect.stringContaining('mounted from 10.0.0.40:/data/home'),
  });
  const people = await cli('doctor');
  expect(people.stdout).toContain(
    'n3  0 pass, 0 warn, 1 fail, 0 skip\nit could not be asked: the node n3 is not',
  );
});

it('[4.3] a backup that was taken is known of, and a node that is none is not found', async () => {
  const taken = await api.ask('POST', '/api/v1/backup', { passphrase: 'a long enough passphrase' });
  expect(taken.statusCode).toBe(200);
  const { items } = (await api.ask('GET', '/api/v1/doctor')).json() as { items: Examined[] };
  expect(items[0]?.checks.find(({ name }) => name === 'backup')).toMatchObject({ state: 'pass' });
  expect(await cli('doctor', 'nobody')).toMatchObject({ code: exits.notFound.code });
});
