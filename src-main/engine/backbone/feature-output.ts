import { AppError } from '../../../src-shared/errors.ts';
import type { Graph, GraphNode } from '../graph/model.ts';
import { ELEMENT } from '../graph/model.ts';

/** The tensor to take features from, before pooling, and how it was found. */
export interface FeatureTensor {
  readonly tensor: string;
  /** How it was chosen, in a few words for the card; empty where the file leaves no doubt. */
  readonly reason: string;
}

const FEATURE_NAME = /feat|embed|pooler|pooled|representation/i;
/** Operators that only rearrange or squash what a classifier computed. */
const AFTER_CLASSIFIER = new Set([
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'Flatten',
  'Squeeze',
  'Reshape',
  'Identity',
  'Dropout',
  'Cast',
  'Unsqueeze',
]);

/**
 * Finds the layer before the classifier: an output named so (`features`, `embedding`, ...), else what feeds the last
 * fully connected layer, else the output itself.
 *
 * @throws AppError BackboneShapeUnsupported where the network has no tensor as output.
 */
export function findFeatureTensor(graph: Graph): FeatureTensor {
  const outputs = graph.outputs.filter((value) => value.elementType === ELEMENT.float || value.elementType === 0);
  const [first] = outputs;
  if (!first) {
    throw new AppError('BackboneShapeUnsupported', 'This network gives no 32-bit float output.', {
      advice: 'Export it with float32 outputs.',
    });
  }
  const named = outputs.find((value) => FEATURE_NAME.test(value.name));
  if (named) return { tensor: named.name, reason: outputs.length > 1 ? `features: the output "${named.name}"` : '' };
  const before = outputs.map((value) => beforeClassifier(graph, value.name)).find((tensor) => tensor !== null);
  if (before) return { tensor: before, reason: 'features: what feeds the last fully connected layer' };
  return {
    tensor: first.name,
    reason: outputs.length > 1 ? `features: the first of ${outputs.length} outputs, "${first.name}"` : '',
  };
}

/** The data input of the fully connected layer an output comes from; null where it does not come from one. */
function beforeClassifier(graph: Graph, output: string): string | null {
  const producers = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const name of node.outputs) producers.set(name, node);
  const constants = new Set(graph.initializers.map((tensor) => tensor.name));
  let name = output;
  for (;;) {
    const node = producers.get(name);
    if (!node) return null;
    if (node.op === 'Gemm' || node.op === 'MatMul') {
      const data = node.inputs[0] ?? '';
      return constants.has(node.inputs[1] ?? '') && producers.has(data) ? data : null;
    }
    // A bias added after a MatMul belongs to the layer.
    const bias = node.op === 'Add' ? node.inputs.find((input) => constants.has(input)) : undefined;
    if (!AFTER_CLASSIFIER.has(node.op) && bias === undefined) return null;
    name = node.inputs.find((input) => !constants.has(input) && producers.has(input)) ?? '';
  }
}
