import pdfmake from 'pdfmake';
import type { Column, Content, TableCell } from 'pdfmake/interfaces.js';
import { ATTENTION_CAUTION } from '../../../src-shared/model/attention-view.ts';
import { TUNED_CONTROL } from '../../../src-shared/model/fine-tune.ts';
import type {
  AskedSlide,
  CheckCurve,
  ExternalValidation,
  Study,
  StudyFigure,
  StudyOutcome,
} from '../../../src-shared/model/study.ts';
import { type Fact, type FeatureMaker, studyFacts } from '../../../src-shared/model/study-facts.ts';
import { studyPlots } from '../../../src-shared/model/study-plots.ts';
import { describeDifferences } from '../../../src-shared/model/typicality.ts';
import type { CurvePoint } from '../../../src-shared/numeric/judgement-curves.ts';
import { BODY_FONT, isReportFont, REPORT_FONTS } from './fonts.ts';
import { bodyText, sectionTitle } from './report-sections.ts';
import { COLOUR, CONTENT_WIDTH, PAGE, SIZE } from './report-style.ts';
import { bodyTextMeasure, type TextMeasure, userText } from './report-text.ts';
import { dateText } from './wording.ts';

export interface StudyReportInput {
  readonly study: Study & { readonly outcome: StudyOutcome };
  /** Slides outside the study that its heads were asked about. */
  readonly asked: readonly AskedSlide[];
  /** What made its features. */
  readonly maker: FeatureMaker;
  readonly createdAtMs: number;
  readonly appVersion: string;
  readonly notice: string;
}

const PLOT = 156;
const SCOPE =
  'A study tells classes apart. Regression (a number for each slide) and survival analysis are out of its scope.';

pdfmake.setFonts(REPORT_FONTS);
pdfmake.setUrlAccessPolicy(() => false);
pdfmake.setLocalAccessPolicy(isReportFont);

/**
 * The report of a trained study as PDF (A4). A function of its input alone. Slides and patients are not named: their
 * names may identify people; the CSV of predictions has them.
 */
export async function renderStudyReport(input: StudyReportInput): Promise<Uint8Array> {
  const measure = await bodyTextMeasure();
  const { study, createdAtMs, appVersion, notice } = input;
  const date = new Date(createdAtMs);
  const content: Content[] = [
    title(input, measure),
    { text: notice, bold: true, margin: [0, 0, 0, 8] },
    bodyText(howToRead(study)),
    sectionTitle('Figures'),
    figureTable(study.outcome.figures),
    ...plots(study),
    ...mapChecks(study.outcome, study.plan.fineTuning !== undefined),
    ...study.outcome.external.flatMap((validation) => external(validation, measure)),
    ...askedSlides(input),
    sectionTitle('Split'),
    splitTable(study.outcome),
    sectionTitle('How it was made'),
    factTable(facts(input), measure),
  ];
  const pdf = await pdfmake
    .createPdf({
      content,
      pageSize: 'A4',
      pageMargins: [PAGE.marginX, PAGE.marginTop, PAGE.marginX, PAGE.marginBottom],
      defaultStyle: { font: BODY_FONT, fontSize: SIZE.body, color: COLOUR.ink },
      footer: (page, pages) => ({
        columns: [
          { text: notice, bold: true, width: '*' },
          { text: `Page ${page} of ${pages}`, width: 'auto' },
        ],
        fontSize: SIZE.small,
        color: COLOUR.quiet,
        margin: [PAGE.marginX, 18, PAGE.marginX, 0],
      }),
      version: '1.7',
      language: 'en',
      displayTitle: true,
      info: {
        ...{ title: 'Study report', subject: notice, creator: `Hyaline ${appVersion}` },
        ...{ producer: 'Hyaline, with pdfmake', creationDate: date, modDate: date },
      },
    })
    .getBuffer();
  return new Uint8Array(pdf);
}

function title({ study, createdAtMs, appVersion }: StudyReportInput, measure: TextMeasure): Content {
  return {
    stack: [
      userText(study.plan.name, { fontSize: SIZE.title, bold: true }, CONTENT_WIDTH, measure),
      {
        text: `Study report · ${dateText(createdAtMs)} · Hyaline ${appVersion}`,
        color: COLOUR.quiet,
        margin: [0, 3, 0, 0],
      },
      {
        canvas: [{ type: 'line', x1: 0, y1: 0, x2: CONTENT_WIDTH, y2: 0, lineWidth: 1.5, lineColor: COLOUR.accent }],
        margin: [0, 8, 0, 10],
      },
    ],
  };
}

function howToRead({ plan, outcome }: StudyReportInput['study']): string {
  const patients = plan.patientsUnknown
    ? 'No patients were named: intervals are optimistic, images treated as independent.'
    : 'No patient is in two parts of a split; intervals are 95 % bootstraps over patients.';
  const positive = outcome.positiveClass === null ? '' : ` The positive class is ${outcome.positiveClass}.`;
  return (
    'Heads were trained on one label for each slide, without drawn annotation. Every slide is judged by heads that never ' +
    `saw it. Values are means of the folds; scores of different folds are never pooled. ${patients} Patients ± and ` +
    `seeds ± are standard deviations over the bootstrap and over the seeds.${positive} Sensitivity and specificity are ` +
    'read at thresholds chosen on the validation parts. The calibration error (ECE) cannot fall below 0, so that few ' +
    `slides alone raise it: value and interval are corrected by the bootstrap's estimate of that. ${SCOPE}`
  );
}

const digits = (value: number | null): string => (value === null ? '–' : value.toFixed(3));
const head = (texts: readonly string[]): TableCell[] =>
  texts.map((text, i) => ({
    text,
    bold: true,
    fontSize: SIZE.small,
    color: COLOUR.quiet,
    alignment: i === 0 ? 'left' : 'right',
  }));
const LINES = {
  hLineWidth: (row: number) => (row === 0 ? 0 : 0.4),
  vLineWidth: () => 0,
  hLineColor: () => COLOUR.rule,
  paddingLeft: () => 0,
  paddingTop: () => 2.5,
  paddingBottom: () => 2.5,
};

function figureTable(figures: readonly StudyFigure[]): Content {
  const rows = figures.map(({ name, value, low, high, patientSd, seedSd }): TableCell[] => [
    name,
    { text: digits(value), bold: true, alignment: 'right' },
    { text: low === null ? '–' : `${digits(low)} to ${digits(high)}`, alignment: 'right' },
    { text: digits(patientSd), alignment: 'right' },
    { text: digits(seedSd), alignment: 'right' },
  ]);
  return {
    table: {
      headerRows: 1,
      widths: ['*', 55, 95, 60, 55],
      body: [head(['Figure', 'Value', '95 % interval', 'Patients ±', 'Seeds ±']), ...rows],
    },
    layout: LINES,
    margin: [0, 0, 0, 6],
  };
}

function plots(study: StudyReportInput['study']): Content[] {
  const { classes, positiveClass } = study.outcome;
  const of = positiveClass ?? classes[0] ?? '';
  const drawn = studyPlots(study, of);
  if (drawn === null) return [];
  const against = classes.length === 2 ? '' : ` of ${of} against the others`;
  const columns: Column[] = [
    plot(`ROC${against}`, '1 - specificity', 'Sensitivity', [...drawn.roc], drawn.meanRoc, true),
    plot(
      `Precision and recall${against}`,
      'Recall',
      'Precision',
      [...drawn.precisionRecall],
      drawn.meanPrecisionRecall,
      false,
    ),
    plot(`Reliability${against}`, 'Probability', 'Share of positives', [], drawn.reliability, true),
  ];
  const called = drawn.confusion.map((row, t): TableCell[] => [
    classes[t] ?? '',
    ...row.map((count): TableCell => ({ text: String(count), alignment: 'right' })),
  ]);
  return [
    { stack: [sectionTitle('Plots'), { columns, columnGap: 12 }], unbreakable: true },
    bodyText('Thin lines are folds, the thick one is their mean. Reliability is drawn in groups of equal size.'),
    {
      stack: [
        sectionTitle('Called against label'),
        {
          table: {
            headerRows: 1,
            widths: ['*', ...classes.map(() => 90)],
            body: [head(['Label', ...classes.map((name) => `called ${name}`)]), ...called],
          },
          layout: LINES,
        },
      ],
      unbreakable: true,
    },
  ];
}

function plot(
  name: string,
  x: string,
  y: string,
  thin: readonly (readonly CurvePoint[])[],
  thick: readonly CurvePoint[],
  diagonal: boolean,
): Column {
  return {
    width: PLOT,
    stack: [
      { text: name, bold: true, fontSize: SIZE.small, margin: [0, 0, 0, 3] },
      { svg: plotSvg(thin, thick, diagonal), width: PLOT },
      { text: `${x} → · ${y} ↑, 0 to 1`, fontSize: SIZE.tiny, color: COLOUR.quiet },
    ],
  };
}

function plotSvg(thin: readonly (readonly CurvePoint[])[], thick: readonly CurvePoint[], diagonal: boolean): string {
  const at = ({ x, y }: CurvePoint): string => `${(2 + 96 * x).toFixed(2)},${(98 - 96 * y).toFixed(2)}`;
  const line = (points: readonly CurvePoint[], colour: string, width: number): string =>
    points.length === 0
      ? ''
      : `<polyline points="${points.map(at).join(' ')}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
  const guide = diagonal
    ? `<line x1="2" y1="98" x2="98" y2="2" stroke="${COLOUR.rule}" stroke-width="0.6" stroke-dasharray="2 2"/>`
    : '';
  // A group of slides each: a line of few points needs them seen.
  const dots =
    thin.length > 0
      ? ''
      : thick
          .map(
            (point) =>
              `<circle cx="${at(point).split(',')[0]}" cy="${at(point).split(',')[1]}" r="1.6" fill="${COLOUR.accent}"/>`,
          )
          .join('');
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="156" height="156">' +
    `<rect x="2" y="2" width="96" height="96" fill="none" stroke="${COLOUR.rule}" stroke-width="0.6"/>${guide}` +
    `${thin.map((points) => line(points, COLOUR.rule, 0.8)).join('')}${line(thick, COLOUR.accent, 1.4)}${dots}</svg>`
  );
}

function mapChecks({ checks }: StudyOutcome, tuned: boolean): Content[] {
  if (checks === null) return [];
  const curve = (name: string, { probability }: CheckCurve): TableCell[] => [
    name,
    ...probability.map((p): TableCell => ({ text: p.toFixed(2), alignment: 'right' })),
  ];
  const { shuffled, seedAgreement } = checks;
  const ranks =
    seedAgreement === null
      ? 'There is one seed only: agreement across seeds is not known.'
      : `Attention of two seeds of a fold agrees with a rank correlation of ${seedAgreement.toFixed(2)} (1 = the same order of tiles).`;
  const control =
    shuffled === null
      ? ''
      : ` Heads trained on shuffled labels (${shuffled.heads}, AUC ${digits(shuffled.auc)}) weigh tiles with a rank correlation of ${shuffled.agreement.toFixed(2)} to the study's: the nearer to 1, the less the maps depend on the labels.${tuned ? ` ${TUNED_CONTROL}` : ''}`;
  return [
    sectionTitle('What speaks for and against its maps'),
    bodyText(`${ATTENTION_CAUTION} ${ranks}${control} Means over ${checks.slides} test slides.`),
    {
      table: {
        headerRows: 1,
        widths: ['*', ...checks.deletion.share.map(() => 28)],
        body: [
          head(['Probability with tiles', ...checks.deletion.share.map((share) => `${Math.round(share * 100)} %`)]),
          curve('most weighed taken away', checks.deletion),
          curve('random ones taken away', checks.randomDeletion),
          ...(shuffled === null ? [] : [curve("shuffled labels' most weighed away", shuffled.deletion)]),
          curve('only the most weighed kept', checks.insertion),
        ],
      },
      layout: LINES,
      fontSize: SIZE.small,
    },
  ];
}

function external(validation: ExternalValidation, measure: TextMeasure): Content[] {
  const { studyName, slides, patients, patientsUnknown, threshold, unlike, headsSha256 } = validation;
  const who = patientsUnknown ? 'no patients named (optimistic)' : `${patients} patients`;
  return [
    sectionTitle('External validation'),
    userText(`On ${studyName}`, { fontSize: SIZE.body, bold: true }, CONTENT_WIDTH, measure),
    bodyText(
      `${slides} slides, ${who}, none of them in this study. Heads ${headsSha256.slice(0, 16)} were locked; nothing was ` +
        `trained or chosen here${threshold === null ? '' : `; threshold ${threshold.toFixed(3)} from the study`}. ` +
        (unlike === null ? '' : `${unlike} of the slides lie outside the training data.`),
    ),
    figureTable(validation.figures),
  ];
}

/** Slides are told by the beginning of their fingerprint, which the application shows where names are masked. */
function askedSlides({ asked, study }: StudyReportInput): Content[] {
  if (asked.length === 0) return [];
  const { classes } = study.outcome;
  const rows = asked.map(({ features, prediction }): TableCell[] => {
    const { probabilities, spread, lowest, highest, heads, seen, typicality } = prediction;
    const called = probabilities.indexOf(Math.max(...probabilities));
    const of = (values: readonly number[]): number | null => values[called] ?? null;
    const like =
      typicality === null
        ? 'too few training slides to say'
        : `${typicality.unlike ? `OUTSIDE, in ${describeDifferences(typicality)}` : 'like it'}: ${typicality.distance.toFixed(2)}, limit ${typicality.threshold.toFixed(2)}`;
    return [
      `Slide ${features.slideId.slice(0, 8)}`,
      `${classes[called] ?? ''}${seen === 'unseen' ? '' : ' (backbone was tuned on it or its patient: no honest prediction)'}`,
      { text: `${digits(of(probabilities))} ± ${digits(of(spread))}`, alignment: 'right' },
      { text: `${digits(of(lowest))} to ${digits(of(highest))}`, alignment: 'right' },
      { text: String(heads), alignment: 'right' },
      { text: like, bold: typicality?.unlike ?? false, margin: [8, 0, 0, 0] },
    ];
  });
  const header = [...head(['Slide']), 'Called', ...head(['', 'P of it', 'Range', 'Heads']).slice(1), 'Training data'];
  return [
    sectionTitle('Other slides its heads were asked about'),
    bodyText(
      'None of them is of the study. ± is the standard deviation over the heads, the range theirs. A slide outside the training ' +
        'data is unlike those the heads learned from: do not rely on its prediction.',
    ),
    {
      table: {
        headerRows: 1,
        widths: [64, 64, 76, 76, 30, '*'],
        body: [
          header.map((cell) =>
            typeof cell === 'string'
              ? {
                  text: cell,
                  bold: true,
                  fontSize: SIZE.small,
                  color: COLOUR.quiet,
                  margin: cell === 'Called' ? 0 : [8, 0, 0, 0],
                }
              : cell,
          ),
          ...rows,
        ],
      },
      layout: LINES,
      fontSize: SIZE.small,
    },
  ];
}

function splitTable({ audits }: StudyOutcome): Content {
  const part = ({ slides, patients, sites, labels }: StudyOutcome['audits'][number]['train']): string => {
    const classes = Object.entries(labels).map(([label, count]) => `${label} ${count}`);
    const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
    const ofSites = sites > 0 ? `, ${counted(sites, 'site')}` : '';
    return `${counted(slides, 'slide')}, ${counted(patients, 'patient')}${ofSites}: ${classes.join(', ')}`;
  };
  return {
    table: {
      headerRows: 1,
      widths: [30, '*', '*', '*'],
      body: [
        ['Split', 'Training', 'Validation', 'Test'].map((text) => ({ text, bold: true, color: COLOUR.quiet })),
        ...audits.map(({ train, validation, test }, i) => [String(i + 1), part(train), part(validation), part(test)]),
      ],
    },
    layout: LINES,
    fontSize: SIZE.small,
  };
}

function facts({ study, maker }: StudyReportInput): readonly Fact[] {
  const { plan, outcome } = study;
  return [
    ['Slides', `${plan.rows.length}; classes ${outcome.classes.join(', ')}`],
    ...studyFacts(study, maker),
    ['Features', `${outcome.featureDim} a tile; backbone ${plan.backboneId.slice(0, 16)}…`],
    ['Study', `${study.id}, trained ${dateText(outcome.finishedAtMs)}`],
  ];
}

function factTable(rows: readonly (readonly [string, string])[], measure: TextMeasure): Content {
  return {
    table: {
      widths: [84, '*'],
      body: rows.map(([what, value]): TableCell[] => [
        { text: what, color: COLOUR.quiet, fontSize: SIZE.small },
        userText(value, { fontSize: SIZE.small }, CONTENT_WIDTH - 96, measure) as TableCell,
      ]),
    },
    layout: LINES,
  };
}
