import type { ShellSession } from './electron.ts';
import { APP_ORIGIN, APP_SCHEME } from './protocol.ts';

/** All that our own page may do beyond an ordinary page: fill the screen, and copy text the user has chosen. */
const ALLOWED_PERMISSIONS: ReadonlySet<string> = new Set(['fullscreen', 'clipboard-sanitized-write']);

const LOCAL_SCHEMES: ReadonlySet<string> = new Set([`${APP_SCHEME}:`, 'blob:', 'devtools:']);

/** True for a request that stays inside the application. */
export function isLocalRequest(address: string): boolean {
  return LOCAL_SCHEMES.has(URL.parse(address)?.protocol ?? '');
}

const isOurs = (address: string): boolean => address === APP_ORIGIN || address.startsWith(`${APP_ORIGIN}/`);

/**
 * Shuts the session of every window: permissions refused but for two, no devices, no screen capture, no downloads, no
 * spell checker (its dictionaries would be downloaded), and no request that leaves the machine.
 */
export function guardSession(session: ShellSession): void {
  session.setPermissionRequestHandler((_contents, permission, callback, details) =>
    callback(ALLOWED_PERMISSIONS.has(permission) && details.isMainFrame && isOurs(details.requestingUrl)),
  );
  session.setPermissionCheckHandler(
    (_contents, permission, requestingOrigin) =>
      ALLOWED_PERMISSIONS.has(permission) && isOurs(requestingOrigin.replace(/\/$/, '')),
  );
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, callback) => callback(null));
  session.setSpellCheckerEnabled(false);
  session.on('will-download', (event) => event.preventDefault());
  session.webRequest.onBeforeRequest((details, callback) => callback({ cancel: !isLocalRequest(details.url) }));
}
