import type { ViewerAction } from '../viewer/keyboard-map.ts';
import { zoomPresets } from '../viewer/magnification.ts';
import type { SlideViewer } from '../viewer/slide-viewer.ts';
import { mapDisplay } from './map-display.svelte.ts';
import { navigation } from './navigation.svelte.ts';
import { shown } from './toasts.svelte.ts';
import { workspace } from './workspace.svelte.ts';

const PAN_SHARE = 0.12;

/** The viewer on screen and what of it is shown; carries out what keys, buttons and menus ask for. */
class Stage {
  viewer = $state.raw<SlideViewer | null>(null);
  navigatorShown = $state(true);
  fullScreen = $state(false);
  goingTo = $state(false);
  /** Some tiles did not come; they are left empty. */
  tilesMissing = $state(false);
  /** Counts how often the slide was put on screen anew; a change of it loads every tile again. */
  generation = $state(0);

  perform(action: ViewerAction): void {
    if (this.viewer && !this.#move(this.viewer, action)) this.#show(action);
  }

  /** Carries out what moves the slide; false for anything else. */
  #move(viewer: SlideViewer, action: ViewerAction): boolean {
    switch (action.kind) {
      case 'home':
        viewer.home();
        return true;
      case 'one-to-one':
        viewer.zoomToDevice(1);
        return true;
      case 'preset': {
        const preset = zoomPresets(workspace.slide?.mpp?.xUm ?? null)[action.index];
        if (preset) viewer.zoomToDevice(preset.zoom);
        return true;
      }
      case 'zoom-in':
        viewer.zoomBy(1);
        return true;
      case 'zoom-out':
        viewer.zoomBy(-1);
        return true;
      case 'pan':
        viewer.panByScreen(action.dx * PAN_SHARE, action.dy * PAN_SHARE);
        return true;
      case 'rotate-right':
        this.#rotateBy(90);
        return true;
      case 'rotate-left':
        this.#rotateBy(-90);
        return true;
      case 'rotate-reset':
        viewer.rotateTo(0);
        return true;
      default:
        return false;
    }
  }

  /** Carries out what changes what is shown around the slide. */
  #show(action: ViewerAction): void {
    switch (action.kind) {
      case 'toggle-overlay':
        mapDisplay.visible = !mapDisplay.visible;
        return;
      case 'toggle-panel':
        workspace.panelOpen = !workspace.panelOpen;
        return;
      case 'toggle-navigator':
        this.navigatorShown = !this.navigatorShown;
        return;
      case 'full-screen':
        void this.toggleFullScreen();
        return;
      case 'go-to':
        this.goingTo = true;
        return;
      case 'help':
        navigation.dialog = 'keys';
        return;
    }
  }

  /** Asks again for tiles that did not come, once the engine is back. */
  retryMissingTiles(): void {
    if (!this.tilesMissing) return;
    this.tilesMissing = false;
    this.generation += 1;
  }

  /** The whole page, so that dialogs and messages stay in sight; the frame steps back. */
  async toggleFullScreen(): Promise<void> {
    await shown(async () => {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await document.documentElement.requestFullscreen();
    });
  }

  #rotateBy(degrees: number): void {
    const { viewer } = this;
    if (!viewer) return;
    // From the nearest quarter turn, so that quick presses in mid-animation do not end askew.
    const now = Math.round(viewer.targetRotationDeg / 90) * 90;
    viewer.rotateTo(now + degrees);
  }
}

export const stage = new Stage();
