import { createHash } from 'node:crypto';
import type { RunId, StudyId } from '../../../src-shared/model/ids.ts';
import { ENSEMBLE_VERSION, type Ensemble } from '../learn/ensemble.ts';
import type { Judged } from '../learn/judge-bag.ts';
import type { StoredJudgement, StudyHeadRecord } from '../store/store.ts';
import { versions } from './versions.ts';

interface Facts extends Pick<Ensemble, 'heads' | 'classes' | 'probabilities' | 'agreement'> {
  readonly tiles: number;
}

/** SHA-256 over the weights of heads in their order. */
export function headsDigest(heads: readonly StudyHeadRecord[]): string {
  const hash = createHash('sha256');
  for (const { fold, seed, specJson, weights } of heads) {
    hash.update(`${fold} ${seed} ${specJson}\n`);
    hash.update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength));
  }
  return hash.digest('hex');
}

/** A hash of everything a judgement comes of: the heads, the features, and the code that runs them. */
export function judgementKey(headsSha256: string, featureDigest: string): string {
  const made = { headsSha256, featureDigest, version: ENSEMBLE_VERSION, versions: versions() };
  return createHash('sha256').update(JSON.stringify(made)).digest('hex');
}

/** What is kept of a judgement: facts as JSON; attention, contributions, spread and moments one after another. */
export function packJudgement(
  { runId, studyId, madeBy }: { readonly runId: RunId; readonly studyId: StudyId; readonly madeBy: string },
  { ensemble, moments }: Judged,
): StoredJudgement {
  const { heads, classes, probabilities, agreement, attention, contributions, spread } = ensemble;
  const facts: Facts = { heads, classes, probabilities, agreement, tiles: attention.length };
  const parts = [attention, contributions, spread, moments];
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return { runId, studyId, madeBy, factsJson: JSON.stringify(facts), values };
}

export function unpackJudgement({ factsJson, values }: StoredJudgement): Judged {
  const { tiles, ...facts } = JSON.parse(factsJson) as Facts;
  const ends = [tiles, tiles * (1 + facts.classes), tiles * (2 + facts.classes)] as const;
  return {
    ensemble: {
      ...facts,
      attention: values.slice(0, ends[0]),
      contributions: values.slice(ends[0], ends[1]),
      spread: values.slice(ends[1], ends[2]),
    },
    moments: Float64Array.from(values.subarray(ends[2])),
  };
}
