import { z } from 'zod';
import { INTERPOLATIONS } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';

const triple = z.tuple([z.number(), z.number(), z.number()]);

const resizeSchema = z.object({
  interpolation: z.enum(INTERPOLATIONS),
  cropFromPx: z.number().int().positive().nullable(),
});

const inputSchema = z.object({
  widthPx: z.number().int().positive().optional(),
  heightPx: z.number().int().positive().optional(),
  layout: z.enum(['NCHW', 'NHWC']).optional(),
  channelOrder: z.enum(['RGB', 'BGR']).optional(),
  scale: z.number().positive().optional(),
  mean: triple.optional(),
  std: triple.refine((values) => values.every((value) => value > 0)).optional(),
  resize: resizeSchema.optional(),
});

const id = <T extends BackboneId | SlideId | StudyId>() => z.string().transform((text) => asId<T>(text));

/** What a fine-tuned backbone says of its making. */
const tunedSchema = z.object({
  studyId: id<StudyId>(),
  studyName: z.string(),
  from: id<BackboneId>(),
  fromName: z.string(),
  cut: z.string(),
  fold: z.number().int().nonnegative(),
  seed: z.number().int(),
  tiles: z.number().int().positive(),
  tilesPerStep: z.number().int().positive().nullable(),
  frozenUpTo: z.string().nullable(),
  epochs: z.number().int().positive(),
  rate: z.number().nonnegative(),
  headRate: z.number().nonnegative().nullable(),
  trainSlides: z.array(id<SlideId>()),
  validationSlides: z.array(id<SlideId>()),
  earlierSlides: z.array(id<SlideId>()).default([]),
});

export const cardSchema = z.object({
  name: z.string().min(1).optional(),
  architecture: z.string().optional(),
  origin: z.enum(['imagenet', 'histology', 'random', 'unknown']).optional(),
  method: z.string().optional(),
  licence: z.string().optional(),
  source: z.string().optional(),
  trainedMpp: z.number().positive().nullable().optional(),
  fineTunedFrom: z.string().optional(),
  defaultCut: z.string().optional(),
  activation: z.string().optional(),
  input: inputSchema.optional(),
  tuned: tunedSchema.optional(),
});

/** What a card file beside a model, or the model's own metadata, may say; everything is optional. */
export type CardFile = z.infer<typeof cardSchema>;
