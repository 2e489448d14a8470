import type { MapSpec } from '../../../src-shared/model/map.ts';

/** A map the report may show, as a line to tick. */
export interface ReportMap {
  readonly label: string;
  readonly spec: MapSpec;
}

const ATTENTION_LABELS = {
  attention: 'Attention of the study on screen',
  percentile: 'Attention of the study on screen, percentile',
  agreement: 'Disagreement of the heads of the study on screen',
  contribution: 'What tiles add for the class on screen, by the study on screen',
} as const;

/** PCA and clusters always; similarity and attention only when they are on screen. */
export function reportMaps(shown: MapSpec): readonly ReportMap[] {
  const clusters: MapSpec = shown.kind === 'clusters' ? shown : { kind: 'clusters', k: 5, seed: 1 };
  return [
    { label: 'PCA of the features', spec: { kind: 'pca' } },
    { label: `Clusters (k = ${clusters.k})`, spec: clusters },
    ...(shown.kind === 'similarity'
      ? [{ label: 'Similarity to the chosen tile, with its top tiles', spec: shown }]
      : []),
    ...(shown.kind === 'attention' ? [{ label: ATTENTION_LABELS[shown.view], spec: shown }] : []),
  ];
}

/** The maps whose values go into the table of tiles. */
export function csvMaps(shown: MapSpec): readonly MapSpec[] {
  return reportMaps(shown).map(({ spec }) => spec);
}

/** True for the same map, whatever object describes it. */
export function sameMap(a: MapSpec, b: MapSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
