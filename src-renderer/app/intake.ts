import { chosenKindOf } from '../../src-shared/api/file-kinds.ts';
import type { ChosenKind } from '../../src-shared/api/shell.ts';
import { AppError } from '../../src-shared/errors.ts';
import type { FileGrant } from '../../src-shared/model/ids.ts';
import { shell } from '../client/shell.ts';
import { archiveForm } from '../state/archive-form.svelte.ts';
import { archivePage } from '../state/archive-page.svelte.ts';
import { backbones } from '../state/backbones.svelte.ts';
import { folder } from '../state/folder.svelte.ts';
import { library } from '../state/library.svelte.ts';
import { navigation } from '../state/navigation.svelte.ts';
import { shown, toasts } from '../state/toasts.svelte.ts';
import { uploads } from '../state/uploads.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';

/**
 * Opens what the user chose: a slide in the viewer, a model among the backbones, a folder to look through, a list of
 * slides in the archive. Rejects with the engine's AppError.
 */
export async function openGrant(grant: FileGrant, kind: ChosenKind): Promise<void> {
  if (kind === 'model') {
    const card = await backbones.import(grant);
    navigation.go('backbones');
    if (card?.assumed.length === 0) toasts.ok(`${card.name} is ready to use.`);
  } else if (kind === 'folder') {
    await folder.open(grant);
    navigation.go('library');
  } else if (kind === 'table') {
    await archiveForm.addList(grant);
    archivePage.tab = 'new';
    navigation.go('archive');
  } else if (kind === 'features') {
    throw featuresAlone();
  } else if (kind === 'slide') await workspace.open(await library.open(grant));
}

/** What was dropped: files, and which of them are folders (the drop event alone can tell). */
export interface Dropped {
  readonly file: File;
  readonly isFolder: boolean;
}

/** Takes dropped files in, one after the other; each one that fails is named, the others go on. */
export async function openDropped(dropped: readonly Dropped[]): Promise<void> {
  for (const { file, isFolder } of dropped) {
    if (shell) {
      await shown(async () => {
        const { grant, kind } = (await shell?.grantForFile(file)) ?? {};
        if (grant && kind) await openGrant(grant, kind);
      });
    } else if (isFolder) {
      toasts.info(
        `A browser does not tell where the folder ${file.name} lies.`,
        'Go to it here and press Open this folder: its slides are then read in place.',
      );
      const chosen = await navigation.askFor('folder');
      if (chosen) await shown(() => openGrant(chosen.grant, 'folder'));
    } else await shown(() => openCopy(file));
  }
}

/** A file dropped on a browser, which hands over its bytes but not its place. */
async function openCopy(file: File): Promise<void> {
  if (file.size === 0) {
    throw new AppError('FileUnreadable', `${file.name} is empty.`, { advice: 'Drop a slide file or a model.' });
  }
  const kind = chosenKindOf(file.name) ?? 'slide';
  if (kind === 'table') {
    throw new AppError('NotAllowed', `${file.name} is a table; a browser does not tell where its slides lie.`, {
      advice: 'For an archive, choose it under Archive with Add a list; labels of a study are chosen under Study.',
    });
  }
  if (kind === 'features') throw featuresAlone();
  await openGrant(await uploads.grant(file), kind);
}

function featuresAlone(): AppError {
  return new AppError('NotASlide', 'This file holds features of a slide, not the slide.', {
    advice: 'Choose it where a study asks for features: in the form of a new study, From files.',
  });
}

/** The demo slide: opened, or made first (then it opens by itself when it is ready). */
export async function openDemo(): Promise<void> {
  await shown(async () => {
    const slide = await library.openDemo();
    if (slide) await workspace.open(slide);
  });
}
