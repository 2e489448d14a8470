import { openingView } from '../../src-shared/model/attention-view.ts';
import type { RunId } from '../../src-shared/model/ids.ts';
import type { MapSpec } from '../../src-shared/model/map.ts';
import type { Slide } from '../../src-shared/model/slide.ts';
import { backbones } from './backbones.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import { mapDisplay } from './map-display.svelte.ts';
import { engine } from './session.svelte.ts';
import { isTrained, studies, type TrainedStudy } from './studies.svelte.ts';
import { workspace } from './workspace.svelte.ts';

/** Slides that a study's heads are asked about: features first where there are none, then prediction and map. */
class Predicting {
  /** What is shown when an analysis ends, in place of the usual first map. */
  readonly #wanted = new Map<RunId, MapSpec>();

  /** Trained studies whose features can be made here, newest first: the backbone of imported ones is not installed. */
  readonly studies: readonly TrainedStudy[] = $derived(
    studies.list.filter(isTrained).filter(({ plan }) => backbones.get(plan.backboneId) !== null),
  );

  /**
   * Asks the heads of a study about a slide. Its features are extracted as the study's were, unless they are there; then
   * the slide is shown with the study's map and prediction.
   */
  async start(study: TrainedStudy, slide: Slide): Promise<void> {
    const { backboneId, cut, grid, tissue } = study.plan;
    const { runId, jobId } = await engine.startAnalysis({ slideId: slide.id, backboneId, cut, grid, tissue });
    this.#wanted.set(runId, openingView(study, runId));
    if (jobId === null) {
      await this.show(runId, slide);
      return;
    }
    await jobs.load();
    if (workspace.slide?.id !== slide.id) await workspace.open(slide);
    else await workspace.refreshRuns();
    workspace.panelOpen = true;
    workspace.panelTab = 'analyse';
  }

  /** Shows what was asked for of an analysis; false where it was made for its own sake. */
  async show(runId: RunId, slide: Slide): Promise<boolean> {
    const spec = this.#wanted.get(runId);
    if (spec === undefined) return false;
    this.#wanted.delete(runId);
    // Asked for in the same breath, so that opening does not choose a map of its own first.
    const opening = workspace.slide?.id === slide.id ? workspace.refreshRuns() : workspace.open(slide);
    const showing = mapDisplay.show(runId, spec);
    await Promise.all([opening, showing]);
    workspace.panelOpen = true;
    workspace.panelTab = 'maps';
    return true;
  }
}

export const predicting = new Predicting();
