/** `evenkeel node`, as far as joining goes: invitations, boxes that wait, and whom an operator trusts. */
import { type Command, InvalidArgumentError } from 'commander';
import { isFingerprintOf, readable } from '../../common/fingerprint.ts';
import type { BodyOf } from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { InviteView, WaitingView } from '../../protocol/joining.ts';
import { Ended, UsageError } from '../failure.ts';
import { everyOne } from '../list.ts';
import { pastedLine } from '../pasted-line.ts';
import { type Session, sessionOf } from '../session.ts';
import type { Cell } from '../table.ts';
import { clockTime, relative } from '../time.ts';
import { isYes } from '../yes.ts';
import { collect } from './apply.ts';

export function addJoining(node: Command): void {
  addInvite(node);
  addInvites(node);
  addUninvite(node);
  addWaiting(node);
  addAccept(node);
  addRefuse(node);
  addTrust(node);
}

interface InviteOptions {
  role: string[];
  name?: string;
  parameter: [string, string | number | boolean][];
  hours: number;
  from?: string;
  approve: boolean;
}

function addInvite(node: Command): void {
  node
    .command('invite')
    .description('a join string, good for one box and once')
    .option('--role <role>', 'what the node will do; may be repeated', collect, [])
    .option('--name <name>', 'the only name under which it may join')
    .option('--parameter <name=value>', 'a parameter of its policies; may be repeated', parameter, [])
    .option('--hours <hours>', 'how long it is good', wholeHours, 24)
    .option('--from <range>', 'the addresses from which it may be used, such as 10.0.0.0/8')
    .option('--approve', 'the box waits until somebody accepts it: node waiting, node accept', false)
    .action(async (options: InviteOptions, command: Command) => invite(options, sessionOf(command)));
}

async function invite(
  { role, name, parameter: pairs, hours, from, approve }: InviteOptions,
  session: Session,
): Promise<void> {
  const body: BodyOf<'invite'> = {
    ...{ roles: role, hours, approve, parameters: Object.fromEntries(pairs) },
    ...(name === undefined ? {} : { name }),
    ...(from === undefined ? {} : { from }),
  };
  const answer = await session.client.call('invite', { body });
  for (const line of await unknownRoles(role, session)) session.warn(line);
  const named = name === undefined ? '' : ` --name ${name}`;
  session.print(answer, () =>
    [
      'on the new box, as root:',
      '',
      pastedLine(answer.join, name) ?? `  evenkeel-agent join ${answer.join}${named} --address ADDRESS`,
      '',
      `good until ${answer.expires}, for one box; before it is trusted the box shows this fingerprint of the manager:`,
      `  ${readable(answer.fingerprint)}`,
    ].join('\n'),
  );
}

/** A role that no policy is for makes a node that serves nothing: allowed, for the policy may come later, and said. */
async function unknownRoles(roles: readonly string[], { client }: Session): Promise<string[]> {
  if (roles.length === 0) return [];
  const known = new Set((await everyOne(client, 'Policy')).map(({ spec }) => spec.role));
  return roles
    .filter((role) => !known.has(role))
    .map(
      (role) => `no policy is for the role ${role}; there are policies for ${[...known].sort().join(', ')}`,
    );
}

function addInvites(node: Command): void {
  node
    .command('invites')
    .description('the invitations that have not expired, and what became of them')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const { items } = await session.client.call('invites');
      session.print(items, () =>
        items.length === 0
          ? 'there are no invitations; `evenkeel node invite` makes one'
          : session.table(
              ['ID', 'STATE', 'BY', 'ROLES', 'NAME', 'FROM', 'EXPIRES', 'USED'],
              items.map(inviteRow),
            ),
      );
    });
}

const inviteRow = ({ id, state, by, roles, name, from, expires, used, revoked }: InviteView): Cell[] => [
  id,
  { text: state, tone: state === 'open' ? 'good' : state === 'waiting' ? 'warn' : 'dim' },
  by,
  roles.join(', ') || '-',
  name ?? 'any',
  from ?? 'anywhere',
  relative(expires),
  [
    ...(used ? [`${used.node} at ${used.from}, ${clockTime(used.at)}`] : []),
    ...(revoked ? [`taken back by ${revoked.by}, ${clockTime(revoked.at)}`] : []),
  ].join('; ') || '-',
];

function addUninvite(node: Command): void {
  node
    .command('uninvite')
    .description('take an invitation back; it opens nothing any more')
    .argument('<id>', 'as `evenkeel node invites` shows it')
    .action(async (id: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('uninvite', { params: { id } });
      session.print(answer, () =>
        answer.used
          ? `invitation ${id} taken back; ${answer.used.node} had used it: evenkeel node remove takes the node away`
          : `invitation ${id} taken back`,
      );
    });
}

function addWaiting(node: Command): void {
  node
    .command('waiting')
    .description('boxes that wait to be accepted, or to be trusted with another key')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const { items } = await session.client.call('waiting');
      session.print(items, () =>
        items.length === 0 ? 'no box waits' : items.map((box) => boxPage(box, session)).join('\n\n'),
      );
    });
}

/** On lines of their own: a fingerprint is compared by eye. */
function boxPage(
  { name, why, key, from, since, heard, facts, roles, known }: WaitingView,
  session: Session,
): string {
  const rows: [string, string][] = [
    ['shows', readable(key)],
    ...(known?.key
      ? [
          ['known is', `${readable(known.key)}, since ${clockTime(known.joined ?? since)}`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(known?.alive
      ? [['but', `${name} lives at ${known.alive}: this is another box`] as [string, string]]
      : []),
    ['from', `${from}; it says its address is ${facts.address}`],
    ['box', `${facts.hostname}, ${facts.os}, ${facts.arch}, agent ${facts.agent}`],
    ['roles', roles.join(', ') || '-'],
    ['since', `${clockTime(since)}, last heard ${relative(heard)}`],
    ['then', why === 'approval' ? `evenkeel node accept ${name}` : `evenkeel node trust ${name}`],
  ];
  const what = why === 'approval' ? 'asks to join' : 'asks with another key';
  return [
    `${session.paint('bold', name)} ${what}`,
    ...rows.map(([label, value]) => `  ${label.padEnd(9)} ${value}`),
  ].join('\n');
}

const BY_FINGERPRINT = 'of the box, where more than one asks for the name';

function addAccept(node: Command): void {
  node
    .command('accept')
    .description('make a box that waits a node; it joins at its next try')
    .argument('<name>')
    .option('--fingerprint <fingerprint>', BY_FINGERPRINT)
    .action(async (name: string, body: { fingerprint?: string }, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('accept', { params: { name }, body });
      session.print(answer, () => `${name} is accepted, with the roles ${answer.roles.join(', ') || 'none'}`);
    });
}

function addRefuse(node: Command): void {
  node
    .command('refuse')
    .description('refuse a box that waits; its invitation opens nothing any more')
    .argument('<name>')
    .option('--fingerprint <fingerprint>', BY_FINGERPRINT)
    .action(async (name: string, body: { fingerprint?: string }, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('refuse', { params: { name }, body });
      session.print(
        answer,
        () => `the box that asked to be ${name} is refused; invitation ${answer.id} taken back`,
      );
    });
}

interface TrustOptions {
  fingerprint?: string;
  yes: boolean;
}

function addTrust(node: Command): void {
  node
    .command('trust')
    .description('trust a known node with the key of another box, such as one installed anew')
    .argument('<name>')
    .option('--fingerprint <fingerprint>', 'of the box that is to be trusted')
    .option('--yes', 'do not ask; needs --fingerprint', false)
    .action(async (name: string, options: TrustOptions, command: Command) => {
      const session = sessionOf(command);
      const box = await chosen(name, options, session);
      if (!options.yes) {
        session.note(boxPage(box, session));
        const instead = `give --fingerprint ${readable(box.key)} --yes`;
        if (!(await isYes('Is this what the box shows?', instead))) throw new Ended('refused');
      }
      const answer = await session.client.call('trust', { params: { name }, body: { fingerprint: box.key } });
      session.print(
        answer,
        () => `${name} is trusted with ${readable(box.key)}; the box joins at its next try`,
      );
    });
}

async function chosen(
  name: string,
  { fingerprint, yes }: TrustOptions,
  { client }: Session,
): Promise<WaitingView> {
  if (yes && fingerprint === undefined)
    throw new UsageError('--yes needs --fingerprint', 'give the fingerprint that the box itself shows');
  const { items } = await client.call('waiting');
  const named = items.filter((box) => box.name === name && box.why === 'identity');
  const shown = named.map(({ key, from }) => `${readable(key)} from ${from}`).join(', ');
  if (named.length === 0) throw new EvenkeelError('not-found', `no box with another key asks to be ${name}`);
  const fitting = named.filter(({ key }) => fingerprint === undefined || isFingerprintOf(fingerprint, key));
  const [box, another] = fitting;
  if (!box) throw new UsageError(`no box shows the fingerprint ${fingerprint}`, `shown are: ${shown}`);
  if (another)
    throw new UsageError(`more than one box asks to be ${name}`, `give --fingerprint; shown are: ${shown}`);
  return box;
}

/** Numbers and switches are written plainly. */
function parameter(text: string, before: InviteOptions['parameter']): InviteOptions['parameter'] {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('use name=value');
  const typed = /^-?\d+$/.test(value)
    ? Number(value)
    : value === 'true' || value === 'false'
      ? value === 'true'
      : value;
  return [...before, [name, typed]];
}

function wholeHours(text: string): number {
  const hours = Number(text);
  if (Number.isInteger(hours) && hours >= 1 && hours <= 720) return hours;
  throw new InvalidArgumentError('use a whole number from 1 to 720');
}
