/** The first start: a manager with its own authority, and agents that join by invitation. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Control } from './control.ts';
import type { Layout, Product } from './layout.ts';
import { joinArguments, MANAGER_ADDRESS, type Member } from './members.ts';
import { runBundle } from './program.ts';
import { type Settings, writeSettings } from './settings.ts';

/** Makes the manager, once. One that was left half-made by a crash knows nobody yet and is made anew. */
export async function foundManager(layout: Layout, product: Product, settings: Settings): Promise<Settings> {
  if (settings.token !== undefined) return settings;
  await rm(layout.manager, { recursive: true, force: true });
  const { ports } = settings;
  const output = await runBundle(product.bundle('manager'), [
    'init',
    ...['--data', layout.manager, '--address', MANAGER_ADDRESS, '--content', product.content],
    ...['--api-port', String(ports.api), '--machines-port', String(ports.machines)],
    ...['--broker-port', String(ports.broker), '--fallback-port', String(ports.fallback)],
    ...['--balancer', 'haproxy'],
  ]);
  const founded: Settings = { ...settings, ...secretsIn(output) };
  await writeSettings(layout, founded);
  return founded;
}

/** The token is shown once, on a line of its own among the log. */
function secretsIn(output: string): { token: string; ca: string } {
  for (const line of output.split('\n').filter((text) => text.startsWith('{'))) {
    const { token, ca } = JSON.parse(line) as { token?: unknown; ca?: unknown };
    if (typeof token === 'string' && typeof ca === 'string') return { token, ca };
  }
  throw new EvenkeelError('command-failed', 'manager init showed no token');
}

/** A box with a certificate is a member: the agent writes it last. */
const hasJoined = (layout: Layout, member: Member): boolean =>
  existsSync(join(layout.node(member.name).state, 'identity', 'cert.pem'));

/**
 * What actions would do to the machine itself, and not to a box of the sandbox: a reboot, packages, services. Who wants it
 * changes agent.json.
 */
const OF_THE_MACHINE =
  'apt-get dnf doveadm logrotate mariadb-admin mysqladmin postqueue rndc systemctl unattended-upgrade'.split(
    ' ',
  );

/** Lets a member join, once. A join that a crash cut short is done again with the same key: it is the same box. */
export async function joinMember(
  member: Member,
  { layout, product, control }: { layout: Layout; product: Product; control: Control },
): Promise<void> {
  if (hasJoined(layout, member)) return;
  const { state, run, log } = layout.node(member.name);
  for (const folder of [state, run, log]) await mkdir(folder, { recursive: true });
  // The agent keeps what stands there when it joins.
  const settings = join(state, 'agent.json');
  if (!existsSync(settings))
    await writeFileAtomic(settings, `${JSON.stringify({ withheld: OF_THE_MACHINE })}\n`, { mode: 0o600 });
  const { roles, name, parameters } = member;
  const invitation = await control.invite({ roles, name, parameters });
  await runBundle(product.bundle('agent'), joinArguments(member, invitation, layout));
}
