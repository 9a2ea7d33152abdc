/** What is done to the cluster while the load runs: each thing at its share of the time, one after the other. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { allGone, daemonsOf } from '../../cli/sandbox/processes.ts';
import type { Clock } from '../../common/clock.ts';
import type { TestSandbox } from '../../test/support/sandbox.ts';

type Act = (scene: Scene) => Promise<Started>;

/** Something that was done, and when. Moments are of the monotonic clock. */
export interface Happening {
  name: string;
  /** The node it was done to; null where it was the manager or a resource. */
  node: string | null;
  at: number;
  /** The moments at which what was in flight on the node died with it. */
  kills: number[];
  /** When the node's port took connections again. */
  servesAgainAt: number | null;
}

/** What was done, with what is still to be seen of it: the load and the next act do not wait for that. */
type Started = Omit<Happening, 'servesAgainAt'> & { servesAgain: Promise<number | null> };

interface Scene {
  sandbox: TestSandbox;
  clock: Clock;
  /** The moment at which the load began, and how long it lasts. */
  begun: number;
  seconds: number;
  /** Which nodes take which part: killed once and drained; kept down; its agent killed. */
  cast: readonly [string, string, string];
  say: (line: string) => void;
}

/** How long an nginx is killed again and again: long enough to be found out and removed. */
const STAYS_DOWN = 3000;

/** The whole of it, in order; each act begins at its share of the load's time. */
export async function scenario(scene: Scene): Promise<Happening[]> {
  const [first, second, third] = scene.cast;
  const acts: [share: number, act: Act][] = [
    [0.08, (now) => killNginx(first, 0, now)],
    [0.18, (now) => killNginx(second, STAYS_DOWN, now)],
    [0.45, (now) => killAgent(third, now)],
    [0.52, (now) => drain(first, now)],
    [0.62, (now) => undrain(first, now)],
    [0.72, applyChange],
    [0.82, killManager],
  ];
  const started: Started[] = [];
  for (const [share, act] of acts) {
    const due = scene.begun + share * scene.seconds * 1000;
    await scene.clock.sleep(Math.max(0, due - scene.clock.monotonic()));
    const happening = await act(scene);
    scene.say(`${((happening.at - scene.begun) / 1000).toFixed(1).padStart(6)} s  ${happening.name}`);
    started.push(happening);
  }
  return Promise.all(started.map(seenThrough));
}

const seenThrough = async ({ servesAgain, ...happening }: Started): Promise<Happening> => ({
  ...happening,
  servesAgainAt: await servesAgain,
});

const happened = (name: string, node: string | null, at: number): Started => ({
  name,
  node,
  at,
  kills: [],
  servesAgain: Promise.resolve(null),
});

/** A dying process is gone sooner, unless the disk holds it. */
const DYING = 2000;

/** Kills nginx, and for `ms` milliseconds every nginx that the agent starts in its place. */
async function killNginx(name: string, ms: number, { sandbox, clock }: Scene): Promise<Started> {
  const { address, http, root } = nodeOf(sandbox, name);
  const folder = sandbox.path(root);
  const place = { root: folder, run: join(folder, 'run') };
  const at = clock.monotonic();
  const kills = await killDaemons(place, clock);
  if (kills.length === 0) throw new Error(`nginx of ${name} does not run`);
  while (clock.monotonic() < at + ms) {
    await clock.sleep(10);
    kills.push(...(await killDaemons(place, clock)));
  }
  const servesAgain = listensAgain(address, http, clock);
  const title = ms === 0 ? `nginx on ${name} killed` : `nginx on ${name} kept down for ${ms} ms`;
  return { ...happened(title, name, at), kills, servesAgain };
}

/**
 * Masters first, so that none replaces a worker; a worker that a dying master had just started is found the next time.
 * Until they are gone the kernel takes connections to their ports, so whoever asks whether the port serves waits for that.
 */
async function killDaemons(place: { root: string; run: string }, clock: Clock): Promise<number[]> {
  const daemons = daemonsOf(place);
  if (daemons.length === 0) return [];
  for (const { pid } of daemons) kill(pid);
  const at = clock.monotonic();
  if (!(await allGone(daemons, DYING, clock))) throw new Error(`an nginx in ${place.root} outlives SIGKILL`);
  return [at];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (err) {
    // A worker may have ended with its master.
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err;
  }
}

async function killAgent(name: string, { sandbox, clock }: Scene): Promise<Started> {
  const at = clock.monotonic();
  process.kill(pidOf(nodeOf(sandbox, name).pid.agent, `agent of ${name}`), 'SIGKILL');
  return happened(`agent of ${name} killed`, name, at);
}

async function killManager({ sandbox, clock }: Scene): Promise<Started> {
  const at = clock.monotonic();
  process.kill(pidOf(sandbox.up().pid, 'the manager'), 'SIGKILL');
  return happened('manager killed and started again', null, at);
}

async function drain(name: string, { sandbox, clock }: Scene): Promise<Started> {
  const at = clock.monotonic();
  await sandbox.client().call('drain', { params: { name }, body: { reason: 'load test' } });
  return happened(`${name} drained`, name, at);
}

async function undrain(name: string, { sandbox, clock }: Scene): Promise<Started> {
  const at = clock.monotonic();
  await sandbox.client().call('undrain', { params: { name } });
  return happened(`${name} undrained`, name, at);
}

async function applyChange({ sandbox, clock }: Scene): Promise<Started> {
  const at = clock.monotonic();
  const site = {
    kind: 'Site',
    name: 'applied.example',
    spec: { root: join(sandbox.dir, 'sites', 'example.org'), aliases: [`at-${Math.round(at)}.example`] },
  };
  await sandbox.client().call('apply', { body: { documents: [site] } });
  return happened('a site applied', null, at);
}

function nodeOf(sandbox: TestSandbox, name: string) {
  const node = sandbox.up().nodes.find((candidate) => candidate.name === name);
  if (!node) throw new Error(`there is no node ${name}`);
  return node;
}

function pidOf(pid: number | null | undefined, what: string): number {
  if (typeof pid !== 'number') throw new Error(`${what} does not run`);
  return pid;
}

/** How long a killed daemon may take to be started again. */
const PATIENCE = 30_000;

async function listensAgain(address: string, port: number, clock: Clock): Promise<number | null> {
  const deadline = clock.monotonic() + PATIENCE;
  while (clock.monotonic() < deadline) {
    if (await accepts(address, port)) return clock.monotonic();
    await clock.sleep(5);
  }
  return null;
}

function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
