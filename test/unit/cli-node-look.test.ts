/** How a node looks on a line: the words of people where programs have codes. */

import { Value } from 'typebox/value';
import { expect, it } from 'vitest';
import { nodeRow } from '../../cli/node-look.ts';
import { nodeView } from '../../manager/health/view.ts';
import { NodeSpec } from '../../protocol/resources/node.ts';

it('[4.4] a node whose box shows another key is identity changed', () => {
  const spec = Value.Default(NodeSpec, { address: '192.0.2.11' }) as NodeSpec;
  const since = '2026-11-21T09:00:00Z';
  const message = 'the box at 192.0.2.9 shows another key';
  const trust = [{ code: 'identity-changed', subject: 'web1', message, since }];
  const inputs = {
    name: 'web1',
    spec,
    memory: undefined,
    heads: [],
    units: [],
    certificateExpires: null,
    now: 0,
  };
  const key = { key: 'ab'.repeat(32), joined: since };
  const view = nodeView({ ...inputs, spec: { ...spec, identity: key }, trust });
  expect(view).toMatchObject({ state: 'identity-changed', alarms: trust });
  const [, , , state, , , notes] = nodeRow(view);
  expect(state).toMatchObject({ text: 'identity changed', tone: 'bad' });
  expect(notes).toBe('identity-changed web1');
});
