import type { AppError } from '../../src-shared/errors.ts';
import type { FileGrant, JobId, SlideId } from '../../src-shared/model/ids.ts';
import type { Slide } from '../../src-shared/model/slide.ts';
import { engine } from './session.svelte.ts';
import { settings } from './settings.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** The slides this store knows. */
class Library {
  slides = $state.raw<readonly Slide[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  /** The demo slide is being made because the user asked for it. */
  demoJob = $state<JobId | null>(null);

  async load(): Promise<void> {
    try {
      const slides = await engine.listSlides();
      this.slides = [...slides].sort((a, b) => b.openedAtMs - a.openedAtMs);
      this.status = 'ready';
      this.error = null;
    } catch (error) {
      this.error = asAppError(error);
      if (this.slides.length === 0) this.status = 'failed';
    }
  }

  async open(grant: FileGrant): Promise<Slide> {
    const slide = await engine.openSlide(grant);
    await this.load();
    return slide;
  }

  /** The demo slide, or null while it is being made: then `demoJob` says by which job. */
  async openDemo(): Promise<Slide | null> {
    const { slide, jobId } = await engine.openDemoSlide();
    this.demoJob = slide ? null : jobId;
    if (slide) await this.load();
    return slide;
  }

  async forget(id: SlideId): Promise<void> {
    await engine.forgetSlide(id);
    await this.load();
  }
}

export const library = new Library();

/** What a slide is called on screen: its file name, or a neutral name where names are masked. */
export function displayName(slide: Pick<Slide, 'id' | 'name' | 'isDemo'>): string {
  if (slide.isDemo) return 'Demo slide';
  return settings.maskNames ? `Slide ${slide.id.slice(0, 8)}` : slide.name;
}
