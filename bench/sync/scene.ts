/** What the rows of one fleet are measured on. */
import type { Worker } from '../worker.ts';
import type { Api } from './api.ts';
import type { Cluster } from './cluster.ts';

export interface Scene {
  agents: number;
  cluster: Cluster;
  fleet: Worker;
  api: Api;
}
