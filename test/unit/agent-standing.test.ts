/** Which units a box still has: one whose tree was taken away by hand may have a daemon that runs on. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStanding } from '../../agent/converge/standing.ts';
import { createDesired } from '../../agent/state/desired.ts';
import { createLog } from '../../common/log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('[2.5] a unit is still active when `current` leads to a tree that a hand has removed', () => {
  mkdirSync(join(folder, 'web-nginx'));
  symlinkSync('trees/gone', join(folder, 'web-nginx', 'current'));
  const desired = createDesired({ folder, log: createLog('agent', 'silent') });
  const standing = createStanding({ node: 'n1', desired, folder });
  expect(standing.isActive('web-nginx')).toBe(true);
  expect(standing.isActive('other')).toBe(false);
});
