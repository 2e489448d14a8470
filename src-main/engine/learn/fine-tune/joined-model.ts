import { AppError } from '../../../../src-shared/errors.ts';
import type { CutPoint, InputSpec } from '../../../../src-shared/model/backbone.ts';
import { ancestorNodes, cutModel, namesRead } from '../../graph/cut.ts';
import { ELEMENT, type GraphNode, type OnnxModel } from '../../graph/model.ts';
import type { HeadWeights } from '../evaluate-head.ts';
import { HEAD, trainingGraph } from '../head-graph.ts';
import type { HeadRegularisers, HeadSpec } from '../head-spec.ts';
import { withValues } from '../step-runner.ts';
import { trainableWeights } from './trainable.ts';

/** What the encoder's graph gives out: N x featureDim. */
export const ENCODED = 'hyaline.encoded';
/** Names of a head's values in the joined graph. */
export const inHead = (name: string): string => `head/${name}`;

/** Operator sets whose operators the gradient graphs are written in. */
const OLDEST_OPSET = 16;

export interface JoinedModel {
  /** Images to loss: encoder and head in one graph. */
  readonly model: OnnxModel;
  /** Images to features. */
  readonly encoder: OnnxModel;
  readonly encoderWeights: readonly string[];
  readonly headWeights: readonly string[];
  readonly loss: string;
}

/** What of a network becomes the encoder, and what of it is not trained. */
export interface Encoder {
  readonly cut: CutPoint;
  readonly frozenUpTo: CutPoint | null;
  readonly input: InputSpec;
  readonly inputName: string;
}

/**
 * Puts a trained head behind the network that made its features (HistoTransfer, stage 2): one graph from the images of
 * a bag to the loss of its slide. All weights are those of stage 1.
 *
 * @throws AppError InvalidRequest for a network written in an older operator set than the gradients are, and where nothing
 * is left to train.
 */
export function joinModels(
  backbone: OnnxModel,
  { cut, frozenUpTo, input, inputName }: Encoder,
  head: { readonly spec: HeadSpec; readonly weights: HeadWeights; readonly regularisers: HeadRegularisers },
): JoinedModel {
  if ((backbone.opsets[''] ?? 0) < OLDEST_OPSET) {
    throw new AppError('InvalidRequest', 'This backbone is written for an old version of ONNX and cannot be trained.', {
      advice: `Export it again with operator set ${OLDEST_OPSET} or newer; 13 to 15 do where BatchNormalization has one output.`,
    });
  }
  const encoder = withImages(
    cutModel(backbone, [{ tensor: cut.tensor, pooling: cut.pooling, output: ENCODED }]),
    input,
    inputName,
  );
  const all = trainableWeights(encoder);
  const encoderWeights = frozenUpTo === null ? all : withoutFrozen(all, encoder, frozenUpTo);
  if (encoderWeights.length === 0) throw nothingToTrain(all.length > 0 ? (frozenUpTo?.name ?? '') : null, cut.name);
  const graph = trainingGraph(head.spec, head.regularisers);
  const renamed = inFrontOf(withValues(graph.model, head.weights));
  const inputs = renamed.graph.inputs.filter(({ name }) => name !== ENCODED);
  const model: OnnxModel = {
    ...encoder,
    metadata: {},
    graph: {
      name: 'fine-tuning',
      nodes: [...encoder.graph.nodes, ...renamed.graph.nodes],
      initializers: [...encoder.graph.initializers, ...renamed.graph.initializers],
      inputs: [...encoder.graph.inputs, ...inputs],
      outputs: [{ name: inHead(HEAD.loss), elementType: ELEMENT.float, dims: [] }],
    },
  };
  return { model, encoder, encoderWeights, headWeights: graph.parameters.map(inHead), loss: inHead(HEAD.loss) };
}

/** The weights that nothing up to and including the cut reads. */
function withoutFrozen(weights: readonly string[], { graph }: OnnxModel, { tensor }: CutPoint): readonly string[] {
  const frozen = new Set(ancestorNodes(graph, [tensor]).flatMap(namesRead));
  return weights.filter((name) => !frozen.has(name));
}

function nothingToTrain(frozenUpTo: string | null, cut: string): AppError {
  if (frozenUpTo !== null) {
    return new AppError('InvalidRequest', `Nothing is left to train between ${frozenUpTo} and ${cut}.`, {
      advice: 'Keep less of the backbone as it is, or train all of it.',
    });
  }
  return new AppError('InvalidRequest', 'No trainable weights were found in this backbone.', {
    advice: 'Weights in half precision or quantised ones cannot be trained: import the original.',
  });
}

/** The network with images in any number, of the size its card says. */
function withImages(model: OnnxModel, { layout, heightPx, widthPx }: InputSpec, inputName: string): OnnxModel {
  const dims = layout === 'NCHW' ? ['N', 3, heightPx, widthPx] : ['N', heightPx, widthPx, 3];
  const inputs = model.graph.inputs.map((value) => (value.name === inputName ? { ...value, dims } : value));
  return { ...model, graph: { ...model.graph, inputs } };
}

/** A head with names of its own, whose features are the encoder's output. */
function inFrontOf(model: OnnxModel): OnnxModel {
  const renamed = (name: string): string => (name === '' ? '' : name === HEAD.features ? ENCODED : inHead(name));
  const node = (item: GraphNode): GraphNode => ({
    ...item,
    name: inHead(item.name),
    inputs: item.inputs.map(renamed),
    outputs: item.outputs.map(renamed),
  });
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      nodes: graph.nodes.map(node),
      initializers: graph.initializers.map((tensor) => ({ ...tensor, name: renamed(tensor.name) })),
      inputs: graph.inputs.map((value) => ({ ...value, name: renamed(value.name) })),
    },
  };
}
