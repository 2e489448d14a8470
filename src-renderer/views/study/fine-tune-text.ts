import type { FineTuneForecast, FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import type { Study, StudyFigure, StudyOutcome } from '../../../src-shared/model/study.ts';
import { formatCount, formatDuration } from '../../state/format.ts';

/** Seconds from which training on the processor is warned of. */
const LONG_S = 600;

/** What of a backbone was, or will be, trained. */
export function trainedText({ frozenUpTo, cut }: Pick<FineTuningRecord, 'frozenUpTo' | 'cut'>): string {
  return frozenUpTo === null ? `Everything up to ${cut}` : `What lies behind ${frozenUpTo}, up to ${cut}`;
}

const CPU = 'CPU';

/** What a fine-tuning takes, in a few sentences, and what its time was measured on. */
export function forecastText(forecast: FineTuneForecast): string {
  const { tilesPerEpoch, trainedParameters, parameters, seconds, device } = forecast;
  const what = `${formatCount(tilesPerEpoch)} tiles in each epoch; ${formatCount(trainedParameters)} of ${formatCount(parameters)} weights are trained.`;
  if (seconds === null) return `${what} How long it takes cannot be measured while other jobs run.`;
  const other =
    device === CPU
      ? ''
      : ` If training fails its test on ${device}, or is slower there, the CPU takes over and it takes longer.`;
  return `${what} ${seconds < 1 ? 'Less than a second' : `About ${formatDuration(seconds)}`} on ${device === CPU ? 'the CPU' : device}, then features of all slides by the new backbone.${other}`;
}

/** Why it may take long; empty where it does not. */
export function slowText({ seconds, device, freezable }: FineTuneForecast): string {
  if (seconds === null || seconds < LONG_S || device !== CPU) return '';
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
