/** The conductor: what a pass has to say is said whatever else fails, and an agent that stops begins nothing more. */
import { expect, it, vi } from 'vitest';
import { converge } from '../../agent/converge/converge.ts';
import { beginPass, type Ending, type Pass, type Tools, type Unit } from '../../agent/converge/pass.ts';
import { BLANK } from '../../agent/state/record.ts';
import { createManualClock } from '../support/clock.ts';

it('[2 bad input] a pass is reported though what it had staged cannot be removed', async () => {
  const trees = {
    active: async () => null,
    discard: async () => {
      throw new Error('EROFS: read-only file system');
    },
  };
  const pass = {
    at: 'render',
    signal: new AbortController().signal,
    staged: [{ digest: 'a', places: [] }],
    unit: { trees, record: { read: () => BLANK } },
    step: async (name: string, work: () => unknown) => {
      if (name === 'render') throw new Error('EROFS: read-only file system');
      return work();
    },
  };
  const said: Ending[] = [];
  await expect(converge(pass as unknown as Pass, (ending) => said.push(ending))).rejects.toThrow('EROFS');
  expect(said).toMatchObject([{ result: 'failed', step: 'render' }]);
});

it('[2.5] a pass begins no further step when its agent stops', async () => {
  const tools = { clock: createManualClock(), checkpoint: () => undefined } as unknown as Tools;
  const stopping = new AbortController();
  const pass = beginPass({} as Unit, tools, {}, stopping.signal);
  await pass.step('validate', () => stopping.abort(new Error('the agent stops')));
  const swap = vi.fn();
  await expect(pass.step('activate', swap)).rejects.toThrow('the agent stops');
  expect(swap).not.toHaveBeenCalled();
});
