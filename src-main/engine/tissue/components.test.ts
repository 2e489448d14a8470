import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dilate, fillHoles, labelComponents, removeSmall } from './components.ts';

const images = fc
  .record({ width: fc.integer({ min: 1, max: 17 }), height: fc.integer({ min: 1, max: 13 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.boolean(), { minLength: width * height, maxLength: width * height })
      .map((bits) => ({ width, height, image: Uint8Array.from(bits, Number) })),
  );

/** The component of a pixel by walking from neighbour to neighbour. */
function walk(image: Uint8Array, width: number, height: number, start: number, neighbours: 4 | 8): Set<number> {
  const seen = new Set([start]);
  for (const at of seen) {
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (neighbours === 4 && dx !== 0 && dy !== 0) continue;
        const [x, y] = [(at % width) + dx, Math.floor(at / width) + dy];
        if (x >= 0 && x < width && y >= 0 && y < height && image[y * width + x] !== 0) seen.add(y * width + x);
      }
    }
  }
  return seen;
}

describe('labelComponents', () => {
  it('finds the same components as walking from pixel to pixel, with their sizes and boxes', () => {
    fc.assert(
      fc.property(images, fc.constantFrom<4 | 8>(4, 8), ({ width, height, image }, neighbours) => {
        const { labels, count, pixels, touchesEdge, boxes } = labelComponents(image, width, height, neighbours);
        const met = new Set<number>();
        image.forEach((value, at) => {
          expect(labels[at] === 0).toBe(value === 0);
          if (value === 0 || met.has(at)) return;
          const component = [...walk(image, width, height, at, neighbours)];
          for (const member of component) {
            met.add(member);
            expect(labels[member]).toBe(labels[at]);
          }
          const index = (labels[at] ?? 0) - 1;
          const xs = component.map((member) => member % width);
          const ys = component.map((member) => Math.floor(member / width));
          const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
          expect([...boxes.subarray(index * 4, index * 4 + 4)]).toEqual(box);
          expect(pixels[index]).toBe(component.length);
          const isAtEdge = box[0] === 0 || box[1] === 0 || box[2] === width - 1 || box[3] === height - 1;
          expect(touchesEdge[index]).toBe(isAtEdge ? 1 : 0);
        });
        expect(pixels.reduce((sum, size) => sum + size, 0)).toBe(met.size);
        expect(new Set(labels.filter((label) => label > 0)).size).toBe(count);
      }),
    );
  });

  it('joins the arms of a spiral', () => {
    const rows = ['#######', '#......', '#.#####', '#.#...#', '#.###.#', '#.....#', '#######'];
    const image = Uint8Array.from(rows.join(''), (mark) => (mark === '#' ? 1 : 0));
    expect(labelComponents(image, 7, 7, 4).count).toBe(1);
  });
});

describe('removeSmall and fillHoles', () => {
  it('are idempotent, and respectively never add and never take pixels', () => {
    fc.assert(
      fc.property(images, fc.integer({ min: 1, max: 12 }), ({ width, height, image }, size) => {
        const open = new Uint8Array(image.length);
        const small = image.slice();
        removeSmall(small, width, height, size);
        const filled = image.slice();
        fillHoles(filled, width, height, size, open);
        for (let at = 0; at < image.length; at++) {
          expect(small[at]).toBeLessThanOrEqual(image[at] ?? 0);
          expect(filled[at]).toBeGreaterThanOrEqual(image[at] ?? 0);
        }
        const again = small.slice();
        removeSmall(again, width, height, size);
        expect(again).toEqual(small);
        fillHoles(filled, width, height, size, open);
        const twice = filled.slice();
        fillHoles(twice, width, height, size, open);
        expect(twice).toEqual(filled);
      }),
    );
  });
});

describe('dilate', () => {
  it('sets exactly what lies within the radius of a set pixel', () => {
    fc.assert(
      fc.property(images, fc.integer({ min: 0, max: 5 }), ({ width, height, image }, radius) => {
        const grown = dilate(image, width, height, radius);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            let isNear = false;
            for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
              for (let u = Math.max(0, x - radius); u <= Math.min(width - 1, x + radius); u++) {
                isNear ||= image[v * width + u] !== 0;
              }
            }
            expect(grown[y * width + x]).toBe(isNear ? 1 : 0);
          }
        }
      }),
    );
  });
});
