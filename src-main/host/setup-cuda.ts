import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { packageVersion } from './installation.ts';
import { firstLine, runInstaller } from './run-installer.ts';

/**
 * `npm run setup:cuda`: fetches the CUDA 12 provider, which is too large for npm, with onnxruntime's own installer into
 * this checkout. A driver, CUDA 12 and cuDNN 9 are the machine's. Linux x64 only: nobody publishes it for others.
 */
const PLATFORM = `${process.platform} ${process.arch}`;
const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
const provider = join(folder, 'bin', 'napi-v6', 'linux', 'x64', 'libonnxruntime_providers_cuda.so');

if (PLATFORM !== 'linux x64') {
  console.error(`The CUDA provider exists for Linux x64 only; this is ${PLATFORM}.`);
  process.exitCode = 1;
} else if (existsSync(provider)) {
  console.log(`The CUDA provider of onnxruntime ${packageVersion('onnxruntime-node')} is installed.`);
} else {
  process.exitCode = await install();
}

async function install(): Promise<number> {
  console.log(`Downloading the CUDA provider of onnxruntime ${packageVersion('onnxruntime-node')} from api.nuget.org`);
  // "true" asks for all that is missing here; the name of one part is not taken by version 1.30's script.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'true' };
  const { code, complaint, unreachable } = await runInstaller(join(folder, 'script', 'install.js'), env);
  if (code === 0 && existsSync(provider)) {
    console.log('The CUDA provider is installed. npx hyaline doctor says whether this machine can use it.');
    return 0;
  }
  console.error(
    unreachable
      ? 'The CUDA provider could not be downloaded: api.nuget.org cannot be reached from here. Try again with a network connection; until then other devices are used.'
      : `The CUDA provider could not be installed: ${firstLine(complaint)}`,
  );
  return 1;
}
