import type { GridPreview } from '../../src-shared/api/engine.ts';
import { routes } from '../../src-shared/api/routes.ts';
import type { AppError } from '../../src-shared/errors.ts';
import type { BackboneCard } from '../../src-shared/model/backbone.ts';
import type { BackboneId } from '../../src-shared/model/ids.ts';
import { type MaskEdits, type MaskStroke, NO_MASK_EDITS } from '../../src-shared/model/mask-edits.ts';
import {
  type AnalysisRequest,
  DEFAULT_GRID,
  DEFAULT_TISSUE,
  type GridSpec,
  type TissueParams,
} from '../../src-shared/model/run.ts';
import type { Slide } from '../../src-shared/model/slide.ts';
import { TISSUE_PRESETS, type TissuePreset } from '../../src-shared/model/tissue-presets.ts';
import { fetchImage } from '../client/files.ts';
import type { SlideImage } from '../viewer/overlay-painter.ts';
import { backbones } from './backbones.svelte.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

type StainExtras = Pick<TissueParams, 'opticalDensityThreshold' | 'penInks'>;

function extrasOf({ opticalDensityThreshold, penInks }: TissueParams): StainExtras {
  return {
    ...(opticalDensityThreshold === undefined ? {} : { opticalDensityThreshold }),
    ...(penInks === undefined ? {} : { penInks }),
  };
}

/** What the next analysis will do, and a look at its tissue and tiles beforehand. */
class AnalysisForm {
  backboneId = $state.raw<BackboneId | null>(null);
  /** Null = the backbone's default cut. */
  cut = $state<string | null>(null);
  mpp = $state(DEFAULT_GRID.mpp);
  tileUm = $state(DEFAULT_GRID.tileUm);
  /** Share of a tile that its neighbour covers too. */
  overlap = $state(0);
  minTissueFraction = $state(DEFAULT_GRID.minTissueFraction);
  maskMpp = $state(DEFAULT_TISSUE.maskMpp);
  /** Null = Otsu's on this slide. */
  threshold = $state<number | null>(DEFAULT_TISSUE.saturationThreshold);
  minTissueUm2 = $state(DEFAULT_TISSUE.minTissueUm2);
  maxHoleUm2 = $state(DEFAULT_TISSUE.maxHoleUm2);
  /** Null = not looked for. */
  minSharpness = $state<number | null>(null);
  /** What a stain's preset sets beside the numbers above. */
  stain = $state.raw<StainExtras>({});
  edits = $state.raw<MaskEdits>(NO_MASK_EDITS);
  /** What the brush does; null = the mouse moves the slide. */
  brush = $state<MaskStroke['kind'] | null>(null);
  brushUm = $state(100);

  showMask = $state(false);
  preview = $state.raw<GridPreview | null>(null);
  previewError = $state.raw<AppError | null>(null);
  previewing = $state(false);
  mask = $state.raw<SlideImage | null>(null);

  readonly card: BackboneCard | null = $derived(backbones.get(this.backboneId));

  readonly grid: GridSpec = $derived({
    mpp: this.mpp,
    tileUm: this.tileUm,
    strideUm: this.tileUm * (1 - this.overlap),
    minTissueFraction: this.minTissueFraction,
  });

  readonly tissue: TissueParams = $derived({
    maskMpp: this.maskMpp,
    saturationThreshold: this.threshold,
    minTissueUm2: this.minTissueUm2,
    maxHoleUm2: this.maxHoleUm2,
    ...this.stain,
    // Absent where not used, so that equal settings stay the same run.
    ...(this.minSharpness === null ? {} : { minSharpness: this.minSharpness }),
    ...(this.edits.strokes.length === 0 ? {} : { strokes: this.edits.strokes }),
  });

  /** The preset whose numbers are set; null where the user has set others. */
  readonly preset: TissuePreset | null = $derived(
    TISSUE_PRESETS.find(
      ({ params }) =>
        params.saturationThreshold === this.threshold &&
        params.maskMpp === this.maskMpp &&
        params.minTissueUm2 === this.minTissueUm2 &&
        params.maxHoleUm2 === this.maxHoleUm2 &&
        JSON.stringify(extrasOf(params)) === JSON.stringify(this.stain),
    ) ?? null,
  );

  /** Side of a tile at the target resolution, in pixels. */
  readonly tilePx = $derived(this.tileUm / this.mpp);

  #request = 0;

  /** Chooses a backbone, and the field of view it was trained on where its card says so. */
  choose(card: BackboneCard): void {
    this.backboneId = card.id;
    this.cut = null;
    if (card.trainedMpp !== null) this.mpp = card.trainedMpp;
    this.matchBackbone();
  }

  /** Everything as an earlier analysis or study had it; a backbone that was removed is left unchosen. */
  take({ backboneId, cut, grid, tissue }: Omit<AnalysisRequest, 'slideId'>): void {
    const card = backbones.get(backboneId);
    if (card) {
      this.choose(card);
      this.cut = cut;
    }
    this.mpp = grid.mpp;
    this.tileUm = grid.tileUm;
    this.overlap = 1 - grid.strideUm / grid.tileUm;
    this.minTissueFraction = grid.minTissueFraction;
    this.usePreset({ params: tissue });
    this.minSharpness = tissue.minSharpness ?? null;
  }

  /** The tile that fills the backbone's input at this resolution without resizing. */
  matchBackbone(): void {
    if (this.card) this.tileUm = Number((this.card.input.widthPx * this.mpp).toFixed(3));
  }

  usePreset({ params }: Pick<TissuePreset, 'params'>): void {
    this.maskMpp = params.maskMpp;
    this.threshold = params.saturationThreshold;
    this.minTissueUm2 = params.minTissueUm2;
    this.maxHoleUm2 = params.maxHoleUm2;
    this.stain = extrasOf(params);
  }

  resetTissue(): void {
    this.usePreset({ params: DEFAULT_TISSUE });
    this.minTissueFraction = DEFAULT_GRID.minTissueFraction;
    this.minSharpness = null;
    this.edits = NO_MASK_EDITS;
  }

  request(slide: Slide): AnalysisRequest | null {
    if (!this.backboneId) return null;
    return {
      slideId: slide.id,
      backboneId: this.backboneId,
      cut: this.cut,
      grid: this.grid,
      tissue: this.tissue,
    };
  }

  /** Counts the tiles and fetches the mask for what is set now; an older answer never replaces a newer one. */
  async refreshPreview(slide: Slide): Promise<void> {
    const request = ++this.#request;
    this.previewing = true;
    try {
      const { tissue, grid, backboneId, showMask } = this;
      const preview = await engine.previewGrid(slide.id, tissue, grid, backboneId);
      const picture = showMask ? await fetchImage(routes.tissue(slide.id, tissue)) : null;
      if (request !== this.#request) return;
      this.preview = preview;
      this.previewError = null;
      this.mask = picture && {
        source: picture,
        widthPx: picture.width,
        heightPx: picture.height,
        slideWidthPx: slide.info.widthPx,
        slideHeightPx: slide.info.heightPx,
      };
    } catch (error) {
      if (request !== this.#request) return;
      this.previewError = asAppError(error);
      this.preview = null;
      this.mask = null;
    } finally {
      if (request === this.#request) this.previewing = false;
    }
  }

  /** Forgets the look at a slide that is no longer open. */
  clearPreview(): void {
    this.#request += 1;
    this.preview = null;
    this.previewError = null;
    this.previewing = false;
    this.mask = null;
    this.showMask = false;
    this.edits = NO_MASK_EDITS;
    this.brush = null;
  }
}

export const analysisForm = new AnalysisForm();
