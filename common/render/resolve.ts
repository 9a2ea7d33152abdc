/** A policy's service, checks and witnesses with their expressions rendered: typed, checked and ready to run. */
import { EvenkeelError } from '../../protocol/errors.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import type { CheckSpec, PolicySpec } from '../../protocol/resources/policy.ts';
import { dnsName } from '../../protocol/values.ts';
import { bytes, milliseconds } from '../units.ts';
import { nodeContext } from './context.ts';
import { expression } from './expression.ts';
import type { Context, NodeContext } from './rendered.ts';
import type {
  ResolvedAction,
  ResolvedCheck,
  ResolvedDirectory,
  ResolvedListen,
  ResolvedLoaded,
  ResolvedService,
  ResolvedValidate,
} from './resolved.ts';

type Policy = ResourceOf<'Policy'>;
type Node = ResourceOf<'Node'>;
type Cluster = ResourceOf<'Cluster'>;

const fail = (message: string): never => {
  throw new EvenkeelError('render-failed', message);
};

/** An expression that must come to a whole number of 1 to 65535. */
function portOf(text: string, context: NodeContext): number {
  const value = expression(text, context);
  const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
  return port >= 1 && port <= 65_535
    ? port
    : fail(`${text} gives ${JSON.stringify(value)}, which is not a port`);
}

/** An expression that must come to an absolute path without `.` or `..` parts. */
function placeOf(text: string, context: NodeContext): string {
  const value = expression(text, context);
  const sound = value.startsWith('/') && !/\/\.{0,2}(\/|$)/.test(value);
  return sound ? value : fail(`${text} gives ${JSON.stringify(value)}, which is not an absolute path`);
}

function addressOf(text: string, context: NodeContext): string {
  const value = expression(text, context);
  return /^[A-Za-z0-9.:*-]+$/.test(value)
    ? value
    : fail(`${text} gives ${JSON.stringify(value)}, which is not an address`);
}

function patternOf(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    return fail(`${JSON.stringify(source)} is not a regular expression`);
  }
}

const commandOf = (run: string[], context: NodeContext) => run.map((part) => expression(part, context));

// --- checks --------------------------------------------------------------------------------------------------

export const resolveChecks = (policy: Policy, context: Context): ResolvedCheck[] =>
  policy.spec.checks.flatMap((check) =>
    check.for === undefined
      ? [checkOf(check, policy, context)]
      : itemsOf(check.for, policy, context).map(({ name, spec }) => ({
          ...checkOf(check, policy, { ...context, name, spec }),
          name: `${check.name}.${name}`,
        })),
  );

const itemsOf = (input: string, { name }: Policy, { inputs }: Context) =>
  inputs[input]?.items ?? fail(`policy ${name} has a check for ${input}, which is none of its inputs`);

/** With an item's name and spec beside all else where the check is for one. */
type CheckContext = Context & { name?: string; spec?: object };

function checkOf(check: CheckSpec, policy: Policy, context: CheckContext): ResolvedCheck {
  return {
    name: check.name,
    interval: milliseconds(check.interval),
    timeout: milliseconds(check.timeout),
    fall: check.fall,
    rise: check.rise,
    ...targetOf(check, policy, context),
  };
}

type Of<T extends CheckSpec['type']> = Extract<CheckSpec, { type: T }>;

function targetOf(check: CheckSpec, { name, spec: { kernel } }: Policy, context: Context) {
  switch (check.type) {
    case 'tcp':
      return { type: check.type, ...socketOf(check, context) };
    case 'http':
      return { type: check.type, ...httpOf(check, context) };
    case 'https':
      return {
        type: check.type,
        ...httpOf(check, context),
        ...authoritiesOf(check, context),
      };
    case 'smtp':
    case 'imap':
    case 'pop3':
    case 'ftp':
      return {
        type: check.type,
        ...socketOf(check, context),
        tls: check.tls,
        ...(check.host === undefined ? {} : { host: addressOf(check.host, context) }),
        ...authoritiesOf(check, context),
      };
    case 'dns':
      return { type: check.type, ...dnsOf(check, context) };
    case 'process':
      return { type: check.type, pidFile: placeOf(check.pidFile, context) };
    case 'command':
      return { type: check.type, run: commandOf(check.run, context) };
    case 'mount':
      return { type: check.type, path: placeOf(check.path, context) };
    case 'disk':
      return { type: check.type, ...diskOf(check, context) };
    case 'kernel':
      if (kernel === undefined)
        return fail(`policy ${name} has a check of its kernel file, and no kernel file`);
      return { type: check.type, file: `${context.current}/${kernel}` };
  }
}

const socketOf = (check: { address: string; port: string }, context: Context) => ({
  address: addressOf(check.address, context),
  port: portOf(check.port, context),
});

const httpOf = (check: Of<'http'> | Of<'https'>, context: Context) => ({
  ...socketOf(check, context),
  path: expression(check.path, context),
  status: check.status,
  ...(check.host === undefined ? {} : { host: expression(check.host, context) }),
  ...(check.body === undefined ? {} : { body: patternOf(check.body) }),
});

const authoritiesOf = ({ ca }: { ca?: string }, context: Context) =>
  ca === undefined ? {} : { ca: placeOf(ca, context) };

function dnsOf(check: Of<'dns'>, context: Context) {
  const query = expression(check.query, context);
  if (!new RegExp(dnsName).test(query))
    return fail(`${check.query} gives ${JSON.stringify(query)}, which is not a name in the DNS`);
  return {
    ...socketOf(check, context),
    transport: check.transport,
    query,
    record: check.record,
    ...(check.expect === undefined ? {} : { expect: expression(check.expect, context) }),
  };
}

/** A check that asks for nothing in particular asks for a twentieth of all. */
const diskOf = (check: Of<'disk'>, context: Context) => ({
  path: placeOf(check.path, context),
  freeBytes: check.freeBytes === undefined ? 0 : bytes(check.freeBytes),
  freePercent: check.freePercent ?? (check.freeBytes === undefined ? 5 : 0),
  freeInodesPercent: check.freeInodesPercent ?? 5,
});

// --- service, validate, loaded -------------------------------------------------------------------------------

type Action = NonNullable<PolicySpec['service']>['reload'];

const actionOf = (action: Action, context: NodeContext): ResolvedAction =>
  'signal' in action
    ? { signal: `SIG${action.signal}` as NodeJS.Signals }
    : { run: commandOf(action.run, context) };

export function resolveService(
  { spec: { service } }: Policy,
  context: NodeContext,
): ResolvedService | undefined {
  if (!service) return undefined;
  return {
    name: service.name,
    start: commandOf(service.start, context),
    reload: actionOf(service.reload, context),
    stop: actionOf(service.stop, context),
    pidFile: placeOf(service.pidFile, context),
    ...(service.foreground ? { foreground: true as const } : {}),
    sockets: service.sockets.map((socket) => placeOf(socket, context)),
    timeout: milliseconds(service.timeout),
  };
}

export function resolveValidate(
  { spec: { validate } }: Policy,
  context: Context,
): ResolvedValidate | undefined {
  if (!validate) return undefined;
  return {
    run: commandOf(validate.run, context),
    ...(validate.passes === undefined ? {} : { passes: patternOf(validate.passes) }),
    ...(validate.culprit === undefined ? {} : { culprit: patternOf(validate.culprit) }),
    ...(validate.message === undefined ? {} : { message: patternOf(validate.message) }),
    timeout: milliseconds(validate.timeout),
  };
}

/** A file whose name does not change would show an earlier tree as well. */
function witnessOf(text: string, context: Context): string {
  const place = placeOf(text, context);
  return place.slice(place.lastIndexOf('/')).includes(context.digest)
    ? place
    : fail(`${text} has no {{digest}} in the name of the file`);
}

export function resolveLoaded({ spec: { loaded } }: Policy, context: Context): ResolvedLoaded | undefined {
  if (!loaded) return undefined;
  if ('http' in loaded)
    return { type: 'http', ...urlOf(expression(loaded.http, context)), expect: context.digest };
  if ('file' in loaded)
    return { type: 'file', file: witnessOf(loaded.file, context), expect: context.digest };
  return {
    type: 'socket',
    socket: placeOf(loaded.socket, context),
    send: expression(loaded.send, context),
    expect: expression(loaded.expect, context),
  };
}

/** `http://host:port/path`, or `unix:/socket:/path`. */
function urlOf(url: string) {
  const unix = /^unix:(?<socket>\/[^:]+):(?<path>\/.*)$/.exec(url)?.groups;
  if (unix?.socket && unix.path) return { socket: unix.socket, path: unix.path };
  const http = /^http:\/\/(?<address>[^/:]+):(?<port>[0-9]{1,5})(?<path>\/.*)$/.exec(url)?.groups;
  if (http?.address && http.path) return { address: http.address, port: Number(http.port), path: http.path };
  return fail(`${JSON.stringify(url)} is neither http://host:port/path nor unix:/socket:/path`);
}

// --- what a policy claims on a node, before anything is rendered ----------------------------------------------

/** The folders that must be there before validate and start. */
export const resolveDirectories = ({ spec }: Policy, context: NodeContext): ResolvedDirectory[] =>
  spec.directories.map(({ path, mode, owner }) => ({
    path: placeOf(path, context),
    mode: Number.parseInt(mode, 8),
    ...(owner === undefined ? {} : { owner: expression(owner, context) }),
  }));

/** What the service listens on: two policies of one node may not listen on the same. */
export function resolveListens(policy: Policy, node: Node, cluster?: Cluster): ResolvedListen[] {
  const context = nodeContext(policy, node, cluster);
  return policy.spec.listens.map(({ address, port }) => ({
    address: addressOf(address, context),
    port: portOf(port, context),
  }));
}

/** The places that belong to one policy alone: links, pid file, sockets. */
export function resolvePaths(policy: Policy, node: Node, cluster?: Cluster): string[] {
  const context = nodeContext(policy, node, cluster);
  const service = resolveService(policy, context);
  const links = policy.spec.files.flatMap(({ link }) => link ?? []);
  return [...links, ...(service ? [service.pidFile, ...service.sockets] : [])];
}
