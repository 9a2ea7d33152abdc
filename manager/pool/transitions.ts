/** Transitions: what has changed between two looks at a pool, as event lines for people. Pure. */
import type { Warning } from '../../common/health/membership.ts';
import type { PoolMember } from '../../protocol/messages.ts';
import type { EventLine } from '../../protocol/views.ts';
import type { DirectorReport } from './compose.ts';

export type Happening = Omit<EventLine, 'id' | 'at'>;

/** What one look at a pool has found. */
export interface Look {
  members: readonly PoolMember[];
  reports: readonly DirectorReport[];
  fallback: boolean;
  warnings: readonly Warning[];
}

export const nothingSeen: Look = { members: [], reports: [], fallback: false, warnings: [] };

export const transitions = (service: string, before: Look, now: Look): Happening[] => [
  ...opinionChanges(service, before, now),
  ...balancerChanges(service, before, now),
  ...fallbackChange(service, before, now),
  ...guardChanges(service, before, now),
];

/** Silence and its end are events of the node; here it is only what reports say against it. */
function opinionChanges(service: string, before: Look, now: Look): Happening[] {
  const was = new Map(before.members.map((member) => [member.node, member.opinion]));
  return now.members.flatMap(({ node, opinion, reasons }): Happening[] => {
    const isDown = opinion === 'down';
    if (isDown === (was.get(node) === 'down')) return [];
    const message = isDown
      ? `reports say that ${node} cannot serve ${service}: ${reasons.join('; ')}`
      : `reports no longer speak against ${node} in ${service}`;
    return [
      {
        type: 'pool.opinion',
        severity: isDown ? 'warning' : 'info',
        node,
        subject: service,
        message,
        data: { opinion, reasons },
      },
    ];
  });
}

const words = { up: 'is in', drain: 'is draining in', down: 'is out of', absent: 'is not known to' } as const;

/** What the balancers really have, as their directors read it back. */
function balancerChanges(service: string, before: Look, now: Look): Happening[] {
  const was = new Map(rowsOf(before).map((row) => [`${row.director}/${row.node}`, row.state]));
  return rowsOf(now).flatMap(({ director, node, state, weight, detail }): Happening[] => {
    const old = was.get(`${director}/${node}`);
    if (old === state || (old === undefined && state === 'up')) return [];
    return [
      {
        type: 'pool.member',
        severity: state === 'up' ? 'info' : 'warning',
        node,
        subject: service,
        message: `${node} ${words[state]} ${service} at ${director}${detail === '' ? '' : `: ${detail}`}`,
        data: { director, state, weight },
      },
    ];
  });
}

const rowsOf = ({ reports }: Look) =>
  reports.flatMap(({ director, report }) => report.members.map((member) => ({ director, ...member })));

function fallbackChange(service: string, before: Look, now: Look): Happening[] {
  if (before.fallback === now.fallback) return [];
  return [
    now.fallback
      ? {
          type: 'pool.fallback',
          severity: 'error',
          subject: service,
          message: `nobody is left in ${service}: visitors get the fallback, where there is one`,
        }
      : {
          type: 'pool.served',
          severity: 'info',
          subject: service,
          message: `${service} is served by its members`,
        },
  ];
}

const sentences: Record<Warning, string> = {
  'nobody-left': 'no member takes new connections',
  'operator-took-the-last': 'the operator has taken the last member that could serve',
  'kept-despite-reports':
    'members stay although reports speak against them: the pool would fall below its floor',
  'reports-set-aside': 'too many members failed by reports at once: only the probes of the directors count',
};

function guardChanges(service: string, before: Look, now: Look): Happening[] {
  return now.warnings
    .filter((warning) => warning !== 'nobody-left' && !before.warnings.includes(warning))
    .map((warning) => ({
      type: 'pool.guard',
      severity: 'warning',
      subject: service,
      message: `${service}: ${sentences[warning]}`,
      data: { guard: warning },
    }));
}
