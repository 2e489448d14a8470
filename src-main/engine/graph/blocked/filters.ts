import type { GraphNode } from '../model.ts';
import {
  allBackwards,
  blockedFilter,
  blockedHeldFilter,
  type FilterOrder,
  filterRows,
  heldRows,
  type TurnedMaker,
  turnedFilter,
  turnedFrom,
  turnedHeldRows,
} from './blocked-filter.ts';
import type { BlockedValues } from './blocked-values.ts';
import type { GraphWriter } from './graph-writer.ts';
import { heldSource } from './held-filters.ts';

/** The filters of a graph in the orders its convolutions read them, each written once. */
export class Filters {
  readonly #writer: GraphWriter;
  readonly #values: BlockedValues;
  readonly #makers: ReadonlyMap<string, GraphNode>;
  readonly #made = new Map<string, string>();
  /** Rows of held weights. */
  readonly #rows = new Map<string, string>();

  constructor(writer: GraphWriter, values: BlockedValues, makers: ReadonlyMap<string, GraphNode>) {
    this.#writer = writer;
    this.#values = values;
    this.#makers = makers;
  }

  /** The blocked filter of weights [O, I, kh, kw], from those that they are the turned form of where they are one. */
  blocked(weight: string, order: FilterOrder): string {
    const key = `${order} ${weight}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const source = order === 'OIHWBiBo' ? turnedFrom(weight, this.#makers, this.#values.shapes) : null;
    const dims = this.#values.sizes(source ?? weight) ?? [];
    const [, , height = 1, width = 1] = dims;
    const made =
      source === null
        ? this.#straight(weight, dims, order)
        : this.turned(source, dims)([height, width], allBackwards(height, width));
    this.#made.set(key, made);
    return made;
  }

  /** Makes filters of chosen taps, with channels swapped, of the weights [I, O, kh, kw]. */
  turned(weight: string, dims: readonly number[]): TurnedMaker {
    const [writer, { block }] = [this.#writer, this.#values];
    const held = heldSource(weight, this.#makers);
    if (held === null) this.#values.toPlain(weight);
    const rows =
      held === null
        ? filterRows(writer, weight, dims, block)
        : turnedHeldRows(writer, this.#heldRows(held, dims), dims, block);
    return (kernel, taps) => turnedFilter(writer, rows, dims, block, kernel, taps);
  }

  #straight(weight: string, dims: readonly number[], order: FilterOrder): string {
    const held = order === 'OIHWBiBo' ? heldSource(weight, this.#makers) : null;
    if (held !== null) {
      return blockedHeldFilter(this.#writer, this.#heldRows(held, dims), dims, this.#values.block);
    }
    this.#values.toPlain(weight);
    return blockedFilter(this.#writer, weight, dims, order);
  }

  /** What the filters of either direction are made of. */
  #heldRows(held: string, dims: readonly number[]): string {
    const known = this.#rows.get(held);
    if (known !== undefined) return known;
    this.#values.toPlain(held);
    const made = heldRows(this.#writer, held, dims, this.#values.block);
    this.#rows.set(held, made);
    return made;
  }
}
