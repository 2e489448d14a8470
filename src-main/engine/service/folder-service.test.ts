import { linkSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { FoundSlide } from '../../../src-shared/model/folder.ts';
import { asId, type FileGrant, type FolderId } from '../../../src-shared/model/ids.ts';
import { jpegPyramid, scratchFolder } from '../slide/test-files.ts';
import { FolderService } from './folder-service.ts';
import { Grants } from './grants.ts';

const scratch = scratchFolder();
afterAll(() => scratch.remove());

const opened: FolderService[] = [];
function service(): { readonly folders: FolderService; readonly grants: Grants } {
  const grants = new Grants();
  const folders = new FolderService(grants);
  opened.push(folders);
  return { folders, grants };
}
afterEach(() => {
  for (const folders of opened.splice(0)) folders.close();
});

async function readAll(folders: FolderService, id: FolderId): Promise<readonly FoundSlide[]> {
  const found: FoundSlide[] = [];
  for (;;) {
    const part = await folders.read(id, found.length);
    expect(part.slides.length).toBeLessThanOrEqual(60);
    found.push(...part.slides);
    expect(part.next).toBe(found.length);
    if (part.complete) return found;
  }
}

describe('a folder that is looked through', () => {
  it('gives its slides part by part, each with a thumbnail, without a path', async () => {
    mkdirSync(join(scratch.path, 'many'));
    const original = scratch.write('original.tif', await jpegPyramid());
    for (let index = 0; index < 450; index++) linkSync(original, join(scratch.path, 'many', `s${index}.tif`));
    scratch.write('many/bad.svs', 'no slide at all');
    const { folders, grants } = service();
    const { id, name } = await folders.open(join(scratch.path, 'many'));
    expect(name).toBe('many');
    const found = await readAll(folders, id);
    expect(found).toHaveLength(451);
    expect(JSON.stringify(found)).not.toContain(scratch.path);
    expect(found[0]).toMatchObject({ name: 'bad.svs', facts: null, error: { code: 'NotASlide' } });
    expect(found[3]).toMatchObject({ name: 's2.tif', error: null, files: 1 });
    const { bytes } = await folders.thumbnail(found[3]?.grant ?? asId<FileGrant>(''), 64);
    const { width = 0, height = 0, format } = await sharp(bytes).metadata();
    expect([format, Math.max(width, height)]).toEqual(['jpeg', 64]);
    expect(grants.redeem(found[3]?.grant ?? asId<FileGrant>(''))).toBe(join(scratch.path, 'many', 's2.tif'));
    await expect(folders.thumbnail(found[0]?.grant ?? asId<FileGrant>(''), 64)).rejects.toMatchObject({
      code: 'NotASlide',
    });
  });

  it('is left when it is closed, and then has to be opened again', async () => {
    const { folders } = service();
    const { id } = await folders.open(scratch.path);
    folders.closeFolder(id);
    await expect(folders.read(id, 0)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('must be a folder, and there', async () => {
    const { folders } = service();
    await expect(folders.open(join(scratch.path, 'gone'))).rejects.toMatchObject({ code: 'FileUnreadable' });
    const file = scratch.write('file.tif', 'x');
    await expect(folders.open(file)).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(folders.thumbnail(asId<FileGrant>('/etc/passwd'), 64)).rejects.toMatchObject({ code: 'NotAllowed' });
  });
});
