/**
 * The dependency rule of the house. shared imports nothing local; engine -> shared; host -> engine, shared;
 * shell, preload, renderer -> shared only. Each rule has a test in e2e/house/dependency-rule.test.ts.
 */
const only = (name, from, pathNot, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src-shared|src-main|src-renderer|e2e)/', pathNot },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    only('shared-imports-nothing-local', '^src-shared/', '^src-shared/', 'src-shared stands alone'),
    {
      name: 'shared-is-pure',
      comment: 'no Node built-ins and no electron in src-shared',
      severity: 'error',
      from: { path: '^src-shared/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    only('engine-imports-shared', '^src-main/engine/', '^(src-main/engine|src-shared)/', 'engine -> shared'),
    only('host-imports-engine', '^src-main/host/', '^(src-main/(host|engine)|src-shared)/', 'host -> engine, shared'),
    only('shell-imports-shared', '^src-main/shell/', '^(src-main/shell|src-shared)/', 'shell -> shared'),
    only('preload-imports-shared', '^src-main/preload/', '^(src-main/preload|src-shared)/', 'preload -> shared'),
    only('renderer-imports-shared', '^src-renderer/', '^(src-renderer|src-shared)/', 'renderer -> shared'),
    {
      name: 'electron-in-shell-only',
      severity: 'error',
      from: { pathNot: '^src-main/(shell|preload)/' },
      to: { path: '(^|/)node_modules/electron/|^electron$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'onnxruntime-in-infer-only',
      severity: 'error',
      from: { pathNot: '^src-main/engine/(infer|learn)/|^node_modules/|^e2e/' },
      to: { path: 'onnxruntime' },
    },
    {
      name: 'sqlite-in-store-only',
      severity: 'error',
      from: { pathNot: '^src-main/engine/store/|^node_modules/' },
      to: { path: 'better-sqlite3' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '(^|/)dist/' },
  },
};
