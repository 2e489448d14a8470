import { createHash } from 'node:crypto';
import type { TaskFingerprint } from '../../../src-shared/model/comparison-record.ts';
import type { PatchTask } from '../compare/patch-task.ts';

/** What a task was when it was compared: its images by content, with labels, groups and parts, in any order of files. */
export function fingerprintOf({ name, images }: PatchTask): TaskFingerprint {
  const lines = images.map(({ sha256, label, group, part }) => JSON.stringify([sha256, label, group, part])).sort();
  return { name, images: images.length, sha256: createHash('sha256').update(lines.join('\n')).digest('hex') };
}
