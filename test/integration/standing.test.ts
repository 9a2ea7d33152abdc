/** Standing: what a manager tells a box that asks whether it is a member, and one that goes by itself. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requestFor } from '../../agent/identity/csr.ts';
import { askStanding, askToLeave } from '../../agent/identity/standing.ts';
import { join, openIdentity } from '../../agent/identity.ts';
import { systemClock } from '../../common/clock.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import { quiet } from '../support/courier.ts';
import { factsOf, type Manager, openManager } from '../support/joinable.ts';

let manager: Manager;
beforeEach(async () => {
  manager = await openManager();
});
afterEach(() => manager.stop());

const joinAs = (name: string, string: string) =>
  join(string, { name, facts: factsOf(name), folder: manager.box(name) });

describe('standing', () => {
  const standing = async (name: string) =>
    askStanding(await openIdentity({ folder: manager.box(name), clock: systemClock, log: quiet })).then(
      () => 'member',
      ({ code }: EvenkeelError) => code,
    );
  const membershipOf = async (name: string) =>
    JSON.parse(await readFile(pathOf(manager.box(name), 'manager.json'), 'utf8')) as object;

  it('[4.5] a member is told that it is one, and a node that was removed that it was; a refusal is kept of that', async () => {
    await joinAs('web1', await manager.invite());
    expect(await standing('web1')).toBe('member');
    const edits = [{ op: 'delete' as const, kind: 'Node' as const, name: 'web1', where: '' }];
    await manager.store.write({ actor: 'op', edits });
    expect(await standing('web1')).toBe('node-removed');
    expect(manager.refusedPeers).toEqual(['node-removed']);
  });

  it('[4.5] a box of which the manager knows nothing, as after an older backup, is never told that it was removed', async () => {
    await joinAs('web1', await manager.invite());
    await cp(manager.box('web1'), manager.box('ghost'), { recursive: true });
    const key = await readFile(pathOf(manager.box('ghost'), 'key.pem'), 'utf8');
    const { certificate } = await manager.pki.issueNode('ghost', await requestFor('ghost', key));
    await writeFile(pathOf(manager.box('ghost'), 'cert.pem'), certificate);
    const membership = { ...(await membershipOf('ghost')), node: 'ghost' };
    await writeFile(pathOf(manager.box('ghost'), 'manager.json'), JSON.stringify(membership));
    expect(await standing('ghost')).toBe('forbidden');
  });

  it('[4.5] a node that leaves is removed in its own name, once for all', async () => {
    await joinAs('web1', await manager.invite());
    const identity = await openIdentity({ folder: manager.box('web1'), clock: systemClock, log: quiet });
    await askToLeave(identity, 'run-1');
    expect(manager.store.view().Node.get('web1')).toBeUndefined();
    const [last] = (await manager.store.journal({ since: 0, limit: 100 })).slice(-1);
    expect(last).toMatchObject({ actor: 'node:web1', kind: 'Node', op: 'delete' });
    expect(manager.events.at(-1)).toMatchObject({ type: 'node.left', node: 'web1' });
    expect(await standing('web1')).toBe('node-removed');
  });
});
