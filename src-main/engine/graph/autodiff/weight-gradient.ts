import { imageOf, type Window } from './shapes.ts';
import type { Tape } from './tape.ts';

/**
 * dW of a two-dimensional convolution [O, C / group, kernel] is one matrix product per tap of the kernel, over all images
 * and places at once (the shifted image against the gradient), which onnxruntime runs at the speed of its matrix kernels;
 * of few channels one product over all taps.
 */
export function weightGradient(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const [outChannels = 1, inPerGroup = 1, ...kernel] = tape.shape(weight).map(Number);
  const { group } = window;
  const [height = 1, width = 1] = imageOf(tape.shape(dy));
  if (group === 1 && inPerGroup <= FEW_CHANNELS) return fewChannels(tape, image, weight, dy, window);
  const padded = paddedLast(tape, image, window);
  // [group, out / group, places]
  const rows = tape.emit('Reshape', [
    tape.emit('Transpose', [dy], { perm: [1, 0, 2, 3] }),
    tape.ints([group, outChannels / group, -1]),
  ]);
  const taps: string[] = [];
  for (let i = 0; i < (kernel[0] ?? 1); i++) {
    for (let j = 0; j < (kernel[1] ?? 1); j++) {
      const shifted = tap(tape, padded, window, [i, j], [height, width]);
      // [group, places, in / group]
      const flat = tape.emit('Reshape', [shifted, tape.ints([-1, group, inPerGroup])]);
      const columns =
        group === 1
          ? tape.emit('Reshape', [shifted, tape.ints([1, -1, inPerGroup])])
          : tape.emit('Transpose', [flat], { perm: [1, 0, 2] });
      const product = tape.emit('MatMul', [rows, columns]);
      taps.push(tape.emit('Reshape', [product, tape.ints([outChannels, inPerGroup, 1])]));
    }
  }
  const joined = taps.length === 1 ? (taps[0] ?? '') : tape.emit('Concat', taps, { axis: 2 });
  return tape.emit('Reshape', [joined, tape.ints([outChannels, inPerGroup, ...kernel])]);
}

/** The image with channels last and its border padded with zeros: N, H + pads, W + pads, C. */
function paddedLast(tape: Tape, image: string, window: Window): string {
  const last = tape.emit('Transpose', [image], { perm: [0, 2, 3, 1] });
  if (window.pads.every((pad) => pad === 0)) return last;
  const [top = 0, left = 0, bottom = 0, right = 0] = window.pads;
  return tape.emit('Pad', [last, tape.ints([0, top, left, 0, 0, bottom, right, 0]), tape.scalar(0)]);
}

/** Input channels up to which a product per tap would be too narrow for the matrix kernels: the images themselves. */
const FEW_CHANNELS = 8;

/** dW as one product over all taps and channels (im2col: Chellapilla et al., 2006), channels first. */
function fewChannels(tape: Tape, image: string, weight: string, dy: string, window: Window): string {
  const [outChannels = 1, channels = 1, kernelHeight = 1, kernelWidth = 1] = tape.shape(weight).map(Number);
  const [height = 1, width = 1] = imageOf(tape.shape(dy));
  const [top = 0, left = 0, bottom = 0, right = 0] = window.pads;
  const first = tape.emit('Transpose', [image], { perm: [1, 0, 2, 3] });
  const pads = tape.ints([0, 0, top, left, 0, 0, bottom, right]);
  const padded = window.pads.every((pad) => pad === 0) ? first : tape.emit('Pad', [first, pads, tape.scalar(0)]);
  const taps: string[] = [];
  for (let i = 0; i < kernelHeight; i++) {
    for (let j = 0; j < kernelWidth; j++) {
      const seen = tap(tape, padded, window, [i, j], [height, width], [2, 3]);
      taps.push(tape.emit('Reshape', [seen, tape.ints([channels, -1])]));
    }
  }
  const columns = taps.length === 1 ? (taps[0] ?? '') : tape.emit('Concat', taps, { axis: 0 });
  const last = tape.emit('Transpose', [dy], { perm: [0, 2, 3, 1] });
  const product = tape.emit('MatMul', [columns, tape.emit('Reshape', [last, tape.ints([-1, outChannels])])]);
  const byTap = tape.emit('Reshape', [product, tape.ints([kernelHeight * kernelWidth, channels, outChannels])]);
  const turned = tape.emit('Transpose', [byTap], { perm: [2, 1, 0] });
  return tape.emit('Reshape', [turned, tape.ints([outChannels, channels, kernelHeight, kernelWidth])]);
}

/** What one tap of the kernel sees of the padded image, place by place. */
function tap(
  tape: Tape,
  padded: string,
  window: Window,
  at: readonly [number, number],
  out: readonly [number, number],
  axes: readonly [number, number] = [1, 2],
): string {
  const [sh = 1, sw = 1] = window.strides;
  const starts = [at[0] * (window.dilations[0] ?? 1), at[1] * (window.dilations[1] ?? 1)];
  const ends = [(starts[0] ?? 0) + (out[0] - 1) * sh + 1, (starts[1] ?? 0) + (out[1] - 1) * sw + 1];
  return tape.emit('Slice', [padded, tape.ints(starts), tape.ints(ends), tape.ints(axes), tape.ints([sh, sw])]);
}
