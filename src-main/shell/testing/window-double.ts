import { EventEmitter } from 'node:events';
import type { ShellFrame, ShellWebContents, ShellWindow, WindowOptions } from '../electron.ts';
import { PortDouble } from './port-double.ts';

export interface SentMessage {
  readonly channel: string;
  readonly args: readonly unknown[];
  readonly ports: readonly PortDouble[];
}

/** A frame whose place a test can change. */
export interface FrameDouble {
  url: string;
  readonly origin: string;
  parent: FrameDouble | null;
}

export function frameDouble(url: string, parent: FrameDouble | null = null): FrameDouble {
  return {
    url,
    parent,
    get origin() {
      const { protocol, host } = new URL(this.url);
      return `${protocol}//${host}`;
    },
  };
}

type OpenHandler = Parameters<ShellWebContents['setWindowOpenHandler']>[0];

/** Web contents with the page left out: what the shell sends is kept and passed to whoever plays the page. */
export class WebContentsDouble extends EventEmitter {
  readonly id: number;
  readonly frame: FrameDouble = frameDouble('about:blank');
  readonly sent: SentMessage[] = [];
  reloads = 0;
  destroyed = false;
  openHandler: OpenHandler | null = null;

  constructor(id: number) {
    super();
    this.id = id;
  }

  get mainFrame(): ShellFrame {
    return this.frame as unknown as ShellFrame;
  }

  send(channel: string, ...args: unknown[]): void {
    this.#deliver(channel, args, []);
  }

  postMessage(channel: string, message: unknown, transfer: readonly unknown[] = []): void {
    const ports = transfer.map((port) => {
      if (!(port instanceof PortDouble)) throw new TypeError('Invalid value for transfer');
      return port;
    });
    this.#deliver(channel, [message], ports);
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.openHandler = handler;
  }

  isDestroyed(): boolean {
    return this.destroyed;
  }

  reload(): void {
    this.reloads += 1;
  }

  #deliver(channel: string, args: readonly unknown[], ports: readonly PortDouble[]): void {
    const message: SentMessage = { channel, args: structuredClone(args), ports };
    this.sent.push(message);
    this.emit('double:sent', message);
  }
}

/** A window without a screen. */
export class WindowDouble extends EventEmitter {
  readonly id: number;
  readonly options: WindowOptions;
  readonly contents: WebContentsDouble;
  readonly progress: number[] = [];
  bounds: Electron.Rectangle;
  visible = false;
  minimized = false;
  maximized = false;
  fullScreen: boolean;
  focused = false;
  destroyed = false;

  constructor(id: number, options: WindowOptions) {
    super();
    this.id = id;
    this.options = options;
    this.contents = new WebContentsDouble(id);
    this.fullScreen = options.fullscreen ?? false;
    this.bounds = {
      x: options.x ?? 0,
      y: options.y ?? 0,
      width: options.width ?? 800,
      height: options.height ?? 600,
    };
  }

  get webContents(): ShellWebContents {
    return this.contents as unknown as ShellWebContents;
  }

  async loadURL(url: string): Promise<void> {
    this.contents.frame.url = url;
    setImmediate(() => this.emit('ready-to-show'));
  }

  show(): void {
    this.visible = true;
    this.focus();
  }

  focus(): void {
    this.focused = true;
    this.emit('focus');
  }

  restore(): void {
    this.minimized = false;
  }

  maximize(): void {
    this.maximized = true;
  }

  isMinimized = (): boolean => this.minimized;
  isMaximized = (): boolean => this.maximized;
  isFullScreen = (): boolean => this.fullScreen;
  isFocused = (): boolean => this.focused;
  isDestroyed = (): boolean => this.destroyed;
  getNormalBounds = (): Electron.Rectangle => this.bounds;

  setFullScreen(on: boolean): void {
    this.fullScreen = on;
  }

  setProgressBar(value: number): void {
    this.progress.push(value);
  }

  close(): void {
    this.emit('close', { preventDefault: () => undefined });
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.contents.destroyed = true;
    this.emit('closed');
  }
}

/** A type error here means the double lacks something of the windows the shell uses. */
type Lacking =
  | Exclude<keyof ShellWindow, keyof WindowDouble>
  | Exclude<keyof ShellWebContents, keyof WebContentsDouble>;
export const windowDoubleIsWhole: Lacking extends never ? true : Lacking = true;
