/** What a director asks of its balancer, whichever it is: the contract between the agent's balance and its drivers. */
import type { Verdict } from './health/judge.ts';

/** One server of one backend, as a balancer has it. */
export interface ServerRow {
  /** `<service>-<port>` */
  backend: string;
  server: string;
  /** What it was told. */
  admin: 'ready' | 'drain' | 'maint';
  weight: number;
  /** Whether new connections really go there, as far as the balancer itself is concerned. */
  running: boolean;
  /** Connections that it holds now. */
  sessions: number;
  /** What the balancer's own check last said, for people. */
  check: string;
}

export interface WantedServer {
  backend: string;
  server: string;
  state: 'up' | 'drain' | 'down';
  weight: number;
  /** What this director's own probe says of it. */
  probe?: Verdict;
}

/** One counter row. Counters only rise, and begin again at 0 when the balancer or the server is new. */
export interface TrafficRow {
  /** As in ServerRow. */
  backend: string;
  /** The member; null is the virtual service itself, whoever answered for it: a member, one that is gone, the fallback. */
  server: string | null;
  /** Connections since counting began. */
  connections: number;
  /** Connections held now: those that are open, and those that a balancer below the connections still remembers. */
  active: number;
  inactive: number;
  /** Since counting began; null where the balancer does not count packets. In is towards the member. */
  packetsIn: number | null;
  packetsOut: number | null;
  bytesIn: number;
  /** With direct routing answers do not pass the balancer, and this stays 0. */
  bytesOut: number;
}

export interface BalancerDriver {
  /** What the balancer has; null while it does not run. */
  read(): Promise<ServerRow[] | null>;
  /**
   * What must be done to `actual`, which is what was last read, in order.
   * @param shares what of the new connections the fallback is to get while a pool comes back, by service
   */
  plan(
    wanted: readonly WantedServer[],
    actual: readonly ServerRow[],
    shares?: ReadonlyMap<string, number>,
  ): string[];
  /** Carries out all that it can. @throws EvenkeelError driver-failed that names what was refused */
  apply(changes: readonly string[]): Promise<void>;
  /** Makes what the balancer has survive its reload. */
  keep(): Promise<void>;
  /** Milliseconds until it wants another look, when something is on its way. */
  soon?(): number;
  /** What it has counted; at most what one answer of the balancer holds. */
  traffic(): Promise<TrafficRow[]>;
}
