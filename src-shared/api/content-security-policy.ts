/**
 * The one stylesheet OpenSeadragon injects into the page (it removes the focus outline on touch screens), allowed by
 * its hash: everything else must come from the application's own files. A test compares the hash with the source of the
 * installed OpenSeadragon.
 */
export const OPENSEADRAGON_STYLE_HASH = 'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE=';

/** The Content-Security-Policy of every page, whichever host serves it. */
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
