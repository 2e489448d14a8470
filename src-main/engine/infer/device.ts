import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import type { DeviceCandidate, DeviceStatus, DeviceTest } from '../../../src-shared/model/installation.ts';
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
  /** What became of every candidate, best first. */
  readonly candidates: readonly DeviceCandidate[];
}

/** A backbone a device is tested with before it is trusted. */
export interface TestSubject {
  readonly modelPath: string;
  /** Dims of one batch of its input. */
  readonly dims: readonly number[];
}

export interface DeviceChoice {
  /** Threads of a CPU session; 0 = all cores. */
  readonly threads: number;
  /** The only device to try before the CPU, chosen by the user; null = best first. */
  readonly pinned?: ProviderName | null;
  /** The backbones a device must agree with the CPU on; none = a small built-in network. */
  readonly subjects?: readonly TestSubject[];
  /** Devices that have failed in mid-run, with the reason: not tried again. */
  readonly failed?: ReadonlyMap<ProviderName, string>;
  /** True = every candidate is tested, also after a good one was found. */
  readonly testAll?: boolean;
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

/** Providers that this project's automatic checks have not run on a real device; WebGPU runs there on SwiftShader. */
export const NOT_RUN_BY_CHECKS: readonly ProviderName[] = ['cuda', 'dml', 'coreml'];

export function deviceLabel(provider: ProviderName): string {
  return LABELS[provider];
}

/**
 * Chooses what inference runs on. A device is used only if a self-test in a child process ends well: it must agree
 * with the CPU and, unless the user pinned it, be faster. Why each other device is not used is kept for the user.
 */
export async function chooseDevice(choice: DeviceChoice): Promise<ChosenDevice> {
  const { pinned = null, platform = process.platform, testAll = false } = choice;
  const all = deviceOrder(platform);
  const wanted: readonly ProviderName[] = pinned === null ? all : [pinned, 'cpu'];
  const order = [...new Set([...wanted, ...(testAll ? all : [])])];
  const candidates: DeviceCandidate[] = [];
  let inUse: ProviderName | null = null;
  for (const provider of order.filter((each) => each !== 'cpu')) {
    if (inUse !== null && !testAll) break;
    const { reason, test } = await judge(provider, choice);
    const usable = reason === null;
    if (usable && inUse === null && wanted.includes(provider)) inUse = provider;
    const state = inUse === provider ? 'in-use' : usable ? 'usable' : 'refused';
    const why = reason ?? (inUse === provider ? 'It agrees with the CPU.' : notNeeded(inUse, pinned));
    candidates.push({ id: provider, name: LABELS[provider], state, reason: why, test });
  }
  const chosen = inUse ?? 'cpu';
  const known = new Set(candidates.map(({ id }) => id));
  for (const provider of all.filter((each) => each !== 'cpu' && !known.has(each))) {
    const reason = notNeeded(chosen, pinned);
    candidates.push({ id: provider, name: LABELS[provider], state: 'untested', reason, test: null });
  }
  candidates.push({
    ...{ id: 'cpu', name: LABELS.cpu, test: null },
    ...(chosen === 'cpu'
      ? { state: 'in-use', reason: pinned === 'cpu' ? 'You have pinned it.' : 'No better device can be used.' }
      : { state: 'usable', reason: `${LABELS[chosen]} is ahead of it; it takes over where that fails.` }),
  });
  const refused = candidates.filter(({ state }) => state === 'refused').map(({ name, reason }) => ({ name, reason }));
  const fallbacks = order.slice(order.indexOf(chosen) + 1).filter((each) => wanted.includes(each));
  return { provider: chosen, fallbacks, status: statusOf(chosen, choice.threads, refused), candidates };
}

function notNeeded(inUse: ProviderName | null, pinned: ProviderName | null): string {
  if (pinned !== null) return `You have pinned ${LABELS[pinned]}.`;
  return inUse === null ? 'It was not needed.' : `${LABELS[inUse]} comes before it and works.`;
}

interface Judgement {
  /** Why the device is not used; null = it may be. */
  readonly reason: string | null;
  readonly test: DeviceTest | null;
}

/** A device is judged by its worst subject. */
async function judge(provider: ProviderName, choice: DeviceChoice): Promise<Judgement> {
  const { probe = probeInChildProcess, missing = missingProvider, pinned = null, failed, subjects = [] } = choice;
  const absent = failed?.get(provider) ?? missing(provider);
  if (absent !== null) return { reason: absent, test: null };
  let test: DeviceTest | null = null;
  const tested = subjects.length > 0 ? subjects : [{ modelPath: null, dims: SELF_TEST_DIMS }];
  for (const { modelPath, dims } of tested) {
    const outcome = await probe({ provider, modelPath, dims });
    if (outcome.ok) test = outcome.result;
    const reason = refusal(outcome, pinned === provider);
    if (reason !== null) return { reason, test };
  }
  return { reason: null, test };
}

function statusOf(provider: ProviderName, threads: number, refused: DeviceStatus['refused']): DeviceStatus {
  const used = threads > 0 ? threads : availableParallelism();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const detail = provider === 'cpu' ? `${model}, ${used} threads` : `${LABELS[provider]} through onnxruntime`;
  return { name: LABELS[provider], detail, threads: used, refused };
}

/** Why a device is not used after its self-test, as a sentence; null = it may be. A pinned one may be slow. */
export function refusal(outcome: ProbeOutcome, pinned: boolean): string | null {
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
