import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { CardEdits } from '../../../../src-shared/api/engine.ts';
import { AppError } from '../../../../src-shared/errors.ts';
import type { BackboneOrigin, KeyMatch } from '../../../../src-shared/model/backbone.ts';
import { type CardFile, cardSchema } from '../../../engine/backbone/card-schema.ts';
import type { Engine } from '../../../engine/engine.ts';
import { formatTable, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { describeCard, type StoreOptions, withEngine } from './shared.ts';

const ORIGINS: readonly BackboneOrigin[] = ['imagenet', 'histology', 'random', 'unknown'];
const MOST_NAMED = 8;

interface ImportOptions extends StoreOptions {
  readonly name?: string;
  readonly origin?: BackboneOrigin;
  readonly licence?: string;
  readonly card?: string;
}

export function importCommand(finish: Finish): Command {
  const command = newCommand('import', 'register an ONNX file or a checkpoint (.safetensors, .pth, .pt, .ckpt)')
    .argument('<file>', 'an ONNX image model with one float input, or the weights of a network Hyaline can build')
    .option('--name <name>', 'what to call it (default: its file name)')
    .addOption(new Option('--origin <domain>', 'what it was trained on').choices(ORIGINS))
    .option('--licence <text>', 'terms of its weights')
    .option('--card <json>', 'what is known of it: JSON, or a file of it (name, origin, licence, input, …)')
    .option(...STORE_OPTION);
  return runs<ImportOptions>(command, finish, async (options, terminal, [file = '']) => {
    const edits = await editsOf(options);
    return withEngine(options, (engine) => importFile(engine, terminal, resolve(file), edits));
  });
}

async function importFile(engine: Engine, terminal: Terminal, path: string, edits: CardEdits): Promise<void> {
  const grant = engine.grant(path);
  const match = await engine.api.matchBackbone(grant);
  try {
    const card = await engine.api.importBackbone(grant, edits);
    terminal.printJson({ ...card, match });
    terminal.print(describeCard(card));
    if (match !== null) terminal.print(`\n${describeMatch(match)}`);
  } catch (error) {
    // The report says what is missing, which the error alone does not; stdout belongs to the error's JSON.
    if (match !== null) terminal.note(describeMatch(match));
    throw error;
  }
}

/** How a checkpoint's keys fit, in a few lines. */
export function describeMatch(match: KeyMatch): string {
  const { architecture, layout, prefix, matched, expected, missing, unexpected, shapeMismatches } = match;
  const shapes = shapeMismatches.map(({ name, expected: wanted, found }) => `${name} is ${found}, not ${wanted}`);
  return formatTable([
    ['Keys', `${matched} of the ${expected} weights of ${architecture} found, named as by ${layout}`],
    ['Prefix', prefix === '' ? 'none' : prefix],
    ['Missing', firstOf(missing)],
    ['Not used', firstOf(unexpected)],
    ['Other shape', firstOf(shapes)],
  ]);
}

function firstOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const rest = names.length - MOST_NAMED;
  return `${names.length}: ${names.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? `, and ${rest} more` : ''}`;
}

/** What the options say of the card; --name, --origin and --licence win over --card. */
async function editsOf({ name, origin, licence, card }: ImportOptions): Promise<CardEdits> {
  const { input, ...said }: CardFile = card === undefined ? {} : await readCard(card);
  const fields = defined({ ...said, ...defined({ name, origin, licence }) });
  return input === undefined ? fields : { ...fields, input: defined(input) };
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Partial<Defined<T>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Defined<T>>;
}

async function readCard(given: string): Promise<CardFile> {
  const inline = given.trimStart().startsWith('{');
  const what = inline ? 'The card' : basename(given);
  const text = inline ? given : await readFile(given, 'utf8').catch(() => null);
  if (text === null) {
    throw new AppError('FileUnreadable', `The card ${what} cannot be read.`, { advice: 'Check its path.' });
  }
  const parsed = cardSchema.strict().safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const { path = [], message = '' } = parsed.error.issues[0] ?? {};
  throw new AppError('InvalidRequest', `${what} is no card: ${[path.join('.'), message].filter(Boolean).join(': ')}.`, {
    advice: `It may hold ${Object.keys(cardSchema.shape).join(', ')}.`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
