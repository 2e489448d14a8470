import { AppError } from '../../../src-shared/errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { ELEMENT, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import type { LayerProducts, LayerProductsRequest } from './protocol.ts';
import { loadRuntime, openSession, type Runtime, runFailure, type Session } from './runtime.ts';

/**
 * Inner products of the centred kernel matrices of layers: everything CKA needs of one batch of images, as two small
 * graphs. A matrix is centred twice for the biased estimator (H K H) and, for the unbiased one, as Székely and Rizzo
 * 2014 do (U-centred, its diagonal zero): the inner product of two such matrices is n (n - 3) times HSIC_1 of Song et
 * al. 2012, eq. 5. Lives on the inference thread; graphs are kept for the batch sizes that come.
 */
export class CentredKernels {
  readonly #runtime: Runtime;
  readonly #threads: number;
  readonly #sessions = new Map<string, Session>();

  private constructor(runtime: Runtime, threads: number) {
    this.#runtime = runtime;
    this.#threads = threads;
  }

  /** @throws AppError DeviceFailed where the library does not load. */
  static async open(threads: number): Promise<CentredKernels> {
    return new CentredKernels(await loadRuntime(), threads);
  }

  /** @throws AppError InvalidRequest for a batch below four images, BackboneFailed, DeviceFailed. */
  async products({ layers, count, rbfThreshold }: LayerProductsRequest): Promise<LayerProducts> {
    if (count < 4) throw new AppError('InvalidRequest', 'CKA needs at least four images in a batch.');
    const size = count * count;
    const stack = () => new Float32Array(layers.length * size);
    const linear = { biased: stack(), unbiased: stack() };
    const rbf = { biased: stack(), unbiased: stack() };
    for (const [l, { data, dim }] of layers.entries()) {
      const values = new Float32Array(data, 0, count * dim);
      const of = await this.#run(`linear ${count}`, () => linearGraph(count), { x: [values, [count, dim]] });
      linear.biased.set(of('biased'), l * size);
      linear.unbiased.set(of('unbiased'), l * size);
      const distances = of('distances');
      const scale = Float32Array.of(-1 / (2 * rbfThreshold * rbfThreshold * median(distances)));
      const feeds = { distances: [distances, [count, count]], scale: [scale, []] } as const;
      const ofRbf = await this.#run(`rbf ${count}`, () => rbfGraph(count), feeds);
      rbf.biased.set(ofRbf('biased'), l * size);
      rbf.unbiased.set(ofRbf('unbiased'), l * size);
    }
    const sums = (rows: Float32Array) => this.#gram(rows, layers.length, size);
    return {
      linear: { biased: await sums(linear.biased), unbiased: await sums(linear.unbiased) },
      rbf: { biased: await sums(rbf.biased), unbiased: await sums(rbf.unbiased) },
    };
  }

  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    this.#sessions.clear();
  }

  async #gram(rows: Float32Array, count: number, dim: number): Promise<readonly number[]> {
    const of = await this.#run('gram', gramGraph, { x: [rows, [count, dim]] });
    return Array.from(of('gram'));
  }

  async #run(
    key: string,
    graph: () => OnnxModel,
    feeds: Readonly<Record<string, readonly [Float32Array, readonly number[]]>>,
  ): Promise<(output: string) => Float32Array> {
    const known = this.#sessions.get(key);
    const session =
      known ?? (await openSession({ model: encodeModel(graph()), provider: 'cpu', threads: this.#threads }));
    this.#sessions.set(key, session);
    const tensors = Object.entries(feeds).map(([name, [values, dims]]) => {
      return [name, new this.#runtime.Tensor('float32', values, dims)] as const;
    });
    const results = await session.run(Object.fromEntries(tensors)).catch((cause: unknown) => {
      throw runFailure(cause);
    });
    return (output) => {
      const data = results[output]?.data;
      return data instanceof Float32Array ? data : new Float32Array();
    };
  }
}

/** The middle of all values, equal ones and the diagonal's zeros included, as the reference notebook takes it. */
function median(values: Float32Array): number {
  const work = Float32Array.from(values);
  const low = Math.floor((work.length - 1) / 2);
  const at = select(work, low);
  // What lies behind the place is no smaller: for an even count the next one is the least of it.
  return work.length % 2 === 1 ? at : (at + work.subarray(low + 1).reduce((a, b) => Math.min(a, b), Infinity)) / 2;
}

/** The value that sorting would put at `place`; the array is partly sorted by it. Source: Hoare 1961. */
function select(values: Float32Array, place: number): number {
  let [first, last] = [0, values.length - 1];
  while (first < last) {
    const pivot = values[(first + last) >> 1] as number;
    let [i, j] = [first, last];
    while (i <= j) {
      while ((values[i] as number) < pivot) i++;
      while ((values[j] as number) > pivot) j--;
      if (i > j) break;
      const kept = values[i] as number;
      values[i++] = values[j] as number;
      values[j--] = kept;
    }
    if (place <= j) last = j;
    else if (place >= i) first = i;
    else break;
  }
  return values[place] as number;
}

/** X X' of rows that are kernel matrices, flattened. */
function gramGraph(): OnnxModel {
  const g = new GraphBuilder('gram');
  const x = g.input('x', ['L', 'D']);
  g.output(g.node('gram', 'Gemm', [x, x], { transB: 1 }), ['L', 'L']);
  return g.build();
}

/** Rows of features (centred on all images, so that large means swallow nothing) to K = X X' and its distances. */
function linearGraph(n: number): OnnxModel {
  const g = new GraphBuilder('linear kernel');
  const x = g.input('x', [n, 'D']);
  const mean = g.node('mean', 'ReduceMean', [x], { axes: [0], keepdims: 1 });
  const centred = g.node('centred', 'Sub', [x, mean]);
  const kernel = g.node('kernel', 'Gemm', [centred, centred], { transB: 1 });
  addCentring(g, kernel, n);
  const squares = g.node('squares', 'ReduceSumSquare', [centred], { axes: [1], keepdims: 1 });
  const turned = g.node('squares turned', 'Transpose', [squares], { perm: [1, 0] });
  const both = g.node('both squares', 'Add', [squares, turned]);
  const twice = g.node('twice', 'Add', [kernel, kernel]);
  const raw = g.node('raw distances', 'Relu', [g.node('difference', 'Sub', [both, twice])]);
  g.output(g.node('distances', 'Mul', [raw, g.floats('others', [n, n], offDiagonal(n))]), [n, n]);
  return g.build();
}

function rbfGraph(n: number): OnnxModel {
  const g = new GraphBuilder('gaussian kernel');
  const distances = g.input('distances', [n, n]);
  const scale = g.input('scale', [], ELEMENT.float);
  const kernel = g.node('kernel', 'Exp', [g.node('exponent', 'Mul', [distances, scale])]);
  addCentring(g, kernel, n);
  return g.build();
}

function addCentring(g: GraphBuilder, kernel: string, n: number): void {
  const rowMeans = g.node('row means', 'ReduceMean', [kernel], { axes: [1], keepdims: 1 });
  const columnMeans = g.node('column means', 'Transpose', [rowMeans], { perm: [1, 0] });
  const all = g.node('mean of all', 'ReduceMean', [rowMeans], { axes: [0], keepdims: 1 });
  const lessRows = g.node('less rows', 'Sub', [kernel, rowMeans]);
  g.output(g.node('biased', 'Add', [g.node('less both', 'Sub', [lessRows, columnMeans]), all]), [n, n]);

  const mask = g.floats('off the diagonal', [n, n], offDiagonal(n));
  const hollow = g.node('hollow', 'Mul', [kernel, mask]);
  const rows = g.node('row sums', 'ReduceMean', [hollow], { axes: [1], keepdims: 1 });
  const perRow = g.node('per row', 'Mul', [rows, g.floats('n / (n - 2)', [], Float32Array.of(n / (n - 2)))]);
  const perColumn = g.node('per column', 'Transpose', [perRow], { perm: [1, 0] });
  const mean = g.node('hollow mean', 'ReduceMean', [rows], { axes: [0], keepdims: 1 });
  const factor = g.floats('n n / ((n - 1) (n - 2))', [], Float32Array.of((n * n) / ((n - 1) * (n - 2))));
  const total = g.node('total', 'Mul', [mean, factor]);
  const lessBoth = g.node('u less both', 'Sub', [g.node('u less rows', 'Sub', [hollow, perRow]), perColumn]);
  g.output(g.node('unbiased', 'Mul', [g.node('u centred', 'Add', [lessBoth, total]), mask]), [n, n]);
}

function offDiagonal(n: number): Float32Array {
  const mask = new Float32Array(n * n).fill(1);
  for (let i = 0; i < n; i++) mask[i * n + i] = 0;
  return mask;
}
