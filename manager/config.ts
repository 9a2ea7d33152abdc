/** The manager's own config file: where it listens and where its data lie. Everything else is declared state. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { writeFileAtomic } from '../common/files.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { problemsOf } from '../protocol/resource.ts';
import { IPv4, Port, Strict } from '../protocol/values.ts';

export const ManagerConfig = Strict({
  /** The cluster address: what nodes dial, and what the listeners bind to. */
  address: Type.Union([IPv4]),
  ports: Strict({ api: Port, machines: Port, broker: Port, fallback: Port }),
  logLevel: Type.Union([
    Type.Literal('debug'),
    Type.Literal('info'),
    Type.Literal('warn'),
    Type.Literal('error'),
    Type.Literal('silent'),
  ]),
});
export type ManagerConfig = Static<typeof ManagerConfig>;

/** What lies where below the data folder. */
export const placesOf = (data: string) => ({
  data,
  config: join(data, 'manager.json'),
  store: join(data, 'store.sqlite'),
  /** What balancers carried; it may be lost. */
  history: join(data, 'history.sqlite'),
  /** How far the store had come. */
  witness: join(data, 'witness.json'),
  pki: join(data, 'pki'),
  /** The certificate of the authority alone, for clients of the API. */
  authority: join(data, 'ca.crt'),
});

const validator = Compile(ManagerConfig);

/** Reads `manager.json`. @throws EvenkeelError with the file and every wrong field */
export async function readConfig(data: string): Promise<ManagerConfig> {
  const file = placesOf(data).config;
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new EvenkeelError(
      'bad-request',
      `${file} cannot be read: ${messageOf(cause)}; run \`manager init\` first`,
      { cause },
    );
  }
  if (validator.Check(parsed)) return parsed;
  throw new EvenkeelError('invalid-document', `${file} is not right`, {
    problems: problemsOf(validator, parsed, (path) => path),
  });
}

export const writeConfig = (data: string, config: ManagerConfig): Promise<void> =>
  writeFileAtomic(placesOf(data).config, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
