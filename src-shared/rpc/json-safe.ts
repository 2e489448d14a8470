/** Bounds of one message. Characters stand for bytes: they are counted before anything is copied. */
export interface JsonBounds {
  readonly maxDepth: number;
  readonly maxNodes: number;
  /** All strings and keys together. */
  readonly maxCharacters: number;
}

/** What a client may send in one call: forms and ids, never data. */
export const ARGUMENT_BOUNDS: JsonBounds = { maxDepth: 16, maxNodes: 20_000, maxCharacters: 1_000_000 };
/** What the engine may answer: long lists, but arrays of numbers belong on a route. */
export const RESULT_BOUNDS: JsonBounds = { maxDepth: 32, maxNodes: 2_000_000, maxCharacters: 64_000_000 };

/** Keys that reach a prototype when an object is copied carelessly. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Why a value would not survive JSON unchanged, or would be dangerous or too large; null when it is safe.
 * Safe are null, booleans, finite numbers, strings, dense arrays and plain objects of these. `undefined` is accepted as
 * a whole value only (a method without a result), because JSON drops it elsewhere.
 */
export function jsonDefect(value: unknown, bounds: JsonBounds): string | null {
  if (value === undefined) {
    return null;
  }
  return new JsonCheck(bounds).defectOf(value, 0);
}

class JsonCheck {
  readonly #bounds: JsonBounds;
  #nodes = 0;
  #characters = 0;

  constructor(bounds: JsonBounds) {
    this.#bounds = bounds;
  }

  defectOf(value: unknown, depth: number): string | null {
    this.#nodes += 1;
    if (this.#nodes > this.#bounds.maxNodes) {
      return 'too many values';
    }
    if (depth > this.#bounds.maxDepth) {
      return 'nested too deeply';
    }
    switch (typeof value) {
      case 'boolean':
        return null;
      case 'number':
        return Number.isFinite(value) ? null : 'a number that is not finite';
      case 'string':
        return this.#count(value);
      case 'object':
        return value === null ? null : this.#defectOfObject(value, depth);
      default:
        return `a value of type ${typeof value}`;
    }
  }

  #count(text: string): string | null {
    this.#characters += text.length;
    return this.#characters > this.#bounds.maxCharacters ? 'too long' : null;
  }

  #defectOfObject(value: object, depth: number): string | null {
    if (Array.isArray(value)) {
      if (Object.keys(value).length !== value.length) {
        return 'an array with holes or extra keys';
      }
      for (const item of value) {
        const defect = this.defectOf(item, depth + 1);
        if (defect !== null) {
          return defect;
        }
      }
      return null;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      return 'an object that is not plain';
    }
    if (Object.getOwnPropertySymbols(value).length > 0) {
      return 'a key that is a symbol';
    }
    for (const [key, item] of Object.entries(value)) {
      if (FORBIDDEN_KEYS.has(key)) {
        return `the key ${key}`;
      }
      const defect = this.#count(key) ?? this.defectOf(item, depth + 1);
      if (defect !== null) {
        return defect;
      }
    }
    return null;
  }
}
