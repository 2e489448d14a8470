import { createHash } from 'node:crypto';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import { encodeModel } from '../graph/proto.ts';
import type { BuiltNetwork } from './architectures/network.ts';
import { buildResNet } from './architectures/resnet.ts';
import { IMAGENET_INPUT } from './imagenet-input.ts';
import { randomWeights } from './random-weights.ts';

const SEED = 1;

/** What the generator gives, on every machine: a test holds it to that. */
const FILE = { id: 'bc216a3d37033d95fb7c89ee7b7067ac739be8d72618323fd79fea98aca477a3', sizeBytes: 44_757_476 };

/** A network as a file's bytes, with the card that describes it. */
export interface BackboneFile {
  readonly bytes: Uint8Array;
  readonly card: BackboneCard;
}

/** The card of the built-in random backbone, without making its weights. */
export function randomResNet18Card(): BackboneCard {
  return cardOf(
    buildResNet('resnet18', () => new Float32Array(0)),
    FILE.id,
    FILE.sizeBytes,
  );
}

/**
 * The built-in backbone: a ResNet18 whose weights are drawn at random (He-normal, seed 1, BatchNorm defaults). It knows
 * nothing of tissue: what it finds is colour and texture, the baseline every trained backbone has to beat.
 * Its bytes, hence its id, are the same on every machine. Takes about a second: not for an event loop.
 */
export function makeRandomResNet18(): BackboneFile {
  const network = buildResNet('resnet18', randomWeights(SEED));
  const bytes = encodeModel(network.model);
  return { bytes, card: cardOf(network, createHash('sha256').update(bytes).digest('hex'), bytes.byteLength) };
}

function cardOf(network: BuiltNetwork, sha256: string, sizeBytes: number): BackboneCard {
  return {
    id: asId<BackboneId>(sha256),
    name: 'random-resnet18',
    architecture: 'resnet18',
    origin: 'random',
    method: `he-normal, seed ${SEED}, BatchNorm defaults`,
    licence: 'MIT',
    source: 'built in',
    input: IMAGENET_INPUT,
    inputName: network.inputName,
    parameters: network.parameters,
    sizeBytes,
    trainedMpp: null,
    cuts: network.cuts,
    defaultCut: 'layer4',
    builtIn: true,
    assumed: [],
  };
}
