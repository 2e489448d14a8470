import { routes } from '../../../../src-shared/api/routes.ts';
import { type ErrorPayload, fromErrorPayload } from '../../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../../src-shared/model/backbone.ts';
import type { ExportId } from '../../../../src-shared/model/ids.ts';
import { resizeText } from '../../../../src-shared/model/input-text.ts';
import { findCut } from '../../../engine/backbone/registry.ts';
import type { Engine } from '../../../engine/engine.ts';
import { chooseBackbone } from '../../analysis/choose-backbone.ts';
import { EXIT } from '../../exit-codes.ts';
import { openEngine } from '../../open-engine.ts';
import { storeFolder } from '../../store-folder.ts';
import { formatBytes, formatTable } from '../../terminal.ts';

export interface StoreOptions {
  readonly store?: string;
}

/** Opens the engine over the store for one piece of work. */
export async function withEngine(
  { store }: StoreOptions,
  work: (engine: Engine) => Promise<void>,
  mirror: string | null = null,
): Promise<number> {
  const engine = await openEngine(storeFolder(store), 0, mirror);
  try {
    await work(engine);
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

/**
 * The backbone and cut of `NAME@CUT`, or of `NAME` with its default cut. A name may hold an @ of its own: a backbone of
 * the whole name wins.
 *
 * @throws AppError NotFound for an unknown backbone or cut.
 */
export async function chooseCut(
  engine: Engine,
  named: string,
): Promise<{ readonly card: BackboneCard; readonly cut: CutPoint }> {
  const at = named.lastIndexOf('@');
  if (at > 0) {
    const whole = (await engine.api.listBackbones()).find(({ name }) => name.toLowerCase() === named.toLowerCase());
    const card = whole ?? (await chooseBackbone(engine, named.slice(0, at)));
    return { card, cut: findCut(card, whole ? null : named.slice(at + 1)) };
  }
  const card = await chooseBackbone(engine, named);
  return { card, cut: findCut(card, null) };
}

/** The bytes of a file the engine made for the user. */
export async function downloadExport(engine: Engine, id: ExportId): Promise<Uint8Array> {
  const { status, body } = await engine.handle({ method: 'GET', path: routes.download(id) });
  if (status === 200) return body;
  throw fromErrorPayload(JSON.parse(new TextDecoder().decode(body)) as ErrorPayload);
}

type Row = [string, string];

/** A card in a few lines. */
export function describeCard(card: BackboneCard): string {
  const { input } = card;
  const cut = card.cuts.find(({ name }) => name === card.defaultCut);
  const rows: Row[] = [
    ['hash', card.id.slice(0, 16)],
    ['network', `${card.architecture}, ${card.origin}${card.method === '' ? '' : ` (${card.method})`}`],
    ['size', `${millions(card.parameters)} parameters, ${formatBytes(card.sizeBytes)}`],
    ['input', `${input.widthPx} x ${input.heightPx} px ${input.channelOrder}, ${input.layout}`],
    [
      'features',
      `${cut?.featureDim ?? '?'} at ${card.defaultCut}; cuts: ${card.cuts.map(({ name }) => name).join(', ')}`,
    ],
    ['licence', card.licence === '' ? 'not stated' : card.licence],
    ...(card.assumed.length === 0 ? [] : [['to confirm', card.assumed.join(', ')] as Row]),
  ];
  return `${card.name}${card.builtIn ? ' (built in)' : ''}\n${formatTable(rows).replace(/^/gm, '  ')}`;
}

/** Everything a card says, with a table of its cuts. */
export function describeInFull(card: BackboneCard): string {
  const { input, trainedMpp } = card;
  const rows: Row[] = [
    ['SHA-256', card.id],
    ...(card.file === undefined ? [] : [['from file', `${card.file.name}, SHA-256 ${card.file.sha256}`] as Row]),
    ['source', card.source === '' ? 'not stated' : card.source],
    ['trained at', trainedMpp === null ? 'not stated' : `${trainedMpp} µm per pixel`],
    ['resized', resizeText(input)],
    ['normalised', `(pixel x ${input.scale} - [${input.mean.join(', ')}]) / [${input.std.join(', ')}]`],
  ];
  const cells = card.cuts.map((cut) => [
    `${cut.name}${cut.name === card.defaultCut ? ' (default)' : ''}`,
    String(cut.featureDim),
    cut.pooling,
    millions(cut.cumulativeParameters),
    `${(cut.cumulativeFlops / 1e9).toFixed(3)} G`,
  ]);
  const table = alignColumns([['cut', 'features', 'pooling', 'parameters', 'FLOPs a tile'], ...cells]);
  return `${describeCard(card)}\n${`${formatTable(rows)}\n\n${table}`.replace(/^(?=.)/gm, '  ')}`;
}

/** Rows of text cells as columns; the last one as long as it is. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(3)} M`;
}
