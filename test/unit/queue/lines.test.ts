/** The open commands of a node in memory: in their order, whatever is put when, and gone once they are over. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Command } from '../../../common/queue/command.ts';
import { createLines } from '../../../manager/queue/lines.ts';

const states = ['waiting', 'running', 'failed', 'succeeded', 'skipped'] as const;
const command = (seq: number, state: Command['state']) =>
  ({ seq, state, node: 'n1', run: `run${seq}` }) as Partial<Command> as Command;

it('[5.2] a line has each open command once, as it was put last, in the order of its node', () => {
  const put = fc.record({ seq: fc.integer({ min: 1, max: 12 }), state: fc.constantFrom(...states) });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 60 }), (puts) => {
      const lines = createLines();
      const open = new Map<number, Command>();
      for (const { seq, state } of puts) {
        const one = command(seq, state);
        lines.put(one);
        if (state === 'succeeded' || state === 'skipped') open.delete(seq);
        else open.set(seq, one);
      }
      const inOrder = [...open.values()].sort((a, b) => a.seq - b.seq);
      expect(lines.of('n1')).toEqual(inOrder);
      expect(lines.head('n1')).toEqual(inOrder[0]);
      expect([...lines.nodes()]).toEqual(inOrder.length > 0 ? ['n1'] : []);
    }),
  );
});
