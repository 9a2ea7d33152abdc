/** `evenkeel render`: the files of a node as the manager renders them from the journal, whatever the node has. */
import type { Command } from 'commander';
import type { AnswerOf } from '../../protocol/endpoints.ts';
import { UsageError } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';

interface RenderOptions {
  unit?: string;
  file?: string;
}

export function addRender(program: Command): void {
  program
    .command('render')
    .description('every file of a node, rendered from what is declared')
    .argument('<node>')
    .option('--unit <unit>', 'only of this unit')
    .option('--file <path>', 'only this file, and nothing around it')
    .addHelpText('after', '\nExample:\n  evenkeel render n1 --unit web-nginx --file nginx.conf\n')
    .action(async (name: string, options: RenderOptions, command: Command) => {
      const session = sessionOf(command);
      const answer = await withProgress(`rendering ${name}`, () =>
        session.client.call('render', { params: { name } }),
      );
      const units = chosen(answer, options);
      session.print({ node: name, units }, () => filesText(units, options, session));
    });
}

type Units = AnswerOf<'render'>['units'];

function chosen({ node, units }: AnswerOf<'render'>, { unit, file }: RenderOptions): Units {
  const own = units.filter((one) => unit === undefined || one.unit === unit);
  if (unit !== undefined && own.length === 0)
    throw new UsageError(
      `${node} has no unit ${unit}`,
      `it has ${units.map((one) => one.unit).join(', ') || 'none'}`,
    );
  if (file === undefined) return own;
  const found = own
    .map((one) => ({ ...one, files: one.files.filter(({ path }) => path === file) }))
    .filter(({ files }) => files.length > 0);
  if (found.length > 0) return found;
  throw new UsageError(`${node} has no file ${file}`, 'see their paths with -o json');
}

function filesText(units: Units, { file }: RenderOptions, { paint }: Session): string {
  if (file !== undefined) return units.flatMap(({ files }) => files.map(({ text }) => text)).join('');
  if (units.length === 0) return 'no policy is for the roles of this node';
  return units
    .flatMap(({ unit, digest, files }) => [
      paint('bold', `=== ${unit}  tree ${digest.slice(0, 12)}  ${files.length} files`),
      ...files.map(({ path, text }) => `${paint('dim', `--- ${path}`)}\n${text}`),
    ])
    .join('\n');
}
