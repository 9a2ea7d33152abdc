/** What a policy says, with its expressions rendered: ready to run, typed and checked. Durations are milliseconds. */
import type { dnsRecords } from '../../protocol/resources/virtual-service.ts';

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

export interface TlsTarget {
  /** The name in the certificate; without it the address. */
  host?: string;
  /** The file of those who vouch for it; without it the public authorities. */
  ca?: string;
  /** `any` is for a director's probe alone. */
  certificate?: 'any';
}

/** A daemon that is spoken to in lines. */
export interface TalkTarget extends TlsTarget {
  address: string;
  port: number;
  tls: 'none' | 'starttls' | 'implicit';
}

interface DnsTarget {
  address: string;
  port: number;
  transport: 'udp' | 'tcp';
  query: string;
  record: (typeof dnsRecords)[number];
  expect?: string;
}

export type ResolvedCheck = Timing &
  (
    | { type: 'tcp'; address: string; port: number }
    | ({ type: 'http' } & HttpTarget)
    | ({ type: 'https' } & TlsTarget & HttpTarget)
    | ({ type: 'smtp' | 'imap' | 'pop3' | 'ftp' } & TalkTarget)
    | ({ type: 'dns' } & DnsTarget)
    | { type: 'process'; pidFile: string }
    | { type: 'command'; run: string[] }
    | { type: 'mount'; path: string }
    | { type: 'disk'; path: string; freeBytes: number; freePercent: number; freeInodesPercent: number }
    | { type: 'kernel'; file: string }
  );

export type ResolvedAction = { signal: NodeJS.Signals } | { run: string[] };

export interface ResolvedService {
  name: string;
  start: string[];
  reload: ResolvedAction;
  stop: ResolvedAction;
  pidFile: string;
  /** It writes no pid file: who starts it does. */
  foreground?: true;
  /** Unix sockets to remove before a start. */
  sockets: string[];
  timeout: number;
}

export interface ResolvedValidate {
  run: string[];
  /** With the groups `file` and `line`. */
  /** Found in what was said, and only then, the tree has passed. */
  passes?: RegExp;
  culprit?: RegExp;
  /** Its named groups are what people read. */
  message?: RegExp;
  timeout: number;
}

/** Where the daemon shows what it serves, and the text that its answer contains when it serves this tree. */
export type ResolvedLoaded =
  | { type: 'http'; socket?: string; address?: string; port?: number; path: string; expect: string }
  | { type: 'socket'; socket: string; send: string; expect: string }
  /** Its name holds the digest, and so do those of earlier trees. */
  | { type: 'file'; file: string; expect: string };

export interface ResolvedDirectory {
  path: string;
  mode: number;
  owner?: string;
}

export interface ResolvedListen {
  address: string;
  port: number;
}
