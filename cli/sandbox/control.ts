/** What the sandbox asks of its manager, through the API that everybody uses. */
import { readFileSync } from 'node:fs';
import type { BodyOf } from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/resource.ts';
import type { NodeView } from '../../protocol/views.ts';
import { createClient } from '../client.ts';
import { MANAGER_ADDRESS } from './members.ts';
import type { Settings } from './settings.ts';

export interface Control {
  /** Where it is, as up.json says it. */
  api: string;
  caFile: string;
  token: string;
  isReady(): Promise<boolean>;
  nodes(): Promise<NodeView[]>;
  /** Returns the join string. */
  invite(wanted: Pick<BodyOf<'invite'>, 'name' | 'roles' | 'parameters'>): Promise<string>;
  apply(documents: unknown[]): Promise<void>;
  patch(kind: Kind, name: string, spec: object): Promise<void>;
}

export function createControl({ token, ca: caFile, ports }: Settings): Control {
  if (token === undefined || caFile === undefined)
    throw new EvenkeelError('internal', 'the manager of this sandbox has not been made yet');
  const found = { api: `https://${MANAGER_ADDRESS}:${ports.api}`, caFile, token };
  const { call } = createClient({ ...found, ca: readFileSync(caFile, 'utf8') });
  return {
    ...found,
    isReady: async () => (await call('readyz')).ok,
    nodes: async () => (await call('nodes')).items,
    invite: async (body) => (await call('invite', { body })).join,
    apply: async (documents) => {
      await call('apply', { body: { documents } });
    },
    patch: async (kind, name, spec) => {
      await call('patch', { params: { kind, name }, body: { spec } });
    },
  };
}
