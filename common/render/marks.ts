/** Marks: by which the kernel knows a service of several ports. Pure, so that templates, drivers and admit agree. */
import { sha256 } from '../digest.ts';

/** All of ours begin so; 0 stands for no service, and belongs to the keeper of the checkers. */
const FIRST = 0x45_00_00_00;
const MANY = 0xff_ff_ff;

/**
 * The mark of a service comes from its name alone: services that come and go change nobody else's, and established
 * connections keep theirs. Two names that give the same mark are refused when they are declared.
 */
export const markOf = (service: string): number =>
  FIRST + 1 + (Number.parseInt(sha256(service).slice(0, 12), 16) % MANY);

export const isOurMark = (mark: number): boolean => mark > FIRST && mark <= FIRST + MANY;
