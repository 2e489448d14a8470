/**
 * The one error type that crosses boundaries. `code` is for programs, `message` is one sentence a user understands,
 * `advice` says what to do next, `detail` is for the log and never holds a slide label or a patient's name.
 */
export const ERROR_CODES = [
  'Cancelled',
  'EngineCrashed',
  'Internal',
  'InvalidRequest',
  'NotAllowed',
  'NotFound',
  'FileUnreadable',
  'NotASlide',
  'SlideDamaged',
  'SlideFormatUnsupported',
  'SlideMoved',
  'MppUnknown',
  'NoTissue',
  'BackboneUnreadable',
  'BackboneShapeUnsupported',
  'BackboneFailed',
  'DeviceFailed',
  'DiskFull',
  'StoreLocked',
  'StoreDamaged',
  'StoreTooNew',
  'StoreReadOnly',
  'StoreOnNetwork',
  'JobNotResumable',
  'NetworkUnavailable',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export class AppError extends Error {
  readonly code: ErrorCode;
  /** What the user can do next, one sentence; empty where there is nothing to do. */
  readonly advice: string;
  readonly detail: string;

  constructor(code: ErrorCode, message: string, options: { advice?: string; detail?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.advice = options.advice ?? '';
    this.detail = options.detail ?? '';
  }
}

/** The JSON-safe form in which an error crosses a process. */
export interface ErrorPayload {
  readonly code: ErrorCode;
  readonly message: string;
  readonly advice: string;
  readonly detail: string;
}

/** Any thrown value as a payload; what is not an AppError becomes `Internal` with its message kept as detail. */
export function toErrorPayload(error: unknown): ErrorPayload {
  if (error instanceof AppError) {
    return { code: error.code, message: error.message, advice: error.advice, detail: error.detail };
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'Internal',
    message: 'Something went wrong inside Hyaline.',
    advice: 'Try again; if it happens again, report it with the details below.',
    detail,
  };
}

/** The AppError a payload stands for; an unknown code becomes `Internal`. */
export function fromErrorPayload(payload: ErrorPayload): AppError {
  const code = ERROR_CODES.includes(payload.code) ? payload.code : 'Internal';
  return new AppError(code, payload.message, { advice: payload.advice, detail: payload.detail });
}

/** True for an AppError with one of the given codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AppError {
  return error instanceof AppError && codes.includes(error.code);
}
