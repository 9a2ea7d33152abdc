/** The floor of a first convergence: one Node program that does nothing but write files, each made durable. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { serve, sharedNow } from '../worker.ts';

export interface FileToWrite {
  path: string;
  text: string;
}

/** Temporary name, fsync and rename for every file, and fsync for every folder: what durability costs at the least. */
function write({ folder, files }: { folder: string; files: FileToWrite[] }): number {
  const begun = sharedNow();
  const folders = new Set(files.map(({ path }) => dirname(join(folder, path))));
  for (const path of folders) mkdirSync(path, { recursive: true });
  for (const { path, text } of files) writeDurably(join(folder, path), text);
  for (const path of folders) syncFolder(path);
  return sharedNow() - begun;
}

function writeDurably(path: string, text: string): void {
  const file = openSync(`${path}.new`, 'w', 0o644);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

serve({ write });
