import { z } from 'zod';
import { MENU_COMMANDS } from '../../src-shared/api/shell.ts';
import type { ShellCallName } from '../../src-shared/api/shell-channels.ts';

const none = z.tuple([]);
const id = z.string().regex(/^[\w-]{1,128}$/);

/** The arguments of each call as they may arrive from a window. */
export const CALL_ARGUMENTS: Readonly<Record<ShellCallName, z.ZodType>> = {
  connectEngine: none,
  engineStatus: none,
  restartEngine: none,
  openFiles: z.tuple([
    z.enum([
      ...(['slide', 'model', 'any', 'table', 'image', 'features', 'folder'] as const),
      ...(['task-folder', 'annotated-folder', 'mirror-folder', 'feature-folder'] as const),
    ]),
  ]),
  recentFiles: none,
  openRecent: z.tuple([id]),
  clearRecentFiles: none,
  saveExport: z.tuple([id, z.string().max(1024)]),
  newWindow: none,
  showAbout: none,
  toggleFullScreen: none,
  openExternal: z.tuple([z.string().max(2048)]),
  setMenuCommands: z.tuple([z.array(z.enum(MENU_COMMANDS)).max(MENU_COMMANDS.length)]),
  crashDumps: none,
  purgeCrashDumps: none,
  showCrashDumps: none,
  grantForPath: z.tuple([z.string().max(32_768)]),
  wantOpenFiles: none,
};
