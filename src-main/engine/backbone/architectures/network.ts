import type { CutPoint } from '../../../../src-shared/model/backbone.ts';
import { floatAttribute, GraphBuilder } from '../../graph/builder.ts';
import { costOf } from '../../graph/cost.ts';
import { cutModel } from '../../graph/cut.ts';
import type { OnnxModel } from '../../graph/model.ts';
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
  readonly model: OnnxModel;
  readonly inputName: string;
  readonly cuts: readonly CutPoint[];
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

/**
 * Adds convolutional layers to a graph and keeps track of their sizes. Layers are named by their key in the reference
 * checkpoint (`layer1.0.conv1`), their weights `KEY.weight`, `KEY.bias`, `KEY.running_mean`, `KEY.running_var`.
 * The graph takes any batch and any image size; the nominal size only serves to count operations.
 */
export class NetworkBuilder {
  readonly graph: GraphBuilder;
  readonly shapes = new Map<string, readonly number[]>();
  private readonly weights: WeightSource;
  private readonly cutPoints: { name: string; tensor: string; pooling: CutPoint['pooling']; featureDim: number }[] = [];

  constructor(name: string, weights: WeightSource) {
    this.graph = new GraphBuilder(name);
    this.weights = weights;
  }

  image(sizePx: number, fixedSize = false): FeatureMap {
    this.graph.input(INPUT_NAME, ['N', 3, ...(fixedSize ? [sizePx, sizePx] : ['H', 'W'])]);
    return { name: INPUT_NAME, channels: 3, heightPx: sizePx, widthPx: sizePx };
  }

  /** Adds a learned constant and returns its name. */
  weight(name: string, dims: readonly number[], role: WeightRole): string {
    return this.graph.floats(name, dims, this.weights({ name, dims, role }));
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

  relu(x: FeatureMap, name: string): FeatureMap {
    this.graph.node(name, 'Relu', [x.name]);
    return this.map(name, x.channels, x.heightPx, x.widthPx);
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

  /** Closes the network with its last cut as the graph's output `features` (N x featureDim). */
  finish(metadata: Readonly<Record<string, string>>): BuiltNetwork {
    const last = this.cutPoints.at(-1);
    if (!last) throw new Error('the network has no cut point');
    const whole = this.graph.build(metadata);
    const cuts = this.cutPoints.map((point): CutPoint => {
      const cost = costOf(whole.graph, [point.tensor], this.shapes);
      return { ...point, cumulativeParameters: cost.parameters, cumulativeFlops: cost.flops };
    });
    const model = cutModel(whole, [{ tensor: last.tensor, pooling: last.pooling, output: FEATURES_NAME }]);
    const [output] = model.graph.outputs;
    if (!output) throw new Error('the network has no output');
    const outputs = [{ ...output, dims: ['N', last.featureDim] }];
    return {
      model: { ...model, graph: { ...model.graph, outputs } },
      inputName: INPUT_NAME,
      cuts,
      parameters: cuts.at(-1)?.cumulativeParameters ?? 0,
    };
  }

  private map(name: string, channels: number, heightPx: number, widthPx: number): FeatureMap {
    this.shapes.set(name, [1, channels, heightPx, widthPx]);
    return { name, channels, heightPx, widthPx };
  }
}
