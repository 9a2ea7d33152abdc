/** `evenkeel explain`: the fields of a kind, what may be written in them, and what they mean. Asks no manager. */
import type { Command } from 'commander';
import { nearest } from '../../protocol/nearest.ts';
import { type Field, fieldsOf, summaries } from '../../protocol/reference.ts';
import { type Kind, kindNames } from '../../protocol/resource.ts';
import { UsageError } from '../failure.ts';
import { kindOf } from '../kinds.ts';
import { type Session, sessionOf } from '../session.ts';

export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('the fields of a kind, and what they mean')
    .argument('[kind]', 'such as Site, or Site.redirects; without it all kinds')
    .addHelpText('after', HELP)
    .action((text: string | undefined, _: object, command: Command) => {
      const session = sessionOf(command);
      if (text === undefined) return explainKinds(session);
      const [kind = '', ...path] = text.split('.');
      explainKind(kindOf(kind), path.join('.'), session);
    });
}

const HELP = `
Examples:
  evenkeel explain Site
  evenkeel explain VirtualService.pool
`;

function explainKinds(session: Session): void {
  const rows = kindNames.map((kind) => [kind, summaries[kind]]);
  session.print(summaries, () => session.table(['KIND', 'IS'], rows));
}

const HEADERS = ['FIELD', 'WHAT IT IS', 'GIVEN', 'MEANS'];

function explainKind(kind: Kind, path: string, session: Session): void {
  const fields = fieldsOf(kind).filter((field) => path === '' || isWithin(field, path));
  if (fields.length === 0) throw unknown(kind, path);
  const rows = fields.map((field) => [field.path, field.form, field.given, field.means]);
  session.print({ kind, means: summaries[kind], fields }, () =>
    [
      `${session.paint('bold', kind)}  ${summaries[kind]}`,
      '',
      session.table(HEADERS, rows),
      '',
      'All of them are below `spec`; [] stands for each of a list, <name> for each name.',
    ].join('\n'),
  );
}

/** The field itself, and what is in it; nobody has to write the brackets of lists. */
function isWithin({ path }: Field, wanted: string): boolean {
  const plain = path.replaceAll('[]', '');
  return [path, plain].some(
    (one) => one === wanted || one.startsWith(`${wanted}.`) || one.startsWith(`${wanted}[`),
  );
}

function unknown(kind: Kind, path: string): UsageError {
  const known = fieldsOf(kind).map((field) => field.path.replaceAll('[]', ''));
  const meant = nearest(path, known);
  const fix = meant === undefined ? `see: evenkeel explain ${kind}` : `did you mean ${meant}?`;
  return new UsageError(`${kind} has no field ${path}`, fix);
}
