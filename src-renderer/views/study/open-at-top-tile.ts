import { openingView } from '../../../src-shared/model/attention-view.ts';
import type { StudyPrediction } from '../../../src-shared/model/study.ts';
import { mapDisplay } from '../../state/map-display.svelte.ts';
import { engine } from '../../state/session.svelte.ts';
import { stage } from '../../state/stage.svelte.ts';
import type { TrainedStudy } from '../../state/studies.svelte.ts';
import { workspace } from '../../state/workspace.svelte.ts';
import { extremeTiles } from '../viewer/extreme-tiles.ts';

const FRAMES_WAITED = 300;

/** Opens a slide of a study in the viewer with the study's map over it, at the tile that stands out most. */
export async function openAtTopTile(
  study: TrainedStudy,
  { slideId, runId }: Pick<StudyPrediction, 'slideId' | 'runId'>,
): Promise<void> {
  const slide = await engine.reopenSlide(slideId);
  // Asked for in the same breath, so that opening does not choose a map of its own first.
  const opening = workspace.open(slide);
  const showing = mapDisplay.show(runId, openingView(study, runId));
  workspace.panelOpen = true;
  await Promise.all([opening, showing]);
  if (workspace.slide?.id !== slideId) return;
  workspace.panelTab = 'maps';
  const { loaded } = mapDisplay;
  if (loaded === null || loaded.description.runId !== runId) return;
  const [top] = extremeTiles(loaded.description, loaded.values, 'top', 1);
  if (!top || !(await stageReady())) return;
  mapDisplay.chosen = top.tile;
  stage.viewer?.flyTo(top.tile.x0Px, top.tile.y0Px, top.tile.sizeLevel0Px);
}

/** Waits until the viewer has drawn its first frames, which is when it can fly. */
async function stageReady(): Promise<boolean> {
  for (let i = 0; i < FRAMES_WAITED; i++) {
    if (stage.viewer && stage.viewer.drawer !== 'none' && stage.viewer.view().zoom > 0) return true;
    await new Promise(requestAnimationFrame);
  }
  return false;
}
