import { type GraphNode, intAttribute } from '../model.ts';
import type { GradientRule } from './rules-elementwise.ts';
import type { Tape } from './tape.ts';

const x = (node: GraphNode, position = 0): string => node.inputs[position] ?? '';
const axesFrom = (first: number, rank: number): number[] => Array.from({ length: rank - first }, (_, i) => i + first);
const epsilonOf = (node: GraphNode): number =>
  node.attributes.epsilon?.kind === 'float' ? node.attributes.epsilon.value : 1e-5;

/** sqrt(variance + epsilon). */
function deviationOf(tape: Tape, node: GraphNode, variance: string): string {
  return tape.emit('Sqrt', [tape.emit('Add', [variance, tape.scalar(epsilonOf(node))])]);
}

/**
 * BatchNormalization with given statistics is an affine map per channel: dx = dy scale / deviation. Where mean and
 * variance are those of the batch itself (`batchNorms`), what flows through them is taken into account at once:
 * dx = scale / deviation (dy - mean(dy) - normal mean(dy normal)) (Ioffe and Szegedy, 2015, section 3).
 */
const batchNormalization: GradientRule = (tape, node, dy) => {
  if (intAttribute(node, 'training_mode', 0) === 1) {
    throw new Error('BatchNormalization in training mode: measure the batch first');
  }
  const [input, scale, , mean, variance] = node.inputs as [string, string, string, string, string];
  const rank = tape.shape(input).length;
  const wide = tape.ints([Number(tape.shape(scale)[0] ?? 1), ...axesFrom(2, rank).map(() => 1)]);
  const perChannel = (value: string) => tape.emit('Reshape', [value, wide]);
  const deviation = deviationOf(tape, node, variance);
  const slope = tape.emit('Div', [scale, deviation]);
  const others = [0, ...axesFrom(2, rank)];
  const centred = tape.emit('Sub', [input, perChannel(mean)]);
  const products = tape.sum(tape.emit('Mul', [dy, centred]), others, false);
  const dScale = tape.emit('Div', [products, deviation]);
  const dShift = tape.sum(dy, others, false);
  const direct = tape.emit('Mul', [dy, perChannel(slope)]);
  if (!tape.batchNorms.has(node.name)) return [direct, dScale, dShift, null, null];
  const count = tape.emit('Div', [sizeOf(tape, input), sizeOf(tape, scale)], {}, []);
  const share = tape.emit('Div', [slope, count]);
  // Per channel: an offset and a slope against the centred input.
  const offset = tape.emit('Mul', [share, dShift]);
  const tilt = tape.emit('Div', [tape.emit('Mul', [share, dScale]), deviation]);
  const through = tape.emit('Add', [tape.emit('Mul', [centred, perChannel(tilt)]), perChannel(offset)]);
  return [tape.emit('Sub', [direct, through]), dScale, dShift, null, null];
};

function sizeOf(tape: Tape, value: string): string {
  return tape.emit('Cast', [tape.emit('Size', [value], {}, [])], { to: 1 }, []);
}

/** Over the trailing axes from `axis` on; scale and shift have the shape of those axes. */
const layerNormalization: GradientRule = (tape, node, dy) => {
  const rank = tape.shape(x(node)).length;
  const given = intAttribute(node, 'axis', -1);
  const within = axesFrom(given < 0 ? given + rank : given, rank);
  const { normal, deviation } = standardised(tape, node, within);
  const weighted = tape.emit('Mul', [dy, x(node, 1)]);
  return [
    throughStatistics(tape, weighted, normal, deviation, within),
    tape.unbroadcast(tape.emit('Mul', [dy, normal]), x(node, 1)),
    x(node, 2) === '' ? null : tape.unbroadcast(dy, x(node, 2)),
  ];
};

/** Over the places of each image and channel; scale and shift are per channel. */
const instanceNormalization: GradientRule = (tape, node, dy) => {
  const rank = tape.shape(x(node)).length;
  const within = axesFrom(2, rank);
  const { normal, deviation } = standardised(tape, node, within);
  const wide = tape.ints([Number(tape.shape(x(node, 1))[0] ?? 1), ...within.map(() => 1)]);
  const weighted = tape.emit('Mul', [dy, tape.emit('Reshape', [x(node, 1), wide])]);
  const others = [0, ...within];
  return [
    throughStatistics(tape, weighted, normal, deviation, within),
    tape.sum(tape.emit('Mul', [dy, normal]), others, false),
    tape.sum(dy, others, false),
  ];
};

/** The input less its mean over axes, over its (biased) standard deviation. */
function standardised(tape: Tape, node: GraphNode, axes: readonly number[]): { normal: string; deviation: string } {
  const centred = tape.emit('Sub', [x(node), tape.mean(x(node), axes, true)]);
  const deviation = deviationOf(tape, node, tape.mean(tape.emit('Mul', [centred, centred]), axes, true));
  return { normal: tape.emit('Div', [centred, deviation]), deviation };
}

/** (g - mean(g) - normal mean(g normal)) / deviation. */
function throughStatistics(tape: Tape, g: string, normal: string, deviation: string, axes: readonly number[]): string {
  const along = tape.mean(tape.emit('Mul', [g, normal]), axes, true);
  const levelled = tape.emit('Sub', [g, tape.mean(g, axes, true)]);
  return tape.emit('Div', [tape.emit('Sub', [levelled, tape.emit('Mul', [normal, along])]), deviation]);
}

export const NORMALISATION_RULES: Readonly<Record<string, GradientRule>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
};
