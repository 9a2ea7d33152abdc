/** Runs what is in test/inside/serving.inside.ts in a network and a table of mounts of its own. */
import { declareInside } from '../inside/run.ts';

await declareInside('serving.inside.ts');
