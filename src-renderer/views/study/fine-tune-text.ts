import type { FineTuneForecast, FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import type { Study, StudyFigure, StudyOutcome } from '../../../src-shared/model/study.ts';
import { formatCount, formatDuration } from '../../state/format.ts';

/** Seconds from which training on the processor is warned of. */
const LONG_S = 600;

/** What of a backbone was, or will be, trained. */
export function trainedText({ frozenUpTo, cut }: Pick<FineTuningRecord, 'frozenUpTo' | 'cut'>): string {
  return frozenUpTo === null ? `Everything up to ${cut}` : `What lies behind ${frozenUpTo}, up to ${cut}`;
}

/** Two sentences about what a fine-tuning takes. */
export function forecastText({ tilesPerEpoch, trainedParameters, parameters, seconds }: FineTuneForecast): string {
  const what = `${formatCount(tilesPerEpoch)} tiles in each epoch; ${formatCount(trainedParameters)} of ${formatCount(parameters)} weights are trained.`;
  return seconds === null
    ? `${what} How long it takes cannot be measured while other jobs run.`
    : `${what} About ${formatDuration(seconds)}, then features of all slides by the new backbone.`;
}

/** Why it may take long; empty where it does not. */
export function slowText({ seconds, device, freezable }: FineTuneForecast): string {
  if (seconds === null || seconds < LONG_S || device !== 'cpu') return '';
  const less = freezable.length > 0 ? 'Fewer tiles or epochs, or more of the backbone kept' : 'Fewer tiles or epochs';
  return `Training runs on the processor, and the machine is busy that long. ${less} make it shorter.`;
}

export interface BeforeAfter {
  readonly name: string;
  readonly before: number | null;
  readonly after: number | null;
}

/** The figures of the split that was fine-tuned on, before and after, where both exist. */
export function beforeAndAfter(
  from: Study & { readonly outcome: StudyOutcome },
  outcome: StudyOutcome,
  fold: number,
): readonly BeforeAfter[] {
  const before = new Map(from.outcome.figures.map((figure): [string, StudyFigure] => [figure.name, figure]));
  return outcome.figures.flatMap(({ name, value }) => {
    const former = before.get(name);
    return former === undefined ? [] : [{ name, before: former.byFold[fold] ?? null, after: value }];
  });
}
