import { SvelteSet } from 'svelte/reactivity';
import { type AppError, type ErrorPayload, toErrorPayload } from '../../src-shared/errors.ts';
import type { ExtractionRequest, ExtractionTarget, SlideForecast } from '../../src-shared/model/extraction.ts';
import type { FileGrant, SlideId } from '../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type Precision } from '../../src-shared/model/run.ts';
import type { StainFit } from '../../src-shared/model/stain.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** A slide that is to be extracted: one of the library, or a file that becomes one. */
export interface ArchiveItem {
  readonly name: string;
  readonly slideId: SlideId | null;
  readonly grant: FileGrant | null;
  /** µm per level-0 pixel that a list gives. */
  readonly mppUm: number | null;
  readonly labels: Readonly<Record<string, string>>;
  /** As a list names it; null or absent = not known. */
  readonly caseId?: string | null;
}

/** A slide that cannot be done, before the run has begun. */
export interface LeftOut {
  readonly name: string;
  readonly error: ErrorPayload;
}

export interface ArchiveForecast {
  readonly slides: readonly SlideForecast[];
  readonly leftOut: readonly LeftOut[];
  readonly tilesLeft: number;
  readonly bytesNeeded: number;
  readonly bytesFree: number;
}

/** Slides handed over at a time: few enough to show how far it is and to stop soon. */
const AT_A_TIME = 4;

const keyOf = ({ slideId, grant }: ArchiveItem): string => slideId ?? grant ?? '';

/** What the next run over an archive will do, and what it will take. */
class ArchiveForm {
  items = $state.raw<readonly ArchiveItem[]>([]);
  warnings = $state.raw<readonly string[]>([]);
  targets = $state.raw<readonly ExtractionTarget[]>([]);
  mpp = $state(DEFAULT_GRID.mpp);
  tileUm = $state(DEFAULT_GRID.tileUm);
  /** µm per level-0 pixel of slides that do not state it; null = they are left out. */
  slideMppUm = $state<number | null>(null);
  minTissueFraction = $state(DEFAULT_GRID.minTissueFraction);
  precision = $state<Precision>('float32');
  stain = $state<'none' | StainFit['method']>('none');
  stainImage = $state.raw<{ readonly grant: FileGrant; readonly name: string } | null>(null);

  forecast = $state.raw<ArchiveForecast | null>(null);
  /** How far the forecast or the start is; null while neither is under way. */
  progress = $state.raw<{ readonly what: 'forecast' | 'start'; readonly done: number; readonly total: number } | null>(
    null,
  );
  error = $state.raw<AppError | null>(null);
  readonly labelColumns = $derived([...new SvelteSet(this.items.flatMap(({ labels }) => Object.keys(labels)))]);
  /** Counts the changes: a forecast of an earlier state is none. */
  #version = 0;

  /** Called by every control: what was forecast no longer holds. */
  changed(): void {
    this.#version += 1;
    this.forecast = null;
    this.error = null;
  }

  add(items: readonly ArchiveItem[]): void {
    const known = new Set(this.items.map(keyOf));
    this.items = [...this.items, ...items.filter((item) => !known.has(keyOf(item)))];
    this.changed();
  }

  /** Adds the slides of a list (CSV). Rejects with the engine's AppError. */
  async addList(grant: FileGrant): Promise<void> {
    const list = await engine.readSlideList(grant);
    this.add(list.slides.map(({ grant: file, ...row }) => ({ ...row, slideId: null, grant: file })));
    this.warnings = list.warnings;
  }

  remove(item: ArchiveItem): void {
    this.items = this.items.filter((each) => each !== item);
    this.changed();
  }

  clear(): void {
    this.items = [];
    this.warnings = [];
    this.changed();
  }

  setTargets(targets: readonly ExtractionTarget[]): void {
    this.targets = targets;
    this.changed();
  }

  /** Ends a forecast that is under way. */
  stop(): void {
    this.#version += 1;
    this.progress = null;
  }

  /** Opens the slides, lays their grids and adds up what is missing. */
  async makeForecast(): Promise<void> {
    this.changed();
    const version = this.#version;
    const { items } = this;
    const slides: SlideForecast[] = [];
    const leftOut: LeftOut[] = [];
    let [bytesNeeded, bytesFree] = [0, 0];
    try {
      const stain = await this.#stain();
      for (let from = 0; from < items.length; from += AT_A_TIME) {
        if (version !== this.#version) return;
        this.progress = { what: 'forecast', done: from, total: items.length };
        const part = await openItems(items.slice(from, from + AT_A_TIME), this.slideMppUm);
        leftOut.push(...part.leftOut);
        const asked = part.opened.filter(({ slideId }) => !slides.some((known) => known.slideId === slideId));
        if (asked.length === 0) continue;
        const found = await engine.forecastExtraction(
          this.#request(
            asked.map(({ slideId }) => slideId),
            stain,
          ),
        );
        slides.push(...found.slides);
        const nameOf = (id: SlideId): string => asked.find(({ slideId }) => slideId === id)?.name ?? id;
        leftOut.push(...found.refused.map(({ slideId, error }) => ({ name: nameOf(slideId), error })));
        bytesNeeded += found.bytesNeeded;
        bytesFree = found.bytesFree;
      }
      if (version !== this.#version) return;
      const tilesLeft = slides.reduce((sum, slide) => sum + slide.tilesLeft, 0);
      this.forecast = { slides, leftOut, tilesLeft, bytesNeeded, bytesFree };
    } catch (error) {
      if (version === this.#version) this.error = asAppError(error);
    } finally {
      if (version === this.#version) this.progress = null;
    }
  }

  /** Queues what was forecast, in the order of the list; true when all of it is queued. */
  async start(): Promise<boolean> {
    const { forecast } = this;
    if (forecast === null) return false;
    const version = this.#version;
    const ids = forecast.slides.map(({ slideId }) => slideId);
    try {
      const stain = await this.#stain();
      for (let from = 0; from < ids.length; from += AT_A_TIME) {
        this.progress = { what: 'start', done: from, total: ids.length };
        await engine.startExtraction(this.#request(ids.slice(from, from + AT_A_TIME), stain));
      }
      return true;
    } catch (error) {
      this.error = asAppError(error);
      return false;
    } finally {
      if (version === this.#version) this.progress = null;
    }
  }

  async #stain(): Promise<StainFit | null> {
    return this.stain === 'none' ? null : await engine.fitStain(this.stain, this.stainImage?.grant ?? null);
  }

  #request(slideIds: readonly SlideId[], stain: StainFit | null): ExtractionRequest {
    const { mpp, tileUm, minTissueFraction, targets, precision } = this;
    return {
      ...{ slideIds, targets, precision, stain },
      grid: { mpp, tileUm, strideUm: tileUm, minTissueFraction },
      tissue: DEFAULT_TISSUE,
    };
  }
}

interface OpenedItem {
  readonly name: string;
  readonly slideId: SlideId;
}

/** The items as slides of the library, in their order; files that do not open are named with the reason. */
export async function openItems(
  items: readonly ArchiveItem[],
  slideMppUm: number | null,
): Promise<{ readonly opened: readonly OpenedItem[]; readonly leftOut: readonly LeftOut[] }> {
  const files = items.flatMap(({ slideId, grant, mppUm }) => (slideId === null && grant ? [{ grant, mppUm }] : []));
  const added = files.length === 0 ? { slides: [], refused: [] } : await engine.addSlides(files);
  const opened: OpenedItem[] = [];
  const leftOut: LeftOut[] = [];
  for (const { name, slideId, grant } of items) {
    const id = slideId ?? added.slides.find((slide) => slide.grant === grant)?.id;
    const refused = added.refused.find((file) => file.grant === grant);
    if (id !== undefined) {
      if (slideMppUm !== null && (await engine.getSlide(id)).mpp === null) await engine.setSlideMpp(id, slideMppUm);
      opened.push({ name, slideId: id });
    } else leftOut.push({ name, error: refused?.error ?? toErrorPayload(null) });
  }
  return { opened, leftOut };
}

export const archiveForm = new ArchiveForm();
