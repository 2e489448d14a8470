import { CodecError } from '../../codec/codec-error.ts';
import { decodeDicomRle } from '../../codec/dicom-rle.ts';
import { decodeJpeg } from '../../codec/jpeg.ts';
import { assembleJpeg, type JpegColour } from '../../codec/jpeg-stream.ts';
import { readJpeg2000Header } from '../../codec/jpeg2000.ts';
import { interleaveToRgb } from '../../codec/sample-layout.ts';
import { decodeWasm } from '../../codec/wasm-codecs.ts';
import { ycbcrToRgb } from '../../codec/ycbcr.ts';
import { formatUnsupported, slideDamaged, subsampledJpeg2000 } from '../slide-errors.ts';
import type { RgbImage } from '../slide-source.ts';
import type { DicomInstance } from './instance.ts';

type FrameCoding = 'none' | 'jpeg' | 'jpeg2000' | 'jpeg-ls' | 'rle';

/** Transfer syntaxes (PS3.5, section 10) by their UID. */
const CODINGS: ReadonlyMap<string, FrameCoding> = new Map([
  ['1.2.840.10008.1.2', 'none'],
  ['1.2.840.10008.1.2.1', 'none'],
  ['1.2.840.10008.1.2.4.50', 'jpeg'],
  ['1.2.840.10008.1.2.4.51', 'jpeg'],
  ['1.2.840.10008.1.2.4.80', 'jpeg-ls'],
  ['1.2.840.10008.1.2.4.81', 'jpeg-ls'],
  ['1.2.840.10008.1.2.4.90', 'jpeg2000'],
  ['1.2.840.10008.1.2.4.91', 'jpeg2000'],
  ['1.2.840.10008.1.2.5', 'rle'],
]);

/** How an instance stores its frames. Throws SlideFormatUnsupported for transfer syntaxes nobody here decodes. */
export function frameCoding(instance: DicomInstance): FrameCoding {
  const coding = CODINGS.get(instance.transferSyntax);
  if (coding === undefined) throw formatUnsupported(`DICOM transfer syntax ${instance.transferSyntax}`);
  const { photometric, samplesPerPixel, bitsAllocated } = instance;
  const colour = samplesPerPixel === 3 && (photometric === 'RGB' || photometric.startsWith('YBR_'));
  const grey = samplesPerPixel === 1 && photometric.startsWith('MONOCHROME');
  if (!colour && !grey) throw formatUnsupported(`DICOM photometric interpretation ${photometric}`);
  if (bitsAllocated !== 8 && !(grey && coding === 'none')) throw formatUnsupported(`${bitsAllocated}-bit samples`);
  if (coding === 'none' && photometric === 'YBR_FULL_422') throw formatUnsupported('uncompressed 4:2:2 colour');
  return coding;
}

/** A JPEG frame as a browser can show it. Throws SlideDamaged. */
export function browserJpeg(instance: DicomInstance, frame: Uint8Array): Uint8Array {
  return damaged(() => assembleJpeg(null, frame, jpegColour(instance)));
}

/** A stored frame as RGB of the instance's tile size. Throws SlideDamaged, SlideFormatUnsupported. */
export async function decodeFrame(instance: DicomInstance, frame: Uint8Array): Promise<RgbImage> {
  try {
    const image = await decode(instance, frame);
    if (image.widthPx !== instance.tileWidthPx || image.heightPx !== instance.tileHeightPx) {
      throw new CodecError(`frame decodes to ${image.widthPx} x ${image.heightPx} px`);
    }
    return image;
  } catch (error) {
    throw error instanceof CodecError ? slideDamaged(error.message, error) : error;
  }
}

async function decode(instance: DicomInstance, frame: Uint8Array): Promise<RgbImage> {
  switch (frameCoding(instance)) {
    case 'jpeg':
      return decodeJpeg(assembleJpeg(null, frame, jpegColour(instance)));
    case 'jpeg2000':
      if (readJpeg2000Header(frame).subsampled) throw subsampledJpeg2000();
      // YBR_ICT and YBR_RCT name the codestream's own transform, which its decoder undoes.
      return decodeWasm(
        { kind: 'jpeg2000', colour: instance.photometric.startsWith('YBR_FULL') ? 'ycbcr' : 'rgb' },
        frame,
      );
    case 'jpeg-ls':
      return inRgb(instance, await decodeWasm({ kind: 'jpeg-ls' }, frame));
    case 'rle':
      return fromSamples(instance, rleSamples(instance, frame), instance.samplesPerPixel > 1);
    case 'none':
      return fromSamples(instance, instance.bitsAllocated === 16 ? eightBit(instance, frame) : frame, instance.planar);
  }
}

function rleSamples(instance: DicomInstance, frame: Uint8Array): Uint8Array {
  return decodeDicomRle(frame, instance.samplesPerPixel, instance.tileWidthPx * instance.tileHeightPx);
}

function fromSamples(instance: DicomInstance, samples: Uint8Array, planar: boolean): RgbImage {
  const { tileWidthPx: widthPx, tileHeightPx: heightPx, samplesPerPixel } = instance;
  const data = interleaveToRgb(samples, samplesPerPixel, planar);
  return inRgb(instance, { widthPx, heightPx, data });
}

function inRgb(instance: DicomInstance, image: RgbImage): RgbImage {
  if (instance.photometric.startsWith('YBR_FULL')) ycbcrToRgb(image.data);
  if (instance.photometric === 'MONOCHROME1') {
    for (let at = 0; at < image.data.length; at++) image.data[at] = 255 - (image.data[at] ?? 0);
  }
  return image;
}

/** The most significant eight of the bits stored (little endian). */
function eightBit(instance: DicomInstance, frame: Uint8Array): Uint8Array {
  const shift = Math.max(0, instance.bitsStored - 8);
  const out = new Uint8Array(frame.length >> 1);
  for (let index = 0; index < out.length; index++) {
    out[index] = Math.min(255, ((frame[index * 2] ?? 0) | ((frame[index * 2 + 1] ?? 0) << 8)) >> shift);
  }
  return out;
}

function jpegColour(instance: DicomInstance): JpegColour {
  if (instance.photometric === 'RGB') return 'rgb';
  return instance.photometric.startsWith('YBR_') ? 'ycbcr' : 'unknown';
}

function damaged<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof CodecError ? slideDamaged(error.message, error) : error;
  }
}
