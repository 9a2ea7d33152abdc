/** A node that loses a role: pool first, then its daemon. */
import { expect, it } from 'vitest';
import { getThrough } from '../support/sandbox.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();

const node = { kind: 'Node', name: 'n3' } as const;
const ask = async (): Promise<number> => {
  const at = sandbox()
    .up()
    .nodes.find(({ name }) => name === 'n3');
  const answer = getThrough(`http://${at?.address}:${at?.http}`, 'shop.example', '/');
  return answer.then(
    ({ status }) => status,
    () => 0,
  );
};
const isMember = async (): Promise<boolean> => {
  const { items } = await sandbox().client().call('pools');
  return items.some(({ members }) =>
    members.some(({ node: name, actual }) => name === 'n3' && actual.length > 0),
  );
};
const withRoles = async (roles: string[], parameters: object): Promise<void> => {
  const { spec } = await sandbox().client().call('get', { params: node });
  const documents = [{ ...node, spec: { ...(spec as object), roles, parameters } }];
  await sandbox().client().call('apply', { body: { documents } });
};

it('[4.5] it serves on until its directors have taken it out of their pools, then its daemon ends; and the way back', {
  timeout: 120_000,
}, async () => {
  expect([await isMember(), await ask()]).toEqual([true, 200]);
  const { spec } = await sandbox().client().call('get', { params: node });
  await withRoles([], {});
  await until('it is out of the pool', async () => !(await isMember()), 5_000);
  expect(await ask(), 'its daemon still serves what is on its way').toBe(200);
  await until('its daemon has ended', async () => (await ask()) === 0, 20_000);
  await withRoles(['web'], (spec as { parameters: object }).parameters);
  await until('it serves', async () => (await ask()) === 200, 30_000);
  await until('it is in the pool', isMember, 30_000);
});
