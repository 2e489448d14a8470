import { describe, expect, it } from 'vitest';
import { RestartPolicy } from './restart-policy.ts';

const LIMITS = { firstDelayMs: 500, maxDelayMs: 1500, maxCrashes: 5, healthyAfterMs: 60_000 };

describe('the restart policy', () => {
  it('doubles the wait up to its limit, then opens the breaker', () => {
    const policy = new RestartPolicy(LIMITS);
    expect([1, 2, 3, 4, 5].map(() => policy.crashed(0))).toEqual([500, 1000, 1500, 1500, null]);
  });

  it('counts anew after an engine that ran well for a while', () => {
    const policy = new RestartPolicy(LIMITS);
    for (let i = 0; i < 4; i++) policy.crashed(59_999);
    expect(policy.crashed(60_000)).toBe(500);
    expect(policy.crashesInARow).toBe(1);
  });

  it('closes the breaker on request', () => {
    const policy = new RestartPolicy(LIMITS);
    for (let i = 0; i < 5; i++) policy.crashed(0);
    policy.reset();
    expect(policy.crashed(0)).toBe(500);
  });
});
