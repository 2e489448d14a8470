import { describe, expect, it } from 'vitest';
import { routes } from '../../../src-shared/api/routes.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { asId, type ExportId, type SlideId } from '../../../src-shared/model/ids.ts';
import { createHandler, type RouteTable } from './handler.ts';

const slideId = asId<SlideId>('a'.repeat(64));
const refuse = async (): Promise<never> => {
  throw new AppError('NotFound', 'No such slide.');
};
const table: RouteTable = {
  tile: async ({ level, column, row }) => ({
    bytes: Uint8Array.of(level, column, row),
    mediaType: 'image/jpeg',
    immutable: true,
  }),
  correctedTile: refuse,
  colourLut: refuse,
  thumbnail: refuse,
  foundThumbnail: refuse,
  associated: refuse,
  region: async () => {
    throw new AppError('SlideDamaged', 'This tile cannot be read.');
  },
  tissue: refuse,
  mapValues: refuse,
  patch: refuse,
  mapDifference: refuse,
  download: async () => ({
    bytes: new Uint8Array(1),
    mediaType: 'application/pdf',
    immutable: false,
    fileName: 'Fälle 1.pdf',
  }),
};
const handle = createHandler(table);
const get = async (path: string, method = 'GET') => await handle({ method, path });
const payload = (body: Uint8Array): { code: string } => JSON.parse(new TextDecoder().decode(body)) as { code: string };

describe('the route handler', () => {
  it('serves bytes with type, length and caching', async () => {
    const response = await get(routes.tile(slideId, 1, 2, 3));
    expect(response.status).toBe(200);
    expect([...response.body]).toEqual([1, 2, 3]);
    expect(response.headers).toMatchObject({ 'content-type': 'image/jpeg', 'content-length': '3' });
    expect(response.headers['cache-control']).toContain('immutable');
  });

  it('turns errors into payloads with a matching status, and never rejects', async () => {
    const missing = await get(routes.thumbnail(slideId, 100));
    expect([missing.status, payload(missing.body).code]).toEqual([404, 'NotFound']);
    const damaged = await get(routes.region(slideId, 0, 0, 10, 10));
    expect([damaged.status, payload(damaged.body).code]).toEqual([422, 'SlideDamaged']);
    expect((await get('/../../etc/passwd')).status).toBe(404);
    expect((await get('/tile/%00/0/0_0')).status).toBe(404);
    expect((await get(routes.tile(slideId, 0, 0, 0), 'POST')).status).toBe(405);
  });

  it('names a download without breaking the header', async () => {
    const response = await get(routes.download(asId<ExportId>('x')));
    expect(response.headers['content-disposition']).toBe("attachment; filename*=UTF-8''F%C3%A4lle%201.pdf");
  });
});
