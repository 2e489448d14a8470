import { AppError } from '../../../src-shared/errors.ts';
import type { CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import { costedTensors, costOf } from '../graph/cost.ts';
import type { OnnxModel } from '../graph/model.ts';
import type { MeasuredTensor } from '../infer/measure-shapes.ts';
import { cutsInMetadata, type NamedCut } from './card-file.ts';
import { findCutCandidates, thinCandidates } from './find-cuts.ts';
import type { ModelInput } from './model-input.ts';

/** Runs a network once and tells the dims of tensors; `infer/measure-shapes.ts` is the one in use. */
export type MeasureShapes = (
  model: OnnxModel,
  inputName: string,
  dims: readonly number[],
  tensors: readonly string[],
) => Promise<Measured>;

type Measured = ReadonlyMap<string, MeasuredTensor>;

/**
 * The cuts of a network with their dims and cost, last the feature layer: the table the graph carries if it is one of
 * ours, else the places graph analysis finds. The network is run once.
 *
 * @param features tensor of the feature layer, before pooling.
 * @throws AppError BackboneFailed where the network does not run or gives no numbers, BackboneShapeUnsupported where
 * its features are neither vectors, token sequences nor feature maps.
 */
export async function makeCutTable(
  model: OnnxModel,
  input: ModelInput,
  spec: InputSpec,
  features: string,
  measure: MeasureShapes,
): Promise<CutPoint[]> {
  const named = cutsInMetadata(model);
  const candidates = named ? [] : findCutCandidates(model.graph, features);
  const wanted = [...(named ?? candidates).map((cut) => cut.tensor), features, ...costedTensors(model.graph)];
  const measured = await measureOne(model, input, spec, [...new Set(wanted)], measure);
  if (measured.get(features)?.finite === false) {
    throw new AppError('BackboneFailed', 'This network gives values that are not numbers.', {
      advice: 'Check that the file is complete and its weights are sound.',
    });
  }
  const points = named ? namedPoints(named, measured) : foundPoints(candidates, features, measured);
  const shapes = new Map([...measured].map(([name, tensor]) => [name, tensor.dims]));
  return points.map((point) => {
    const cost = costOf(model.graph, [point.tensor], shapes);
    return { ...point, cumulativeParameters: cost.parameters, cumulativeFlops: cost.flops };
  });
}

/** Dims for one image, whatever batch the file fixes. */
async function measureOne(
  model: OnnxModel,
  input: ModelInput,
  spec: InputSpec,
  tensors: readonly string[],
  measure: MeasureShapes,
): Promise<Measured> {
  const batch = input.batch ?? 1;
  const { widthPx, heightPx, layout } = spec;
  const dims = layout === 'NCHW' ? [batch, 3, heightPx, widthPx] : [batch, heightPx, widthPx, 3];
  const measured = await measure(model, input.name, dims, tensors);
  const single = [...measured].map(([name, tensor]) => {
    const [first, ...rest] = tensor.dims;
    return [name, first === batch ? { ...tensor, dims: [1, ...rest] } : tensor] as const;
  });
  return new Map(single);
}

type Point = Omit<CutPoint, 'cumulativeParameters' | 'cumulativeFlops'>;

function namedPoints(named: readonly NamedCut[], measured: Measured): Point[] {
  return named.map(({ name, tensor, pooling }) => {
    const dims = measured.get(tensor)?.dims ?? [];
    return { name, tensor, pooling, featureDim: (pooling === 'global-average' ? dims[1] : dims.at(-1)) ?? 0 };
  });
}

function foundPoints(candidates: ReturnType<typeof findCutCandidates>, features: string, measured: Measured): Point[] {
  const found = candidates
    .map(({ tensor, kind }) => ({ tensor, kind, ...(measured.get(tensor) ?? { dims: [], elementType: '' }) }))
    .filter(({ tensor, dims, elementType }) => elementType === 'float32' && tensor !== features && isActivation(dims));
  const counters = { add: 0, concat: 0, pool: 0 };
  const labels = { add: 'block', concat: 'concat', pool: 'pool' };
  const inner = thinCandidates(found).map(({ tensor, kind, dims }) => {
    counters[kind] += 1;
    return cutPoint(`${labels[kind]}${counters[kind]}`, tensor, dims);
  });
  return [...inner, cutPoint('features', features, measured.get(features)?.dims ?? [])];
}

/** True for a batch of feature maps larger than one pixel, or of token sequences. */
function isActivation(dims: readonly number[]): boolean {
  return (dims.length === 4 && (dims[2] ?? 0) > 1 && (dims[3] ?? 0) > 1) || (dims.length === 3 && (dims[1] ?? 0) > 1);
}

function cutPoint(name: string, tensor: string, dims: readonly number[]): Point {
  const [, second = 0, third = 0] = dims;
  if (dims.length === 4) return { name, tensor, pooling: 'global-average', featureDim: second };
  if (dims.length === 3) return { name, tensor, pooling: 'cls', featureDim: third };
  if (dims.length === 2) return { name, tensor, pooling: 'none', featureDim: second };
  throw new AppError('BackboneShapeUnsupported', `The output of this network has ${dims.length} dimensions.`, {
    advice: 'Export it with an output of batch x features.',
  });
}
