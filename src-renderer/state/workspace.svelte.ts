import { SvelteSet } from 'svelte/reactivity';
import type { AppError } from '../../src-shared/errors.ts';
import type { RunId, SlideId } from '../../src-shared/model/ids.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { Slide } from '../../src-shared/model/slide.ts';
import type { ViewState } from '../viewer/view-transform.ts';
import { analysisForm } from './analysis-form.svelte.ts';
import { mapDisplay } from './map-display.svelte.ts';
import { navigation } from './navigation.svelte.ts';
import { engine } from './session.svelte.ts';
import { sideBySide } from './side-by-side.svelte.ts';
import { asAppError, toasts } from './toasts.svelte.ts';

export type PanelTab = 'analyse' | 'maps' | 'slide';

/** The slide that is open, its runs, and how its panel stands. */
class Workspace {
  slide = $state.raw<Slide | null>(null);
  status = $state<'none' | 'loading' | 'ready' | 'failed'>('none');
  error = $state.raw<AppError | null>(null);
  runs = $state.raw<readonly Run[]>([]);
  panelOpen = $state(true);
  panelTab = $state<PanelTab>('analyse');
  /** The dialog that asks for the pixel size. */
  askingMpp = $state(false);

  readonly finishedRuns = $derived(this.runs.filter((run) => run.state === 'done'));
  readonly activeRun = $derived(this.runs.find((run) => run.id === mapDisplay.runId) ?? null);

  /** Where each slide was left, for coming back to it. */
  readonly views = new Map<SlideId, ViewState>();
  readonly #mppSkipped = new SvelteSet<SlideId>();

  /** Puts a slide on the table: its latest finished run's map is shown at once. */
  async open(slide: Slide): Promise<void> {
    navigation.go('viewer', slide.id);
    if (this.slide?.id !== slide.id) {
      for (const warning of slide.info.warnings) toasts.info(warning);
      mapDisplay.clear();
      sideBySide.close();
      analysisForm.clearPreview();
      this.runs = [];
      this.panelTab = 'analyse';
    }
    this.slide = slide;
    this.error = null;
    this.status = 'ready';
    this.askingMpp = slide.mpp === null && slide.available && !this.#mppSkipped.has(slide.id);
    await this.refreshRuns();
    const [latest] = this.finishedRuns;
    if (latest && mapDisplay.runId === null && this.slide?.id === slide.id) {
      this.panelTab = 'maps';
      await mapDisplay.show(latest.id, { kind: 'pca' });
    }
  }

  async openId(id: SlideId): Promise<void> {
    this.status = 'loading';
    try {
      await this.open(await engine.reopenSlide(id));
    } catch (error) {
      this.slide = null;
      this.error = asAppError(error);
      this.status = 'failed';
    }
  }

  async refreshRuns(): Promise<void> {
    const { slide } = this;
    if (!slide) return;
    const runs = await engine.listRuns(slide.id);
    if (this.slide?.id === slide.id) this.runs = [...runs].sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  /** Asks the engine again for the open slide, after its file came back or its pixel size changed. */
  async refreshSlide(): Promise<void> {
    if (this.slide) this.slide = await engine.getSlide(this.slide.id);
  }

  /** Shows the map of a run in the panel. */
  async showRun(id: RunId): Promise<void> {
    this.panelTab = 'maps';
    this.panelOpen = true;
    const spec = mapDisplay.spec.kind === 'similarity' ? ({ kind: 'pca' } as const) : mapDisplay.spec;
    await mapDisplay.show(id, spec);
  }

  async setMpp(mppUm: number | null): Promise<void> {
    if (!this.slide) return;
    this.slide = await engine.setSlideMpp(this.slide.id, mppUm);
    this.askingMpp = false;
  }

  skipMpp(): void {
    if (this.slide) this.#mppSkipped.add(this.slide.id);
    this.askingMpp = false;
  }

  close(): void {
    this.slide = null;
    this.runs = [];
    this.error = null;
    this.status = 'none';
    mapDisplay.clear();
    sideBySide.close();
    analysisForm.clearPreview();
  }
}

export const workspace = new Workspace();
