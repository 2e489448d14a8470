import { describe, expect, it } from 'vitest';
import { inputEditText, stainText } from './input-text.ts';

describe('the key of a normalisation in words', () => {
  it.each([
    ['none', 'none', ''],
    ['none+input:0123456789abcdef', 'none', 'input of the card changed (01234567)'],
    ['macenko:fedcba9876543210', 'Macenko, fitted to fedcba98', ''],
    [
      'reinhard:fedcba9876543210+input:0123456789abcdef',
      'Reinhard, fitted to fedcba98',
      'input of the card changed (01234567)',
    ],
  ] as const)('%s', (key, stain, input) => {
    expect(stainText(key)).toBe(stain);
    expect(inputEditText(key)).toBe(input);
  });
});
