/** The list of event types against the sources that tell them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { eventTypes } from '../../protocol/views.ts';

const manager = resolve(import.meta.dirname, '../../manager');

it('[2.8] every type that the manager tells is in the list of known types, and nothing else is', () => {
  const told = readdirSync(manager, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(manager, name), 'utf8'))
    .flatMap((text) => [
      ...text.matchAll(/(?:type: [^\n]*|\(caller, |(?:error|warning|info)', )'([a-z]+\.[a-z]+)'/g),
    ])
    .flatMap(([whole]) => [...whole.matchAll(/'([a-z]+\.[a-z]+)'/g)].map(([, type]) => type));
  const written = eventTypes.filter(
    (type) => !/^(journal|unit|check|drift)\./.test(type) && type !== 'fight',
  );
  expect([...new Set(told)].sort()).toEqual([...written].sort());
});
