/** `evenkeel smoke`: a temporary site, fetched on every node and through the balancer, and removed. */
import type { Command } from 'commander';
import { exits } from '../exit-codes.ts';
import { Ended } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { type Smoked, smokedText } from '../smoke/look.ts';
import { smoke } from '../smoke/smoke.ts';

export function addSmoke(program: Command): void {
  program
    .command('smoke')
    .description('prove that the cluster serves: declare a temporary site, fetch it everywhere, remove it')
    .addHelpText('after', HELP)
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const smoked = await runSmoke(session);
      session.print(smoked, () => smokedText(smoked, session));
      if (!smoked.ok) throw new Ended('difference');
    });
}

const HELP = `
Each node that serves sites is asked for it at its own address, and through each virtual service of protocol http. Run it
on a box that reaches both, such as the manager's. Ends with 1 when a node does not serve. Nothing of it stays, also after
Ctrl-C; what a run that was killed has left, the next one removes.
`;

/** The first signal ends it in order, the second at once. */
export async function runSmoke({ client }: Session): Promise<Smoked> {
  const stopped = new AbortController();
  const stop = () => {
    if (stopped.signal.aborted) process.exit(exits.interrupted.code);
    stopped.abort(new Ended('interrupted'));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, stop);
  try {
    return await withProgress('smoke test', (progress) =>
      smoke(client, { progress, signal: stopped.signal }),
    );
  } finally {
    for (const name of signals) process.off(name, stop);
  }
}
