/** The kernel of a box, on a real kernel in a network of its own. */
import { declareInside } from '../inside/run.ts';

await declareInside('kernel.inside.ts');
