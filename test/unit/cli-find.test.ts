/** Finding the manager: what is nearest to the command counts, and what is missing is said with every way to give it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UsageError } from '../../cli/failure.ts';
import { findManager } from '../../cli/find.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-find-'));
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  mkdirSync(join(folder, 'checkout', 'deep', 'er'), { recursive: true });
  write('checkout/var/manager/ca.crt', 'the sandbox');
  const up = { api: 'https://127.0.0.1:1', ca: 'var/manager/ca.crt', token: 'ek_up', pid: 1 };
  write('checkout/var/up.json', JSON.stringify(up));
  write('home/.config/evenkeel/ca.crt', 'the user');
  write('home/.config/evenkeel/config.json', '{"api": "https://home:2", "ca": "ca.crt", "token": "ek_home"}');
  write('broken/var/up.json', '{');
  write('other.crt', 'another');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (path: string, env: Record<string, string> = {}) => ({ cwd: join(folder, path), env });

it('[2.8] a sandbox is found from any folder below its checkout, its paths seen from there', () => {
  for (const place of ['checkout', 'checkout/deep/er'])
    expect(findManager({}, at(place))).toMatchObject({
      api: 'https://127.0.0.1:1',
      ca: 'the sandbox',
      token: 'ek_up',
    });
  expect(findManager({ up: 'checkout/var/up.json' }, at('.'))).toMatchObject({ ca: 'the sandbox' });
});

it("[2.8] else the user's own file counts; the environment before it, and the command line before all", () => {
  const home = { HOME: join(folder, 'home') };
  expect(findManager({}, at('.', home))).toMatchObject({
    api: 'https://home:2',
    ca: 'the user',
    token: 'ek_home',
  });
  const env = { ...home, EVENKEEL_TOKEN: 'ek_env', EVENKEEL_API: '' };
  expect(findManager({}, at('.', env))).toMatchObject({ api: 'https://home:2', token: 'ek_env' });
  expect(findManager({ token: 'ek_flag' }, at('.', env))).toMatchObject({ token: 'ek_flag' });
  const whole = { api: 'https://flag:3/', ca: 'other.crt', token: 'ek_flag' };
  expect(findManager(whole, at('.', env))).toMatchObject({ api: 'https://flag:3', ca: 'another' });
  expect(findManager({ ...whole, ca: join(folder, 'other.crt') }, at('broken'))).toMatchObject({
    ca: 'another',
  });
});

it('[2.8] where nothing is found, every way to say it is said', () => {
  const look = () => findManager({}, at('.', { HOME: folder }));
  expect(look).toThrow(UsageError);
  expect(look).toThrow(/no manager was found/);
  try {
    look();
  } catch (err) {
    expect((err as UsageError).fix).toMatch(/evenkeel up[\s\S]*--api[\s\S]*EVENKEEL_API[\s\S]*config\.json/);
  }
});

it('[2.8] a file that is no JSON, a certificate that is not there, and an address without TLS are refused by name', () => {
  expect(() => findManager({}, at('broken'))).toThrow(/broken\/var\/up\.json is no JSON/);
  expect(() => findManager({ ca: 'nowhere.crt' }, at('checkout'))).toThrow(/nowhere\.crt cannot be read/);
  expect(() => findManager({ api: 'http://127.0.0.1:1' }, at('checkout'))).toThrow(
    /not the address of a manager/,
  );
});
