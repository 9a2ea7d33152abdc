/** The queue of this very box: its ledger, what it may run, and what the agent does itself. */
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { processOf } from '../../common/processes.ts';
import type { Incarnation } from '../../protocol/messages.ts';
import type { Config } from '../config.ts';
import type { Units } from '../converge/units.ts';
import type { Executables } from '../drivers/executables.ts';
import type { Identity } from '../identity.ts';
import type { Link } from '../link/link.ts';
import { createBox } from '../preflight/box.ts';
import { factsText } from '../preflight/facts.ts';
import { createLedger } from '../queue/ledger.ts';
import { createPerform, type PerformOptions } from '../queue/perform.ts';
import { createQueuePull } from '../queue/pull.ts';
import { type AgentQueue, createAgentQueue } from '../queue/queue.ts';
import type { Desired } from '../state/desired.ts';

export interface OwnQueueOptions {
  config: Pick<Config, 'paths' | 'actions'>;
  identity: Pick<Identity, 'node' | 'cluster' | 'address' | 'ports' | 'signingKey' | 'current' | 'renew'>;
  incarnation: Pick<Incarnation, 'boot'>;
  desired: Pick<Desired, 'get'>;
  executables: Executables;
  units: Pick<Units, 'renew' | 'sweep'>;
  link: Pick<Link, 'output' | 'report'>;
  clock: Clock;
  log: Log;
}

export function createOwnQueue(options: OwnQueueOptions): AgentQueue {
  const { config, identity, incarnation, desired, executables, link, clock, log } = options;
  const { node, cluster, address, ports, signingKey, current: credentials } = identity;
  return createAgentQueue({
    ledger: createLedger({ folder: join(config.paths.state, 'queue'), log }),
    perform: createPerform({
      allowed: config.actions,
      action: (name) => desired.get('Action', name),
      roles: () => desired.get('Node', node)?.spec.roles ?? [],
      resolve: executables.resolve,
      deeds: deedsOf(options),
      clock,
    }),
    pull: createQueuePull({ node, cluster, address, port: ports.machines, signingKey, credentials }),
    live: link.output,
    alarm: (code, message) =>
      link.report({ type: 'alarm', code, subject: 'queue', active: message !== '', message }),
    // A container that starts anew has the kernel of before, and another first process.
    boot: `${incarnation.boot}/${processOf(1)?.started ?? 0}`,
    clock,
    log,
  });
}

const deedsOf = ({
  units,
  identity,
}: Pick<OwnQueueOptions, 'units' | 'identity'>): PerformOptions['deeds'] => ({
  'unit-restart': ({ unit }, signal) => units.renew(String(unit), 'restarted', signal),
  'unit-reload': ({ unit }, signal) => units.renew(String(unit), 'reloaded', signal),
  sweep: async () => units.sweep({ contents: true }),
  // One request, of bounded time: what the manager has issued by then is to be kept.
  'certificate-renew': () => identity.renew(),
  facts: async (_, __, say) => say(await factsText(createBox())),
});
