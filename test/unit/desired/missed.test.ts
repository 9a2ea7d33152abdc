/** Missed heads: who stands still behind a head is told of it again, and nobody else. */
import { expect, it } from 'vitest';
import { createMissed } from '../../../manager/desired/missed.ts';

const head = (scope: string, rev: number) => ({ scope, epoch: 1, rev });
const heads = [head('cluster', 5), head('role/web', 9), head('node/web1', 3)];
const beat = (...r: number[]) => ({ s: 'session', n: 1, e: 1, r, ok: true });

function told() {
  const again: string[] = [];
  return { again, missed: createMissed({ headsOf: () => heads, again: (scope) => again.push(scope) }) };
}

it('[3] one beat behind is a node at work, a second one in the same place is told again', () => {
  const { again, missed } = told();
  missed.beat('web1', beat(5, 8, 3));
  expect(again).toEqual([]);
  missed.beat('web1', beat(5, 8, 3));
  expect(again).toEqual(['role/web']);
});

it('[3] a node that moves on, or is there, is told nothing', () => {
  const { again, missed } = told();
  for (const rev of [6, 7, 8, 9, 9, 9]) missed.beat('web1', beat(5, rev, 3));
  expect(again).toEqual([]);
});

it('[3] a node that does not know its own roles yet is told of its own scope alone', () => {
  const { again, missed } = told();
  for (let time = 0; time < 2; time += 1) missed.beat('web1', beat(5, 2));
  expect(again).toEqual(['node/web1']);
});

it('[3] a node of an earlier epoch is behind in everything', () => {
  const { again, missed } = told();
  for (let time = 0; time < 2; time += 1) missed.beat('web1', { ...beat(5, 9, 3), e: 0 });
  expect(again).toEqual(['node/web1']);
});
