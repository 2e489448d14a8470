import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import { TRAINING_PRESETS, trainingPreset } from '../../../../src-shared/model/training-preset.ts';
import type { CompareBackbone } from '../../../engine/compare/contenders.ts';
import type { ProofRecipe } from '../../../engine/proof/recipes.ts';
import { chooseBackbone } from '../../analysis/choose-backbone.ts';
import { openEngine } from '../../open-engine.ts';
import { storeFolder } from '../../store-folder.ts';
import { numberWithin } from '../command.ts';
import { splitCut } from '../compare-names.ts';

/** The built-in network of random weights: always there beside the backbones named. */
export const CONTROL_BACKBONE = 'random-resnet18';

const PUBLISHED = 'histotransfer';

/** Trainings that may be chosen between: all but the published one, which is always there for comparison. */
export const CANDIDATE_NAMES: readonly string[] = TRAINING_PRESETS.map(({ name }) => name).filter(
  (name) => name !== PUBLISHED,
);

/** The published training, the controls and the candidates named. @throws AppError InvalidRequest for an unknown one. */
export async function proofRecipes(candidates: readonly string[]): Promise<readonly ProofRecipe[]> {
  const { FIXED_RECIPES } = await import('../../../engine/proof/recipes.ts');
  const chosen = candidates.map((name): ProofRecipe => {
    const preset = trainingPreset(name);
    if (preset !== null && CANDIDATE_NAMES.includes(name))
      return { name, role: 'candidate', settings: preset.settings };
    throw new AppError('InvalidRequest', `There is no training ${name} to choose.`, {
      advice: `Give some of ${CANDIDATE_NAMES.join(', ')}.`,
    });
  });
  return [...FIXED_RECIPES, ...chosen];
}

/** Collects an option that may be repeated. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function list(text: string): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === '')) throw new InvalidArgumentError('It has an empty part between commas.');
  return parts;
}

export function seedList(text: string): readonly number[] {
  const numbers = list(text).map(numberWithin(0, 2 ** 31 - 1, 'integer'));
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError('A seed occurs twice.');
  return numbers;
}

/**
 * The backbones named (`name` or `name@cut`), one cut each, and the control. Files are registered on the way.
 *
 * @throws AppError NotFound; InvalidRequest where several cuts are named.
 */
export async function chooseProofBackbones(
  names: readonly string[],
  { store, threads, control = true }: { readonly store?: string; readonly threads: number; readonly control?: boolean },
): Promise<readonly CompareBackbone[]> {
  const { backbonePath, findCut } = await import('../../../engine/backbone/registry.ts');
  const folder = storeFolder(store);
  const engine = await openEngine(folder, threads);
  try {
    const chosen: CompareBackbone[] = [];
    for (const text of control ? [...names, CONTROL_BACKBONE] : names) {
      const { name, cuts } = splitCut(text);
      if (cuts?.includes('+')) {
        throw new AppError('InvalidRequest', `${text} names several cuts.`, { advice: 'Name one, as in NAME@layer3.' });
      }
      const card = await chooseBackbone(engine, name);
      if (chosen.some((other) => other.card.id === card.id)) continue;
      const modelPath = backbonePath(join(folder, 'backbones'), card.id);
      chosen.push({ card, modelPath, cuts: [findCut(card, cuts === '' ? null : cuts)] });
    }
    return chosen;
  } finally {
    await engine.close();
  }
}
