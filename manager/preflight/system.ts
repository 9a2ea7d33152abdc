/** The checks os, arch, version and clock: whether a box is like the others, and understood (I44, I45, E6). Pure. */
import { BACKDATED, LIFETIME } from '../../common/certificates.ts';
import { fail, pass, skip, warn } from '../../common/findings.ts';
import { systemOf } from '../../common/system.ts';
import { VERSION } from '../../common/version.ts';
import type { Finding } from '../../protocol/preflight.ts';
import { PROTOCOL, PROTOCOL_OLDEST } from '../../protocol/version.ts';
import type { Judging } from './subject.ts';

const others = ({ view, name }: Judging) => [...view.Node.values()].filter((node) => node.name !== name);

/** `debian 12.5` and `debian 12.6` are one version; so are `rocky 9.3` and `rocky 9.4`. Ubuntu's are by year and month. */
const majorOf = (os: string) => (os.startsWith('ubuntu') ? os : os.replace(/\..*$/, ''));

export function os(asked: Judging): Finding {
  const own = systemOf(asked.facts)?.os;
  if (own === undefined) return skip('os', 'its agent does not say');
  const different = others(asked).filter(
    ({ spec }) => spec.system && majorOf(spec.system.os) !== majorOf(own),
  );
  if (different.length === 0) return pass('os', own);
  const [first] = different;
  const found = `${own}, and ${different.length} of the nodes another one (${first?.name}: ${first?.spec.system?.os})`;
  return warn('os', found, {
    why: 'daemons of two versions take different configurations, and one template is for all',
    fix: 'install the same release of the same distribution on every box',
  });
}

export function arch(asked: Judging): Finding {
  const own = asked.facts.arch;
  const { serves } = asked;
  if (serves !== undefined && serves !== own)
    return fail('arch', `${own}; this manager serves the agent for ${serves}`, {
      why: 'the agent does not run on this box',
      fix: `use a box with a processor of the kind ${serves}`,
    });
  const different = others(asked).filter(({ spec }) => spec.system && spec.system.arch !== own);
  const [first] = different;
  if (!first) return pass('arch', own);
  return warn('arch', `${own}, and ${first.name} has ${first.spec.system?.arch}`, {
    why: 'programs that sites bring along do not run on every node',
    fix: 'use boxes with the same kind of processor',
  });
}

export function version({ facts: { agent, protocol } }: Judging): Finding {
  const found = `agent ${agent}, protocol ${protocol}`;
  const fix = 'install the agent that this manager serves';
  if (protocol > PROTOCOL || protocol < PROTOCOL_OLDEST)
    return fail('version', `${found}; this manager (${VERSION}) speaks ${PROTOCOL_OLDEST} to ${PROTOCOL}`, {
      why: 'they would not understand each other',
      fix: protocol > PROTOCOL ? `upgrade the manager first, or ${fix}` : fix,
    });
  if (agent === VERSION) return pass('version', found);
  return warn('version', `${found}; the manager is ${VERSION}`, {
    why: 'it works, but what is new in one of them is not there',
    fix: 'upgrade the older of the two',
  });
}

const WARN_MS = 2_000;
/** A certificate is renewed at half its life: a clock that far ahead renews for ever. */
const AHEAD_MS = LIFETIME / 2;

function span(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function clock({ facts: { box }, now }: Judging): Finding {
  if (!box) return skip('clock', 'its agent does not say');
  const ahead = box.clock - now;
  const found = `${span(ahead)} ${ahead < 0 ? 'behind' : 'ahead of'} the manager`;
  const help = { fix: 'set the clock, and keep it right by NTP', command: 'timedatectl set-ntp true' };
  if (-ahead > BACKDATED || ahead > AHEAD_MS)
    return fail('clock', found, { why: 'its certificate would not hold by its own clock', ...help });
  if (Math.abs(ahead) > WARN_MS)
    return warn('clock', found, { why: 'logs and reports of the boxes do not fit together', ...help });
  return pass('clock', `within ${WARN_MS / 1000} s of the manager's`);
}
