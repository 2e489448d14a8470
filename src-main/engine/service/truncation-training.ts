import { AppError } from '../../../src-shared/errors.ts';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { CutStudy } from '../../../src-shared/model/comparison-record.ts';
import type { Study, StudyPlan } from '../../../src-shared/model/study.ts';
import type { TruncationStudy } from '../../../src-shared/model/truncation.ts';
import type { CompareBackbone } from '../compare/contenders.ts';
import { truncationStudy } from '../compare/truncation.ts';
import type { ExtractionService } from '../extract/extraction-service.ts';
import type { JobContext } from '../job/queue.ts';
import type { Store } from '../store/store.ts';
import { auditOf, trainingPlan } from './study-plan.ts';
import type { StudyService } from './study-service.ts';

export interface TruncationTrainingParts {
  readonly store: Pick<Store, 'getStudy' | 'getRun'>;
  readonly studies: Pick<StudyService, 'create' | 'finish' | 'get'>;
  readonly extraction: Pick<ExtractionService, 'extractNow'>;
}

export interface TrainedCuts {
  /** By backbone, then by cut. */
  readonly studies: readonly (readonly Study[])[];
  /** Mean over the slides. */
  readonly tilesPerSlide: number;
}

/** Throws InvalidRequest where cuts cannot be trained as this study is: nothing to split, or features made elsewhere. */
export function checkTruncatable(plan: StudyPlan): void {
  trainingPlan(plan);
  auditOf(plan);
  if (plan.rows.some(({ runId }) => runId !== null)) {
    throw new AppError('InvalidRequest', `The study ${plan.name} uses features that were imported.`, {
      advice: 'Choose a study whose features Hyaline computes from the slides: each cut needs its own.',
    });
  }
}

/**
 * Trains heads on every cut of some backbones, on the slides, tiles, splits and settings of one plan. Features of all
 * cuts of a backbone come out of one pass over each slide. Runs, heads and whole studies that are stored are not made
 * again, so that a job which was cut off goes on.
 *
 * @param known studies of an earlier attempt.
 * @param onStudy told of every study before it is trained, so that it can be kept.
 * @throws AppError as extraction and training; Cancelled.
 */
export async function trainEveryCut(
  { store, studies, extraction }: TruncationTrainingParts,
  { plan, name, backbones }: { plan: StudyPlan; name: string; backbones: readonly CompareBackbone[] },
  known: readonly CutStudy[],
  onStudy: (study: CutStudy) => Promise<void>,
  context: JobContext,
): Promise<TrainedCuts> {
  const trained: Study[][] = [];
  for (const { card, cuts } of backbones) {
    const targets = cuts.map((cut) => ({ backboneId: card.id, cut: cut.name }));
    for (const [i, { slideId, slideName }] of plan.rows.entries()) {
      const stage = `${card.name}: features of slide ${i + 1} of ${plan.rows.length}`;
      const report: JobContext['report'] = (progress) => context.report({ ...progress, stage });
      await extraction.extractNow(slideId, targets, plan, { ...context, report }).catch((error: unknown) => {
        throw named(error, slideName);
      });
    }
    const own: Study[] = [];
    for (const [c, cut] of cuts.entries()) {
      const title = `${card.name} at ${cut.name}, cut ${c + 1} of ${cuts.length}`;
      const earlier = known.find((it) => it.backboneId === card.id && it.cut === cut.name);
      let study = earlier === undefined ? null : await store.getStudy(earlier.studyId);
      if (study === null) {
        const of = { ...plan, name: `${name}: ${card.name} at ${cut.name}`, backboneId: card.id, cut: cut.name };
        study = await studies.create(of);
        await onStudy({ backboneId: card.id, cut: cut.name, studyId: study.id });
      }
      if (study.outcome === null) {
        const report: JobContext['report'] = (progress) => context.report({ ...progress, stage: title });
        await studies.finish(study.id, { ...context, report });
      }
      own.push(await studies.get(study.id));
    }
    trained.push(own);
  }
  return { studies: trained, tilesPerSlide: await meanTiles(store, trained[0]?.[0]) };
}

/** Says which of many slides it was. */
function named(error: unknown, slideName: string): unknown {
  if (!(error instanceof AppError) || error.code === 'Cancelled' || slideName === '') return error;
  const { advice, detail } = error;
  return new AppError(error.code, `${slideName}: ${error.message}`, {
    ...(advice === undefined ? {} : { advice }),
    ...(detail === undefined ? {} : { detail }),
    cause: error,
  });
}

/** Of the slides of a study, each counted once however often it was tested. */
async function meanTiles(store: Pick<Store, 'getRun'>, study: Study | undefined): Promise<number> {
  const runIds = new Set((study?.outcome?.predictions ?? []).map(({ runId }) => runId));
  let tiles = 0;
  for (const id of runIds) tiles += (await store.getRun(id))?.tileCount ?? 0;
  return runIds.size === 0 ? 0 : tiles / runIds.size;
}

/** Slides and patches in one table; what a tile costs was measured with the patches. */
export function truncationOf(
  backbones: readonly CompareBackbone[],
  { studies, tilesPerSlide }: TrainedCuts,
  compared: Comparison,
): TruncationStudy {
  const measured = compared.tasks[0]?.backbones ?? [];
  const truncated = backbones.map((backbone, b) => ({
    backbone,
    msPerTile: backbone.cuts.map(({ name }) => {
      return measured[b]?.cuts.find(({ cut }) => cut === name)?.msPerImage ?? Number.NaN;
    }),
    studies: studies[b] ?? [],
  }));
  return truncationStudy(truncated, tilesPerSlide, compared);
}
