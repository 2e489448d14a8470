import type { PointXY, ViewState } from '../viewer/view-transform.ts';

/** What the viewer shows right now, for the read-outs around it. */
class Readout {
  view = $state.raw<ViewState | null>(null);
  devicePxPerCssPx = $state(1);
  /** Where the pointer is, in level-0 pixels; null beside the slide. */
  pointer = $state.raw<PointXY | null>(null);
  /** `webgl` or `canvas`. */
  drawer = $state('');
  /** How the file's colour profile is applied: not, by the graphics processor, or by the engine. */
  colours = $state<'stored' | 'lookup' | 'engine'>('stored');

  /** Device pixels per level-0 pixel; 0 while nothing is shown. */
  readonly zoom = $derived(this.view ? this.view.zoom * this.devicePxPerCssPx : 0);

  clear(): void {
    this.view = null;
    this.pointer = null;
  }
}

export const readout = new Readout();
