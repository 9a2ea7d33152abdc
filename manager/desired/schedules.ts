/** Admission of schedules: a line and a zone that mean something, and an action that can be run with what they give. Pure. */
import { valuesOf } from '../../common/actions/values.ts';
import type { Proposal } from '../../common/rules.ts';
import { milliseconds } from '../../common/units.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { keyOf } from '../../protocol/resource.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { ScheduleSpec } from '../../protocol/resources/schedule.ts';
import { lineWrong, type Wrong, zoneWrong } from './calendar.ts';
import { problemAt, type Touched } from './place.ts';

interface Misfit extends Wrong {
  /** Below spec. */
  field: string;
}

const DAY = '24h';

export function scheduleProblems({ after }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Schedule', 'Action')) return [];
  const own = touched
    .puts('Schedule')
    .flatMap(({ edit, resource: { spec } }) =>
      [...ofTime(spec), ...ofPlace(spec, after)].map(({ field, message, fix }) =>
        problemAt(edit, `spec/${field}`, { code: 'invalid-document', message, fix }),
      ),
    );
  return [...own, ...[...after.Schedule.values()].flatMap((one) => ofAction(one, after, touched))];
}

function ofTime({ cron, timeZone, jitter, rolling }: ScheduleSpec): Misfit[] {
  const [line, zone] = [lineWrong(cron), zoneWrong(timeZone)];
  const isLong = jitter !== undefined && milliseconds(jitter) > milliseconds(DAY);
  return [
    ...(line ? [{ ...line, field: 'cron' }] : []),
    ...(zone ? [{ ...zone, field: 'timeZone' }] : []),
    ...(jitter !== undefined && rolling?.drain !== undefined ? [{ field: 'jitter', ...idle }] : []),
    ...(isLong ? [{ field: 'jitter', message: `is ${jitter}`, fix: `use ${DAY} at most` }] : []),
  ];
}

const idle = {
  message: 'would keep each node drained while it waits',
  fix: 'leave out jitter or drain: drained nodes are taken one after the other anyway',
};

/** Nodes come and go, and each run judges anew; what was never there is a slip of the pen. */
function ofPlace({ on }: ScheduleSpec, { Node, Policy }: View): Misfit[] {
  const roles = new Set([
    ...[...Node.values()].flatMap(({ spec }) => spec.roles),
    ...[...Policy.values()].map(({ spec }) => spec.role),
  ]);
  if (on === 'all' || roles.has(on)) return [];
  const stranger = on.split(',').find((word) => !Node.has(word.trim()));
  if (stranger === undefined) return [];
  const fix = 'use all, a role, or names with commas between: evenkeel nodes';
  return [{ field: 'on', message: `there is no node and no role ${stranger.trim()}`, fix }];
}

/** A schedule is judged again when its action is changed; then that is what is wrong. */
function ofAction({ kind, name, spec }: Stored<'Schedule'>, { Action }: View, touched: Touched): Problem[] {
  const own = touched.of(kind, name);
  const edit = own ?? touched.of('Action', spec.action);
  const action = Action.get(spec.action)?.spec;
  if (edit === undefined || action === undefined) return [];
  return misfits(spec, action).map(({ field, message, fix }) =>
    own
      ? problemAt(edit, `spec/${field}`, { code: 'invalid-document', message, fix })
      : problemAt(edit, 'spec/parameters', {
          code: 'still-referenced',
          message: `${keyOf({ kind, name })} runs it, and there ${field} ${message}`,
          fix: `change ${keyOf({ kind, name })} in the same request`,
        }),
  );
}

function misfits({ parameters }: ScheduleSpec, action: ActionSpec): Misfit[] {
  const secrets = Object.entries(action.parameters).filter(
    ([name, one]) =>
      one.type === 'text' && one.secret && (one.default === undefined || Object.hasOwn(parameters, name)),
  );
  if (secrets.length > 0)
    return secrets.map(([name]) => ({
      field: `parameters/${name}`,
      message: 'is secret, and whoever may look is shown what a schedule says',
      fix: 'let the action read the secret from a file on the node, or run it by hand',
    }));
  const valued = valuesOf(action.parameters, parameters, 'parameters');
  if (valued.ok) return [];
  return valued.problems.map(({ path, message, fix = '' }) => ({ field: path, message, fix }));
}
