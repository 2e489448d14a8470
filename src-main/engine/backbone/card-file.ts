import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../../src-shared/errors.ts';
import type { InputSpec } from '../../../src-shared/model/backbone.ts';
import type { OnnxModel } from '../graph/model.ts';
import { CUTS_KEY } from './architectures/network.ts';
import { type CardFile, cardSchema } from './card-schema.ts';
import { cardFromConfig } from './config-json.ts';

/** The input as far as a card gives it, without the fields it leaves out. */
export function inputOf(card: {
  readonly input?: CardFile['input'] | Partial<InputSpec> | undefined;
}): Partial<InputSpec> {
  const given = Object.entries(card.input ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

/**
 * Reads what lies beside a model: `NAME.json` for `NAME.onnx` as a card of ours, else `config.json` (WSInfer zoo, timm,
 * Hugging Face), `open_clip_config.json` and `preprocessor_config.json` (Hugging Face). Null where there is nothing.
 *
 * @throws AppError BackboneUnreadable where the card is there but is none.
 */
export async function readCardFile(modelPath: string): Promise<CardFile | null> {
  const path = modelPath.replace(/\.[^./\\]+$/, '.json');
  const text = path === modelPath ? null : await readFile(path, 'utf8').catch(() => null);
  if (text !== null) return parseCard(text, 'The card beside this model');
  const configs = CONFIG_FILES.map((name) => readConfig(join(dirname(modelPath), name)));
  const found = (await Promise.all(configs)).filter((card) => card !== null);
  return found.length === 0 ? null : Object.assign({}, ...found);
}

/** In the order in which the later says it better. */
const CONFIG_FILES = ['config.json', 'open_clip_config.json', 'preprocessor_config.json'] as const;

/** A file of another program may say anything: what it does not say of a model is left alone. */
async function readConfig(path: string): Promise<CardFile | null> {
  try {
    return cardFromConfig(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

/** The card a model carries in its metadata, under the key `hyaline.card`; null where it has none. */
export function cardInMetadata(metadata: Readonly<Record<string, string>>): CardFile | null {
  const text = metadata['hyaline.card'];
  return text === undefined ? null : parseCard(text, 'The card inside this model');
}

const cutTableSchema = z.array(
  z.object({
    name: z.string().min(1),
    tensor: z.string().min(1),
    pooling: z.enum(['none', 'global-average', 'cls', 'mean-tokens']),
  }),
);

/** A cut as a graph of ours names it in its metadata. */
export type NamedCut = z.infer<typeof cutTableSchema>[number];

/** The cut table a graph of ours carries, as far as its tensors are still in the graph; null where it has none. */
export function cutsInMetadata(model: OnnxModel): readonly NamedCut[] | null {
  const text = model.metadata[CUTS_KEY];
  if (text === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = cutTableSchema.safeParse(value);
  if (!parsed.success) return null;
  const tensors = new Set(model.graph.nodes.flatMap((node) => node.outputs));
  const present = parsed.data.filter((cut) => tensors.has(cut.tensor));
  return present.length > 0 ? present : null;
}

function parseCard(text: string, what: string): CardFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refused(`${what} is not valid JSON.`, cause);
  }
  const parsed = cardSchema.safeParse(value);
  if (!parsed.success) throw refused(`${what} has a field Hyaline does not understand.`, parsed.error.message);
  return parsed.data;
}

function refused(message: string, cause: unknown): AppError {
  const advice = 'Correct or remove the .json file beside the model.';
  return new AppError('BackboneUnreadable', message, { advice, detail: String(cause) });
}
