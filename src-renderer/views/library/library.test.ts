import { describe, expect, it } from 'vitest';
import type { FolderEntry } from '../../../src-shared/model/folder.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import { isShown, joinPath } from '../../state/browse.ts';
import { neighbour } from './grid-keys.ts';

const entry = (name: string, kind: FolderEntry['kind']) => ({
  name,
  kind,
  sizeBytes: 1,
  grant: asId<never>('g'),
});

describe('the open dialog', () => {
  it('joins paths as the machine of the engine spells them', () => {
    expect(joinPath('/home/a', 'b')).toBe('/home/a/b');
    expect(joinPath('/', 'b')).toBe('/b');
    expect(joinPath('C:\\Slides', 'b')).toBe('C:\\Slides\\b');
    expect(joinPath('C:\\', 'b')).toBe('C:\\b');
  });

  it('shows folders and what is looked for', () => {
    expect(isShown(entry('a.svs', 'slide'), 'slide')).toBe(true);
    expect(isShown(entry('a.onnx', 'model'), 'slide')).toBe(false);
    expect(isShown(entry('a.onnx', 'model'), 'any')).toBe(true);
    expect(isShown(entry('a.txt', 'other'), 'any')).toBe(false);
    expect(isShown(entry('deeper', 'folder'), 'model')).toBe(true);
    expect(isShown(entry('.git', 'folder'), 'any')).toBe(false);
    expect(isShown(entry('list.csv', 'table'), 'table')).toBe(true);
    expect(isShown(entry('list.csv', 'table'), 'slide')).toBe(false);
    expect(isShown(entry('a.PNG', 'slide'), 'image')).toBe(true);
    expect(isShown(entry('a.svs', 'slide'), 'image')).toBe(false);
  });
});

describe('arrow keys among cards', () => {
  /** Three lines of two, two and one. */
  const boxes = [
    { left: 0, top: 0 },
    { left: 100, top: 0 },
    { left: 0, top: 80 },
    { left: 100, top: 80 },
    { left: 0, top: 160 },
  ];

  it.each([
    [0, 'ArrowRight', 1],
    [1, 'ArrowRight', 2],
    [0, 'ArrowDown', 2],
    [3, 'ArrowDown', 4],
    [4, 'ArrowUp', 2],
    [0, 'ArrowLeft', null],
    [0, 'ArrowUp', null],
    [4, 'ArrowDown', null],
    [0, 'a', null],
  ])('from %i, %s leads to %s', (at, key, to) => {
    expect(neighbour(boxes, at, key)).toBe(to);
  });
});
