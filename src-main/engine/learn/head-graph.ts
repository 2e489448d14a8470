import { RandomStream } from '../backbone/random-stream.ts';
import { GraphBuilder } from '../graph/builder.ts';
import type { OnnxModel } from '../graph/model.ts';
import { attentionWidth, embeddingWidths, type HeadRegularisers, type HeadSpec, INSTANCE_TILES } from './head-spec.ts';

/** Names of what goes in and comes out of a head's graph. N tiles, D features, C classes, E embedding. */
export const HEAD = {
  /** N x D */
  features: 'features',
  /** 1 x C: 1 (or the class weight) at the slide's class, else 0. Training only. */
  target: 'target',
  /** 1 x E: 0 for a dropped dimension, else 1 / share kept. Training only. */
  featureMask: 'feature_mask',
  /** N x 1: a large negative number for a hidden tile, else 0. Training only. */
  tileMask: 'tile_mask',
  loss: 'loss',
  /** 1 x C */
  logits: 'logits',
  /** 1 x C, sums to 1 */
  probabilities: 'probabilities',
  /** N x 1 before the softmax; comparable between tiles of one bag. */
  scores: 'attention_scores',
  /** N x 1, sums to 1 */
  attention: 'attention',
  /** N x C: what each tile adds to each logit; the column sums and the bias give the logits (for max: the scores). */
  contributions: 'contributions',
} as const;

export interface HeadGraph {
  readonly model: OnnxModel;
  /** Names of the trainable constants. */
  readonly parameters: readonly string[];
}

/**
 * The head as it is used: features in, logits, probabilities, attention and contributions out.
 * @param drawn false = all weights 0, for who brings weights: drawing them takes longer than a bag.
 */
export function evaluationGraph(spec: HeadSpec, drawn = true): HeadGraph {
  const head = new HeadBuilder(spec, drawn);
  head.forward(null);
  return head.build(false);
}

/**
 * What a head computes of each tile by itself, without the sums over the bag: the same layers under the same names, so that
 * tiles can go through in parts, with all weights 0. Gives `HEAD.scores` (N x 1; attention pooling only) and `TILE_LOGITS` (N x C).
 */
export function tileGraph(spec: HeadSpec): HeadGraph {
  const head = new HeadBuilder(spec, false);
  head.tiles();
  return head.buildTiles();
}

/** N x C: the last layer over each tile's embedding, without the bias for attention pooling, with it for mean and max. */
export const TILE_LOGITS = 'tile_logits_alone';

/** The same forward pass with target, masks and loss: cross-entropy of the slide, plus what regularises it. */
export function trainingGraph(spec: HeadSpec, regularisers: HeadRegularisers): HeadGraph {
  const head = new HeadBuilder(spec, true);
  head.forward(regularisers);
  head.lossOf(regularisers);
  return head.build(true);
}

const HIDE = -1e4;

/** The value of `HEAD.tileMask` that hides a tile. */
export const HIDDEN_TILE = HIDE;

class HeadBuilder {
  readonly #spec: HeadSpec;
  readonly #g: GraphBuilder;
  readonly #parameters: string[] = [];
  readonly #embedding: number;
  readonly #drawn: boolean;

  constructor(spec: HeadSpec, drawn: boolean) {
    this.#drawn = drawn;
    this.#spec = spec;
    this.#g = new GraphBuilder(`head-${spec.pooling}`);
    this.#embedding = embeddingWidths(spec.pooling).at(-1) ?? spec.featureDim;
  }

  forward(regularisers: HeadRegularisers | null): void {
    const { pooling } = this.#spec;
    const embedded = this.#embed(regularisers !== null);
    if (pooling === 'mean' || pooling === 'max') this.#poolScores(embedded);
    else this.#poolAttended(embedded, regularisers !== null);
    this.#g.node(HEAD.probabilities, 'Softmax', [HEAD.logits], { axis: 1 });
  }

  tiles(): void {
    const g = this.#g;
    const { pooling, classes } = this.#spec;
    const embedded = this.#embed(false);
    if (attentionWidth(pooling) === 0) {
      g.node(TILE_LOGITS, 'Identity', [this.#linear('classify', embedded, this.#embedding, classes)]);
      return;
    }
    this.#attentionScores(embedded);
    // Its bias belongs to the bag.
    this.#uniform('classify_weight', [this.#embedding, classes], this.#embedding);
    g.node(TILE_LOGITS, 'MatMul', [embedded, 'classify_weight']);
  }

  /** loss = (1 - w) ((1 - t) CE(slide) + t mean CE(tiles)) + w CE(instances) - entropyWeight H(attention) / log N. */
  lossOf({ entropyWeight, instanceWeight, tileWeight = 0 }: HeadRegularisers): void {
    const g = this.#g;
    const target = g.input(HEAD.target, [1, this.#spec.classes]);
    const log = g.node('log_probabilities', 'LogSoftmax', [HEAD.logits], { axis: 1 });
    let loss = this.#negatedSum('slide_loss', g.node('slide_terms', 'Mul', [log, target]));
    if (tileWeight > 0) {
      const slide = g.node('slide_beside_tiles', 'Mul', [loss, this.#number('beside_tiles', 1 - tileWeight)]);
      const tiles = g.node('tile_part', 'Mul', [this.#tileLoss(target), this.#number('tile_weight', tileWeight)]);
      loss = g.node('slide_and_tiles', 'Add', [slide, tiles]);
    }
    if (this.#spec.pooling === 'clam-sb' && instanceWeight > 0) {
      const slide = g.node('slide_part', 'Mul', [loss, this.#number('slide_share', 1 - instanceWeight)]);
      const part = g.node('instance_part', 'Mul', [this.#instanceLoss(), this.#number('inst_share', instanceWeight)]);
      loss = g.node('slide_and_instances', 'Add', [slide, part]);
    }
    if (entropyWeight > 0 && attentionWidth(this.#spec.pooling) > 0) {
      const log = g.node('log_attention', 'LogSoftmax', ['visible_scores'], { axis: 0 });
      const entropy = this.#negatedSum('entropy', g.node('entropy_terms', 'Mul', [HEAD.attention, log]));
      const count = g.node('tile_count', 'Cast', [g.node('tile_count_int', 'Size', [HEAD.attention])], { to: 1 });
      const most = g.node('log_count', 'Log', [g.node('count_and_one', 'Add', [count, this.#number('one', 1)])]);
      const share = g.node('entropy_share', 'Div', [entropy, most]);
      const reward = g.node('entropy_reward', 'Mul', [share, this.#number('entropy_weight', entropyWeight)]);
      loss = g.node('loss_with_entropy', 'Sub', [loss, reward]);
    }
    g.node(HEAD.loss, 'Identity', [loss]);
  }

  build(training: boolean): HeadGraph {
    const g = this.#g;
    const { classes } = this.#spec;
    if (training) g.output(HEAD.loss, []);
    g.output(HEAD.logits, [1, classes]);
    g.output(HEAD.probabilities, [1, classes]);
    g.output(HEAD.scores, ['N', 1]);
    g.output(HEAD.attention, ['N', 1]);
    g.output(HEAD.contributions, ['N', classes]);
    return { model: g.build(), parameters: this.#parameters };
  }

  buildTiles(): HeadGraph {
    const hasScores = attentionWidth(this.#spec.pooling) > 0;
    if (hasScores) this.#g.output(HEAD.scores, ['N', 1]);
    this.#g.output(TILE_LOGITS, ['N', this.#spec.classes]);
    return { model: this.#g.build(), parameters: this.#parameters };
  }

  #embed(training: boolean): string {
    const g = this.#g;
    let value = g.input(HEAD.features, ['N', this.#spec.featureDim]);
    let width = this.#spec.featureDim;
    for (const [i, next] of embeddingWidths(this.#spec.pooling).entries()) {
      value = g.node(`embed${i}_relu`, 'Relu', [this.#linear(`embed${i}`, value, width, next)]);
      width = next;
    }
    if (!training) return value;
    const mask = g.input(HEAD.featureMask, [1, width]);
    return g.node('embedding_masked', 'Mul', [value, mask]);
  }

  #poolAttended(embedded: string, training: boolean): void {
    const g = this.#g;
    const { pooling, classes } = this.#spec;
    this.#attentionScores(embedded);
    const visible = training
      ? g.node('visible_scores', 'Add', [HEAD.scores, g.input(HEAD.tileMask, ['N', 1])])
      : HEAD.scores;
    g.node(HEAD.attention, 'Softmax', [visible], { axis: 0 });
    const weights = g.node('attention_row', 'Transpose', [HEAD.attention], { perm: [1, 0] });
    const pooled = g.node('pooled', 'MatMul', [weights, embedded]);
    g.node(HEAD.logits, 'Identity', [this.#linear('classify', pooled, this.#embedding, classes)]);
    const perTile = g.node('tile_scores', 'MatMul', [embedded, 'classify_weight']);
    g.node(HEAD.contributions, 'Mul', [perTile, HEAD.attention]);
    if (pooling === 'clam-sb' && training) g.node('instances', 'Identity', [embedded]);
  }

  #attentionScores(embedded: string): void {
    const g = this.#g;
    const { pooling, gated } = this.#spec;
    const width = attentionWidth(pooling);
    let hidden = g.node('attend_tanh', 'Tanh', [this.#linear('attend', embedded, this.#embedding, width)]);
    if (gated || pooling === 'clam-sb') {
      const gate = g.node('gate_sigmoid', 'Sigmoid', [this.#linear('gate', embedded, this.#embedding, width)]);
      hidden = g.node('attend_gated', 'Mul', [hidden, gate]);
    }
    g.node(HEAD.scores, 'Identity', [this.#linear('score', hidden, width, 1)]);
  }

  /** Mean: uniform weights over linear scores. Max: each class takes its best tile; attention marks where. */
  #poolScores(embedded: string): void {
    const g = this.#g;
    const { pooling, classes } = this.#spec;
    const perTile = this.#linear('classify', embedded, this.#embedding, classes);
    const best = g.node(HEAD.scores, 'ReduceMax', [perTile], { axes: [1], keepdims: 1 });
    if (pooling === 'mean') {
      g.node(HEAD.logits, 'ReduceMean', [perTile], { axes: [0], keepdims: 1 });
      const zeros = g.node('no_scores', 'Mul', [best, this.#number('zero', 0)]);
      g.node(HEAD.attention, 'Softmax', [zeros], { axis: 0 });
      g.node(HEAD.contributions, 'Mul', [perTile, HEAD.attention]);
      return;
    }
    const largest = g.node('largest', 'ReduceMax', [perTile], { axes: [0], keepdims: 1 });
    // Through a product with the chosen places, so that the gradient reaches the best tile of each class only.
    const chosen = g.node('is_best', 'Cast', [g.node('at_best', 'Equal', [perTile, largest])], { to: 1 });
    const ties = g.node('ties', 'ReduceSum', [chosen, g.ints('tile_axis', [0])], { keepdims: 1 });
    const picked = g.node('picked', 'Mul', [perTile, g.node('is_best_share', 'Div', [chosen, ties])]);
    g.node(HEAD.logits, 'ReduceSum', [picked, g.ints('sum_axis', [0])], { keepdims: 1 });
    g.node(HEAD.attention, 'Softmax', [best], { axis: 0 });
    g.node(HEAD.contributions, 'Identity', [perTile]);
  }

  /** Mean over tiles of the cross-entropy of each tile's own logits with the slide's label. */
  #tileLoss(target: string): string {
    const g = this.#g;
    const hasAttention = attentionWidth(this.#spec.pooling) > 0;
    const logits = hasAttention ? g.node('tile_logits', 'Add', ['tile_scores', 'classify_bias']) : 'classify';
    const log = g.node('tile_log', 'LogSoftmax', [logits], { axis: 1 });
    const mean = g.node('tile_log_mean', 'ReduceMean', [log], { axes: [0], keepdims: 1 });
    return this.#negatedSum('tile_loss', g.node('tile_terms', 'Mul', [mean, target]));
  }

  /** Cross-entropy of a two-way classifier per class: the tiles attended most are of the class, the least are not. */
  #instanceLoss(): string {
    const g = this.#g;
    const count = g.node('instance_count', 'Min', [
      g.ints('instance_limit', [INSTANCE_TILES]),
      g.node('bag_size', 'Slice', [
        g.node('bag_shape', 'Shape', [HEAD.attention]),
        g.ints('from0', [0]),
        g.ints('to1', [1]),
      ]),
    ]);
    const flat = g.node('flat_scores', 'Reshape', [HEAD.scores, g.ints('flat_shape', [-1])]);
    const ends = ([1, 0] as const).map((largest) => {
      const name = largest === 1 ? 'most' : 'least';
      g.multi(name, 'TopK', [flat, count], [`${name}_values`, `${name}_places`], { axis: 0, largest });
      const rows = g.node(`${name}_tiles`, 'Gather', ['instances', `${name}_places`], { axis: 0 });
      const logits = this.#instanceLogits(name, rows);
      const log = g.node(`${name}_log`, 'LogSoftmax', [logits], { axis: 2 });
      const wanted = g.floats(`${name}_wanted`, [1, 1, 2], Float32Array.from(largest === 1 ? [0, 1] : [1, 0]));
      const terms = g.node(`${name}_terms`, 'Mul', [log, wanted]);
      const mean = g.node(`${name}_mean`, 'ReduceMean', [terms], { axes: [1], keepdims: 0 });
      const perClass = g.node(`${name}_per_class`, 'ReduceSum', [mean, g.ints(`${name}_axis`, [1])], { keepdims: 0 });
      const weight = g.node(`${name}_target`, 'Reshape', [HEAD.target, g.ints(`${name}_classes`, [-1])]);
      return this.#negatedSum(`${name}_loss`, g.node(`${name}_of_class`, 'Mul', [perClass, weight]));
    });
    const sum = g.node('both_ends', 'Add', ends);
    return g.node('instance_loss', 'Mul', [sum, this.#number('half', 0.5)]);
  }

  /** C x tiles x 2: one two-way classifier per class, shared by both ends. */
  #instanceLogits(name: string, rows: string): string {
    const g = this.#g;
    const { classes } = this.#spec;
    if (name === 'most') {
      this.#uniform('instance_weight', [classes, this.#embedding, 2], this.#embedding);
      this.#uniform('instance_bias', [classes, 1, 2], this.#embedding);
    }
    const wide = g.node(`${name}_wide`, 'Unsqueeze', [rows, g.ints(`${name}_front`, [0])]);
    const product = g.node(`${name}_product`, 'MatMul', [wide, 'instance_weight']);
    return g.node(`${name}_logits`, 'Add', [product, 'instance_bias']);
  }

  /** Weights and bias uniform in +-1/sqrt(inputs): PyTorch's default for Linear. */
  #linear(name: string, value: string, inputs: number, outputs: number): string {
    const weight = this.#uniform(`${name}_weight`, [inputs, outputs], inputs);
    const bias = this.#uniform(`${name}_bias`, [outputs], inputs);
    return this.#g.node(name, 'Gemm', [value, weight, bias]);
  }

  #uniform(name: string, dims: readonly number[], inputs: number): string {
    this.#parameters.push(name);
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (!this.#drawn) return this.#g.floats(name, dims, new Float32Array(count));
    const stream = new RandomStream(this.#spec.seed, name);
    const bound = 1 / Math.sqrt(inputs);
    const values = Float32Array.from({ length: count }, () => (2 * stream.nextUniform() - 1) * bound);
    return this.#g.floats(name, dims, values);
  }

  #number(name: string, value: number): string {
    return this.#g.floats(name, [], Float32Array.of(value));
  }

  #negatedSum(name: string, terms: string): string {
    const sum = this.#g.node(`${name}_sum`, 'ReduceSum', [terms], { keepdims: 0 });
    return this.#g.node(name, 'Neg', [sum]);
  }
}
