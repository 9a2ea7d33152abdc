/** The networks of the lab: a bridge for each, a port for each box, and visitors from outside. */
import { writeFileSync } from 'node:fs';
import { run } from './host.ts';

/** The first network is 10.77.0.0/24 and fd77::/64, a second 10.78.0.0/24 and fd78::/64; the host is number 1 in each. */
export const addressIn = (lan: number, host: number): string => `10.${77 + lan}.0.${host}`;
export const address6In = (lan: number, host: number): string => `fd${77 + lan}::${host}`;

/** Where a box with this address is in another network. */
export const alsoIn = (lan: number, address: string): string =>
  addressIn(lan, Number(address.split('.').at(-1)));

/** Where the manager is. */
export const HOST = addressIn(0, 1);

/**
 * A visitor's address, of 254: on no network of the boxes, so that answers take their default route, which ends here.
 * LVS-NAT cannot be tried from a client on the boxes' own network.
 */
export const visitor = (nr: number): string => `198.51.100.${nr}`;
export const visitor6 = (nr: number): string => `2001:db8:51::${nr}`;

export interface Lan {
  readonly nr: number;
  /** Makes the tap for a box. */
  port(box: string): string;
  /** Pulls the cable: the box sees its card up and hears nobody. */
  cut(box: string): void;
  /** Puts it back. */
  join(box: string): void;
  /** Takes away the bridge and every tap. */
  remove(): void;
}

const tapOf = (lan: number, box: string): string => `t${lan}${box}`;

/** A tap's name may have 15 letters. */
export const LONGEST_NAME = 13;

/** @param nr counts from 0; must be called inside namespaces of the lab's own */
export function createLan(nr: number): Lan {
  const bridge = `br${nr}`;
  // Without an address of its own it has that of one of its ports, and another one when that port is cut.
  run('ip', [
    'link',
    'add',
    bridge,
    'address',
    `02:77:00:00:00:0${nr}`,
    'type',
    'bridge',
    'forward_delay',
    '0',
  ]);
  run('ip', ['addr', 'add', `${addressIn(nr, 1)}/24`, 'dev', bridge]);
  run('ip', ['-6', 'addr', 'add', `${address6In(nr, 1)}/64`, 'dev', bridge, 'nodad']);
  run('ip', ['link', 'set', bridge, 'up']);
  // A box throws away large frames of the host, which then sends them again and again: 17 s for a file of 300 kB (measured).
  run('ethtool', ['-K', bridge, 'tso', 'off', 'gso', 'off']);
  const taps: string[] = [];
  return {
    nr,
    port: (box) => {
      const tap = tapOf(nr, box);
      run('ip', ['tuntap', 'add', tap, 'mode', 'tap']);
      taps.push(tap);
      run('ip', ['link', 'set', tap, 'master', bridge, 'up']);
      return tap;
    },
    cut: (box) => {
      run('ip', ['link', 'set', tapOf(nr, box), 'nomaster']);
    },
    join: (box) => {
      run('ip', ['link', 'set', tapOf(nr, box), 'master', bridge]);
    },
    remove: () => {
      for (const device of [...taps, bridge]) run('ip', ['link', 'del', device]);
    },
  };
}

/** Every visitor's address is this host's, without 254 entries. */
export function letVisitorsIn(): void {
  run('ip', ['route', 'replace', 'local', '198.51.100.0/24', 'dev', 'lo']);
  run('ip', ['-6', 'route', 'replace', 'local', '2001:db8:51::/64', 'dev', 'lo']);
  // By IPv6 such an address is routed, but not bound without this.
  writeFileSync('/proc/sys/net/ipv6/ip_nonlocal_bind', '1');
}
