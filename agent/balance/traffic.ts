/** Traffic: what a balancer has counted for each virtual service and each of its members, as a driver reads it. */

/** One counter row of a balancer. Counters only rise, and begin again at 0 when the balancer or the server is new. */
export interface TrafficRow {
  /** As in ServerRow: `<service>-<port>`. */
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
