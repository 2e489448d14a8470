import type { CutPoint } from '../../../../src-shared/model/backbone.ts';
import { floatAttribute, GraphBuilder } from '../../graph/builder.ts';
import { costOf } from '../../graph/cost.ts';
import { appendOutput } from '../../graph/cut.ts';
import { floatTensor, type OnnxModel } from '../../graph/model.ts';
import type { WeightRole, WeightSource } from '../weights.ts';

/** A stack of feature maps inside the network being built: N x channels x height x width, named in the graph. */
export interface FeatureMap {
  readonly name: string;
  readonly channels: number;
  readonly heightPx: number;
  readonly widthPx: number;
}

/** A finished network: its graph and where it can be cut. */
export interface BuiltNetwork {
  readonly architecture: string;
  readonly model: OnnxModel;
  readonly inputName: string;
  /** Nominal side of the input. */
  readonly sizePx: number;
  readonly cuts: readonly CutPoint[];
  /** The cut that is the graph's output `features`. */
  readonly defaultCut: string;
  readonly parameters: number;
}

export interface ConvOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

export interface PoolOptions {
  readonly kernel: number;
  readonly stride: number;
  readonly padding?: number;
  readonly ceil?: boolean;
}

export const INPUT_NAME = 'input';
export const FEATURES_NAME = 'features';
export const ARCHITECTURE_KEY = 'hyaline.architecture';
/** Metadata key under which a graph of ours carries its cut table: a list of name, tensor and pooling. */
export const CUTS_KEY = 'hyaline.cuts';

/**
 * Adds convolutional layers to a graph and keeps track of their sizes. Layers are named by their key in the reference
 * checkpoint (`layer1.0.conv1`), their weights `KEY.weight`, `KEY.bias`, `KEY.running_mean`, `KEY.running_var`.
 * The graph takes any batch and any image size; the nominal size only serves to count operations.
 */
export class NetworkBuilder {
  readonly graph: GraphBuilder;
  readonly shapes = new Map<string, readonly number[]>();
  private readonly weights: WeightSource;
  private sizePx = 0;
  private readonly constants = new Set<string>();
  private readonly cutPoints: { name: string; tensor: string; pooling: CutPoint['pooling']; featureDim: number }[] = [];

  constructor(name: string, weights: WeightSource) {
    this.graph = new GraphBuilder(name);
    this.weights = weights;
  }

  image(sizePx: number, fixedSize = false): FeatureMap {
    this.sizePx = sizePx;
    this.graph.input(INPUT_NAME, ['N', 3, ...(fixedSize ? [sizePx, sizePx] : ['H', 'W'])]);
    return { name: INPUT_NAME, channels: 3, heightPx: sizePx, widthPx: sizePx };
  }

  /** Adds a learned constant and returns its name. */
  weight(name: string, dims: readonly number[], role: WeightRole): string {
    return this.graph.floats(name, dims, this.weights({ name, dims, role }));
  }

  /** Adds a matrix the checkpoint holds as [out, in] in the order a matrix product needs, [in, out]. */
  transposedWeight(name: string, out: number, inputs: number): string {
    const source = this.weights({ name, dims: [out, inputs], role: 'linear' });
    const turned = source.length === 0 ? source : transpose(source, out, inputs);
    return this.graph.floats(name, [inputs, out], turned);
  }

  conv(x: FeatureMap, key: string, options: ConvOptions): FeatureMap {
    const { channels, kernel, stride = 1, padding = 0, groups = 1 } = options;
    const inputs = [x.name, this.weight(`${key}.weight`, [channels, x.channels / groups, kernel, kernel], 'conv')];
    if (options.bias) inputs.push(this.weight(`${key}.bias`, [channels], 'bias'));
    this.graph.node(key, 'Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      dilations: [1, 1],
      group: groups,
    });
    const size = (side: number): number => Math.floor((side + 2 * padding - kernel) / stride) + 1;
    return this.map(key, channels, size(x.heightPx), size(x.widthPx));
  }

  batchNorm(x: FeatureMap, key: string): FeatureMap {
    const inputs = [
      x.name,
      this.weight(`${key}.weight`, [x.channels], 'norm-scale'),
      this.weight(`${key}.bias`, [x.channels], 'norm-shift'),
      this.weight(`${key}.running_mean`, [x.channels], 'running-mean'),
      this.weight(`${key}.running_var`, [x.channels], 'running-var'),
    ];
    this.graph.node(key, 'BatchNormalization', inputs, { epsilon: floatAttribute(1e-5) });
    return this.map(key, x.channels, x.heightPx, x.widthPx);
  }

  /** Instance normalisation without learned scale and shift (SimCLR encoders trained with it, as DSMIL's). */
  instanceNorm(x: FeatureMap, key: string): FeatureMap {
    const fixed = (name: string, value: number): string => {
      const tensor = floatTensor(name, [x.channels], new Float32Array(x.channels).fill(value));
      // A Constant node and no initializer: it is no weight and must not count as one.
      return this.graph.node(name, 'Constant', [], { value: { kind: 'tensor', value: tensor } });
    };
    const inputs = [x.name, fixed(`${key}.ones`, 1), fixed(`${key}.zeros`, 0)];
    this.graph.node(key, 'InstanceNormalization', inputs, { epsilon: floatAttribute(1e-5) });
    return this.map(key, x.channels, x.heightPx, x.widthPx);
  }

  relu(x: FeatureMap, name: string): FeatureMap {
    this.graph.node(name, 'Relu', [x.name]);
    return this.map(name, x.channels, x.heightPx, x.widthPx);
  }

  /** ReLU that saturates at 6 (MobileNet). */
  relu6(x: FeatureMap, name: string): FeatureMap {
    const bounds = [this.constant('zero', 0), this.constant('six', 6)];
    this.graph.node(name, 'Clip', [x.name, ...bounds]);
    return this.map(name, x.channels, x.heightPx, x.widthPx);
  }

  /** A lone number as a constant of the graph, added once. */
  constant(name: string, value: number): string {
    if (!this.constants.has(name)) this.graph.floats(name, [], Float32Array.of(value));
    this.constants.add(name);
    return name;
  }

  add(a: FeatureMap, b: FeatureMap, name: string): FeatureMap {
    this.graph.node(name, 'Add', [a.name, b.name]);
    return this.map(name, a.channels, a.heightPx, a.widthPx);
  }

  concat(parts: readonly FeatureMap[], name: string): FeatureMap {
    const [first] = parts;
    if (!first) throw new Error('nothing to concatenate');
    this.graph.node(
      name,
      'Concat',
      parts.map((part) => part.name),
      { axis: 1 },
    );
    const channels = parts.reduce((sum, part) => sum + part.channels, 0);
    return this.map(name, channels, first.heightPx, first.widthPx);
  }

  /** Splits the channels into two equal halves. */
  halves(x: FeatureMap, name: string): [FeatureMap, FeatureMap] {
    const half = x.channels / 2;
    this.graph.multi(name, 'Split', [x.name], [`${name}.0`, `${name}.1`], { axis: 1 });
    return [this.map(`${name}.0`, half, x.heightPx, x.widthPx), this.map(`${name}.1`, half, x.heightPx, x.widthPx)];
  }

  /** Picks channels in a given order. */
  pick(x: FeatureMap, name: string, order: readonly number[]): FeatureMap {
    this.graph.node(name, 'Gather', [x.name, this.graph.ints(`${name}.order`, order)], { axis: 1 });
    return this.map(name, order.length, x.heightPx, x.widthPx);
  }

  pool(x: FeatureMap, name: string, kind: 'MaxPool' | 'AveragePool', options: PoolOptions): FeatureMap {
    const { kernel, stride, padding = 0, ceil = false } = options;
    this.graph.node(name, kind, [x.name], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      ceil_mode: ceil ? 1 : 0,
    });
    const round = ceil ? Math.ceil : Math.floor;
    const size = (side: number): number => round((side + 2 * padding - kernel) / stride) + 1;
    return this.map(name, x.channels, size(x.heightPx), size(x.widthPx));
  }

  /** Marks a place where the network can be cut; the last one added is the network's own feature layer. */
  cut(name: string, tensor: string, featureDim: number, pooling: CutPoint['pooling'] = 'global-average'): void {
    this.cutPoints.push({ name, tensor, pooling, featureDim });
  }

  /**
   * Closes the network with one cut as the graph's output `features` (N x featureDim).
   *
   * @param featureCut name of that cut; the last one if left out.
   */
  finish(architecture: string, featureCut?: string): BuiltNetwork {
    const chosen = this.cutPoints.find((point) => point.name === featureCut) ?? this.cutPoints.at(-1);
    if (!chosen) throw new Error('the network has no cut point');
    const table = this.cutPoints.map(({ name, tensor, pooling }) => ({ name, tensor, pooling }));
    const metadata = { [ARCHITECTURE_KEY]: architecture, [CUTS_KEY]: JSON.stringify(table) };
    const whole = this.graph.build(metadata);
    const cuts = this.cutPoints.map((point): CutPoint => {
      const cost = costOf(whole.graph, [point.tensor], this.shapes);
      return { ...point, cumulativeParameters: cost.parameters, cumulativeFlops: cost.flops };
    });
    const { tensor, pooling, featureDim } = chosen;
    return {
      architecture,
      model: appendOutput(whole, { tensor, pooling, output: FEATURES_NAME }, featureDim),
      inputName: INPUT_NAME,
      sizePx: this.sizePx,
      cuts,
      defaultCut: chosen.name,
      parameters: costOf(whole.graph, [tensor], new Map()).parameters,
    };
  }

  private map(name: string, channels: number, heightPx: number, widthPx: number): FeatureMap {
    this.shapes.set(name, [1, channels, heightPx, widthPx]);
    return { name, channels, heightPx, widthPx };
  }
}

const BLOCK = 32;

/** Turns a rows x columns matrix, block by block so that both sides stay in the cache. */
function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(matrix.length);
  for (let row0 = 0; row0 < rows; row0 += BLOCK) {
    for (let column0 = 0; column0 < columns; column0 += BLOCK) {
      const rowEnd = Math.min(row0 + BLOCK, rows);
      const columnEnd = Math.min(column0 + BLOCK, columns);
      for (let row = row0; row < rowEnd; row += 1) {
        for (let column = column0; column < columnEnd; column += 1) {
          turned[column * rows + row] = matrix[row * columns + column] ?? 0;
        }
      }
    }
  }
  return turned;
}
