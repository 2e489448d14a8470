import { toErrorPayload } from '../../../src-shared/errors.ts';
import type { ProbeRequest } from '../infer/probe.ts';
import { selfTest } from '../infer/self-test.ts';

/** Entry of the child process that tries a device: if the driver kills it, only this process is gone. */
process.once('message', async (request: ProbeRequest) => {
  try {
    const result = await selfTest(request.provider, request.modelPath, request.dims);
    process.send?.({ ok: true, result }, () => process.exit(0));
  } catch (error) {
    process.send?.({ ok: false, error: toErrorPayload(error) }, () => process.exit(0));
  }
});
