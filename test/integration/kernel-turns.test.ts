/** Lines that change hands between units, on a real kernel in a network of its own. */
import { declareInside } from '../inside/run.ts';

await declareInside('kernel-turns.inside.ts');
