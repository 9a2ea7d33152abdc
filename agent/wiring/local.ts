/** The view that root has of this box by itself, and the few things that it may do here: the door and what is behind it. */
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { LOCAL_SOCKET } from '../../protocol/local.ts';
import type { Units } from '../converge/units.ts';
import type { ReportBody } from '../link/outbox.ts';
import { type LocalHolding, openLocalHold } from '../local/hold.ts';
import { openLocalDoor } from '../local/server.ts';
import { localStatus, type Parts } from '../local/status.ts';
import { createBox } from '../preflight/box.ts';
import type { Desired } from '../state/desired.ts';
import type { Checks } from './checks.ts';
import type { Departure } from './departure.ts';
import { localPackages, localSites } from './lists.ts';

export interface LocalOptions {
  identity: Parts['identity'];
  version: string;
  paths: { state: string; run: string };
  desired: Pick<Desired, 'get' | 'list' | 'unit'>;
  units: Pick<Units, 'state' | 'services' | 'plan' | 'restart' | 'reconcileAll'>;
  checks: Pick<Checks, 'current'>;
  connected: () => boolean;
  departure: Pick<Departure, 'preview' | 'leave'>;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export interface Local {
  /** What root has said of changes to this box; nothing before `start`. */
  hold: () => { reason: string } | null;
  start(): Promise<() => Promise<void>>;
  /** Says again that the box is on hold: a new session has begun. */
  again(): void;
}

const SUBJECT = 'this box';

/** @param options may be asked for only after the start: the units are made with this hold */
export function createLocal(options: () => LocalOptions): Local {
  let holding: LocalHolding | undefined;
  const hold = () => holding?.now() ?? null;
  const say = () => {
    const now = hold();
    const message = now ? `on hold by root of the box since ${now.since}: ${now.reason}` : '';
    options().report({ type: 'alarm', code: 'on-hold', subject: SUBJECT, active: now !== null, message });
  };
  const changed = () => {
    say();
    options().units.reconcileAll();
  };
  return {
    hold,
    again: () => {
      if (hold()) say();
    },
    start: async () => {
      const { paths, units, log, clock } = options();
      const opened = await openLocalHold(paths.state, { changed, clock, log });
      holding = opened;
      return openLocalDoor({
        socket: join(paths.run, LOCAL_SOCKET),
        handlers: {
          status: () => localStatus(partsOf(options(), hold)),
          sites: () => ({ sites: localSites(options().desired, units.state()) }),
          packages: async () => {
            const { desired, identity } = options();
            return { packages: await localPackages(desired, identity.node, createBox()) };
          },
          plan: async () => ({ units: await units.plan() }),
          restart: async ({ unit }) => {
            await units.restart(unit);
            return { asked: true };
          },
          hold: async ({ reason }) => ({ hold: await opened.set(reason) }),
          release: async () => ({ released: await opened.release() }),
          leaving: () => options().departure.preview(units.state().map(({ unit }) => unit)),
          leave: async ({ alone }) => ({ left: await options().departure.leave(alone) }),
        },
        log,
      });
    },
  };
}

const partsOf = (
  { identity, version, connected, desired, units, checks }: LocalOptions,
  hold: Local['hold'],
): Parts => ({
  ...{ identity, version, connected },
  roles: () => desired.get('Node', identity.node)?.spec.roles ?? [],
  hold: hold as Parts['hold'],
  units: () =>
    units.state().map(({ unit, result, current, error, held }) => ({ unit, result, current, error, held })),
  checks: () => checks.current().map(({ unit, check, state, detail }) => ({ unit, check, state, detail })),
  services: units.services,
});
