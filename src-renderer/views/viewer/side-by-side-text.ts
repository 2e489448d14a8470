import type { MapAgreement } from '../../../src-shared/model/side-by-side.ts';
import { formatCount } from '../../state/format.ts';

/** What was compared with what, and how places were matched. */
export function matchedText({ tiles, unmatched, sameGrid, onGridOf }: MapAgreement): string {
  const left = unmatched === 0 ? '' : ` ${formatCount(unmatched)} tiles have no counterpart and are left out.`;
  if (sameGrid) return `Over the ${formatCount(tiles)} tiles both maps share: the same grid.${left}`;
  const coarser = onGridOf === 'a' ? 'A' : 'B';
  return (
    `The grids differ: each of ${formatCount(tiles)} tiles of ${coarser}, the coarser one, is matched with the tile of the ` +
    `other map that holds its centre.${left}`
  );
}

/** A rank correlation in words; the bounds are a convention, not a test. */
export function agreementText({ spearman, tiles }: MapAgreement): string {
  if (spearman === null) return tiles < 3 ? 'Too few common tiles to say.' : 'One of the maps is the same everywhere.';
  if (spearman >= 0.8) return 'The two maps put places in much the same order.';
  if (spearman >= 0.4) return 'The two maps agree in part.';
  if (spearman > -0.2) return 'The two maps hardly agree on the order of places.';
  return 'The two maps tend to put places in opposite order.';
}
