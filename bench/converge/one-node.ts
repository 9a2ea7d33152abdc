/** Rows of one node with so many sites: first convergence, sweep, one site changed. */
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Manifest } from '../../agent/state/trees.ts';
import { type Bench, timed } from '../bench.ts';
import { median } from '../figures.ts';
import { statFloor } from '../floors/stat.ts';
import { writeFloor } from '../floors/write.ts';
import type { FileToWrite } from '../floors/write-files.ts';
import { siteOf, sitesUpTo } from '../sites.ts';
import { declaredIn, type Layout } from './declared.ts';
import { openUnit, type UnitUnderTest } from './unit.ts';

const PORT = 8080;
const SWEEPS = 20;
const CHANGES = 10;
/** The first changes meet code that has not run yet. */
const WARM_UP = 3;

/** What one size and layout gave, for the rows that compare sizes. */
export interface Measured {
  changed: number[];
  /** Every file of the layout with its bytes. */
  files: FileToWrite[];
}

export interface Size {
  sites: number;
  layout: Layout;
  /** How often the first convergence is measured. */
  runs: number;
  /** What a Node program writes that does the same: the files of a layout, and their name. */
  floors: { name: string; files: FileToWrite[] | null; budget: number | null }[];
}

export async function measureNode(bench: Bench, size: Size): Promise<Measured> {
  const { sites, layout } = size;
  bench.say(`${sites} sites, ${layout}: first convergence`);
  const firsts: number[] = [];
  for (let run = 1; run < size.runs; run += 1) {
    const { unit, ms } = await firstConvergence(bench, size);
    firsts.push(ms);
    await unit.close();
  }
  const { unit, manifest, ms } = await firstConvergence(bench, size);
  firsts.push(ms);
  try {
    const files = await filesOf(unit, manifest);
    await addFirst(bench, size, firsts, files);
    await addSweep(bench, size, unit, manifest);
    await unit.settle();
    return { files, changed: await measureChanges(bench, size, unit) };
  } finally {
    await unit.close();
  }
}

async function firstConvergence(bench: Bench, { sites, layout }: Size) {
  const folder = await bench.folder('node');
  const unit = await openUnit(folder, await declaredIn(folder, layout, PORT), sitesUpTo(sites));
  const { ms, result } = await timed(bench.clock, unit.converge);
  return { unit, manifest: result, ms };
}

const filesOf = (unit: UnitUnderTest, manifest: Manifest): Promise<FileToWrite[]> =>
  Promise.all(
    manifest.files.map(async (file) => {
      const place = unit.trees.place(file, manifest.digest);
      return { path: relative(unit.trees.folder, place), text: await readFile(place, 'utf8') };
    }),
  );

async function addFirst(
  bench: Bench,
  { sites, layout, runs, floors }: Size,
  values: number[],
  own: FileToWrite[],
) {
  for (const { name, files, budget } of floors) {
    const times: number[] = [];
    for (let run = 0; run < runs; run += 1) times.push(await writeFloor(bench, files ?? own));
    bench.add({
      row: 'first convergence, durable',
      size: sites,
      layout,
      value: median(values),
      unit: 'ms',
      floor: median(times),
      floorName: `Node writing ${name}, fsync each`,
      budget,
      runs: values,
    });
  }
}

async function addSweep(bench: Bench, { sites, layout }: Size, unit: UnitUnderTest, manifest: Manifest) {
  bench.say(`${sites} sites, ${layout}: sweeps that find nothing`);
  const values: number[] = [];
  for (let turn = 0; turn < SWEEPS; turn += 1) {
    const { ms, result } = await timed(bench.clock, () => unit.sweep(manifest));
    if (result > 0) throw new Error(`a sweep found ${result} files that nobody had touched`);
    values.push(ms);
  }
  const places = unit.trees.expected(manifest).map(({ place }) => place);
  const floor = median(await statFloor(await bench.folder('floor-stat'), places, SWEEPS));
  const base = { row: 'no-op sweep', size: sites, layout, value: median(values), unit: 'ms', runs: values };
  bench.add({ ...base, floor, floorName: `stat of the ${places.length} files in C`, budget: 4 });
}

async function measureChanges(bench: Bench, { sites, layout }: Size, unit: UnitUnderTest): Promise<number[]> {
  bench.say(`${sites} sites, ${layout}: one site changed`);
  const values: number[] = [];
  for (let turn = 1; turn <= CHANGES + WARM_UP; turn += 1) {
    const site = siteOf(Math.floor((sites * turn) / (CHANGES + WARM_UP + 1)), turn);
    const { ms } = await timed(bench.clock, async () => {
      await unit.receive(site);
      await unit.converge();
    });
    await unit.settle();
    if (turn > WARM_UP) values.push(ms);
  }
  return values;
}
