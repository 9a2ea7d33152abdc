/** `evenkeel setup` run again, and taken back, where others have declared something meanwhile. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import type { NodeView } from '../../protocol/views.ts';
import { declare, node } from '../support/api.ts';
import type { Ran } from '../support/sandbox.ts';
import { useSetupApi } from '../support/setup-api.ts';
import { openTerminal } from '../support/setup-terminal.ts';

const LONG = 60_000;

/** Whether every box has joined, and is as declared. */
let joined = false;
beforeEach(() => {
  joined = false;
});
const seen = (view: NodeView): NodeView =>
  joined ? { ...view, state: 'active', online: true, behind: [], converged: true } : view;

const cluster = useSetupApi({ seen });
const setup = (...args: string[]): Promise<Ran> => cluster().setup(...args);
const withFile = (part: object, ...args: string[]): Promise<Ran> =>
  setup('--file', cluster().file(part), ...args);
const world = () => cluster().world();
const openInvites = () => cluster().openInvites();
const words = ({ code, stdout, stderr }: Ran): string => `ended with ${code}\n${stdout}${stderr}`;
/** As on another box. */
const forget = () => {
  for (const file of cluster().keptFiles()) rmSync(file);
};
const keptText = () =>
  cluster()
    .keptFiles()
    .map((file) => readFileSync(file, 'utf8'));

/** What somebody else declares: the spec as it is, with this otherwise. */
async function change(key: 'VirtualService/web' | 'Node/web1' | 'Storage/home', more: object): Promise<void> {
  const [kind, name] = key.split('/');
  const spec = { ...(world()[key] as object), ...more };
  await declare(cluster().api.store, [{ kind, name, spec }]);
}
const remove = (key: string) => cluster().api.ask('DELETE', `/api/v1/resources/${key}?force=true`);

describe('[4.2] a setup that goes on after others have declared', () => {
  it('leaves what they have changed since it declared as they said it, and says which answers are theirs', async () => {
    await withFile({}, '--yes');
    await change('VirtualService/web', { ports: [{ port: 8080, target: 8080 }] });
    await change('Node/web1', { roles: ['web', 'mail'], parameters: { workers: '4' } });
    const theirs = world();
    const ran = await setup('--yes');
    expect(ran.code, words(ran)).toBe(exits.unfinished.code);
    expect(ran.stderr).toContain('visitors (VirtualService/web)');
    expect(ran.stderr).toContain('nodes (Node/web1)');
    expect(ran.stderr).not.toContain('networks (');
    expect(world()).toEqual(theirs);
    const given = await setup('--yes', '--vip', '127.0.0.100', '--http', '81');
    expect(given.stderr).not.toContain('visitors (');
    expect(world()['VirtualService/web']).toMatchObject({ ports: [{ port: 81, target: 81 }] });
    expect(world()['Node/web1']).toEqual(theirs['Node/web1']);
  });

  it('also where the smoke test was all that was left', async () => {
    joined = true;
    // Nobody serves the site of it.
    const nodes = [{ name: 'web1', address: '127.0.0.11', roles: ['mail'] }];
    const red = await withFile({ nodes, storage: 'none' }, '--yes');
    expect(red.code, words(red)).toBe(exits.difference.code);
    await change('Node/web1', { roles: ['mail', 'ftp'] });
    const theirs = world();
    await setup('--yes', '--no-smoke');
    expect(world()).toEqual(theirs);
  });

  it('does not make again what they have deleted', async () => {
    await withFile({}, '--yes');
    await remove('Storage/home');
    await remove('Node/nas');
    const ran = await setup('--yes');
    expect(ran.stderr).toContain('storage (Storage/home)');
    expect(ran.stdout).toContain('not joined yet: lb1, web1\n');
    expect(Object.keys(world())).not.toContain('Storage/home');
    expect(Object.keys(world())).not.toContain('Node/nas');
  });

  it('also where it was killed once all was declared, and before it had written that down', async () => {
    const began = cluster().api.store.meta().revision;
    await withFile({}, '--yes');
    const [file = ''] = cluster().keptFiles();
    const { declared, ...kept } = JSON.parse(readFileSync(file, 'utf8')) as { declared: object };
    const declaring = { from: 0, since: began, by: 'token:admin', answers: declared };
    writeFileSync(file, JSON.stringify({ ...kept, answers: declared, declaring }));
    await change('VirtualService/web', { ports: [{ port: 8080, target: 8080 }] });
    const theirs = world();
    await setup('--yes');
    expect(world()).toEqual(theirs);
  });
});

describe('[4.2] setup --undo and the word of others', () => {
  it('leads back to what others have declared between two runs of one setup, and says so', async () => {
    const before = world();
    await withFile({}, '--yes');
    await change('VirtualService/web', { scheduler: 'sh', weights: { web1: 5 } });
    const theirs = world()['VirtualService/web'];
    await withFile({ visitors: { vip: '127.0.0.102', http: 80 } }, '--yes');
    expect(world()['VirtualService/web']).toMatchObject({ vip: '127.0.0.102', weights: { web1: 5 } });
    const both = world();
    const careful = await setup('--undo', '--yes');
    expect(careful.code, words(careful)).toBe(exits.refused.code);
    expect(careful.stdout).toContain('would leave virtual service web without any eligible node');
    expect(world()).toEqual(both);
    const ran = await setup('--undo', '--yes', '--force');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(ran.stdout).toContain('VirtualService/web is as somebody else has declared it meanwhile');
    expect(world()['VirtualService/web']).toEqual(theirs);
    await remove('VirtualService/web');
    expect(world()).toEqual(before);
  });

  it('takes back exactly the invitations that the setup made: for known nodes too, and none of others', async () => {
    await declare(cluster().api.store, [node('web1', ['web'], '127.0.0.11')]);
    const before = world();
    await withFile({}, '--yes');
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
    const body = { name: 'lb1', roles: ['balancer'] };
    expect((await cluster().api.ask('POST', '/api/v1/invites', body)).statusCode).toBeLessThan(300);
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(ran.stdout).toContain('the invitation of web1 is taken back');
    expect(await openInvites()).toEqual(['lb1']);
    expect(world()).toEqual(before);
  });

  it('takes back what a setup invited that had nothing to declare, and leaves and names what is another’s', async () => {
    await withFile({}, '--yes');
    forget();
    const before = world();
    const ran = await withFile({}, '--yes', '--new-lines');
    expect(ran.stderr).toMatch(
      /the invitation \S+ of web1, made by token:admin at \S+, stays: evenkeel node uninvite/,
    );
    await setup('--yes', '--new-lines');
    expect(await openInvites()).toEqual(['lb1', 'lb1', 'nas', 'nas', 'web1', 'web1']);
    expect((await setup('--undo', '--yes')).code).toBe(exits.ok.code);
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
    expect(world()).toEqual(before);
  });
});

describe('[4.2] a setup that is finished', () => {
  const finished = async () => {
    joined = true;
    const ran = await withFile({}, '--yes', '--no-smoke');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
  };
  const lookThrough = async (...args: string[]) => {
    const terminal = openTerminal([...cluster().base, 'setup', '--no-smoke', ...args]);
    await terminal.dialogue([
      ['go through the questions again? [y/N]', 'y'],
      ['address [127.0.0.1]: ', ''],
      ['layout [one]: ', ''],
    ]);
    await terminal.says('cluster network [127.0.0.0/16]: ');
    return terminal;
  };

  it('is taken back also after somebody looked through its questions', { timeout: LONG }, async () => {
    const before = world();
    await finished();
    await (await lookThrough()).kill();
    const again = openTerminal([...cluster().base, 'setup']);
    await again.says('(step 2 of 7)? [Y/n]');
    await again.kill();
    const ran = await setup('--undo', '--yes', '--force');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(before);
    expect(cluster().keptFiles()).toEqual([]);
  });

  it('gives way to the next one as soon as that declares something', async () => {
    await finished();
    const first = world();
    await setup('--yes', '--no-smoke', '--vip', '127.0.0.103');
    expect(world()).not.toEqual(first);
    const ran = await setup('--undo', '--yes', '--force');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(first);
  });

  it('--dry-run keeps no answer, and leaves what is kept as it is', { timeout: LONG }, async () => {
    await finished();
    const kept = keptText();
    const terminal = await lookThrough('--dry-run');
    terminal.type('\u0003');
    expect(await terminal.ended()).toBe(exits.interrupted.code);
    expect(terminal.said()).not.toContain('what was answered is kept');
    expect(keptText()).toEqual(kept);
  });
});

describe('[4.2] looking through the questions of a finished setup', () => {
  const untilStorage: [string, string][] = [
    ['go through the questions again? [y/N]', 'y'],
    ['address [127.0.0.1]: ', ''],
    ['layout [one]: ', ''],
    ['cluster network [127.0.0.0/16]: ', ''],
    ['node: ', ''],
    ['driver [lvs]: ', ''],
    ['forwarding [DR]: ', ''],
    ['or none [eth0]: ', ''],
    ['address [127.0.0.100]: ', ''],
    ['or none [80]: ', ''],
    ['or none [none]: ', ''],
  ];
  const lookAndStop = async (turns: [string, string][]) => {
    joined = true;
    await withFile({}, '--yes', '--no-smoke');
    const terminal = openTerminal([...cluster().base, 'setup', '--no-smoke']);
    await terminal.dialogue(turns);
    await terminal.says('storage [');
    terminal.type('\u0003');
    expect(await terminal.ended()).toBe(exits.interrupted.code);
  };

  it('makes nothing of them a new word: what others declare after it stays', { timeout: LONG }, async () => {
    await lookAndStop(untilStorage);
    await change('VirtualService/web', { vip: '127.0.0.150' });
    await change('Node/web1', { roles: ['web', 'mail'] });
    await remove('Storage/home');
    await remove('Node/nas');
    const theirs = world();
    const ran = await setup('--yes', '--no-smoke');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(theirs);
  });

  it('of a list of nodes only the one that was changed is a new word', { timeout: LONG }, async () => {
    const turns = untilStorage.flatMap((turn): [string, string][] =>
      turn[0] === 'node: ' ? [['node: ', 'web2 127.0.0.12 web'], turn] : [turn],
    );
    await lookAndStop(turns);
    await change('Node/web1', { roles: ['web', 'mail'] });
    await remove('Storage/home');
    await remove('Node/nas');
    const theirs = world();
    await setup('--yes', '--no-smoke');
    const { 'Node/web2': mine, ...others } = world();
    expect(mine).toMatchObject({ address: '127.0.0.12' });
    expect(others).toEqual(theirs);
  });

  it('no at the end drops them', { timeout: LONG }, async () => {
    await withFile({}, '--yes', '--no-smoke');
    const before = world();
    const terminal = openTerminal([...cluster().base, 'setup', '--vip', '127.0.0.103', '--no-smoke']);
    await terminal.dialogue([['declare this? [y/N] ', 'n']]);
    await terminal.says('the answers are dropped');
    await terminal.ended();
    await setup('--yes', '--no-smoke');
    expect(world()).toEqual(before);
  });

  it('no to the very first summary leaves nothing to go on with', { timeout: LONG }, async () => {
    const asked = openTerminal([...cluster().base, 'setup']);
    await asked.dialogue([
      ['address [127.0.0.1]: ', ''],
      ['layout [one]: ', ''],
      ['cluster network [127.0.0.0/24]: ', '127.0.0.0/16'],
    ]);
    await asked.says('node: ');
    await asked.kill();
    expect(cluster().keptFiles()).toHaveLength(1);
    const terminal = openTerminal([...cluster().base, 'setup', '--file', cluster().file({})]);
    await terminal.dialogue([['declare this? [y/N] ', 'n']]);
    await terminal.ended();
    expect(cluster().keptFiles()).toEqual([]);
    expect((await setup('--yes')).stderr).toContain('networks: is not answered');
  });
});

describe('[4.2] a file of answers', () => {
  const nodes = (...names: string[]) => [
    { name: 'lb1', address: '127.0.0.10', roles: ['balancer'] },
    ...names.map((name, at) => ({ name, address: `127.0.0.1${at + 1}`, roles: ['web'] })),
  ];

  it('has the whole list of nodes: a pending node of somebody else is neither invited nor awaited', async () => {
    await declare(cluster().api.store, [node('web3', ['web'], '127.0.0.13')]);
    const ran = await withFile({}, '--yes');
    expect(ran.code, words(ran)).toBe(exits.unfinished.code);
    expect(ran.stdout).toContain('stays declared: Node/web3');
    expect(ran.stdout).toContain('not joined yet: lb1, web1, nas\n');
    expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
  });

  it('a node that it renames is no longer awaited; it stays, and is named', async () => {
    await withFile({ nodes: nodes('web1'), storage: 'none' }, '--yes');
    const ran = await withFile(
      { nodes: [...nodes(), { name: 'weba', address: '127.0.0.12', roles: ['web'] }], storage: 'none' },
      '--yes',
    );
    expect(ran.stdout).toContain('stays declared: Node/web1');
    expect(ran.stdout).toContain('not joined yet: lb1, weba\n');
  });

  it('flags add to the list, of the file and of what is declared', async () => {
    await withFile({ nodes: nodes('web1'), storage: 'none' }, '--yes', '--node', 'web2:127.0.0.12:web');
    const ran = await setup('--yes', '--node', 'web3:127.0.0.13:web');
    expect(ran.stdout).toContain('not joined yet: lb1, web1, web2, web3\n');
  });

  it('a port takes the place of the one that it stands for, and of no further one', async () => {
    await withFile({}, '--yes');
    const ports = (...all: number[]) => all.map((port) => ({ port, target: port }));
    await change('VirtualService/web', { ports: ports(80, 8080) });
    await setup('--yes', '--vip', '127.0.0.100', '--http', '81');
    expect(world()['VirtualService/web']).toMatchObject({ ports: ports(81, 8080) });
    await setup('--yes', '--vip', '127.0.0.100', '--http', '8080');
    expect(world()['VirtualService/web']).toMatchObject({ ports: ports(8080) });
  });
});

describe('[4.2] answers that have less than what is declared', () => {
  it('delete nothing: the summary names and draws what stays', async () => {
    await declare(cluster().api.store, [node('web3', ['web'], '127.0.0.13')]);
    await withFile({ visitors: { vip: '127.0.0.100', http: 80, https: 443 } }, '--yes');
    const ran = await withFile({ storage: 'none', visitors: { vip: '127.0.0.104', http: 80 } }, '--dry-run');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(ran.stdout).toContain(
      'stays declared: Node/web3, Storage/home, VirtualService/web-tls; evenkeel node remove and evenkeel delete',
    );
    expect(ran.stdout).toContain('storage nas 127.0.0.20:/data/home at /chroot/home');
    expect(ran.stdout).toContain('127.0.0.100:443');
    expect(ran.stdout).not.toContain('every node has its own files');
  });

  it('a node that was left out at the questions is drawn, and neither invited nor waited for', {
    timeout: LONG,
  }, async () => {
    await withFile({ storage: 'none' }, '--yes');
    forget();
    await declare(cluster().api.store, [node('web3', ['web'], '127.0.0.13')]);
    const terminal = openTerminal([...cluster().base, 'setup', '--wait', '1s']);
    await terminal.dialogue([
      ['go through the questions again? [y/N]', 'y'],
      ['address [127.0.0.1]: ', ''],
      ['layout [one]: ', ''],
      ['cluster network [127.0.0.0/16]: ', ''],
      ['node: ', '-web3'],
      ['node: ', ''],
      ['driver [lvs]: ', ''],
      ['forwarding [DR]: ', ''],
      ['or none [eth0]: ', ''],
      ['address [127.0.0.100]: ', ''],
      ['or none [80]: ', ''],
      ['or none [none]: ', ''],
      ['storage [none]: ', ''],
      ['accept it? [y/N]: ', ''],
    ]);
    await terminal.says('not joined yet');
    await terminal.ended();
    const said = terminal.said();
    expect(said).toMatch(/web3 +127\.0\.0\.13 +x +stays a/);
    expect(said).toContain('└─ web3 127.0.0.13');
    expect(said).toContain('stays declared: Node/web3; evenkeel node remove');
    expect(await openInvites()).not.toContain('web3');
    await setup('--yes');
    expect(await openInvites()).not.toContain('web3');
  });
});
