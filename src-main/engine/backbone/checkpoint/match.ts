import { AppError } from '../../../../src-shared/errors.ts';
import { ACTIVATIONS } from '../../../../src-shared/model/backbone.ts';
import { ARCHITECTURES } from '../architectures/all.ts';
import type { BuiltNetwork } from '../architectures/network.ts';
import { buildVit, type VitPlan } from '../architectures/vit.ts';
import type { WeightSource, WeightSpec } from '../weights.ts';
import { CONVOLUTIONAL_LAYOUTS, type KeyLayout, TRANSFORMER_LAYOUTS } from './layouts.ts';
import { resizePositions } from './resize-positions.ts';
import { type Checkpoint, type CheckpointTensor, damaged } from './tensor.ts';
import { vitPlanOf } from './vit-plan.ts';

/** How the keys of a checkpoint fit a network: shown to the user. */
export interface MatchReport {
  readonly architecture: string;
  /** Whose naming the keys follow. */
  readonly layout: string;
  /** What every key of the network begins with in this checkpoint. */
  readonly prefix: string;
  readonly matched: number;
  readonly expected: number;
  /** Weights of the network the checkpoint does not hold. */
  readonly missing: readonly string[];
  /** Keys under the prefix the network has no use for (heads, projections, counters). */
  readonly unexpected: readonly string[];
  readonly shapeMismatches: readonly { readonly name: string; readonly expected: string; readonly found: string }[];
}

type Build = (weights: WeightSource) => BuiltNetwork;

/** A network the checkpoint may be, with the way its keys fit. */
interface Candidate {
  readonly report: MatchReport;
  readonly build: Build;
  /** Null for convolutional networks. */
  readonly plan: VitPlan | null;
  readonly parts: ReadonlyMap<string, readonly CheckpointTensor[]>;
}

/** Counters and masks that no inference needs. */
const NEVER_NEEDED = /(num_batches_tracked|mask_token|relative_position_index|position_ids)$/;

/** Compares a checkpoint with every network the builder knows; the best fit. */
export function matchCheckpoint(checkpoint: Checkpoint): MatchReport {
  return bestCandidate(checkpoint).report;
}

/** What the weights of a transformer do not tell. */
export interface BuildHints {
  /** Side of the image it is wanted for; its own if left out. Convolutions take any size. */
  readonly sizePx?: number | undefined;
  /** `gelu`, `quick-gelu` or `quick_gelu`; what its kind usually has if left out. */
  readonly activation?: string | undefined;
}

export interface BuiltCheckpoint {
  readonly network: BuiltNetwork;
  readonly report: MatchReport;
  /** What was guessed, one phrase each. */
  readonly assumed: readonly string[];
}

/**
 * Builds the network a checkpoint belongs to, with its weights.
 *
 * @throws AppError BackboneShapeUnsupported where no network fits, or weights are missing or of another shape: no
 * network is ever completed with weights from elsewhere.
 */
export function buildFromCheckpoint(checkpoint: Checkpoint, hints: BuildHints = {}): BuiltCheckpoint {
  const { report, build, parts, plan } = bestCandidate(checkpoint);
  if (report.matched === 0) throw noMatch(checkpoint);
  if (report.matched < report.expected) throw incomplete(report);
  const weights: WeightSource = (spec) => joinParts(parts.get(spec.name) ?? [], spec);
  if (plan === null) return { network: build(weights), report, assumed: [] };
  const active = withActivation(plan, hints.activation);
  const assumed =
    plan.clip !== null && hints.activation === undefined
      ? ["activation: quick GELU as in OpenAI's CLIP, the weights do not say"]
      : [];
  const { sizePx = plan.sizePx } = hints;
  const network = sizePx === plan.sizePx ? buildVit(active, weights) : buildResized(active, sizePx, weights);
  return { network, report, assumed };
}

/** The plan with the activation its card names. */
function withActivation(plan: VitPlan, named: string | undefined): VitPlan {
  if (named === undefined) return plan;
  const activation = ACTIVATIONS.find((known) => known === named.replace('_', '-'));
  if (activation === undefined) {
    throw new AppError('BackboneShapeUnsupported', `This transformer uses the activation "${named}".`, {
      advice: `Hyaline builds ${ACTIVATIONS.join(' and ')}; export the network as ONNX instead.`,
    });
  }
  return { ...plan, activation };
}

/** A transformer for another image size: its learned positions are resampled. */
function buildResized(plan: VitPlan, sizePx: number, weights: WeightSource): BuiltNetwork {
  if (sizePx % plan.patchPx !== 0) {
    throw new AppError(
      'BackboneShapeUnsupported',
      `${sizePx} px is not a whole number of ${plan.patchPx} px patches.`,
      {
        advice: `Choose a multiple of ${plan.patchPx}.`,
      },
    );
  }
  const [fromSide, toSide] = [plan.sizePx / plan.patchPx, sizePx / plan.patchPx];
  return buildVit({ ...plan, sizePx }, (spec) => {
    if (spec.name !== 'pos_embed') return weights(spec);
    const table = weights({ ...spec, dims: [1, 1 + fromSide ** 2, plan.dim] });
    return resizePositions(table, plan.dim, fromSide, toSide);
  });
}

function noMatch(checkpoint: Checkpoint): AppError {
  const first = [...checkpoint.keys()].slice(0, 4).join(', ');
  const message = 'None of the weights in this file belong to a network Hyaline can build.';
  return new AppError('BackboneShapeUnsupported', message, {
    advice: 'Export the network as ONNX and import that.',
    detail: `keys begin with ${first}`,
  });
}

function incomplete(report: MatchReport): AppError {
  const problems = [
    ...report.missing.slice(0, 5).map((name) => `${name} is missing`),
    ...report.shapeMismatches.slice(0, 5).map(({ name, expected, found }) => `${name} is ${found}, not ${expected}`),
  ];
  const message =
    `This file holds ${report.matched} of the ${report.expected} weights of ${report.architecture}; ` +
    `${problems[0] ?? 'the rest is missing'}.`;
  return new AppError('BackboneShapeUnsupported', message, {
    advice: 'Import the complete checkpoint, or export the network as ONNX.',
    detail: problems.join('; '),
  });
}

function bestCandidate(checkpoint: Checkpoint): Candidate {
  const candidates = [...convolutional(checkpoint), ...transformers(checkpoint)];
  const whole = candidates.filter(({ report }) => report.matched === report.expected);
  const [best] = (whole.length > 0 ? whole : candidates).sort((a, b) => b.report.matched - a.report.matched);
  if (!best) throw noMatch(checkpoint);
  return best;
}

function convolutional(checkpoint: Checkpoint): Candidate[] {
  const names = Object.entries(ARCHITECTURES).filter(([name]) => !name.startsWith('vit_'));
  const built = names.map(([name, build]) => ({ name, build, specs: specsOf(build) }));
  return CONVOLUTIONAL_LAYOUTS.flatMap((layout) => {
    const renamed = rename(checkpoint, layout);
    return built.map(({ name, build, specs }) => candidate(name, build, specs, layout, renamed));
  });
}

function transformers(checkpoint: Checkpoint): Candidate[] {
  return TRANSFORMER_LAYOUTS.flatMap((layout) => {
    const renamed = rename(checkpoint, layout);
    const dims = new Map([...renamed].map(([name, { tensor }]) => [name, tensor.dims]));
    return [...dims.keys()]
      .filter((name) => name.endsWith('patch_embed.proj.weight'))
      .flatMap((name) => {
        const plan = vitPlanOf(dims, name.slice(0, -'patch_embed.proj.weight'.length));
        if (!plan) return [];
        const build: Build = (weights) => buildVit(plan, weights);
        return [{ ...candidate(plan.name, build, specsOf(build), layout, renamed), plan }];
      });
  });
}

/** The weights a network needs, found by building it with none. */
function specsOf(build: Build): WeightSpec[] {
  const specs: WeightSpec[] = [];
  build((spec) => {
    specs.push(spec);
    return new Float32Array(0);
  });
  return specs;
}

type Renamed = ReadonlyMap<string, { readonly key: string; readonly tensor: CheckpointTensor }>;

function rename(checkpoint: Checkpoint, layout: KeyLayout): Renamed {
  return new Map([...checkpoint].map(([key, tensor]) => [layout.rename(key), { key, tensor }]));
}

function candidate(
  architecture: string,
  build: Build,
  specs: readonly WeightSpec[],
  layout: KeyLayout,
  renamed: Renamed,
): Candidate {
  const prefix = commonPrefix(specs, renamed);
  const parts = new Map<string, readonly CheckpointTensor[]>();
  const missing: string[] = [];
  const shapeMismatches: MatchReport['shapeMismatches'][number][] = [];
  for (const spec of specs) {
    const found = partsOf(renamed, prefix + spec.name);
    const dims = joinedDims(found);
    if (found.length === 0) missing.push(spec.name);
    else if (shapeOf(dims) === shapeOf(spec.dims)) parts.set(spec.name, found);
    else shapeMismatches.push({ name: spec.name, expected: spec.dims.join(' x '), found: dims.join(' x ') });
  }
  const used = new Set(specs.map((spec) => prefix + spec.name));
  const unexpected = [...renamed]
    .filter(([name]) => name.startsWith(prefix) && !used.has(name.replace(/#\d$/, '')) && !NEVER_NEEDED.test(name))
    .map(([, { key }]) => key);
  const matched = parts.size;
  const expected = specs.length;
  const report = { architecture, layout: layout.name, prefix, matched, expected, missing, unexpected, shapeMismatches };
  return { build, parts, report, plan: null };
}

/**
 * What to strip: the prefix under which most weights of the network are found. Where a file holds several copies of
 * one network (student and teacher, online and target), the teacher or the running average is the one to use.
 */
function commonPrefix(specs: readonly WeightSpec[], renamed: Renamed): string {
  const dims = new Map(specs.map((spec) => [spec.name, shapeOf(spec.dims)]));
  const votes = new Map<string, number>();
  for (const [name, { tensor }] of renamed) {
    for (let at = 0; at >= 0; at = nextPart(name, at)) {
      const wanted = dims.get(name.slice(at).replace(/#\d$/, ''));
      const fits = wanted === shapeOf(tensor.dims) ? 2 : 1;
      if (wanted !== undefined) votes.set(name.slice(0, at), (votes.get(name.slice(0, at)) ?? 0) + fits);
    }
  }
  const preference = (prefix: string): number => (/teacher|ema|momentum/i.test(prefix) ? 1 : 0);
  const [best] = [...votes].sort(([a, x], [b, y]) => y - x || preference(b) - preference(a) || a.length - b.length);
  return best?.[0] ?? '';
}

/** Start of the next dot-separated part of a key; -1 at its end. */
function nextPart(name: string, at: number): number {
  const dot = name.indexOf('.', at);
  return dot < 0 ? -1 : dot + 1;
}

/** Dims as a text, without leading ones: a class token is stored as [1, 1, dim] by some and as [dim] by others. */
function shapeOf(dims: readonly number[]): string {
  const first = dims.findIndex((dim) => dim !== 1);
  return dims.slice(first < 0 ? dims.length : first).join();
}

function partsOf(renamed: Renamed, name: string): CheckpointTensor[] {
  const whole = renamed.get(name);
  if (whole) return [whole.tensor];
  const parts = [0, 1, 2].map((index) => renamed.get(`${name}#${index}`)?.tensor);
  return parts.every((part) => part !== undefined) ? parts : [];
}

function joinedDims(parts: readonly CheckpointTensor[]): number[] {
  const [first] = parts;
  if (!first) return [];
  if (parts.length === 1) return [...first.dims];
  return [parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0), ...first.dims.slice(1)];
}

function joinParts(parts: readonly CheckpointTensor[], spec: WeightSpec): Float32Array {
  const arrays = parts.map((part) => part.read());
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const [only] = arrays;
  if (length !== spec.dims.reduce((a, b) => a * b, 1)) throw damaged('This checkpoint is cut short.');
  if (only && arrays.length === 1) return only;
  const joined = new Float32Array(length);
  let offset = 0;
  for (const array of arrays) {
    joined.set(array, offset);
    offset += array.length;
  }
  return joined;
}

/** The report as one line for the card. */
export function summarizeMatch(report: MatchReport): string {
  const { matched, expected, architecture, layout, prefix, unexpected } = report;
  const stripped = prefix === '' ? '' : `, prefix "${prefix}" stripped`;
  const shown = unexpected.slice(0, 4).join(', ');
  const more = unexpected.length > 4 ? ` and ${unexpected.length - 4} more` : '';
  const left = unexpected.length === 0 ? '' : `; left out: ${shown}${more}`;
  return `${matched} of ${expected} weights of ${architecture} (${layout} layout${stripped})${left}`;
}
