import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineApi } from '../../../src-shared/api/engine.ts';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { routes } from '../../../src-shared/api/routes.ts';
import { asId, type BackboneId, type FileGrant, type RunId, type SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import type { EngineResponse } from '../../engine/engine.ts';
import { writeTinySlide } from './tiny-slide.ts';

/** An engine as a client has it, and what only its host can do. */
export interface ReachedEngine {
  readonly engine: EngineApi;
  onEvent(listener: (event: EngineEvent) => void): () => void;
  grant(path: string): Promise<FileGrant> | FileGrant;
  get(path: string): Promise<Pick<EngineResponse, 'status' | 'headers' | 'body'>>;
  close(): Promise<void>;
}

const JOB_TIMEOUT_MS = 60_000;

/** What every way of reaching an engine must show alike: the same calls, errors, events and bytes. */
export function engineConformance(name: string, open: (storeFolder: string) => Promise<ReachedEngine>): void {
  describe(`an engine reached ${name}`, () => {
    let folder: string;
    let reached: ReachedEngine;
    const events: EngineEvent[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hyaline-conformance-'));
      await writeTinySlide(join(folder, 'tiny.tif'));
      reached = await open(join(folder, 'store'));
      reached.onEvent((event) => events.push(event));
    });

    afterAll(async () => {
      await reached?.close();
      await rm(folder, { recursive: true, force: true });
    });

    const openTiny = async () => reached.engine.openSlide(await reached.grant(join(folder, 'tiny.tif')));

    it('tells what it is', async () => {
      const about = await reached.engine.about();
      expect(about.version).toMatch(/^\d+\.\d+\.\d+/);
      expect(about.store).toMatchObject({ folder: join(folder, 'store'), readOnly: false });
      expect(JSON.parse(JSON.stringify(about))).toEqual(about);
    });

    it('keeps settings and knows absent ones', async () => {
      await reached.engine.setSetting('test.key', 'a "quoted"\nvalue, µm');
      expect(await reached.engine.getSetting('test.key')).toBe('a "quoted"\nvalue, µm');
      expect(await reached.engine.getSetting('test.absent')).toBeNull();
    });

    it('answers faults with their code and a sentence', async () => {
      const { engine } = reached;
      const fault = (call: Promise<unknown>) => call.then(() => null).catch((error: unknown) => error);
      expect(await fault(engine.getSlide(asId<SlideId>('0'.repeat(64))))).toMatchObject({ code: 'NotFound' });
      expect(await fault(engine.openSlide(asId<FileGrant>('/etc/passwd')))).toMatchObject({ code: 'NotAllowed' });
      expect(await fault(engine.getMap(asId<RunId>('none'), { kind: 'pca' }))).toMatchObject({ code: 'NotFound' });
      await writeFile(join(folder, 'text.svs'), 'not a slide at all');
      const text = await reached.grant(join(folder, 'text.svs'));
      expect(await fault(engine.openSlide(text))).toMatchObject({
        code: 'NotASlide',
        message: expect.stringMatching(/\.$/),
      });
      expect(await fault(engine.importBackbone(text, {}))).toMatchObject({ code: 'BackboneUnreadable' });
    });

    it('opens a granted slide, tells everyone, and remembers a pixel size', async () => {
      const slide = await openTiny();
      expect(slide).toMatchObject({ name: 'tiny.tif', mpp: null, info: { widthPx: 900, heightPx: 700 } });
      const sized = await reached.engine.setSlideMpp(slide.id, 0.5);
      expect(sized.mpp).toEqual({ xUm: 0.5, yUm: 0.5, source: 'user' });
      expect(await reached.engine.getSlide(slide.id)).toEqual(sized);
      await expect.poll(() => events.some(({ type }) => type === 'library-changed')).toBe(true);
    });

    it('serves the bytes of a tile, and an error as JSON', async () => {
      const { id } = await openTiny();
      const tile = await reached.get(routes.tile(id, 0, 0, 0));
      expect(tile.status).toBe(200);
      expect(await sharp(tile.body).metadata()).toMatchObject({ width: 256, height: 256 });
      const missing = await reached.get(routes.tile(asId<SlideId>('0'.repeat(64)), 0, 0, 0));
      expect(missing.status).toBe(404);
      expect(JSON.parse(new TextDecoder().decode(missing.body))).toMatchObject({ code: 'NotFound' });
    });

    it('refuses arguments of the wrong kind instead of failing inside', async () => {
      const { engine } = reached;
      const wrong = { mpp: 'fine', tileUm: -1 } as unknown as typeof DEFAULT_GRID;
      const { id } = await openTiny();
      await expect(engine.previewGrid(id, DEFAULT_TISSUE, wrong, null)).rejects.toMatchObject({
        code: 'InvalidRequest',
      });
    });

    it('runs an analysis as a job with progress, and answers from it', async () => {
      const { engine } = reached;
      const slide = await openTiny();
      await engine.setSlideMpp(slide.id, 0.5);
      const backbone = (await engine.listBackbones()).find(({ name: card }) => card === 'random-resnet18');
      const request = {
        slideId: slide.id,
        backboneId: backbone?.id ?? asId<BackboneId>(''),
        cut: null,
        grid: { ...DEFAULT_GRID, minTissueFraction: 0 },
        tissue: DEFAULT_TISSUE,
      };
      const { runId, jobId } = await engine.startAnalysis(request);
      expect(jobId).not.toBeNull();
      const states = () =>
        events.flatMap((event) => (event.type === 'job' && event.job.id === jobId ? [event.job.state] : []));
      await expect.poll(() => states().at(-1), { timeout: JOB_TIMEOUT_MS }).toBe('done');
      expect(states()).toContain('running');
      const map = await engine.getMap(runId, { kind: 'pca' });
      const values = await reached.get(routes.mapValues(runId, { kind: 'pca' }));
      expect(values.body.byteLength).toBe(4 * map.columns * map.rows * map.channels);
      const tile = await engine.tileAt(runId, 300, 300);
      expect(tile).toMatchObject({ column: 1, row: 1 });
      const similar = await engine.similarTiles(runId, tile?.index ?? 0, 3);
      expect(similar).toHaveLength(3);
      const again = await engine.startAnalysis(request);
      expect(again).toEqual({ runId, jobId: null });
    });
  });
}
