import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { DeviceStatus, StoreStatus } from '../../../src-shared/model/installation.ts';
import type { FormatList } from '../../../src-shared/model/slide-format.ts';
import { turboJpeg } from '../../engine/codec/turbo-jpeg.ts';
import { deviceLabel, NOT_RUN_BY_CHECKS } from '../../engine/infer/device.ts';
import { GraphCache, graphCacheFolder } from '../../engine/infer/graph-cache.ts';
import { THUMBNAIL_BUDGET_BYTES } from '../../engine/service/folder-service.ts';
import { listFormats } from '../../engine/slide/formats.ts';
import { TILE_CACHE_BYTES } from '../../engine/slide/tile-cache.ts';
import { ENCODED_BUDGET_BYTES } from '../../engine/tile/slide-images.ts';
import { EXIT } from '../exit-codes.ts';
import { appVersion, electronExecutable, packageVersion } from '../installation.ts';
import { findBrowser, onPath } from '../open-browser.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatBytes, formatTable } from '../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from './command.ts';

const PACKAGES = ['onnxruntime-node', 'better-sqlite3', 'sharp', '@julusian/jpeg-turbo', 'openseadragon'];

/** Everything a report of a fault should hold; no slide names, no paths but the store's. */
interface Diagnosis {
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string>>;
  readonly device: DeviceStatus | null;
  readonly store: { readonly folder: string; readonly exists: boolean; readonly status: StoreStatus | null };
  /** Optimised graphs that are kept in the store's folder. */
  readonly graphCache: { readonly graphs: number; readonly bytes: number };
  /** Which slide formats this installation reads, and with what. */
  readonly slides: FormatList;
  /** The library that decodes JPEG tiles, sharp where none is handed out. */
  readonly jpegDecoder: string;
  /** Most bytes that images of slides take up in memory, by what they are. */
  readonly imageMemory: {
    readonly encodedTilesBytes: number;
    readonly folderThumbnailsBytes: number;
    /** For each open slide, on each thread that reads it. */
    readonly decodedTilesBytes: number;
  };
  readonly browser: string | null;
  /** What does not work, most important first. */
  readonly problems: readonly ErrorPayload[];
}

export function doctorCommand(finish: Finish): Command {
  const command = newCommand('doctor', 'what this installation is and what works').option(...STORE_OPTION);
  return runs<{ store?: string }>(command, finish, async ({ store }, terminal) => {
    const diagnosis = await diagnose(storeFolder(store));
    terminal.printJson(diagnosis);
    terminal.print(describe(diagnosis));
    return diagnosis.problems.length === 0 ? EXIT.ok : EXIT.failed;
  });
}

async function diagnose(folder: string): Promise<Diagnosis> {
  const problems: ErrorPayload[] = [];
  const exists = existsSync(join(folder, 'hyaline.db'));
  let status: StoreStatus | null = null;
  let device: DeviceStatus | null = null;
  if (exists) {
    const about = await aboutOf(folder).catch((error: unknown) => {
      problems.push(toErrorPayload(error));
      return null;
    });
    status = about?.store ?? null;
    device = about?.device ?? null;
  }
  // The devices do not depend on the store: a locked or missing one is no reason to leave them out.
  device ??= await deviceAlone().catch((error: unknown) => {
    problems.push(toErrorPayload(error));
    return null;
  });
  return {
    versions: versions(),
    machine: machine(),
    device,
    store: { folder, exists, status },
    graphCache: await new GraphCache(graphCacheFolder(folder)).usage(),
    slides: listFormats(),
    jpegDecoder: turboJpeg()?.file ?? 'sharp',
    imageMemory: {
      encodedTilesBytes: ENCODED_BUDGET_BYTES,
      folderThumbnailsBytes: THUMBNAIL_BUDGET_BYTES,
      decodedTilesBytes: TILE_CACHE_BYTES,
    },
    browser: findBrowser()?.program ?? onPath(['chromium', 'google-chrome', 'firefox']),
    problems,
  };
}

async function aboutOf(folder: string) {
  const engine = await openEngine(folder, 0);
  try {
    return await engine.api.about();
  } finally {
    await engine.close();
  }
}

/** The device as a new store would see it; nothing is left behind. */
async function deviceAlone(): Promise<DeviceStatus> {
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-doctor-'));
  try {
    return (await aboutOf(folder)).device;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function versions(): Record<string, string> {
  const electron =
    electronExecutable() === null ? 'not installed (npm run setup:electron)' : packageVersion('electron');
  return {
    hyaline: appVersion(),
    node: process.versions.node,
    electron: electron ?? 'unknown',
    ...Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(name) ?? 'missing'])),
  };
}

function machine(): Record<string, string> {
  return {
    system: `${process.platform} ${process.arch} ${release()}`,
    processor: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads`,
    memory: formatBytes(totalmem()),
  };
}

function describe({
  versions: found,
  machine: host,
  device,
  store,
  graphCache,
  slides,
  jpegDecoder,
  imageMemory,
  browser,
  problems,
}: Diagnosis): string {
  const rows: [string, string][] = [
    ...Object.entries(found),
    ...Object.entries(host),
    ['device', device === null ? 'unknown' : `${device.name}: ${device.detail}, ${device.threads} threads`],
    ...(device?.refused ?? []).map(({ name, reason }): [string, string] => [`  not ${name}`, reason]),
    [
      '  not run by checks',
      `${NOT_RUN_BY_CHECKS.map(deviceLabel).join(', ')}: not tried on real devices by this project's checks`,
    ],
    ['store', store.exists ? store.folder : `${store.folder} (not made yet)`],
  ];
  if (store.status !== null) {
    const { sizeBytes, featureBytes, schemaVersion, readOnlyReason } = store.status;
    rows.push(['  size', `${formatBytes(sizeBytes)}, of it features ${formatBytes(featureBytes)}`]);
    rows.push(['  schema', `${schemaVersion}${readOnlyReason === '' ? '' : `, read-only: ${readOnlyReason}`}`]);
  }
  if (store.exists) {
    rows.push(['  optimised graphs', `${graphCache.graphs} kept, ${formatBytes(graphCache.bytes)} (cache/graphs)`]);
  }
  rows.push(...formatRows(slides));
  rows.push([
    'JPEG tiles',
    `decoded by ${jpegDecoder === 'sharp' ? 'sharp' : `libjpeg-turbo (${basename(jpegDecoder)})`}`,
  ]);
  rows.push(...memoryRows(imageMemory));
  rows.push(['browser', browser ?? 'none found']);
  rows.push(...problems.map(({ message, advice }): [string, string] => ['PROBLEM', `${message} ${advice}`]));
  return formatTable(rows);
}

/** What is kept is dropped least recently used first. */
function memoryRows({ encodedTilesBytes, folderThumbnailsBytes, decodedTilesBytes }: Diagnosis['imageMemory']) {
  return [
    ['memory for images', ''],
    ['  encoded tiles', `at most ${formatBytes(encodedTilesBytes)}; JPEG tiles pass through and are not kept`],
    ['  folder thumbnails', `at most ${formatBytes(folderThumbnailsBytes)}`],
    ['  decoded tiles', `at most ${formatBytes(decodedTilesBytes)} for each open slide on each thread that reads it`],
  ] as [string, string][];
}

const READERS = { hyaline: 'Hyaline', sharp: 'sharp', openslide: 'OpenSlide' } as const;

/** OpenSlide as it was found, or how to get it; then every format with its reader. */
function formatRows({ formats, openSlide, advice }: FormatList): readonly [string, string][] {
  return [
    ['OpenSlide', openSlide === null ? `not found. ${advice}` : `${openSlide.version} (${openSlide.file})`],
    ...formats.map(({ name, reader, available, syntheticOnly, note }): [string, string] => {
      const untried = syntheticOnly === '' ? '' : `; synthetic only: ${syntheticOnly}`;
      return [
        `  ${READERS[reader]}${available ? '' : ', missing'}`,
        `${name}${untried}${note === '' ? '' : `; ${note}`}`,
      ];
    }),
  ];
}
