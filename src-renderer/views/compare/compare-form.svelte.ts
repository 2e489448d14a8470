import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import type { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import {
  type ComparisonRequest,
  type ComparisonSettings,
  DEFAULT_COMPARISON,
  type TaskCheck,
} from '../../../src-shared/model/comparison-record.ts';
import type { BackboneId, FileGrant, SlideId, StudyId } from '../../../src-shared/model/ids.ts';
import { backbones } from '../../state/backbones.svelte.ts';
import { engine } from '../../state/session.svelte.ts';
import { asAppError } from '../../state/toasts.svelte.ts';

/** A folder or table the user has chosen. */
export interface TaskSource {
  readonly grant: FileGrant;
  readonly name: string;
}

/** What the next comparison will be made from. */
class CompareForm {
  name = $state('');
  sources = $state.raw<readonly TaskSource[]>([]);
  checks = $state.raw<readonly TaskCheck[]>([]);
  checking = $state(false);
  checkError = $state.raw<AppError | null>(null);
  /** The cuts of each chosen backbone; none = spread over its depth. */
  readonly chosen = new SvelteMap<BackboneId, readonly string[]>();
  probe = $state<ComparisonSettings['probe']>(DEFAULT_COMPARISON.probe);
  standardise = $state(DEFAULT_COMPARISON.standardise);
  twins = $state(DEFAULT_COMPARISON.twins);
  seedCount = $state(DEFAULT_COMPARISON.seeds.length);
  firstSeed = $state(DEFAULT_COMPARISON.seeds[0] ?? 1);
  resamples = $state(DEFAULT_COMPARISON.resamples);
  /** Points of a hundred, as it is shown. */
  tolerancePoints = $state(100 * DEFAULT_COMPARISON.tolerance);
  ckaImages = $state(DEFAULT_COMPARISON.ckaImages);
  robustness = $state(false);
  robustnessImages = $state(60);
  /** Slides whose maps are shifted too. */
  readonly slides = new SvelteSet<SlideId>();
  crossValidate = $state(DEFAULT_COMPARISON.crossValidate);
  /** The first bracket found in a file name is the group, where a task names none; empty = none. */
  groupPattern = $state('');
  /** The study whose slides every cut goes through as well; null = patches alone. */
  slideStudyId = $state.raw<StudyId | null>(null);
  #ungrouped = $state.raw<ReadonlySet<string>>(new Set());
  #check = 0;

  readonly cards: readonly BackboneCard[] = $derived(backbones.cards.filter(({ id }) => this.chosen.has(id)));
  readonly usable = $derived(this.checks.filter(({ reason }) => reason === null));

  /** Why the comparison cannot start, a sentence each. */
  readonly problems: readonly string[] = $derived([
    ...(this.sources.length === 0 ? ['Choose the tasks: a folder, or a table.'] : []),
    ...(this.sources.length > 0 && !this.checking && this.usable.length === 0 ? ['No task can be used as it is.'] : []),
    ...(this.cards.length === 0 ? ['Choose at least one backbone.'] : []),
  ]);

  isUngrouped(task: string): boolean {
    return this.#ungrouped.has(task);
  }

  async add(source: TaskSource): Promise<void> {
    if (this.sources.every(({ grant }) => grant !== source.grant)) this.sources = [...this.sources, source];
    if (this.name.trim() === '') this.name = source.name.replace(/\.[^.]*$/, '');
    await this.check();
  }

  async remove(grant: FileGrant): Promise<void> {
    this.sources = this.sources.filter((source) => source.grant !== grant);
    await this.check();
  }

  async setUngrouped(task: string, ungrouped: boolean): Promise<void> {
    const others = [...this.#ungrouped].filter((name) => name !== task);
    this.#ungrouped = new Set(ungrouped ? [...others, task] : others);
    await this.check();
  }

  /** Reads the tasks again, with what is set now. */
  async check(): Promise<void> {
    const mine = ++this.#check;
    this.checkError = null;
    if (this.sources.length === 0) {
      this.checks = [];
      return;
    }
    this.checking = true;
    try {
      const grants = this.sources.map(({ grant }) => grant);
      const { crossValidate } = this;
      const reading = { crossValidate, ungrouped: [...this.#ungrouped], ...this.#pattern() };
      const checks = await engine.checkTasks({ grants, ...reading });
      if (mine === this.#check) this.checks = checks;
    } catch (error) {
      if (mine !== this.#check) return;
      this.checks = [];
      this.checkError = asAppError(error);
    }
    if (mine === this.#check) this.checking = false;
  }

  toggle(id: BackboneId, on: boolean): void {
    if (on) this.chosen.set(id, []);
    else this.chosen.delete(id);
  }

  toggleCut(card: BackboneCard, cut: string, on: boolean): void {
    const others = (this.chosen.get(card.id) ?? []).filter((name) => name !== cut);
    const names = on ? [...others, cut] : others;
    this.chosen.set(
      card.id,
      card.cuts.map(({ name }) => name).filter((name) => names.includes(name)),
    );
  }

  request(): ComparisonRequest | null {
    if (this.problems.length > 0) return null;
    return {
      name: this.name.trim(),
      tasks: this.sources.map(({ grant }) => grant),
      backbones: this.cards.map(({ id }) => ({ backboneId: id, cuts: [...(this.chosen.get(id) ?? [])] })),
      slides: this.robustness ? [...this.slides] : [],
      slideStudyId: this.slideStudyId,
      settings: {
        ...{ probe: this.probe, standardise: this.standardise, twins: this.twins, resamples: this.resamples },
        seeds: Array.from({ length: this.seedCount }, (_, i) => this.firstSeed + i),
        tolerance: this.tolerancePoints / 100,
        ckaImages: this.ckaImages,
        robustnessImages: this.robustness ? this.robustnessImages : 0,
        crossValidate: this.crossValidate,
        ungrouped: [...this.#ungrouped],
        ...this.#pattern(),
      },
    };
  }

  #pattern(): { groupPattern?: string } {
    const pattern = this.groupPattern.trim();
    return pattern === '' ? {} : { groupPattern: pattern };
  }

  /** Ready for the next comparison, with the same settings. */
  clear(): void {
    this.name = '';
    this.sources = [];
    this.checks = [];
    this.chosen.clear();
    this.slides.clear();
    this.slideStudyId = null;
  }
}

export const compareForm = new CompareForm();
