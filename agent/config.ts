/** The box's own settings, agent.json in its state folder: root's word on what the agent may touch. Read once, at start. */
import { accessSync, constants, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { makeFolder, writeFileAtomic } from '../common/files.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { problemsOf } from '../protocol/resource.ts';
import { AbsolutePath, IPv4, OneOf, Strict } from '../protocol/values.ts';

const Seconds = (value: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 86_400, default: value, description });

const Allowed = (list: string[], description: string) =>
  Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.*/:@+~=,-]{1,255}$' }), { default: list, description });

/** Which address, folders and manager are this box's own is said when it joins; see identity. */
const Config = Strict({
  address: Type.Union([IPv4], { description: 'Where balancers and other nodes reach this box' }),
  paths: Strict({ state: AbsolutePath, run: AbsolutePath, log: AbsolutePath }),
  service: OneOf(['direct', 'systemd'], {
    default: 'direct',
    description: 'What starts and stops the daemons: the agent itself, or systemd, each as a unit',
  }),
  executables: Type.Record(Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$' }), AbsolutePath, {
    default: {},
    description:
      'What policies and actions may run: name and absolute path. Over the defaults, as far as those are installed',
  }),
  withheld: Type.Array(Type.String({ pattern: '^[A-Za-z0-9._+-]{1,64}$' }), {
    default: [],
    description: 'Of the defaults, what is not run on this box all the same',
  }),
  onlyListed: Type.Boolean({
    default: false,
    description: 'Policies and actions may run what `executables` lists and none of the defaults',
  }),
  places: Type.Array(AbsolutePath, {
    default: [],
    description: 'Folders outside the state folder in which policies may place links',
  }),
  kernel: Strict(
    {
      sysctls: Allowed(
        [
          ...['net.ipv4.conf.*', 'net.ipv4.ip_forward', 'net.ipv4.ip_nonlocal_bind', 'net.ipv4.vs.*'],
          ...['net.ipv6.conf.*', 'net.ipv6.ip_nonlocal_bind'],
        ],
        'Settings',
      ),
      modules: Allowed(['ip_vs*', 'ipip', 'ip6_tunnel', 'dummy', 'nfs*', 'lockd', 'sunrpc'], 'Modules'),
      devices: Allowed(['*'], 'Network devices'),
      folders: Allowed(
        [
          '/chroot',
          '/data',
          '/run/evenkeel/nfs',
          '/export',
          '/home',
          '/media',
          '/mnt',
          '/srv',
          '/var/www',
        ].flatMap((one) => [one, `${one}/*`]),
        'Where file systems are mounted and what is exported',
      ),
    },
    { default: {}, description: 'What lines of policies for the kernel may name; * stands for anything' },
  ),
  upgrades: Type.Boolean({
    default: true,
    description: 'The manager may have this agent replaced by its own release',
  }),
  actions: Type.Boolean({
    default: true,
    description:
      'The manager may have actions carried out on this box: what is declared, by what `executables` lists',
  }),
  sweepSeconds: Seconds(60, 'Between two comparisons of every file with what it should be'),
  contentsSeconds: Seconds(300, 'Between two sweeps that read the contents as well'),
  logLevel: OneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], { default: 'info' }),
});
export type Config = Static<typeof Config>;

const validator = Compile(Config);
const fileIn = (state: string) => join(state, 'agent.json');

/** There only where systemd is the init of this box: sd_booted(3). */
const BOOTED = '/run/systemd/system';

/** @throws EvenkeelError invalid-document with every problem, each with its place in the file */
export async function readConfig(state: string, booted = BOOTED): Promise<Config> {
  const file = fileIn(state);
  const written = await parsed(file);
  const filled: unknown = Value.Default(Config, written);
  if (!validator.Check(filled)) {
    const problems = problemsOf(validator, filled, (path) => path);
    throw new EvenkeelError('invalid-document', `${file} is not as it should be`, { problems });
  }
  refuseMissing(filled.service, file, booted);
  const { executables, onlyListed, withheld } = filled;
  return { ...filled, executables: onlyListed ? executables : { ...installed(withheld), ...executables } };
}

function refuseMissing(service: unknown, file: string, booted: string): void {
  if (service !== 'systemd' || existsSync(booted)) return;
  const fix = `set "service": "direct", or boot this box with systemd`;
  const message = `systemd does not run here: there is no ${booted}`;
  const problems = [{ code: 'invalid-document' as const, path: 'service', message, fix }];
  throw new EvenkeelError('invalid-document', `${file} is not as it should be`, { problems });
}

async function parsed(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (cause) {
    throw new EvenkeelError('invalid-document', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Writes the file of a box that joins; settings that root has made in an earlier one stay. */
export async function writeConfig(
  state: string,
  { service, ...own }: Pick<Config, 'address' | 'paths'> & Partial<Pick<Config, 'service'>>,
  booted = BOOTED,
): Promise<void> {
  await makeFolder(state);
  const before = existsSync(fileIn(state)) ? ((await parsed(fileIn(state))) as object) : {};
  const after = { ...(service && { service }), ...before, ...own };
  refuseMissing((after as { service?: unknown }).service, fileIn(state), booted);
  await writeFileAtomic(fileIn(state), `${JSON.stringify(after, null, 2)}\n`, { mode: 0o600 });
}

/** Daemons and checkers that policies are known to use, and what the actions that ship run. */
const DEFAULTS = [
  'apache2',
  'apachectl',
  'apt-get',
  'curl',
  'df',
  'dnf',
  'doveadm',
  'dpkg-query',
  'du',
  'exportfs',
  'haproxy',
  'ip',
  'ip6tables-legacy',
  'iptables-legacy',
  'ipvsadm',
  'journalctl',
  'keepalived',
  'logrotate',
  'mariadb-admin',
  'modprobe',
  'mount',
  'mysqladmin',
  'named-checkconf',
  'nginx',
  'postqueue',
  'repquota',
  'rndc',
  'rpc.mountd',
  'rpc.nfsd',
  'rpm',
  'rsync',
  'setquota',
  'stat',
  'sysctl',
  'systemctl',
  'tail',
  'true',
  'umount',
  'unattended-upgrade',
];
const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', '/sbin', '/bin'];

/** The defaults that this box has, with where they are. */
function installed(withheld: readonly string[]): Record<string, string> {
  const found = DEFAULTS.filter((name) => !withheld.includes(name)).flatMap((name) => {
    const path = FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
    return path === undefined ? [] : [[name, path] as const];
  });
  return Object.fromEntries(found);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not installed there
  }
}
