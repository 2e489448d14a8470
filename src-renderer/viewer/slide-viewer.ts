import OpenSeadragon from 'openseadragon';
import type { SlideId } from '../../src-shared/model/ids.ts';
import type { SlideInfo } from '../../src-shared/model/slide.ts';
import { ColourLookup } from './colour-lookup.ts';
import { type DrawerChoice, type DrawerName, drawersChosen, webglRenderer } from './drawers.ts';
import { SlideTileSource } from './tile-source.ts';
import {
  applyAffine,
  invertAffine,
  type PointXY,
  snappedCentre,
  type ViewState,
  viewTransform,
} from './view-transform.ts';

/** Furthest one may zoom in: CSS pixels a side for one level-0 pixel. */
const MAX_CSS_PX_PER_LEVEL0_PX = 16;
/** Zooming out ends when the slide takes this share of the window. */
const WHOLE_SLIDE_SHARE = 0.6;
/** How far a wheel step and a key press zoom. */
const ZOOM_STEP = 1.25;

export interface SlideViewerOptions {
  readonly element: HTMLElement;
  readonly slideId: SlideId;
  readonly info: SlideInfo;
  /** Where to begin; null shows the whole slide. */
  readonly start: ViewState | null;
  readonly reducedMotion: boolean;
  readonly drawer: DrawerChoice;
  /** Fetches the cube of the slide's own colour profile, to show it through that; null = stored colours. */
  readonly fetchColours: (() => Promise<Uint8Array>) | null;
  /** Called in the same frame in which the slide is drawn: overlays painted here do not lag. */
  readonly onFrame: (view: ViewState) => void;
  /** A click that was not a drag, in level-0 pixels. */
  readonly onClick: (at: PointXY) => void;
  readonly onTileFailed: () => void;
}

/**
 * One slide on screen. Wraps OpenSeadragon so that the rest speaks level-0 pixels, device pixels and degrees. Rotation is
 * of the display only; coordinates never change.
 */
export class SlideViewer {
  readonly #osd: OpenSeadragon.Viewer;
  readonly #widthPx: number;
  readonly #source: SlideTileSource;
  readonly #lookup: ColourLookup | null;
  /** The colour profile: not applied, by a lookup on the graphics processor, or by the engine tile by tile. */
  readonly colours: 'stored' | 'lookup' | 'engine';
  #smooth = true;

  constructor(options: SlideViewerOptions) {
    this.#widthPx = options.info.widthPx;
    const { slideId, info, fetchColours } = options;
    this.#lookup = fetchColours === null ? null : ColourLookup.create(fetchColours);
    const unmanaged = fetchColours === null ? 'stored' : 'engine';
    this.#source = new SlideTileSource(slideId, info, this.#lookup ?? unmanaged);
    this.colours = this.#lookup === null ? unmanaged : 'lookup';
    this.#osd = new OpenSeadragon.Viewer({
      ...displayOptions(options.reducedMotion, drawersChosen(options.drawer, webglRenderer)),
      element: options.element,
      tileSources: [this.#source],
    });
    this.#osd.addOnceHandler('open', () => {
      if (options.start) this.show(options.start, true);
    });
    // Before the tiles of a frame are placed, and after they are drawn.
    this.#osd.addHandler('viewport-change', () => this.#followZoom());
    this.#osd.addHandler('update-viewport', () => options.onFrame(this.view()));
    this.#osd.addHandler('canvas-click', (event) => {
      if (event.quick) options.onClick(this.toLevel0(event.position));
    });
    this.#osd.addHandler('tile-load-failed', options.onTileFailed);
  }

  /** `webgl` or `canvas`. */
  get drawer(): string {
    return this.#osd.drawer?.getType() ?? 'none';
  }

  get devicePxPerCssPx(): number {
    return window.devicePixelRatio || 1;
  }

  /** What is on screen in this frame. */
  view(): ViewState {
    const { viewport } = this.#osd;
    const centre = viewport.getCenter(true);
    const size = viewport.getContainerSize();
    return {
      centreX0Px: centre.x * this.#widthPx,
      centreY0Px: centre.y * this.#widthPx,
      zoom: (viewport.getZoom(true) * size.x) / this.#widthPx,
      rotationDeg: viewport.getRotation(true),
      widthCssPx: size.x,
      heightCssPx: size.y,
    };
  }

  toLevel0(cssPx: PointXY): PointXY {
    return applyAffine(invertAffine(viewTransform(this.view())), cssPx);
  }

  /** Goes to a place: parts left out stay as they are. `zoom` in CSS pixels per level-0 pixel. */
  show(
    target: Partial<Pick<ViewState, 'centreX0Px' | 'centreY0Px' | 'zoom' | 'rotationDeg'>>,
    immediately = false,
  ): void {
    const { viewport } = this.#osd;
    const now = this.view();
    if (target.rotationDeg !== undefined) viewport.setRotation(target.rotationDeg, immediately);
    if (target.zoom !== undefined) viewport.zoomTo(this.#viewportZoom(target.zoom), undefined, immediately);
    if (target.centreX0Px !== undefined || target.centreY0Px !== undefined) {
      const x = (target.centreX0Px ?? now.centreX0Px) / this.#widthPx;
      const y = (target.centreY0Px ?? now.centreY0Px) / this.#widthPx;
      viewport.panTo(new OpenSeadragon.Point(x, y), immediately);
    }
  }

  /**
   * Zooms about the centre to `zoom` device pixels per level-0 pixel. At 1:1 and upright, slide pixels are laid on device
   * pixels exactly.
   */
  zoomToDevice(zoom: number, immediately = false, centre: PointXY | null = null): void {
    const view = this.view();
    const wanted = centre ?? { x: view.centreX0Px, y: view.centreY0Px };
    const exact = Math.abs(zoom - 1) < 1e-6 && view.rotationDeg % 90 === 0;
    const turned = Math.round(view.rotationDeg / 90) % 2 !== 0;
    const width = turned ? view.heightCssPx : view.widthCssPx;
    const height = turned ? view.widthCssPx : view.heightCssPx;
    this.show(
      {
        zoom: zoom / this.devicePxPerCssPx,
        centreX0Px: exact ? snappedCentre(wanted.x, width, this.devicePxPerCssPx) : wanted.x,
        centreY0Px: exact ? snappedCentre(wanted.y, height, this.devicePxPerCssPx) : wanted.y,
      },
      immediately,
    );
  }

  zoomBy(steps: number): void {
    this.#osd.viewport.zoomBy(ZOOM_STEP ** (2 * steps));
    this.#osd.viewport.applyConstraints();
  }

  /** Pans by a share of the screen; right and down are those of the screen, whatever the rotation. */
  panByScreen(dx: number, dy: number): void {
    const { viewport } = this.#osd;
    const size = viewport.getContainerSize();
    viewport.panBy(viewport.deltaPointsFromPixels(new OpenSeadragon.Point(dx * size.x, dy * size.y)));
    viewport.applyConstraints();
  }

  rotateTo(degrees: number): void {
    this.#osd.viewport.setRotation(degrees);
  }

  /** Where a rotation under way will end. */
  get targetRotationDeg(): number {
    return this.#osd.viewport.getRotation();
  }

  home(): void {
    this.#osd.viewport.goHome();
  }

  /** Shows a square of the slide with its surroundings: the square takes `share` of the shorter side. */
  flyTo(x0Px: number, y0Px: number, size0Px: number, share = 0.18): void {
    const view = this.view();
    const shorter = Math.min(view.widthCssPx, view.heightCssPx);
    const zoom = Math.min((shorter * share) / size0Px, MAX_CSS_PX_PER_LEVEL0_PX);
    this.show({ zoom, centreX0Px: x0Px + size0Px / 2, centreY0Px: y0Px + size0Px / 2 });
  }

  /** Lets one zoom out to `zoom` device pixels per level-0 pixel, or to a little beyond the whole slide. */
  setSmallestZoom(zoom: number): void {
    const { viewport } = this.#osd;
    const wholeSlide = viewport.getHomeZoom() * WHOLE_SLIDE_SHARE;
    // Declared for the viewer's options only; the viewport reads its own copy.
    const limits = viewport as unknown as { minZoomLevel: number | null };
    limits.minZoomLevel = Math.min(wholeSlide, this.#viewportZoom(zoom / this.devicePxPerCssPx));
  }

  /** While a click asks for a place, a double click must not zoom. */
  setClickAsks(asks: boolean): void {
    const settings = this.#osd.gestureSettingsByDeviceType('mouse');
    settings.dblClickToZoom = !asks;
  }

  /** Whether the mouse moves the slide; a brush takes that away. Wheel and keys go on working. */
  setDragMoves(moves: boolean): void {
    this.#osd.gestureSettingsByDeviceType('mouse').dragToPan = moves;
    this.#osd.gestureSettingsByDeviceType('pen').dragToPan = moves;
  }

  /** Draws a frame soon, so that `onFrame` is called although nothing moved. */
  refresh(): void {
    this.#osd.forceRedraw();
  }

  destroy(): void {
    this.#osd.destroy();
    this.#lookup?.destroy();
  }

  #viewportZoom(cssPxPerLevel0Px: number): number {
    return (cssPxPerLevel0Px * this.#widthPx) / this.#osd.viewport.getContainerSize().x;
  }

  /** From 1:1 on, the file's own pixels are shown as squares; below, neighbours are blended. */
  #followZoom(): void {
    const { zoom, rotationDeg } = this.view();
    const devicePx = zoom * this.devicePxPerCssPx;
    const whole = Math.abs(devicePx - Math.round(devicePx)) < 1e-6 && devicePx > 0.5;
    this.#source.setExact(whole && rotationDeg % 90 === 0 && this.drawer === 'canvas');
    const smooth = devicePx < 0.999;
    if (smooth === this.#smooth) return;
    this.#smooth = smooth;
    this.#osd.drawer?.setImageSmoothingEnabled(smooth);
  }
}

function displayOptions(reducedMotion: boolean, drawers: DrawerName[]): OpenSeadragon.Options {
  const mouse = { clickToZoom: false, dblClickToZoom: true, flickEnabled: false };
  return {
    drawer: drawers,
    showNavigationControl: false,
    showSequenceControl: false,
    // Keys are ours: the library's own map mirrors the slide on `f`.
    keyboardNavEnabled: false,
    gestureSettingsMouse: mouse,
    gestureSettingsPen: mouse,
    // A slow hand and a slow machine still click: only moving makes it a drag.
    clickTimeThreshold: 1000,
    animationTime: reducedMotion ? 0 : 0.32,
    springStiffness: 9,
    zoomPerScroll: ZOOM_STEP,
    minZoomImageRatio: WHOLE_SLIDE_SHARE,
    maxZoomPixelRatio: MAX_CSS_PX_PER_LEVEL0_PX,
    visibilityRatio: 0.3,
    // The exact drawer has no seams to hide, and the other one must not blur at 1:1.
    smoothTileEdgesMinZoom: Number.POSITIVE_INFINITY,
    maxTilesPerFrame: 24,
    imageLoaderLimit: 12,
    tileRetryMax: 2,
    tileRetryDelay: 2500,
    maxImageCacheCount: 600,
    preserveImageSizeOnResize: true,
    blendTime: 0,
  };
}
