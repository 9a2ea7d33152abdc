/** Who is in the sandbox: the web nodes n1, n2, ... on addresses of their own, and the director lb. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Layout } from './layout.ts';
import type { Settings } from './settings.ts';

export interface Member {
  name: string;
  address: string;
  roles: string[];
  /** Values for the parameters that the policies of its roles declare; all else is as in production. */
  parameters: Record<string, string | number | boolean>;
}

export const MANAGER_ADDRESS = '127.0.0.1';
export const DIRECTOR = 'lb';

export const addressesOf = (nodes: number): string[] =>
  Array.from({ length: nodes }, (_, at) => `127.0.0.${11 + at}`);

/** The web nodes, in order, and the director last. */
export function membersOf({ nodes, ports }: Settings, layout: Layout): Member[] {
  const web = addressesOf(nodes).map(
    (address, at): Member => ({
      name: `n${at + 1}`,
      address,
      roles: ['web'],
      parameters: { httpPort: ports.web, httpsPort: ports.webTls, nodeHeader: true, ...workersOf(layout) },
    }),
  );
  const balancer: Member['parameters'] = isRoot() ? {} : { haproxyUser: '' };
  return [...web, { name: DIRECTOR, address: MANAGER_ADDRESS, roles: ['balancer'], parameters: balancer }];
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** As root, nginx's workers are another user. In a folder that is closed to others they could read no site. */
const workersOf = (layout: Layout): Member['parameters'] =>
  isRoot() && !isOpen(layout.dir) ? { user: 'root' } : {};

const isOpen = (folder: string): boolean =>
  (statSync(folder).mode & 0o001) !== 0 && (folder === dirname(folder) || isOpen(dirname(folder)));

/** The arguments by which a member's agent joins and then runs; it keeps to the folders given here. */
export const joinArguments = (member: Member, join: string, layout: Layout): string[] => {
  const { state, run, log } = layout.node(member.name);
  const folders = ['--state', state, '--run', run, '--log', log];
  return ['join', join, '--name', member.name, '--address', member.address, '--yes', ...folders];
};
