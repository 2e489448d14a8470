import type { MessagePort } from 'node:worker_threads';
import { AppError, toErrorPayload } from '../../../src-shared/errors.ts';
import { analyseFile } from '../backbone/analyse-model.ts';
import { reportCheckpoint } from '../backbone/build-checkpoint.ts';
import { makeBuiltIn } from '../backbone/built-in.ts';
import { backboneFile, makeCutModel, makeRandomNetwork, makeRandomTwin } from '../backbone/derive.ts';
import { encodeModel } from '../graph/proto.ts';
import { calibrateNorms } from './calibrate.ts';
import { CentredKernels } from './centred-kernels.ts';
import { LoadedModel } from './loaded-model.ts';
import { measureShapes } from './measure-shapes.ts';
import { readModelFile } from './model-file.ts';
import type { InferAnswer, InferCall, InferCommand, InferCommands } from './protocol.ts';
import { writeWhole } from './write-whole.ts';

type Handlers = {
  readonly [K in InferCommand]: (request: InferCommands[K]['request']) => Promise<InferCommands[K]['reply']>;
};

/** Answers inference commands, strictly one after the other, until `close`. */
export function serveInference(port: MessagePort): void {
  const handlers = makeHandlers();
  let last = Promise.resolve();
  port.on('message', (call: InferCall) => {
    last = last.then(async () => {
      const answer = await answerTo(handlers, call);
      port.postMessage(answer);
      if (call.command === 'close') port.close();
    });
  });
}

async function answerTo(handlers: Handlers, call: InferCall): Promise<InferAnswer> {
  try {
    const handler = handlers[call.command] as (request: unknown) => Promise<unknown>;
    return { id: call.id, ok: true, reply: await handler(call.request) };
  } catch (error) {
    return { id: call.id, ok: false, error: toErrorPayload(error) };
  }
}

function makeHandlers(): Handlers {
  const models = new Map<number, LoadedModel>();
  let nextSession = 1;
  let kernels: CentredKernels | null = null;
  return {
    async load(request) {
      const model = await LoadedModel.open(request);
      const session = nextSession;
      nextSession += 1;
      models.set(session, model);
      return { session, fixedBatch: model.fixedBatch, fromCache: model.fromCache };
    },
    async run(request) {
      const model = models.get(request.session);
      if (!model) throw new AppError('Internal', 'This inference session is closed.');
      await model.run(request);
      return null;
    },
    async release({ session }) {
      const model = models.get(session);
      models.delete(session);
      await model?.release();
      return null;
    },
    async inspect({ modelPath, edits, copyTo }) {
      const analysed = await analyseFile(modelPath, edits, measureShapes);
      if (copyTo !== null) await writeWhole(copyTo, analysed.bytes);
      return analysed.card;
    },
    match: ({ path }) => reportCheckpoint(path),
    async makeBuiltIn({ name, path }) {
      const made = makeBuiltIn(name);
      await writeWhole(path, made.bytes);
      return made.card;
    },
    async makeRandom({ of, seed, path }) {
      const made = typeof of === 'string' ? makeRandomNetwork(of, seed) : await makeRandomTwin(of, seed);
      await writeWhole(path, made.bytes);
      return made.card;
    },
    async calibrate({ modelPath, card, tiles, path }) {
      const calibrated = await calibrateNorms(await readModelFile(modelPath), card, tiles);
      const method = `${card.method}, BatchNorm statistics of ${tiles.count} tiles`;
      const made = backboneFile(encodeModel(calibrated), { ...card, method, builtIn: false });
      await writeWhole(path, made.bytes);
      return made.card;
    },
    async exportCut({ modelPath, card, cut, path }) {
      const bytes = await makeCutModel({ modelPath, card }, cut);
      await writeWhole(path, bytes);
      return bytes.byteLength;
    },
    async layerProducts(request) {
      kernels ??= await CentredKernels.open(request.threads);
      return await kernels.products(request);
    },
    async close() {
      await kernels?.release();
      for (const model of models.values()) await model.release();
      models.clear();
      return null;
    },
  };
}
