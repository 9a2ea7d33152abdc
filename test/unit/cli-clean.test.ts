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
