import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileDownloadInfo, HubApiError } from '@huggingface/hub';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, OriginalFile } from '../../../src-shared/model/backbone.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import { CATALOGUE, type CatalogueEntry, catalogueCard, catalogueFileName } from './catalogue.ts';
import { download, hashFile, refusal } from './download.ts';
import { prepareImport } from './registry.ts';

export interface FetchRequest {
  /** Name of a catalogue entry. */
  readonly name: string;
  readonly backbonesFolder: string;
  /** Where downloads are kept until they are imported, and continued after an interruption. */
  readonly downloadFolder: string;
  /** A folder or an http(s) address that holds `NAME/FILE`, used instead of the original source. */
  readonly mirror?: string | null;
  readonly hubUrl?: string;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number, total: number | null) => void;
  /** The file is here; what follows is its import. */
  readonly onFetched?: () => void;
  readonly worker?: InferenceWorker;
}

/** An entry of the catalogue by name. @throws AppError NotFound. */
export function findCatalogueEntry(name: string, entries: readonly CatalogueEntry[] = CATALOGUE): CatalogueEntry {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry) return entry;
  throw new AppError('NotFound', `The catalogue has no backbone called "${name}".`, {
    advice: `It has ${entries.map((candidate) => candidate.name).join(', ')}.`,
  });
}

/**
 * Fetches a backbone of the catalogue and imports it. The only network access of the engine, made because the user
 * asked for this name.
 *
 * @throws AppError as `download` and `prepareImport`.
 */
export async function fetchBackbone(
  request: FetchRequest,
  entries: readonly CatalogueEntry[] = CATALOGUE,
): Promise<BackboneCard> {
  const entry = findCatalogueEntry(request.name, entries);
  const path = join(request.downloadFolder, entry.name, catalogueFileName(entry));
  await mkdir(dirname(path), { recursive: true });
  const file = await obtain(request, entry, path);
  request.onFetched?.();
  // The catalogue's knowledge becomes the card beside the file, which the import reads.
  const cardPath = path.replace(/\.[^.]+$/, '.json');
  await writeFile(cardPath, JSON.stringify(catalogueCard(entry)));
  const card = await prepareImport(path, {}, request.backbonesFolder, request.worker);
  return { ...card, file };
}

async function obtain(request: FetchRequest, entry: CatalogueEntry, path: string): Promise<OriginalFile> {
  const { mirror = null } = request;
  const stated = entry.from.kind === 'url' ? entry.from.sha256Start : null;
  if (mirror !== null && !/^https?:\/\//.test(mirror)) return copyFromFolder(mirror, entry, path, stated);
  const source = mirror === null ? await originalOf(request, entry) : mirrored(mirror, entry, stated);
  const { signal, onProgress, fetch: get } = request;
  const sha256 = await download({
    ...source,
    path,
    page: entry.page,
    ...(get ? { fetch: get } : {}),
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  return { name: basename(path), sha256, digestChecked: source.sha256Start !== null };
}

interface Source {
  readonly url: string;
  readonly sha256Start: string | null;
}

function mirrored(mirror: string, entry: CatalogueEntry, sha256Start: string | null): Source {
  return { url: `${mirror.replace(/\/$/, '')}/${entry.name}/${catalogueFileName(entry)}`, sha256Start };
}

/** Address and digest at the original source; the hub names the SHA-256 of a large file as its ETag. */
async function originalOf(request: FetchRequest, entry: CatalogueEntry): Promise<Source> {
  const { from, page } = entry;
  if (from.kind === 'url') return { url: from.url, sha256Start: from.sha256Start };
  try {
    const { hubUrl, fetch: get } = request;
    const info = await fileDownloadInfo({
      repo: from.repo,
      path: from.path,
      ...(hubUrl === undefined ? {} : { hubUrl }),
      ...(get ? { fetch: get } : {}),
    });
    if (!info) throw refusal(404, page);
    const digest = info.etag.replace(/^W\//, '').replaceAll('"', '');
    return { url: info.url, sha256Start: /^[0-9a-f]{64}$/.test(digest) ? digest : null };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw refusal(cause instanceof HubApiError ? cause.statusCode : 0, page);
  }
}

/** Where a folder that stands in for the servers holds the file of an entry: `NAME/FILE`, else `FILE`; null where it does not. */
export async function findInFolder(folder: string, entry: CatalogueEntry): Promise<string | null> {
  const name = catalogueFileName(entry);
  const places = [join(folder, entry.name, name)];
  // Half of the entries are called model.safetensors: alone, that name says nothing.
  if (entry.from.kind === 'url') places.push(join(folder, name));
  for (const place of places) if ((await stat(place).catch(() => null))?.isFile()) return place;
  return null;
}

async function copyFromFolder(
  mirror: string,
  entry: CatalogueEntry,
  path: string,
  stated: string | null,
): Promise<OriginalFile> {
  const name = catalogueFileName(entry);
  const place = await findInFolder(mirror, entry);
  if (place !== null) {
    const sha256 = await hashFile(place);
    if (stated !== null && !sha256.startsWith(stated)) {
      throw new AppError('BackboneUnreadable', 'The file in the mirror is not the one its source describes.', {
        advice: 'Copy it to the mirror again.',
        detail: `SHA-256 ${sha256}, stated ${stated}`,
      });
    }
    await copyFile(place, path);
    return { name, sha256, digestChecked: stated !== null };
  }
  throw new AppError('NotFound', `The mirror does not hold ${entry.name}.`, {
    advice: `Put the file there as ${entry.name}/${name}.`,
  });
}
