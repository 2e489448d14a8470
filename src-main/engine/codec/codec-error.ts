/** Compressed bytes that do not decode to what their container promises. Readers turn it into SlideDamaged. */
export class CodecError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'CodecError';
  }
}
