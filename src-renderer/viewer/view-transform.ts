/** x' = a·x + c·y + e, y' = b·x + d·y + f: the order in which a canvas takes them. */
export interface Affine {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

export interface PointXY {
  readonly x: number;
  readonly y: number;
}

/** What the viewer shows: the place at the centre, how large, how turned. Rotation is of the display only. */
export interface ViewState {
  /** Level-0 pixels. */
  readonly centreX0Px: number;
  readonly centreY0Px: number;
  /** CSS pixels per level-0 pixel. */
  readonly zoom: number;
  /** Clockwise on screen. */
  readonly rotationDeg: number;
  readonly widthCssPx: number;
  readonly heightCssPx: number;
}

/** Level-0 pixels to CSS pixels of the viewer: turned and scaled about the place at its centre. */
export function viewTransform(view: ViewState): Affine {
  const angle = (view.rotationDeg * Math.PI) / 180;
  const a = Math.cos(angle) * view.zoom;
  const b = Math.sin(angle) * view.zoom;
  return {
    a,
    b,
    c: -b,
    d: a,
    e: view.widthCssPx / 2 - (a * view.centreX0Px - b * view.centreY0Px),
    f: view.heightCssPx / 2 - (b * view.centreX0Px + a * view.centreY0Px),
  };
}

export function applyAffine(m: Affine, { x, y }: PointXY): PointXY {
  return { x: m.a * x + m.c * y + m.e, y: m.b * x + m.d * y + m.f };
}

/** The inverse map. Throws RangeError for a map that flattens the plane. */
export function invertAffine(m: Affine): Affine {
  const det = m.a * m.d - m.b * m.c;
  if (det === 0 || !Number.isFinite(det)) throw new RangeError('The transform has no inverse.');
  return {
    a: m.d / det,
    b: -m.b / det,
    c: -m.c / det,
    d: m.a / det,
    e: (m.c * m.f - m.d * m.e) / det,
    f: (m.b * m.e - m.a * m.f) / det,
  };
}

/** The corners of the screen as places of the slide, level-0 pixels, clockwise from the top left of the screen. */
export function viewCorners(view: ViewState): readonly PointXY[] {
  if (!(view.zoom > 0)) return [];
  const toSlide = invertAffine(viewTransform(view));
  const { widthCssPx: width, heightCssPx: height } = view;
  return [
    { x: 0, y: 0 },
    { x: width, y: 0 },
    { x: width, y: height },
    { x: 0, y: height },
  ].map((corner) => applyAffine(toSlide, corner));
}

/** First scales by `scale` and moves by (`dx`, `dy`), then applies `m`: places an image whose pixel is `scale` wide. */
export function placed(m: Affine, scale: number, dx: number, dy: number): Affine {
  const origin = applyAffine(m, { x: dx, y: dy });
  return { a: m.a * scale, b: m.b * scale, c: m.c * scale, d: m.d * scale, e: origin.x, f: origin.y };
}

/** The same map in device pixels. */
export function inDevicePx(m: Affine, devicePxPerCssPx: number): Affine {
  const k = devicePxPerCssPx;
  return { a: m.a * k, b: m.b * k, c: m.c * k, d: m.d * k, e: m.e * k, f: m.f * k };
}

/**
 * The centre nearest to the wanted one at which level-0 pixels and device pixels share their edges, for a view that
 * shows them 1:1 and unturned: then what is on screen is the file's own pixels, not a blend of neighbours.
 */
export function snappedCentre(wanted0Px: number, sizeCssPx: number, devicePxPerCssPx: number): number {
  const half = (sizeCssPx * devicePxPerCssPx) / 2;
  return Math.round(wanted0Px - half) + half;
}
