import type { BackboneScore, MapRobustness, RobustnessCurve } from '../../../src-shared/model/comparison.ts';
import type { ReadyRequest } from './compare-request.ts';
import type { Bench, PartedTask } from './network-scores.ts';
import { mapRobustness, robustnessCurve } from './robustness.ts';

/** Every backbone at the cut it chose most often in training. */
export async function robustnessOf(
  { bench: given, probe, standardise, backbones, robustnessImages }: ReadyRequest,
  parted: PartedTask | undefined,
  scores: readonly BackboneScore[],
): Promise<readonly RobustnessCurve[]> {
  if (robustnessImages === 0 || parted === undefined) return [];
  const bench: Bench = { ...given, settings: { kind: probe, standardise } };
  const curves: RobustnessCurve[] = [];
  for (const [b, backbone] of backbones.entries()) {
    const times = scores[b]?.timesChosen ?? {};
    const [first, ...others] = backbone.cuts;
    if (first === undefined) continue;
    const cut = others.reduce((top, it) => ((times[it.name] ?? 0) > (times[top.name] ?? 0) ? it : top), first);
    const curve = await robustnessCurve(bench, backbone, cut, parted, robustnessImages);
    if (curve !== null) curves.push(curve);
  }
  return curves;
}

/** Every backbone at its last cut: what a map is made of where none is chosen. */
export async function mapsOf({
  bench: given,
  probe,
  standardise,
  backbones,
  slides = [],
}: ReadyRequest): Promise<MapRobustness[]> {
  const bench: Bench = { ...given, settings: { kind: probe, standardise } };
  const maps: MapRobustness[] = [];
  for (const slide of slides) {
    for (const backbone of backbones) {
      const cut = backbone.cuts.at(-1);
      if (cut !== undefined) maps.push(await mapRobustness(bench, backbone, cut, slide));
    }
  }
  return maps;
}
