import { routes } from '../../src-shared/api/routes.ts';
import type { AppError } from '../../src-shared/errors.ts';
import { openingView } from '../../src-shared/model/attention-view.ts';
import type { RunId } from '../../src-shared/model/ids.ts';
import type { MapDescription, MapSpec, TileRef } from '../../src-shared/model/map.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { MapAgreement } from '../../src-shared/model/side-by-side.ts';
import { fetchFloats } from '../client/files.ts';
import { choiceKey, type PaneChoice, paneChoices, parseChoice } from './pane-choice.ts';
import { engine } from './session.svelte.ts';
import { studies } from './studies.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** What all panes show. */
export type SideKind = 'similarity' | 'pca' | 'attention';

/** The map of one pane. */
export interface PaneMap {
  readonly runId: RunId;
  readonly spec: MapSpec | null;
  readonly description: MapDescription | null;
  readonly values: Float32Array | null;
  /** Why this pane has no map, a sentence. */
  readonly missing: string;
}

/** Two maps compared, with the picture of their difference. */
export interface ShownAgreement {
  readonly a: RunId;
  readonly b: RunId;
  readonly agreement: MapAgreement;
  readonly difference: Float32Array;
}

export const MOST_PANES = 4;

/** Maps of up to four runs of the open slide, beside each other. */
class SideBySide {
  open = $state(false);
  kind = $state<SideKind>('similarity');
  /** Panes that show something else than `kind`, by run. */
  own = $state.raw<ReadonlyMap<RunId, PaneChoice>>(new Map());
  runs = $state.raw<readonly Run[]>([]);
  /** The place all similarity maps ask about, level-0 pixels; null until one is chosen. */
  place = $state.raw<{ readonly x: number; readonly y: number } | null>(null);
  panes = $state.raw<readonly PaneMap[]>([]);
  a = $state.raw<RunId | null>(null);
  b = $state.raw<RunId | null>(null);
  compared = $state.raw<ShownAgreement | null>(null);
  loading = $state(false);
  error = $state.raw<AppError | null>(null);
  showDifference = $state(true);
  /** The disagreement that was flown to. */
  chosen = $state.raw<TileRef | null>(null);
  #request = 0;

  /** Begins with the newest runs, one for each backbone and cut first. */
  async start(finished: readonly Run[]): Promise<void> {
    const key = (run: Run): string => `${run.backboneId} ${run.cut}`;
    const distinct = finished.filter((run, i) => finished.findIndex((other) => key(other) === key(run)) === i);
    const chosen = [...distinct, ...finished.filter((run) => !distinct.includes(run))];
    this.open = true;
    this.kind = 'similarity';
    this.own = new Map();
    this.place = null;
    this.chosen = null;
    await this.setRuns(chosen.slice(0, Math.min(MOST_PANES, Math.max(2, distinct.length))));
  }

  close(): void {
    this.#request += 1;
    this.open = false;
    this.runs = [];
    this.panes = [];
    this.compared = null;
    this.error = null;
  }

  async setRuns(runs: readonly Run[]): Promise<void> {
    this.runs = runs.slice(0, MOST_PANES);
    const ids = this.runs.map(({ id }) => id);
    if (this.a === null || !ids.includes(this.a)) this.a = ids.find((id) => id !== this.b) ?? null;
    if (this.b === null || !ids.includes(this.b) || this.b === this.a) this.b = ids.find((id) => id !== this.a) ?? null;
    await this.refresh();
  }

  async setKind(kind: SideKind): Promise<void> {
    this.kind = kind;
    this.own = new Map();
    await this.refresh();
  }

  /** Lets one pane show something of its own. @param key of `choices`. */
  async choose(id: RunId, key: string): Promise<void> {
    this.own = new Map([...this.own, [id, parseChoice(key)]]);
    await this.refresh();
  }

  /** What a pane may show. */
  choices(run: Run): ReturnType<typeof paneChoices> {
    return paneChoices(studies.fitting(run));
  }

  /** What a pane shows of its own, in words; empty where it shows what all do. */
  choiceText(run: Run): string {
    if (!this.own.has(run.id)) return '';
    const found = this.choices(run).find(({ value }) => value === this.chosenKey(run));
    return found === undefined ? '' : [found.label, found.group].filter(Boolean).join(', ');
  }

  /** The key of what a pane shows; empty where it has nothing to show. */
  chosenKey(run: Run): string {
    const choice = this.#choice(run);
    return choice === null ? '' : choiceKey(choice);
  }

  async askAbout(x: number, y: number): Promise<void> {
    const anyAsks = this.runs.some((run) => this.#choice(run)?.kind === 'similarity');
    // A click must not take away maps that were chosen pane by pane.
    if (!anyAsks && this.own.size > 0) return;
    this.place = { x, y };
    if (!anyAsks) this.kind = 'similarity';
    this.chosen = null;
    await this.refresh();
  }

  async setPair(a: RunId, b: RunId): Promise<void> {
    this.a = a;
    this.b = b;
    await this.refresh();
  }

  /** Fetches every pane's map, and compares the two that are asked about. */
  async refresh(): Promise<void> {
    const request = ++this.#request;
    this.loading = true;
    this.error = null;
    try {
      const panes = await Promise.all(this.runs.map((run) => this.#pane(run)));
      if (request !== this.#request) return;
      this.panes = panes;
      const compared = await this.#compare(panes);
      if (request !== this.#request) return;
      this.compared = compared;
    } catch (error) {
      if (request !== this.#request) return;
      this.compared = null;
      this.error = asAppError(error);
    }
    if (request === this.#request) this.loading = false;
  }

  async #pane(run: Run): Promise<PaneMap> {
    const found = await this.#spec(run);
    if (typeof found === 'string') {
      return { runId: run.id, spec: null, description: null, values: null, missing: found };
    }
    const description = await engine.getMap(run.id, found);
    const values = await fetchFloats(routes.mapValues(run.id, found));
    return { runId: run.id, spec: found, description, values, missing: '' };
  }

  /** Null where attention is asked for and no study fits. */
  #choice(run: Run): PaneChoice | null {
    const own = this.own.get(run.id);
    if (own !== undefined) return own;
    if (this.kind !== 'attention') return { kind: this.kind };
    const [study] = studies.fitting(run);
    return study ? openingView(study, run.id) : null;
  }

  /** What a pane shows of its run, or why it shows nothing. */
  async #spec(run: Run): Promise<MapSpec | string> {
    const choice = this.#choice(run);
    if (choice === null) return 'No trained study fits this backbone and cut.';
    if (choice.kind !== 'similarity') return choice;
    if (this.place === null) return 'Click a place in any of the maps.';
    const tile = await engine.tileAt(run.id, this.place.x, this.place.y);
    return tile === null ? 'This analysis has no tile there.' : { kind: 'similarity', tileIndex: tile.index };
  }

  async #compare(panes: readonly PaneMap[]): Promise<ShownAgreement | null> {
    const [a, b] = [this.a, this.b].map((id) => panes.find(({ runId }) => runId === id));
    if (!a?.spec || !b?.spec || a.spec.kind === 'pca' || b.spec.kind === 'pca') return null;
    const sides = [
      { runId: a.runId, spec: a.spec },
      { runId: b.runId, spec: b.spec },
    ] as const;
    const agreement = await engine.compareMaps(...sides);
    return { a: a.runId, b: b.runId, agreement, difference: await fetchFloats(routes.mapDifference(...sides)) };
  }
}

export const sideBySide = new SideBySide();
