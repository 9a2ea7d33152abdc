/** Goldens: what ships renders to exactly these bytes, and the real daemons accept them. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLines } from '../../agent/kernel/lines.ts';
import type { RenderedUnit } from '../../common/render/rendered.ts';
import { resolveDirectories, resolveValidate } from '../../common/render/resolve.ts';
import { renderUnit } from '../../common/render/unit.ts';
import { makeAuthority } from '../../manager/pki/x509.ts';
import { cases, inputsOf, rewrite, textOf } from './cases.ts';

const run = promisify(execFile);

describe('[2.6] the shipped policies render exactly', () => {
  it.each(cases)('$name', async (one) => {
    const text = textOf(renderUnit(await inputsOf(one)));
    if (process.env.EVENKEEL_GOLDEN === 'write') rewrite(one, text);
    else expect(text).toBe(one.expected);
  });
});

describe("[2.6] the daemon's own checker, and the grammar of kernel lines, accept", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'golden-'));
    const { certificate, key } = await makeAuthority(Date.UTC(2026, 0, 1));
    await writeFile(join(folder, 'site.crt'), certificate);
    await writeFile(join(folder, 'site.key'), key);
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** The case on this box: folders, certificates and ports that anybody may use, all else as it stands. */
  const adapt = (name: string) => (document: unknown) => {
    const text = JSON.stringify(document).replaceAll('/etc/certs', folder);
    const adapted = JSON.parse(text) as { kind: string; spec: Record<string, unknown> };
    return adapted.kind === 'Node'
      ? { ...adapted, spec: onThisBox(adapted.spec, join(folder, name)) }
      : adapted;
  };

  it.each(cases)('$name', async (one) => {
    const inputs = await inputsOf(one, adapt(one.name.replace('.golden', '')));
    const unit = renderUnit(inputs);
    await layOut(unit);
    for (const { path } of resolveDirectories(inputs.policy, unit.context))
      await mkdir(path, { recursive: true });
    const { kernel } = inputs.policy.spec;
    const lines = unit.files.find(({ path }) => path === kernel)?.text ?? '';
    expect(parseLines(lines).problems).toEqual([]);
    const validate = resolveValidate(inputs.policy, unit.context);
    if (validate === undefined) return expect(kernel).toBeDefined();
    const [command = '', ...args] = validate.run;
    const said = await saidBy(run(command, args, { timeout: validate.timeout }), validate.passes);
    if (validate.passes) expect(said).toMatch(validate.passes);
    else expect(said.replaceAll(harmless, '')).toBe('');
  });
});

/** A checker that passes by its words ends with any status. */
async function saidBy(running: Promise<{ stdout: string; stderr: string }>, passes?: RegExp) {
  const ended = passes ? running.catch((err: { stdout: string; stderr: string }) => err) : running;
  const { stdout, stderr } = await ended;
  return `${stdout}${stderr}`;
}

/** VRRP does not take the loopback. */
const device = readdirSync('/sys/class/net').find((name) => name !== 'lo') ?? 'lo';

function onThisBox(spec: Record<string, unknown>, folder: string) {
  const declared = (spec.parameters as Record<string, unknown> | undefined) ?? {};
  const isDirector = (spec.roles as string[]).includes('balancer');
  const ports = (spec.roles as string[]).includes('web') ? { httpPort: 18_080, httpsPort: 18_443 } : {};
  const given = 'vrrpInterface' in declared ? { vrrpInterface: device } : {};
  const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
  // No two members of an LVS pool are at one address; a director's files name none of its own.
  const address = 'address6' in spec || isDirector ? spec.address : '127.0.0.1';
  return { ...spec, address, paths, parameters: { ...declared, ...ports, ...given } };
}

/** nginx says this to everybody who is not root, and goes on. */
const harmless = /.*the "user" directive makes sense only if.*\n|^Configuration file is valid\n/gm;

async function layOut(unit: RenderedUnit): Promise<void> {
  await mkdir(unit.context.run, { recursive: true });
  // What a balancer that has run before finds there: a state file of version 1, still without servers.
  await writeFile(`${unit.context.run}/haproxy.state`, '1\n');
  for (const file of unit.files) {
    const place = join(file.live ? `${unit.context.folder}/files` : unit.context.tree, file.name);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, file.text ?? '', { mode: file.mode });
  }
}
