/**
 * OpenSeadragon adds one <style> to the page (no focus outline on touch screens). Its text is fixed, so it is allowed by
 * hash; a test recomputes the hash from the installed package.
 */
export const OPENSEADRAGON_STYLE_HASH = 'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE=';

/** The Content-Security-Policy of the renderer, the same under `app://` and `http://127.0.0.1`. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' '${OPENSEADRAGON_STYLE_HASH}'`,
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers that every answer to the renderer carries, whichever host gives it. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
};
