/** What others wrote cannot steer the terminal that shows it. */
import { expect, it } from 'vitest';
import { clean } from '../../cli/clean.ts';

it('[2.8] a hand edit that would rename the window, clear the screen or hide text is shown and not obeyed', () => {
  expect(clean('a\u001b]0;owned\u0007b')).toBe('a\ufffd]0;owned\ufffdb');
  expect(clean('\u001b[2J\u009b2J\r\u202e')).toBe('\ufffd[2J\ufffd2J\ufffd\ufffd');
});

it('[2.8] lines, tabs and colours stay', () => {
  expect(clean('one\n\ttwo \u001b[31mred\u001b[0m')).toBe('one\n\ttwo \u001b[31mred\u001b[0m');
});

it('[5.7] what is not seen is shown: zero widths, marks of direction, joiners, tags and a hidden hyphen', () => {
  const unseen = [0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2060, 0x2067, 0x061c, 0xfeff, 0x00ad, 0xe0041];
  for (const point of unseen) expect(clean(`a${String.fromCodePoint(point)}b`)).toBe('a\ufffdb');
});
