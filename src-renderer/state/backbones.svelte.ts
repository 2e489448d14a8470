import type { CardEdits, ExportedFile } from '../../src-shared/api/engine.ts';
import type { AppError } from '../../src-shared/errors.ts';
import { type BackboneCard, type Catalogue, type KeyMatch, MIRROR_SETTING } from '../../src-shared/model/backbone.ts';
import type { BackboneId, FileGrant, JobId } from '../../src-shared/model/ids.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** How the keys of the checkpoint imported last fit. */
export interface ImportReport {
  readonly match: KeyMatch;
  /** Null where the import was refused. */
  readonly card: BackboneCard | null;
  /** Why it was refused; null where it was not. */
  readonly error: AppError | null;
}

/** The backbones this installation has. */
class Backbones {
  cards = $state.raw<readonly BackboneCard[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  /** A card whose assumed fields wait for the user. */
  confirming = $state.raw<BackboneCard | null>(null);
  importing = $state(false);
  /** Of the checkpoint imported last, until it is closed; null for ONNX files. */
  report = $state.raw<ImportReport | null>(null);
  /** The list of public checkpoints is unfolded: it tells of its downloads itself. */
  catalogueShown = $state(false);

  async load(): Promise<void> {
    try {
      this.cards = await engine.listBackbones();
      this.status = 'ready';
      this.error = null;
    } catch (error) {
      this.error = asAppError(error);
      if (this.cards.length === 0) this.status = 'failed';
    }
  }

  get(id: BackboneId | null): BackboneCard | null {
    return this.cards.find((card) => card.id === id) ?? null;
  }

  /**
   * Registers a file; where its card rests on assumptions, they are put before the user. A checkpoint that is refused
   * leaves its report, which says why: null then. Anything else that is refused is thrown.
   */
  async import(grant: FileGrant): Promise<BackboneCard | null> {
    this.importing = true;
    this.report = null;
    try {
      const match = await engine.matchBackbone(grant);
      const card = await engine.importBackbone(grant, {}).catch((thrown: unknown) => {
        if (match === null) throw thrown;
        this.report = { match, card: null, error: asAppError(thrown) };
        return null;
      });
      if (card === null) return null;
      if (match) this.report = { match, card, error: null };
      await this.load();
      if (card.assumed.length > 0) this.confirming = card;
      return card;
    } finally {
      this.importing = false;
    }
  }

  async edit(id: BackboneId, edits: CardEdits): Promise<void> {
    await engine.editBackbone(id, edits);
    await this.load();
  }

  async randomTwin(id: BackboneId, seed: number): Promise<BackboneCard> {
    const twin = await engine.makeRandomTwin(id, seed);
    await this.load();
    return twin;
  }

  exportCut(id: BackboneId, cut: string): Promise<ExportedFile> {
    return engine.exportBackboneCut(id, cut);
  }

  catalogue(): Promise<Catalogue> {
    return engine.listCatalogue();
  }

  /** Begins to fetch a checkpoint of the catalogue, or goes on with it: uses the network. */
  download(name: string): Promise<JobId> {
    return engine.startDownload(name);
  }

  /** Removes what an unfinished download has fetched. */
  discard(name: string): Promise<void> {
    return engine.discardDownload(name);
  }

  /** A folder the user has chosen stands in for the servers of the catalogue. */
  takeCatalogueFrom(folder: FileGrant): Promise<void> {
    return engine.takeCatalogueFrom(folder);
  }

  /** A folder or address that stands in for the servers of the catalogue; empty = the servers. */
  setMirror(mirror: string): Promise<void> {
    return engine.setSetting(MIRROR_SETTING, mirror.trim());
  }

  async remove(id: BackboneId): Promise<void> {
    await engine.removeBackbone(id);
    await this.load();
  }
}

export const backbones = new Backbones();
