let own = false;

/** For threads whose purpose is decoding: codecs then block them rather than hand the work to further threads. */
export function decodeInThisThread(): void {
  own = true;
}

/** True on a thread that may be blocked by decoding. */
export function decodesInThisThread(): boolean {
  return own;
}
