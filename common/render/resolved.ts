/** What a policy says, with its expressions rendered: ready to run, typed and checked. Durations are milliseconds. */

interface Timing {
  name: string;
  interval: number;
  timeout: number;
  fall: number;
  rise: number;
}

interface HttpTarget {
  address: string;
  port: number;
  host?: string;
  path: string;
  status: number[];
  body?: RegExp;
}

export type ResolvedCheck = Timing &
  (
    | { type: 'tcp'; address: string; port: number }
    | ({ type: 'http' } & HttpTarget)
    | ({ type: 'https'; ca?: string } & HttpTarget)
    | { type: 'process'; pidFile: string }
    | { type: 'command'; run: string[] }
    | { type: 'mount'; path: string }
    | { type: 'kernel'; file: string }
  );

export type ResolvedAction = { signal: NodeJS.Signals } | { run: string[] };

export interface ResolvedService {
  name: string;
  start: string[];
  reload: ResolvedAction;
  stop: ResolvedAction;
  pidFile: string;
  /** Unix sockets to remove before a start. */
  sockets: string[];
  timeout: number;
}

export interface ResolvedValidate {
  run: string[];
  /** With the groups `file` and `line`. */
  culprit?: RegExp;
  /** Its named groups are what people read. */
  message?: RegExp;
  timeout: number;
}

/** Where the daemon shows what it serves, and the text that its answer contains when it serves this tree. */
export type ResolvedLoaded =
  | { type: 'http'; socket?: string; address?: string; port?: number; path: string; expect: string }
  | { type: 'socket'; socket: string; send: string; expect: string };

export interface ResolvedDirectory {
  path: string;
  mode: number;
  owner?: string;
}

export interface ResolvedListen {
  address: string;
  port: number;
}
