/** Resources: every kind that can be declared, and the one door through which a document becomes a resource. */
import { type Static, type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { Value } from 'typebox/value';
import type { ErrorCode, Problem } from './errors.ts';
import { meantHint, nearest } from './nearest.ts';
import { ActionName, ActionSpec } from './resources/action.ts';
import { ClusterName, ClusterSpec } from './resources/cluster.ts';
import { NodeName, NodeSpec } from './resources/node.ts';
import { PolicyName, PolicySpec } from './resources/policy.ts';
import { ScheduleName, ScheduleSpec } from './resources/schedule.ts';
import { SiteName, SiteSpec } from './resources/site.ts';
import { StorageName, StorageSpec } from './resources/storage.ts';
import { TemplateName, TemplateSpec } from './resources/template.ts';
import { VirtualServiceName, VirtualServiceSpec } from './resources/virtual-service.ts';
import { Strict } from './values.ts';
import { wordsOf } from './words.ts';

/** Every kind with its name and spec schema, in the order in which references resolve. */
export const kinds = {
  Cluster: { name: ClusterName, spec: ClusterSpec },
  Template: { name: TemplateName, spec: TemplateSpec },
  Policy: { name: PolicyName, spec: PolicySpec },
  Node: { name: NodeName, spec: NodeSpec },
  Storage: { name: StorageName, spec: StorageSpec },
  Site: { name: SiteName, spec: SiteSpec },
  VirtualService: { name: VirtualServiceName, spec: VirtualServiceSpec },
  Action: { name: ActionName, spec: ActionSpec },
  Schedule: { name: ScheduleName, spec: ScheduleSpec },
} as const;

export type Kind = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as Kind[];
export const isKind = (value: unknown): value is Kind =>
  typeof value === 'string' && Object.hasOwn(kinds, value);

export interface Specs {
  Cluster: ClusterSpec;
  Template: TemplateSpec;
  Policy: PolicySpec;
  Node: NodeSpec;
  Storage: StorageSpec;
  Site: SiteSpec;
  VirtualService: VirtualServiceSpec;
  Action: ActionSpec;
  Schedule: ScheduleSpec;
}

/** A declared thing, with all defaults filled in. */
export type Resource = { [K in Kind]: { kind: K; name: string; spec: Specs[K] } }[Kind];
export type ResourceOf<K extends Kind> = Extract<Resource, { kind: K }>;
export type AnySpec = Specs[Kind];

/** `kind/name`: how a resource is named in messages, maps and logs. */
export const keyOf = (resource: { kind: string; name: string }): string =>
  `${resource.kind}/${resource.name}`;

/** The schema of a document of one kind, as OpenAPI shows it. */
export const documentSchema = (kind: Kind): TSchema =>
  Strict({ kind: Type.Literal(kind), name: kinds[kind].name as TSchema, spec: kinds[kind].spec as TSchema });
export const ResourceDocument = Type.Union(kindNames.map(documentSchema));
export type ResourceDocument = Static<typeof ResourceDocument>;

// Every problem at once, not the first few: a person mends a file in one go.
Settings.Set({ maxErrors: 1000 });

const validators = new Map<Kind, Validator>();
const validatorOf = (kind: Kind): Validator => {
  const known = validators.get(kind);
  if (known) return known;
  const made = Compile(documentSchema(kind));
  validators.set(kind, made);
  return made;
};

export type Parsed = { ok: true; resource: Resource } | { ok: false; problems: Problem[] };

/**
 * The door: turns what a person wrote into a resource with its defaults filled in, or says all that is wrong with it.
 * @param where prefix of the paths in the problems, such as `documents/3`
 */
export function parseResource(input: unknown, where = ''): Parsed {
  const at = (path: string) => [where, path].filter((part) => part !== '').join('/');
  const refuse = (code: ErrorCode, path: string, message: string, fix: string): Parsed => ({
    ok: false,
    problems: [{ code, path: at(path), message, fix }],
  });
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return refuse('invalid-document', '', 'a document must be an object', 'give kind, name and spec');
  const raw = input as Record<string, unknown>;
  if (raw.kind === undefined || raw.kind === null)
    return refuse('invalid-document', 'kind', 'is missing', `use one of ${kindNames.join(', ')}`);
  if (!isKind(raw.kind))
    return refuse(
      'unknown-kind',
      'kind',
      `there is no kind ${shown(raw.kind)}`,
      `${meantBy(raw.kind, kindNames)}use one of ${kindNames.join(', ')}`,
    );
  const document = { ...raw, spec: normalise(raw.kind, raw.spec) };
  const filled: unknown = Value.Default(documentSchema(raw.kind), document);
  const validator = validatorOf(raw.kind);
  if (validator.Check(filled)) return { ok: true, resource: filled as Resource };
  return { ok: false, problems: problemsOf(validator, filled, at) };
}

const meantBy = (given: unknown, known: readonly string[]): string =>
  typeof given === 'string' ? meantHint(given.slice(0, 100), known) : '';

/** Shorthands that people may write, made whole before the schema is asked. */
function normalise(kind: Kind, spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return spec;
  const copy: Record<string, unknown> = structuredClone(spec) as Record<string, unknown>;
  if (kind === 'Cluster' && 'quorumIp' in copy && !('address' in copy)) {
    copy.address = copy.quorumIp;
    delete copy.quorumIp;
  }
  if (kind === 'VirtualService' && Array.isArray(copy.ports))
    copy.ports = copy.ports.map((port: unknown) =>
      typeof port === 'number' ? { port, target: port } : port,
    );
  return copy;
}

/** What the validator found, one problem a place. Of a union told apart by `type`, only the branch that was meant is heard. */
export function problemsOf(validator: Validator, value: unknown, at: (path: string) => string): Problem[] {
  const found = new Map<string, Problem>();
  const errors = validator.Errors(value);
  const strangers = otherBranches(errors);
  for (const error of errors) {
    if (
      strangers.some(
        (branch) =>
          isWithin(error.schemaPath, branch.schema) && isWithin(error.instancePath, branch.instance),
      )
    )
      continue;
    const params = error.params as { additionalProperties?: string[]; requiredProperties?: string[] };
    for (const field of params.additionalProperties ?? [])
      add(
        `${error.instancePath}/${field}`,
        'is not a known field',
        isMisplaced(validator, error.instancePath, field)
          ? 'put it below spec'
          : fixOfUnknown(field, schemaAt(validator, `${error.schemaPath}/properties`)),
      );
    for (const field of params.requiredProperties ?? [])
      if (schemaAt(validator, `${error.schemaPath}/properties/${field}/default`) === undefined)
        add(`${error.instancePath}/${field}`, 'is missing', 'add it');
    if (quiet.has(error.keyword)) continue;
    const words = wordsOf(error.keyword, ruleAt(validator, error.schemaPath), error.message);
    add(error.instancePath, words.message, words.fix);
  }
  for (const error of errors)
    if (
      error.keyword === 'anyOf' &&
      ![...found.values()].some((p) => isWithin(p.path, at(error.instancePath.slice(1))))
    )
      addForm(error);
  if (found.size === 0) add('', 'does not fit its schema', undefined);
  return [...found.values()];

  /** Of a union that is told apart by `type`, which types there are. */
  function addForm({ instancePath, schemaPath }: { instancePath: string; schemaPath: string }) {
    const types = typesOf(schemaAt(validator, schemaPath));
    if (types.length === 0) return add(instancePath, 'is none of the known forms', undefined);
    const given: unknown = Value.Pointer.Get(value as object, `${instancePath}/type`);
    const fix = `${meantBy(given, types)}use one of ${types.join(', ')}`;
    add(`${instancePath}/type`, given === undefined ? 'is missing' : 'is no known type', fix);
  }

  function add(pointer: string, message: string, fix: string | undefined) {
    const path = pointer.replace(/^\//, '');
    if (found.has(path) || found.size >= 100) return;
    const bad = pointer === '' ? undefined : Value.Pointer.Get(value as object, pointer);
    found.set(path, {
      code: 'invalid-document',
      path: at(path),
      ...(bad === undefined ? {} : { value: shown(bad) }),
      message,
      ...(fix === undefined ? {} : { fix }),
    });
  }
}

/** A field of the spec that stands beside it. */
const isMisplaced = (validator: Validator, instancePath: string, field: string): boolean =>
  instancePath === '' && Object.hasOwn(schemaAt(validator, '#/properties/spec/properties') ?? {}, field);

/** A field that nobody knows is mostly one that somebody misspelt. */
function fixOfUnknown(field: string, properties: unknown): string {
  const known = Object.keys(properties ?? {});
  const meant = nearest(field.slice(0, 100), known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return known.length === 0 ? 'remove it' : `remove it; what is known here: ${known.join(', ')}`;
}

/** The `type` of each form of a union; empty where one of them has none. */
function typesOf(schema: unknown): string[] {
  const { anyOf = [] } = (schema ?? {}) as { anyOf?: { properties?: { type?: { const?: unknown } } }[] };
  const types = anyOf.map(({ properties }) => properties?.type?.const);
  return types.every((type): type is string => typeof type === 'string') ? types : [];
}

/** Errors that only repeat what another one says better. */
const quiet = new Set(['additionalProperties', 'propertyNames', 'required', 'boolean', 'anyOf']);

/** The branches of unions whose `type` is another one than was written, each at its place in the document. */
const otherBranches = (errors: readonly { keyword: string; schemaPath: string; instancePath: string }[]) =>
  errors
    .filter((error) => error.keyword === 'const' && /\/anyOf\/\d+\/properties\/type$/.test(error.schemaPath))
    .map((error) => ({
      schema: error.schemaPath.replace(/\/properties\/type$/, ''),
      instance: error.instancePath.replace(/\/type$/, ''),
    }));

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** The schema that refused; of one value among several, all of them. */
function ruleAt(validator: Validator, schemaPath: string): unknown {
  const values = schemaAt(validator, schemaPath.replace(/\/anyOf\/\d+$/, '/anyOf'));
  const isChoice = Array.isArray(values) && values.every((one: object) => 'const' in one);
  return isChoice ? { enum: values.map((one) => one.const as unknown) } : schemaAt(validator, schemaPath);
}

/** What stands in the schema at a path such as `#/properties/spec`. */
function schemaAt(validator: Validator, schemaPath: string): unknown {
  let schema: unknown = validator.Type();
  for (const part of schemaPath.split('/').slice(1)) {
    if (typeof schema !== 'object' || schema === null) return undefined;
    schema = (schema as Record<string, unknown>)[decodeURIComponent(part)];
  }
  return schema;
}

/** A value as it may be shown in a message: quoted, and shortened. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The canonical text of a resource's spec: keys sorted at every depth, no white space. What a digest is taken of. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}
