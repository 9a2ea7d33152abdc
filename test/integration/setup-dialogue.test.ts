/** The dialogue of `evenkeel setup` at a terminal: its questions, refusals, and a kill at every step. */
import { describe, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import { declare } from '../support/api.ts';
import { useSetupApi } from '../support/setup-api.ts';
import { openTerminal } from '../support/setup-terminal.ts';

const LONG = 60_000;

const cluster = useSetupApi();
const setup = (...args: string[]) => cluster().setup(...args);
const world = () => cluster().world();
const openInvites = () => cluster().openInvites();

/** The questions in their order, with an answer to each. */
const turns: [string, string][] = [
  ['address [127.0.0.1]: ', ''],
  ['layout [one]: ', ''],
  ['cluster network [127.0.0.0/24]: ', '127.0.0.0/16'],
  ['node: ', 'lb1 127.0.0.10 balancer'],
  ['node: ', 'web1 127.0.0.11 web'],
  ['node: ', ''],
  ['driver [lvs]: ', 'hap'],
  ['or none [none]: ', ''],
  ['address: ', '127.0.0.100'],
  ['or none [80]: ', ''],
  ['or none [none]: ', ''],
  ['storage [none]: ', ''],
  ['accept it? [y/N]: ', ''],
];
/** Where the answers to each step end. */
const stepEnds = [1, 3, 6, 8, 11, 12, 13];

/** The longest way through it. */
const whole: [string, string][] = [
  ['address [127.0.0.1]: ', ''],
  ['layout [one]: ', 'two'],
  ['cluster network [127.0.0.0/24]: ', ''],
  ['public network: ', '192.0.2.0/24'],
  ['node: ', 'lb1 127.0.0.10 balancer'],
  ['node: ', 'lb2 127.0.0.13 balancer,web'],
  ['node: ', 'gone 127.0.0.14 web'],
  ['node: ', '-gone'],
  ['node: ', 'nas 127.0.0.20'],
  ['write NAME ADDRESS ROLE', 'nas 127.0.0.20 storage'],
  ['node: ', ''],
  ['driver [lvs]: ', 'nonsense'],
  ['use one of lvs', ''],
  ['forwarding [DR]: ', 'TUN'],
  ['or none [eth0]: ', 'eth1'],
  ['or none [none]: ', 'eth0'],
  ['address: ', '192.0.2.10'],
  ['or none [80]: ', ''],
  ['or none [none]: ', '443'],
  ['storage [node]: ', ''],
  ['which node [nas]: ', ''],
  ['folder on the server [/data/home]: ', '/srv/data'],
  ['where nodes mount it [/chroot/home]: ', ''],
  ['or none [none]: ', '/home'],
  ['accept it? [y/N]: ', 'y'],
  ['declare this? [y/N] ', 'y'],
];

describe('[4.2] the dialogue', () => {
  it('asks seven questions, shows what it will do, asks, and does it', { timeout: LONG }, async () => {
    const terminal = openTerminal([...cluster().base, 'setup', '--wait', '1s']);
    await terminal.dialogue(turns);
    await terminal.says('create VirtualService/web');
    await terminal.dialogue([['declare this? [y/N] ', 'y']]);
    await terminal.says('not joined yet: lb1, web1');
    expect(await terminal.ended()).toBe(exits.unfinished.code);
    expect(terminal.said()).toContain('7 of 7  Joining');
    expect(world()).toMatchObject({ 'VirtualService/web': { vip: '127.0.0.100' }, 'Node/web1': {} });
  });

  it('asks of two networks, LVS, https and shared storage what they need', { timeout: LONG }, async () => {
    const terminal = openTerminal([...cluster().base, 'setup', '--wait', '1s']);
    await terminal.dialogue(whole);
    await terminal.says('not joined yet');
    await terminal.ended();
    const found = world();
    expect(found).toMatchObject({
      'Cluster/cluster': {
        networks: { cluster: '127.0.0.0/24', public: '192.0.2.0/24' },
        ...{ balancer: 'lvs', approveJoins: true },
      },
      'Node/lb2': {
        roles: ['balancer', 'web'],
        parameters: { vrrpInterface: 'eth1', vrrpSyncInterface: 'eth0' },
      },
      'Storage/home': {
        server: { node: 'nas' },
        export: '/srv/data',
        mountpoint: '/chroot/home',
        link: '/home',
      },
      'VirtualService/web': { vip: '192.0.2.10', forwarding: 'TUN' },
      'VirtualService/web-tls': { ports: [{ port: 443, target: 443 }], protocol: 'tcp' },
    });
    expect(found).not.toHaveProperty('Node/gone');
  });

  it('Ctrl-C at a question keeps what was answered, and says so', { timeout: LONG }, async () => {
    const terminal = openTerminal([...cluster().base, 'setup']);
    await terminal.dialogue(turns.slice(0, 3));
    await terminal.says('3 of 7');
    await terminal.says('node: ');
    terminal.type('\u0003');
    await terminal.says('what was answered is kept');
    expect(await terminal.ended()).toBe(exits.interrupted.code);
    const again = openTerminal([...cluster().base, 'setup']);
    await again.says('(step 3 of 7)? [Y/n]');
    await again.kill();
  });

  it('what somebody else changes while the summary is read is not overwritten', {
    timeout: LONG,
  }, async () => {
    const terminal = openTerminal([...cluster().base, 'setup', '--file', cluster().file()]);
    await terminal.says('declare this? [y/N] ');
    await declare(cluster().api.store, [
      {
        kind: 'Cluster',
        name: 'cluster',
        spec: { address: '127.0.0.1', balancer: 'haproxy', fallback: { port: 2999 } },
      },
    ]);
    const before = world();
    terminal.type('y');
    expect(await terminal.ended()).toBe(exits.stale.code);
    expect(world()).toEqual(before);
    const again = await setup('--file', cluster().file(), '--yes');
    expect(again.code).toBe(exits.unfinished.code);
    expect(world()['Cluster/cluster']).toMatchObject({ fallback: { port: 2999 }, balancer: 'lvs' });
  });

  it('asks again where the manager refuses an answer or it is none, and `back` asks the question before', {
    timeout: LONG,
  }, async () => {
    const terminal = openTerminal([...cluster().base, 'setup']);
    await terminal.dialogue([
      ['address [127.0.0.1]: ', '300.1.1.1'],
      ['use four numbers', ''],
      ['layout [one]: ', 'back'],
      ['address [127.0.0.1]: ', ''],
      ['layout [one]: ', ''],
      ['cluster network [127.0.0.0/24]: ', '10.0.0.0/24'],
      ['layout [one]: ', ''],
    ]);
    await terminal.kill();
    expect(terminal.said()).toContain('is not in the cluster network 10.0.0.0/24');
    expect(terminal.said()).toContain('use an address in 10.0.0.0/24');
    expect(terminal.said()).not.toContain('3 of 7');
  });

  it('killed after any step it goes on with the next, and no answer is lost', {
    timeout: 2 * LONG,
  }, async () => {
    let done = 0;
    for (const [at, end] of stepEnds.entries()) {
      const terminal = openTerminal([...cluster().base, 'setup', '--wait', '1s']);
      if (at > 0) {
        await terminal.says(`go on where you stopped (step ${at + 1} of 7)? [Y/n]`);
        terminal.type('');
      }
      await terminal.dialogue(turns.slice(done, end));
      await terminal.says(at < 6 ? `${at + 2} of 7` : 'declare this?');
      await terminal.kill();
      done = end;
    }
    const last = openTerminal([...cluster().base, 'setup', '--wait', '1s']);
    await last.dialogue([
      ['(all is answered)? [Y/n]', ''],
      ['declare this? [y/N] ', 'y'],
    ]);
    await last.says('not joined yet');
    await last.ended();
    expect(world()).toMatchObject({
      'Cluster/cluster': { networks: { cluster: '127.0.0.0/16' } },
      'VirtualService/web': { vip: '127.0.0.100' },
    });
  });

  it('killed while it declares, invites or waits, it goes on or is undone', {
    timeout: 2 * LONG,
  }, async () => {
    const before = world();
    for (const word of [
      'declare this?',
      'declared: ',
      'on lb1, as root',
      'on web1, as root',
      'not joined yet',
    ])
      for (const end of ['again', 'undo']) {
        const terminal = openTerminal([
          ...cluster().base,
          'setup',
          '--file',
          cluster().file({ storage: 'none' }),
          '--wait',
          '30m',
        ]);
        await terminal.says('declare this?');
        terminal.type('y');
        // The last one waits for the boxes by then, and says so while it does.
        await terminal.says(
          word === 'declare this?' ? ' ' : word === 'not joined yet' ? 'waiting for' : word,
        );
        await terminal.kill();
        if (end === 'again') {
          const ran = await setup('--file', cluster().file({ storage: 'none' }), '--yes');
          expect(ran.code, ran.stderr).toBe(exits.unfinished.code);
          expect(await openInvites()).toEqual(['lb1', 'nas', 'web1']);
        }
        const ran = await setup('--undo', '--yes');
        expect(ran.code, `${word}: ${ran.stderr}`).toBe(exits.ok.code);
        expect(world()).toEqual(before);
        // One that it had no time to write down may be another's: it is named, and nobody has seen its line.
        const named = [...ran.stderr.matchAll(/evenkeel node uninvite (\S+)/g)].map(([, id]) => id);
        expect(await openInvites()).toHaveLength(named.length);
        expect(named.length).toBeLessThan(2);
        for (const id of named) await cluster().api.ask('DELETE', `/api/v1/invites/${id}`);
      }
  });
});
