/** What policies ask of the kernel, through the whole pipeline, on a real kernel in a network of its own. */
import { declareInside } from '../inside/run.ts';

await declareInside('kernel-unit.inside.ts');
