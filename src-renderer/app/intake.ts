import { fileKindOf } from '../../src-shared/api/file-kinds.ts';
import { AppError } from '../../src-shared/errors.ts';
import type { FileGrant } from '../../src-shared/model/ids.ts';
import { backbones } from '../state/backbones.svelte.ts';
import { library } from '../state/library.svelte.ts';
import { navigation } from '../state/navigation.svelte.ts';
import { shown, toasts } from '../state/toasts.svelte.ts';
import { uploads } from '../state/uploads.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';

type Kind = 'slide' | 'model';

/** Opens what the user chose: a slide in the viewer, a model among the backbones. Rejects with the engine's AppError. */
export async function openGrant(grant: FileGrant, kind: Kind): Promise<void> {
  if (kind === 'model') {
    const card = await backbones.import(grant);
    navigation.go('backbones');
    if (card.assumed.length === 0) toasts.ok(`${card.name} is ready to use.`);
    return;
  }
  await workspace.open(await library.open(grant));
}

/** Takes dropped files in, one after the other; each one that fails is named, the others go on. */
export async function openDropped(files: readonly File[]): Promise<void> {
  for (const file of files) {
    await shown(async () => {
      if (file.size === 0) {
        throw new AppError('FileUnreadable', `${file.name} is empty or a folder.`, {
          advice: 'Drop a slide file or a model.',
        });
      }
      await openGrant(await uploads.grant(file), fileKindOf(file.name) === 'model' ? 'model' : 'slide');
    });
  }
}

/** The demo slide: opened, or made first (then it opens by itself when it is ready). */
export async function openDemo(): Promise<void> {
  await shown(async () => {
    const slide = await library.openDemo();
    if (slide) await workspace.open(slide);
  });
}
