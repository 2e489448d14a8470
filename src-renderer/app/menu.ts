import type { MenuCommand } from '../../src-shared/api/shell.ts';
import { mapDisplay } from '../state/map-display.svelte.ts';
import { navigation } from '../state/navigation.svelte.ts';
import { stage } from '../state/stage.svelte.ts';
import { workspace } from '../state/workspace.svelte.ts';
import type { ViewerAction } from '../viewer/keyboard-map.ts';
import { chooseFolder } from './choose-files.ts';
import { openDemo } from './intake.ts';

const STAGE_ACTIONS = {
  'zoom-in': { kind: 'zoom-in' },
  'zoom-out': { kind: 'zoom-out' },
  'zoom-fit': { kind: 'home' },
  'zoom-one-to-one': { kind: 'one-to-one' },
  'rotate-right': { kind: 'rotate-right' },
} as const satisfies Partial<Record<MenuCommand, ViewerAction>>;

const GOES_TO = {
  'go-library': 'library',
  'go-viewer': 'viewer',
  'go-archive': 'archive',
  'go-compare': 'compare',
  'go-backbones': 'backbones',
  'go-settings': 'settings',
} as const;

/** What the menu can do in the state the window is in; reads reactive state, so it can be followed. */
export function menuCommandsNow(): readonly MenuCommand[] {
  const onStage = stage.viewer !== null;
  const hasRun = workspace.activeRun !== null && navigation.destination === 'viewer';
  return [
    ...keysOf(GOES_TO),
    'open-demo',
    'open-folder',
    ...(workspace.slide ? (['go-analyse'] as const) : []),
    ...(onStage ? keysOf(STAGE_ACTIONS) : []),
    ...(onStage && mapDisplay.loaded ? (['toggle-overlay'] as const) : []),
    ...(hasRun ? (['export-report', 'export-tiles'] as const) : []),
  ];
}

/** Carries out a command of the menu. */
export function takeMenuCommand(command: MenuCommand): void {
  if (isKey(STAGE_ACTIONS, command)) stage.perform(STAGE_ACTIONS[command]);
  else if (isKey(GOES_TO, command)) navigation.go(GOES_TO[command], workspace.slide?.id ?? null);
  else if (command === 'open-demo') void openDemo();
  else if (command === 'open-folder') void chooseFolder();
  else if (command === 'toggle-overlay') mapDisplay.visible = !mapDisplay.visible;
  else if (command === 'export-report' || command === 'export-tiles') navigation.dialog = 'report';
  else if (command === 'go-analyse') {
    navigation.go('viewer', workspace.slide?.id ?? null);
    workspace.panelOpen = true;
    workspace.panelTab = 'analyse';
  }
}

function keysOf<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}

function isKey<T extends object>(table: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(table, key);
}
