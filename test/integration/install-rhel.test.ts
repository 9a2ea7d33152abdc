/**
 * The installer on a relative of RHEL: a box laid out in a folder, with the answers of dnf, rpm and systemctl as they were
 * recorded. No such box is to be had here, so that is as far as this branch is proven.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const checkout = join(import.meta.dirname, '..', '..');
const RELEASE = '1.0.0-aaaaaaaaaaaa';

/** /etc/os-release of Rocky Linux 9.4, as far as it is read. */
const ROCKY = `NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
`;
/** What `rpm -q` and `rpm -ql` said there. */
const NOT_INSTALLED = 'package sqlite-libs is not installed';
const FILES = '/usr/lib/systemd/system/sqlite-example.service\n/usr/lib64/libsqlite3.so.0\n';

let root: string;
let box: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'evenkeel-rhel-'));
  box = join(root, 'box');
  for (const folder of ['run/systemd/system', 'usr/lib', 'var/lib', 'usr/sbin', 'etc/systemd/system'])
    mkdirSync(join(box, folder), { recursive: true });
  put(join(box, 'etc/os-release'), ROCKY);
  layRelease();
  // Whoever is called says so; what he answers is his own.
  stub('rpm', `case $1 in -q) echo '${NOT_INSTALLED}'; exit 1 ;; -ql) printf '${FILES}' ;; esac`);
  stub('dnf', 'exit 0');
  stub('systemctl', 'case $1 in is-enabled | is-active) exit 1 ;; esac');
  stub('useradd', 'echo "useradd: cannot lock /etc/passwd" >&2; exit 1');
  stub('id', 'case $1 in -u) echo 0 ;; *) exit 1 ;; esac');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}
function stub(name: string, body: string): void {
  put(join(root, 'bin', name), `#!/bin/sh\necho "${name} $*" >>${join(root, 'called')}\n${body}\n`, 0o755);
}
const called = (): string[] =>
  existsSync(join(root, 'called')) ? readFileSync(join(root, 'called'), 'utf8').trim().split('\n') : [];

/** As much of a release as is looked at before anything of it runs. */
function layRelease(): void {
  const folder = join(root, 'release');
  const files: Record<string, string> = {
    RELEASE: `${RELEASE}\n`,
    'bin/evenkeel': '#!/bin/sh\n',
    'lib/manager.js': '',
  };
  for (const [name, text] of Object.entries(files)) put(join(folder, name), text);
  copyFileSync(join(checkout, 'install.sh'), join(folder, 'install.sh'));
  const names = [...Object.keys(files), 'install.sh'];
  const sum = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  put(join(folder, 'SHA256SUMS'), names.map((name) => `${sum(name)}  ${name}\n`).join(''));
}
const install = (...words: string[]) =>
  new Promise<{ code: number; said: string }>((resolve) => {
    const env = {
      PATH: `${join(root, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      EVENKEEL_BOX: box,
      HOME: join(box, 'root'),
    };
    execFile(
      'sh',
      [join(root, 'release', 'install.sh'), ...words],
      { env, timeout: 60_000 },
      (err, out, errors) => resolve({ code: err ? Number(err.code ?? 1) : 0, said: out + errors }),
    );
  });

it('[4.1] a relative of RHEL is known by its os-release, and a dry run names its own packages and changes nothing', async () => {
  const { code, said } = await install('manager', '--address', '10.0.0.1', '--dry-run');
  expect([code, said]).toEqual([0, expect.stringContaining('would install packages: sqlite-libs')]);
  expect(called().filter((line) => /^(dnf|useradd)/.test(line))).toEqual([]);
  expect(existsSync(join(box, 'usr/lib/evenkeel'))).toBe(false);
});

it('[4.1] packages come by dnf without weak ones; when it fails, its words and the command are said and nothing is left', async () => {
  stub('dnf', 'echo "Error: Unable to find a match: sqlite-libs" >&2; exit 1');
  const { code, said } = await install('manager', '--address', '10.0.0.1', '--yes');
  expect(code).toBe(1);
  expect(called()).toContain('dnf -y -q --setopt=install_weak_deps=False install sqlite-libs');
  expect(said).toContain('Error: Unable to find a match: sqlite-libs');
  expect(said).toContain('to mend it: dnf install sqlite-libs');
  expect(existsSync(join(box, 'usr/lib/evenkeel'))).toBe(false);
  expect(existsSync(join(box, 'usr/sbin/policy-rc.d')), 'the guard of Debian').toBe(false);
});

it('[4.1] daemons that a package brings are disabled, and a later failure takes back packages and files', async () => {
  const { code, said } = await install('manager', '--address', '10.0.0.1', '--yes');
  expect([code, said]).toEqual([1, expect.stringContaining('useradd: cannot lock /etc/passwd')]);
  const calls = called();
  expect(calls).toContain('systemctl disable sqlite-example.service');
  expect(calls).toContain('rpm -e sqlite-libs');
  expect(calls.indexOf('rpm -e sqlite-libs')).toBeGreaterThan(
    calls.findIndex((line) => line.startsWith('useradd')),
  );
  expect(existsSync(join(box, 'usr/lib/evenkeel'))).toBe(false);
});

it('[4.1] a system of neither family is refused by its name, before anything is looked at', async () => {
  put(join(box, 'etc/os-release'), 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.20"\n');
  const { code, said } = await install('manager', '--yes');
  expect([code, said]).toEqual([
    1,
    expect.stringContaining('Alpine Linux v3.20 is neither Debian, Ubuntu nor a relative of RHEL'),
  ]);
});
