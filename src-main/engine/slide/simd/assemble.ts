/**
 * Just enough of WebAssembly's binary format (core specification 2.0, chapter 5) to write a kernel down as instructions:
 * no compiler is needed to build it, and no binary lies in the repository.
 */

/** Instructions, encoded. */
export type Code = readonly number[];

export type ValueType = 'i32' | 'v128';

/** A function that takes i32 parameters and returns nothing; locals are numbered after the parameters. */
export interface KernelFunction {
  readonly name: string;
  readonly parameters: number;
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

const VALUE_TYPES: Readonly<Record<ValueType, number>> = { i32: 0x7f, v128: 0x7b };
const SECTION = { type: 1, function: 3, memory: 5, export: 7, code: 10 } as const;
const END = 0x0b;
const FUNCTION_TYPE = 0x60;

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const i32 = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const multiply = (a: Code, b: Code): Code => [...a, ...b, 0x6c];
export const load = (at: Code, offset = 0): Code => [...at, 0x28, 0, ...unsigned(offset)];
export const store = (at: Code, value: Code): Code => [...at, ...value, 0x36, 0, 0];
export const increase = (local: number, by: Code): Code => set(local, add(get(local), by));

/** Runs `body`, then again as long as the local, counted down by `step`, is above 0. */
export const repeat = (local: number, body: Code, step = 1): Code => [
  ...[0x03, 0x40],
  ...body,
  ...set(local, add(get(local), i32(-step))),
  ...[...get(local), ...i32(0), 0x4a, 0x0d, 0],
  END,
];

/** Instructions on 128-bit vectors: `x4` are four 32-bit lanes, `u8` sixteen bytes. */
export const vector = {
  splat: (value: Code): Code => [...value, ...simd(0x11)],
  load: (at: Code): Code => [...at, ...simd(0x00), 0, 0],
  /** Four bytes into the lowest lane, zero elsewhere. */
  loadLane: (at: Code, offset = 0): Code => [...at, ...simd(0x5c), 0, ...unsigned(offset)],
  /** One 32-bit number into all lanes. */
  loadSplat: (at: Code, offset = 0): Code => [...at, ...simd(0x09), 0, ...unsigned(offset)],
  store: (at: Code, value: Code): Code => [...at, ...value, ...simd(0x0b), 0, 0],
  lowestLane: (value: Code): Code => [...value, ...simd(0x1b), 0],
  /** The lower or upper eight bytes as 16-bit lanes; the lower or upper four of those as 32-bit lanes. */
  widenBytes: (value: Code, half: 'low' | 'high'): Code => [...value, ...simd(half === 'low' ? 0x89 : 0x8a)],
  widenShorts: (value: Code, half: 'low' | 'high'): Code => [...value, ...simd(half === 'low' ? 0xa9 : 0xaa)],
  addX4: (a: Code, b: Code): Code => [...a, ...b, ...simd(0xae)],
  multiplyX4: (a: Code, b: Code): Code => [...a, ...b, ...simd(0xb5)],
  /** The sign stays. */
  shiftRightX4: (value: Code, bits: number): Code => [...value, ...i32(bits), ...simd(0xac)],
  /** Two vectors of wide lanes as one of narrow ones, clipped. */
  narrowX4: (a: Code, b: Code): Code => [...a, ...b, ...simd(0x86)],
  narrowShorts: (a: Code, b: Code): Code => [...a, ...b, ...simd(0x66)],
} as const;

/** A module of these functions and a memory of one page, all exported (the memory as `memory`). */
export function assembleModule(functions: readonly KernelFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    FUNCTION_TYPE,
    ...list(Array.from({ length: parameters }, () => [VALUE_TYPES.i32])),
    0,
  ]);
  const exports = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => {
    const code = [...list(locals.map((type) => [1, VALUE_TYPES[type]])), ...body, END];
    return [...unsigned(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(SECTION.type, types),
    ...section(
      SECTION.function,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(SECTION.memory, [[0, 1]]),
    ...section(SECTION.export, [...exports, [...text('memory'), 2, 0]]),
    ...section(SECTION.code, bodies),
  ]);
}

function simd(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

function section(id: number, items: readonly Code[]): Code {
  const content = list(items);
  return [id, ...unsigned(content.length), ...content];
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(name: string): Code {
  return [...unsigned(name.length), ...new TextEncoder().encode(name)];
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const low = value & 0x7f;
  const rest = value >> 7;
  const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return done ? [low] : [low | 0x80, ...signed(rest)];
}
