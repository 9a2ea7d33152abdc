/** Refused: the checker spoke against a tree. Who is to blame is held back, and the others go on without them. */
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Versions } from '../state/memory.ts';
import { bisect } from './bisect.ts';
import { holdBack, isTooMany, mostToBlame, versionsHeld } from './hold.ts';
import type { Pass } from './pass.ts';
import { activeManifest, previousOf } from './plan.ts';
import type { Suspects, Wanted } from './render.ts';
import { saidOf } from './said.ts';
import { stage } from './stage.ts';
import { validate } from './validate.ts';

/** The same words, whatever the names of the trees and files in them. */
const gist = (message: string) => message.replace(/[0-9a-f]{16,}/g, '');

/**
 * What to try instead of a tree that was refused.
 * @throws EvenkeelError validate-failed when nobody can be blamed, or too many: then the unit is held whole
 */
export async function without(pass: Pass, refused: Wanted, message: string): Promise<Wanted> {
  const suspects = freshSuspects(pass);
  const blamed = await sharedToBlame(pass, suspects, message);
  const culprits = blamed ?? (await itemsToBlame(pass, refused, suspects, message));
  const heldWhole = () => {
    pass.tools.log.warn({ unit: pass.unit.name, said: message }, 'the checker refuses the whole unit');
    return new EvenkeelError('validate-failed', saidOf(pass, refused, message).reason);
  };
  if (culprits.size === 0) throw heldWhole();
  for (const [key, words] of culprits) holdBack(pass, key, saidOf(pass, refused, words), refused.tried);
  const { renderer } = pass.unit;
  if (isTooMany([...pass.holding.keys()], renderer.suspects(), renderer.count())) throw heldWhole();
  return renderAs(pass, versionsHeld(pass));
}

function freshSuspects({ unit, holding }: Pass): Suspects {
  const { items, shared } = unit.renderer.suspects();
  const isFresh = (key: string) => !holding.has(key);
  return { items: items.filter(isFresh), shared: shared.filter(isFresh) };
}

/**
 * A changed template or policy makes the checker point at innocent items, so it is suspected first: when all is well
 * with its last good version, it is to blame.
 */
async function sharedToBlame(
  pass: Pass,
  { shared }: Suspects,
  message: string,
): Promise<Map<string, string> | null> {
  if (shared.length === 0 || pass.unit.record.read().good === null) return null;
  const { desired } = pass.tools;
  const back = new Map(shared.map((key) => [key, desired.unit(pass.unit.name).good(key)]));
  const passes = (await trial(pass, back)) === null;
  return passes ? new Map(shared.map((key) => [key, message])) : null;
}

async function itemsToBlame(
  pass: Pass,
  refused: Wanted,
  suspects: Suspects,
  message: string,
): Promise<Map<string, string>> {
  const { unit, tools } = pass;
  const accused = await tools.findCulprits({
    message,
    wanted: refused,
    trees: unit.trees,
    complete: () => unit.renderer.wanted(new Map(), versionsHeld(pass)),
  });
  const canHelp = accused.filter((key) => pass.holding.get(key)?.serving !== 'nothing');
  if (canHelp.length > 0 && !wasInVain(pass, message)) {
    pass.accused = { gist: gist(message), keys: canHelp };
    return new Map(canHelp.map((key) => [key, message]));
  }
  return bisected(pass, suspects.items);
}

/** The same words again although whom they seemed to mean is held back: they meant somebody else. */
function wasInVain(pass: Pass, message: string): boolean {
  if (pass.accused?.gist !== gist(message)) return false;
  for (const key of pass.accused.keys) pass.holding.delete(key);
  return true;
}

async function bisected(pass: Pass, items: string[]): Promise<Map<string, string>> {
  const memory = pass.tools.desired.unit(pass.unit.name);
  const judge = (some: readonly string[]) => {
    const tried = new Set(some);
    const others = items.filter((key) => !tried.has(key));
    return trial(pass, new Map(others.map((key) => [key, memory.good(key)])));
  };
  if ((await judge([])) !== null) return new Map();
  return bisect(items, judge, mostToBlame(items.length));
}

async function trial(pass: Pass, versions: Versions): Promise<string | null> {
  const wanted = await renderAs(pass, new Map([...versionsHeld(pass), ...versions]));
  await stage(pass, wanted);
  return validate(pass, wanted);
}

async function renderAs(pass: Pass, versions: Versions): Promise<Wanted> {
  const { trees, renderer } = pass.unit;
  return renderer.wanted(previousOf(await activeManifest(trees)), versions);
}
