import { allFinite, type GraphValue, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession, runFailure } from './runtime.ts';

/** What a tensor turned out to be when the network ran on one image. */
export interface MeasuredTensor {
  readonly dims: readonly number[];
  readonly elementType: string;
  readonly finite: boolean;
}

/**
 * Runs a network once on the CPU, on a fixed noise image, and tells the dims of the given tensors. More reliable than
 * working them out from the graph: exporters leave whole programs of shape arithmetic in it.
 *
 * @param dims of the input, batch included.
 * @throws AppError BackboneFailed where the network does not run.
 */
export async function measureShapes(
  model: OnnxModel,
  inputName: string,
  dims: readonly number[],
  tensors: readonly string[],
): Promise<ReadonlyMap<string, MeasuredTensor>> {
  const outputs = tensors.map((name): GraphValue => ({ name, elementType: 0, dims: null }));
  // Outputs of type 0 are written without a type: onnxruntime infers it, whatever it is.
  const probe: OnnxModel = { ...model, graph: { ...model.graph, outputs } };
  const session = await openSession({ model: encodeModel(probe), provider: 'cpu', threads: 0 });
  try {
    const { Tensor } = await loadRuntime();
    const count = dims.reduce((product, dim) => product * dim, 1);
    const noise = Float32Array.from(
      { length: count },
      (_, i) => ((Math.imul(i + 1, 2654435761) >>> 8) / 2 ** 24) * 2 - 1,
    );
    const results = await session.run({ [inputName]: new Tensor('float32', noise, [...dims]) });
    return new Map(
      tensors.map((name) => {
        const tensor = results[name];
        const data = tensor?.data;
        const finite = data instanceof Float32Array ? allFinite(data) : true;
        return [name, { dims: tensor?.dims ?? [], elementType: tensor?.type ?? 'undefined', finite }];
      }),
    );
  } catch (cause) {
    throw runFailure(cause);
  } finally {
    await session.release();
  }
}
