/** The doctor on a node: the looks of preflight at a box that is a member, each time the manager asks. Changes nothing. */
import { merged } from '../../common/findings.ts';
import type { Answer } from '../../protocol/messages.ts';
import type { Needs } from '../../protocol/preflight.ts';
import { type Box, createBox } from './box.ts';
import { portsOut } from './checks/ports-out.ts';
import { lookedAt } from './checks.ts';
import { lookOf } from './look.ts';

export interface DoctorOptions {
  address: string;
  paths: { state: string; run: string; log: string };
  service: 'direct' | 'systemd';
  manager: { address: string; ports: { api: number; machines: number; broker: number } };
  box?: Box;
}

export type Doctor = (needs: Needs | undefined) => Promise<Required<Pick<Answer, 'checks' | 'box'>>>;

export function createDoctor({ address, paths, service, manager, box = createBox() }: DoctorOptions): Doctor {
  const { api, machines, broker } = manager.ports;
  const doors = [
    { port: api, what: 'joining' },
    { port: machines, what: 'desired state' },
    { port: broker, what: 'messages' },
  ];
  return async (needs) => {
    const look = await lookOf(box);
    const [out, seen] = await Promise.all([
      portsOut(box, manager.address, doors),
      lookedAt({ box, look, needs, address, paths, service, member: true }),
    ]);
    // Looking takes time, and the clock is judged when the answer arrives.
    return { checks: merged([out, ...seen]), box: { ...look, clock: Math.round(box.now()) } };
  };
}
