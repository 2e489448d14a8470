import { applyColourLut, ICC_LUT_SIDE } from '../../src-shared/numeric/colour-lut.ts';

const VERTEX = `#version 300 es
out vec2 place;
void main() {
  // One triangle over everything; rows of a picture run downwards, those of WebGL upwards.
  vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
  place = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler3D;
uniform sampler2D tile;
uniform sampler3D cube;
in vec2 place;
out vec4 colour;
void main() {
  // Blue changes fastest in the cube, so it lies along x. The ends of an axis are the middles of its outer cells.
  vec3 at = (texture(tile, place).bgr * ${(ICC_LUT_SIDE - 1).toFixed(1)} + 0.5) / ${ICC_LUT_SIDE.toFixed(1)};
  colour = vec4(texture(cube, at).rgb, 1.0);
}`;

/**
 * Sends tiles through a slide's colour cube on the graphics processor: the file's own JPEG tiles are passed through
 * by the engine untouched, and only what is shown is corrected.
 */
export class ColourLookup {
  readonly #canvas: HTMLCanvasElement;
  readonly #gl: WebGL2RenderingContext;
  readonly #lut: Promise<Uint8Array>;
  #prepared = false;

  private constructor(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext, lut: Promise<Uint8Array>) {
    this.#canvas = canvas;
    this.#gl = gl;
    this.#lut = lut;
    // Whoever draws a tile waits for it and hears of a failure; nobody may be waiting yet.
    lut.catch(() => undefined);
  }

  /** Null where the browser has no WebGL 2. */
  static create(fetchLut: () => Promise<Uint8Array>): ColourLookup | null {
    const canvas = document.createElement('canvas');
    const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false });
    return gl === null ? null : new ColourLookup(canvas, gl, fetchLut());
  }

  /** The tile as it is to be shown, on a canvas of its own. Rejects where the cube could not be had. */
  async apply(tile: ImageBitmap): Promise<CanvasRenderingContext2D> {
    const lut = await this.#lut;
    if (!this.#prepared) this.#prepare(lut);
    this.#prepared = true;
    const shown = document.createElement('canvas');
    [shown.width, shown.height] = [tile.width, tile.height];
    const context = shown.getContext('2d', { alpha: false });
    if (context === null) throw new Error('there is no canvas to draw on');
    if (this.#gl.isContextLost()) correctHere(context, tile, lut);
    else context.drawImage(this.#draw(tile), 0, 0);
    return context;
  }

  destroy(): void {
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  /** The picture lies in the canvas until the next tile. */
  #draw(tile: ImageBitmap): HTMLCanvasElement {
    const [gl, canvas] = [this.#gl, this.#canvas];
    if (canvas.width !== tile.width || canvas.height !== tile.height) {
      [canvas.width, canvas.height] = [tile.width, tile.height];
    }
    gl.viewport(0, 0, tile.width, tile.height);
    gl.activeTexture(gl.TEXTURE0);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, tile);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return canvas;
  }

  #prepare(lut: Uint8Array): void {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) continue;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.uniform1i(gl.getUniformLocation(program, 'tile'), 0);
    gl.uniform1i(gl.getUniformLocation(program, 'cube'), 1);
    // Stored pixels are numbers here: the browser must not convert them on the way.
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.#texture(gl.TEXTURE1, gl.TEXTURE_3D, gl.LINEAR);
    const side = ICC_LUT_SIDE;
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.RGB8, side, side, side, 0, gl.RGB, gl.UNSIGNED_BYTE, lut);
    this.#texture(gl.TEXTURE0, gl.TEXTURE_2D, gl.NEAREST);
  }

  #texture(unit: number, kind: number, filter: number): void {
    const gl = this.#gl;
    gl.activeTexture(unit);
    gl.bindTexture(kind, gl.createTexture());
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(kind, name, filter);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) {
      gl.texParameteri(kind, name, gl.CLAMP_TO_EDGE);
    }
  }
}

/** The same without a graphics processor: its context can be lost at any moment. */
function correctHere(context: CanvasRenderingContext2D, tile: ImageBitmap, lut: Uint8Array): void {
  context.drawImage(tile, 0, 0);
  const pixels = context.getImageData(0, 0, tile.width, tile.height);
  applyColourLut(pixels.data, 4, lut);
  context.putImageData(pixels, 0, 0);
}
