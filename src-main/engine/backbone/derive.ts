import { createHash } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import { cutModel } from '../graph/cut.ts';
import { encodeModel } from '../graph/proto.ts';
import { readModelFile } from '../infer/model-file.ts';
import { ARCHITECTURES } from './architectures/all.ts';
import { CUTS_KEY, FEATURES_NAME } from './architectures/network.ts';
import { IMAGENET_INPUT } from './imagenet-input.ts';
import type { BackboneFile } from './random-resnet18.ts';
import { randomTwin } from './random-twin.ts';
import { randomWeights } from './random-weights.ts';

/** A backbone that is there: its file and its card. */
export interface StoredBackbone {
  readonly modelPath: string;
  readonly card: BackboneCard;
}

/** The random twin of a backbone: the same graph and cuts, weights drawn with the seed. Blocks for seconds. */
export async function makeRandomTwin({ modelPath, card }: StoredBackbone, seed: number): Promise<BackboneFile> {
  const twin = randomTwin(await readModelFile(modelPath), seed);
  const { tuned: _, fineTunedFrom: __, ...kept } = card;
  const described: BackboneCard = {
    ...kept,
    name: `${card.name}-random-${seed}`,
    origin: 'random',
    method: `He-normal, Xavier or truncated normal by layer, seed ${seed}, norms at their defaults`,
    licence: 'MIT',
    source: `random twin of ${card.name} (${card.id.slice(0, 12)})`,
    trainedMpp: null,
    builtIn: false,
  };
  return backboneFile(encodeModel(twin), described);
}

/**
 * A network of the builder with random weights, by architecture name (`resnet50`, `vit_small_patch16`, ...).
 *
 * @throws AppError NotFound for an unknown architecture.
 */
export function makeRandomNetwork(architecture: string, seed: number): BackboneFile {
  const build = ARCHITECTURES[architecture];
  if (!build) {
    throw new AppError('NotFound', `There is no architecture called "${architecture}".`, {
      advice: `Known are ${Object.keys(ARCHITECTURES).join(', ')}.`,
    });
  }
  const network = build(randomWeights(seed));
  const bytes = encodeModel(network.model);
  return backboneFile(bytes, {
    id: asId<BackboneId>(''),
    name: `random-${architecture}-${seed}`,
    architecture,
    origin: 'random',
    method: `He-normal or truncated normal by layer, seed ${seed}, norms at their defaults`,
    licence: 'MIT',
    source: 'made here',
    input: { ...IMAGENET_INPUT, widthPx: network.sizePx, heightPx: network.sizePx },
    inputName: network.inputName,
    parameters: network.parameters,
    sizeBytes: 0,
    trainedMpp: null,
    cuts: network.cuts,
    defaultCut: network.defaultCut,
    builtIn: false,
    assumed: [],
  });
}

/**
 * One cut of a backbone as a network of its own: `features` (N x featureDim) is its only output, and its card travels
 * in its metadata, so that importing it asks nothing.
 */
export async function makeCutModel({ modelPath, card }: StoredBackbone, cut: CutPoint): Promise<Uint8Array> {
  const model = await readModelFile(modelPath);
  const taken = model.graph.nodes.some((node) => node.outputs.includes(FEATURES_NAME));
  const output = taken ? `hyaline.${FEATURES_NAME}` : FEATURES_NAME;
  const cutOut = cutModel(model, [{ tensor: cut.tensor, pooling: cut.pooling, output }]);
  const { name, architecture, origin, method, licence, source, trainedMpp, input, tuned, fineTunedFrom } = card;
  const said = {
    ...{ architecture, origin, method, licence, source, trainedMpp, input },
    ...(tuned === undefined ? {} : { tuned }),
    ...(fineTunedFrom === undefined ? {} : { fineTunedFrom }),
    name: `${name}@${cut.name}`,
    defaultCut: cut.name,
  };
  const before = card.cuts.filter((point) => point.cumulativeParameters <= cut.cumulativeParameters);
  const kept = [...before.filter((point) => point.name !== cut.name), cut];
  const table = kept.map(({ name: label, tensor, pooling }) => ({ name: label, tensor, pooling }));
  const outputs = cutOut.graph.outputs.map((value) => ({ ...value, dims: ['N', cut.featureDim] }));
  return encodeModel({
    ...cutOut,
    graph: { ...cutOut.graph, outputs },
    metadata: { ...model.metadata, 'hyaline.card': JSON.stringify(said), [CUTS_KEY]: JSON.stringify(table) },
  });
}

/** A network's bytes with its card, whose id and size they give. */
export function backboneFile(bytes: Uint8Array, card: BackboneCard): BackboneFile {
  const id = asId<BackboneId>(createHash('sha256').update(bytes).digest('hex'));
  return { bytes, card: { ...card, id, sizeBytes: bytes.byteLength } };
}
