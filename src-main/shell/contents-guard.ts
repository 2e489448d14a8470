import type { ShellWebContents } from './electron.ts';
import { APP_ORIGIN } from './protocol.ts';

/** The page every window shows. */
export const START_URL = `${APP_ORIGIN}/index.html`;

/**
 * Keeps web contents on their page: no navigation, no redirect, no new window, no webview. A link to an allowed
 * outside page goes to the system's browser.
 */
export function guardContents(contents: ShellWebContents, openExternal: (address: string) => void): void {
  const stay = (event: { readonly url: string; preventDefault(): void }): void => {
    if (withoutHash(event.url) !== START_URL) event.preventDefault();
  };
  contents.on('will-navigate', stay);
  contents.on('will-frame-navigate', stay);
  contents.on('will-redirect', stay);
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    openExternal(url);
    return { action: 'deny' };
  });
}

const withoutHash = (address: string): string => address.split('#', 1)[0] ?? '';
