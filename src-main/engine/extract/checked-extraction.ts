import { z } from 'zod';
import { AppError } from '../../../src-shared/errors.ts';
import type { ExtractionRequest } from '../../../src-shared/model/extraction.ts';
import { checkedGrid, checkedTissue } from '../service/checked-request.ts';

const rgb = z.tuple([z.number(), z.number(), z.number()]);
const stain = z.discriminatedUnion('method', [
  z.object({
    method: z.literal('macenko'),
    stains: z.tuple([rgb, rgb]),
    maxConcentrations: z.tuple([z.number().positive(), z.number().positive()]),
  }),
  z.object({ method: z.literal('reinhard'), mean: rgb, std: rgb }),
]);
const text = z.string().min(1);
const shape = z.object({
  slideIds: z.array(text),
  targets: z.array(z.object({ backboneId: text, cut: text.nullable() })).min(1),
  precision: z.enum(['float32', 'float16']),
  stain: stain.nullable(),
});

/** A request as it came from a client. @throws AppError InvalidRequest */
export function checkedExtraction(request: ExtractionRequest): ExtractionRequest {
  const checked = shape.safeParse(request);
  if (!checked.success) {
    throw new AppError('InvalidRequest', 'This extraction is not described completely.', {
      detail: z.prettifyError(checked.error),
    });
  }
  return { ...request, grid: checkedGrid(request.grid), tissue: checkedTissue(request.tissue) };
}
