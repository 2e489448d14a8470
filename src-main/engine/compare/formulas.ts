import { KNOWLEDGE_GAIN_FORMULA } from '../study/knowledge-gain.ts';
import type { ReadyRequest } from './compare-request.ts';
import { INNER_FOLDS } from './probe-part.ts';
import { OUTER_FOLDS } from './task-parts.ts';

/** What stands above every table and below every figure: how the numbers were made. */
export function formulasOf({ probe, standardise, seeds, twinSeeds, resamples }: ReadyRequest): readonly string[] {
  const probes = {
    svm: 'linear SVM (L2, squared hinge), C from 1e-10 to 1 in powers of ten',
    logistic: 'multinomial logistic regression (L2), C from 1e-10 to 1 in powers of ten',
    knn: 'nearest neighbours by cosine similarity, k of 1, 5 and 20',
  };
  const scale = standardise ? 'features standardised by the training part' : 'features as they are';
  return [
    `Probe: ${probes[probe]}, ${scale}; chosen by ${INNER_FOLDS}-fold cross-validation inside the training part, groups kept whole.`,
    `Score: AUC for two classes, accuracy for more; mean over folds (${OUTER_FOLDS}, or the task's own held-out part), then over seeds ${seeds.join(', ')}.`,
    `Intervals: 95 % percentile bootstrap over groups, ${resamples} resamples, seed ${seeds[0] ?? 1}.`,
    ...(twinSeeds.length === 0
      ? []
      : [
          `Knowledge gain: ${KNOWLEDGE_GAIN_FORMULA}, random twins with seeds ${twinSeeds.join(', ')}, BatchNorm at its defaults: our operationalisation of Li and Plataniotis 2020.`,
        ]),
    'Chosen cut: for every part the cut with the best inner score, so that no test image takes part in the choice.',
  ];
}
