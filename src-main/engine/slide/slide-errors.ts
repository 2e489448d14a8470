import { AppError } from '../../../src-shared/errors.ts';

/** The file is there but is no slide that anyone could open. */
export function notASlide(detail: string): AppError {
  return new AppError('NotASlide', 'This file is not a slide.', {
    advice: 'Open a whole-slide image such as an .svs, a pyramidal TIFF or a DICOM file.',
    detail,
  });
}

/** The container is a slide's, but its contents contradict themselves or end too early. */
export function slideDamaged(detail: string, cause?: unknown): AppError {
  return new AppError('SlideDamaged', 'The slide file is damaged or was cut short.', {
    advice: 'Copy the file again from its source and compare the file sizes.',
    detail,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A region that is to be analysed has no pixels in the file. */
export function pixelsMissing({ x0Px, y0Px }: { readonly x0Px: number; readonly y0Px: number }): AppError {
  return new AppError(
    'SlideDamaged',
    'Part of the slide has no pixels in the file, and that part cannot be analysed.',
    {
      advice: 'Copy or scan the slide again, or leave the hatched part out of the analysis.',
      detail: `missing tile at level-0 pixel ${Math.round(x0Px)}, ${Math.round(y0Px)}`,
    },
  );
}

/** A slide, but stored in a way no reader here understands. `what` completes "it uses …". */
export function formatUnsupported(what: string): AppError {
  return new AppError('SlideFormatUnsupported', `Hyaline cannot read this slide: it uses ${what}.`, {
    advice: 'Convert it to a tiled pyramidal TIFF with JPEG tiles, or open it where its own software is installed.',
    detail: what,
  });
}

/** The JPEG 2000 decoder here takes components of one size only. */
export function subsampledJpeg2000(): AppError {
  return formatUnsupported('JPEG 2000 with colour stored at a lower resolution than brightness');
}

/** A format that is read through OpenSlide, on a computer that has none. */
export function openSlideMissing(format: string): AppError {
  return new AppError(
    'SlideFormatUnsupported',
    `${format} slides are read through OpenSlide, which was not found here.`,
    {
      advice:
        'Install OpenSlide (Debian and Ubuntu: apt-get install libopenslide0; others: openslide.org) and open the slide again.',
      detail: `openslide missing for ${format}`,
    },
  );
}

/** True for `openSlideMissing`. */
export function isOpenSlideMissing(error: unknown): boolean {
  return error instanceof AppError && error.detail.startsWith('openslide missing');
}

/** The operating system refused the file. */
export function fileUnreadable(error: unknown): AppError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason =
    code === 'ENOENT'
      ? 'There is no file at this place.'
      : code === 'EACCES' || code === 'EPERM'
        ? 'The file may not be read by this user.'
        : code === 'EISDIR'
          ? 'This is a folder, not a slide file.'
          : 'The file could not be read.';
  return new AppError('FileUnreadable', reason, {
    advice: 'Check its path, that the disk is connected and that you may read it.',
    detail: code === '' ? String(error) : code,
    cause: error,
  });
}

/** A coordinate or size that the slide does not have. */
export function invalidRequest(detail: string): AppError {
  return new AppError('InvalidRequest', 'This part of the slide does not exist.', { detail });
}

/** Throws `Cancelled` where the caller has given up. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AppError('Cancelled', 'Cancelled.');
}
