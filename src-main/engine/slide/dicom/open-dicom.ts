import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type ByteSource, openByteSource } from '../byte-source.ts';
import type { SlideSource } from '../slide-source.ts';
import { DicomSource } from './dicom-source.ts';
import { type DicomInstance, honest, readInstance, readSeriesUid } from './instance.ts';

/** A folder with more files than this is searched for the series no further. */
const MAX_SIBLINGS = 20_000;

/** Opens one DICOM file by itself, without the rest of its series. The slide closes the source; a failure does not. */
export async function openDicomFile(path: string, source: ByteSource): Promise<SlideSource> {
  const instance = await readInstance(path, source);
  return honest(() => new DicomSource(path, [instance]));
}

/**
 * Opens the series a DICOM file belongs to: every whole-slide instance in its folder with the same SeriesInstanceUID.
 * Callers that have searched the folder already pass the others as `knownSiblings`.
 * Files of the series that do not read are left out. The slide closes the source; a failure does not.
 */
export async function openDicomSeries(
  path: string,
  source: ByteSource,
  knownSiblings?: readonly string[],
): Promise<SlideSource> {
  const instances: DicomInstance[] = [await readInstance(path, source)];
  const seriesUid = instances[0]?.seriesUid ?? '';
  try {
    for (const sibling of knownSiblings ?? (await seriesSiblings(path, seriesUid))) {
      const opened = await openByteSource(sibling);
      try {
        instances.push(await readInstance(sibling, opened));
      } catch {
        await opened.close();
      }
    }
    return honest(() => new DicomSource(path, instances));
  } catch (error) {
    await Promise.all(instances.slice(1).map((instance) => instance.source.close()));
    throw error;
  }
}

/** The other files in the folder of `path` that belong to the series, by name. */
export async function seriesSiblings(path: string, seriesUid: string): Promise<readonly string[]> {
  const folder = dirname(resolve(path));
  const entries = await readdir(folder, { withFileTypes: true });
  const siblings: string[] = [];
  for (const entry of entries.slice(0, MAX_SIBLINGS)) {
    const candidate = join(folder, entry.name);
    if (!entry.isFile() || candidate === resolve(path)) continue;
    if ((await seriesOf(candidate)) === seriesUid) siblings.push(candidate);
  }
  return siblings.sort();
}

/** The series a file belongs to; null for files that are no DICOM or do not read. */
export async function seriesOf(path: string): Promise<string | null> {
  try {
    const source = await openByteSource(path);
    try {
      return source.sizeBytes < 132 ? null : await readSeriesUid(source);
    } finally {
      await source.close();
    }
  } catch {
    return null;
  }
}
