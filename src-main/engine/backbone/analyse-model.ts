import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import { costOf } from '../graph/cost.ts';
import { allFinite, ELEMENT, floatsOf, type Graph, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { decodeModelFile, readWholeFile } from '../infer/model-file.ts';
import { buildCheckpoint } from './build-checkpoint.ts';
import { cardInMetadata, cutsInMetadata, inputOf, readCardFile } from './card-file.ts';
import type { CardFile } from './card-schema.ts';
import { type MeasureShapes, makeCutTable } from './cut-table.ts';
import { findFeatureTensor } from './feature-output.ts';
import { describeInput, findModelInput } from './model-input.ts';

/** A model as it will be stored (one file, weights inside) and its card. */
export interface AnalysedModel {
  readonly bytes: Uint8Array;
  readonly card: BackboneCard;
}

/**
 * Reads a backbone from a file, ONNX or checkpoint, and writes its card. The network is run once on one noise image.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed, and NotAllowed for a
 * pickle that names code.
 */
export async function analyseFile(path: string, edits: CardEdits, measure: MeasureShapes): Promise<AnalysedModel> {
  const bytes = await readWholeFile(path);
  const beside = await readCardFile(path);
  const fileName = basename(path);
  const built = buildCheckpoint(bytes, fileName, {
    sizePx: edits.input?.widthPx ?? beside?.input?.widthPx,
    activation: edits.activation ?? beside?.activation,
  });
  if (built) {
    const { model, assumed } = built;
    const said = { ...built.said, ...beside };
    return describeModel({ model, bytes: encodeModel(model), said, edits, fileName, assumed }, measure);
  }
  if (edits.activation !== undefined) {
    throw new AppError('InvalidRequest', 'The activation of an ONNX graph is in the graph and cannot be told.', {
      advice: 'Leave the activation out of the card.',
    });
  }
  return analyseOnnx(bytes, path, beside, edits, measure);
}

/**
 * The card of an ONNX file: input, features, cuts with their dims and cost, and what had to be assumed. What is said
 * wins in this order: `edits`, the card file beside the model, the card in its metadata, the graph, a named guess.
 */
async function analyseOnnx(
  original: Uint8Array,
  path: string,
  beside: CardFile | null,
  edits: CardEdits,
  measure: MeasureShapes,
): Promise<AnalysedModel> {
  const model = decodeModelFile(original, path);
  const said: CardFile = { ...cardInMetadata(model.metadata), ...beside };
  // Weights that came out of a second file go into the stored one: the file is then smaller than its weights.
  const bytes = original.byteLength < weightBytes(model) ? encodeModel(model) : original;
  return describeModel({ model, bytes, said, edits, fileName: basename(path) }, measure);
}

export interface ModelToDescribe {
  readonly model: OnnxModel;
  /** The file as it will be stored. */
  readonly bytes: Uint8Array;
  /** What card files and metadata say. */
  readonly said: CardFile;
  readonly edits: CardEdits;
  /** Name of the file it came from, for its card. */
  readonly fileName: string;
  /** What was guessed before, one phrase each. */
  readonly assumed?: readonly string[];
}

/** Writes the card of a network; throws as `analyseFile`. */
export async function describeModel(request: ModelToDescribe, measure: MeasureShapes): Promise<AnalysedModel> {
  const { model, bytes, said, edits, fileName, assumed = [] } = request;
  refuseBrokenWeights(model.graph);
  const input = findModelInput(model.graph);
  const described = describeInput(model.graph, input, { ...inputOf(said), ...inputOf(edits) });
  const features = findFeatureTensor(model.graph);
  const cuts = await makeCutTable(model, input, described.spec, features.tensor, measure);
  const defaultCut = edits.defaultCut ?? said.defaultCut ?? cuts.at(-1)?.name ?? '';
  if (!cuts.some((cut) => cut.name === defaultCut)) {
    throw new AppError('InvalidRequest', `This network has no cut called "${defaultCut}".`, {
      advice: `Its cuts are ${cuts.map((cut) => cut.name).join(', ')}.`,
    });
  }
  return {
    bytes,
    card: {
      id: asId<BackboneId>(createHash('sha256').update(bytes).digest('hex')),
      name: edits.name ?? said.name ?? fileName.replace(/\.[^.]+$/, ''),
      architecture: said.architecture ?? model.metadata['hyaline.architecture'] ?? 'ONNX graph',
      origin: edits.origin ?? said.origin ?? 'unknown',
      method: edits.method ?? said.method ?? '',
      licence: edits.licence ?? said.licence ?? '',
      source: said.source ?? `imported from ${fileName}`,
      input: described.spec,
      inputName: input.name,
      parameters: costOf(model.graph, [features.tensor], new Map()).parameters,
      sizeBytes: bytes.byteLength,
      trainedMpp: said.trainedMpp ?? null,
      ...(said.tuned === undefined ? {} : { tuned: said.tuned }),
      ...fineTunedFromOf(edits.fineTunedFrom ?? said.fineTunedFrom),
      cuts,
      defaultCut,
      builtIn: false,
      assumed: [...assumed, ...described.assumed, ...assumedOf(model, said, edits, features.reason, cuts)],
    },
  };
}

/** Absent where nothing is said. */
const fineTunedFromOf = (said = ''): Pick<BackboneCard, 'fineTunedFrom'> =>
  said === '' ? {} : { fineTunedFrom: said };

function assumedOf(
  model: OnnxModel,
  said: CardFile,
  edits: CardEdits,
  reason: string,
  cuts: readonly CutPoint[],
): string[] {
  const phrases: string[] = [];
  if (reason !== '') phrases.push(reason);
  if (cutsInMetadata(model) === null && cuts.at(-1)?.pooling === 'cls') {
    phrases.push('pooling: the first token is taken as the class token');
  }
  if ((edits.origin ?? said.origin) === undefined) phrases.push('origin: not stated');
  if ((edits.licence ?? said.licence) === undefined) phrases.push('licence: not stated');
  return phrases;
}

function weightBytes(model: OnnxModel): number {
  return model.graph.initializers.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
}

function refuseBrokenWeights(graph: Graph): void {
  const broken = graph.initializers.find(
    (tensor) => tensor.elementType === ELEMENT.float && !allFinite(floatsOf(tensor)),
  );
  if (broken) {
    throw new AppError('BackboneUnreadable', `The weights "${broken.name}" hold values that are not numbers.`, {
      advice: 'The training of this network went wrong; use another checkpoint.',
    });
  }
}
