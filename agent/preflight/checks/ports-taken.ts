/** The check ports-taken: whether somebody else listens where daemons of the roles are to listen. */
import { fail, pass, skip } from '../../../common/findings.ts';
import { HEALTH_PORT } from '../../../protocol/resources/cluster.ts';
import type { Check } from '../asked.ts';
import type { Box } from '../box.ts';
import { takenBy } from '../listening.ts';

export const portsTaken =
  (health = HEALTH_PORT): Check =>
  async ({ box, address, needs, paths, member }) => {
    if ((await box.read(`${paths.state}/left.json`)) !== null)
      return skip('ports-taken', 'this box was a node: what it still serves listens, and is taken over');
    if (member)
      return skip(
        'ports-taken',
        'this box is a node: its own daemons listen, and its units say who is in their way',
      );
    const wanted = [{ address, port: health, unit: 'the agent' }, ...(needs?.ports ?? [])];
    const taken = await takenBy(box, wanted);
    const ports = [...new Set(wanted.map(({ port }) => port))].sort((a, b) => a - b).join(', ');
    if (taken.length === 0) return pass('ports-taken', `free: ${ports}`);
    const said = taken.map(({ by, at, unit }) => `${printable(by)} listens on ${at}, which ${unit} needs`);
    const programs = [...new Set(taken.map(({ by }) => printable(by)))];
    const services = await Promise.all(programs.map((by) => serviceOf(box, by)));
    return fail('ports-taken', said.join('; '), {
      why: 'the daemon of the role could not start',
      fix: `stop ${programs.join(' and ')} for good, or give the role another port by a parameter`,
      ...(services.every((service) => service !== undefined) && {
        command: `systemctl disable --now ${[...new Set(services)].join(' ')}`,
      }),
    });
  };

/** The unit of systemd that a process belongs to. Anybody may name a process as he likes, and root would copy the line. */
async function serviceOf(box: Box, by: string): Promise<string | undefined> {
  const [, pid] = / \(pid ([0-9]+)\)$/.exec(by) ?? [];
  const groups = pid === undefined ? null : await box.read(`/proc/${pid}/cgroup`);
  return /\/system\.slice\/(?:[^/\n]+\/)*([A-Za-z0-9@._-]+\.service)$/m.exec(groups ?? '')?.[1];
}

const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
