/** What the sandbox keeps on disk about itself: its settings, who runs, and up.json for programs that look for it. */
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { writeFileAtomic } from '../../common/files.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Layout } from './layout.ts';

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });

/** Kept from the first start to the purge. */
export const Settings = Type.Object({
  nodes: Type.Integer({ minimum: 1, maximum: 9 }),
  ports: Type.Object({
    api: Port,
    machines: Port,
    broker: Port,
    fallback: Port,
    web: Port,
    webTls: Port,
    balancer: Port,
    /** Not in the settings of a sandbox that was made before nodes had one. */
    health: Type.Optional(Port),
  }),
  /** The administrator's token and the authority's certificate; there once the manager was made. */
  token: Type.Optional(Type.String()),
  ca: Type.Optional(Type.String()),
  /** Whether the examples were declared: afterwards the journal is the operator's, also where he deleted them. */
  declared: Type.Boolean(),
  /** Whether ports have moved and the resources that name them must follow. */
  redeclare: Type.Optional(Type.Boolean()),
});
export type Settings = Static<typeof Settings>;
export type PortName = keyof Settings['ports'];

const ProcessShape = Type.Object({ pid: Type.Integer(), started: Type.String() });
const Processes = Type.Object({
  supervisor: ProcessShape,
  children: Type.Record(Type.String(), ProcessShape),
});
export type Processes = Static<typeof Processes>;

const Pids = Type.Record(Type.String(), Type.Union([Type.Integer(), Type.Null()]));
const UpNode = Type.Object({
  name: Type.String(),
  address: Type.String(),
  root: Type.String(),
  http: Port,
  pid: Pids,
});
/** What a program needs to know to use the sandbox. Paths are seen from the folder that holds the sandbox's own. */
export const Up = Type.Object({
  api: Type.String(),
  ca: Type.String(),
  token: Type.String(),
  balancer: Type.String(),
  pid: Type.Union([Type.Integer(), Type.Null()], { description: 'The manager' }),
  supervisor: Type.Integer(),
  nodes: Type.Array(UpNode),
  director: Type.Omit(UpNode, ['http']),
});
export type Up = Static<typeof Up>;

const checkSettings = Compile(Settings);
const checkProcesses = Compile(Processes);
const checkUp = Compile(Up);

function read<T>(file: string, validator: Validator): T | undefined {
  if (!existsSync(file)) return undefined;
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!validator.Check(value)) throw new EvenkeelError('bad-request', `${file} is not what a sandbox writes`);
  return value as T;
}

/** Tokens and pids are for the owner alone. */
const write = (file: string, value: unknown): Promise<void> =>
  writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });

export const readSettings = (layout: Layout) => read<Settings>(layout.settingsFile, checkSettings);
export const writeSettings = (layout: Layout, settings: Settings) => write(layout.settingsFile, settings);
export const readProcesses = (layout: Layout) => read<Processes>(layout.processesFile, checkProcesses);
export const writeProcesses = (layout: Layout, who: Processes) => write(layout.processesFile, who);
export const readUp = (layout: Layout) => read<Up>(layout.upFile, checkUp);
export const writeUp = (layout: Layout, up: Up) => write(layout.upFile, up);
export const removeUp = (layout: Layout) => rm(layout.upFile, { force: true });
