/** The check packages: which packages of the roles are not installed yet. */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import type { BoxLook, Needs } from '../../../protocol/preflight.ts';
import { type Asked, type Check, NOBODY_SAID } from '../asked.ts';
import type { Box } from '../box.ts';

/** The command that says which are installed, and how a line names one of them. */
const ASKS: Record<'debian' | 'rhel', { command: [string, ...string[]]; installed: RegExp }> = {
  // One that was removed and left its configuration is known to dpkg as well.
  debian: {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
    command: ['dpkg-query', '-W', '-f=${db:Status-Status} ${Package}\\n'],
    installed: /^installed (\S+)$/,
  },
  rhel: { command: ['rpm', '-q', '--qf', 'installed %{NAME}\\n'], installed: /^installed (\S+)$/ },
};

export const installWords = (family: BoxLook['os']['family'], packages: readonly string[]): string =>
  family === 'rhel'
    ? `dnf install -y ${packages.join(' ')}`
    : `apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** @returns null where nobody can say */
export async function missingPackages(
  box: Box,
  family: BoxLook['os']['family'],
  wanted: readonly string[],
): Promise<string[] | null> {
  if (wanted.length === 0) return [];
  if (family === 'other') return null;
  const { command, installed } = ASKS[family];
  const ran = await box.run([...command, ...wanted]);
  if (ran === null || ran.status === null) return null;
  const there = new Set(ran.output.split('\n').flatMap((line) => installed.exec(line)?.[1] ?? []));
  return wanted.filter((one) => !there.has(one));
}

/** None of a family that nobody knows. */
export const packagesFor = ({ os: { family } }: BoxLook, { packages }: Needs): string[] =>
  family === 'other' ? [] : packages[family];

export const packages: Check = async ({ box, look, needs, member }: Asked) => {
  if (!needs) return skip('packages', NOBODY_SAID);
  const { family, id } = look.os;
  if (family === 'other') return skip('packages', `nobody knows the packages of ${id}`);
  const wanted = packagesFor(look, needs);
  const missing = await missingPackages(box, family, wanted);
  const list = wanted.join(', ');
  if (missing === null) return skip('packages', `nobody here can say whether ${list} are installed`);
  if (missing.length === 0)
    return pass('packages', list === '' ? 'the roles need none' : `installed: ${list}`);
  const found = `not installed: ${missing.join(', ')}`;
  const command = installWords(family, missing);
  if (member)
    return fail('packages', found, {
      why: 'daemons of its roles cannot start',
      fix: 'install them',
      command,
    });
  return warn('packages', found, {
    why: 'daemons of its roles could not start',
    fix: 'install.sh installs them; by hand, keep their daemons off',
    command,
  });
};
