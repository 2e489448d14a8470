import type { ComparedChoice } from '../../../src-shared/model/comparison-record.ts';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import type { Study, StudyFigure } from '../../../src-shared/model/study.ts';

/** Trained studies of the same slides and labels, by what their heads were trained on. */
export interface SlideStudies {
  /** Of the newest one. */
  readonly name: string;
  readonly slides: number;
  /** The newest of each backbone and cut. */
  readonly byFeatures: ReadonlyMap<string, Study>;
}

/** Names features in `SlideStudies`. */
export const featuresKey = (backboneId: BackboneId, cut: string): string => `${backboneId} ${cut}`;

/**
 * What attention pooling on slides reaches with the backbones of a comparison: trained studies, those of the same slides,
 * labels and kind of head together, so that their figures may stand in one column; the largest group first.
 * @param list newest first.
 * @param defaultCut of a backbone: what a study without a named cut used.
 */
export function slideStudies(
  list: readonly Study[],
  compared: readonly Pick<ComparedChoice, 'backboneId'>[],
  defaultCut: (id: BackboneId) => string | null,
): readonly SlideStudies[] {
  const ids = new Set(compared.map(({ backboneId }) => backboneId));
  const groups = new Map<string, { name: string; slides: number; byFeatures: Map<string, Study> }>();
  for (const study of list) {
    const { plan, outcome } = study;
    const cut = plan.cut ?? defaultCut(plan.backboneId);
    if (outcome === null || cut === null || !ids.has(plan.backboneId)) continue;
    const key = groupKey(study);
    const group = groups.get(key) ?? { name: plan.name, slides: plan.rows.length, byFeatures: new Map() };
    const features = featuresKey(plan.backboneId, cut);
    if (!group.byFeatures.has(features)) group.byFeatures.set(features, study);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.byFeatures.size - a.byFeatures.size);
}

/** True where every cut of a backbone can be trained as this study: it has splits, and its features come from its slides. */
export function canTruncate({ plan }: Pick<Study, 'plan'>): boolean {
  return plan.splitting.kind !== 'none' && plan.rows.every(({ runId }) => runId === null);
}

/** AUC where there is one, else the first figure. */
export function headFigure({ outcome }: Study): StudyFigure | null {
  return outcome?.figures.find(({ name }) => name === 'AUC') ?? outcome?.figures[0] ?? null;
}

function groupKey({ plan }: Study): string {
  const rows = plan.rows.map(({ slideId, label }) => `${slideId} ${label}`).sort();
  return JSON.stringify([plan.pooling, plan.gated, plan.splitSeed, rows]);
}
