import { weighsTiles } from '../../src-shared/model/attention-view.ts';
import type { MapSpec } from '../../src-shared/model/map.ts';
import type { Study } from '../../src-shared/model/study.ts';

/** What one pane of a side by side shows; the place a similarity map asks about is the same for all panes. */
export type PaneChoice =
  | { readonly kind: 'similarity' }
  | { readonly kind: 'pca' }
  | Extract<MapSpec, { readonly kind: 'attention' }>;

/** A choice as a string, for a select. */
export function choiceKey(choice: PaneChoice): string {
  if (choice.kind !== 'attention') return choice.kind;
  const { studyId, view, classIndex } = choice;
  return JSON.stringify([studyId, view, classIndex]);
}

/** The choice of a key of `paneChoices`; similarity for any other string. */
export function parseChoice(key: string): PaneChoice {
  if (key === 'pca') return { kind: 'pca' };
  if (!key.startsWith('[')) return { kind: 'similarity' };
  const [studyId, view, classIndex] = JSON.parse(key) as [Attention['studyId'], Attention['view'], number | null];
  return { kind: 'attention', studyId, view, classIndex };
}

type Attention = Extract<PaneChoice, { kind: 'attention' }>;

/** Everything a pane may show of its run, studies that fit it newest first. */
export function paneChoices(fitting: readonly Pick<Study, 'id' | 'plan' | 'outcome'>[]) {
  const none: { readonly value: string; readonly label: string; readonly group?: string }[] = [
    { value: choiceKey({ kind: 'similarity' }), label: 'More like this' },
    { value: choiceKey({ kind: 'pca' }), label: 'Main directions' },
  ];
  const ofStudies = fitting.flatMap(({ id, plan, outcome }) => {
    const of = (label: string, view: Attention['view'], classIndex: number | null = null) => {
      return { value: choiceKey({ kind: 'attention', studyId: id, view, classIndex }), label, group: plan.name };
    };
    const classes = (outcome?.classes ?? []).map((name, c) => of(`Contribution to ${name}`, 'contribution', c));
    const weights = weighsTiles(plan.pooling) ? [of('Attention', 'attention')] : [];
    return [...weights, ...classes, of('Disagreement of the heads', 'agreement')];
  });
  return [...none, ...ofStudies];
}
