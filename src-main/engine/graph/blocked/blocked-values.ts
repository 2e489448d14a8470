import type { Dims, ShapeContext } from '../autodiff/shapes.ts';
import type { Graph } from '../model.ts';
import { reorder } from './blocked-filter.ts';
import { type GraphWriter, NCHWC } from './graph-writer.ts';

/** Which values of a graph that is written anew exist as they were, and which blocked; brings them from one to the other. */
export class BlockedValues {
  readonly shapes: ShapeContext;
  readonly block: number;
  readonly #writer: GraphWriter;
  readonly #plain = new Set<string>(['']);
  /** Names of those that exist blocked. */
  readonly #blocked = new Map<string, string>();

  constructor(graph: Graph, shapes: ShapeContext, block: number, writer: GraphWriter) {
    this.shapes = shapes;
    this.block = block;
    this.#writer = writer;
    for (const { name } of [...graph.inputs, ...graph.initializers]) this.#plain.add(name);
  }

  /** True for maps [N, C, H, W] whose channels fill whole blocks. */
  canBeBlocked(name: string): boolean {
    const dims = this.shapes.dimsOf(name);
    const channels = dims?.[1];
    return dims?.length === 4 && typeof channels === 'number' && channels % this.block === 0;
  }

  isBlocked(name = ''): boolean {
    return this.#blocked.has(name);
  }

  isOnlyBlocked(name = ''): boolean {
    return this.#blocked.has(name) && !this.#plain.has(name);
  }

  /** Says that a value was written as it was. */
  madePlain(name: string): void {
    this.#plain.add(name);
  }

  /** Says under which name a value was written blocked. */
  madeBlocked(name: string, blocked: string): void {
    this.#blocked.set(name, blocked);
  }

  toBlocked(name: string): string {
    const known = this.#blocked.get(name);
    if (known !== undefined) return known;
    const made = reorder(this.#writer, name, `${name}/blocked`);
    this.#blocked.set(name, made);
    return made;
  }

  toPlain(name: string): void {
    if (this.#plain.has(name) || !this.#blocked.has(name)) return;
    this.bringBack(name, name, false);
    this.#plain.add(name);
  }

  /** Writes a blocked value as it was, or [N, H, W, C]. */
  bringBack(name: string, output: string, channelsLast: boolean): void {
    const attributes = {
      channels: { kind: 'int', value: this.sizes(name, 1)?.[1] ?? 0 },
      channels_last: { kind: 'int', value: channelsLast ? 1 : 0 },
    } as const;
    this.#writer.emit('ReorderOutput', [this.toBlocked(name)], attributes, { domain: NCHWC, output });
  }

  /** The shape of a value in numbers from axis `from` on (0 before it); null where it has others. */
  sizes(name = '', from = 0): readonly number[] | null {
    const dims: Dims | null = this.shapes.dimsOf(name);
    if (dims?.slice(from).every((size) => typeof size === 'number') !== true) return null;
    return dims.map((size, i) => (i < from ? 0 : Number(size)));
  }

  /** Height and width of maps. */
  sizeOf(name = ''): readonly [number, number] {
    const [, , height = 0, width = 0] = this.sizes(name, 2) ?? [];
    return [height, width];
  }
}
