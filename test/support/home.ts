/** A box in a temp folder that converges for real: its own disk, real daemons on a loopback address, and no manager. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ConvergeReport, UnitBody } from '../../agent/converge/report.ts';
import { createUnits, type Units, type UnitsOptions } from '../../agent/converge/units.ts';
import { createSweep } from '../../agent/drift/sweep.ts';
import { createWatch } from '../../agent/drift/watch.ts';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { createKernel, type Kernel } from '../../agent/kernel/kernel.ts';
import { createRunCheck } from '../../agent/probe/check.ts';
import { runChecks } from '../../agent/probe/verify.ts';
import { createDesired, type Desired } from '../../agent/state/desired.ts';
import { type Clock, systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import type { Resource } from '../../protocol/resource.ts';
import type { PolicySpec } from '../../protocol/resources/policy.ts';
import { declared, shipped } from '../unit/render/declared.ts';
import { createJournal, type TestEdit, type TestJournal } from './journal.ts';
import { until } from './until.ts';

export const NODE = 'n1';
const ROLE = 'web';

export type Parts = Partial<Omit<UnitsOptions, 'node' | 'desired' | 'report'>>;

export interface HomeOptions {
  folder?: string;
  address?: string;
  /** Further parameters of the node. */
  parameters?: Record<string, string | number | boolean>;
  parts?: Parts;
}

export type Home = Awaited<ReturnType<typeof openHome>>;

const revisionOf = (body: UnitBody | undefined) => body?.scopes[`role/${ROLE}`]?.rev ?? -1;

/** A port of an address that nothing listens on now. */
export const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** The agent of the box: what ends and begins again when the agent is restarted. */
export async function startUnits(folder: string, parts: Parts, report: (body: ConvergeReport) => void) {
  const log = createLog('agent', process.env.EVENKEEL_TEST_LOG ?? 'silent');
  const clock = parts.clock ?? systemClock;
  const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
  await mkdir(paths.state, { recursive: true });
  const desired = createDesired({ folder: paths.state, log });
  const closeDesired = await desired.start();
  const kernel = parts.kernel ?? kernelOf(paths.state, clock);
  const runCheck = createRunCheck({
    clock,
    resolve: (command) => [...command],
    differing: kernel.differingIn,
  });
  const units = createUnits({
    node: NODE,
    config: { paths, places: [join(folder, 'etc')] },
    executables: createExecutables({
      nginx: '/usr/sbin/nginx',
      haproxy: '/usr/sbin/haproxy',
      true: '/bin/true',
    }),
    runChecks: (checks, options) => runChecks(checks, { ...options, runCheck, clock }),
    hooks: {
      beforeReload: async () => undefined,
      reloaded: () => undefined,
      died: () => undefined,
      serving: () => undefined,
    },
    watch: createWatch({ clock, log }),
    sweep: createSweep({ sweepSeconds: 60, contentsSeconds: 300, clock }),
    clock,
    log,
    ...parts,
    kernel,
    desired,
    report,
  });
  const stopUnits = await units.start();
  const stop = async () => {
    await stopUnits();
    await closeDesired();
  };
  return { units, desired, stop };
}

/** Of the namespaces that the test is in. */
export const kernelOf = (folder: string, clock: Clock, isRoot = true): Kernel =>
  createKernel({
    folder,
    aside: join(folder, 'mounts'),
    allowed: { sysctls: ['net.*'], modules: ['*'], devices: ['*'], folders: ['*'] },
    run: createRun({
      executables: createExecutables({
        ip: '/usr/sbin/ip',
        'iptables-legacy': '/usr/sbin/iptables-legacy',
        'ip6tables-legacy': '/usr/sbin/ip6tables-legacy',
        modprobe: '/usr/sbin/modprobe',
        mount: '/usr/bin/mount',
        stat: '/usr/bin/stat',
        umount: '/usr/bin/umount',
      }),
      clock,
    }),
    clock,
    log: createLog('agent', 'silent'),
    isRoot,
  });

/** Scopes as the manager would choose them for this one box. */
function scopesOf({ kind, name }: { kind: string; name: string }): string[] {
  if (kind === 'Node') return [`node/${name}`];
  return kind === 'Cluster' ? ['cluster'] : [`role/${ROLE}`];
}

interface Own {
  address: string;
  paths: { state: string; run: string; log: string };
  port: number;
  parameters: Record<string, string | number | boolean>;
}

/** The node's resource, with `spec` over it. */
const nodeOf = ({ address, paths, port, parameters }: Own, spec: object) =>
  declared('Node', NODE, {
    address,
    roles: [ROLE],
    paths,
    parameters: { httpPort: port, user: userInfo().username, workers: '1', ...parameters },
    ...spec,
  });

/** Says which resources changed. */
async function bringUp(desired: Desired, journal: TestJournal): Promise<string[]> {
  const keys: string[] = [];
  for (const { scope } of journal.heads()) {
    const own = desired.stand(scope);
    const { since, ...answer } = await journal.changes(scope, own?.epoch ?? 0, own?.rev ?? 0);
    keys.push(...(await desired.apply(scope, { ...answer, snapshot: since === null })));
  }
  return keys;
}

export async function openHome({
  folder = newFolder(),
  address = '127.0.0.31',
  parameters = {},
  parts = {},
}: HomeOptions = {}) {
  const port = await freePort(address);
  const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
  const journal = createJournal();
  const reports: ConvergeReport[] = [];
  const report = (body: ConvergeReport) => void reports.push(structuredClone(body));
  let agent = await startUnits(folder, parts, report);

  /** Brings the box's scopes to where the journal is then, as the link would. */
  const commit = async (edits: Omit<TestEdit, 'scopes'>[]) => {
    journal.commit(edits.map((edit) => ({ ...edit, scopes: scopesOf(edit) })));
    agent.units.applied(await bringUp(agent.desired, journal));
  };
  const unitReports = (unit?: string) =>
    reports.filter((body): body is UnitBody => body.type === 'unit' && body.unit === (unit ?? body.unit));
  const home = {
    folder,
    paths,
    address,
    port,
    journal,
    reports,
    node: (spec: object = {}) => nodeOf({ address, paths, port, parameters }, spec),
    units: (): Units => agent.units,
    desired: (): Desired => agent.desired,
    unitReports,
    /** Declares resources, all in one change. */
    declare: (...resources: Resource[]) => commit(resources),
    remove: (...keys: { kind: string; name: string }[]) =>
      commit(keys.map(({ kind, name }) => ({ kind, name }))),
    /** Waits until each unit has reported on where the journal is now, and returns the last report. */
    settled: async (unit = 'web-nginx', ms = 20_000): Promise<UnitBody> => {
      const rev = journal.head(`role/${ROLE}`)?.rev ?? 0;
      const last = () => unitReports(unit).at(-1);
      await until(`${unit} has reported revision ${rev}`, () => revisionOf(last()) >= rev, ms);
      await agent.units.idle();
      return last() as UnitBody;
    },
    stop: () => agent.stop(),
    /** Starts a stopped agent; daemons went on. */
    resume: async (next: Parts = parts) => {
      agent = await startUnits(folder, next, report);
    },
    restart: async (next: Parts = parts) => {
      await home.stop();
      await home.resume(next);
    },
    /** Declares while no agent runs, as if the link had brought it just before the agent died. */
    declareUnseen: async (...resources: Resource[]) => {
      journal.commit(resources.map((one) => ({ ...one, scopes: scopesOf(one) })));
      const desired = createDesired({ folder: paths.state, log: createLog('agent', 'silent') });
      const close = await desired.start();
      await bringUp(desired, journal);
      await close();
    },
    /** Ends everything. */
    end: async (last: () => void = () => undefined) => {
      await agent.stop();
      endDaemons(folder);
      last();
      rmSync(folder, { recursive: true, force: true });
    },
    get: (host: string, path = '/') => fetchFrom({ host: address, port, path, headers: { host } }),
    /** The digest of the tree that nginx itself shows. */
    shown: async (unit = 'web-nginx') =>
      (await fetchFrom({ socketPath: join(paths.run, `${unit}.status.sock`), path: '/digest' })).body.trim(),
    pid: (unit = 'web-nginx') => Number(readFileSync(join(paths.run, `${unit}.pid`), 'utf8')),
    unitFolder: (unit = 'web-nginx') => join(paths.state, 'units', unit),
    /** Every live file that holds a text. */
    filesWith: (text: string, unit = 'web-nginx') =>
      filesWith(join(paths.state, 'units', unit, 'files'), text),
  };
  return home;
}

/** What ships for web servers, and the node; `instead` takes the place of what has the same name. */
export async function webHome({
  instead = [],
  ...options
}: HomeOptions & { instead?: Resource[] } = {}): Promise<Home> {
  const home = await openHome(options);
  const { resources } = await shipped();
  const web = resources.filter(
    ({ kind, name }) => name === 'web-nginx' || (kind === 'Template' && name.startsWith('vhost/')),
  );
  await home.declare(
    ...web,
    declared('Cluster', 'cluster', { address: '127.0.0.1', balancer: 'haproxy' }),
    home.node(),
    ...instead,
  );
  return home;
}

/** The shipped policy of web servers with some of it otherwise. */
export async function webPolicy(change: (spec: PolicySpec) => void): Promise<Resource> {
  const policy = structuredClone((await shipped()).find('Policy', 'web-nginx'));
  change(policy.spec);
  return policy;
}

/** A shipped template with its text changed. */
export async function templateWith(name: string, change: (text: string) => string): Promise<Resource> {
  const template = structuredClone((await shipped()).find('Template', name));
  template.spec.text = change(template.spec.text);
  return template;
}

/** A site whose document root exists and says its name. */
export async function siteOf(home: Home, name: string, spec: object = {}): Promise<Resource> {
  const root = join(home.folder, 'www', name);
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'index.html'), name);
  return declared('Site', name, { root, ...spec });
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  // Workers that run as another user read the document roots below it.
  chmodSync(folder, 0o755);
  return folder;
}

export function filesWith(folder: string, text: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((place) => readFileSync(place, 'utf8').includes(text));
}

/**
 * Ends every daemon that has a file of a folder open, also a worker whose master and pid file are gone. Looks until
 * there is none, for a master may make a worker while it is looked for.
 */
function endDaemons(folder: string): void {
  const left = () =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid)
      .filter((pid) => openFilesOf(pid).some((file) => file.startsWith(`${folder}/`)));
  for (let found = left(); found.length > 0; found = left()) for (const pid of found) kill(pid);
}

function openFilesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const seen = <T>(look: () => T[]): T[] => {
    try {
      return look();
    } catch {
      return []; // it has ended, or has closed it, already
    }
  };
  return seen(() => readdirSync(folder)).flatMap((fd) => seen(() => [readlinkSync(join(folder, fd))]));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

export interface Fetched {
  status: number;
  body: string;
}

export const fetchFrom = (options: object): Promise<Fetched> =>
  new Promise((resolve, reject) => {
    const asked = get({ agent: false, timeout: 5_000, ...options }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.once('error', reject);
    });
    asked.once('error', reject);
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')));
  });
