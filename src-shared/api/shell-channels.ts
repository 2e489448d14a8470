import type { ErrorPayload } from '../errors.ts';
import type { EngineStatus, GrantedFile, MenuCommand, ShellCalls } from './shell.ts';

/** Calls between preload and main process that views do not see. */
export interface PreloadCalls {
  /** `path` comes from Electron's `webUtils`, never from the page. */
  grantForPath(path: string): GrantedFile;
  /** This window listens for opened files: deliver what is waiting. */
  wantOpenFiles(): null;
}

export type ShellCallName = keyof ShellCalls | keyof PreloadCalls;

/** The IPC channel of a call. */
export const callChannel = (name: ShellCallName): string => `hyaline:call:${name}`;

/** What the main process sends to a window, by event. */
export interface ShellEventPayloads {
  readonly engineStatus: EngineStatus;
  readonly openFiles: readonly GrantedFile[];
  readonly openFailed: ErrorPayload;
  readonly menuCommand: MenuCommand;
}

export const eventChannel = (name: keyof ShellEventPayloads): string => `hyaline:event:${name}`;

/** Carries an engine port and its generation to the preload, which passes both on to the page. */
export const ENGINE_PORT_CHANNEL = 'hyaline:engine-port';
