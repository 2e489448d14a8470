import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safetensorsOf } from '../../../engine/backbone/testing/checkpoint-file.ts';
import { scratchFolder, testPixels } from '../../../engine/slide/test-files.ts';
import { EXIT } from '../../exit-codes.ts';
import { runCommand } from '../../testing/run-command.ts';

const scratch = scratchFolder();
const at = (name: string): string => join(scratch.path, name);
afterAll(() => scratch.remove());

const backbone = (...argv: string[]) => runCommand('backbone', ...argv, '--store', at('store'));

/** The JSON a command answers; the command must have worked. */
async function json(...argv: string[]) {
  const { code, out, err } = await backbone(...argv, '--json');
  expect(`${code} ${err}`).toMatch(/^0 /);
  return JSON.parse(out);
}

interface Cut {
  readonly name: string;
  readonly featureDim: number;
  readonly cumulativeParameters: number;
}

const CARD = {
  origin: 'histology',
  licence: 'MIT',
  trainedMpp: 0.5,
  source: 'a test',
  input: { mean: [0.5, 0.5, 0.5] },
};

beforeAll(async () => {
  scratch.write('squeeze.safetensors', safetensorsOf('squeezenet1_1', 'model.'));
  const pixels = { data: Buffer.from(testPixels(64, 48)), raw: { width: 64, height: 48, channels: 3 as const } };
  await sharp(pixels.data, { raw: pixels.raw }).png().toFile(at('a.png'));
  await sharp(pixels.data, { raw: pixels.raw }).negate().png().toFile(at('b, "negative".png'));
});

describe('a checkpoint on the command line', () => {
  it('is imported with a report of its keys and with what the card says of it', async () => {
    const card = await json('import', at('squeeze.safetensors'), '--name', 'sq', '--card', JSON.stringify(CARD));
    expect(card).toMatchObject({
      name: 'sq',
      architecture: 'squeezenet1_1',
      ...CARD,
      input: { mean: [0.5, 0.5, 0.5] },
    });
    expect(card.input.widthPx).toBe(224);
    expect(card.match).toMatchObject({
      architecture: 'squeezenet1_1',
      prefix: 'model.',
      missing: [],
      shapeMismatches: [],
    });
    expect(card.match.matched).toBe(card.match.expected);
    expect((await json('list')).map(({ name }: { name: string }) => name)).toContain('sq');
    expect(await json('show', 'sq')).toMatchObject({ id: card.id, ...CARD, input: card.input });
  });

  it('shows its cuts with dimensions, parameters and FLOPs', async () => {
    const { out } = await backbone('show', 'sq');
    const card = await json('show', 'sq');
    for (const { name, featureDim, cumulativeParameters } of card.cuts as Cut[]) {
      const millions = (cumulativeParameters / 1e6).toFixed(3);
      expect(out).toMatch(new RegExp(`^ +${name}( \\(default\\))? +${featureDim} .*${millions} M`, 'm'));
    }
    expect(out).toContain('0.5 µm per pixel');
  });

  it('is refused with its report where weights are missing, and nothing is registered', async () => {
    const whole = safetensorsOf('squeezenet1_1', '');
    const cutShort = scratch.write(
      'renamed.safetensors',
      Buffer.from(whole.toString('latin1').replace('features.0.', 'features.Q.'), 'latin1'),
    );
    const before = await json('list');
    const { code, out, err } = await backbone('import', cutShort);
    expect([code, out]).toEqual([EXIT.failed, '']);
    expect(err).toMatch(/Missing +\d+: features\.0\./);
    expect(await json('list')).toEqual(before);
    expect(readdirSync(at('store/backbones')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('refuses a card it does not understand', async () => {
    const { code, err } = await backbone('import', at('squeeze.safetensors'), '--card', '{"origin": "moon"}');
    expect(code).toBe(EXIT.failed);
    expect(err).toMatch(/no card: origin/);
    expect((await backbone('import', at('squeeze.safetensors'), '--card', '{"nam": "x"}')).err).toContain('nam');
  });
});

describe('a random twin', () => {
  it('is registered, the same for the same seed and another for another', async () => {
    const first = await json('random', 'sq', '--seed', '7');
    expect(first).toMatchObject({ name: 'sq-random-7', origin: 'random', architecture: 'squeezenet1_1' });

    expect((await json('random', 'sq', '--seed', '7')).id).toBe(first.id);
    expect((await json('random', 'sq', '--seed', '8')).id).not.toBe(first.id);
    expect((await json('show', 'sq-random-7')).cuts).toEqual((await json('show', 'sq')).cuts);
  });

  it('leaves nothing of its origin or licence to be confirmed, whatever is assumed of the original', async () => {
    const original = await json('import', at('squeeze.safetensors'));
    expect(original.assumed).toEqual(expect.arrayContaining(['origin: not stated', 'licence: not stated']));
    const twin = await json('random', original.name, '--seed', '9');
    expect(twin.assumed).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(origin|licence)/)]));
    await json('import', at('squeeze.safetensors'), '--name', 'sq', '--card', JSON.stringify(CARD));
  });
});

describe('features and cuts', () => {
  it('gives one row an image; a cut written as a file gives the same values', async () => {
    const { cuts } = await json('show', 'sq');
    const { name: cut, featureDim } = cuts[1] as Cut;
    const images = [at('a.png'), at('b, "negative".png')];
    await json('features', `sq@${cut}`, ...images, '--out', at('f.csv'));
    const [header = '', first = '', second = '', ...rest] = readFileSync(at('f.csv'), 'utf8').split('\n');
    expect([header.split(',').length, first.split(',').length, rest]).toEqual([featureDim + 1, featureDim + 1, ['']]);
    expect(second).toMatch(/^".*b, ""negative""\.png",/);
    const values = (line: string): number[] =>
      line
        .slice(line.lastIndexOf('.png') + 5)
        .replace(/^,/, '')
        .split(',')
        .map(Number);
    expect(new Set(values(first)).size).toBeGreaterThan(featureDim / 4);

    const made = await json('export', `sq@${cut}`, '--out', at('cut.onnx'));
    expect(made).toMatchObject({ file: at('cut.onnx'), cut, featureDim });
    expect(made.sizeBytes).toBe(readFileSync(at('cut.onnx')).byteLength);
    expect((await backbone('export', `sq@${cut}`, '--out', at('cut.onnx'))).err).toContain('--force');
    const imported = await json('import', at('cut.onnx'));
    expect(imported).toMatchObject({ name: `sq@${cut}`, match: null, trainedMpp: 0.5 });
    expect(imported.sizeBytes).toBeLessThan((await json('show', 'sq')).sizeBytes);
    await json('features', `sq@${cut}`, at('a.png'), '--out', at('g.csv'));
    const again = values(readFileSync(at('g.csv'), 'utf8').split('\n')[1] ?? '');
    for (const [i, value] of values(first).entries()) expect(again[i]).toBeCloseTo(value, 5);
  });

  it('names an image that cannot be read, an unknown cut and an unknown backbone, and writes nothing', async () => {
    const unreadable = await backbone('features', 'sq', at('squeeze.safetensors'), '--out', at('n.csv'));
    expect(unreadable.err).toContain('squeeze.safetensors');
    expect((await backbone('export', 'sq@nowhere', '--out', at('n.onnx'))).err).toContain('nowhere');
    expect((await backbone('features', 'none', at('a.png'), '--out', at('n.csv'))).err).toContain('none');
    expect([existsSync(at('n.csv')), existsSync(at('n.onnx'))]).toEqual([false, false]);
  });
});

describe('the catalogue', () => {
  it('lists names, origins, licences and sources', async () => {
    const { out } = await runCommand('backbone', 'catalogue', '--json');
    const items = JSON.parse(out) as { name: string; licence: string; page: string; server: string }[];
    expect(items.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['resnet18-imagenet', 'ciga-resnet18', 'phikon']),
    );
    for (const { licence, page, server } of items) {
      expect([licence.length > 0, URL.canParse(page), server.includes('.')]).toEqual([true, true, true]);
    }
    expect((await runCommand('backbone', 'catalogue')).out).toContain('ciga-resnet18');
  });

  it('takes a checkpoint from a folder that mirrors it, and says that no digest vouches for it', async () => {
    mkdirSync(at('mirror/lunit-moco'), { recursive: true });
    mkdirSync(at('mirror/ciga-resnet18'), { recursive: true });
    writeFileSync(
      at('mirror/ciga-resnet18/pytorchnative_tenpercent_resnet18.ckpt'),
      safetensorsOf('resnet18', 'model.resnet.'),
    );
    const { code, out, err } = await backbone('get', 'ciga-resnet18', '--mirror', at('mirror'), '--json');
    expect([code, err]).toEqual([EXIT.ok, expect.stringContaining('no network')]);
    expect(err).toContain('states no digest');
    expect(JSON.parse(out)).toMatchObject({
      name: 'ciga-resnet18',
      origin: 'histology',
      licence: 'MIT',
      digestChecked: false,
    });
    expect(await json('show', 'ciga-resnet18')).toMatchObject({ architecture: 'resnet18' });
    expect(readdirSync(at('store/backbones/downloads'))).toEqual([]);
    rmSync(at('mirror/ciga-resnet18'), { recursive: true });
  });

  it.each([401, 403])('says where to ask for a checkpoint that is given out on request: %i', async (status) => {
    const hub = createServer((_request, response) => response.writeHead(status).end());
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
    process.env.HF_ENDPOINT = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    try {
      const { code, err } = await backbone('get', 'phikon');
      expect(code).toBe(EXIT.failed);
      expect(err).toContain('Using the network: 127.0.0.1');
      expect(err).toMatch(/only given out on request.*https:\/\/huggingface\.co\/owkin\/phikon/s);
    } finally {
      delete process.env.HF_ENDPOINT;
      hub.close();
    }
  });

  it('refuses a mirrored file of another digest, a name that is missing there, and an unknown name', async () => {
    mkdirSync(at('mirror/squeezenet1_1-imagenet'), { recursive: true });
    writeFileSync(at('mirror/squeezenet1_1-imagenet/squeezenet1_1-b8a52dc0.pth'), safetensorsOf('squeezenet1_1', ''));
    const get = async (name: string) => (await backbone('get', name, '--mirror', at('mirror'))).err;
    expect(await get('squeezenet1_1-imagenet')).toContain('not the one its source describes');
    expect(await get('phikon')).toContain('model.safetensors');
    expect(await get('resnet1')).toContain('backbone catalogue');
  });
});

describe('devices and removal', () => {
  it('says what backbones run on and why not on the others', async () => {
    const device = await json('devices');
    expect(device.threads).toBeGreaterThan(0);
    for (const { name, reason } of device.refused) expect([name, reason]).toEqual([name, expect.stringMatching(/\w/)]);
    expect((await backbone('devices')).out).toMatch(/^\w+ +in use: /);
  });

  it('removes a backbone, never a built-in one', async () => {
    await json('remove', 'sq-random-8');
    expect((await backbone('show', 'sq-random-8')).code).toBe(EXIT.failed);
    expect((await backbone('remove', 'random-resnet18')).err).toContain('built-in');
  });
});
