import { spawn } from 'node:child_process';

const NETWORK_FAULT =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|fetch failed|RequestError/;

/** How a package's own installer ended. */
export interface InstallerEnd {
  readonly code: number | null;
  /** What it wrote to stderr. */
  readonly complaint: string;
  /** Whether that says that the network could not be reached. */
  readonly unreachable: boolean;
}

/** Runs the script with which a package fetches what npm does not carry; its progress goes to this terminal. */
export async function runInstaller(script: string, env: NodeJS.ProcessEnv = process.env): Promise<InstallerEnd> {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'inherit', 'pipe'], env });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, complaint, unreachable: NETWORK_FAULT.test(complaint) };
}

/** The first line of a complaint that says something. */
export function firstLine(complaint: string): string {
  return complaint.trim().split('\n')[0] || 'no reason given';
}
