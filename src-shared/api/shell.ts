import type { ErrorPayload } from '../errors.ts';
import type { ExportId, FileGrant } from '../model/ids.ts';

/**
 * What Electron's shell offers the renderer beside the engine. Present only in the desktop application: the preload
 * exposes it as `window.hyaline`; under the web host that is undefined. Use `shellClient(window.hyaline)`
 * (`shell-client.ts`), which turns the plain results of the bridge into values and AppErrors.
 *
 * The engine itself is reached through a MessagePort. To get one:
 *  1. listen for `message` events of `window`, accept only `event.source === window`, `event.origin ===
 *     location.origin` and `isEnginePortMessage(event.data)`; the port is `event.ports[0]`;
 *  2. call `connectEngine()`; it settles after the port has been sent.
 * When the engine dies, `onEngineStatus` reports `restarting` (reject the calls in flight as EngineCrashed and close
 * the old port), later `ready` with the next generation: connect again. A port of an older generation is dead.
 */
export interface ShellCalls {
  /** Asks for a new engine port (see above). Rejects with EngineCrashed when the engine is given up. */
  connectEngine(): { readonly generation: number };
  /** The state of the engine now; changes come through `onEngineStatus`. */
  engineStatus(): EngineStatus;
  /** Starts the engine again after the supervisor gave up (`failed`); does nothing in any other state. */
  restartEngine(): null;

  /** The native open dialog. Resolves to an empty list when the user cancels. */
  openFiles(kind: OpenKind): readonly GrantedFile[];
  /** Files opened before, newest first. Paths stay in the main process. */
  recentFiles(): readonly RecentFile[];
  /** A grant for a recent file. Throws FileUnreadable (and forgets the entry) when the file is gone. */
  openRecent(id: string): GrantedFile;
  clearRecentFiles(): null;

  /**
   * The native save dialog for a file the engine wrote, then writes it. Resolves to null when the user cancels, else
   * to the file's name. `suggestedName` is a proposal for the dialog; only its last part is used.
   */
  saveExport(id: ExportId, suggestedName: string): { readonly fileName: string } | null;

  /** Opens another window on the same engine. */
  newWindow(): null;
  /** The platform's own About panel. */
  showAbout(): null;
  toggleFullScreen(): { readonly fullScreen: boolean };
  /** Opens a page in the system's browser; NotAllowed unless it is https and on the shell's list of hosts. */
  openExternal(url: string): null;
  /** Tells the menu what this window can do now; every other command is shown disabled. */
  setMenuCommands(commands: readonly MenuCommand[]): null;

  /** Crash dumps kept on this machine. They are never uploaded, and may hold parts of a slide or of its file name. */
  crashDumps(): CrashDumps;
  /** Deletes every crash dump; resolves to what is left. */
  purgeCrashDumps(): CrashDumps;
  /** Shows the folder of the crash dumps in the file manager. */
  showCrashDumps(): null;
}

/** Where the engine is in its life. `generation` counts starts: calls and ports of an older one are lost. */
export interface EngineStatus {
  readonly state: 'starting' | 'ready' | 'restarting' | 'failed';
  readonly generation: number;
  /** Why it is not ready; null while it is. */
  readonly error: ErrorPayload | null;
  /** Milliseconds until the next start; null unless `restarting`. */
  readonly retryInMs: number | null;
}

/** A file the user has chosen, as the renderer may know it. Hand `grant` to the engine. */
export interface GrantedFile {
  readonly grant: FileGrant;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly kind: ChosenKind;
}

/** By extension: `slide` -> `openSlide`, `model` -> `importBackbone`, `project` a `.hyaline` file. */
export type FileKind = 'slide' | 'model' | 'project';
/** What a user may choose: a file, a list of slides (CSV), features of a slide (HDF5) or a folder of slides -> `openFolder`. */
export type ChosenKind = FileKind | 'table' | 'features' | 'folder';
/** What the open dialog looks for: `folder` of slides, `task-folder` of labelled patches, `annotated-folder` of images or their annotations, `mirror-folder` of checkpoints, `feature-folder` of feature files, `features` one of those. */
export type OpenKind = 'slide' | 'model' | 'any' | 'table' | 'image' | 'features' | FolderKind;
export type FolderKind = 'folder' | 'task-folder' | 'annotated-folder' | 'mirror-folder' | 'feature-folder';

export interface RecentFile {
  readonly id: string;
  readonly fileName: string;
  readonly kind: FileKind;
  readonly openedAtMs: number;
}

export interface CrashDumps {
  readonly count: number;
  readonly sizeBytes: number;
}

/** Menu entries that the renderer carries out. */
export const MENU_COMMANDS = [
  'go-library',
  'go-viewer',
  'go-analyse',
  'go-study',
  'go-archive',
  'go-compare',
  'go-backbones',
  'go-settings',
  'open-demo',
  'open-folder',
  'export-report',
  'export-tiles',
  'zoom-in',
  'zoom-out',
  'zoom-fit',
  'zoom-one-to-one',
  'rotate-right',
  'toggle-overlay',
] as const;
export type MenuCommand = (typeof MENU_COMMANDS)[number];

/** The part of a DOM `File` that matters here; the preload takes the real one. */
export interface DroppedFile {
  readonly name: string;
  readonly size: number;
}

/** Takes a listener, returns how to remove it. */
export type Subscribe<T> = (listener: (value: T) => void) => () => void;

export interface ShellEvents {
  readonly onEngineStatus: Subscribe<EngineStatus>;
  /**
   * Files handed over by the system, a second instance, the menu or a drop on the icon. Those that came before the first
   * listener are kept and delivered to it.
   */
  readonly onOpenFiles: Subscribe<readonly GrantedFile[]>;
  /** A file that could not be opened on the system's behalf: show the sentence. */
  readonly onOpenFailed: Subscribe<ErrorPayload>;
  readonly onMenuCommand: Subscribe<MenuCommand>;
}

/** How a call's outcome crosses the context bridge, which strips the fields of an Error. */
export type ShellResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorPayload };

/** `window.hyaline` as the preload exposes it. */
export type ShellBridge = ShellEvents & {
  readonly [K in keyof ShellCalls]: (
    ...args: Parameters<ShellCalls[K]>
  ) => Promise<ShellResult<ReturnType<ShellCalls[K]>>>;
} & {
  readonly platform: ShellPlatform;
  /** A grant for a dropped `File`. Refused (NotAllowed) for a File that does not lie on this machine's disk. */
  readonly grantForFile: (file: DroppedFile) => Promise<ShellResult<GrantedFile>>;
};

export type ShellPlatform = 'darwin' | 'win32' | 'linux';

/** What views call: the bridge with values and AppErrors in place of results. */
export type ShellApi = ShellEvents & {
  readonly [K in keyof ShellCalls]: (...args: Parameters<ShellCalls[K]>) => Promise<ReturnType<ShellCalls[K]>>;
} & {
  readonly platform: ShellPlatform;
  readonly grantForFile: (file: DroppedFile) => Promise<GrantedFile>;
};

/** The data of the message that carries an engine port; the port is `event.ports[0]`. */
export interface EnginePortMessage {
  readonly type: 'hyaline:engine-port';
  readonly generation: number;
}

export function isEnginePortMessage(data: unknown): data is EnginePortMessage {
  return (
    typeof data === 'object' &&
    data !== null &&
    'type' in data &&
    data.type === 'hyaline:engine-port' &&
    'generation' in data &&
    typeof data.generation === 'number'
  );
}

const CALL_TABLE: Readonly<Record<keyof ShellCalls, true>> = {
  connectEngine: true,
  engineStatus: true,
  restartEngine: true,
  openFiles: true,
  recentFiles: true,
  openRecent: true,
  clearRecentFiles: true,
  saveExport: true,
  newWindow: true,
  showAbout: true,
  toggleFullScreen: true,
  openExternal: true,
  setMenuCommands: true,
  crashDumps: true,
  purgeCrashDumps: true,
  showCrashDumps: true,
};

/** Every call of the bridge, by name. A type error here means the list is incomplete. */
export const SHELL_CALLS = Object.keys(CALL_TABLE) as readonly (keyof ShellCalls)[];
