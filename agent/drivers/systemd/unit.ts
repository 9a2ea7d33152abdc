/** What systemd is told of a service: its unit, pure, in systemd's own words and quoting. */
import type { ResolvedAction, ResolvedService } from '../../../common/render/resolved.ts';
import { SYSTEMCTL } from './systemctl.ts';

type Command = [path: string, ...args: string[]];
type Resolve = (command: readonly string[]) => Command;

/** Without a root of its own, as every instance: all are in the slice system-evenkeel, and none can be called like the agent. */
export const unitOf = ({ name }: Pick<ResolvedService, 'name'>): string => `evenkeel@${name}.service`;

/**
 * systemd has to be told whether a daemon goes to the background, and a policy does not say. By `setsid --fork` all of
 * them do, and the pid file says which one it is.
 */
const BACKGROUND = ['/usr/bin/setsid', '--fork'] as const;

/**
 * A worker that the kernel ends for want of memory is its daemon's own to replace: systemd would end all of it. No order
 * with the agent: a job of one that stops would wait for its very stop (systemd.unit(5), `Before=`).
 * @throws EvenkeelError executable-refused
 */
export function unitText(service: ResolvedService, resolve: Resolve): string {
  const { name, pidFile, foreground, timeout } = service;
  const start = resolve(service.start);
  return `# Written by the agent of Evenkeel, which also starts it again. A drop-in in evenkeel@${name}.service.d counts.
[Unit]
Description=${name}, looked after by Evenkeel
After=network-online.target remote-fs.target nss-lookup.target
StartLimitIntervalSec=0

[Service]
${foreground ? 'Type=exec' : `Type=forking\nPIDFile=${pidFile.replaceAll('%', '%%')}`}
ExecStart=${lineOf(foreground ? start : [...BACKGROUND, ...start])}
ExecReload=${lineOf(reloadOf(service, resolve))}
${stopOf(service.stop, resolve)}
KillMode=mixed
OOMPolicy=continue
Restart=no
TimeoutStartSec=${timeout}ms
TimeoutStartFailureMode=kill
TimeoutStopSec=${timeout}ms
LimitNOFILE=524288
SyslogIdentifier=${name}
${MARK}${pidFile}
`;
}

/**
 * Not every box has a program for signals; systemd itself sends them, to whom it knows as the main process. By `+` that
 * works also where an operator has fenced the daemon in.
 */
function reloadOf(service: ResolvedService, resolve: Resolve): Command {
  if ('run' in service.reload) return resolve(service.reload.run);
  return [`+${SYSTEMCTL}`, 'kill', '--kill-who=main', `--signal=${service.reload.signal}`, unitOf(service)];
}

/** A command that only asks is waited for like a signal: without SIGCONT, which asks nothing, SIGTERM would follow it at once. */
const stopOf = (stop: ResolvedAction, resolve: Resolve): string =>
  'signal' in stop
    ? `KillSignal=${stop.signal}`
    : `ExecStop=${lineOf(resolve(stop.run))}\nKillSignal=SIGCONT`;

/** systemd ignores what begins with X-. */
const MARK = 'X-EvenkeelPidFile=';

/** Whose unit a text is: a pid file belongs to one service of a box. */
export const pidFileIn = (text: string): string | undefined =>
  text
    .split('\n')
    .find((line) => line.startsWith(MARK))
    ?.slice(MARK.length);

/** `$` is itself in the program's path, and begins a variable in its arguments (systemd.service(5), COMMAND LINES). */
const lineOf = ([path, ...args]: Command): string =>
  [quoted(path), ...args.map((arg) => quoted(arg.replaceAll('$', '$$$$')))].join(' ');

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '%': '%%' };

/** One word, whatever is in it: systemd.syntax(7) for quotes and escapes, systemd.unit(5) for `%`. */
const quoted = (text: string): string =>
  `"${[...text].map((char) => ESCAPED[char] ?? (isControl(char) ? hex(char) : char)).join('')}"`;

const isControl = (char: string): boolean => char < ' ' || char === '\x7f';
const hex = (char: string): string => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
