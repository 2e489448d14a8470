import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cutModel } from '../graph/cut.ts';
import { freeInputs, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { GraphCache, type GraphIdentity, machineKind } from './graph-cache.ts';
import { readModelFile } from './model-file.ts';
import { onnxruntimePackage } from './onnxruntime-package.ts';
import type { LoadRequest } from './protocol.ts';
import { GRAPH_LEVEL, openSession, type Session } from './runtime.ts';
import { SUITED, suitCpu } from './suit-cpu.ts';

/** A network opened on a device. */
export interface OpenedGraph {
  readonly session: Session;
  /** What the session reads its weights from while it lives; null where it has a copy of its own. */
  readonly weights: Uint8Array | null;
  /** Images the network takes at once, where its file fixes that; null = any number. */
  readonly fixedBatch: number | null;
  /** True where the graph had been optimised before. */
  readonly fromCache: boolean;
}

/** What the output of a request's cut is called in the graph. */
export function outputName(index: number): string {
  return `hyaline.features${index}`;
}

/**
 * Opens a network cut as the request says; the optimised graph comes from the cache where it is there, else it is kept.
 * Features are the same to the last bit either way.
 *
 * @throws AppError BackboneUnreadable, BackboneFailed, DeviceFailed.
 */
export async function openGraph(request: LoadRequest): Promise<OpenedGraph> {
  const identity = identityOf(request);
  const cache = request.graphCache === undefined ? null : new GraphCache(request.graphCache);
  if (cache === null || identity === null) return await build(request, (opening) => openSession(opening));
  const kept = await cache.read(identity);
  if (kept !== null) {
    const { provider, threads } = request;
    const session = await openSession({ model: kept.model, provider, threads, optimised: true }).catch(() => null);
    if (session !== null) return { session, weights: kept.model, fixedBatch: kept.fixedBatch, fromCache: true };
    await cache.forget(identity);
  }
  return await build(request, (opening, fixedBatch) =>
    cache.keep(identity, fixedBatch, async (path) => {
      if (path === null) return await openSession(opening);
      // A full disk fails the writing session; the network itself may be well.
      return await openSession({ ...opening, writeOptimisedTo: path }).catch(() => openSession(opening));
    }),
  );
}

type Opening = Parameters<typeof openSession>[0];

async function build(
  request: LoadRequest,
  open: (opening: Opening, fixedBatch: number | null) => Promise<Session>,
): Promise<OpenedGraph> {
  const model = await readModelFile(request.modelPath);
  const cut = cutModel(
    model,
    request.cuts.map((point, index) => ({ tensor: point.tensor, pooling: point.pooling, output: outputName(index) })),
  );
  const batch = freeInputs(model.graph)[0]?.dims?.[0];
  const fixedBatch = typeof batch === 'number' && batch > 0 ? batch : null;
  const { provider, threads } = request;
  const session = await open({ model: encodeModel(suited(cut, request)), provider, threads }, fixedBatch);
  return { session, weights: null, fixedBatch, fromCache: false };
}

function suited(cut: OnnxModel, { provider, inputName, input }: LoadRequest): OnnxModel {
  if (provider !== 'cpu' || input.layout !== 'NCHW') return cut;
  return suitCpu(cut, inputName, [input.heightPx, input.widthPx]);
}

/** Everything but the network and its cuts that decides the optimised graph. */
function levelOf({ heightPx, widthPx, layout }: LoadRequest['input']): string {
  return `${GRAPH_LEVEL}, ${SUITED} for ${layout} ${widthPx} x ${heightPx}`;
}

/**
 * Null where the graph is not kept: of a model that is not named by its own SHA-256 (one outside the store, which may
 * change), and on any device but the CPU, whose graphs hold parts compiled for one driver.
 */
function identityOf({ modelPath, cuts, provider, input }: LoadRequest): GraphIdentity | null {
  const modelSha256 = /^([0-9a-f]{64})\.onnx$/.exec(basename(modelPath))?.[1];
  if (modelSha256 === undefined || provider !== 'cpu') return null;
  return {
    modelSha256,
    cuts,
    provider,
    level: levelOf(input),
    runtimeVersion: runtimeVersion(),
    machine: machineKind(),
  };
}

function runtimeVersion(): string {
  const { version } = JSON.parse(readFileSync(join(onnxruntimePackage(), 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  return version;
}
