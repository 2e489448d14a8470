import type { DeviceCandidate, DeviceTest } from '../../../src-shared/model/installation.ts';

type Tone = 'plain' | 'ok' | 'warn';

export const DEVICE_STATES: Readonly<Record<DeviceCandidate['state'], { tone: Tone; label: string }>> = {
  'in-use': { tone: 'ok', label: 'In use' },
  usable: { tone: 'plain', label: 'Usable' },
  refused: { tone: 'warn', label: 'Not usable' },
  untested: { tone: 'plain', label: 'Not tested' },
};

/** Speed and agreement of a self-test; empty where there was none. */
export function describeTest(test: DeviceTest | null): string {
  if (test === null) return '';
  const { deviceMs, cpuMs, relativeError } = test;
  return `${deviceMs.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms; difference ${relativeError.toExponential(1)}`;
}
