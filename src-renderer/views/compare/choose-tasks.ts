import { shell } from '../../client/shell.ts';

/** Lets the user choose folders or tables of tasks; `browse` opens our own dialog where there is no native one. */
export async function chooseTasks(browse: () => void): Promise<void> {
  if (shell === null) browse();
}
