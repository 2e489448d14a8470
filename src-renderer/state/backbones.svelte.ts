import type { CardEdits } from '../../src-shared/api/engine.ts';
import type { AppError } from '../../src-shared/errors.ts';
import type { BackboneCard } from '../../src-shared/model/backbone.ts';
import type { BackboneId, FileGrant } from '../../src-shared/model/ids.ts';
import { engine } from './session.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

/** The backbones this installation has. */
class Backbones {
  cards = $state.raw<readonly BackboneCard[]>([]);
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  error = $state.raw<AppError | null>(null);
  /** A card whose assumed fields wait for the user. */
  confirming = $state.raw<BackboneCard | null>(null);
  importing = $state(false);

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

  /** Registers a file; where its card rests on assumptions, they are put before the user. */
  async import(grant: FileGrant): Promise<BackboneCard> {
    this.importing = true;
    try {
      const card = await engine.importBackbone(grant, {});
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

  async remove(id: BackboneId): Promise<void> {
    await engine.removeBackbone(id);
    await this.load();
  }
}

export const backbones = new Backbones();
