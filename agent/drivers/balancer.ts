/** What drivers of a balancer read and are told, in the words of the agent's balance. */

/** One server of one backend, as a balancer has it. */
export interface ServerRow {
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
  probe?: 'up' | 'down' | 'unknown';
}

/** One counter row; see agent/balance/traffic.ts. */
export interface TrafficRow {
  backend: string;
  server: string | null;
  connections: number;
  active: number;
  inactive: number;
  packetsIn: number | null;
  packetsOut: number | null;
  bytesIn: number;
  bytesOut: number;
}
