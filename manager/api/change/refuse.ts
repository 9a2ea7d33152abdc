/** Refusing with everything that is wrong, not only the first of it. */
import { EvenkeelError, type Problem } from '../../../protocol/errors.ts';

const MOST = 1000;

/** Under the code of the first problem. */
export function refusalOf(problems: readonly Problem[]): EvenkeelError {
  const [first] = problems;
  if (!first) return new EvenkeelError('internal', 'it was refused without a problem');
  const where = first.path === '' ? '' : `${first.path}: `;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const detail = `${where}${first.message}${more}`;
  return new EvenkeelError(first.code, detail, { problems: problems.slice(0, MOST) });
}

/** @throws EvenkeelError when there is a problem */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw refusalOf(problems);
}
