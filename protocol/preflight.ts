/** Preflight: what a box is looked at for before it joins, and each time somebody asks the doctor. */
import { type Static, Type } from 'typebox';
import { ModuleName, Moment, OneOf, PackageName, Port, Strict } from './values.ts';

/** In the order in which people read them. Names are stable: programs may match on them; never rename one, only add. */
export const checkNames = [
  'invitation',
  'os',
  'arch',
  'version',
  'clock',
  'addresses',
  'segment',
  'ports-out',
  'ports-in',
  'ports-taken',
  'other-agent',
  'disk',
  'home-layout',
  'kernel-modules',
  'nfs',
  'quota',
  'packages',
  'systemd',
  'vip-on-lo',
  'doors',
  'certificates',
  'backup',
] as const;
export type CheckName = (typeof checkNames)[number];

export const checkStates = ['pass', 'warn', 'fail', 'skip'] as const;
export type CheckState = (typeof checkStates)[number];

const Text = Type.String({ maxLength: 2000 });

/** How one check ended. Readers tolerate names that they do not know: the other side may be newer. */
export const Finding = Type.Object({
  name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }),
  state: OneOf([...checkStates]),
  found: Text,
  why: Type.Optional(Type.String({ maxLength: 2000, description: 'What does not work so' })),
  fix: Type.Optional(Type.String({ maxLength: 2000, description: 'What to do' })),
  command: Type.Optional(Type.String({ maxLength: 2000, description: 'To copy, where one command does it' })),
});
export type Finding = Static<typeof Finding>;
export const Findings = Type.Array(Finding, { maxItems: 100 });

/** What a box sees of itself, for those who judge it from outside. */
export const BoxLook = Strict({
  os: Strict({
    id: Type.String({ maxLength: 40, description: 'ID of /etc/os-release' }),
    version: Type.String({ maxLength: 40 }),
    family: OneOf(['debian', 'rhel', 'other']),
  }),
  arch: Type.String({ maxLength: 40 }),
  addresses: Type.Array(
    Strict({
      device: Type.String({ maxLength: 40 }),
      address: Type.String({ maxLength: 45 }),
      prefix: Type.Integer({ minimum: 0, maximum: 128 }),
    }),
    { maxItems: 1000 },
  ),
  clock: Type.Integer({ minimum: 0, description: 'Milliseconds since 1970, as its clock says' }),
});
export type BoxLook = Static<typeof BoxLook>;

const short = (maxLength: number) => Type.String({ maxLength });

const Packages = Type.Array(PackageName, { maxItems: 256 });

/** What the roles of a node ask of its box: the manager knows it from policies and declared resources. */
export const Needs = Type.Object({
  /** By family of operating systems: a box takes those of its own. */
  packages: Type.Object({ debian: Packages, rhel: Packages }),
  modules: Type.Array(ModuleName, { maxItems: 256 }),
  ports: Type.Array(Type.Object({ address: short(45), port: Port, unit: short(253) }), { maxItems: 1000 }),
  storages: Type.Array(
    Type.Object({
      name: short(253),
      server: short(253),
      /** Where the box is to mount it, and the link that leads there. */
      mountpoint: Type.Optional(short(1024)),
      link: Type.Optional(short(1024)),
      /** The folder that the box itself is to export, and whether users have quotas in it. */
      export: Type.Optional(short(1024)),
      quotas: Type.Optional(Type.Boolean()),
    }),
    { maxItems: 1000 },
  ),
  /** Addresses of virtual services that are to be on lo. */
  vips: Type.Array(short(45), { maxItems: 1000 }),
});
export type Needs = Static<typeof Needs>;

/** What the manager thinks of a box that has not joined. */
export const Verdict = Type.Object({
  checks: Findings,
  needs: Needs,
  ports: Type.Object({ machines: Port, broker: Port, health: Port }),
});
export type Verdict = Static<typeof Verdict>;

/** How a node, or the manager (null), is. `error` where the node itself could not be asked. */
export const Examined = Type.Object({
  node: Type.Union([Type.String(), Type.Null()]),
  checks: Findings,
  error: Type.Optional(Type.String()),
  at: Moment,
});
export type Examined = Static<typeof Examined>;
