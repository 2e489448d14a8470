import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import { backbonePath, ensureBuiltIns, prepareImport } from '../backbone/registry.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { Store } from '../store/store.ts';

/** A backbone ready to run: its card, the file that holds its graph and the cut asked for. */
export interface UsableBackbone {
  readonly card: BackboneCard;
  readonly modelPath: string;
  readonly cut: CutPoint;
}

/** The backbones of this installation: built-in ones made on first need, imported ones kept in the store's folder. */
export class BackboneService {
  readonly folder: string;
  readonly #store: Store;
  readonly #worker: InferenceWorker;
  #builtIns: Promise<readonly BackboneCard[]> | null = null;

  constructor(storeFolder: string, store: Store, worker: InferenceWorker) {
    this.folder = join(storeFolder, 'backbones');
    this.#store = store;
    this.#worker = worker;
  }

  /** Built-in ones first, then the imported ones by name. */
  async list(): Promise<readonly BackboneCard[]> {
    const builtIns = await this.#ensureBuiltIns();
    const imported = (await this.#store.listBackbones()).map(({ card }) => card);
    return [...builtIns, ...imported.filter(({ id }) => builtIns.every((card) => card.id !== id))];
  }

  /** Throws NotFound. */
  async get(id: BackboneId): Promise<BackboneCard> {
    const card = (await this.list()).find((candidate) => candidate.id === id);
    if (card === undefined) {
      throw new AppError('NotFound', 'This backbone is not installed.', { advice: 'Import its file again.' });
    }
    return card;
  }

  /** The backbone with the cut named, or its default cut. Throws NotFound. */
  async use(id: BackboneId, cutName: string | null): Promise<UsableBackbone> {
    const card = await this.get(id);
    const wanted = cutName ?? card.defaultCut;
    const cut = card.cuts.find(({ name }) => name === wanted);
    if (cut === undefined) {
      throw new AppError('NotFound', `${card.name} has no cut named ${wanted}.`, {
        advice: `Choose one of: ${card.cuts.map(({ name }) => name).join(', ')}.`,
      });
    }
    return { card, cut, modelPath: backbonePath(this.folder, id) };
  }

  /** Throws BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed, FileUnreadable, DiskFull. */
  async import(path: string, edits: CardEdits): Promise<BackboneCard> {
    const card = await prepareImport(path, edits, this.folder, this.#worker);
    await this.#store.putBackbone({ card, fileName: `${card.id}.onnx` });
    return card;
  }

  /** Corrects the card of an imported backbone; what changes its numbers is checked by running it. */
  async edit(id: BackboneId, edits: CardEdits): Promise<BackboneCard> {
    const card = await this.get(id);
    if (card.builtIn) {
      throw new AppError('NotAllowed', 'A built-in backbone cannot be changed.', {
        advice: 'Import your own file to describe it yourself.',
      });
    }
    return await this.import(backbonePath(this.folder, id), { ...namedIn(card), ...edits });
  }

  /** Removes an imported backbone and its file. Throws NotAllowed for a built-in one. */
  async remove(id: BackboneId): Promise<void> {
    const card = await this.get(id);
    if (card.builtIn) throw new AppError('NotAllowed', 'A built-in backbone cannot be removed.');
    await this.#store.removeBackbone(id);
    await rm(backbonePath(this.folder, id), { force: true });
  }

  async #ensureBuiltIns(): Promise<readonly BackboneCard[]> {
    this.#builtIns ??= ensureBuiltIns(this.folder, this.#worker);
    try {
      return await this.#builtIns;
    } catch (error) {
      this.#builtIns = null;
      throw error;
    }
  }
}

/** What the user has said of a backbone so far, so that an edit keeps the rest. */
function namedIn(card: BackboneCard): CardEdits {
  const { name, origin, licence, method, input, defaultCut } = card;
  return { name, origin, licence, method, input, defaultCut };
}
