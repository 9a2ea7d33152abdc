/** `evenkeel setup` against a manager's API with a real store and real rules; nodes join in test/e2e/setup.test.ts. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import { EXAMPLE } from '../../cli/setup/answers.ts';
import { declare, node } from '../support/api.ts';
import { type Ran, runCli } from '../support/sandbox.ts';
import { useSetupApi } from '../support/setup-api.ts';

const cluster = useSetupApi();
const setup = (...args: string[]): Promise<Ran> => cluster().setup(...args);
const withFile = (part: object, ...args: string[]): Promise<Ran> =>
  setup('--file', cluster().file(part), ...args);
const world = () => cluster().world();
const invites = () => cluster().invites();
const openInvites = () => cluster().openInvites();
const keptFile = () => cluster().keptFiles()[0] ?? '';

describe('[4.2] setup by a file', () => {
  it('the example passes as it is printed', async () => {
    const { stdout, code } = await runCli(['setup', '--example']);
    expect([code, stdout]).toEqual([0, EXAMPLE]);
    await declare(cluster().api.store, [
      { kind: 'Cluster', name: 'cluster', spec: { address: '10.0.0.1', balancer: 'haproxy' } },
    ]);
    const path = join(cluster().api.folder, 'example.yaml');
    writeFileSync(path, stdout);
    const ran = await setup('--file', path, '--dry-run');
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain('create VirtualService/web');
  });

  it('--dry-run shows who does what, the layout and every change, and changes nothing', async () => {
    const before = world();
    const ran = await withFile({}, '--dry-run');
    expect(ran.code, ran.stderr).toBe(exits.ok.code);
    expect(ran.stdout).toMatch(/web1 +127\.0\.0\.11 +x +will be invited/);
    expect(ran.stdout).toContain('visitors ── 127.0.0.100:80 ── lb1 (lvs DR) ─── web1 127.0.0.11');
    expect(ran.stdout).toContain('+ Storage/home');
    expect(ran.stdout).toContain('+balancer: lvs');
    expect(world()).toEqual(before);
    expect(cluster().keptFiles()).toEqual([]);
    expect(await invites()).toEqual([]);
  });

  it('declares all at once, invites each box by its name and roles, and ends with 8 until they have joined', async () => {
    const ran = await withFile({}, '--yes');
    expect(ran.code, ran.stderr).toBe(exits.unfinished.code);
    expect(ran.stdout).toMatch(/on web1, as root.*\n +.*join \S+ --name web1 --address 127\.0\.0\.11/);
    expect(ran.stdout).toContain('not joined yet: lb1, web1, nas');
    expect(world()).toMatchObject({
      'Cluster/cluster': { balancer: 'lvs', networks: { cluster: '127.0.0.0/16' } },
      'Node/lb1': { roles: ['balancer'], parameters: { vrrpInterface: 'eth0' } },
      'Storage/home': { server: { node: 'nas' } },
      'VirtualService/web': { vip: '127.0.0.100' },
    });
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
    const { mode } = statSync(keptFile());
    expect(mode & 0o777).toBe(0o600);
    const [line = ''] = /join \S{40,}/.exec(ran.stdout) ?? [];
    expect(readFileSync(keptFile(), 'utf8')).not.toContain(line.slice(5));
  });

  it('run again it changes nothing, and invites nobody twice unless new lines are asked for', async () => {
    await withFile({}, '--yes');
    const [before, invited] = [cluster().api.store.meta().revision, await invites()];
    const again = await setup('--yes');
    expect(again.code, again.stderr).toBe(exits.unfinished.code);
    expect(again.stdout).toContain('nothing to change');
    expect(again.stdout).toContain('web1 is invited already');
    expect(cluster().api.store.meta().revision).toBe(before);
    expect(await invites()).toEqual(invited);
    const anew = await setup('--yes', '--new-lines');
    expect(anew.stdout).toContain('on web1, as root');
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
    expect(await invites()).toHaveLength(6);
  });

  it('flags say one answer otherwise than the file, and are enough by themselves', async () => {
    await withFile({ storage: 'none' }, '--yes', '--vip', '127.0.0.101');
    expect(world()).toMatchObject({ 'VirtualService/web': { vip: '127.0.0.101' } });
    expect(world()).not.toHaveProperty('Storage/home');
    await setup('--yes', '--node', 'web2:127.0.0.12:web', '--https', '443', '--vip', '127.0.0.101');
    expect(world()).toMatchObject({ 'Node/web2': { roles: ['web'] }, 'VirtualService/web-tls': {} });
  });

  it('a role of a node that is known changes, and what others said of it stays', async () => {
    await declare(cluster().api.store, [node('web1', ['mail'], '127.0.0.11', { weight: 7 })]);
    await withFile({}, '--yes');
    expect(world()['Node/web1']).toMatchObject({ roles: ['web'], weight: 7 });
  });
});

describe('[4.2] after the setup', () => {
  it('the first Site of the page is declared as it stands there', async () => {
    await withFile({}, '--yes');
    const page = readFileSync(join(import.meta.dirname, '../../docs/setup.md'), 'utf8');
    const [, document = ''] = /```yaml\n(kind: Site\n.*?)```/s.exec(page) ?? [];
    const { api, base } = cluster();
    const path = join(api.folder, 'site.yaml');
    writeFileSync(path, document);
    const ran = await runCli([...base, 'apply', '-f', path]);
    expect(ran.code, ran.stderr).toBe(exits.ok.code);
    const mountpoint = (world()['Storage/home'] as { mountpoint: string }).mountpoint;
    const { stdout } = await runCli([...base, 'get', 'site', '-o', 'json']);
    const [found] = JSON.parse(stdout) as { spec: { root: string } }[];
    expect(found?.spec.root.startsWith(`${mountpoint}/`)).toBe(true);
  });
});

describe('[4.2] what is refused', () => {
  it('without a terminal each answer that is missing is named, with the way to give it', async () => {
    const ran = await setup('--address', '127.0.0.1', '--vip', '127.0.0.9');
    expect(ran.code).toBe(exits.usage.code);
    expect(ran.stderr).toContain('Some questions of the setup are not answered (unanswered)');
    expect(ran.stderr).toContain('networks: is not answered\n      give --network NETWORK');
    expect(ran.stderr).toContain('storage: is not answered');
    expect(ran.stderr).not.toContain('visitors: is not');
  });

  it('a file is refused by line, field, value and fix, and nothing is sent', async () => {
    const ran = await withFile({ address: '127.0.0', colour: 'red' }, '--yes');
    expect(ran.code).toBe(exits.usage.code);
    expect(ran.stderr).toMatch(/setup\.yaml:1 address: .*\(found "127\.0\.0"\)\n +use four numbers/);
    expect(ran.stderr).toMatch(/setup\.yaml:\d+ colour: is not a known field/);
    expect(await invites()).toEqual([]);
  });

  const layouts: [string, object, RegExp][] = [
    [
      'a VIP that is the address of a node',
      { visitors: { vip: '127.0.0.11', http: 80 } },
      /visitors\/vip: .*belongs to no box.*\n +use a further address: a cluster of two boxes needs three/,
    ],
    [
      'a VIP in the private network',
      { networks: { cluster: '127.0.0.0/16', public: '192.0.2.0/24' } },
      /visitors\/vip: .*where no visitor gets to/,
    ],
    [
      'a node outside of the cluster network',
      { nodes: [{ name: 'web1', address: '10.9.9.9', roles: ['web'] }], storage: 'none' },
      /nodes\/0\/address: .*is not in the cluster network/,
    ],
    [
      'a storage on a node without the role',
      { storage: { server: { node: 'web1' }, export: '/data', mountpoint: '/srv/data' } },
      /storage\/server\/node: .*has not the role storage/,
    ],
    [
      'another port at the nodes, by direct routing',
      { visitors: { vip: '127.0.0.100', http: { port: 80, target: 8080 } } },
      /visitors\/http: forwarding by DR cannot lead/,
    ],
  ];
  it.each(layouts)('%s: by the manager’s own rule, in the words of the answers', async (_, part, words) => {
    const before = world();
    const ran = await withFile(part, '--yes');
    expect(ran.code).toBe(exits.refused.code);
    expect(ran.stderr).toMatch(words);
    expect(world()).toEqual(before);
    expect(await invites()).toEqual([]);
  });

  it('what the guards refuse is told with the flag that carries it out', async () => {
    await withFile({ storage: 'none' }, '--yes');
    const last = ['--node', 'lb1:127.0.0.10:web'];
    const ran = await setup('--yes', ...last);
    expect(ran.code).toBe(exits.refused.code);
    expect(ran.stderr).toContain('nodes/0/roles: nobody would balance web any more');
    expect(ran.stderr).toContain('if they may stop, repeat it with --force');
    const forced = await setup('--yes', '--force', ...last);
    expect(forced.code, forced.stderr).toBe(exits.unfinished.code);
    expect(world()['Node/lb1']).toMatchObject({ roles: ['web'], parameters: {} });
  });

  it('an operator is told that setup is for admins, with the exit code of that', async () => {
    const { api, base, file } = cluster();
    const given = [...base.slice(0, -1), api.tokens.operator];
    const ran = await runCli([...given, 'setup', '--file', file(), '--yes']);
    expect(ran.code).toBe(exits.denied.code);
    expect(ran.stderr).toContain('Cluster/cluster: writing Cluster/cluster is for admins');
  });

  it('a place of a storage that is none is told', async () => {
    const ran = await setup('--storage', 'somewhere', '--yes');
    expect(ran.code).toBe(exits.usage.code);
    expect(ran.stderr).toContain('--storage somewhere is no place');
  });

  it('without a terminal nothing is declared that nobody has said yes to', async () => {
    const before = world();
    const ran = await withFile({});
    expect(ran).toMatchObject({ code: exits.usage.code });
    expect(ran.stderr).toContain('--yes');
    expect(world()).toEqual(before);
  });
});

describe('[4.2] setup --undo', () => {
  it('takes all of it back: what was made, what was changed, and the invitations', async () => {
    await declare(cluster().api.store, [node('web1', ['mail'], '127.0.0.11')]);
    const before = world();
    await withFile({}, '--yes');
    expect(world()).not.toEqual(before);
    const ran = await setup('--undo', '--yes');
    expect(ran.code, ran.stderr + ran.stdout).toBe(exits.ok.code);
    expect(world()).toEqual(before);
    expect(await openInvites()).toEqual([]);
    expect(cluster().keptFiles()).toEqual([]);
    expect((await setup('--undo', '--yes')).stdout).toContain('nothing to take back');
  });

  it('takes nothing back where somebody has changed a part since, says so, and takes all back by force', async () => {
    const before = world();
    await withFile({}, '--yes');
    const found = cluster().api.store.view().VirtualService.get('web');
    await declare(cluster().api.store, [
      { kind: 'VirtualService', name: 'web', spec: { ...found?.spec, weights: { web1: 5 } } },
    ]);
    const theirs = world();
    const ran = await setup('--undo', '--yes');
    expect(ran.code).toBe(exits.refused.code);
    expect(ran.stdout).toContain('VirtualService/web was changed since by somebody else');
    expect(ran.stdout).toContain('nothing was taken back');
    expect(world()).toEqual(theirs);
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
    expect((await setup('--undo', '--yes', '--force')).code).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });

  it('gives no node an older word than the operator’s last: what was said since of holds and maintenance stays', async () => {
    const word = { reason: 'disk', owner: 'op' };
    const web1 = (more: object) => node('web1', ['mail'], '127.0.0.11', more);
    await declare(cluster().api.store, [web1({ maintenance: word })]);
    await withFile({ storage: 'none' }, '--yes');
    await cluster().api.ask('POST', '/api/v1/nodes/web1/undrain');
    await cluster().api.ask('POST', '/api/v1/nodes/web1/hold', { reason: 'disk' });
    const ran = await setup('--undo', '--yes');
    expect(ran.code, ran.stdout + ran.stderr).toBe(exits.ok.code);
    const after = world()['Node/web1'];
    expect(after).toMatchObject({ roles: ['mail'], hold: { reason: 'disk' } });
    expect(after).not.toHaveProperty('maintenance');
  });

  it('goes on where it was interrupted itself', async () => {
    const before = world();
    await withFile({}, '--yes');
    await cluster().api.ask('DELETE', '/api/v1/resources/VirtualService/web?force=true');
    await cluster().api.ask('DELETE', '/api/v1/resources/Storage/home?force=true');
    expect((await setup('--undo', '--yes')).code).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });

  const began = '2026-11-22T00:00:00.000Z';
  const bare = { began, answers: {}, deeds: [], invites: [] };
  const damaged: [string, string, RegExp][] = [
    ['half a file', '{', /cannot be read/],
    ['answers that are none', JSON.stringify({ ...bare, answers: { address: 1 } }), /address/],
    ['no moment', JSON.stringify({ ...bare, began: 'now' }), /began/],
    ['a deed without its document', JSON.stringify({ ...bare, deeds: [{ before: null }] }), /deeds\/0/],
    ['a number for what is being declared', JSON.stringify({ ...bare, declaring: 0 }), /declaring/],
    ['a name for who is being invited', JSON.stringify({ ...bare, inviting: 'web1' }), /inviting/],
  ];
  it.each(damaged)('%s: is told and set aside, and nothing is done', async (_, text, words) => {
    await withFile({}, '--yes');
    const [before, file] = [world(), keptFile()];
    writeFileSync(file, text);
    const dry = await setup('--undo', '--dry-run');
    expect(dry.code, dry.stderr).toBe(exits.usage.code);
    expect(readFileSync(file, 'utf8')).toBe(text);
    const ran = await setup('--undo', '--yes');
    expect(ran.code, ran.stderr).toBe(exits.usage.code);
    expect(ran.stderr).toMatch(words);
    const aside = /set aside as (\S+)/.exec(ran.stderr)?.[1] ?? '';
    expect(readFileSync(aside, 'utf8')).toBe(text);
    expect(cluster().keptFiles()).toEqual([]);
    expect(world()).toEqual(before);
  });

  it('a setup that finds such a file says so, sets it aside, and begins with what is declared', async () => {
    await withFile({}, '--yes');
    writeFileSync(keptFile(), '{');
    const again = await setup('--yes');
    expect(again.code, again.stderr).toBe(exits.unfinished.code);
    expect(again.stderr).toContain('it is set aside as');
  });

  it('takes back two runs of one setup to what was there before the first', async () => {
    const before = world();
    await withFile({}, '--yes');
    await withFile({ visitors: { vip: '127.0.0.102', http: 80 } }, '--yes');
    expect((await setup('--undo', '--yes')).code).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });
});
