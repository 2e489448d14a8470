import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint, KeyMatch } from '../../../src-shared/model/backbone.ts';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import { type FetchRequest, fetchBackbone } from '../backbone/fetch-backbone.ts';
import { backbonePath, ensureBuiltIns, exportCut, prepareImport, prepareRandom } from '../backbone/registry.ts';
import type { TestSubject } from '../infer/device.ts';
import { GraphCache, graphCacheFolder } from '../infer/graph-cache.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import { canonicalJson } from '../store/canonical.ts';
import type { Store } from '../store/store.ts';

/** Images of a device's self-test: more than one, so that a batch is one. */
const TEST_IMAGES = 2;
const INPUT_KEY_DIGITS = 16;
const MAX_SEED = 2 ** 31 - 1;

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
  readonly #graphs: GraphCache;
  #builtIns: Promise<readonly BackboneCard[]> | null = null;

  constructor(storeFolder: string, store: Store, worker: InferenceWorker) {
    this.folder = join(storeFolder, 'backbones');
    this.#store = store;
    this.#worker = worker;
    this.#graphs = new GraphCache(graphCacheFolder(storeFolder));
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
    const read = await prepareImport(path, edits, this.folder, this.#worker);
    const { architecture = read.architecture, source = read.source, trainedMpp = read.trainedMpp } = edits;
    return await this.#register({ ...read, architecture, source, trainedMpp });
  }

  /** How the keys of a checkpoint fit the network it belongs to; null for an ONNX file. Nothing is registered. */
  match(path: string): Promise<KeyMatch | null> {
    return this.#worker.call('match', { path });
  }

  /** Corrects the card of an imported backbone; what changes its numbers is checked by running it. */
  async edit(id: BackboneId, edits: CardEdits): Promise<BackboneCard> {
    const card = await this.get(id);
    if (card.builtIn) {
      throw new AppError('NotAllowed', 'A built-in backbone cannot be changed.', {
        advice: 'Import your own file to describe it yourself.',
      });
    }
    const input = { ...card.input, ...edits.input };
    return await this.import(backbonePath(this.folder, id), { ...namedIn(card), ...edits, input });
  }

  /** The random twin of a backbone, the same for the same seed. Throws InvalidRequest, NotFound, DiskFull. */
  async randomTwin(id: BackboneId, seed: number): Promise<BackboneCard> {
    if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED) {
      throw new AppError('InvalidRequest', `A seed is a whole number from 0 to ${MAX_SEED}.`);
    }
    const twin = await prepareRandom(await this.get(id), seed, this.folder, this.#worker);
    // Where its weights come from and whose they are is known, whatever is assumed of the original.
    const assumed = twin.assumed.filter((phrase) => !/^(origin|licence):/.test(phrase));
    return await this.#register({ ...twin, assumed });
  }

  /** Writes one cut as an ONNX file of its own and returns its size in bytes. Throws NotFound, DiskFull. */
  async exportCut(id: BackboneId, cut: string, outPath: string): Promise<number> {
    return await exportCut(await this.get(id), cut, this.folder, outPath, this.#worker);
  }

  /**
   * Fetches a checkpoint of the catalogue and registers it; what has arrived when it fails is kept and continued.
   * Throws NetworkUnavailable, NotAllowed (says where to ask), NotFound, DiskFull, BackboneUnreadable, Cancelled.
   */
  async download(request: Omit<FetchRequest, 'backbonesFolder' | 'worker'>): Promise<BackboneCard> {
    const fetched = await fetchBackbone({ ...request, backbonesFolder: this.folder, worker: this.#worker });
    await this.#register(fetched);
    // The graph is stored now: the file it was made from need not take the same room again.
    await rm(join(request.downloadFolder, request.name), { recursive: true, force: true });
    return fetched;
  }

  /** What a device is tested with before it computes features of this backbone. Throws NotFound. */
  async testSubject(id: BackboneId): Promise<TestSubject> {
    const { input } = await this.get(id);
    const { widthPx, heightPx, layout } = input;
    const size = layout === 'NCHW' ? [3, heightPx, widthPx] : [heightPx, widthPx, 3];
    return { modelPath: backbonePath(this.folder, id), dims: [TEST_IMAGES, ...size] };
  }

  /** Removes an imported backbone and its file. Throws NotAllowed for a built-in one. */
  async remove(id: BackboneId): Promise<void> {
    const card = await this.get(id);
    if (card.builtIn) throw new AppError('NotAllowed', 'A built-in backbone cannot be removed.');
    await this.#store.removeBackbone(id);
    await rm(backbonePath(this.folder, id), { force: true });
    await this.#graphs.forgetModel(id);
  }

  async #register(read: BackboneCard): Promise<BackboneCard> {
    const known = (await this.#store.listBackbones()).find(({ card }) => card.id === read.id)?.card;
    const card = known === undefined ? read : withInputEdit(read, known);
    await this.#store.putBackbone({ card, fileName: `${card.id}.onnx` });
    return card;
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
  const { name, architecture, origin, licence, method, source, trainedMpp, input, defaultCut, fineTunedFrom } = card;
  const named = { name, architecture, origin, licence, method, source, trainedMpp, input, defaultCut };
  return fineTunedFrom === undefined ? named : { ...named, fineTunedFrom };
}

/**
 * The new card of a file that is known already. Results are found by the file's hash: where the input now differs from
 * the one it was registered with, the card says so, and its results are kept apart.
 */
function withInputEdit(card: BackboneCard, known: BackboneCard): BackboneCard {
  const original = known.inputEdit?.original ?? known.input;
  const kept = { ...card, ...(card.file === undefined && known.file !== undefined ? { file: known.file } : {}) };
  const text = canonicalJson(card.input);
  if (text === canonicalJson(original)) return kept;
  const key = createHash('sha256').update(text).digest('hex').slice(0, INPUT_KEY_DIGITS);
  return { ...kept, inputEdit: { key, original } };
}
