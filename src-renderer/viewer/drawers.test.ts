import { describe, expect, it } from 'vitest';
import { drawersChosen, drawersFor } from './drawers.ts';

describe('drawers', () => {
  it.each([
    'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)',
    'llvmpipe (LLVM 15.0.6, 256 bits)',
    'ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)',
  ])('uses a plain canvas where WebGL runs on the processor: %s', (renderer) => {
    expect(drawersFor(renderer)[0]).toBe('canvas');
  });

  it('uses WebGL on a graphics processor, and has a canvas to fall back on', () => {
    expect(drawersFor('ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 Direct3D11)')).toEqual(['webgl', 'canvas']);
  });

  it('does what the user prefers without looking at the processor', () => {
    const never = () => {
      throw new Error('looked');
    };
    expect(drawersChosen('webgl', never)).toEqual(['webgl', 'canvas']);
    expect(drawersChosen('canvas', never)).toEqual(['canvas']);
  });

  it('does without WebGL where there is none', () => {
    expect(drawersFor(null)).toEqual(['canvas']);
  });
});
