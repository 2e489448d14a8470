import { parseMapSpec, parseTissueParams } from '../../../src-shared/api/routes.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { QueueMove } from '../../../src-shared/model/job.ts';
import type { MapSpec } from '../../../src-shared/model/map.ts';
import type { GridSpec, TissueParams } from '../../../src-shared/model/run.ts';
import type { StainFit } from '../../../src-shared/model/stain.ts';

/** Throws InvalidRequest where a parameter is missing, of the wrong type or out of bounds. */
export function checkedTissue(value: unknown): TissueParams {
  const params = parseTissueParams(value);
  if (params === null) throw new AppError('InvalidRequest', 'These tissue settings are not complete.');
  return params;
}

const MOVES: readonly QueueMove[] = ['first', 'up', 'down', 'last'];

/** Throws InvalidRequest for what is no move in the queue. */
export function checkedMove(value: unknown): QueueMove {
  const move = MOVES.find((known) => known === value);
  if (move === undefined) throw new AppError('InvalidRequest', 'A job moves first, up, down or last.');
  return move;
}

/** Throws InvalidRequest for what is no method of stain normalisation. */
export function checkedStainMethod(value: unknown): StainFit['method'] {
  if (value === 'macenko' || value === 'reinhard') return value;
  throw new AppError('InvalidRequest', 'Colours are normalised by Macenko’s or by Reinhard’s method.');
}

/** Throws InvalidRequest for what is no map specification. */
export function checkedSpec(value: unknown): MapSpec {
  const spec = parseMapSpec(value);
  if (spec === null) throw new AppError('InvalidRequest', 'There is no such map.');
  return spec;
}

/** Throws InvalidRequest for what is no whole number of things. */
export function checkedCount(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new AppError('InvalidRequest', 'A number of models is a whole number.');
}

/** Throws InvalidRequest where a number of the grid is missing or makes no sense. */
export function checkedGrid({ mpp, tileUm, strideUm, minTissueFraction }: GridSpec): GridSpec {
  const within = (value: number, low: number, high: number) => value >= low && value <= high;
  if (!within(mpp, 0.05, 64) || !within(tileUm, 1, 20_000) || !within(strideUm, tileUm / 16, tileUm * 16)) {
    throw new AppError('InvalidRequest', 'The tile size, stride or resolution is out of bounds.', {
      advice: 'Resolution 0.05 to 64 µm per pixel, tiles of 1 to 20,000 µm.',
    });
  }
  if (!within(minTissueFraction, 0, 1)) {
    throw new AppError('InvalidRequest', 'The minimal tissue share must lie between 0 and 1.');
  }
  return { mpp, tileUm, strideUm, minTissueFraction };
}
