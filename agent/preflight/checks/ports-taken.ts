/** The check ports-taken: whether somebody else listens where daemons of the roles are to listen. */
import { fail, pass, skip } from '../../../common/findings.ts';
import { HEALTH_PORT } from '../../../protocol/resources/cluster.ts';
import type { Check } from '../asked.ts';
import { takenBy } from '../listening.ts';

export const portsTaken =
  (health = HEALTH_PORT): Check =>
  async ({ box, address, needs, member }) => {
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
    const programs = [...new Set(taken.map(({ by }) => printable(by).replace(/ \(pid [0-9]+\)$/, '')))];
    return fail('ports-taken', said.join('; '), {
      why: 'the daemon of the role could not start',
      fix: `stop ${programs.join(' and ')} for good, or give the role another port by a parameter`,
      // Anybody may name a process, and root would copy the line.
      ...(programs.every((name) => /^[A-Za-z0-9@._-]+$/.test(name)) && {
        command: `systemctl disable --now ${programs.join(' ')}`,
      }),
    });
  };

const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
