import { AppError } from '../../../src-shared/errors.ts';
import type { InputSpec, ResizeSpec } from '../../../src-shared/model/backbone.ts';
import type { Dimension, Graph, GraphValue } from '../graph/model.ts';
import { ELEMENT, floatsOf, freeInputs } from '../graph/model.ts';

/** What the file itself says about its input; null where it leaves the choice open. */
export interface ModelInput {
  readonly name: string;
  readonly layout: 'NCHW' | 'NHWC';
  /** False where the file names no channel position and NCHW was taken. */
  readonly layoutKnown: boolean;
  readonly widthPx: number | null;
  readonly heightPx: number | null;
  /** Images at once; null = any number. */
  readonly batch: number | null;
}

function unsupported(message: string, advice: string): AppError {
  return new AppError('BackboneShapeUnsupported', message, { advice });
}

/**
 * The image input of a network.
 *
 * @throws AppError BackboneShapeUnsupported unless there is exactly one input, of floats, with four dimensions, three
 * of its channels.
 */
export function findModelInput(graph: Graph): ModelInput {
  const inputs = freeInputs(graph);
  const [input] = inputs;
  if (!input || inputs.length > 1) {
    const names = inputs.map((value) => `"${value.name}"`).join(', ');
    throw unsupported(
      inputs.length === 0 ? 'This network takes no input.' : `This network takes ${inputs.length} inputs (${names}).`,
      'Export the image encoder alone, with one image input.',
    );
  }
  if (input.elementType !== ELEMENT.float) {
    throw unsupported('This network does not take 32-bit float images.', 'Export it with a float32 input.');
  }
  const dims = input.dims ?? ['', '', '', ''];
  if (dims.length !== 4) {
    throw unsupported(
      `This network takes an input with ${dims.length} dimensions; an image batch has four.`,
      'Export it with an input of batch x 3 x height x width.',
    );
  }
  return { ...geometryOf(input, dims), name: input.name };
}

function geometryOf(input: GraphValue, dims: readonly Dimension[]): Omit<ModelInput, 'name'> {
  const size = dims.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : null));
  const [batch = null, second = null, third = null, fourth = null] = size;
  const nchw = second === 3 || (second === null && fourth !== 3);
  if (!nchw && fourth !== 3) {
    throw unsupported(
      `This network takes ${dims.join(' x ')} ("${input.name}"), not images with three colour channels.`,
      'Export a network for RGB images.',
    );
  }
  return nchw
    ? { layout: 'NCHW', layoutKnown: second === 3, batch, heightPx: third, widthPx: fourth }
    : { layout: 'NHWC', layoutKnown: true, batch, heightPx: second, widthPx: third };
}

const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
const IMAGENET_STD = [0.229, 0.224, 0.225] as const;
const DEFAULT_SIZE_PX = 224;

export interface GuessedInput {
  readonly spec: InputSpec;
  /** One phrase for each thing that was guessed. */
  readonly assumed: readonly string[];
}

/**
 * Completes the input's description: what was given wins, then what the file says, then a guess that is named.
 *
 * @throws AppError BackboneShapeUnsupported where the size given contradicts the file.
 */
export function describeInput(graph: Graph, input: ModelInput, given: Partial<InputSpec>): GuessedInput {
  const assumed: string[] = [];
  const side = (name: 'widthPx' | 'heightPx'): number => {
    const fixed = input[name];
    const wanted = given[name];
    if (fixed !== null && wanted !== undefined && wanted !== fixed) {
      throw unsupported(
        `This network only takes images of ${input.widthPx} x ${input.heightPx} pixels.`,
        'Leave the input size as the file says.',
      );
    }
    return fixed ?? wanted ?? DEFAULT_SIZE_PX;
  };
  const widthPx = side('widthPx');
  const heightPx = side('heightPx');
  const open = (name: 'widthPx' | 'heightPx'): boolean => input[name] === null && given[name] === undefined;
  if (open('widthPx') || open('heightPx')) {
    assumed.push(`input size ${widthPx} x ${heightPx} px: the network takes any size`);
  }
  if (!input.layoutKnown && given.layout === undefined) assumed.push('layout NCHW: the file does not say');
  if (given.channelOrder === undefined) assumed.push('channel order RGB: the file does not say');
  const values = normalisationOf(graph, input.name, given, assumed);
  const layout = input.layoutKnown ? input.layout : (given.layout ?? input.layout);
  const resize = resizeOf(given.resize, Math.max(widthPx, heightPx));
  return {
    spec: { widthPx, heightPx, layout, channelOrder: given.channelOrder ?? 'RGB', ...values, ...resize },
    assumed,
  };
}

const MAX_CROP_FROM_PX = 8192;

/** The resize of a card; left out where it is what a card without it means, so that both are the same card. */
function resizeOf(resize: ResizeSpec | undefined, largestSidePx: number): Pick<InputSpec, 'resize'> {
  if (resize === undefined) return {};
  const { cropFromPx, interpolation } = resize;
  if (cropFromPx !== null && !(cropFromPx >= largestSidePx && cropFromPx <= MAX_CROP_FROM_PX)) {
    throw unsupported(
      `The middle of an image resized to ${cropFromPx} pixels cannot be cut out at ${largestSidePx} pixels.`,
      `Resize to ${largestSidePx} to ${MAX_CROP_FROM_PX} pixels before the crop.`,
    );
  }
  return cropFromPx === null && interpolation === 'bilinear' ? {} : { resize: { interpolation, cropFromPx } };
}

type Normalisation = Pick<InputSpec, 'scale' | 'mean' | 'std'>;

function normalisationOf(graph: Graph, name: string, given: Partial<InputSpec>, assumed: string[]): Normalisation {
  if (given.scale !== undefined && given.mean !== undefined && given.std !== undefined) {
    return { scale: given.scale, mean: given.mean, std: given.std };
  }
  const inside = largestInputConstant(graph, name);
  if (inside === null) {
    assumed.push('normalisation: ImageNet mean and standard deviation of pixels in 0..1');
    return { scale: given.scale ?? 1 / 255, mean: given.mean ?? IMAGENET_MEAN, std: given.std ?? IMAGENET_STD };
  }
  const raw = inside > 2;
  assumed.push(`normalisation: inside the network, which seems to take pixels in ${raw ? '0..255' : '0..1'}`);
  return { scale: given.scale ?? (raw ? 1 : 1 / 255), mean: given.mean ?? [0, 0, 0], std: given.std ?? [1, 1, 1] };
}

/** Operators an exporter may put between the input and its normalisation. */
const REARRANGING = new Set(['Gather', 'Transpose', 'Identity', 'Cast', 'Slice', 'Split', 'Concat']);
const ARITHMETIC = new Set(['Sub', 'Add', 'Mul', 'Div', 'BatchNormalization']);

/**
 * Where a network normalises its input itself, the largest constant it uses for that, whose size tells pixels in
 * 0..255 from pixels in 0..1. Null where the input goes straight into a learned layer.
 */
function largestInputConstant(graph: Graph, inputName: string): number | null {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of graph.nodes) {
    const value = node.attributes.value;
    if (node.op === 'Constant' && value?.kind === 'tensor') constants.set(node.outputs[0] ?? '', value.value);
  }
  let names = new Set([inputName]);
  let largest: number | null = null;
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => names.has(name))) continue;
    if (ARITHMETIC.has(node.op)) {
      const floats = node.inputs.map((name) => constants.get(name)).filter((t) => t?.elementType === ELEMENT.float);
      for (const tensor of floats)
        if (tensor) for (const v of floatsOf(tensor)) largest = Math.max(largest ?? 0, Math.abs(v));
    } else if (!REARRANGING.has(node.op)) {
      break;
    }
    names = new Set([...names, ...node.outputs]);
  }
  return largest;
}
