/** Names under which browsers report WebGL that runs on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

export type DrawerName = 'webgl' | 'canvas';

/** What the user prefers: `auto` looks at the graphics processor. */
export type DrawerChoice = 'auto' | DrawerName;

/** The drawers to try for a choice, best first. */
export function drawersChosen(choice: DrawerChoice, renderer: () => string | null): DrawerName[] {
  if (choice === 'auto') return drawersFor(renderer());
  return choice === 'webgl' ? ['webgl', 'canvas'] : ['canvas'];
}

/**
 * The drawers to try by themselves, best first. WebGL without a graphics processor draws a frame some three times slower than a plain
 * canvas, so there the canvas comes first.
 */
export function drawersFor(renderer: string | null): DrawerName[] {
  return renderer === null || SOFTWARE.test(renderer) ? ['canvas'] : ['webgl', 'canvas'];
}

/** What draws WebGL in this browser; null where nothing does. */
export function webglRenderer(): string | null {
  const context = document.createElement('canvas').getContext('webgl2');
  if (!context) return null;
  const names = context.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = context.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER);
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return typeof name === 'string' ? name : '';
}
