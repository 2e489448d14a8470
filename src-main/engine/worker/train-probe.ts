import { toErrorPayload } from '../../../src-shared/errors.ts';
import { type StepTest, selfTestStep } from '../learn/step-self-test.ts';

/** Entry of the child process that tries a training step on a device: if the driver kills it, only this process is gone. */
process.once('message', async (test: StepTest) => {
  try {
    const result = await selfTestStep(test);
    process.send?.({ ok: true, result }, () => process.exit(0));
  } catch (error) {
    process.send?.({ ok: false, error: toErrorPayload(error) }, () => process.exit(0));
  }
});
