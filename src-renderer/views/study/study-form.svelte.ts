import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { TissueParams } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type PoolingName, type StudyPlan } from '../../../src-shared/model/study.ts';
import { analysisForm } from '../../state/analysis-form.svelte.ts';
import { displayName, library } from '../../state/library.svelte.ts';
import {
  emptyTable,
  guessColumns,
  type LabelColumns,
  type LabelledSlide,
  matchLabels,
  parseTable,
} from './label-table.ts';
import { canBeGated } from './pooling-text.ts';
import { checkStudy, patientOf } from './study-check.ts';

/** What the next study will be made from. Backbone, cut and tiles are those of the analysis form. */
class StudyForm {
  name = $state('');
  text = $state('');
  pooling = $state<PoolingName>(DEFAULT_STUDY_TRAINING.pooling);
  gated = $state(DEFAULT_STUDY_TRAINING.gated);
  folds = $state(DEFAULT_STUDY_TRAINING.folds);
  seedCount = $state(DEFAULT_STUDY_TRAINING.seeds.length);
  epochs = $state(DEFAULT_STUDY_TRAINING.epochs);
  splitSeed = $state(DEFAULT_STUDY_TRAINING.splitSeed);
  rate = $state(DEFAULT_STUDY_TRAINING.rate);
  keepBestBy = $state<StudyPlan['keepBestBy']>(DEFAULT_STUDY_TRAINING.keepBestBy);
  balanceClasses = $state(DEFAULT_STUDY_TRAINING.balanceClasses);
  featureDropout = $state(DEFAULT_STUDY_TRAINING.featureDropout);
  tileDropout = $state(DEFAULT_STUDY_TRAINING.tileDropout);
  entropyWeight = $state(DEFAULT_STUDY_TRAINING.entropyWeight);

  /** Columns the user chose; null = as guessed. */
  #columns = $state.raw<LabelColumns | null>(null);
  /** Labels and patients changed by hand. */
  #edits = $state.raw<ReadonlyMap<SlideId, Partial<Pick<LabelledSlide, 'label' | 'patient'>>>>(new Map());

  readonly table = $derived(parseTable(this.text));
  readonly columns: LabelColumns = $derived(this.#columns ?? guessColumns(this.table.header));
  readonly matched = $derived(matchLabels(this.table, this.columns, library.slides));
  readonly rows: readonly LabelledSlide[] = $derived(
    this.matched.rows.map((row) => ({ ...row, ...this.#edits.get(row.slideId) })),
  );
  readonly check = $derived(checkStudy(this.rows, this.folds));

  /** Why the study cannot start, a sentence each. */
  readonly problems: readonly string[] = $derived([
    ...(this.name.trim() === '' ? ['Give the study a name.'] : []),
    ...this.#tableProblems(),
    ...(this.table.rows.length === 0 ? [] : this.check.problems),
    ...this.#slideProblems(),
    ...(analysisForm.card === null ? ['Choose a backbone.'] : []),
  ]);

  take(text: string): void {
    this.text = text;
    this.#columns = null;
    this.#edits = new Map();
  }

  /** A table of every slide of the library, its labels to be filled in below. */
  takeLibrary(): void {
    this.take(emptyTable(library.slides.map(displayName)));
  }

  chooseColumn(which: keyof LabelColumns, column: number): void {
    this.#columns = { ...this.columns, [which]: column };
    this.#edits = new Map();
  }

  edit(id: SlideId, change: Partial<Pick<LabelledSlide, 'label' | 'patient'>>): void {
    this.#edits = new Map([...this.#edits, [id, { ...this.#edits.get(id), ...change }]]);
  }

  plan(): StudyPlan | null {
    const { card } = analysisForm;
    if (card === null || this.problems.length > 0) return null;
    const { patientsUnknown } = this.check;
    const labelled = this.rows.filter(({ label }) => label !== '');
    return {
      name: this.name.trim(),
      rows: labelled.map((row) => ({ ...row, patient: patientOf(row) })),
      patientsUnknown,
      backboneId: card.id,
      cut: analysisForm.cut,
      grid: analysisForm.grid,
      tissue: sharedTissue(analysisForm.tissue),
      ...{
        pooling: this.pooling,
        gated: this.gated && canBeGated(this.pooling),
        folds: this.folds,
        splitSeed: this.splitSeed,
      },
      seeds: Array.from({ length: this.seedCount }, (_, i) => i + 1),
      ...{ epochs: this.epochs, rate: this.rate, keepBestBy: this.keepBestBy, balanceClasses: this.balanceClasses },
      ...{ featureDropout: this.featureDropout, tileDropout: this.tileDropout, entropyWeight: this.entropyWeight },
    };
  }

  /** Ready for the next study, with the same settings. */
  clear(): void {
    this.name = '';
    this.take('');
  }

  #tableProblems(): readonly string[] {
    const { header, rows } = this.table;
    if (rows.length === 0) return ['Paste or choose a table of slides and labels.'];
    if (this.columns.slide < 0) return [`Say which column names the slides. There are: ${header.join(', ')}.`];
    if (this.columns.label < 0) return ['Say which column holds the labels.'];
    return this.matched.contradicted.map((name) => `The table names ${name} twice, with different labels or patients.`);
  }

  #slideProblems(): readonly string[] {
    const chosen = new Set(this.rows.filter(({ label }) => label !== '').map(({ slideId }) => slideId));
    const slides = library.slides.filter(({ id }) => chosen.has(id));
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

/** What is painted on one slide's mask belongs to that slide. */
function sharedTissue({ strokes: _, ...tissue }: TissueParams): TissueParams {
  return tissue;
}

export const studyForm = new StudyForm();
