/** Warnings in a header: bounded, and what is left out is counted. */
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { warn } from '../../manager/api/routes/resources.ts';

async function headerOf(warnings: string[]): Promise<string> {
  const app = Fastify();
  app.get('/', async (_, reply) => {
    warn(reply, warnings);
    return {};
  });
  const { headers } = await app.inject('/');
  return String(headers['x-evenkeel-warnings'] ?? '');
}
const read = (header: string): string[] => JSON.parse(decodeURIComponent(header));

it('[2.8] warnings in a header are at most twenty and 4 KiB, and the rest is counted', async () => {
  expect(await headerOf([])).toBe('');
  expect(read(await headerOf(['one', 'zwei – ✓']))).toEqual(['one', 'zwei – ✓']);
  const many = read(await headerOf(Array.from({ length: 5000 }, (_, at) => `warning ${at}`)));
  expect(many).toHaveLength(21);
  expect(many.at(-1)).toBe('and 4980 more');
  const long = await headerOf(Array.from({ length: 50 }, () => '😀'.repeat(10_000)));
  expect(long.length).toBeLessThan(4200);
  expect(read(long).at(-1)).toMatch(/^and \d+ more$/);
});
