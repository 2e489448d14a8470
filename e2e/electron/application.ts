import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildChanged } from '../../src-main/host/build.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The application as built, in a folder of its own: a build that runs meanwhile does not pull files away from it. */
export async function builtApplication(): Promise<{ readonly folder: string; dispose(): void }> {
  await buildChanged(() => undefined);
  const folder = mkdtempSync(join(tmpdir(), 'hyaline-application-'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  for (const name of ['node_modules', 'resources']) symlinkSync(join(ROOT, name), join(folder, name), 'junction');
  return { folder, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
