/** A node's side of the link for tests: a real link over a box in memory, against the courier of the same test. */
import { createLink, type LinkHandlers } from '../../agent/link/link.ts';
import { systemClock } from '../../common/clock.ts';
import type { AlarmReport, Head, Lease, PoolState } from '../../protocol/messages.ts';
import { topicOf } from '../../protocol/topics.ts';
import { type Box, createBox } from './box.ts';
import { type Enrolled, quiet, startCourier } from './courier.ts';
import { until } from './until.ts';

interface Heard {
  applied: string[][];
  pools: PoolState[];
  leases: Lease[];
  hellos: number;
}

export const site = (name: string, text = 'a') => ({
  kind: 'Site',
  name,
  spec: { text },
  scopes: ['role/web'],
});
export const nodeWith = (name: string, roles: string[]) => ({
  kind: 'Node',
  name,
  spec: { roles },
  scopes: [`node/${name}`],
});
export const cluster = (at: number) => ({
  kind: 'Cluster',
  name: 'cluster',
  spec: { at },
  scopes: ['cluster'],
});

export type Rig = Awaited<ReturnType<typeof startRig>>;

/** A courier, and links that end with it. */
export async function startRig(...overrides: Parameters<typeof startCourier>) {
  const courier = await startCourier(...overrides);
  const stops: (() => Promise<void>)[] = [];

  const startLink = (identity: Enrolled, box: Box = createBox(), handlers: Partial<LinkHandlers> = {}) => {
    const heard: Heard = { applied: [], pools: [], leases: [], hellos: 0 };
    const link = createLink({
      identity,
      desired: box,
      handlers: {
        applied: (keys) => void heard.applied.push(keys),
        pool: (state) => void heard.pools.push(state),
        lease: (lease) => void heard.leases.push(lease),
        ask: async ({ id, what }) => ({ id, what, units: [] }),
        refused: () => undefined,
        hello: () => {
          heard.hellos += 1;
        },
        ...handlers,
      },
      beat: () => ({ ok: true }),
      version: '0.1.0',
      clock: systemClock,
      log: quiet,
    });
    stops.push(link.start());
    return { link, box, heard };
  };
  const atHead = (box: Box, scope: string) => {
    const { epoch, rev, digest } = courier.journal.head(scope) ?? { epoch: -1 };
    const stand = box.stand(scope);
    return stand?.digest === digest && stand?.rev === rev && stand?.epoch === epoch;
  };
  const headNow = (scope: string, part: Partial<Head> = {}): Head => {
    const basis = courier.journal.head(scope);
    if (!basis) throw new Error(`nothing was ever in ${scope}`);
    const at = '2026-11-21T09:00:00Z';
    return { type: 'head', cluster: courier.journal.cluster, ...basis, touches: {}, at, ...part };
  };
  return {
    ...courier,
    startLink,
    /** A node of the role web that has its roles. */
    startWeb: async (name = 'web1') => {
      courier.journal.commit([nodeWith(name, ['web'])]);
      const started = startLink(await courier.enrol(name, ['web']));
      await until(`${name} has its roles`, () => started.box.get('Node', name) !== undefined);
      return started;
    },
    settled: (box: Box, scope = 'role/web') => until(`${scope} is at its head`, () => atHead(box, scope)),
    headNow,
    publishHead: (head: Head, sealed = courier.pki.seal(head)) =>
      courier.broker().publish(topicOf.head(head.scope), sealed),
    alarms: (code: string) =>
      courier.heard.reports
        .map(({ report }) => report)
        .filter((report): report is AlarmReport => report.type === 'alarm' && report.code === code),
    stopLinks: async () => {
      for (const stop of stops.splice(0)) await stop();
    },
    stop: async () => {
      for (const stop of stops) await stop();
      await courier.stop();
    },
  };
}
