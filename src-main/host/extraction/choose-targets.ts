import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { ExtractionTarget } from '../../../src-shared/model/extraction.ts';
import type { Engine } from '../../engine/engine.ts';
import { chooseBackbone } from '../analysis/choose-backbone.ts';

/** A backbone and cut as the user names them: `resnet18`, `resnet18@layer3`, `net.onnx@features`. */
export interface NamedTarget {
  readonly backbone: string;
  readonly cut: string | null;
}

/** Reads `a,b@layer3`: names separated by commas, each perhaps with a cut behind the last `@`. */
export function parseTargets(text: string): readonly NamedTarget[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.lastIndexOf('@');
      return at <= 0 ? { backbone: part, cut: null } : { backbone: part.slice(0, at), cut: part.slice(at + 1) };
    });
}

/** The backbones named, model files registered on the way. @throws AppError as `chooseBackbone` */
export async function chooseTargets(engine: Engine, text: string): Promise<readonly ExtractionTarget[]> {
  const cards = new Map<string, BackboneCard>();
  const targets: ExtractionTarget[] = [];
  for (const { backbone, cut } of parseTargets(text)) {
    const card = cards.get(backbone) ?? (await chooseBackbone(engine, backbone));
    cards.set(backbone, card);
    targets.push({ backboneId: card.id, cut });
  }
  return targets;
}
