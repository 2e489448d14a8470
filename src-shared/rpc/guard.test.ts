import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { portEndpoint } from './port-endpoint.ts';
import { isOutcome } from './protocol.ts';
import { serveEngine } from './server.ts';
import { fakeEngine } from './testing/fake-engine.ts';

/** A raw port on the client's side: what a compromised page could send. */
function attack() {
  const { port1, port2 } = new MessageChannel();
  const engine = fakeEngine();
  serveEngine(engine.api, portEndpoint(port1), engine.subscribe);
  const answers: { id?: string; type?: string; value?: unknown }[] = [];
  port2.on('message', (message) => answers.push(message));
  const ask = async (message: object): Promise<(typeof answers)[number] | null> => {
    const before = answers.length;
    port2.postMessage(message);
    // A well-formed call after it is answered in order: when its answer is there, the attack's would be too.
    const id = `fence-${before}`;
    port2.postMessage({ id, type: 'APPLY', path: ['listSlides'], argumentList: [] });
    while (!answers.some((answer) => answer.id === id)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return answers.slice(before).find((answer) => answer.id !== id) ?? null;
  };
  return { ask, close: () => port2.close(), calls: engine.calls };
}

const raw = (value: unknown) => ({ type: 'RAW', value });

describe('guardEndpoint', () => {
  let session = attack();
  afterEach(() => {
    session.close();
    session = attack();
  });

  const refused: [string, object][] = [
    ['SET on a prototype', { type: 'SET', path: ['__proto__', 'polluted'], value: raw('yes') }],
    ['SET on Object.prototype', { type: 'SET', path: ['constructor', 'prototype', 'polluted'], value: raw('yes') }],
    ['SET on a method', { type: 'SET', path: ['listSlides'], value: raw('yes') }],
    ['GET of the object', { type: 'GET', path: [] }],
    ['GET of a method', { type: 'GET', path: ['listSlides'] }],
    ['CONSTRUCT of Function', { type: 'CONSTRUCT', path: ['about', 'constructor'], argumentList: [raw('return 1')] }],
    ['CONSTRUCT of a method', { type: 'CONSTRUCT', path: ['about'], argumentList: [] }],
    ['ENDPOINT', { type: 'ENDPOINT' }],
    ['RELEASE', { type: 'RELEASE' }],
    ['an unknown type', { type: 'EVAL', path: ['about'], argumentList: [] }],
    ['no type', { path: ['about'], argumentList: [] }],
    ['a type that is an object', { type: { toString: 'APPLY' }, path: ['about'], argumentList: [] }],
    ['an empty path', { type: 'APPLY', path: [], argumentList: [] }],
    ['no path', { type: 'APPLY', argumentList: [] }],
    ['a path of two', { type: 'APPLY', path: ['about', 'call'], argumentList: [] }],
    ['a path through constructor', { type: 'APPLY', path: ['constructor'], argumentList: [raw('return 1')] }],
    ['a path to __proto__', { type: 'APPLY', path: ['__proto__'], argumentList: [] }],
    ['hasOwnProperty', { type: 'APPLY', path: ['hasOwnProperty'], argumentList: [raw('about')] }],
    ['a host-only method', { type: 'APPLY', path: ['grant'], argumentList: [raw('/etc/passwd')] }],
    ['a path that is a string', { type: 'APPLY', path: 'about', argumentList: [] }],
    ['a path item that is a list', { type: 'APPLY', path: [['about']], argumentList: [] }],
    ['a proxy argument', { type: 'APPLY', path: ['getSlide'], argumentList: [{ type: 'HANDLER', name: 'proxy' }] }],
    ['a throw argument', { type: 'APPLY', path: ['getSlide'], argumentList: [{ type: 'HANDLER', name: 'throw' }] }],
    ['a bare argument', { type: 'APPLY', path: ['getSlide'], argumentList: ['abc'] }],
    ['arguments that are no list', { type: 'APPLY', path: ['getSlide'], argumentList: { length: 1, 0: raw('abc') } }],
    ['nine arguments', { type: 'APPLY', path: ['getSlide'], argumentList: Array.from({ length: 9 }, () => raw(1)) }],
    [
      'a __proto__ key',
      { type: 'APPLY', path: ['getSlide'], argumentList: [raw(JSON.parse('{"__proto__":{"polluted":1}}'))] },
    ],
    [
      'a nested constructor key',
      { type: 'APPLY', path: ['getSlide'], argumentList: [raw({ a: [{ constructor: { prototype: 1 } }] })] },
    ],
    ['bytes', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(new Uint8Array(8))] }],
    ['a Map', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(new Map())] }],
    ['a Date', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(new Date(0))] }],
    ['NaN', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(Number.NaN)] }],
    ['a bigint', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(1n)] }],
    ['two megabytes', { type: 'APPLY', path: ['getSlide'], argumentList: [raw('x'.repeat(2_000_000))] }],
    [
      'megabytes in parts',
      { type: 'APPLY', path: ['getSlide'], argumentList: Array.from({ length: 4 }, () => raw('x'.repeat(300_000))) },
    ],
    ['a sparse array', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(new Array(1e6))] }],
    [
      'many values',
      { type: 'APPLY', path: ['getSlide'], argumentList: [raw(Array.from({ length: 30_000 }, () => 0))] },
    ],
    ['deep nesting', { type: 'APPLY', path: ['getSlide'], argumentList: [raw(nested(40))] }],
  ];

  it.each(refused)('answers %s with an error and calls nothing', async (_name, message) => {
    const answer = await session.ask({ id: 'attack', ...message });
    const outcome = answer?.value;
    expect(isOutcome(outcome) && !outcome.ok && ['NotAllowed', 'InvalidRequest'].includes(outcome.error.code)).toBe(
      true,
    );
    expect(session.calls.filter((call) => call !== 'listSlides')).toEqual([]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each([
    ['no id', { type: 'APPLY', path: ['about'], argumentList: [] }],
    ['a numeric id', { id: 5, type: 'APPLY', path: ['about'], argumentList: [] }],
    ['an endless id', { id: 'x'.repeat(10_000), type: 'APPLY', path: ['about'], argumentList: [] }],
    ['an event of its own', { event: { type: 'library-changed' } }],
  ])('drops a message with %s', async (_name, message) => {
    expect(await session.ask(message)).toBeNull();
    expect(session.calls).toEqual(['listSlides']);
  });

  it('survives a cyclic argument', async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const answer = await session.ask({ id: 'a', type: 'APPLY', path: ['getSlide'], argumentList: [raw(cyclic)] });
    expect(answer?.value).toMatchObject({ ok: false, error: { code: 'InvalidRequest' } });
  });

  it('lets an honest call through', async () => {
    const answer = await session.ask({ id: 'a', type: 'APPLY', path: ['getSetting'], argumentList: [raw('theme')] });
    expect(answer).toMatchObject({ type: 'RAW', value: { ok: true, value: null } });
    expect(session.calls).toContain('getSetting');
  });
});

function nested(depth: number): unknown {
  return depth === 0 ? 0 : [nested(depth - 1)];
}
