import sharp from 'sharp';
import type { ExportedFile } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { encoderOf } from '../../../src-shared/model/feature-bag.ts';
import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { Study, StudyOutcome } from '../../../src-shared/model/study.ts';
import { featureMaker } from '../../../src-shared/model/study-facts.ts';
import { tunedSvg } from '../compare/cka-svg.ts';
import { csvLine } from '../interop/csv.ts';
import type { Store } from '../store/store.ts';
import type { BackboneService } from './backbones.ts';
import type { Exports } from './exports.ts';
import type { StudyService } from './study-service.ts';
import { HYALINE_VERSION, NOTICE } from './versions.ts';

export interface StudyReportParts {
  readonly store: Store;
  readonly exportsKept: Exports;
  readonly backbones: Pick<BackboneService, 'list'>;
  readonly studies: Pick<StudyService, 'askedSlides'>;
}

/** A trained study as files. */
export class StudyReportService {
  readonly #parts: StudyReportParts;

  constructor(parts: StudyReportParts) {
    this.#parts = parts;
  }

  /** See EngineApi.exportStudy. Throws NotFound, InvalidRequest (not trained, no such format), DiskFull. */
  async export(id: StudyId, format: 'pdf' | 'csv' | 'json' | 'cka-svg' | 'cka-png'): Promise<ExportedFile> {
    const { store, exportsKept, backbones } = this.#parts;
    const study = await store.getStudy(id);
    if (study === null) throw new AppError('NotFound', 'This study no longer exists.');
    const { outcome } = study;
    if (outcome === null) {
      throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Train it first.' });
    }
    const trained = { ...study, outcome };
    const name = `hyaline-study-${id.slice(0, 8)}`;
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    if (format === 'csv') return await exportsKept.add(`${name}.csv`, 'text/csv', bytes(predictionsCsv(trained)));
    if (format === 'json') {
      const text = JSON.stringify({ notice: NOTICE, hyaline: HYALINE_VERSION, ...trained }, null, 2);
      return await exportsKept.add(`${name}.json`, 'application/json', bytes(`${text}\n`));
    }
    if (format === 'cka-svg' || format === 'cka-png') {
      if (outcome.tunedChange === undefined) {
        throw new AppError('InvalidRequest', 'This study does not come of a fine-tuning.');
      }
      const svg = tunedSvg(outcome.tunedChange);
      if (format === 'cka-svg') return await exportsKept.add(`${name}-cka.svg`, 'image/svg+xml', bytes(svg));
      const png = await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
      return await exportsKept.add(`${name}-cka.png`, 'image/png', png);
    }
    if (format !== 'pdf') throw new AppError('InvalidRequest', 'A study is exported as pdf, csv or json.');
    const { renderStudyReport } = await import('../report/study-report.ts');
    const card = (await backbones.list()).find((each) => each.id === study.plan.backboneId) ?? null;
    const pdf = await renderStudyReport({
      study: trained,
      asked: await this.#parts.studies.askedSlides(id),
      maker: featureMaker(study.plan, card, await encoderOfRun(store, trained)),
      ...{ createdAtMs: Date.now(), appVersion: HYALINE_VERSION, notice: NOTICE },
    });
    return await exportsKept.add(`${name}.pdf`, 'application/pdf', pdf);
  }
}

/** What made the features of a study, as its runs say. */
async function encoderOfRun(store: Store, { outcome }: { readonly outcome: StudyOutcome }): Promise<string | null> {
  const [first] = outcome.predictions;
  const run = first === undefined ? null : await store.getRun(first.runId);
  return run === null ? null : (encoderOf(run.backboneName) ?? run.backboneName);
}

/** One line for each judgement: a slide once for each split that tested it, then external validations. */
export function predictionsCsv({ plan, outcome }: Study & { readonly outcome: StudyOutcome }): string {
  const { classes } = outcome;
  const rows = new Map(plan.rows.map((row) => [row.slideId, row]));
  const others = [...new Set(plan.rows.flatMap(({ columns }) => Object.keys(columns ?? {})))];
  const header = [
    ...['slide_id', 'case_id', 'site', 'label', 'split', 'called'],
    ...classes.map((name) => `p_${name}`),
    ...classes.map((name) => `seed_sd_${name}`),
    ...['fingerprint', 'external_study'],
    ...others,
  ];
  const lines = outcome.predictions.map(({ slideId, fold, probabilities, spread }) => {
    const row = rows.get(slideId);
    return [
      ...[row?.slideName ?? '', plan.patientsUnknown ? '' : (row?.patient ?? ''), row?.site ?? '', row?.label ?? ''],
      ...[fold + 1, classes[probabilities.indexOf(Math.max(...probabilities))] ?? ''],
      ...probabilities,
      ...classes.map((_, c) => spread[c] ?? ''),
      ...[slideId, ''],
      ...others.map((name) => row?.columns?.[name] ?? ''),
    ];
  });
  const external = outcome.external.flatMap(({ studyName, predictions }) =>
    predictions.map(({ slideId, probabilities, spread }) => [
      ...['', '', '', '', ''],
      classes[probabilities.indexOf(Math.max(...probabilities))] ?? '',
      ...probabilities,
      ...classes.map((_, c) => spread[c] ?? ''),
      ...[slideId, studyName],
      ...others.map(() => ''),
    ]),
  );
  return `${[header, ...lines, ...external].map(csvLine).join('\r\n')}\r\n`;
}
