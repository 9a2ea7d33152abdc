/** What storage asks of a kernel, on a real one in a network and a table of mounts of its own. */
import { declareInside } from '../inside/run.ts';

await declareInside('storage.inside.ts');
