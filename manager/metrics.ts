/** Metrics: the cluster as Prometheus reads it; what stands still is read when asked for, what passes is counted. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { NodeView, PoolView, TrafficView } from '../protocol/views.ts';

export interface MetricsOptions {
  store: {
    meta(): { epoch: number; revision: number; mode: string };
    onCommit(listener: (commit: { entries: readonly { kind: string; op: string }[] }) => void): () => void;
  };
  nodes: { all(): NodeView[] };
  pools: { views(): PoolView[] };
  /** What balancers carry now: as many series as there are members of pools. */
  traffic: () => TrafficView[];
  /** Who was not let in, by door, and what the broker has dropped, by reason. */
  refused: () => Record<string, number>;
  dropped: () => Record<string, number>;
}

export interface Metrics {
  contentType: string;
  text(): Promise<string>;
  /** Counts one answered request. */
  answered(request: { endpoint: string; status: number; seconds: number }): void;
  /** Begins to count writes; returns its undo. */
  start(): () => void;
}

type Row = [labels: Record<string, string>, value: number];

export function createMetrics({ store, nodes, pools, traffic, refused, dropped }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  /** A gauge whose rows are read anew each time, so that what is gone is gone here too. */
  const gauge = (name: string, help: string, labelNames: string[], rows: () => Row[]) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset();
        for (const [labels, value] of rows()) this.set(labels, value);
      },
    });
  const writes = new Counter({
    name: 'evenkeel_journal_entries_total',
    help: 'Journal entries since the start',
    labelNames: ['kind', 'op'],
    registers,
  });
  const durations = new Histogram({
    name: 'evenkeel_request_duration_seconds',
    help: 'How long the API took to answer',
    labelNames: ['endpoint', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  gauge('evenkeel_store_revision', 'The newest revision', [], () => [[{}, store.meta().revision]]);
  gauge('evenkeel_store_epoch', 'The epoch', [], () => [[{}, store.meta().epoch]]);
  gauge('evenkeel_held', '1 while the manager is held read-only', [], () => [
    [{}, store.meta().mode === 'held' ? 1 : 0],
  ]);
  gauge('evenkeel_nodes', 'Nodes by state', ['state'], () =>
    counted(nodes.all(), ({ state }) => ({ state })),
  );
  gauge('evenkeel_nodes_online', 'Nodes that are connected', [], () => [
    [{}, nodes.all().filter(({ online }) => online).length],
  ]);
  gauge('evenkeel_nodes_converged', 'Nodes that are as declared', [], () => [
    [{}, nodes.all().filter(({ converged }) => converged).length],
  ]);
  gauge('evenkeel_units', 'Units by how their last pass ended', ['result'], () =>
    counted(
      nodes.all().flatMap(({ units }) => units),
      ({ result }) => ({ result }),
    ),
  );
  gauge('evenkeel_pool_members', 'Members that directors report, by state', ['service', 'state'], () =>
    pools.views().flatMap(({ service, members }) =>
      counted(
        members.flatMap(({ actual }) => actual),
        ({ state }) => ({ service, state }),
      ),
    ),
  );
  gauge('evenkeel_pool_fallback', '1 while the fallback serves', ['service'], () =>
    pools.views().map(({ service, fallback }): Row => [{ service }, fallback ? 1 : 0]),
  );
  for (const [name, help, read] of carried)
    gauge(name, help, ['service', 'member', 'director'], () => rowsOf(traffic(), read));
  gauge(
    'evenkeel_refused',
    'Tokens, joins, certificates and handshakes refused since the start',
    ['door'],
    () => Object.entries(refused()).map(([door, count]): Row => [{ door }, count]),
  );
  gauge('evenkeel_broker_dropped', 'Messages and connections dropped since the start', ['reason'], () =>
    Object.entries(dropped()).map(([reason, count]): Row => [{ reason }, count]),
  );
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    answered: ({ endpoint, status, seconds }) =>
      durations.observe({ endpoint, status: String(status) }, seconds),
    start: () =>
      store.onCommit(({ entries }) => {
        for (const { kind, op } of entries) writes.inc({ kind, op });
      }),
  };
}

/** Counters as balancers show them: they begin anew when their balancer does. */
const carried: [name: string, help: string, read: (row: TrafficView) => number | null][] = [
  ['evenkeel_pool_member_connections', 'Connections that are open', ({ active }) => active],
  ['evenkeel_pool_member_connections_total', 'Connections since counting began', (row) => row.connections],
  ['evenkeel_pool_member_bytes_in_total', 'Bytes to the member', ({ bytesIn }) => bytesIn],
  ['evenkeel_pool_member_bytes_out_total', 'Bytes from the member', ({ bytesOut }) => bytesOut],
  ['evenkeel_pool_member_packets_in_total', 'Packets to the member', ({ packetsIn }) => packetsIn],
  ['evenkeel_pool_member_packets_out_total', 'Packets from the member', ({ packetsOut }) => packetsOut],
];
/** More members than one cluster has are left out. */
const MOST_ROWS = 5_000;

/** Rows of members: a service as a whole is the sum that Prometheus makes. */
const rowsOf = (rows: TrafficView[], read: (row: TrafficView) => number | null): Row[] =>
  rows.slice(0, MOST_ROWS).flatMap((row): Row[] => {
    const [{ service, member, director }, value] = [row, read(row)];
    return member === null || value === null ? [] : [[{ service, member, director }, value]];
  });

/** How many items have the same labels. */
function counted<T>(items: T[], labelsOf: (item: T) => Record<string, string>): Row[] {
  const rows = new Map<string, Row>();
  for (const item of items) {
    const labels = labelsOf(item);
    const key = JSON.stringify(labels);
    const row = rows.get(key) ?? [labels, 0];
    rows.set(key, [labels, row[1] + 1]);
  }
  return [...rows.values()];
}
