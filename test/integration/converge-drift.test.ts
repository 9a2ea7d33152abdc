/** Drift with a real nginx: what a hand changes is put back, told with its diff, and who keeps at it is told of. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConvergeReport } from '../../agent/converge/report.ts';
import { type Home, siteOf, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

type Drift = Extract<ConvergeReport, { type: 'drift' }>;
const drifts = () => home.reports.filter((body): body is Drift => body.type === 'drift');
const read = (file: string) =>
  existsSync(file) && lstatSync(file).isFile() ? readFileSync(file, 'utf8') : null;
/** No watcher: only a sweep finds anything. */
const blind = { start: () => () => undefined, set: () => undefined };

async function begin(parts = {}): Promise<{ file: string; right: string; main: string }> {
  home = await webHome({ parts });
  await home.declare(await siteOf(home, 'a.example'), await siteOf(home, 'b.example'));
  const { digest } = await home.settled();
  const [file = ''] = home.filesWith('a.example');
  return {
    file,
    right: readFileSync(file, 'utf8'),
    main: join(home.unitFolder(), 'trees', digest, 'nginx.conf'),
  };
}

describe('a hand on a file', () => {
  it('[2.5] is undone at once, and the diff is told', async () => {
    const { file, right } = await begin();
    appendFileSync(file, '# by hand\n');
    await until('the right bytes are back', () => read(file) === right);
    await until('it is told', () => drifts().length === 1);
    expect(drifts()[0]).toMatchObject({
      unit: 'web-nginx',
      action: 'repaired',
      diffs: [{ change: 'modified' }],
    });
    expect(drifts()[0]?.diffs[0]?.diff).toContain('+# by hand');
    await until('the pass is told', () => home.unitReports().at(-1)?.result === 'corrected');
  });

  it.each<[string, (file: string) => void]>([
    ['deletes it', unlinkSync],
    ['takes its mode', (file) => chmodSync(file, 0o600)],
    [
      'puts another file in its place',
      (file) => {
        writeFileSync(`${file}.new`, 'server {}\n');
        renameSync(`${file}.new`, file);
      },
    ],
    [
      'puts a folder in its place',
      (file) => {
        unlinkSync(file);
        mkdirSync(file);
        writeFileSync(join(file, 'inner'), '');
      },
    ],
    [
      'puts a link in its place',
      (file) => {
        renameSync(file, `${file}.moved`);
        symlinkSync(`${file}.moved`, file);
      },
    ],
    [
      'puts a pipe in its place, which nobody writes to,',
      (file) => {
        unlinkSync(file);
        execFileSync('mkfifo', [file]);
      },
    ],
    [
      'links it to a device without end',
      (file) => {
        unlinkSync(file);
        symlinkSync('/dev/zero', file);
      },
    ],
    ['removes its whole folder', (file) => rmSync(join(file, '..'), { recursive: true })],
  ])('[2.5] that %s is undone', async (_, hand) => {
    const { file, right } = await begin();
    hand(file);
    await until(
      'the right bytes are back',
      () => read(file) === right && (lstatSync(file).mode & 0o777) === 0o644,
    );
    await home.units().idle();
    expect((await home.get('a.example')).body).toBe('a.example');
  });

  it('[2.5] on the main file, though the daemon was told to load it, is undone and loaded again', async () => {
    const { main } = await begin();
    const right = readFileSync(main, 'utf8');
    writeFileSync(main, right.replaceAll(/include .*;/g, ''));
    process.kill(home.pid(), 'SIGHUP');
    await until('the right bytes are back', () => read(main) === right);
    await until('nginx serves again', async () => (await home.get('a.example')).body === 'a.example');
  });

  it('[2.5] on the link to the active tree is undone', async () => {
    await begin();
    const current = join(home.unitFolder(), 'current');
    const right = readlinkSync(current);
    unlinkSync(current);
    symlinkSync('/tmp', current);
    await until('the link leads back', () => readlinkSync(current) === right);
    await until('it is told', () => drifts().length === 1);
    expect(drifts()[0]).toMatchObject({ action: 'repaired', diffs: [{ path: 'current' }] });
    await until('the pass is told', () => home.unitReports().at(-1)?.result === 'corrected');
  });

  it('[2.5] that leads the link to an older tree is told as drift, and undone', async () => {
    await begin();
    const current = join(home.unitFolder(), 'current');
    const older = readlinkSync(current);
    await home.declare(await siteOf(home, 'c.example'));
    await home.settled();
    const right = readlinkSync(current);
    unlinkSync(current);
    symlinkSync(older, current);
    await until('the link leads back', () => readlinkSync(current) === right);
    await until('it is told', () => drifts().length === 1);
    expect(drifts()[0]?.diffs).toMatchObject([{ path: 'current' }]);
    expect((await home.get('c.example')).body).toBe('c.example');
  });

  it('[2.5] is undone by the sweep alone where no watcher notices it', async () => {
    const { file, right } = await begin({ watch: blind });
    appendFileSync(file, '# by hand\n');
    home.units().sweep();
    await until('the right bytes are back', () => read(file) === right);
  });

  it('[2.5] that hides behind size and time is found by a sweep that reads the bytes', async () => {
    const { file, right } = await begin({ watch: blind });
    utimesSync(file, 1, 1);
    await home.units().plan();
    writeFileSync(file, right.replace('a.example', 'x.example'));
    utimesSync(file, 1, 1);
    expect(await home.units().plan()).toMatchObject([{ drift: false }]);
    home.units().sweep({ contents: true });
    await until('the right bytes are back', () => read(file) === right);
  });

  it('[2.5] a fourth time within ten minutes is a fight, raised once', async () => {
    const { file, right } = await begin();
    const fights = () => home.reports.filter(({ type }) => type === 'fight');
    for (let time = 1; time <= 4; time += 1) {
      expect(fights()).toEqual([]);
      appendFileSync(file, `# by hand, ${time}\n`);
      await until('it is undone and told', () => read(file) === right && drifts().length === time);
    }
    await until('a fight is raised', () => fights().length > 0);
    expect(fights()).toEqual([
      { type: 'fight', unit: 'web-nginx', path: drifts()[0]?.diffs[0]?.path, count: 4 },
    ]);
  });

  it('[2 bad input] that never ends is mended in good time, and not several times a second', async () => {
    const { file, right } = await begin();
    const end = performance.now() + 6_000;
    for (let time = 0; performance.now() < end; time += 1) {
      if (existsSync(file)) appendFileSync(file, `# by hand, ${time}\n`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(home.reports.filter(({ type }) => type === 'fight')).toHaveLength(1);
    expect(drifts().length).toBeLessThan(8);
    await until('the right bytes are back', () => read(file) === right, 15_000);
  });

  it('[2.5] on a thousand files at once is undone', async () => {
    const policy = await webPolicy((spec) => {
      spec.files = spec.files.map(({ shards: _, ...one }) =>
        one.for ? { ...one, path: 'sites/{{name}}.conf' } : one,
      );
    });
    home = await webHome({ instead: [policy] });
    const names = Array.from({ length: 1000 }, (_, at) => `s${at}.example`);
    const root = (await siteOf(home, 's.example')).spec as { root: string };
    const sites = await Promise.all(names.map((name) => siteOf(home, name, root)));
    await home.declare(...sites);
    await home.settled('web-nginx', 60_000);
    const files = home.filesWith('server_name s');
    expect(files).toHaveLength(1000);
    for (const file of files) appendFileSync(file, '# by hand\n');
    await until('all are right again', () => home.filesWith('# by hand').length === 0, 30_000);
  }, 120_000);

  it('[2.5] that the agent did itself is no drift', async () => {
    await begin();
    await home.declare(await siteOf(home, 'c.example'));
    await home.settled();
    const said = home.unitReports().length;
    // What the watcher heard of our own writes has had its time.
    await new Promise((resolve) => setTimeout(resolve, 400));
    await home.units().idle();
    expect(drifts()).toEqual([]);
    expect(home.unitReports()).toHaveLength(said);
  });
});

describe('a fixed place', () => {
  const linked = () =>
    webPolicy((spec) => {
      for (const file of spec.files) if (!file.for) file.link = join(home.folder, 'etc', 'nginx.conf');
    });

  it('[2.5] gets a link, keeps it, and has back what stood there when the policy goes', async () => {
    home = await webHome();
    await home.settled();
    const place = join(home.folder, 'etc', 'nginx.conf');
    mkdirSync(join(home.folder, 'etc'));
    writeFileSync(place, 'what stood there\n', { mode: 0o640 });
    await home.declare(await linked());
    const { digest } = await home.settled();
    expect(readFileSync(place, 'utf8')).toContain(digest);
    unlinkSync(place);
    writeFileSync(place, 'by hand\n');
    await until('the link is back', () => lstatSync(place).isSymbolicLink());

    const pid = home.pid();
    await home.remove({ kind: 'Policy', name: 'web-nginx' });
    await until('the service has ended', () => !existsSync(`/proc/${pid}`));
    await until('what stood there is back', () => read(place) === 'what stood there\n');
    expect(lstatSync(place).mode & 0o777).toBe(0o640);
    expect(existsSync(join(home.unitFolder(), 'current'))).toBe(false);
  });

  it('[2.5] that root does not allow on this box is refused, and what was served goes on', async () => {
    home = await webHome();
    const { digest } = await home.settled();
    const outside = await webPolicy((spec) => {
      for (const file of spec.files) if (!file.for) file.link = join(home.folder, 'other', 'nginx.conf');
    });
    await home.declare(outside);
    expect(await home.settled()).toMatchObject({
      result: 'held',
      step: 'stage',
      error: { code: 'executable-refused' },
      digest,
    });
    expect(existsSync(join(home.folder, 'other'))).toBe(false);
  });
});
