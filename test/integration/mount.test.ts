/** Mounts of storages, on a real kernel in a table of mounts of their own. */
import { declareInside } from '../inside/run.ts';

await declareInside('mount.inside.ts');
