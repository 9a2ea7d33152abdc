/** `evenkeel setup --undo`: all or nothing, by the manager's own rules, and nothing of what others have declared. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { exits } from '../../cli/exit-codes.ts';
import type { NodeView } from '../../protocol/views.ts';
import { declare, node } from '../support/api.ts';
import type { Ran } from '../support/sandbox.ts';
import { useSetupApi } from '../support/setup-api.ts';
import { until } from '../support/until.ts';

const LONG = 60_000;

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
const words = ({ code, stdout, stderr }: Ran): string => `ended with ${code}\n${stdout}${stderr}`;
const keptFile = () => cluster().keptFiles()[0] ?? '';
const kept = () => JSON.parse(readFileSync(keptFile(), 'utf8'));
const revision = () => cluster().api.store.meta().revision;

async function change(key: string, more: object): Promise<void> {
  const [kind, name] = key.split('/');
  await declare(cluster().api.store, [{ kind, name, spec: { ...(world()[key] as object), ...more } }]);
}

/** As the manager writes it down when a box joins. */
async function join(...names: string[]): Promise<void> {
  joined = true;
  for (const [at, name] of names.entries())
    await change(`Node/${name}`, {
      identity: { key: `${'a'.repeat(63)}${at}`, joined: '2026-11-22T00:00:00.000Z' },
    });
}

describe('[4.2] setup --undo of a cluster with members', () => {
  it('takes nothing back, names each part that is in the way, and promises no more; by force all of it goes', async () => {
    const before = world();
    await withFile({}, '--yes', '--no-smoke');
    await join('lb1', 'web1', 'nas');
    const live = world();
    for (const args of [['--dry-run'], ['--yes']]) {
      const ran = await setup('--undo', ...args);
      expect(ran.code, words(ran)).toBe(exits.refused.code);
      expect(ran.stdout).toContain('Node/web1 has joined since\n    evenkeel node remove web1');
      expect(ran.stdout).toContain('would end virtual service web, which 1 node of role web serve');
      expect(ran.stdout).toContain('nothing was taken back');
      expect(world()).toEqual(live);
    }
    const forced = await setup('--undo', '--yes', '--force');
    expect(forced.code, words(forced)).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });

  it('puts back what the last run changed where nothing is lost by it', async () => {
    joined = true;
    await withFile({}, '--yes', '--no-smoke');
    await join('lb1', 'web1', 'nas');
    const first = world();
    await setup('--yes', '--no-smoke', '--vip', '127.0.0.103');
    expect(world()).not.toEqual(first);
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(first);
  });
});

describe('[4.2] setup --undo', () => {
  it('--dry-run says what it would do, and does nothing', async () => {
    await withFile({}, '--yes');
    const [before, file] = [world(), readFileSync(keptFile(), 'utf8')];
    const ran = await setup('--undo', '--dry-run', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(ran.stdout).toContain('delete VirtualService/web\n');
    expect(ran.stdout).toContain('put back Cluster/cluster\n');
    expect(ran.stdout).toContain('take back the invitation of web1\n');
    expect(ran.stdout).toContain('nothing was taken back: this was a dry run');
    expect(world()).toEqual(before);
    expect(readFileSync(keptFile(), 'utf8')).toBe(file);
    expect(await cluster().openInvites()).toEqual(['lb1', 'nas', 'web1']);
  });

  it('passes no guard over for what others have declared on top, though no box has joined', async () => {
    await withFile({}, '--yes');
    const pool = { role: 'web', check: 'http', probe: { type: 'tcp' } };
    await declare(cluster().api.store, [
      {
        kind: 'VirtualService',
        name: 'imap',
        spec: { vip: '127.0.0.109', ports: [{ port: 143, target: 143 }], protocol: 'tcp', pool },
      },
    ]);
    const both = world();
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.refused.code);
    expect(ran.stdout).toContain('would leave virtual service imap without any eligible node');
    expect(world()).toEqual(both);
  });

  it('takes all of many nodes back where no box has joined: they are its own', async () => {
    const before = world();
    const web = Array.from({ length: 8 }, (_, at) => ({
      ...{ name: `web${at}`, address: `127.0.1.${at}`, roles: ['web'] },
    }));
    await withFile({ nodes: web, balancer: { driver: 'external' }, storage: 'none' }, '--yes');
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });

  it('leaves what was deleted and made again by somebody else with the very same content', async () => {
    await withFile({ storage: 'none' }, '--yes');
    const { 'Node/web1': spec } = world();
    await cluster().api.ask('DELETE', '/api/v1/resources/Node/web1?force=true');
    await declare(cluster().api.store, [{ kind: 'Node', name: 'web1', spec }]);
    const both = world();
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.refused.code);
    expect(ran.stdout).toContain('Node/web1 was changed since by somebody else');
    expect(world()).toEqual(both);
  });
});

describe('[4.2] a setup that was killed while it declared', () => {
  /** As it was written down before anything was sent. */
  const asBefore = (since: number) => {
    const { declared, deeds, ...rest } = kept();
    const unmade = deeds.map(({ made: _, ...deed }: { made: number }) => deed);
    return {
      ...rest,
      invites: [],
      deeds: unmade,
      declaring: { from: 0, since, by: 'token:admin', answers: declared },
    };
  };

  it('does not take for its own what somebody else declared after it, word for word', async () => {
    const since = revision();
    await withFile({ storage: 'none' }, '--yes');
    const [text, file] = [JSON.stringify(asBefore(since)), keptFile()];
    await setup('--undo', '--yes');
    const at = revision();
    await declare(cluster().api.store, [node('web1', ['web'], '127.0.0.11')]);
    const theirs = world();
    writeFileSync(file, text.replace(`"since":${since}`, `"since":${at}`));
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(world()).toEqual(theirs);
  });

  it('knows that it has declared also where others have changed all of it since: theirs counts', async () => {
    joined = true;
    await withFile({}, '--yes', '--no-smoke');
    const since = revision();
    const { finished: _, ...first } = kept();
    await setup('--yes', '--no-smoke', '--vip', '127.0.0.103');
    const answers = { visitors: { vip: '127.0.0.103', http: 80 } };
    const deeds = kept().deeds.map(({ made: __, ...deed }: { made: number }) => deed);
    const from = first.deeds.length;
    const declaring = { from, since, by: 'token:admin', answers };
    writeFileSync(
      keptFile(),
      JSON.stringify({ ...first, answers, deeds: [...first.deeds, ...deeds], declaring }),
    );
    await change('VirtualService/web', { vip: '127.0.0.160' });
    const theirs = world();
    const ran = await setup('--yes', '--no-smoke');
    expect(ran.stderr).toContain('others have declared otherwise since, and that counts: visitors');
    expect(world()).toEqual(theirs);
  });
});

describe('[4.2] invitations and setup --undo', () => {
  it('one that may be another’s stays, and is named with the way to take it back', async () => {
    await withFile({}, '--yes');
    const { items } = (await cluster().api.ask('GET', '/api/v1/invites')).json() as {
      items: { id: string; name: string }[];
    };
    const known = items.filter(({ name }) => name === 'web1').map(({ id }) => id);
    writeFileSync(keptFile(), JSON.stringify({ ...kept(), inviting: [{ name: 'web1', known }] }));
    await cluster().api.ask('POST', '/api/v1/invites', { name: 'web1', roles: ['web'] });
    const ran = await setup('--undo', '--yes');
    expect(ran.code, words(ran)).toBe(exits.ok.code);
    expect(ran.stderr).toMatch(
      /the invitation \S+ of web1, made by token:admin at .* stays: evenkeel node uninvite/,
    );
    expect(await cluster().openInvites()).toEqual(['web1']);
  });
});

describe('[4.2] two setups at a time', () => {
  it('the second is refused and told who is at it, and the way back of the first is whole', {
    timeout: LONG,
  }, async () => {
    const before = world();
    const first = withFile({}, '--yes', '--no-smoke', '--wait', '20s');
    await until('it waits', () => existsSync(keptFile()) && kept().invites.length === 3, 20_000);
    const live = world();
    for (const args of [['--vip', '127.0.0.105'], ['--undo']]) {
      const ran = await setup('--yes', ...args);
      expect(ran.code, words(ran)).toBe(exits.refused.code);
      expect(ran.stderr).toMatch(/another setup of this cluster is under way here, process \d+/);
    }
    expect(world()).toEqual(live);
    joined = true;
    expect((await first).code).toBe(exits.ok.code);
    joined = false;
    expect((await setup('--undo', '--yes')).code).toBe(exits.ok.code);
    expect(world()).toEqual(before);
  });
});
