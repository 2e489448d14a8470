import { describe, expect, it } from 'vitest';
import type { FineTuneForecast } from '../../../src-shared/model/fine-tune.ts';
import { forecastText, slowText } from './fine-tune-text.ts';

const forecast = (changes: Partial<FineTuneForecast>): FineTuneForecast => ({
  ...{ trainSlides: 4, validationSlides: 2, testSlides: 2, freezable: ['stem'], trainedParameters: 10, parameters: 20 },
  ...{ tilesPerEpoch: 64, seconds: 5400, device: 'CPU' },
  ...changes,
});

describe('the forecast of a fine-tuning', () => {
  it('names what its time was measured on, and what happens where training cannot use that', () => {
    expect(forecastText(forecast({}))).toMatch(/on the CPU, then features/);
    expect(forecastText(forecast({}))).not.toMatch(/takes over/);
    expect(forecastText(forecast({ device: 'CUDA' }))).toMatch(
      /on CUDA, then .* the CPU takes over and it takes longer/,
    );
    expect(forecastText(forecast({ seconds: null }))).not.toMatch(/CPU/);
  });

  it('warns of hours on the processor only', () => {
    expect(slowText(forecast({}))).toMatch(/more of the backbone kept/);
    expect(slowText(forecast({ device: 'CUDA' }))).toBe('');
    expect(slowText(forecast({ seconds: 60 }))).toBe('');
  });
});
