/** What commands say while they run, as it reaches whoever watches. */
import { beforeEach, expect, it } from 'vitest';
import { createLive, type Live, type Piece } from '../../../manager/queue/live.ts';

const run = 'aaaaaaaaaaaa';
let live: Live;
let told: [at: number, text: string][];
const hear = ({ at, text }: Piece) => void told.push([at, text]);
beforeEach(() => {
  [live, told] = [createLive((one, node) => one === run && node.startsWith('web')), []];
});
const heard = (at: number, text: string, number = 1) => live.heard('web1', { run, number, at, text });
const ended = (output: string, omitted = 0, number = 1) =>
  live.ended('web1', { run, number, output, omitted });

it('[5.5] whoever watches has all of it when it ends, and nothing twice, whatever pieces were lost or late', () => {
  live.follow(run, hear);
  heard(0, 'one ');
  ended('one two three');
  heard(4, 'two ');
  expect(told).toEqual([
    [0, 'one '],
    [4, 'two three'],
  ]);
});

it('[5.5] of what is too long to keep the beginning and the end are told, and the gap between is seen', () => {
  live.follow(run, hear);
  heard(0, 'ab');
  ended('abcdwxyz', 100);
  expect(told).toEqual([
    [0, 'ab'],
    [2, 'cd'],
    [104, 'wxyz'],
  ]);
});

it('[5.5] who comes later gets the newest try alone, and an older one tells nothing any more', () => {
  heard(0, 'first');
  heard(0, 'second', 2);
  heard(5, ' late');
  ended('first late');
  live.follow(run, hear);
  expect(told).toEqual([[0, 'second']]);
});

it('[5.5] what is kept for who comes later is the end of it, from where it has no gap', () => {
  heard(0, 'a');
  heard(10, 'x'.repeat(100_000));
  heard(100_010, 'y');
  live.follow(run, hear);
  const [[at = 0, text = ''] = []] = told;
  expect([at + text.length, text.length, text.slice(-2)]).toEqual([100_011, 65_536, 'xy']);
});

it('[5.5] what a node says of a run that it has no open command of is not kept, and moves out nobody', () => {
  heard(0, 'one');
  for (let at = 0; at < 600; at += 1) live.heard('web2', { run: `b${at}`, number: 1, at: 0, text: 'x' });
  live.heard('db1', { run, number: 1, at: 0, text: 'x' });
  live.follow(run, hear);
  expect(told).toEqual([[0, 'one']]);
  expect(live.tail('b0', 'web2')).toBeUndefined();
});

it('[5.5] of those that are too many to keep it is known how far they were told, and they go on from there', () => {
  heard(0, 'first');
  for (let at = 2; at < 502; at += 1) live.heard(`web${at}`, { run, number: 1, at: 0, text: 'x' });
  expect(live.tail(run, 'web1')).toMatchObject({ number: 1, at: 5, text: '' });
  live.follow(run, hear);
  told = [];
  heard(0, 'first');
  ended('first, last');
  expect(told).toEqual([[5, ', last']]);
});
