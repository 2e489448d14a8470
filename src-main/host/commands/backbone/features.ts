import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import { refusedText } from '../../../../src-shared/model/input-text.ts';
import { backbonePath } from '../../../engine/backbone/registry.ts';
import type { Engine } from '../../../engine/engine.ts';
import { type ChosenDevice, deviceLabel } from '../../../engine/infer/device.ts';
import { graphCacheFolder } from '../../../engine/infer/graph-cache.ts';
import type { ProviderName } from '../../../engine/infer/protocol.ts';
import { outputPath, writeOutput } from '../../output-file.ts';
import { storeFolder } from '../../store-folder.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { chooseCut, type StoreOptions, withEngine } from './shared.ts';

interface Options extends StoreOptions {
  readonly out: string;
  readonly force: boolean;
  readonly device?: ProviderName;
}

const DEVICES: readonly ProviderName[] = ['cuda', 'dml', 'coreml', 'webgpu', 'cpu'];

export function featuresCommand(finish: Finish): Command {
  const command = newCommand('features', "features of whole images, through the card's preprocessing")
    .argument('<name[@cut]>', 'a backbone, perhaps with a cut (default: its default cut)')
    .argument('<images...>', 'JPEG, PNG, TIFF or WebP files; resized and cropped as the card says')
    .requiredOption('--out <file.csv>', 'file to write: a row an image, its path first')
    .addOption(new Option('--device <name>', 'where it runs (default: the best device that works)').choices(DEVICES))
    .option('--force', 'replace a file of this name', false)
    .option(...STORE_OPTION);
  return runs<Options>(command, finish, (options, terminal, [named = '', ...images]) => {
    const path = outputPath(options.out, ['.csv'], options.force);
    return withEngine(options, async (engine) => {
      const { card, cut } = await chooseCut(engine, named);
      const { imageFeatures } = await import('../../../engine/infer/image-features.ts');
      const modelPath = backbonePath(join(storeFolder(options.store), 'backbones'), card.id);
      const graphCache = graphCacheFolder(storeFolder(options.store));
      const bar = terminal.progress('Features');
      const onProgress = (done: number, total: number): void => {
        bar.update({ stage: card.name, done, total, unit: 'images', perSecond: null, secondsLeft: null });
      };
      const device = await deviceFor(engine, card, options.device ?? null);
      const { provider } = device;
      const rows = await imageFeatures({ modelPath, card, cut, images, provider, graphCache, onProgress }).finally(() =>
        bar.stop(),
      );
      await writeOutput(path, featureCsv(images, rows, cut.featureDim));
      const said = {
        device: device.status.name,
        refused: device.status.refused,
        backbone: card.name,
        cut: cut.name,
        featureDim: cut.featureDim,
        images: images.length,
      };
      terminal.printJson({ file: path, ...said });
      terminal.print(`${path}: ${images.length} x ${cut.featureDim} features of ${card.name}@${cut.name}`);
      terminal.note(`Computed on ${device.status.name}. ${refusedText(device.status.refused)}`.trim());
    });
  });
}

/** The device to use, tested with this backbone. Throws DeviceFailed where the one asked for cannot be used. */
async function deviceFor(engine: Engine, card: BackboneCard, wanted: ProviderName | null): Promise<ChosenDevice> {
  const device = await engine.chooseDevice(card.id, wanted);
  if (wanted === null || device.provider === wanted) return device;
  throw new AppError('DeviceFailed', `${deviceLabel(wanted)} cannot be used here.`, {
    advice: 'Leave out --device, or see: hyaline backbone devices',
    detail: refusedText(device.status.refused),
  });
}

/** `image,f0,f1,…` with nine digits a value: reading them back gives the same 32-bit floats. */
function featureCsv(images: readonly string[], rows: readonly Float32Array[], dim: number): string {
  const header = ['image', ...Array.from({ length: dim }, (_, i) => `f${i}`)].join(',');
  const lines = rows.map((row, i) => {
    const values = Array.from(row, (value) => String(Number(value.toPrecision(9))));
    return [quoted(images[i] ?? ''), ...values].join(',');
  });
  return `${[header, ...lines].join('\n')}\n`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
