import { describe, expect, it } from 'vitest';
import { inMemory } from '../backbone/checkpoint/byte-source.ts';
import { readZip } from '../backbone/checkpoint/zip.ts';
import { zipOf } from './zip-file.ts';

describe('an archive of exports', () => {
  const members = [
    { name: 'scores.csv', bytes: Buffer.from('a,b\r\n1,2\r\n'.repeat(200)) },
    { name: 'µ.txt', bytes: Buffer.from('m') },
  ];

  it('gives its files back', () => {
    const entries = readZip(inMemory(zipOf(members)));
    expect(entries.map(({ name }) => name)).toEqual(['scores.csv', 'µ.txt']);
    expect(entries.map((entry) => Buffer.from(entry.read()).toString())).toEqual(
      members.map(({ bytes }) => bytes.toString()),
    );
  });

  it('is the same for the same files, and smaller than they are', () => {
    expect(Buffer.compare(Buffer.from(zipOf(members)), Buffer.from(zipOf(members)))).toBe(0);
    expect(zipOf(members).byteLength).toBeLessThan(600);
  });
});
