import type { CkaMatrix, FineTuneChange } from '../../../src-shared/model/comparison.ts';
import type { TunedChange } from '../../../src-shared/model/study.ts';
import { heatSvg } from './heat-svg.ts';

const SOURCE =
  'CKA(K, L) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)): Kornblith et al. 2019; unbiased HSIC_1 summed over batches: Nguyen et al. 2021.';

/** Every matrix of a CKA as a figure of its own, by what it is called in file names. */
export function ckaFigures(cka: CkaMatrix): readonly (readonly [string, string])[] {
  const { layers, images, biased, unbiased, rbf } = cka;
  const figure = (kernel: string, estimator: string, values: readonly (readonly number[])[]) =>
    heatSvg({
      title: `${kernel} CKA, ${estimator}, on ${images} images`,
      ...{ rows: layers, columns: layers, values, notes: [ckaNote(cka), SOURCE] },
    });
  const gaussian = rbf === undefined ? '' : `Gaussian (${rbf.threshold} x median distance)`;
  return [
    ['cka', figure('Linear', 'unbiased', unbiased)],
    ['cka-linear-biased', figure('Linear', 'biased', biased)],
    ...(rbf === undefined
      ? []
      : ([
          ['cka-rbf', figure(gaussian, 'unbiased', rbf.unbiased)],
          ['cka-rbf-biased', figure(gaussian, 'biased', rbf.biased)],
        ] as const)),
  ];
}

/** Every cut before and after fine-tuning: three kinds of CKA, 1 = the cut did not move. */
export function fineTuneSvg({ before, after, cuts }: FineTuneChange, cka: CkaMatrix): string {
  return heatSvg({
    title: `CKA of ${after} with ${before}, cut by cut`,
    rows: cuts.map(({ cut }) => cut),
    columns: ['linear, unbiased', 'linear, biased', 'Gaussian, unbiased'],
    values: cuts.map(({ biased, unbiased, rbf }) => [unbiased, biased, rbf]),
    notes: [`On ${cka.images} images; 1 = fine-tuning did not move the cut.`, ckaNote(cka), SOURCE],
  });
}

/** Every cut before (rows) against every cut after fine-tuning (columns). */
export function tunedSvg({ change, cka, testSlides }: TunedChange): string {
  const cuts = change.cuts.map(({ cut }) => cut);
  const place = (backbone: string, cut: string): number => cka.layers.indexOf(`${backbone}@${cut}`);
  const values = cuts.map((row) =>
    cuts.map((column) => cka.unbiased[place(change.before, row)]?.[place(change.after, column)] ?? Number.NaN),
  );
  return heatSvg({
    title: `Linear CKA, unbiased: ${change.before} before (rows) and after fine-tuning (columns)`,
    ...{ rows: cuts, columns: cuts, values },
    notes: [`${cka.images} tiles spread evenly over ${testSlides} test slides; 1 = the cut did not move.`, SOURCE],
  });
}

function ckaNote({ images, batch }: CkaMatrix): string {
  if (batch === undefined || images <= batch) return `All ${images} images in one batch, drawn with seed 1.`;
  return `${images} images, drawn with seed 1, in batches of at most ${batch}: HSIC is summed over them, divided once.`;
}
