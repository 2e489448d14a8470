import type { BackboneCard } from './backbone.ts';
import { NOT_STEADIED, type PoolingName, type Study, type StudyPlan, type TrainedOn } from './study.ts';

/** How tiles become one answer for the slide, as the user chooses it. */
export const POOLINGS: readonly { readonly value: PoolingName; readonly label: string; readonly hint: string }[] = [
  {
    value: 'histotransfer',
    label: 'Attention (HistoTransfer)',
    hint: 'A small network weighs the tiles: 256 to 64, attention 32.',
  },
  { value: 'abmil', label: 'Attention (ABMIL)', hint: 'Attention pooling of Ilse and others, 2018.' },
  {
    value: 'clam-sb',
    label: 'Attention (CLAM-SB)',
    hint: 'With a loss on the most and least attended tiles (Lu and others, 2021).',
  },
  {
    value: 'mean',
    label: 'Mean of the tiles (control)',
    hint: 'Every tile counts the same: what attention has to beat.',
  },
  {
    value: 'max',
    label: 'Strongest tile (control)',
    hint: 'For each class, the one tile that speaks most for it decides.',
  },
];

/** What made the features, as far as it is known here. */
export interface FeatureMaker {
  /** Name of the backbone, or of the encoder of imported features; null where neither is known any more. */
  readonly name: string | null;
  /** Where the backbone is cut when a plan does not say; null where it is not known. */
  readonly defaultCut: string | null;
  /** True for features that came as files and whose encoder is not installed. */
  readonly imported: boolean;
}

/**
 * What made the features of a plan.
 * @param card of its backbone; null where it is not installed.
 * @param encoder what made features that came as files; null where that is not known.
 */
export function featureMaker(
  { rows }: Pick<StudyPlan, 'rows'>,
  card: Pick<BackboneCard, 'name' | 'defaultCut'> | null,
  encoder: string | null,
): FeatureMaker {
  if (card !== null) return { name: card.name, defaultCut: card.defaultCut, imported: false };
  return { name: encoder, defaultCut: null, imported: rows.some(({ runId }) => runId !== null) };
}

export type Fact = readonly [what: string, value: string];

/** How a study was made, line by line, in the words of its page and of its report. */
export function studyFacts({ plan, outcome }: Pick<Study, 'plan' | 'outcome'>, maker: FeatureMaker): readonly Fact[] {
  const others = [...new Set(plan.rows.flatMap(({ columns }) => Object.keys(columns ?? {})))];
  const trainedOn = trainedOnText(outcome?.trainedOn ?? []);
  const judgedOn = trainedOnText(outcome?.evaluatedOn ?? []);
  const versions = Object.entries(outcome?.versions ?? {}).map(([what, version]) => `${what} ${version}`);
  const facts: readonly Fact[] = [
    ['New version of', plan.basedOn?.name ?? ''],
    ['Backbone', backboneText(plan, maker)],
    ['Tiles', maker.imported ? 'As the imported files have them' : `${plan.grid.tileUm} µm at ${plan.grid.mpp} µm/px`],
    ['Pooling', poolingText(plan)],
    ['Splits and seeds', `${splittingText(plan)} (split seed ${plan.splitSeed}), seeds ${plan.seeds.join(', ')}`],
    ['Kept whole', plan.groupBy === 'site' ? 'Sites, and the patients in them' : 'Patients'],
    ['Training', trainingText(plan)],
    ['Against collapse', collapseText(plan)],
    ['Other columns kept', others.join(', ')],
    ['Trained on', trainedOn],
    ['Judged on', judgedOn === trainedOn ? '' : judgedOn],
    ['Versions', versions.join(', ')],
  ];
  return facts.filter(([, value]) => value !== '');
}

function backboneText(plan: StudyPlan, { name, defaultCut, imported }: FeatureMaker): string {
  const called = name ?? (imported ? '' : 'a removed backbone');
  if (imported) return called === '' ? 'Imported features' : `Imported features, made by ${called}`;
  return `${called}, ${plan.cut ?? defaultCut ?? 'whole network'}`;
}

function poolingText({ pooling, gated }: StudyPlan): string {
  return `${POOLINGS.find(({ value }) => value === pooling)?.label ?? pooling}${gated ? ', gated' : ''}`;
}

function trainingText(plan: StudyPlan): string {
  const { solved, relabelled, patience } = plan.steadying ?? NOT_STEADIED;
  const weighed = plan.balanceClasses ? ', classes weighed' : '';
  if (solved) {
    const again = relabelled ? '; then tiles relabelled and solved for again' : '';
    return `Linear score of tiles, solved for; penalty chosen by the validation part${again}${weighed}`;
  }
  const stopped = patience === null ? '' : `, stopped after ${patience} epochs without gain`;
  return `${plan.epochs} epochs, rate ${plan.rate}, best ${plan.keepBestBy} on the validation part kept${weighed}${stopped}`;
}

function collapseText(plan: StudyPlan): string {
  const { standardise, weightDecay, warmupSteps, tileWeight, solved } = plan.steadying ?? NOT_STEADIED;
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const aids = [
    plan.tileDropout > 0 ? `${percent(plan.tileDropout)} of tiles hidden` : '',
    plan.featureDropout > 0 ? `${percent(plan.featureDropout)} of features dropped` : '',
    plan.entropyWeight > 0 ? `wide attention rewarded by ${plan.entropyWeight}` : '',
    standardise ? 'features of one scale' : '',
    weightDecay > 0 ? `weight decay ${weightDecay}` : '',
    warmupSteps > 0 ? `${warmupSteps} steps of warm-up` : '',
    tileWeight > 0 && !solved ? `${percent(tileWeight)} of the loss asks every tile` : '',
  ].filter((aid) => aid !== '');
  return aids.length === 0 ? 'Nothing' : aids.join(', ');
}

/** `5 folds, 3 times`, `70 / 10 / 20 %`, `10 splits of splits_0.csv and 9 more`. */
export function splittingText({ splitting }: Pick<StudyPlan, 'splitting'>): string {
  if (splitting.kind === 'none') return 'No splits: only to validate others on';
  const times = splitting.kind !== 'given' && splitting.repeats > 1 ? `, ${splitting.repeats} times` : '';
  if (splitting.kind === 'folds') return `${splitting.folds} folds${times}`;
  if (splitting.kind === 'given') {
    const count = splitting.splits.length;
    return `${count} ${count === 1 ? 'split' : 'splits'}: ${splitting.from}`;
  }
  const percent = [splitting.train, splitting.validation, splitting.test].map((share) => Math.round(100 * share));
  return `${percent.join(' / ')} % for training, validation and test${times}`;
}

/** What heads were trained on and why not on something faster, for one row; empty for none. */
export function trainedOnText(trained: readonly TrainedOn[]): string {
  const devices = [...new Set(trained.map(({ device }) => device))];
  const refused = trained.flatMap((each) => each.refused.map(({ name, reason }) => `${name} was not used: ${reason}`));
  const named = devices.join(' and ');
  return refused.length === 0 ? named : [`${named}.`, ...new Set(refused)].join(' ');
}
