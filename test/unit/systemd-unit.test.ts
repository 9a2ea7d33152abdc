/** What systemd is told of a service, and what is understood of its answers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { stateIn } from '../../agent/drivers/systemd/systemctl.ts';
import { pidFileIn, unitOf, unitText } from '../../agent/drivers/systemd/unit.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';

const { resolve } = createExecutables({ nginx: '/usr/sbin/nginx', rndc: '/usr/sbin/rndc', odd: '/opt/o$d' });
const nginx: ResolvedService = {
  name: 'nginx',
  start: ['nginx', '-c', '/var/lib/evenkeel/units/web-nginx/current/nginx.conf'],
  reload: { signal: 'SIGHUP' },
  stop: { signal: 'SIGQUIT' },
  pidFile: '/run/evenkeel/web-nginx.pid',
  sockets: [],
  timeout: 60_000,
};
const line = (service: ResolvedService, name: string) =>
  unitText(service, resolve)
    .split('\n')
    .find((one) => one.startsWith(`${name}=`));

it('[4.8] a unit starts the daemon with the file of the tree, and reloads and stops it as its policy says', () => {
  expect(unitText(nginx, resolve)).toMatchInlineSnapshot(`
    "# Written by the agent of Evenkeel, which also starts it again. A drop-in in evenkeel@nginx.service.d counts.
    [Unit]
    Description=nginx, looked after by Evenkeel
    After=network-online.target remote-fs.target nss-lookup.target
    StartLimitIntervalSec=0

    [Service]
    Type=forking
    PIDFile=/run/evenkeel/web-nginx.pid
    ExecStart="/usr/bin/setsid" "--fork" "/usr/sbin/nginx" "-c" "/var/lib/evenkeel/units/web-nginx/current/nginx.conf"
    ExecReload="+/usr/bin/systemctl" "kill" "--kill-who=main" "--signal=SIGHUP" "evenkeel@nginx.service"
    KillSignal=SIGQUIT
    KillMode=mixed
    OOMPolicy=continue
    Restart=no
    TimeoutStartSec=60000ms
    TimeoutStartFailureMode=kill
    TimeoutStopSec=60000ms
    LimitNOFILE=524288
    SyslogIdentifier=nginx
    X-EvenkeelPidFile=/run/evenkeel/web-nginx.pid
    "
  `);
});

it('[4.8] a daemon that stays in the foreground is the main process itself', () => {
  expect(line({ ...nginx, foreground: true }, 'ExecStart')).toMatch(/^ExecStart="\/usr\/sbin\/nginx" /);
  expect(line({ ...nginx, foreground: true }, 'PIDFile')).toBeUndefined();
});

it('[4.8] commands that reload and stop stand in the unit, and nothing follows the one that stops', () => {
  const named: ResolvedService = {
    ...nginx,
    reload: { run: ['rndc', 'reconfig'] },
    stop: { run: ['rndc', 'stop'] },
  };
  expect(line(named, 'ExecReload')).toBe('ExecReload="/usr/sbin/rndc" "reconfig"');
  expect(line(named, 'ExecStop')).toBe('ExecStop="/usr/sbin/rndc" "stop"');
  expect(line(named, 'KillSignal')).toBe('KillSignal=SIGCONT');
});

it.each([
  ['a space', 'a b', '"a b"'],
  ['quotes', `a"b'c`, `"a\\"b'c"`],
  ['a backslash', 'a\\n', '"a\\\\n"'],
  ['a specifier', '%n%%', '"%%n%%%%"'],
  ['a variable', '$HOME $\u007bHOME} $$', '"$$HOME $$\u007bHOME} $$$$"'],
  ['a line of its own', 'a\nExecStart=/bin/b\t', '"a\\x0aExecStart=/bin/b\\x09"'],
  ['the end of a command', ';', '";"'],
  ['nothing', '', '""'],
  ['letters of others', 'ü→', '"ü→"'],
])('[4.8] an argument with %s stays one argument, and is nothing else', (_, arg, written) => {
  const text = unitText({ ...nginx, start: ['nginx', arg] }, resolve);
  expect(text.split('\n').filter((one) => one.startsWith('ExecStart='))).toEqual([
    `ExecStart="/usr/bin/setsid" "--fork" "/usr/sbin/nginx" ${written}`,
  ]);
});

it('[4.8] a program is named as it is, for systemd looks for no variable there', () => {
  const odd: ResolvedService = { ...nginx, start: ['odd', '$1'], foreground: true };
  expect(line(odd, 'ExecStart')).toBe('ExecStart="/opt/o$d" "$$1"');
});

it('[4.8] what is not on the list of the box gets into no unit', () => {
  for (const service of [
    { ...nginx, start: ['sh'] },
    { ...nginx, reload: { run: ['sh'] } },
    { ...nginx, stop: { run: ['sh'] } },
  ])
    expect(() => unitText(service, resolve)).toThrow('not on the list');
});

it('[4.8] systemd itself finds nothing wrong with a unit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-unit-'));
  try {
    const own = createExecutables({ nginx: '/usr/sbin/nginx', true: '/usr/bin/true' });
    const units = [
      nginx,
      { ...nginx, name: 'other', foreground: true as const, stop: { run: ['true', '%$"'] } },
    ];
    for (const service of units) {
      const file = join(folder, unitOf(service));
      writeFileSync(file, unitText(service, own.resolve));
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('[4.8] a unit says whose it is, and a text that says nothing is nobody’s', () => {
  expect(pidFileIn(unitText(nginx, resolve))).toBe(nginx.pidFile);
  expect(pidFileIn('[Service]\nExecStart=/bin/true\n')).toBeUndefined();
});

it('[4.8] what systemd shows is understood, and so is that it knows nothing', () => {
  const text = `ActiveState=failed\nSubState=failed\nJob=812\nMainPID=0\nControlPID=0\nResult=protocol\nExecMainStatus=1\nInvocationID=abc\nNeedDaemonReload=yes\n`;
  expect(stateIn(text)).toEqual({
    ...{ active: 'failed', sub: 'failed', hasJob: true, main: null, control: null, result: 'protocol' },
    ...{ status: '1', invocation: 'abc', isStale: true },
  });
  // Who has no job shows an empty one, or none at all.
  for (const nothing of ['', 'Job=\n'])
    expect(stateIn(nothing)).toEqual({
      ...{ active: '', sub: '', hasJob: false, main: null, control: null, result: '', status: '' },
      ...{ invocation: '', isStale: false },
    });
});
