import type { MenuCommand, RecentFile } from '../../src-shared/api/shell.ts';
import type { MenuTemplate } from './electron.ts';

type Item = Electron.MenuItemConstructorOptions;

export interface MenuState {
  readonly platform: NodeJS.Platform;
  readonly recent: readonly RecentFile[];
  /** What the window in use can do; other commands are shown disabled. */
  readonly commands: readonly MenuCommand[];
  readonly hasWindow: boolean;
  readonly devTools: boolean;
}

export interface MenuActions {
  open(): void;
  openRecent(id: string): void;
  clearRecent(): void;
  newWindow(): void;
  run(command: MenuCommand): void;
  about(): void;
  showLogs(): void;
  crashDumps(): void;
}

const SEPARATOR: Item = { type: 'separator' };

const GO_TO: readonly (readonly [MenuCommand, string])[] = [
  ['go-library', 'Library'],
  ['go-viewer', 'Viewer'],
  ['go-analyse', 'Analyse'],
  ['go-archive', 'Archive'],
  ['go-study', 'Study'],
  ['go-compare', 'Compare'],
  ['go-backbones', 'Backbones'],
];

/** The application menu: macOS has its own first menu and places for Settings, About and Quit. */
export function menuTemplate(state: MenuState, actions: MenuActions): MenuTemplate {
  const mac = state.platform === 'darwin';
  const command = (id: MenuCommand, label: string, accelerator?: string): Item => ({
    label,
    enabled: state.commands.includes(id),
    click: () => actions.run(id),
    ...(accelerator === undefined ? {} : { accelerator }),
  });
  const settings = command('go-settings', mac ? 'Settings…' : 'Settings', 'CmdOrCtrl+,');
  const about: Item = { label: 'About Hyaline', click: () => actions.about() };
  return [
    ...(mac ? [macMenu(about, settings)] : []),
    { label: 'File', submenu: fileMenu(state, actions, command, mac ? [] : [SEPARATOR, settings]) },
    { role: 'editMenu' },
    { label: 'View', submenu: viewMenu(state, command) },
    { label: 'Go', submenu: GO_TO.map(([id, label], i) => command(id, label, `CmdOrCtrl+${i + 1}`)) },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [
        { label: 'Show Log Folder', click: () => actions.showLogs() },
        { label: 'Crash Dumps…', click: () => actions.crashDumps() },
        ...(mac ? [] : [SEPARATOR, about]),
      ],
    },
  ];
}

function macMenu(about: Item, settings: Item): Item {
  const roles = ['services', 'hide', 'hideOthers', 'unhide', 'quit'] as const;
  const [services, hide, hideOthers, unhide, quit] = roles.map((role): Item => ({ role }));
  const items = [about, SEPARATOR, settings, SEPARATOR, services, SEPARATOR, hide, hideOthers, unhide, SEPARATOR, quit];
  return { label: 'Hyaline', submenu: items.filter((item) => item !== undefined) };
}

type MakeCommand = (id: MenuCommand, label: string, accelerator?: string) => Item;

function fileMenu(state: MenuState, actions: MenuActions, command: MakeCommand, settings: readonly Item[]): Item[] {
  const recent: Item[] = state.recent.map(({ id, fileName }) => ({
    // An ampersand would mark an access key.
    label: fileName.replaceAll('&', '&&'),
    click: () => actions.openRecent(id),
  }));
  const clear: Item = { label: 'Clear Menu', enabled: recent.length > 0, click: () => actions.clearRecent() };
  return [
    { label: 'Open…', accelerator: 'CmdOrCtrl+O', click: () => actions.open() },
    command('open-folder', 'Open Folder…', 'CmdOrCtrl+Shift+O'),
    { label: 'Open Recent', submenu: [...recent, SEPARATOR, clear] },
    command('open-demo', 'Open Demo Slide'),
    SEPARATOR,
    { label: 'New Window', accelerator: 'CmdOrCtrl+Shift+N', click: () => actions.newWindow() },
    SEPARATOR,
    command('export-report', 'Export Report…', 'CmdOrCtrl+E'),
    command('export-tiles', 'Export Tile Scores…'),
    ...settings,
    SEPARATOR,
    { role: 'close', enabled: state.hasWindow },
    ...(state.platform === 'darwin' ? [] : [{ role: 'quit' } as const]),
  ];
}

/** Zoom keys belong to the viewer, not to the page: no accelerators here, and no page zoom. */
function viewMenu(state: MenuState, command: MakeCommand): Item[] {
  return [
    command('zoom-in', 'Zoom In'),
    command('zoom-out', 'Zoom Out'),
    command('zoom-fit', 'Whole Slide'),
    command('zoom-one-to-one', 'One to One'),
    command('rotate-right', 'Rotate'),
    command('toggle-overlay', 'Show Map'),
    SEPARATOR,
    { role: 'togglefullscreen' },
    ...(state.devTools ? [SEPARATOR, { role: 'reload' } as const, { role: 'toggleDevTools' } as const] : []),
  ];
}
