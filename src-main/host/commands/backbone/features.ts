import { join } from 'node:path';
import type { Command } from 'commander';
import { backbonePath } from '../../../engine/backbone/registry.ts';
import { outputPath, writeOutput } from '../../output-file.ts';
import { storeFolder } from '../../store-folder.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { chooseCut, type StoreOptions, withEngine } from './shared.ts';

interface Options extends StoreOptions {
  readonly out: string;
  readonly force: boolean;
}

export function featuresCommand(finish: Finish): Command {
  const command = newCommand('features', "features of whole images, through the card's preprocessing, on the CPU")
    .argument('<name[@cut]>', 'a backbone, perhaps with a cut (default: its default cut)')
    .argument('<images...>', 'JPEG, PNG, TIFF or WebP files; resized and cropped as the card says')
    .requiredOption('--out <file.csv>', 'file to write: a row an image, its path first')
    .option('--force', 'replace a file of this name', false)
    .option(...STORE_OPTION);
  return runs<Options>(command, finish, (options, terminal, [named = '', ...images]) => {
    const path = outputPath(options.out, ['.csv'], options.force);
    return withEngine(options, async (engine) => {
      const { card, cut } = await chooseCut(engine, named);
      const { imageFeatures } = await import('../../../engine/infer/image-features.ts');
      const modelPath = backbonePath(join(storeFolder(options.store), 'backbones'), card.id);
      const bar = terminal.progress('Features');
      const onProgress = (done: number, total: number): void => {
        bar.update({ stage: card.name, done, total, perSecond: null, secondsLeft: null });
      };
      const rows = await imageFeatures({ modelPath, card, cut, images, onProgress }).finally(() => bar.stop());
      await writeOutput(path, featureCsv(images, rows, cut.featureDim));
      const said = { backbone: card.name, cut: cut.name, featureDim: cut.featureDim, images: images.length };
      terminal.printJson({ file: path, ...said });
      terminal.print(`${path}: ${images.length} x ${cut.featureDim} features of ${card.name}@${cut.name}`);
    });
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
