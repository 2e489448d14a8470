import { createHash } from 'node:crypto';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { openByteSource } from './byte-source.ts';
import { seriesOf, seriesSiblings } from './dicom/open-dicom.ts';

const EDGE_BYTES = 1 << 20;
const SAMPLE_BYTES = 16 * 1024;
const SAMPLE_COUNT = 64;
const VERSION = 'hyaline-slide-fingerprint-1\n';

/**
 * Content fingerprint of a slide file, version 1: SHA-256 over the line `hyaline-slide-fingerprint-1`, the size in
 * bytes as decimal digits and a line feed, then either the whole file (up to 3 MiB) or its first MiB, 64 samples of
 * 16 KiB whose starts are spread evenly between, and its last MiB. Name, folder and time stamps play no part, so it
 * survives renaming and moving; it reads at most 3 MiB, so a 10 GB file takes as long as a small one. Two files that
 * differ only between the samples share a fingerprint: it finds a slide again, it does not prove integrity.
 * Throws FileUnreadable.
 *
 * A DICOM slide is a series of files: its fingerprint is the SHA-256 over the version line and the fingerprints of
 * the series' files in the folder, in ascending order, each with a line feed; so it is the same whichever is opened.
 */
export async function fingerprintSlide(path: string): Promise<SlideId> {
  const own = await fingerprintFile(path);
  const seriesUid = await seriesOf(path);
  if (seriesUid === null) return asId<SlideId>(own);
  const siblings = await seriesSiblings(path, seriesUid);
  const all = [own, ...(await Promise.all(siblings.map(fingerprintFile)))].sort();
  return asId<SlideId>(
    createHash('sha256')
      .update(VERSION)
      .update(all.map((one) => `${one}\n`).join(''))
      .digest('hex'),
  );
}

async function fingerprintFile(path: string): Promise<string> {
  const source = await openByteSource(path);
  try {
    const { sizeBytes } = source;
    const hash = createHash('sha256').update(VERSION).update(`${sizeBytes}\n`);
    if (sizeBytes <= EDGE_BYTES * 2 + SAMPLE_BYTES * SAMPLE_COUNT) {
      hash.update(await source.read(0, sizeBytes));
    } else {
      hash.update(await source.read(0, EDGE_BYTES));
      const between = sizeBytes - 2 * EDGE_BYTES - SAMPLE_BYTES;
      for (let index = 0; index < SAMPLE_COUNT; index++) {
        const offset = EDGE_BYTES + Math.floor((between * index) / (SAMPLE_COUNT - 1));
        hash.update(await source.read(offset, SAMPLE_BYTES));
      }
      hash.update(await source.read(sizeBytes - EDGE_BYTES, EDGE_BYTES));
    }
    return hash.digest('hex');
  } finally {
    await source.close();
  }
}
