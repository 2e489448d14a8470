import { AppError } from '../../../../src-shared/errors.ts';
import { type ByteSource, inMemory } from './byte-source.ts';
import { PickleGlobal, type PickleHooks, PickleObject, PickleReader } from './pickle.ts';
import type { Checkpoint, CheckpointTensor, StoredType } from './tensor.ts';
import { damaged, decodeElements, gatherStrided, STORED_BYTES } from './tensor.ts';
import { readZip } from './zip.ts';

/** The classes and functions weights are made of. */
const STORAGES: Readonly<Record<string, StoredType>> = {
  'torch.FloatStorage': 'float32',
  'torch.DoubleStorage': 'float64',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.LongStorage': 'int64',
};

/** Packages whose objects training programs put beside the weights: read as data, never made. */
const INERT =
  /^(torch\.|torch$|torchvision\.|collections\.|pytorch_lightning\.|lightning\.|lightning_fabric\.|lightly\.|timm\.|omegaconf\.|argparse\.Namespace$|pathlib\.|numpy\.|_codecs\.encode$|datetime\.|typing\.|__builtin__\.(set|int|float|dict|list|bool|str|long|object|slice|complex|bytearray)$|builtins\.(set|int|float|dict|list|bool|str|object|slice|complex|bytearray)$)/;
/** Names inside those packages that reach the outside world. */
const NEVER =
  /(^|\.)(system|popen|exec|eval|compile|open|load|save|import_module|__import__|getattr|run|hub|_load_from_bytes|jit|memmap|fromfile)$|\.hub\./;

interface Storage {
  readonly type: StoredType;
  readonly key: string;
  readonly count: number;
}

class TorchTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly dims: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: Storage, offset: number, dims: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.dims = dims;
    this.strides = strides;
  }
}

/** Rounded to what a number holds, as the reader rounds it. */
const LEGACY_MAGIC = Number(0x1950a86a20f9469cfc6cn);

/** True for what `torch.save` writes: an archive, or the older sequence of pickles. */
export function isTorchFile(bytes: Uint8Array): boolean {
  const zip = bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
  return zip || (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5 && bytes[2] === 0x8a);
}

/**
 * Reads the tensors of a PyTorch checkpoint (.pth, .pt, .ckpt, .pth.tar), the archive of today and the format before
 * PyTorch 1.6, whole modules included. Nothing is imported or executed: names other than those of tensors and of inert
 * training records are refused. Names and shapes are read now, values when they are asked for.
 *
 * @throws AppError BackboneUnreadable, NotAllowed naming the refused global.
 * @see torch/serialization.py (_load, _legacy_load)
 */
export function readTorchFile(file: Uint8Array | ByteSource): Checkpoint {
  const source = file instanceof Uint8Array ? inMemory(file) : file;
  return source.read(0, 1)[0] === 0x50 ? readArchive(source) : readLegacy(source);
}

function readArchive(source: ByteSource): Checkpoint {
  const entries = readZip(source);
  const pickle = entries.find((entry) => /(^|\/)data\.pkl$/.test(entry.name));
  if (!pickle) {
    throw damaged('This archive holds no PyTorch weights.', 'Unpack it and import the checkpoint inside.');
  }
  const root = pickle.name.slice(0, -'data.pkl'.length);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  if (byName.has(`${root}code/`) || byName.has(`${root}constants.pkl`)) {
    throw damaged('This is a TorchScript program, not a checkpoint.', 'Save the state dict with torch.save instead.');
  }
  const order = byName.get(`${root}byteorder`);
  if (order && Buffer.from(order.read()).toString('latin1').trim() === 'big') {
    throw damaged('This checkpoint was written on a big-endian machine.', 'Save it again on another machine.');
  }
  const values = cached((storage: Storage) => {
    const entry = byName.get(`${root}data/${storage.key}`);
    if (!entry) throw damaged('Weights are missing from the archive of this checkpoint.');
    const data = entry.read();
    return decodeElements(data.subarray(0, storage.count * STORED_BYTES[storage.type]), storage.type, storage.count);
  });
  const value = new PickleReader(pickle.read(), hooks()).load();
  return collect(value, values);
}

/** The pickles come first; those of a bag of features are far shorter. */
const LEGACY_HEAD_BYTES = 2 ** 20;

function readLegacy(source: ByteSource): Checkpoint {
  if (source.byteLength <= LEGACY_HEAD_BYTES) return readLegacyFrom(source, source.byteLength);
  try {
    return readLegacyFrom(source, LEGACY_HEAD_BYTES);
  } catch {
    return readLegacyFrom(source, source.byteLength);
  }
}

/** @param headBytes that hold all its pickles. */
function readLegacyFrom(source: ByteSource, headBytes: number): Checkpoint {
  const storages = new Map<string, Storage>();
  const reader = new PickleReader(
    source.read(0, headBytes),
    hooks((storage) => storages.set(storage.key, storage)),
  );
  if (reader.load() !== LEGACY_MAGIC) throw damaged('This is not a PyTorch checkpoint.', 'Choose another file.');
  reader.load(); // protocol version
  reader.load(); // machine description
  const value = reader.load();
  const keys = reader.load();
  const places = new Map<string, number>();
  let at = reader.offset;
  for (const key of Array.isArray(keys) ? keys.map(String) : []) {
    const storage = storages.get(key);
    if (!storage || at + 8 > source.byteLength) throw damaged('This checkpoint is cut short.');
    const bytes = source.read(at, at + 8);
    const count = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
    places.set(key, at + 8);
    at += 8 + count * STORED_BYTES[storage.type];
  }
  const values = cached((storage: Storage) => {
    const start = places.get(storage.key) ?? source.byteLength;
    const end = start + storage.count * STORED_BYTES[storage.type];
    return decodeElements(source.read(start, end), storage.type, storage.count);
  });
  return collect(value, values);
}

type ReadStorage = (storage: Storage) => Float32Array;

/** Several tensors may share one storage: it is decoded once as long as it is the latest. */
function cached(read: ReadStorage): ReadStorage {
  let last: { key: string; values: Float32Array } | null = null;
  return (storage) => {
    if (last?.key !== storage.key) last = { key: storage.key, values: read(storage) };
    return last.values;
  };
}

function hooks(onStorage: (storage: Storage) => void = () => {}): PickleHooks {
  return {
    admit(path) {
      if (INERT.test(path) && (!NEVER.test(path) || path in STORAGES)) return;
      throw new AppError('NotAllowed', `This checkpoint wants to run "${path}", which weights have no need of.`, {
        advice: 'It was not opened. Get the checkpoint from its authors again, or ask for safetensors.',
      });
    },
    reduce(path, args) {
      if (path === 'collections.OrderedDict' || path === 'collections.defaultdict') return new Map();
      if (path.startsWith('torch._utils._rebuild_parameter')) return args[0];
      if (path === 'torch._utils._rebuild_tensor_v2' || path === 'torch._utils._rebuild_tensor') return rebuild(args);
      if (path === 'torch.Size') return args[0];
      return new PickleObject(path);
    },
    persistent(id) {
      const [kind, type, key, , count] = Array.isArray(id) ? id : [];
      // A module saved whole before PyTorch 1.6 names its class with its source code: only the name is kept.
      if (kind === 'module') return type;
      if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof count !== 'number') {
        throw damaged('This checkpoint refers to data Hyaline cannot find.');
      }
      const storage: Storage = { type: STORAGES[type.path] ?? 'other', key: String(key), count };
      onStorage(storage);
      return storage;
    },
  };
}

function rebuild([storage, offset, dims, strides]: readonly unknown[]): unknown {
  const isSize = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (typeof offset !== 'number' || !isSize(dims) || !isSize(strides)) {
    throw damaged('A tensor of this checkpoint has no valid shape.');
  }
  return new TorchTensor(storage as Storage, offset, dims, strides);
}

/** Every tensor of nested dicts, lists and modules, its key joined by dots. */
function collect(value: unknown, values: ReadStorage): Checkpoint {
  const found = new Map<string, CheckpointTensor>();
  const seen = new Set<unknown>();
  const walk = (item: unknown, key: string): void => {
    if (item instanceof TorchTensor) {
      found.set(key, lazyTensor(item, values));
      return;
    }
    if (typeof item !== 'object' || item === null || seen.has(item)) return;
    seen.add(item);
    const under = (name: unknown): string => (key === '' ? String(name) : `${key}.${String(name)}`);
    if (item instanceof PickleObject) {
      walkModule(item.state, key, walk);
    } else if (item instanceof Map) {
      for (const [name, inner] of item) walk(inner, under(name));
    } else if (Array.isArray(item)) {
      for (const [index, inner] of item.entries()) walk(inner, under(index));
    }
  };
  walk(value, '');
  if (found.size === 0) throw damaged('This checkpoint holds no tensors.', 'Choose the file with the weights.');
  return found;
}

/** A module saved whole keeps its weights under `_parameters`, `_buffers` and, in its children, `_modules`. */
function walkModule(state: unknown, key: string, walk: (item: unknown, key: string) => void): void {
  if (!(state instanceof Map)) return;
  for (const group of ['_parameters', '_buffers', '_modules']) walk(state.get(group), key);
}

function lazyTensor(tensor: TorchTensor, values: ReadStorage): CheckpointTensor {
  const { storage, offset, dims, strides } = tensor;
  return { dims, type: storage.type, read: () => gatherStrided(values(storage), offset, dims, strides) };
}
