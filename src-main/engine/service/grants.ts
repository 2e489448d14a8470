import { randomUUID } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type FileGrant } from '../../../src-shared/model/ids.ts';

/** Rights to read single files, given out by the host and redeemed by the API. They live as long as the engine. */
export class Grants {
  readonly #pathByGrant = new Map<FileGrant, string>();
  readonly #grantByPath = new Map<string, FileGrant>();

  /** The right to read `path`; the same path always has the same grant. */
  give(path: string): FileGrant {
    const known = this.#grantByPath.get(path);
    if (known !== undefined) return known;
    const grant = asId<FileGrant>(randomUUID());
    this.#grantByPath.set(path, grant);
    this.#pathByGrant.set(grant, path);
    return grant;
  }

  /** The path behind a grant. Throws NotAllowed for one this engine did not give out. */
  redeem(grant: FileGrant): string {
    const path = this.#pathByGrant.get(grant);
    if (path === undefined) {
      throw new AppError('NotAllowed', 'This file was not opened through Hyaline.', {
        advice: 'Choose the file again with Open, or drop it on the window.',
      });
    }
    return path;
  }
}
