/** Releases made of commits: of this checkout as it is committed, and of others on top of it, each in a clone of its own. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, run } from './host.ts';

const LONGEST_MS = 300_000;

/** What is changed by one commit: a file, and what becomes of its text. */
export interface Commit {
  file: string;
  change: (text: string) => string;
}

/**
 * Builds one release for each step: the first of HEAD, each further one of a commit more.
 * @param folder is made anew; @returns the folders of the releases, in order
 */
export function makeReleases(folder: string, commits: readonly Commit[]): string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const clone = join(folder, 'clone');
  run('git', ['clone', '--quiet', '--shared', checkout, clone]);
  symlinkSync(join(checkout, 'node_modules'), join(clone, 'node_modules'));
  const made = [build(clone, join(folder, 'release-0'))];
  for (const [at, { file, change }] of commits.entries()) {
    const path = join(clone, file);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const who = ['-c', 'user.name=lab', '-c', 'user.email=lab@example.org'];
    run('git', ['-C', clone, ...who, 'commit', '--quiet', '-am', `lab: change ${file}`]);
    made.push(build(clone, join(folder, `release-${at + 1}`)));
  }
  return made;
}

function build(clone: string, to: string): string {
  const node = (script: string, ...words: string[]) =>
    run(process.execPath, [join(clone, 'scripts', script), ...words], { timeout: LONGEST_MS });
  node('build.mjs');
  node('release.mjs', to);
  if (!existsSync(join(to, 'SHA256SUMS'))) throw new Error(`${to} is no release`);
  return to;
}

/** Puts a release where a box sees it: `/lab/<name>`. */
export function layRelease(release: string, boxFolder: string, name: string): void {
  rmSync(join(boxFolder, name), { recursive: true, force: true });
  cpSync(release, join(boxFolder, name), { recursive: true });
}
