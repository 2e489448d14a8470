import { describe, expect, it } from 'vitest';
import { loadRuntime, openSession } from '../infer/runtime.ts';
import { BUILDER_OPSET, floatAttribute, GraphBuilder } from './builder.ts';
import { costOf } from './cost.ts';
import { cutModel } from './cut.ts';
import { ELEMENT, floatsOf, type OnnxModel } from './model.ts';
import { decodeModel, encodeModel } from './proto.ts';

const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * seed));

/** conv -> relu -> conv -> add -> relu, and a branch to tokens: enough to cut in several places. */
function network(): OnnxModel {
  const g = new GraphBuilder('test');
  g.input('image', ['N', 3, 8, 8]);
  const c1 = g.node('c1', 'Conv', ['image', g.floats('w1', [4, 3, 3, 3], noise(108, 1.3))], { pads: [1, 1, 1, 1] });
  const r1 = g.node('r1', 'Relu', [c1]);
  const c2 = g.node('c2', 'Conv', [r1, g.floats('w2', [4, 4, 1, 1], noise(16, 2.1)), g.floats('b2', [4], noise(4, 3))]);
  const r2 = g.node('r2', 'LeakyRelu', [g.node('sum', 'Add', [c2, r1])], { alpha: floatAttribute(0.2) });
  const tokens = g.node('tokens', 'Reshape', [r2, g.ints('shape', [0, 4, 64])]);
  g.node('tokensLast', 'Transpose', [tokens], { perm: [0, 2, 1] });
  g.node('dead', 'Mul', ['tokensLast', g.floats('unused', [1], noise(1, 1))]);
  g.output('dead', null);
  return g.build({ note: 'kept' });
}

async function run(model: OnnxModel): Promise<Record<string, { dims: readonly number[]; data: Float32Array }>> {
  const session = await openSession({ model: encodeModel(model), provider: 'cpu', threads: 1 });
  const { Tensor } = await loadRuntime();
  const results = await session.run({ image: new Tensor('float32', noise(2 * 192, 0.7), [2, 3, 8, 8]) });
  await session.release();
  const entries = Object.entries(results).map(([name, tensor]) => {
    return [name, { dims: tensor.dims, data: Float32Array.from(tensor.data as Float32Array) }] as const;
  });
  return Object.fromEntries(entries);
}

function exposed(tensors: readonly string[]): OnnxModel {
  const model = network();
  const outputs = tensors.map((name) => ({ name, elementType: 0, dims: null }));
  return { ...model, graph: { ...model.graph, outputs } };
}

describe('cutModel', () => {
  it('gives bitwise the full network at several places in one pass', async () => {
    const full = await run(exposed(['r1', 'r2', 'tokensLast', 'dead']));
    const cut = await run(
      cutModel(network(), [
        { tensor: 'r1', pooling: 'none', output: 'early' },
        { tensor: 'r2', pooling: 'none', output: 'late' },
        { tensor: 'tokensLast', pooling: 'cls', output: 'token' },
      ]),
    );
    expect(cut.early?.data).toEqual(full.r1?.data);
    expect(cut.late?.data).toEqual(full.r2?.data);
    expect(cut.token?.dims).toEqual([2, 4]);
    expect(Array.from(cut.token?.data ?? [])).toEqual(
      [0, 1].flatMap((image) => Array.from(full.tokensLast?.data.subarray(image * 256, image * 256 + 4) ?? [])),
    );
  });

  it.each([BUILDER_OPSET, 18])('pools by the mean over positions or tokens (operator set %i)', async (opset) => {
    const full = await run(exposed(['r2']));
    const model = { ...network(), opsets: { '': opset } };
    const cut = await run(
      cutModel(model, [
        { tensor: 'r2', pooling: 'global-average', output: 'pooled' },
        { tensor: 'tokensLast', pooling: 'mean-tokens', output: 'perToken' },
      ]),
    );
    const plane = (k: number): Float32Array => full.r2?.data.subarray(k * 64, k * 64 + 64) ?? new Float32Array();
    for (let k = 0; k < 8; k += 1) {
      const mean = plane(k).reduce((sum, value) => sum + value, 0) / 64;
      expect(cut.pooled?.data[k]).toBeCloseTo(mean, 5);
      expect(cut.perToken?.data[k]).toBeCloseTo(mean, 5);
    }
  });

  it('drops what nothing depends on', () => {
    const { graph } = cutModel(network(), [{ tensor: 'r1', pooling: 'global-average', output: 'out' }]);
    expect(graph.nodes.map((node) => node.op)).toEqual(['Conv', 'Relu', 'GlobalAveragePool', 'Flatten']);
    expect(graph.initializers.map((tensor) => tensor.name)).toEqual(['w1']);
  });
});

describe('costOf', () => {
  it('counts learned values and two operations per multiply-add, up to the cut', () => {
    const { graph } = network();
    const shapes = new Map([
      ['c1', [1, 4, 8, 8]],
      ['c2', [1, 4, 8, 8]],
    ]);
    expect(costOf(graph, ['r1'], shapes)).toEqual({ parameters: 108, flops: 2 * 64 * 108 });
    expect(costOf(graph, ['r2'], shapes)).toEqual({ parameters: 128, flops: 2 * 64 * (108 + 16) });
  });
});

describe('proto', () => {
  it('reads what it wrote', () => {
    const model = network();
    const read = decodeModel(encodeModel(model));
    expect(encodeModel(read)).toEqual(encodeModel(model));
    expect(read.metadata).toEqual({ note: 'kept' });
    expect(read.graph.nodes).toEqual(model.graph.nodes.map((node) => ({ ...node, attributes: expect.anything() })));
    expect(read.graph.nodes.find((node) => node.op === 'LeakyRelu')?.attributes.alpha).toEqual({
      kind: 'float',
      value: Math.fround(0.2),
    });
    expect(
      floatsOf(read.graph.initializers[0] ?? { name: '', elementType: 1, dims: [], data: new Uint8Array() }),
    ).toEqual(noise(108, 1.3));
  });

  it('keeps subgraphs and the values they take from outside', () => {
    const inner = new GraphBuilder('inner');
    inner.node('taken', 'Identity', ['r1']);
    inner.output('taken', null);
    const g = new GraphBuilder('outer');
    g.input('image', ['N', 3, 8, 8]);
    g.node('r1', 'Relu', ['image']);
    const condition = { name: 'yes', elementType: ELEMENT.bool, dims: [1], data: Uint8Array.of(1) };
    const branch = { kind: 'graph', value: inner.build().graph } as const;
    g.node('chosen', 'If', ['yes'], { then_branch: branch, else_branch: branch });
    g.output('chosen', null);
    const built = g.build();
    const model = { ...built, graph: { ...built.graph, initializers: [condition] } };
    const cut = cutModel(decodeModel(encodeModel(model)), [{ tensor: 'chosen', pooling: 'none', output: 'out' }]);
    expect(cut.graph.nodes.map((node) => node.op)).toEqual(['Relu', 'If', 'Flatten']);
  });
});
