import { SingleBar } from 'cli-progress';
import { AppError, fromErrorPayload, toErrorPayload } from '../../src-shared/errors.ts';
import type { JobProgress } from '../../src-shared/model/job.ts';

/** Where a command speaks: results on stdout, everything else on stderr. */
export interface Terminal {
  /** True when stdout carries one JSON document and nothing else. */
  readonly json: boolean;
  /** The result for people; silent with --json. */
  print(text: string): void;
  /** The result for programs; silent without --json. */
  printJson(value: unknown): void;
  /** A remark on the way, on stderr. */
  note(text: string): void;
  /** Shows how a job goes: a bar on a terminal, nothing in a pipe. */
  progress(title: string): ProgressBar;
}

export interface ProgressBar {
  update(progress: JobProgress): void;
  stop(): void;
}

/** A reader that has seen enough (`hyaline … | head`) closes the pipe: what is left to say is dropped, work goes on. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

export function openTerminal(json: boolean): Terminal {
  return {
    json,
    print: (text) => void (json || process.stdout.write(`${text}\n`)),
    printJson: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
    note: (text) => void process.stderr.write(`${text}\n`),
    progress: (title) => (process.stderr.isTTY && !json ? barOnTerminal(title) : silentBar),
  };
}

const silentBar: ProgressBar = { update: () => undefined, stop: () => undefined };

function barOnTerminal(title: string): ProgressBar {
  const bar = new SingleBar({
    format: `${title}  {stage} [{bar}] {percentage}%  {value}/{total} {unit}  {speed}  {left}`,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
  });
  bar.start(1, 0, { stage: '', unit: '', speed: '', left: '' });
  return {
    update({ stage, done, total, unit = '', perSecond, secondsLeft }) {
      bar.setTotal(Math.max(1, total));
      bar.update(done, {
        stage,
        unit,
        speed: perSecond === null ? '' : `${perSecond.toFixed(1)}/s`,
        left: secondsLeft === null ? '' : `${formatDuration(secondsLeft)} left`,
      });
    },
    stop: () => bar.stop(),
  };
}

/** Seconds as `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes as `512 B`, `1.4 MB`, in steps of 1000 as file managers show them. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${step === 0 ? bytes : (bytes / 1000 ** step).toFixed(1)} ${units[step]}`;
}

/** Two columns, the first as wide as its longest entry. */
export function formatTable(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** An error as the user reads it: the sentence, then what to do. */
export function formatError(error: unknown): string {
  const known = error instanceof AppError ? error : fromErrorPayload(toErrorPayload(error));
  const detail = known.code === 'Internal' && known.detail !== '' ? `\n${known.detail}` : '';
  return known.advice === '' ? `${known.message}${detail}` : `${known.message} ${known.advice}${detail}`;
}
