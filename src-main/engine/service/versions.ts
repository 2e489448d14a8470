import packageJson from '../../../package.json' with { type: 'json' };

/** This version of Hyaline. */
export const HYALINE_VERSION: string = packageJson.version;

export const NOTICE = 'For research use only. Not intended for clinical, diagnostic or therapeutic purposes.';

/** Versions that a result depends on; stored with every run and printed in every report. */
export function versions(): Readonly<Record<string, string>> {
  const { dependencies } = packageJson;
  return {
    hyaline: HYALINE_VERSION,
    'onnxruntime-node': dependencies['onnxruntime-node'],
    'jpeg-turbo': dependencies['@julusian/jpeg-turbo'],
    'better-sqlite3': dependencies['better-sqlite3'],
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  };
}
