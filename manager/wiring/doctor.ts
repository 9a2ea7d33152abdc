/** The doctor, with what he needs of the manager: who is asked, and how the manager itself is. */
import { statfs } from 'node:fs/promises';
import { parseCertificate } from '../../common/certificates.ts';
import type { Clock } from '../../common/clock.ts';
import { createReach } from '../../common/reach.ts';
import type { View } from '../../common/view.ts';
import type { EventLine, NodeView } from '../../protocol/views.ts';
import { createDoctor, type DoctorOptions } from '../preflight/doctor.ts';
import { PATIENCE_MS } from '../preflight/knock.ts';
import type { Preflight } from '../preflight.ts';

export interface DoctorWiring {
  data: string;
  address: string;
  ports: { api: number; machines: number; broker: number };
  store: { view(): View };
  events: { read(query: { type: string; limit: number }): Promise<{ items: EventLine[] }> };
  pki: { credentials: { current(): { cert: string } }; authority(): string };
  nodes: { all(): NodeView[]; one(name: string): NodeView | undefined };
  ask: DoctorOptions['ask'];
  preflight: Preflight;
  clock: Clock;
}

export function createManagerDoctor(wiring: DoctorWiring) {
  const { data, store, events, pki, nodes, ask, preflight, clock } = wiring;
  const endOf = (certificate: string | Buffer) => Date.parse(parseCertificate(certificate).validTo);
  const own = async () => {
    const free = await statfs(data).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => null, // then nobody can say
    );
    const { items } = await events.read({ type: 'backup.made', limit: 1 });
    return {
      ...{ address: wiring.address, ports: wiring.ports, free, backup: items.at(-1)?.at },
      ends: {
        server: endOf(pki.credentials.current().cert),
        authority: endOf(Buffer.from(pki.authority(), 'base64')),
      },
    };
  };
  const reach = createReach(clock, PATIENCE_MS);
  const { judge, needs } = preflight;
  return createDoctor({ view: store.view, nodes, ask, judge, needs, reach, own, clock });
}
