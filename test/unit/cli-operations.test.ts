/** The page for whoever is called at night: every command that it names is one of the CLI. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { createProgram } from '../../cli/program.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/operations.md'), 'utf8');

it('[2.3] every command on the page of operations is there, restore and start-over among them', () => {
  const named = new Set([...page.matchAll(/^(?:\$ )?evenkeel ([a-z-]+)/gm)].map(([, name]) => name));
  const known = createProgram().commands.map((command) => command.name());
  expect([...named]).toEqual(expect.arrayContaining(['backup', 'restore', 'start-over', 'resume']));
  for (const name of named) expect(known).toContain(name);
});
