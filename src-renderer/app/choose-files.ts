import type { OpenKind } from '../../src-shared/api/shell.ts';
import { shell } from '../client/shell.ts';
import { type Chosen, navigation } from '../state/navigation.svelte.ts';
import { shown } from '../state/toasts.svelte.ts';
import { openGrant } from './intake.ts';

/** Lets the user choose files and opens them: by the native dialog where there is one, else by our own. */
export async function chooseFiles(kind: 'slide' | 'model' | 'any'): Promise<void> {
  if (!shell) {
    navigation.openFiles(kind);
    return;
  }
  const files = (await shown(() => shell?.openFiles(kind) ?? Promise.resolve([]))) ?? [];
  for (const file of files) await shown(() => openGrant(file.grant, file.kind));
}

/** Lets the user choose a folder and looks through it. */
export async function chooseFolder(): Promise<void> {
  const chosen = await chooseOne('folder');
  if (chosen) await shown(() => openGrant(chosen.grant, 'folder'));
}

/** Lets the user choose one thing for a form; null when they cancel. */
export async function chooseOne(kind: OpenKind): Promise<Chosen | null> {
  if (!shell) return navigation.askFor(kind);
  const [file] = (await shown(() => shell?.openFiles(kind) ?? Promise.resolve([]))) ?? [];
  return file === undefined ? null : { grant: file.grant, name: file.fileName };
}
