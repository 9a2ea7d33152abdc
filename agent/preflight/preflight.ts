/** Preflight of a box that wants to join: looks at itself, asks the manager, and changes nothing. */

import { Compile } from 'typebox/compile';
import { parseCertificate } from '../../common/certificates.ts';
import { fail, isFailing, merged } from '../../common/findings.ts';
import { type Answered, refusalIn, request } from '../../common/request.ts';
import { api } from '../../protocol/endpoints.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Facts, JoinString } from '../../protocol/messages.ts';
import { type BoxLook, type Finding, Verdict } from '../../protocol/preflight.ts';
import { HEALTH_PORT } from '../../protocol/resources/cluster.ts';
import type { Asked } from './asked.ts';
import type { Box } from './box.ts';
import { otherAgent } from './checks/other-agent.ts';
import { installWords, missingPackages, packagesFor } from './checks/packages.ts';
import { portsOut } from './checks/ports-out.ts';
import { lookedAt } from './checks.ts';

export interface PreflightOptions {
  box: Box;
  invitation: JoinString;
  name: string;
  facts: Facts;
  look: BoxLook;
  /** What is to start and stop the daemons. */
  service: 'direct' | 'systemd';
}

export interface Preflight {
  ok: boolean;
  /** Whether the manager has given a verdict: else nobody knows what the roles need. */
  judged: boolean;
  checks: Finding[];
  /** Of the roles of the invitation; `command` installs what is missing. */
  packages: { wanted: string[]; missing: string[]; command: string | null };
}

const isVerdict = Compile(Verdict);
const TIMEOUT_MS = 15_000;

export async function preflight(options: PreflightOptions): Promise<Preflight> {
  const { box, invitation, facts, look, service } = options;
  const ca = parseCertificate(Buffer.from(invitation.ca, 'base64')).toString();
  const { verdict, refusal } = await askedOf(options, ca);
  const needs = verdict?.needs;
  const { address, paths } = facts;
  const asked: Asked = { box, look, needs, service, member: false, address, paths };
  const checks = merged([
    ...(verdict?.checks ?? []),
    ...refusal,
    await otherAgent({ address: invitation.address, ca })(asked),
    await portsOut(box, invitation.address, doorsOf(invitation, verdict)),
    ...(await lookedAt(asked, verdict?.ports.health)),
  ]);
  const wanted = needs ? packagesFor(look, needs) : [];
  const missing = (await missingPackages(box, look.os.family, wanted)) ?? wanted;
  const command = missing.length === 0 ? null : installWords(look.os.family, missing);
  return {
    ok: !isFailing(checks),
    judged: verdict !== undefined,
    checks,
    packages: { wanted, missing, command },
  };
}

const doorsOf = ({ port }: JoinString, verdict: Verdict | undefined) => [
  { port, what: 'joining' },
  ...(verdict
    ? [
        { port: verdict.ports.machines, what: 'desired state' },
        { port: verdict.ports.broker, what: 'messages' },
      ]
    : []),
];

/** The manager's word, with the health port open for a moment, so that it can try it. */
async function askedOf(
  options: PreflightOptions,
  ca: string,
): Promise<{ verdict?: Verdict; refusal: Finding[] }> {
  const asked = async (port: number): Promise<Verdict> => {
    const opened = await options.box.listen(options.facts.address, port);
    try {
      return await ask(options, ca, typeof opened === 'string' ? undefined : port);
    } finally {
      if (typeof opened !== 'string') await opened();
    }
  };
  try {
    const verdict = await asked(HEALTH_PORT);
    const { health } = verdict.ports;
    return { verdict: health === HEALTH_PORT ? verdict : await asked(health), refusal: [] };
  } catch (err) {
    return { refusal: [refusalOf(err, options)] };
  }
}

async function ask(
  { box, look, invitation: { address, port, secret }, name, facts }: PreflightOptions,
  ca: string,
  listens: number | undefined,
): Promise<Verdict> {
  const { path, method } = api.preflight;
  const now = { ...facts, box: { ...look, clock: Math.round(box.now()) } };
  const body = { secret, name, facts: now, ...(listens === undefined ? {} : { listens }) };
  const to = { host: address, port, tls: { ca } };
  const answer = await request({ ...to, method, path, body, timeout: TIMEOUT_MS, limit: 1024 * 1024 });
  return verdictIn(answer);
}

function verdictIn(answer: Answered): Verdict {
  if (answer.status !== 200) throw refusalIn(answer);
  if (isVerdict.Check(answer.body)) return answer.body;
  throw new EvenkeelError('bad-request', 'the answer of the manager cannot be understood');
}

/** OpenSSL's words for a certificate that does not hold yet, or no longer: by this box's clock. */
const UNTIMELY = /not yet valid|expired/i;

/** What a manager that gives no verdict means for the box. */
function refusalOf(err: unknown, { box }: PreflightOptions): Finding {
  const said = messageOf(err);
  if (UNTIMELY.test(said))
    return fail(
      'clock',
      `by this box it is ${new Date(box.now()).toISOString()}, when the manager's certificate does not hold`,
      {
        why: 'neither side believes the certificate of the other',
        fix: 'set the clock, and keep it right by NTP',
        command: 'timedatectl set-ntp true',
      },
    );
  if (err instanceof EvenkeelError && err.code === 'node-unreachable')
    return fail('invitation', `the manager gives no verdict: ${said}`, {
      why: 'nobody can say whether the box fits',
      fix: 'see ports-out; a certificate that is not by the authority in the join string is somebody else',
    });
  const code = err instanceof EvenkeelError ? err.code : 'internal';
  return fail('invitation', `${code}: ${said}`, {
    why: 'the box would not be let in',
    fix: 'ask for another invitation, or use the name and the address that it is for',
    command: 'evenkeel node invite',
  });
}
