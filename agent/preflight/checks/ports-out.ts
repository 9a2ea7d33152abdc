/** The check ports-out: whether the box reaches the ports at which the manager hears its nodes. */
import { fail, pass } from '../../../common/findings.ts';
import type { Finding } from '../../../protocol/preflight.ts';
import type { Box } from '../box.ts';

export interface Door {
  port: number;
  what: string;
}

export async function portsOut(box: Box, address: string, doors: readonly Door[]): Promise<Finding> {
  const tried = await Promise.all(
    doors.map(async (door) => ({ ...door, why: await box.connect(address, door.port) })),
  );
  const shut = tried.filter(({ why }) => why !== null);
  const list = doors.map(({ port, what }) => `${port} (${what})`).join(', ');
  if (shut.length === 0) return pass('ports-out', `${address} answers at ${list}`);
  const [first] = shut;
  return fail(
    'ports-out',
    `${address} does not answer at ${shut.map(({ port, what, why }) => `${port} (${what}): ${why}`).join(', ')}`,
    {
      why: 'the box hears nothing of what it should be',
      fix: 'open these ports for the box in the firewalls between, and see that the manager runs',
      command: `curl -vk --max-time 5 https://${address}:${first?.port ?? 0}/`,
    },
  );
}
