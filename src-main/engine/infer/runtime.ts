import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Ort from 'onnxruntime-node';
import { AppError } from '../../../src-shared/errors.ts';
import { onnxruntimePackage } from './onnxruntime-package.ts';
import type { ProviderName } from './protocol.ts';

export type Runtime = typeof Ort;
export type Session = Ort.InferenceSession;

let loading: Promise<Runtime> | null = null;

/**
 * onnxruntime, loaded on first use. Call it on a worker thread or in a child process only: `session.run` blocks.
 *
 * @throws AppError DeviceFailed where telemetry has not been switched off before this process started, or where the
 * library cannot be loaded.
 */
export function loadRuntime(): Promise<Runtime> {
  if (process.env.ORT_DISABLE_TELEMETRY !== '1') {
    throw new AppError('DeviceFailed', 'Inference was not started, because usage reports are not switched off.', {
      advice: 'Start Hyaline with its own launcher, or set ORT_DISABLE_TELEMETRY=1.',
      detail: 'ORT_DISABLE_TELEMETRY must be 1 before onnxruntime loads',
    });
  }
  const entry = pathToFileURL(join(onnxruntimePackage(), 'dist', 'index.js')).href;
  loading ??= (import(/* @vite-ignore */ entry) as Promise<Runtime>).catch((cause: unknown) => {
    loading = null;
    throw new AppError('DeviceFailed', 'The inference library onnxruntime could not be loaded.', {
      advice: 'Install Hyaline again for this operating system.',
      detail: String(cause),
      cause,
    });
  });
  return loading;
}

export interface SessionRequest {
  readonly model: Uint8Array | string;
  readonly provider: ProviderName;
  /** 0 = as many as there are cores. */
  readonly threads: number;
  /**
   * True where onnxruntime has written this very graph: it is taken as it is, and weights are read where they lie in
   * `model`, which the caller must hold until the session is released.
   */
  readonly optimised?: boolean;
  /** Outputs that stay in the device's memory where they can be handed on (`keepsOutputs`); elsewhere without effect. */
  readonly keepOnDevice?: readonly string[];
  /** Where the optimised graph is written, in onnxruntime's own format; nowhere if left out. */
  readonly writeOptimisedTo?: string;
}

/** How far graphs are optimised: fusions, and on a CPU the layout its vector units like best. */
export const GRAPH_LEVEL = 'all';

/** onnxruntime's own format needs no parsing, and its weights need not be copied. */
const WRITE_ORT_FORMAT = { session: { save_model_format: 'ORT' } };
const READ_ORT_FORMAT = {
  session: {
    load_model_format: 'ORT',
    use_ort_model_bytes_directly: '1',
    use_ort_model_bytes_for_initializers: '1',
  },
};

/**
 * True where onnxruntime-node can leave an output in the device's memory and take it as an input again. Of the providers
 * only WebGPU can: the binding of 1.30 (js/node/src/tensor_helper.cc) makes a `gpu-buffer` tensor only of memory whose
 * allocator is named WebGPU_Buffer; what CUDA, DirectML and CoreML give out it copies to the processor's memory. Such a
 * tensor cannot be read by `getData` (it ends the process): a session that gives it out again has to.
 */
export function keepsOutputs(provider: ProviderName): boolean {
  return provider === 'webgpu';
}

/** Opens a session on one provider only: where it fails, the caller decides what comes next. */
export async function openSession(request: SessionRequest): Promise<Session> {
  const runtime = await loadRuntime();
  const { keepOnDevice = [] } = request;
  const options: Ort.InferenceSession.SessionOptions = {
    executionProviders: [request.provider],
    graphOptimizationLevel: request.optimised ? 'disabled' : GRAPH_LEVEL,
    logSeverityLevel: 4,
    intraOpNumThreads: request.threads > 0 ? request.threads : availableParallelism(),
    ...(keepOnDevice.length > 0 && keepsOutputs(request.provider)
      ? { preferredOutputLocation: Object.fromEntries(keepOnDevice.map((name) => [name, 'gpu-buffer'])) }
      : {}),
    ...(request.optimised ? { extra: READ_ORT_FORMAT } : {}),
    ...(request.writeOptimisedTo === undefined
      ? {}
      : { optimizedModelFilePath: request.writeOptimisedTo, extra: WRITE_ORT_FORMAT }),
  };
  try {
    return typeof request.model === 'string'
      ? await runtime.InferenceSession.create(request.model, options)
      : await runtime.InferenceSession.create(request.model, options);
  } catch (cause) {
    throw loadFailure(cause, request.provider);
  }
}

const OUT_OF_MEMORY = /bad_alloc|failed to allocate|out of memory|OOM/i;

/** True where a run failed for want of memory, so that a smaller batch may succeed. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof AppError && error.code === 'DeviceFailed' && OUT_OF_MEMORY.test(error.detail);
}

function loadFailure(cause: unknown, provider: ProviderName): AppError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (/opset|ir.?version|operator set/i.test(detail) && /support|develop|unsupported/i.test(detail)) {
    return new AppError('BackboneUnreadable', 'This network was written for a newer version of ONNX.', {
      advice: 'Export it with operator set 21 or lower.',
      detail,
      cause,
    });
  }
  if (OUT_OF_MEMORY.test(detail)) return runFailure(cause);
  if (provider !== 'cpu') {
    return new AppError('DeviceFailed', `The network could not be loaded on ${provider.toUpperCase()}.`, {
      advice: 'Hyaline can go on with the CPU.',
      detail,
      cause,
    });
  }
  return new AppError('BackboneFailed', 'The inference library refused to load this network.', {
    advice: 'Check that the file is a complete ONNX model with standard operators.',
    detail,
    cause,
  });
}

/** What a failed run means to the user. */
export function runFailure(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (OUT_OF_MEMORY.test(detail)) {
    return new AppError('DeviceFailed', 'The device ran out of memory while computing features.', {
      advice: 'Use a smaller batch, or close other programs.',
      detail,
      cause,
    });
  }
  if (/cuda|cudnn|dml|directml|webgpu|coreml|device/i.test(detail)) {
    return new AppError('DeviceFailed', 'The device stopped while computing features.', {
      advice: 'Continue on the CPU.',
      detail,
      cause,
    });
  }
  return new AppError('BackboneFailed', 'The backbone failed while computing features.', {
    advice: 'Check its input size and layout on its card.',
    detail,
    cause,
  });
}
