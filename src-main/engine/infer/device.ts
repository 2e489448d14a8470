import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import type { DeviceStatus } from '../../../src-shared/api/engine.ts';
import { nativeFolder, onnxruntimePackage } from './onnxruntime-package.ts';
import { type ProbeDevice, type ProbeOutcome, probeInChildProcess } from './probe.ts';
import type { ProviderName } from './protocol.ts';
import { MAX_RELATIVE_ERROR } from './self-test.ts';

const LABELS: Readonly<Record<ProviderName, string>> = {
  cuda: 'CUDA',
  dml: 'DirectML',
  coreml: 'CoreML',
  webgpu: 'WebGPU',
  cpu: 'CPU',
};

/** The device in use: its status for the user and the provider for sessions. */
export interface ChosenDevice {
  readonly provider: ProviderName;
  readonly status: DeviceStatus;
  /** Providers to try after this one fails in mid-run, best first; the CPU is always the last. */
  readonly fallbacks: readonly ProviderName[];
}

export interface DeviceChoice {
  /** Threads of a CPU session; 0 = all cores. */
  readonly threads: number;
  /** The only device to try before the CPU, chosen by the user; null = best first. */
  readonly pinned?: ProviderName | null;
  /** The backbone to test with and the dims of one batch of it; null = a small built-in network. */
  readonly backbone?: { readonly modelPath: string; readonly dims: readonly number[] } | null;
  readonly platform?: NodeJS.Platform;
  readonly probe?: ProbeDevice;
  /** Why a provider cannot even be tried on this installation; null = it can. */
  readonly missing?: (provider: ProviderName) => string | null;
}

/** Devices of a platform, best first: CUDA, then the system's own, then WebGPU, then the CPU. */
export function deviceOrder(platform: NodeJS.Platform): readonly ProviderName[] {
  if (platform === 'win32') return ['cuda', 'dml', 'webgpu', 'cpu'];
  if (platform === 'darwin') return ['coreml', 'webgpu', 'cpu'];
  return ['cuda', 'webgpu', 'cpu'];
}

const SELF_TEST_DIMS = [2, 3, 64, 64] as const;

/**
 * Chooses what inference runs on. A device is used only if a self-test in a child process ends well: it must agree
 * with the CPU and, unless the user pinned it, be faster. Why each better device was refused is kept for the user.
 */
export async function chooseDevice(choice: DeviceChoice): Promise<ChosenDevice> {
  const { pinned = null, platform = process.platform, probe = probeInChildProcess, missing = missingProvider } = choice;
  const order: readonly ProviderName[] = pinned === null ? deviceOrder(platform) : [pinned, 'cpu'];
  const refused: { name: string; reason: string }[] = [];
  for (const [index, provider] of order.entries()) {
    if (provider === 'cpu') break;
    const absent = missing(provider);
    const reason =
      absent ??
      refusal(
        await probe({
          provider,
          modelPath: choice.backbone?.modelPath ?? null,
          dims: choice.backbone?.dims ?? SELF_TEST_DIMS,
        }),
        pinned !== null,
      );
    if (reason === null) return chosen(provider, order.slice(index + 1), choice.threads, refused);
    refused.push({ name: LABELS[provider], reason });
  }
  return chosen('cpu', [], choice.threads, refused);
}

function chosen(
  provider: ProviderName,
  fallbacks: readonly ProviderName[],
  threads: number,
  refused: DeviceStatus['refused'],
): ChosenDevice {
  const used = threads > 0 ? threads : availableParallelism();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const detail = provider === 'cpu' ? `${model}, ${used} threads` : `${LABELS[provider]} through onnxruntime`;
  return { provider, fallbacks, status: { name: LABELS[provider], detail, threads: used, refused } };
}

function refusal(outcome: ProbeOutcome, pinned: boolean): string | null {
  if (!outcome.ok) {
    if ('died' in outcome) return `Not usable: ${outcome.died}.`;
    return plainReason(outcome.error.detail || outcome.error.message);
  }
  const { relativeError, deviceMs, cpuMs } = outcome.result;
  if (!(relativeError <= MAX_RELATIVE_ERROR)) {
    return `Its results differ from the CPU's by ${(100 * relativeError).toPrecision(2)} % in the self-test.`;
  }
  if (!pinned && deviceMs > cpuMs) {
    return `It is slower than the CPU here (${deviceMs.toFixed(1)} ms against ${cpuMs.toFixed(1)} ms in the self-test).`;
  }
  return null;
}

/** The libraries' own words, where they are known, as a sentence; else their first line. */
function plainReason(detail: string): string {
  if (/No supported adapters|Failed to get a WebGPU adapter/.test(detail)) return 'No graphics adapter was found.';
  if (/Failed to load shared library|LoadLibrary failed/.test(detail)) return 'Its library cannot be loaded.';
  const [line = ''] = detail.split('\n');
  return line.length > 200 ? `Not usable: ${line.slice(0, 200)}…` : `Not usable: ${line}`;
}

/** The providers whose libraries this installation of onnxruntime holds, without loading it. */
function missingProvider(provider: ProviderName): string | null {
  const folder = nativeFolder(onnxruntimePackage());
  const holds = (...names: readonly string[]): boolean => names.some((name) => existsSync(join(folder, name)));
  if (provider === 'cuda' && !holds('libonnxruntime_providers_cuda.so', 'onnxruntime_providers_cuda.dll')) {
    return 'Its library is not part of this installation.';
  }
  if (provider === 'dml' && process.platform !== 'win32') return 'It exists on Windows only.';
  if (provider === 'coreml' && process.platform !== 'darwin') return 'It exists on macOS only.';
  return null;
}
