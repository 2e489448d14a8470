import { describe, expect, it, vi } from 'vitest';
import { ThumbnailQueue } from './thumbnail-queue.ts';

/** A server whose answers the test gives. */
function heldServer() {
  const asked: string[] = [];
  const answers = new Map<string, (response: Response) => void>();
  const fetcher = ((path: string, init: { signal: AbortSignal }) =>
    new Promise<Response>((resolve, reject) => {
      asked.push(path);
      answers.set(path, resolve);
      init.signal.addEventListener('abort', () => reject(init.signal.reason));
    })) as unknown as typeof fetch;
  return { asked, fetcher, answer: (path: string) => answers.get(path)?.(new Response('picture')) };
}

const never = new AbortController().signal;

describe('pictures of cards', () => {
  it('are fetched a few at a time, the latest wanted first', async () => {
    vi.useFakeTimers();
    const { asked, fetcher, answer } = heldServer();
    const queue = new ThumbnailQueue(fetcher);
    for (const path of ['a', 'b', 'c', 'd', 'e']) void queue.load(path, never).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual(['a', 'b', 'c']);
    answer('a');
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toEqual(['a', 'b', 'c', 'e']);
    vi.useRealTimers();
  });

  it('of cards that were scrolled past are never asked for, and a fetch under way is stopped', async () => {
    vi.useFakeTimers();
    const { asked, fetcher } = heldServer();
    const queue = new ThumbnailQueue(fetcher);
    const [past, seen] = [new AbortController(), new AbortController()];
    const left = queue.load('past', past.signal).catch((error: unknown) => error);
    const stopped = queue.load('seen', seen.signal).catch((error: unknown) => error);
    past.abort(new Error('out of sight'));
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual(['seen']);
    expect(await left).toMatchObject({ message: 'out of sight' });
    seen.abort(new Error('gone'));
    expect(await stopped).toMatchObject({ message: 'gone' });
    vi.useRealTimers();
  });
});
