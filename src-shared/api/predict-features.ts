import { AppError, type ErrorPayload, toErrorPayload } from '../errors.ts';
import { encoderOf, type FeatureSet, type ImportedFeatures } from '../model/feature-bag.ts';
import type { FileGrant } from '../model/ids.ts';
import type { SlidePrediction, Study } from '../model/study.ts';
import type { EngineApi } from './engine.ts';

/** Feature files that the heads of a study are asked about. */
export interface PickedFeatures {
  /** Folder or file they lie in. */
  readonly folder: FileGrant;
  readonly set: FeatureSet;
  /** What made them. */
  readonly encoder: string;
}

export type FilePrediction = { readonly name: string } & (
  | { readonly features: ImportedFeatures; readonly prediction: SlidePrediction }
  | { readonly error: ErrorPayload }
);

/** What made the imported features of a study; null where its features were extracted here. */
export async function encoderOfStudy(api: Pick<EngineApi, 'listRuns'>, { plan }: Study): Promise<string | null> {
  const row = plan.rows.find(({ runId }) => runId !== null);
  if (row === undefined) return null;
  const run = (await api.listRuns(row.slideId)).find(({ id }) => id === row.runId);
  return run === undefined ? null : encoderOf(run.provenance.backboneName);
}

/**
 * What made a set, where it may be asked about: features of another encoder mean something else to the heads.
 * @param told what the user says made them; null = what the files or their folder say.
 * @param own what made those of the study; null = not known.
 * @throws AppError InvalidRequest where they are of another encoder, or might be.
 */
export function encoderToAsk(set: FeatureSet, told: string | null, own: string | null): string {
  const encoder = told ?? set.encoder;
  if (own === null || encoder === own) return encoder;
  if (told === null && !set.named) {
    throw new AppError(
      'InvalidRequest',
      `These files do not say what made them; those of the study were made by ${own}.`,
      {
        advice: 'Where these were too, say so.',
        detail: `Their folder is called ${encoder}.`,
      },
    );
  }
  throw new AppError('InvalidRequest', `These features were made by ${encoder}, those of the study by ${own}.`, {
    advice: 'The heads only understand features of their own encoder: extract the slides with it.',
  });
}

/**
 * Puts one file into the store (twice is one) and asks a study's heads about it. What is wrong with the file is the
 * answer; Cancelled and StoreLocked, which concern all files, are thrown.
 */
export async function predictFile(
  api: Pick<EngineApi, 'importFeatureBag' | 'predictSlide'>,
  { id, outcome }: Pick<Study, 'id' | 'outcome'>,
  { folder, set: { place, files }, encoder }: PickedFeatures,
  name: string,
): Promise<FilePrediction> {
  try {
    const dim = files.find((file) => file.name === name)?.dim;
    if (dim !== undefined && outcome !== null && dim !== outcome.featureDim) throw otherLength(dim, outcome.featureDim);
    const features = await api.importFeatureBag({ folder, place, name, slideId: null, encoder });
    if (outcome !== null && features.dim !== outcome.featureDim) throw otherLength(features.dim, outcome.featureDim);
    return { name, features, prediction: await api.predictSlide(id, features.runId) };
  } catch (error) {
    const payload = toErrorPayload(error);
    if (payload.code === 'Cancelled' || payload.code === 'StoreLocked') throw error;
    return { name, error: payload };
  }
}

function otherLength(dim: number, own: number): AppError {
  return new AppError('InvalidRequest', `A tile has ${dim} features here, in the study ${own}.`, {
    advice: 'Give features of the encoder that the study was made with.',
  });
}
