/** What root sees of this box: who it is, what holds here, how each unit ended, what runs. From memory alone. */
import type { LocalService, LocalStatus } from '../../protocol/local.ts';

/** What each part of the agent says of itself. */
export interface Parts {
  identity: {
    node: string;
    address: string;
    ports: { api: number };
    expires(): Date;
  };
  version: string;
  connected: () => boolean;
  roles: () => readonly string[];
  hold: () => LocalStatus['hold'];
  units: () => LocalStatus['units'];
  checks: () => LocalStatus['checks'];
  services: () => LocalService[];
}

export const localStatus = ({ identity, version, ...parts }: Parts): LocalStatus => ({
  node: identity.node,
  manager: { address: identity.address, port: identity.ports.api, connected: parts.connected() },
  version,
  certificateExpires: identity.expires().toISOString(),
  roles: [...parts.roles()],
  ...{ left: null, hold: parts.hold() },
  units: parts.units(),
  checks: parts.checks(),
  services: parts.services(),
});
