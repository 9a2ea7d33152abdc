/** What a check is given: the box, what it said of itself, and what its roles ask of it. */
import type { BoxLook, Finding, Needs } from '../../protocol/preflight.ts';
import type { Box } from './box.ts';

export interface Asked {
  box: Box;
  look: BoxLook;
  /** At which other boxes are to reach it. */
  address: string;
  paths: { state: string; run: string; log: string };
  /** What is to start and stop the daemons. */
  service: 'direct' | 'systemd';
  /** Undefined while the manager has not said. */
  needs: Needs | undefined;
  /** Whether the box is a node already: then what it needs should be there by now. */
  member: boolean;
}

/** One look at the box, which changes nothing. */
export type Check = (asked: Asked) => Promise<Finding> | Finding;

export const NOBODY_SAID = 'the manager has not said what the roles need';
