/** One connected component of a binary image. */
export interface Component {
  readonly pixels: number;
  readonly touchesEdge: boolean;
  readonly minX: number;
  readonly maxX: number;
  readonly minY: number;
  readonly maxY: number;
}

export interface Labelling {
  /** 0 where the image is off, else 1 + index into `components`. */
  readonly labels: Uint32Array;
  readonly components: readonly Component[];
}

/**
 * Connected components of the pixels where `image` is non-zero.
 * @param image one byte a pixel, row-major, `widthPx * heightPx` long.
 * @param neighbours 4 or 8. Source: two-pass labelling with union-find (Rosenfeld and Pfaltz 1966).
 */
export function labelComponents(image: Uint8Array, widthPx: number, heightPx: number, neighbours: 4 | 8): Labelling {
  const provisional = new Uint32Array(image.length);
  const parent: number[] = [0];
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const at = y * widthPx + x;
      if (image[at] === 0) continue;
      let label = x > 0 ? (provisional[at - 1] ?? 0) : 0;
      if (y > 0) {
        label = join(parent, label, provisional[at - widthPx] ?? 0);
        if (neighbours === 8 && x > 0) label = join(parent, label, provisional[at - widthPx - 1] ?? 0);
        if (neighbours === 8 && x + 1 < widthPx) label = join(parent, label, provisional[at - widthPx + 1] ?? 0);
      }
      if (label === 0) {
        label = parent.length;
        parent.push(label);
      }
      provisional[at] = label;
    }
  }
  return measure(provisional, parent, widthPx, heightPx);
}

/** Clears (in place) every component of non-zero pixels with fewer than `minPixels`. */
export function removeSmall(image: Uint8Array, widthPx: number, heightPx: number, minPixels: number): void {
  if (minPixels <= 1) return;
  const { labels, components } = labelComponents(image, widthPx, heightPx, 8);
  for (let at = 0; at < image.length; at++) {
    const label = labels[at] ?? 0;
    if (label > 0 && (components[label - 1]?.pixels ?? 0) < minPixels) image[at] = 0;
  }
}

/** Fills (in place, with 1) holes with fewer than `maxPixels`: zero pixels that do not reach the image's edge. */
export function fillHoles(
  image: Uint8Array,
  widthPx: number,
  heightPx: number,
  maxPixels: number,
  canFill: (at: number) => boolean = () => true,
): void {
  if (maxPixels <= 0) return;
  const empty = image.map((value) => (value === 0 ? 1 : 0));
  const { labels, components } = labelComponents(empty, widthPx, heightPx, 4);
  for (let at = 0; at < image.length; at++) {
    const component = components[(labels[at] ?? 0) - 1];
    if (component && !component.touchesEdge && component.pixels < maxPixels && canFill(at)) image[at] = 1;
  }
}

/** The image grown by `radiusPx` in the chessboard metric; a new array. */
export function dilate(image: Uint8Array, widthPx: number, heightPx: number, radiusPx: number): Uint8Array {
  const across = new Uint8Array(image.length);
  const grown = new Uint8Array(image.length);
  for (let y = 0; y < heightPx; y++) spread(image, across, y * widthPx, 1, widthPx, radiusPx);
  for (let x = 0; x < widthPx; x++) spread(across, grown, x, widthPx, heightPx, radiusPx);
  return grown;
}

function spread(from: Uint8Array, to: Uint8Array, start: number, step: number, count: number, radius: number): void {
  let reach = -1;
  for (let i = 0; i < Math.min(radius, count); i++) if (from[start + i * step] !== 0) reach = i + radius;
  for (let i = 0; i < count; i++) {
    if (i + radius < count && from[start + (i + radius) * step] !== 0) reach = i + 2 * radius;
    if (i <= reach) to[start + i * step] = 1;
  }
}

function join(parent: number[], a: number, b: number): number {
  if (b === 0) return a;
  if (a === 0) return find(parent, b);
  const rootA = find(parent, a);
  const rootB = find(parent, b);
  const low = Math.min(rootA, rootB);
  parent[Math.max(rootA, rootB)] = low;
  return low;
}

function find(parent: number[], label: number): number {
  let root = label;
  while (parent[root] !== root) root = parent[root] ?? 0;
  let walk = label;
  while (walk !== root) {
    const next = parent[walk] ?? root;
    parent[walk] = root;
    walk = next;
  }
  return root;
}

function measure(provisional: Uint32Array, parent: number[], widthPx: number, heightPx: number): Labelling {
  const finalOf = new Uint32Array(parent.length);
  const boxes: { pixels: number; minX: number; maxX: number; minY: number; maxY: number }[] = [];
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const at = y * widthPx + x;
      const label = provisional[at] ?? 0;
      if (label === 0) continue;
      const root = find(parent, label);
      if (finalOf[root] === 0) finalOf[root] = boxes.push({ pixels: 0, minX: x, maxX: x, minY: y, maxY: y });
      const final = finalOf[root] ?? 0;
      provisional[at] = final;
      const box = boxes[final - 1];
      if (!box) continue;
      box.pixels++;
      if (x < box.minX) box.minX = x;
      if (x > box.maxX) box.maxX = x;
      box.maxY = y;
    }
  }
  const components = boxes.map((box) => ({
    ...box,
    touchesEdge: box.minX === 0 || box.minY === 0 || box.maxX === widthPx - 1 || box.maxY === heightPx - 1,
  }));
  return { labels: provisional, components };
}
