import type { Store } from './store.ts';

/** The store as one thread has it: the same methods without promises. */
export type SyncStore = {
  readonly [Method in keyof Store]: (...args: Parameters<Store[Method]>) => Awaited<ReturnType<Store[Method]>>;
};

export type StoreMethod = keyof Store;

/** Which methods write. A type error here means the table is incomplete. */
const WRITES: Readonly<Record<StoreMethod, boolean>> = {
  status: false,
  putSlide: true,
  getSlide: false,
  listSlides: false,
  forgetSlide: true,
  putBackbone: true,
  getBackbone: false,
  listBackbones: false,
  removeBackbone: true,
  putGrid: true,
  getGrid: false,
  createRun: true,
  getRun: false,
  findRun: false,
  listRuns: false,
  updateRun: true,
  removeRun: true,
  appendFeatures: true,
  nextTile: false,
  readFeatures: false,
  getMap: false,
  listMaps: false,
  putMap: true,
  featureDigest: false,
  getJudgement: false,
  putJudgement: true,
  listJudgedRuns: false,
  putJob: true,
  getJob: false,
  listJobs: false,
  removeJob: true,
  putStudy: true,
  getStudy: false,
  listStudies: false,
  removeStudy: true,
  putStudyHead: true,
  listStudyHeads: false,
  dropStudyHeads: true,
  putStudyVectors: true,
  getStudyVectors: false,
  putComparison: true,
  getComparison: false,
  listComparisons: false,
  removeComparison: true,
  finishComparison: true,
  getComparisonResult: false,
  listComparedTasks: false,
  getComparisonCell: false,
  getSetting: false,
  setSetting: true,
  usage: false,
};

export const STORE_METHODS = Object.keys(WRITES) as readonly StoreMethod[];

/** True for a method that changes the store. */
export function isWrite(method: StoreMethod): boolean {
  return WRITES[method];
}
