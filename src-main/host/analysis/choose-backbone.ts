import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileKindOf } from '../../../src-shared/api/file-kinds.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { Engine } from '../../engine/engine.ts';

const SHORTEST_ID = 8;

/**
 * The backbone a user names: an ONNX file or checkpoint (registered on the way), a card's name, or the start of its hash.
 * @throws AppError NotFound (lists the names there are), BackboneUnreadable, BackboneShapeUnsupported.
 */
export async function chooseBackbone(engine: Engine, named: string): Promise<BackboneCard> {
  if (fileKindOf(named) === 'model') {
    const path = resolve(named);
    const found = await stat(path).catch(() => null);
    if (found?.isFile()) {
      return engine.api.importBackbone(engine.grant(path), {});
    }
    throw new AppError('NotFound', `There is no model file ${named}.`, { advice: 'Check its path.' });
  }
  const cards = await engine.api.listBackbones();
  const wanted = named.toLowerCase();
  const card =
    cards.find(({ name }) => name.toLowerCase() === wanted) ??
    cards.find(({ id }) => wanted.length >= SHORTEST_ID && id.startsWith(wanted));
  if (card === undefined) {
    throw new AppError('NotFound', `There is no backbone called ${named}.`, {
      advice: `Give a model file or one of: ${cards.map(({ name }) => name).join(', ')}.`,
    });
  }
  return card;
}
