import type { InputSpec } from '../../../src-shared/model/backbone.ts';

/** Turns 8-bit RGB tiles into a network's float input, exactly as its card says: (pixel * scale - mean) / std. */
export class Preprocessor {
  readonly valuesPerTile: number;
  private readonly tables: readonly [Float32Array, Float32Array, Float32Array];
  private readonly spec: InputSpec;

  constructor(spec: InputSpec) {
    this.spec = spec;
    this.valuesPerTile = spec.widthPx * spec.heightPx * 3;
    // Each channel has only 256 possible values: worked out once in double precision, rounded once.
    const table = (channel: 0 | 1 | 2): Float32Array =>
      Float32Array.from({ length: 256 }, (_, pixel) => (pixel * spec.scale - spec.mean[channel]) / spec.std[channel]);
    this.tables = [table(0), table(1), table(2)];
  }

  /**
   * @param pixels interleaved RGB, `count` tiles of widthPx x heightPx one after the other.
   * @param out `count * valuesPerTile` values, in the card's layout and channel order.
   */
  fill(pixels: Uint8Array, count: number, out: Float32Array): void {
    const area = this.spec.widthPx * this.spec.heightPx;
    const planar = this.spec.layout === 'NCHW';
    const step = planar ? 1 : 3;
    for (let tile = 0; tile < count; tile += 1) {
      const base = tile * area * 3;
      for (let channel = 0; channel < 3; channel += 1) {
        const table = this.tables[channel] ?? this.tables[0];
        const source = this.spec.channelOrder === 'RGB' ? channel : 2 - channel;
        let to = base + (planar ? channel * area : channel);
        for (let from = base + source, end = base + area * 3; from < end; from += 3) {
          out[to] = table[pixels[from] ?? 0] ?? 0;
          to += step;
        }
      }
    }
  }
}
