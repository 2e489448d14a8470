import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '../build-checkpoint.ts';
import { type ByteSource, withFile } from './byte-source.ts';
import { halfToFloat } from './tensor.ts';
import { readTorchFile } from './torch.ts';

interface Golden {
  readonly files: Readonly<
    Record<string, { bytes: string; tensors: Record<string, { dims: number[]; values: number[] }> }>
  >;
  readonly attacks: Readonly<Record<string, string>>;
}

const golden: Golden = JSON.parse(await readFile(new URL('./checkpoint.golden.json', import.meta.url), 'utf8'));
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

describe('PyTorch checkpoints', () => {
  it.each(Object.entries(golden.files))('%s: every tensor as PyTorch wrote it', (_, { bytes, tensors }) => {
    const read = readTorchFile(bytesOf(bytes));
    expect([...read.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [key, expected] of Object.entries(tensors)) {
      expect(read.get(key)?.dims).toEqual(expected.dims);
      expect(Array.from(read.get(key)?.read() ?? [])).toEqual(expected.values.map(Math.fround));
    }
  });

  it.each(Object.entries(golden.files))(
    '%s: shapes are told before any value is read, from a file too',
    (name, file) => {
      const bytes = bytesOf(file.bytes);
      const folder = mkdtempSync(join(tmpdir(), 'hyaline-torch-'));
      const path = join(folder, 'file.pt');
      writeFileSync(path, bytes);
      const read: string[] = [];
      const shapes = withFile(path, (source) => {
        const counted: ByteSource = {
          byteLength: source.byteLength,
          read: (start, end) => {
            const part = source.read(start, end);
            expect(part, `${start} to ${end}`).toEqual(bytes.slice(start, end));
            read.push(Buffer.from(part).toString('latin1'));
            return part;
          },
        };
        return [...readTorchFile(counted)].map(([key, { dims }]) => [key, dims]);
      });
      rmSync(folder, { recursive: true });
      expect(shapes).toEqual([...readTorchFile(bytes)].map(([key, { dims }]) => [key, dims]));
      // The older format is read at its head, which holds all of so small a file.
      const longest = [...readTorchFile(bytes).values()].find(
        ({ dims, type }) => type === 'float32' && dims.length > 1,
      );
      if (name.includes('legacy') || longest === undefined) return;
      const values = Buffer.from(longest.read().slice().buffer).toString('latin1');
      expect(bytes.byteLength).toBeGreaterThan(values.length);
      expect(read.some((part) => part.length < bytes.byteLength / 2 && part.includes(values))).toBe(false);
    },
  );

  it.each(Object.entries(golden.attacks))('runs nothing: %s', (_, text) => {
    expect(() => readTorchFile(bytesOf(text))).toThrowError(
      expect.objectContaining({ code: 'NotAllowed', message: expect.stringMatching(/(posix|os)\.system/) }),
    );
    expect(existsSync('/tmp/hyaline-was-here')).toBe(false);
  });

  it.each([
    'builtins.eval',
    'builtins.getattr',
    'torch.load',
    'torch.hub.load',
    'numpy.memmap',
    'subprocess.Popen',
    '__main__.Net',
    'torch.jit.load',
  ])('refuses a pickle that names %s', (path) => {
    const at = path.lastIndexOf('.');
    const pickle = `(c${path.slice(0, at)}\n${path.slice(at + 1)}\n.`;
    const legacy = Buffer.concat([
      bytesOf(golden.files['state-legacy']?.bytes ?? '').subarray(0, 14),
      Buffer.from(pickle),
    ]);
    expect(() => {
      const reader = readTorchFile(legacy);
      return reader.size;
    }).toThrow();
    expect(() => readTorchFile(zipOf('archive/data.pkl', Buffer.from(pickle)))).toThrowError(
      expect.objectContaining({ code: 'NotAllowed', message: expect.stringContaining(path) }),
    );
  });

  it('names a file that is cut short anywhere, without hanging', () => {
    for (const { bytes } of Object.values(golden.files)) {
      const whole = bytesOf(bytes);
      for (let part = 1; part < 12; part += 1) {
        const short = whole.subarray(0, Math.floor((whole.length * part) / 12));
        expect(() => {
          for (const tensor of readTorchFile(short).values()) tensor.read();
        }).toThrowError(expect.objectContaining({ code: expect.stringMatching(/BackboneUnreadable/) }));
      }
    }
  });

  it('survives flipped bytes: a value, or an error of ours', () => {
    const whole = bytesOf(golden.files['training-zip4']?.bytes ?? '');
    for (let at = 0; at < whole.length; at += 3) {
      const broken = whole.slice();
      broken[at] = (broken[at] ?? 0) ^ 0x5a;
      try {
        for (const tensor of readTorchFile(broken).values()) tensor.read();
      } catch (error) {
        expect(error).toMatchObject({ name: 'AppError' });
      }
    }
  });

  it('reads half precision exactly', () => {
    expect([0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555].map(halfToFloat)).toEqual([
      1,
      -2,
      2 ** -24,
      Number.POSITIVE_INFINITY,
      0.333251953125,
    ]);
  });
});

describe('safetensors', () => {
  it('reads what the format says', () => {
    const header = {
      w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      h: { dtype: 'BF16', shape: [], data_offsets: [8, 10] },
    };
    const file = safetensors(
      header,
      Buffer.concat([Buffer.from(Float32Array.of(1.5, -2).buffer), Buffer.from([0x80, 0x3f])]),
    );
    const read = readCheckpoint(file);
    expect(Array.from(read?.get('w')?.read() ?? [])).toEqual([1.5, -2]);
    expect(Array.from(read?.get('h')?.read() ?? [])).toEqual([1]);
  });

  it.each([
    ['cut short', { w: { dtype: 'F32', shape: [2], data_offsets: [0, 80] } }],
    ['sizes that disagree', { w: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }],
    ['no entry', { w: 5 }],
  ])('names %s', (_, header) => {
    expect(() => readCheckpoint(safetensors(header, Buffer.alloc(8)))).toThrowError(
      expect.objectContaining({ code: 'BackboneUnreadable' }),
    );
  });
});

function safetensors(header: object, data: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([length, text, data]));
}

/** An archive with one stored file. */
function zipOf(name: string, data: Buffer): Uint8Array {
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt32LE(data.length, 20);
  central.writeUInt32LE(data.length, 24);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(30 + name.length + data.length, 16);
  return new Uint8Array(Buffer.concat([local, Buffer.from(name), data, central, Buffer.from(name), end]));
}
