/** What root has done in a manager's folder can be read by the service that the folder belongs to. */
import { chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { giveToOwner } from '../../manager/setup/owner.ts';

const NOBODY = 65_534;

it.runIf(process.getuid?.() === 0)(
  '[4.6] everything below the folder belongs to its owner; what a link leads to stays whose it is',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-owner-'));
    const outside = mkdtempSync(join(tmpdir(), 'evenkeel-outside-'));
    try {
      chownSync(folder, NOBODY, NOBODY);
      mkdirSync(join(folder, 'replaced'));
      writeFileSync(join(folder, 'replaced', 'store.sqlite'), '');
      symlinkSync(outside, join(folder, 'link'));
      await giveToOwner(folder);
      const paths = ['replaced', 'replaced/store.sqlite', 'link'].map((name) => join(folder, name));
      expect(paths.map((path) => lstatSync(path).uid)).toEqual([NOBODY, NOBODY, NOBODY]);
      expect(lstatSync(outside).uid).toBe(0);
    } finally {
      for (const path of [folder, outside]) rmSync(path, { recursive: true, force: true });
    }
  },
);
