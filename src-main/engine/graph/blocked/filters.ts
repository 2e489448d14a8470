import type { GraphNode } from '../model.ts';
import {
  allBackwards,
  blockedFilter,
  blockedHeldFilter,
  type FilterOrder,
  type FilterRows,
  filterRows,
  rowsOfBlocked,
  type TurnedMaker,
  turnedFilter,
  turnedFrom,
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
  /** What turned filters are made of, by the weights. */
  readonly #madeRows = new Map<string, FilterRows>();

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
    const rows = this.#rows(weight, dims);
    return (kernel, taps) => turnedFilter(writer, rows, dims, block, kernel, taps);
  }

  #rows(weight: string, dims: readonly number[]): FilterRows {
    const known = this.#madeRows.get(weight);
    if (known !== undefined) return known;
    const { block } = this.#values;
    const isHeld = this.#heldSource(weight, dims) !== null;
    if (!isHeld) this.#values.toPlain(weight);
    const rows = isHeld
      ? rowsOfBlocked(this.#writer, this.blocked(weight, 'OIHWBiBo'), dims, block)
      : filterRows(this.#writer, weight, dims, block);
    this.#madeRows.set(weight, rows);
    return rows;
  }

  #straight(weight: string, dims: readonly number[], order: FilterOrder): string {
    const held = order === 'OIHWBiBo' ? this.#heldSource(weight, dims) : null;
    if (held !== null) {
      this.#values.toPlain(held);
      return blockedHeldFilter(this.#writer, held, dims, this.#values.block);
    }
    this.#values.toPlain(weight);
    return blockedFilter(this.#writer, weight, dims, order);
  }

  /** The held form of weights, where there is one. */
  #heldSource(weight: string, dims: readonly number[]): string | null {
    return heldSource(weight, dims, this.#values.block, this.#makers, this.#values.shapes);
  }
}
