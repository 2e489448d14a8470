import { patientInName, patientsInNames } from '../../../src-shared/model/case-name.ts';
import { asId, type BackboneId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { TissueParams } from '../../../src-shared/model/run.ts';
import {
  DEFAULT_STUDY_TRAINING,
  NOT_STEADIED,
  type PoolingName,
  type Study,
  type StudyPlan,
  type StudySplitting,
  type StudySteadying,
} from '../../../src-shared/model/study.ts';
import { nextVersion } from '../../../src-shared/model/study-version.ts';
import { presetOfPlan, trainingPreset } from '../../../src-shared/model/training-preset.ts';
import { analysisForm } from '../../state/analysis-form.svelte.ts';
import { formatNumber, keepUnits } from '../../state/format.ts';
import { displayName, library } from '../../state/library.svelte.ts';
import { featureFiles } from './feature-files.svelte.ts';
import {
  emptyTable,
  guessColumns,
  type LabelColumns,
  type LabelledSlide,
  matchLabels,
  parseTable,
  tableText,
} from './label-table.ts';
import { canBeGated } from './pooling-text.ts';
import { checkStudy, patientOf } from './study-check.ts';

/** What may be changed by hand of a row. */
export type RowEdit = Partial<Pick<LabelledSlide, 'label' | 'patient' | 'site'>>;

/** Stands for settings that are no preset's any more. */
export const CHANGED_PRESET = 'changed';

/** What the next study will be made from. Backbone, cut and tiles are those of the analysis form. */
class StudyForm {
  name = $state('');
  text = $state('');
  /** Where features come from: a backbone extracts them, or they are files, or a study it is made from has them. */
  source = $state<'backbone' | 'files' | 'kept'>('backbone');
  /** The study whose plan is being changed; null = a new one is made. */
  editing = $state.raw<StudyId | null>(null);
  pooling = $state<PoolingName>(DEFAULT_STUDY_TRAINING.pooling);
  gated = $state(DEFAULT_STUDY_TRAINING.gated);
  splitKind = $state<StudySplitting['kind']>('folds');
  folds = $state(5);
  repeats = $state(1);
  /** Training, validation and test, in percent. */
  shares = $state.raw<readonly [number, number, number]>([70, 10, 20]);
  /** Files of splits as they were chosen; matched to the slides when the plan is made. */
  splitFiles = $state.raw<readonly { readonly name: string; readonly text: string }[]>([]);
  groupBy = $state(DEFAULT_STUDY_TRAINING.groupBy);
  /** Empty = the second in alphabetical order. */
  positiveClass = $state('');
  /** Null = the largest sum of sensitivity and specificity (Youden); else the sensitivity wanted. */
  sensitivity = $state<number | null>(null);
  seedCount = $state(DEFAULT_STUDY_TRAINING.seeds.length);
  epochs = $state(DEFAULT_STUDY_TRAINING.epochs);
  splitSeed = $state(DEFAULT_STUDY_TRAINING.splitSeed);
  rate = $state(DEFAULT_STUDY_TRAINING.rate);
  keepBestBy = $state<StudyPlan['keepBestBy']>(DEFAULT_STUDY_TRAINING.keepBestBy);
  balanceClasses = $state(DEFAULT_STUDY_TRAINING.balanceClasses);
  featureDropout = $state(DEFAULT_STUDY_TRAINING.featureDropout);
  tileDropout = $state(DEFAULT_STUDY_TRAINING.tileDropout);
  entropyWeight = $state(DEFAULT_STUDY_TRAINING.entropyWeight);
  /** Undefined = as HistoTransfer trains. */
  steadying = $state.raw<StudyPlan['steadying']>(undefined);

  /** The preset chosen last, for display. */
  preset = $state('histotransfer');

  /** Columns the user chose; null = as guessed. */
  #columns = $state.raw<LabelColumns | null>(null);
  /** Labels and patients changed by hand. */
  #edits = $state.raw<ReadonlyMap<SlideId, RowEdit>>(new Map());

  readonly table = $derived(parseTable(this.text));
  readonly columns: LabelColumns = $derived(this.#columns ?? guessColumns(this.table.header));
  /** Slides the table may name. */
  readonly slides: readonly { readonly id: SlideId; readonly name: string }[] = $derived.by(() => {
    if (this.source === 'files') return featureFiles.slides;
    const present = new Set(library.slides.map(({ id }) => id));
    return [...library.slides, ...this.#members.filter(({ id }) => !present.has(id))];
  });
  readonly matched = $derived(matchLabels(this.table, this.columns, this.slides));
  readonly rows: readonly LabelledSlide[] = $derived(
    this.matched.rows.map((row) => ({ ...row, ...this.#edits.get(row.slideId) })),
  );
  readonly check = $derived(checkStudy(this.rows, this.#parts()));
  /** Imported or chosen features of slides, from a study this one was made from. */
  #runs = $state.raw<ReadonlyMap<SlideId, StudyPlan['rows'][number]['runId']>>(new Map());
  /** Slides of that study; some are known by their features alone and are in no library. */
  #members = $state.raw<readonly { readonly id: SlideId; readonly name: string }[]>([]);
  /** What made its features, where they were imported. */
  #keptBackbone = $state.raw<{ readonly id: BackboneId; readonly cut: string | null } | null>(null);
  /** Splits of another tool, as that study has them. */
  keptSplits = $state.raw<Extract<StudySplitting, { readonly kind: 'given' }> | null>(null);
  #basedOn = $state.raw<StudyPlan['basedOn']>(undefined);

  /** What should be known before it starts. */
  readonly warnings: readonly string[] = $derived([...this.check.warnings, ...this.#coarseSlides()]);

  /** Why the study cannot start, a sentence each. */
  readonly problems: readonly string[] = $derived([
    ...(this.name.trim() === '' ? ['Give the study a name.'] : []),
    ...this.#tableProblems(),
    ...(this.table.rows.length === 0 ? [] : this.check.problems),
    ...this.#slideProblems(),
    ...this.#splitProblems(),
    ...this.#trainingProblems(),
    ...this.#featureProblems(),
  ]);

  take(text: string): void {
    this.text = text;
    this.#columns = null;
    this.#edits = new Map();
  }

  /** A table of every slide there is, its labels to be filled in below. */
  takeAll(): void {
    const ofLibrary = new Map(library.slides.map((slide) => [slide.id, displayName(slide)]));
    this.take(emptyTable(this.slides.map(({ id, name }) => ofLibrary.get(id) ?? name)));
  }

  chooseColumn(which: keyof LabelColumns, column: number): void {
    this.#columns = { ...this.columns, [which]: column };
    this.#edits = new Map();
  }

  edit(id: SlideId, change: RowEdit): void {
    this.#edits = new Map([...this.#edits, [id, { ...this.#edits.get(id), ...change }]]);
  }

  plan(): StudyPlan | null {
    const backbone = this.#backbone();
    if (backbone === null || this.problems.length > 0) return null;
    const { patientsUnknown } = this.check;
    const labelled = this.rows.filter(({ label }) => label !== '');
    return {
      name: this.name.trim(),
      rows: labelled.map((row) => ({
        ...row,
        patient: patientOf(row),
        runId: this.source === 'kept' ? (this.#runs.get(row.slideId) ?? null) : null,
      })),
      patientsUnknown,
      ...backbone,
      grid: analysisForm.grid,
      tissue: sharedTissue(analysisForm.tissue),
      ...{
        pooling: this.pooling,
        gated: this.gated && canBeGated(this.pooling),
        splitSeed: this.splitSeed,
      },
      splitting: this.#splitting(),
      ...{ groupBy: this.groupBy, positiveClass: this.#positive() },
      operatingRule:
        this.sensitivity === null ? { kind: 'youden' } : { kind: 'sensitivity', atLeast: this.sensitivity },
      seeds: Array.from({ length: this.seedCount }, (_, i) => i + 1),
      ...{ epochs: this.epochs, rate: this.rate, keepBestBy: this.keepBestBy, balanceClasses: this.balanceClasses },
      ...{ featureDropout: this.featureDropout, tileDropout: this.tileDropout, entropyWeight: this.entropyWeight },
      ...(this.steadying && { steadying: this.steadying }),
      ...(this.#basedOn && { basedOn: this.#basedOn }),
    };
  }

  /** Weights can be solved for without attention only. */
  choosePooling(pooling: StudyPlan['pooling']): void {
    this.pooling = pooling;
    this.preset = CHANGED_PRESET;
    if (pooling !== 'mean' && this.steadying?.solved) this.solve(false);
  }

  /** Whether the weights are solved for; a training in steps then is HistoTransfer's until it is changed. */
  solve(solved: boolean): void {
    this.preset = CHANGED_PRESET;
    this.steadying = solved ? { ...NOT_STEADIED, standardise: true, tileWeight: 1, solved } : undefined;
  }

  /** Whether tiles get labels of their own after the first solution. */
  relabel(relabelled: boolean): void {
    const { relabelled: _, ...steadying } = this.steadying ?? NOT_STEADIED;
    this.preset = CHANGED_PRESET;
    this.steadying = relabelled ? { ...steadying, relabelled } : steadying;
  }

  /** One setting of a steadied training; the others stay, or are HistoTransfer's. */
  steady(change: Partial<StudySteadying>): void {
    this.preset = CHANGED_PRESET;
    this.steadying = { ...(this.steadying ?? NOT_STEADIED), ...change };
  }

  /** Opens a study that is not trained for changes. */
  change(study: Study): void {
    this.#fill(study);
    this.editing = study.id;
    this.name = study.plan.name;
    this.#basedOn = study.plan.basedOn;
  }

  /** Slides, labels and settings of a study, to be changed and trained as another: results stay with their labels. */
  copy(study: Study): void {
    this.#fill(study);
    this.name = nextVersion(study.plan.name);
    this.#basedOn = { id: study.id, name: study.plan.name };
  }

  #fill({ plan }: Study): void {
    const { rows, splitting, operatingRule } = plan;
    this.clear();
    const readable = patientsInNames(plan) > 0;
    const patient = ({ patient, slideId, slideName }: StudyPlan['rows'][number]): string =>
      patient !== slideId ? patient : readable ? (patientInName(slideName) ?? '') : '';
    const others = [...new Set(rows.flatMap(({ columns }) => Object.keys(columns ?? {})))];
    const cells = rows.map((row) => [
      ...[patient(row), row.slideName, row.label, row.site],
      ...others.map((name) => row.columns?.[name] ?? ''),
    ]);
    this.text = tableText([['case_id', 'slide_id', 'label', 'site', ...others], ...cells]);
    this.#members = rows.map(({ slideId, slideName }) => ({ id: slideId, name: slideName }));
    this.#runs = new Map(rows.flatMap(({ slideId, runId }) => (runId === null ? [] : [[slideId, runId] as const])));
    this.source = this.#runs.size > 0 ? 'kept' : 'backbone';
    if (this.#runs.size > 0) this.#keptBackbone = { id: plan.backboneId, cut: plan.cut };
    else analysisForm.take(plan);
    this.keptSplits = splitting.kind === 'given' ? splitting : null;
    this.splitKind = splitting.kind;
    this.preset = '';
    if (splitting.kind === 'folds') this.folds = splitting.folds;
    if ('repeats' in splitting) this.repeats = splitting.repeats;
    if (splitting.kind === 'shares') {
      const total = splitting.train + splitting.validation + splitting.test;
      const percent = (share: number): number => Math.round((100 * share) / total);
      this.shares = [percent(splitting.train), percent(splitting.validation), percent(splitting.test)];
    }
    this.pooling = plan.pooling;
    this.gated = plan.gated;
    this.seedCount = plan.seeds.length;
    this.epochs = plan.epochs;
    this.splitSeed = plan.splitSeed;
    this.rate = plan.rate;
    this.keepBestBy = plan.keepBestBy;
    this.balanceClasses = plan.balanceClasses;
    this.featureDropout = plan.featureDropout;
    this.tileDropout = plan.tileDropout;
    this.entropyWeight = plan.entropyWeight;
    this.steadying = plan.steadying;
    this.groupBy = plan.groupBy;
    this.positiveClass = plan.positiveClass ?? '';
    this.sensitivity = operatingRule.kind === 'sensitivity' ? operatingRule.atLeast : null;
  }

  /** Fills in how heads are trained; each setting may be changed afterwards. */
  usePreset(name: string): void {
    const preset = trainingPreset(name);
    if (preset === null) return;
    const plan = presetOfPlan(preset);
    this.pooling = plan.pooling;
    this.gated = plan.gated;
    this.epochs = plan.epochs;
    this.rate = plan.rate;
    this.keepBestBy = plan.keepBestBy;
    this.featureDropout = plan.featureDropout;
    this.tileDropout = plan.tileDropout;
    this.entropyWeight = plan.entropyWeight;
    this.steadying = plan.steadying;
    this.preset = name;
  }

  /** Ready for the next study, with the same settings. */
  clear(): void {
    this.name = '';
    this.splitFiles = [];
    this.keptSplits = null;
    this.editing = null;
    this.#basedOn = undefined;
    this.#runs = new Map();
    this.#members = [];
    this.#keptBackbone = null;
    this.source = 'backbone';
    featureFiles.clear();
    this.take('');
  }

  /** Null where none is chosen. That of feature files is known once they are in the store. */
  #backbone(): Pick<StudyPlan, 'backboneId' | 'cut'> | null {
    const { card, cut } = analysisForm;
    if (this.source === 'kept' && this.#keptBackbone !== null) {
      return { backboneId: this.#keptBackbone.id, cut: this.#keptBackbone.cut };
    }
    if (this.source === 'files') return { backboneId: asId<BackboneId>(''), cut: null };
    return card === null ? null : { backboneId: card.id, cut };
  }

  #featureProblems(): readonly string[] {
    if (this.source === 'files') {
      if (featureFiles.set === null) return ['Choose the folder that holds the features.'];
      return featureFiles.problems(
        new Set(this.rows.filter(({ label }) => label !== '').map(({ slideId }) => slideId)),
      );
    }
    if (this.source === 'kept') {
      return this.rows
        .filter(({ slideId, label }) => label !== '' && !this.#runs.has(slideId))
        .map(({ slideName }) => `${slideName} has no features in the study this one is made from. Clear its label.`);
    }
    return this.source === 'backbone' && analysisForm.card === null ? ['Choose a backbone.'] : [];
  }

  /** Parts every class must reach; given splits are looked at by the engine. */
  #parts(): number {
    return this.splitKind === 'folds' ? this.folds : this.splitKind === 'shares' ? 3 : 1;
  }

  #positive(): string | null {
    return this.check.classes.length === 2 && this.check.classes.some(({ label }) => label === this.positiveClass)
      ? this.positiveClass
      : null;
  }

  #splitting(): StudySplitting {
    const { repeats } = this;
    if (this.splitKind === 'folds') return { kind: 'folds', folds: this.folds, repeats };
    const [train, validation, test] = this.shares;
    const total = train + validation + test;
    if (this.splitKind === 'shares') {
      return { kind: 'shares', train: train / total, validation: validation / total, test: test / total, repeats };
    }
    if (this.splitKind === 'none') return { kind: 'none' };
    const kept = this.splitFiles.length === 0 ? this.keptSplits : null;
    return kept ?? { kind: 'given', from: '', splits: [] };
  }

  #splitProblems(): readonly string[] {
    if (this.splitKind === 'given' && this.splitFiles.length === 0 && this.keptSplits === null)
      return ['Choose the files that hold the splits.'];
    if (this.splitKind === 'shares' && this.shares.some((share) => !(share > 0))) {
      return ['Training, validation and test parts must each get a share.'];
    }
    return [];
  }

  #trainingProblems(): readonly string[] {
    const { length } = this.check.classes;
    return length > 2 && this.steadying?.relabelled === true && this.splitKind !== 'none'
      ? [`Tiles can be relabelled in studies of two classes only; this one has ${length}. Choose another training.`]
      : [];
  }

  #tableProblems(): readonly string[] {
    const { header, rows } = this.table;
    if (rows.length === 0) return ['Paste or choose a table of slides and labels.'];
    if (this.columns.slide < 0) return [`Say which column names the slides. There are: ${header.join(', ')}.`];
    if (this.columns.label < 0) return ['Say which column holds the labels.'];
    return this.matched.contradicted.map((name) => `The table names ${name} twice, with different labels or patients.`);
  }

  /** Slides of the library that are labelled and whose tiles are to be read. */
  #readSlides() {
    if (this.source !== 'backbone') return [];
    const chosen = new Set(this.rows.filter(({ label }) => label !== '').map(({ slideId }) => slideId));
    return library.slides.filter(({ id }) => chosen.has(id));
  }

  /** Enlarged pixels cost hours and show nothing. */
  #coarseSlides(): readonly string[] {
    const { mpp } = analysisForm.grid;
    const coarse = this.#readSlides().filter((slide) => slide.mpp !== null && slide.mpp.xUm > COARSE * mpp);
    if (coarse.length === 0) return [];
    const names = coarse
      .slice(0, 3)
      .map((slide) => `${displayName(slide)} (${formatNumber(slide.mpp?.xUm ?? 0)} µm/px)`);
    const more = coarse.length > 3 ? ` and ${coarse.length - 3} more` : '';
    return [keepUnits(`Scanned coarser than the tiles are read at, so only enlarged: ${names.join(', ')}${more}.`)];
  }

  #slideProblems(): readonly string[] {
    const slides = this.#readSlides();
    return [
      ...slides
        .filter(({ mpp }) => mpp === null)
        .map((slide) => `${displayName(slide)} has no pixel size. Open it and set one, or clear its label.`),
      ...slides
        .filter(({ available }) => !available)
        .map(
          (slide) => `The file of ${displayName(slide)} is not where it was last seen. Find it, or clear its label.`,
        ),
    ];
  }
}

/** Times the pixel size of tiles from which a slide is called coarse: reading twice as fine adds no detail. */
const COARSE = 2;

/** What is painted on one slide's mask belongs to that slide. */
function sharedTissue({ strokes: _, ...tissue }: TissueParams): TissueParams {
  return tissue;
}

export const studyForm = new StudyForm();
