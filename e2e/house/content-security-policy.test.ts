import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { CONTENT_SECURITY_POLICY, OPENSEADRAGON_STYLE_HASH } from '../../src-shared/api/content-security-policy.ts';

/** Every stylesheet the installed OpenSeadragon writes into a page: its text as the source spells it. */
function injectedStyles(): readonly string[] {
  const source = readFileSync(createRequire(import.meta.url).resolve('openseadragon'), 'utf8');
  const made = [...source.matchAll(/createElement\(\s*['"]style['"]\s*\)[\s\S]*?\.textContent =([\s\S]*?);\n/g)];
  const total = source.match(/createElement\(\s*['"]style['"]/g)?.length ?? 0;
  expect(made.length, 'stylesheets this test understands').toBe(total);
  return made.map(([, expression = '']) => [...expression.matchAll(/'([^']*)'/g)].map(([, part]) => part).join(''));
}

describe('the content security policy', () => {
  it('allows the one stylesheet OpenSeadragon injects, by its hash', () => {
    const hashes = injectedStyles().map((text) => `sha256-${createHash('sha256').update(text).digest('base64')}`);
    expect(hashes).toEqual([OPENSEADRAGON_STYLE_HASH]);
  });

  it('has no other exception', () => {
    const directives = new Map(
      CONTENT_SECURITY_POLICY.split('; ').map((directive) => {
        const [name = '', ...values] = directive.split(' ');
        return [name, values.join(' ')];
      }),
    );
    expect(Object.fromEntries(directives)).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': `'self' '${OPENSEADRAGON_STYLE_HASH}'`,
      'img-src': "'self' blob:",
      'font-src': "'self'",
      'connect-src': "'self'",
      'worker-src': "'self'",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
    });
  });
});
