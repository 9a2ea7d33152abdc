/** Marks: by which the kernel knows a service of several ports. Pure, so that templates, drivers and admit agree. */
import { sha256 } from '../digest.ts';

/** All of ours begin so. This one is no service's: it keeps the checkers of keepalived running. */
export const KEEPER = 0x45_00_00_00;
const MANY = 0xff_ff_ff;

/**
 * The mark of a service comes from its name alone: services that come and go change nobody else's, and established
 * connections keep theirs. Two names that give the same mark are refused when they are declared.
 */
export const markOf = (service: string): number =>
  KEEPER + 1 + (Number.parseInt(sha256(service).slice(0, 12), 16) % MANY);

export const isOurMark = (mark: number): boolean => mark > KEEPER && mark <= KEEPER + MANY;
