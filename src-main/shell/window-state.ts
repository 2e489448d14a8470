import { z } from 'zod';
import type { ShellWindow } from './electron.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface WindowState {
  /** Null: let the system place a window of the default size. */
  readonly bounds: Rectangle | null;
  readonly maximized: boolean;
  readonly fullScreen: boolean;
}

export const DEFAULT_SIZE = { width: 1440, height: 900 };
export const MIN_SIZE = { width: 960, height: 640 };
/** How far a second window is set off from the first. */
const CASCADE_PX = 28;
/** Less of a window than this on any screen counts as out of sight. */
const VISIBLE_PX = 120;

const stateSchema = z.object({
  bounds: z.object({ x: z.int(), y: z.int(), width: z.int().positive(), height: z.int().positive() }).nullable(),
  maximized: z.boolean(),
  fullScreen: z.boolean(),
});

const NO_STATE: WindowState = { bounds: null, maximized: false, fullScreen: false };

export const readWindowState = (file: string): WindowState => readJsonFile<WindowState>(file, stateSchema, NO_STATE);

export function keepWindowState(file: string, window: ShellWindow): void {
  const { x, y, width, height } = window.getNormalBounds();
  const state: WindowState = {
    bounds: { x, y, width, height },
    maximized: window.isMaximized(),
    fullScreen: window.isFullScreen(),
  };
  writeJsonFile(file, state);
}

/**
 * Where to put a window: as it was, set off by the number of windows already open, and on a screen that is there.
 * A place whose screen has gone is forgotten; its size is kept, cut to the largest screen.
 */
export function placeWindow(
  state: WindowState,
  openWindows: number,
  workAreas: readonly Rectangle[],
): Partial<Rectangle> & { readonly width: number; readonly height: number } {
  const widest = Math.max(MIN_SIZE.width, ...workAreas.map((area) => area.width));
  const highest = Math.max(MIN_SIZE.height, ...workAreas.map((area) => area.height));
  const wanted = state.bounds ?? DEFAULT_SIZE;
  const width = Math.max(MIN_SIZE.width, Math.min(wanted.width, widest));
  const height = Math.max(MIN_SIZE.height, Math.min(wanted.height, highest));
  if (state.bounds === null) return { width, height };
  const x = state.bounds.x + openWindows * CASCADE_PX;
  const y = state.bounds.y + openWindows * CASCADE_PX;
  const visible = workAreas.some((area) => {
    const across = Math.min(x + width, area.x + area.width) - Math.max(x, area.x);
    const down = Math.min(y + height, area.y + area.height) - Math.max(y, area.y);
    // The title bar must be reachable, not just some corner.
    return across >= VISIBLE_PX && down >= VISIBLE_PX && y >= area.y - 8;
  });
  return visible ? { x, y, width, height } : { width, height };
}
