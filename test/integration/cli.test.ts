/** The CLI as people and programs run it, against a manager's API with a real store: output, exit codes, and what it says. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { exits } from '../../cli/exit-codes.ts';
import { declare, node, site, startTestApi, type TestApi } from '../support/api.ts';
import { cliBundle, runCli } from '../support/sandbox.ts';
import { until } from '../support/until.ts';

let api: TestApi;
let caFile: string;
beforeAll(async () => {
  api = await startTestApi({
    seen: (view) => ({ ...view, online: view.name === 'n1', converged: view.name === 'n1' }),
  });
  caFile = join(api.folder, 'ca.crt');
  writeFileSync(caFile, api.pki.bundle());
  await declare(api.store, [
    node('n1', ['web'], '127.0.0.11'),
    node('n2', ['web'], '127.0.0.12'),
    site('a.example', { aliases: ['www.a.example'] }),
  ]);
});
afterAll(() => api.stop());

const cli = (args: string[], { input, token = api.tokens.admin }: { input?: string; token?: string } = {}) =>
  runCli(['--api', api.url, '--ca', caFile, '--token', token, ...args], input === undefined ? {} : { input });

describe('[2.8] apply and diff', () => {
  it('applies standard input, says what became of it, and is done with nothing the second time', async () => {
    const input = JSON.stringify(site('new.example'));
    const first = await cli(['apply', '-f', '-'], { input });
    expect(first).toMatchObject({ code: exits.ok.code, stderr: '' });
    expect(first.stdout).toMatch(/^Site\/new\.example created\n1 created; revision \d+, accepted in /);
    expect((await cli(['apply', '-f', '-'], { input })).stdout).toMatch(/^1 unchanged/);
  });

  it('diff shows the specs and the files, changes nothing, and ends with 1 where there is a difference', async () => {
    const before = api.store.meta().revision;
    const input = JSON.stringify(site('a.example', { maxBody: '99m' }));
    const changed = await cli(['diff', '-f', '-'], { input });
    expect(changed.code).toBe(exits.difference.code);
    expect(changed.stdout).toContain('-maxBody: 32m\n+maxBody: 99m');
    expect(changed.stdout).toContain('on n1 and 1 alike (n2), web-nginx:');
    expect(changed.stdout).toContain('+    client_max_body_size 99m;');
    const same = await cli(['diff', '-f', '-'], { input: JSON.stringify(site('new.example')) });
    expect(same).toMatchObject({ code: exits.ok.code, stdout: '' });
    expect(api.store.meta().revision).toBe(before);
  });

  it('a refusal names the file, the line, the value and the fix, and ends with 3', async () => {
    const file = join(api.folder, 'bad.yaml');
    writeFileSync(file, 'kind: Site\nname: bad.example\nspec:\n  root: etc\n  colour: red\n');
    const ran = await cli(['apply', '-f', file]);
    expect(ran).toMatchObject({ code: exits.refused.code, stdout: '' });
    expect(ran.stderr).toContain(
      `${file}:4 Site/bad.example spec/root: must be an absolute path (found "etc")`,
    );
    expect(ran.stderr).toContain('use an absolute path');
    expect(ran.stderr).toContain(`${file}:5 Site/bad.example spec/colour: is not a known field`);
  });

  it('--wait returns with the timing of each step once every connected node has converged', async () => {
    const ran = await cli(['apply', '-f', '-', '--wait', '-o', 'json'], {
      input: JSON.stringify(site('w.example')),
    });
    expect(ran.code, ran.stderr).toBe(exits.ok.code);
    const answer = JSON.parse(ran.stdout) as { timing: Record<string, number>; away: string[] };
    expect(Object.keys(answer.timing)).toEqual(['accepted', 'received', 'converged']);
    expect(answer.away).toEqual(['n2']);
  });
});

/** An API of its own whose node n1 holds a site back that was declared before, or the one that is declared now. */
async function whileHeld<T>(
  held: string,
  revision: number,
  run: (given: string[]) => Promise<T>,
): Promise<T> {
  const item = { kind: 'Site', name: held, serving: 'nothing' as const, reason: 'no certificate' };
  const unit = {
    ...{ unit: 'web-nginx', result: 'held', digest: '', at: '2026-01-01T00:00:00Z', timing: {} },
    ...{ revisions: { 'role/web': revision }, held: [item] },
  };
  const other = await startTestApi({
    seen: (view) => ({ ...view, online: true, behind: [], converged: false, units: [unit] }),
  });
  await declare(other.store, [node('n1', ['web'], '127.0.0.11'), site('old.example')]);
  const ca = join(other.folder, 'ca.crt');
  writeFileSync(ca, other.pki.bundle());
  try {
    return await run(['--api', other.url, '--ca', ca, '--token', other.tokens.admin]);
  } finally {
    await other.stop();
  }
}

describe('[2.8] apply --wait beside somebody else’s held site', () => {
  const waiting = ['apply', '-f', '-', '--wait', '2'];
  const input = JSON.stringify(site('mine.example'));

  it('is done once the node tells of this revision, and names the other site in one line', async () => {
    const ran = await whileHeld('old.example', 1000, (given) => runCli([...given, ...waiting], { input }));
    expect(ran.code, ran.stdout + ran.stderr).toBe(exits.ok.code);
    expect(ran.stdout).toContain('not of this apply, and held back: Site/old.example');
    expect(ran.stdout).not.toContain('no certificate');
  });

  it('ends with 8 where its own site is held, or the node has not told of this revision yet', async () => {
    const own = await whileHeld('mine.example', 1000, (given) => runCli([...given, ...waiting], { input }));
    expect(own.code).toBe(exits.unfinished.code);
    expect(own.stdout).toContain('held back  Site/mine.example on n1: no certificate');
    const late = await whileHeld('old.example', 1, (given) => runCli([...given, ...waiting], { input }));
    expect(late.code).toBe(exits.unfinished.code);
  });
});

describe('[2 bad input] what people type', () => {
  it('a type of events or a node that never was is an error that names the known ones', async () => {
    const type = await cli(['events', '--type', 'nonsense']);
    expect(type.code).toBe(exits.usage.code);
    expect(type.stderr).toMatch(/use one of journal, unit, check,.*drift/);
    expect((await cli(['events', '--type', 'drift.nonsense'])).stderr).toContain(
      'drift.repaired, drift.reported',
    );
    const stranger = await cli(['events', '--node', 'n9']);
    expect(stranger.code).toBe(exits.notFound.code);
    expect(stranger.stderr).toContain('there is no node n9, and never was; there are: n1, n2');
    expect((await cli(['events', '--follow', '--node', 'n9'])).code).toBe(exits.notFound.code);
  });

  it('a word of node without node names the command', async () => {
    for (const word of ['drain', 'undrain', 'maintenance', 'hold', 'release']) {
      const ran = await cli([word, 'n1']);
      expect(ran.code, word).toBe(exits.usage.code);
      expect(ran.stderr).toContain(`evenkeel node ${word} n1`);
    }
    expect((await runCli(['--help'])).stdout).not.toMatch(/^ {2}drain/m);
  });

  it('a document without a kind, and a field beside spec, are told as what they are', async () => {
    const none = await cli(['apply', '-f', '-'], { input: 'name: x.example\nspec: {root: /srv/www}\n' });
    expect(none.stderr).toMatch(/kind: is missing\n +use one of Cluster, .*Site/);
    const beside = await cli(['apply', '-f', '-'], {
      input: 'kind: Site\nname: x.example\nroot: /srv/www\n',
    });
    expect(beside.stderr).toMatch(/root: is not a known field[^\n]*\n +put it below spec/);
  });
});

describe('[2.8] get and delete', () => {
  it('prints tables for people, and JSON and YAML for programs; YAML can be applied as it is', async () => {
    expect((await cli(['get', 'sites'])).stdout).toMatch(
      /^NAME +REVISION +ROOT.*\na\.example +\d+ +\/srv\/www/,
    );
    const json = JSON.parse((await cli(['get', 'site', 'a.example', '-o', 'json'])).stdout);
    expect(json).toMatchObject({ kind: 'Site', name: 'a.example', spec: { aliases: ['www.a.example'] } });
    const { stdout } = await cli(['get', 'sites', '-o', 'yaml']);
    expect(parseAllDocuments(stdout)).toHaveLength(api.store.total('Site'));
    expect((await cli(['apply', '-f', '-'], { input: stdout })).stdout).toMatch(/^\d+ unchanged/);
    const many = (await cli(['get', 'nodes', '-o', 'json'])).stdout;
    expect((await cli(['apply', '-f', '-'], { input: many })).stdout).toMatch(/^2 unchanged/);
  });

  it('deletes, at a revision where one is named, and says by its exit code what stood against it', async () => {
    await declare(api.store, [site('gone.example')]);
    expect((await cli(['delete', 'site', 'gone.example', '--if-revision', '1'])).code).toBe(exits.stale.code);
    expect((await cli(['delete', 'site', 'gone.example'])).code).toBe(exits.ok.code);
    expect((await cli(['delete', 'site', 'gone.example'])).code).toBe(exits.notFound.code);
    expect((await cli(['get', 'site', 'gone.example'])).stderr).toBe(
      'error: there is no Site/gone.example (not-found)\n',
    );
  });
});

describe('[2.8] the other verbs', () => {
  it('node drain and undrain say how the node is now, and the journal names the token', async () => {
    const drained = await cli(['node', 'drain', 'n1', '--reason', 'kernel', '--for', '30m'], {
      token: api.tokens.operator,
    });
    expect(drained.stdout).toMatch(/drain: kernel \(operator\), until \d{4}-[\d :-]+ \(in (29|30)m\)\n/);
    for (const look of [['nodes'], ['node', 'show', 'n1']])
      expect((await cli(look)).stdout).toMatch(/drain:? +kernel \(operator\), until .* \(in (29|30)m\)/);
    const deadline = (await api.store.get('Node', 'n1'))?.spec.drain?.deadline ?? '';
    expect(Date.parse(deadline) - Date.now()).toBeGreaterThan(29 * 60_000);
    expect((await cli(['node', 'undrain', 'n1'])).stdout).not.toContain('kernel');
    const { stdout } = await cli(['journal', '--limit', '2']);
    expect(stdout).toMatch(/token:operator +update +Node\/n1\n.*token:admin +update +Node\/n1\n$/);
  });

  it('node retry without a name asks every node that holds something back, and names who is away', async () => {
    const asked: string[] = [];
    const unit = (result: string, held: object[] = []) => ({
      ...{
        unit: 'web-nginx',
        result,
        digest: '',
        revisions: {},
        held,
        at: '2026-01-01T00:00:00Z',
        timing: {},
      },
    });
    const item = { kind: 'Site', name: 'x.example', serving: 'nothing', reason: 'no certificate' };
    const units: Record<string, object[]> = {
      n1: [unit('held', [item])],
      n2: [unit('changed')],
      n3: [unit('held', [item])],
      n4: [unit('rolledBack')],
    };
    const other = await startTestApi({
      seen: (view) => ({ ...view, online: view.name !== 'n3', units: units[view.name] ?? [] }) as typeof view,
      ask: async (name, what) => {
        asked.push(`${what} ${name}`);
        return { id: '1', what, units: [] };
      },
    });
    await declare(
      other.store,
      Object.keys(units).map((name, at) => node(name, ['web'], `127.0.0.${at + 11}`)),
    );
    const ca = join(other.folder, 'ca.crt');
    writeFileSync(ca, other.pki.bundle());
    const given = ['--api', other.url, '--ca', ca, '--token', other.tokens.operator];
    const ran = await runCli([...given, 'node', 'retry']);
    await other.stop();
    expect(asked.sort()).toEqual(['retry n1', 'retry n4']);
    expect(ran.stdout).toBe('n1, n4 try again; `evenkeel nodes` shows how it ends\n');
    expect(ran.stderr).toContain('the node n3 is not connected');
    expect(ran.code).toBe(exits.unreachable.code);
  });

  it('journal says what was made, changed, deleted, and made again', async () => {
    const declared = (spec = {}) => declare(api.store, [site('verbs.example', spec)]);
    await declared();
    await declared({ maxBody: '1m' });
    await cli(['delete', 'site', 'verbs.example']);
    await declared();
    const { stdout } = await cli(['journal', '--limit', '4', '-o', 'json']);
    expect((JSON.parse(stdout) as { did: string }[]).map(({ did }) => did)).toEqual([
      ...['create', 'update', 'delete', 'create'],
    ]);
  });

  it('events -f shows the last few, says where they end, and then what happens', async () => {
    const args = [
      '--api',
      api.url,
      '--ca',
      caFile,
      '--token',
      api.tokens.admin,
      'events',
      '-f',
      '--limit',
      '2',
    ];
    const child = spawn(process.execPath, [cliBundle, ...args]);
    let [shown, said] = ['', ''];
    child.stdout.on('data', (part) => {
      shown += part;
    });
    child.stderr.on('data', (part) => {
      said += part;
    });
    await until('the past is shown', () => said.includes('what follows happens now'));
    expect(shown.trim().split('\n')).toHaveLength(2);
    await declare(api.store, [site('follow.example')]);
    await until('what happens is shown', () => shown.includes('has declared Site/follow.example'));
    expect(shown.trim().split('\n')).toHaveLength(3);
    child.kill('SIGKILL');
  });

  it('events prints a line of JSON for each event, and journal verify holds', async () => {
    const { stdout } = await cli(['events', '--type', 'journal', '--limit', '3', '-o', 'json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(lines).toHaveLength(3);
    for (const { type } of lines) expect(type).toMatch(/^journal\./);
    expect((await cli(['journal', 'verify'])).stdout).toMatch(/^the journal holds\n/);
  });

  it('render prints one file as it would be, state and nodes and pools their tables', async () => {
    const { stdout } = await cli(['render', 'n1', '--file', 'nginx.conf']);
    expect(stdout).toMatch(/^# Unit web-nginx on n1/);
    expect((await cli(['state'])).stdout).toMatch(/^mode +serving/);
    expect((await cli(['nodes'])).stdout).toMatch(/^NAME +ROLES[^\n]*\nn1 +web/);
    expect((await cli(['pools'])).stdout).toBe('there is no VirtualService\n');
    expect((await cli(['plan', 'n2'])).code).toBe(exits.unreachable.code);
  });

  it('backup writes a file for its owner alone and only whole, with a passphrase that is no argument', async () => {
    const [file, word] = [join(api.folder, 'b.backup'), join(api.folder, 'word')];
    writeFileSync(word, 'correct horse battery staple\n');
    expect((await cli(['backup', file, '--passphrase-file', word])).code).toBe(exits.ok.code);
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('EVENKEEL-BACKUP');
    expect((await cli(['backup', file, '--passphrase-file', word])).stderr).toMatch(/exists already/);
    writeFileSync(word, 'short');
    expect((await cli(['backup', `${file}2`, '--passphrase-file', word])).code).toBe(exits.usage.code);
  });

  it('tokens are shown once, work, and are revoked', async () => {
    const token = (await cli(['tokens', 'create', 'ci', '--role', 'viewer'])).stdout.trim();
    expect((await cli(['nodes'], { token })).code).toBe(exits.ok.code);
    expect((await cli(['node', 'drain', 'n1'], { token })).code).toBe(exits.denied.code);
    expect((await cli(['tokens', 'list'])).stdout).toMatch(/ci +viewer/);
    expect((await cli(['tokens', 'revoke', 'ci'])).code).toBe(exits.ok.code);
    expect((await cli(['nodes'], { token })).code).toBe(exits.denied.code);
  });
});

describe('[2.8] exit codes', () => {
  it('stand in the help with their meaning, and in the manual', async () => {
    const { stdout, code } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const { code: number, means } of Object.values(exits))
      expect(stdout).toContain(`${number}  ${means}`);
    const manual = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    for (const { code: number } of Object.values(exits)) expect(manual).toContain(`\n| ${number} | `);
  });

  it('are those of a wrong command line where nothing says what to apply, with what to do', async () => {
    for (const command of ['apply', 'diff']) {
      const ran = await cli([command]);
      expect(ran.code).toBe(exits.usage.code);
      expect(ran.stderr).toContain('give -f: a file, a folder, or - for standard input');
    }
  });

  it('tell a wrong command line, a manager that is away, and one that is not to be trusted', async () => {
    for (const args of [
      ['nosuch'],
      ['nodes', '--nosuch'],
      ['get', 'sight'],
      ['apply'],
      ['nodes', '-o', 'xml'],
    ])
      expect((await cli(args)).code, args.join(' ')).toBe(exits.usage.code);
    const away = await runCli(['--api', 'https://127.0.0.1:1', '--ca', caFile, '--token', 'ek_x', 'nodes']);
    expect(away.code).toBe(exits.unreachable.code);
    expect(away.stderr).toMatch(/nothing listens there/);
    const stranger = await startTestApi();
    const wrongCa = join(api.folder, 'stranger.crt');
    writeFileSync(wrongCa, stranger.pki.bundle());
    await stranger.stop();
    const distrusted = await runCli([
      '--api',
      api.url,
      '--ca',
      wrongCa,
      '--token',
      api.tokens.admin,
      'nodes',
    ]);
    expect(distrusted.code).toBe(exits.unreachable.code);
    expect(distrusted.stderr).toMatch(/not by the authority in/);
  });
});
