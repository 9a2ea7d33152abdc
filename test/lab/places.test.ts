/** Where the lab may run, and what a run of the tests says where it may not. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createBoxes } from './boxes.ts';
import { checkout, leaveOut, type Machine, obstacles } from './host.ts';

const able: Machine = { isRoot: true, isInstalled: () => true, isUsable: () => true };

describe('[3.1] a machine', () => {
  it('[3.1] that has all of it has no obstacle', () => {
    expect(obstacles(able)).toEqual([]);
    expect(leaveOut(['boxes'], able)).toBeUndefined();
  });

  it('[3.1] without root is told plainly which suites are left out and why, and does not fail', () => {
    const left = leaveOut(['boxes', 'lvs'], { ...able, isRoot: false });
    expect(left?.line).toMatch(/^LEFT OUT: 2 suites on real boxes \(boxes, lvs\): .*root/);
    expect(left?.code).toBe(0);
  });

  it('[3.1] where root could not have boxes fails, and names every reason', () => {
    const left = leaveOut(['boxes'], { isRoot: true, isInstalled: () => false, isUsable: () => false });
    expect(left?.line).toMatch(/linux\.uml.*ready\.sh lab.*\/dev\/net\/tun/);
    expect(left?.code).toBe(1);
  });
});

describe('[3.1] outside the namespaces of the lab', () => {
  it('[3.1] no box is made', () => {
    const folders = () => readdirSync('/dev/shm').filter((name) => name.startsWith('lab-'));
    const before = folders();
    expect(() => createBoxes([{ name: 'stray' }])).toThrow(/namespaces of their own/);
    expect(folders().filter((name) => !before.includes(name))).toEqual([]);
  });

  it('[3.1] vitest by hand finds no suite of the lab', () => {
    const vitest = ['node_modules/vitest/vitest.mjs', 'list', '--filesOnly', 'test/lab/suites'];
    const { stdout, status } = spawnSync(process.execPath, vitest, {
      cwd: checkout,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(status).toBe(0);
    expect(stdout).not.toContain('suites/');
  });
});
