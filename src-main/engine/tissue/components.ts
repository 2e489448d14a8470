/** Connected components as columns: component `index` has label `index + 1`. */
export interface Labelling {
  /** 0 where the image is off, else the component's label. */
  readonly labels: Uint32Array;
  readonly count: number;
  readonly pixels: Uint32Array;
  /** Non-zero where the component reaches the image's edge. */
  readonly touchesEdge: Uint8Array;
  /** Bounding boxes, inclusive: left, top, right, bottom of each component. */
  readonly boxes: Int32Array;
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
  const { labels, pixels } = labelComponents(image, widthPx, heightPx, 8);
  for (let at = 0; at < image.length; at++) {
    const label = labels[at] ?? 0;
    if (label > 0 && (pixels[label - 1] ?? 0) < minPixels) image[at] = 0;
  }
}

/**
 * Fills (in place, with 1) holes with fewer than `maxPixels`: zero pixels that do not reach the image's edge. Pixels
 * for which `keepsOpen` is non-zero stay open.
 */
export function fillHoles(
  image: Uint8Array,
  widthPx: number,
  heightPx: number,
  maxPixels: number,
  keepsOpen: Uint8Array,
): void {
  if (maxPixels <= 0) return;
  const empty = new Uint8Array(image.length);
  for (let at = 0; at < image.length; at++) empty[at] = image[at] === 0 ? 1 : 0;
  const { labels, pixels, touchesEdge } = labelComponents(empty, widthPx, heightPx, 4);
  for (let at = 0; at < image.length; at++) {
    const label = labels[at] ?? 0;
    if (label === 0 || keepsOpen[at] !== 0) continue;
    if (touchesEdge[label - 1] === 0 && (pixels[label - 1] ?? 0) < maxPixels) image[at] = 1;
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

/** Makes the labels consecutive (in place) and measures each component. */
function measure(labels: Uint32Array, parent: number[], widthPx: number, heightPx: number): Labelling {
  const finalOf = new Uint32Array(parent.length);
  let count = 0;
  for (let label = 1; label < parent.length; label++) {
    // A root is the least label of its component, so that it has been numbered before its members.
    const root = find(parent, label);
    finalOf[label] = root === label ? ++count : (finalOf[root] ?? 0);
  }
  const pixels = new Uint32Array(count);
  const touchesEdge = new Uint8Array(count);
  const boxes = new Int32Array(count * 4).fill(-1);
  for (let y = 0, at = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++, at++) {
      const provisional = labels[at] ?? 0;
      if (provisional === 0) continue;
      const label = finalOf[provisional] ?? 0;
      labels[at] = label;
      const index = label - 1;
      pixels[index] = (pixels[index] ?? 0) + 1;
      if (x === 0 || y === 0 || x === widthPx - 1 || y === heightPx - 1) touchesEdge[index] = 1;
      const box = index * 4;
      if (boxes[box + 1] === -1) {
        boxes[box] = x;
        boxes[box + 1] = y;
      }
      if (x < (boxes[box] ?? 0)) boxes[box] = x;
      if (x > (boxes[box + 2] ?? 0)) boxes[box + 2] = x;
      boxes[box + 3] = y;
    }
  }
  return { labels, count, pixels, touchesEdge, boxes };
}
