import { describe, expect, it } from 'vitest';
import { BytesLru } from './bytes-lru.ts';

const entry = (size: number) => ({ bytes: new Uint8Array(size) });

describe('BytesLru', () => {
  it('drops the least recently used first and never exceeds its budget', () => {
    const lru = new BytesLru<{ bytes: Uint8Array }>(100);
    lru.set('a', entry(40));
    lru.set('b', entry(40));
    lru.get('a');
    lru.set('c', entry(40));
    expect(lru.get('b')).toBeUndefined();
    expect(lru.get('a')).toBeDefined();
    expect(lru.usedBytes).toBe(80);
  });

  it('does not keep what is larger than the budget, and replaces in place', () => {
    const lru = new BytesLru<{ bytes: Uint8Array }>(100);
    lru.set('big', entry(101));
    expect(lru.usedBytes).toBe(0);
    lru.set('a', entry(60));
    lru.set('a', entry(30));
    expect(lru.usedBytes).toBe(30);
    lru.deletePrefix('a');
    expect(lru.usedBytes).toBe(0);
  });
});
