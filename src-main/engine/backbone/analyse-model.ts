import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import { costedTensors, costOf } from '../graph/cost.ts';
import { ELEMENT, floatsOf, type Graph, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import type { MeasuredTensor } from '../infer/measure-shapes.ts';
import { readModelFile } from '../infer/model-file.ts';
import { type CardFile, cardInMetadata, inputOf, readCardFile } from './card-file.ts';
import { findFeatureTensor } from './feature-output.ts';
import { findCutCandidates, thinCandidates } from './find-cuts.ts';
import { describeInput, findModelInput } from './model-input.ts';

/** Runs a network once and tells the dims of tensors; `infer/measure-shapes.ts` is the one in use. */
export type MeasureShapes = (
  model: OnnxModel,
  inputName: string,
  dims: readonly number[],
  tensors: readonly string[],
) => Promise<ReadonlyMap<string, MeasuredTensor>>;

/** A model as it will be stored (one file, weights inside) and its card. */
export interface AnalysedModel {
  readonly bytes: Uint8Array;
  readonly card: BackboneCard;
}

/**
 * Reads an ONNX file and writes its card: input, features, cuts with their dims and cost, and what had to be assumed.
 * The network is run once on one noise image. What is said wins in this order: `edits`, the card file beside the model,
 * the card in the model's metadata, the graph, a named guess.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed.
 */
export async function analyseModelFile(path: string, edits: CardEdits, measure: MeasureShapes): Promise<AnalysedModel> {
  const model = await readModelFile(path);
  const said: CardFile = { ...cardInMetadata(model.metadata), ...(await readCardFile(path)) };
  refuseBrokenWeights(model.graph);
  const input = findModelInput(model.graph);
  const given = { ...inputOf(said), ...inputOf(edits) };
  const described = describeInput(model.graph, input, given);
  const features = findFeatureTensor(model.graph);
  const measured = await measureModel(model, input.name, input.batch ?? 1, described.spec, features.tensor, measure);
  const cuts = cutsOf(model.graph, features.tensor, measured);
  const defaultCut = edits.defaultCut ?? said.defaultCut ?? 'features';
  if (!cuts.some((cut) => cut.name === defaultCut)) {
    throw new AppError('InvalidRequest', `This network has no cut called "${defaultCut}".`);
  }
  const external = model.graph.initializers.length > 0 && (await isSplit(path, model));
  const bytes = external ? encodeModel(model) : await readFile(path);
  return {
    bytes,
    card: {
      id: asId<BackboneId>(createHash('sha256').update(bytes).digest('hex')),
      name: edits.name ?? said.name ?? basename(path).replace(/\.[^.]+$/, ''),
      architecture: said.architecture ?? model.metadata['hyaline.architecture'] ?? 'ONNX graph',
      origin: edits.origin ?? said.origin ?? 'unknown',
      method: edits.method ?? said.method ?? '',
      licence: edits.licence ?? said.licence ?? '',
      source: said.source ?? `imported from ${basename(path)}`,
      input: described.spec,
      inputName: input.name,
      parameters: costOf(model.graph, [features.tensor], new Map()).parameters,
      sizeBytes: bytes.byteLength,
      trainedMpp: said.trainedMpp ?? null,
      cuts,
      defaultCut,
      builtIn: false,
      assumed: [...described.assumed, ...assumedOf(said, edits, features.reason, cuts)],
    },
  };
}

function assumedOf(said: CardFile, edits: CardEdits, reason: string, cuts: readonly CutPoint[]): string[] {
  const phrases: string[] = [];
  if (reason !== '') phrases.push(reason);
  if (cuts.at(-1)?.pooling === 'cls') phrases.push('pooling: the first token is taken as the class token');
  if ((edits.origin ?? said.origin) === undefined) phrases.push('origin: not stated');
  if ((edits.licence ?? said.licence) === undefined) phrases.push('licence: not stated');
  return phrases;
}

/** True where the weights came out of a second file: the model on disk is then smaller than its weights. */
async function isSplit(path: string, model: OnnxModel): Promise<boolean> {
  const weights = model.graph.initializers.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
  return (await readFile(path)).byteLength < weights;
}

function refuseBrokenWeights(graph: Graph): void {
  const broken = graph.initializers.find(
    (tensor) => tensor.elementType === ELEMENT.float && !floatsOf(tensor).every((value) => !Number.isNaN(value)),
  );
  if (broken) {
    throw new AppError('BackboneUnreadable', `The weights "${broken.name}" hold values that are not numbers.`, {
      advice: 'The training of this network went wrong; use another checkpoint.',
    });
  }
}

type Measured = ReadonlyMap<string, MeasuredTensor>;

async function measureModel(
  model: OnnxModel,
  inputName: string,
  batch: number,
  spec: InputSpec,
  features: string,
  measure: MeasureShapes,
): Promise<Measured> {
  const { widthPx, heightPx, layout } = spec;
  const dims = layout === 'NCHW' ? [batch, 3, heightPx, widthPx] : [batch, heightPx, widthPx, 3];
  const candidates = findCutCandidates(model.graph, features).map((candidate) => candidate.tensor);
  const tensors = [...new Set([features, ...candidates, ...costedTensors(model.graph)])];
  const measured = await measure(model, inputName, dims, tensors);
  if (measured.get(features)?.finite === false) {
    throw new AppError('BackboneFailed', 'This network gives values that are not numbers.', {
      advice: 'Check that the file is complete and its weights are sound.',
    });
  }
  // Costs are for one image, whatever batch the file fixes.
  const single = [...measured].map(([name, tensor]) => {
    const [first, ...rest] = tensor.dims;
    return [name, first === batch ? { ...tensor, dims: [1, ...rest] } : tensor] as const;
  });
  return new Map(single);
}

function cutsOf(graph: Graph, features: string, measured: Measured): CutPoint[] {
  const shapes = new Map([...measured].map(([name, tensor]) => [name, tensor.dims]));
  const last = measured.get(features)?.dims ?? [];
  const found = findCutCandidates(graph, features)
    .map(({ tensor, kind }) => ({ tensor, kind, ...(measured.get(tensor) ?? { dims: [], elementType: '' }) }))
    .filter(({ tensor, dims, elementType }) => elementType === 'float32' && tensor !== features && isActivation(dims));
  const counters = { add: 0, concat: 0, pool: 0 };
  const inner = thinCandidates(found).map(({ tensor, kind, dims }) => {
    counters[kind] += 1;
    const name = `${{ add: 'block', concat: 'concat', pool: 'pool' }[kind]}${counters[kind]}`;
    return cutPoint(name, tensor, dims);
  });
  const points = [...inner, cutPoint('features', features, last)];
  return points.map((point) => {
    const cost = costOf(graph, [point.tensor], shapes);
    return { ...point, cumulativeParameters: cost.parameters, cumulativeFlops: cost.flops };
  });
}

/** True for a batch of feature maps larger than one pixel, or of token sequences. */
function isActivation(dims: readonly number[]): boolean {
  return (dims.length === 4 && (dims[2] ?? 0) > 1 && (dims[3] ?? 0) > 1) || (dims.length === 3 && (dims[1] ?? 0) > 1);
}

function cutPoint(
  name: string,
  tensor: string,
  dims: readonly number[],
): Omit<CutPoint, 'cumulativeParameters' | 'cumulativeFlops'> {
  const [, second = 0, third = 0, ...rest] = dims;
  if (dims.length === 4) return { name, tensor, pooling: 'global-average', featureDim: second };
  if (dims.length === 3) return { name, tensor, pooling: 'cls', featureDim: third };
  if (dims.length === 2) return { name, tensor, pooling: 'none', featureDim: second };
  throw new AppError('BackboneShapeUnsupported', `The output of this network has ${2 + rest.length} dimensions.`, {
    advice: 'Export it with an output of batch x features.',
  });
}
