import { shell } from '../client/shell.ts';
import { navigation } from '../state/navigation.svelte.ts';
import { shown } from '../state/toasts.svelte.ts';
import { openGrant } from './intake.ts';

/** Lets the user choose files: by the native dialog where there is one, else by our own. */
export async function chooseFiles(kind: 'slide' | 'model' | 'any'): Promise<void> {
  if (!shell) {
    navigation.openFiles(kind);
    return;
  }
  const files = (await shown(() => shell?.openFiles(kind) ?? Promise.resolve([]))) ?? [];
  for (const file of files) {
    if (file.kind !== 'project') await shown(() => openGrant(file.grant, file.kind === 'model' ? 'model' : 'slide'));
  }
}
