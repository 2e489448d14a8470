import { closeSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { Dataset, File, type Group, type GuessableDataTypes, Module, ready } from 'h5wasm/node';
import { AppError } from '../../../src-shared/errors.ts';
import { fromHalf } from '../../../src-shared/numeric/float16.ts';
import { discard, unwritable } from './unwritable.ts';

/** The first bytes of every HDF5 file without a user block (HDF5 file format specification, section II.A). */
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** Rows handed to the library at once, so that its memory stays small next to the array's. */
const BLOCK_BYTES = 2 ** 24;

async function library(): Promise<void> {
  await ready;
  // Without it the library prints its complaints and goes on with an invalid file.
  Module.activate_throwing_error_handler();
}

function unreadable(path: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('FileUnreadable', 'The HDF5 file cannot be read: it is damaged or of a kind not known here.', {
    detail: `${path}: ${String(error).split('\n', 3).join(' ')}`,
    cause: error,
  });
}

/** Reads from an HDF5 file; it is closed whatever happens. @throws AppError FileUnreadable */
export async function readHdf5<T>(path: string, read: (file: Group) => T): Promise<T> {
  await library();
  requireSignature(path);
  let file: File | null = null;
  try {
    file = new File(path, 'r');
    return read(file);
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    file?.close();
  }
}

/**
 * Writes an HDF5 file under a temporary name and moves it into place when it is whole; a file that was there stays
 * until then. Missing folders are made. @throws AppError FileUnreadable (the folder cannot be written), DiskFull
 */
export async function writeHdf5(path: string, write: (file: Group) => void): Promise<void> {
  await library();
  const unfinished = `${path}.${process.pid}.part`;
  let file: File | null = null;
  try {
    mkdirSync(dirname(path), { recursive: true });
    try {
      file = new File(unfinished, 'w');
      write(file);
      file.flush();
    } finally {
      file?.close();
    }
    renameSync(unfinished, path);
  } catch (error) {
    discard(unfinished);
    throw unwritable(path, error);
  }
}

function requireSignature(path: string): void {
  const head = Buffer.alloc(SIGNATURE.length);
  try {
    const descriptor = openSync(path, 'r');
    try {
      readSync(descriptor, head);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  if (head.equals(SIGNATURE)) return;
  throw new AppError('FileUnreadable', 'This is not an HDF5 file.', { detail: path });
}

/** The dataset of that name, or null. */
export function datasetOf(file: Group, name: string): Dataset | null {
  if (!file.keys().includes(name)) return null;
  const found = file.get(name);
  return found instanceof Dataset ? found : null;
}

/** Rows and columns of a dataset; a vector is one column, an empty one no rows. */
export function shapeOf(dataset: Dataset): readonly [number, number] {
  const [rows = 0, columns = 1] = dataset.shape ?? [];
  return [rows, columns];
}

/** The values of a floating-point dataset (16, 32 or 64 bit) as float32. @throws AppError FileUnreadable */
export function readFloats(dataset: Dataset): Float32Array {
  const { type, size } = dataset.metadata;
  const isFloat = type === 1;
  if (isFloat && size === 2) return halvesOf(dataset);
  const value = dataset.value;
  if (value instanceof Float32Array) return value;
  if (value instanceof Float64Array) return Float32Array.from(value);
  throw new AppError('FileUnreadable', 'The features of this file are not floating-point numbers.', {
    detail: `${dataset.path}: ${JSON.stringify(dataset.dtype)}`,
  });
}

/** The library has no 16-bit floats: its raw bytes are read and converted (IEEE 754 binary16). */
function halvesOf(dataset: Dataset): Float32Array {
  const { size, total_size, littleEndian } = dataset.metadata;
  const bytes = size * Number(total_size);
  const pointer = Module._malloc(bytes);
  try {
    Module.get_dataset_data(dataset.file_id, dataset.path, null, null, null, BigInt(pointer));
    const view = new DataView(Module.HEAPU8.slice(pointer, pointer + bytes).buffer);
    return Float32Array.from({ length: bytes / 2 }, (_, i) => fromHalf(view.getUint16(2 * i, littleEndian)));
  } finally {
    Module._free(pointer);
  }
}

/** The values of an integer (or integral float) dataset as doubles. @throws AppError FileUnreadable */
export function readIntegers(dataset: Dataset): Float64Array {
  const value = dataset.value;
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) {
    return Float64Array.from(value, Number);
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Float64Array.from(value as Iterable<number>);
  throw new AppError('FileUnreadable', 'The coordinates of this file are not numbers.', { detail: dataset.path });
}

export type AttributeValue = number | string | readonly number[];

/** All attributes that are numbers, texts or lists of numbers; big integers as numbers. */
export function attributesOf(dataset: Dataset): Readonly<Record<string, AttributeValue>> {
  const entries = Object.entries(dataset.attrs).flatMap(([name, { value }]): (readonly [string, AttributeValue])[] => {
    if (typeof value === 'string' || typeof value === 'number') return [[name, value]];
    if (typeof value === 'bigint') return [[name, Number(value)]];
    if (ArrayBuffer.isView(value)) {
      const numbers = Array.from(value as unknown as Iterable<number | bigint>, Number);
      return [[name, numbers]];
    }
    return [];
  });
  return Object.fromEntries(entries);
}

/** Writes attributes: whole numbers as int64 (as numpy does), others as float64, texts as UTF-8. */
export function writeAttributes(dataset: Dataset, attributes: Readonly<Record<string, AttributeValue>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'string') dataset.create_attribute(name, value);
    else {
      const numbers = typeof value === 'number' ? [value] : value;
      const shape = typeof value === 'number' ? [] : [value.length];
      const whole = numbers.every((number) => Number.isSafeInteger(number));
      const data = whole ? BigInt64Array.from(numbers, BigInt) : Float64Array.from(numbers);
      dataset.create_attribute(name, data, shape, whole ? '<q' : '<d');
    }
  }
}

export type MatrixValues = Float32Array | BigInt64Array | Int32Array;

/**
 * Writes a rows x columns dataset that can be appended to: one row a chunk, no limit of rows, as TRIDENT and CLAM lay
 * theirs. Written block by block.
 */
export function writeMatrix(file: Group, name: string, values: MatrixValues, columns: number): Dataset {
  const rows = values.length / columns;
  const dtype = values instanceof Float32Array ? '<f' : values instanceof Int32Array ? '<i' : '<q';
  const blockRows = Math.max(1, Math.floor(BLOCK_BYTES / (columns * values.BYTES_PER_ELEMENT)));
  const blockOf = (first: number): GuessableDataTypes => {
    return values.slice(first * columns, Math.min(rows, first + blockRows) * columns);
  };
  file.create_dataset({
    name,
    data: blockOf(0),
    shape: [Math.min(rows, blockRows), columns],
    dtype,
    chunks: [1, columns],
    maxshape: [null, columns],
  });
  const dataset = datasetOf(file, name);
  if (dataset === null) throw new Error(`${name} was not created`);
  if (rows > blockRows) dataset.resize([rows, columns]);
  for (let first = blockRows; first < rows; first += blockRows) {
    dataset.write_slice([[first, Math.min(rows, first + blockRows)], []], blockOf(first));
  }
  return dataset;
}
