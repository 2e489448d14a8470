import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** `node src-main/shell/packaging/make-icons.ts`: the icons of all platforms from resources/icons/icon.svg. */
const FOLDER = join(import.meta.dirname, '..', '..', '..', 'resources', 'icons');
const SIZES_PX = [16, 32, 48, 64, 128, 256, 512, 1024] as const;
type SizePx = (typeof SIZES_PX)[number];

/** Sizes in a Windows icon; each entry is a whole PNG (allowed since Windows Vista). */
const ICO_SIZES: readonly SizePx[] = [16, 32, 48, 64, 128, 256];

/** Apple's types of icon with PNG content, and the pixels of each (the `@2x` ones share a size with another). */
const ICNS_TYPES: readonly (readonly [string, SizePx])[] = [
  ['ic07', 128],
  ['ic08', 256],
  ['ic09', 512],
  ['ic10', 1024],
  ['ic11', 32],
  ['ic12', 64],
  ['ic13', 256],
  ['ic14', 512],
];

async function render(): Promise<ReadonlyMap<SizePx, Buffer>> {
  const svg = readFileSync(join(FOLDER, 'icon.svg'));
  const images = SIZES_PX.map(async (sizePx) => {
    // The drawing is 32 units wide: at 72 dpi a unit is a pixel.
    const png = await sharp(svg, { density: (72 * sizePx) / 32 })
      .resize(sizePx, sizePx)
      .png({ compressionLevel: 9 })
      .toBuffer();
    return [sizePx, png] as const;
  });
  return new Map(await Promise.all(images));
}

/** An .ico file: a directory of 16-byte entries, then the images. Width and height of 256 are written as 0. */
function icoFile(images: readonly (readonly [SizePx, Buffer])[]): Buffer {
  const header = Buffer.alloc(6 + 16 * images.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(images.length, 4);
  let offset = header.length;
  for (const [i, [sizePx, png]] of images.entries()) {
    const at = 6 + 16 * i;
    header.writeUInt8(sizePx % 256, at);
    header.writeUInt8(sizePx % 256, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(png.length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += png.length;
  }
  return Buffer.concat([header, ...images.map(([, png]) => png)]);
}

/** An .icns file: `icns`, total length, then chunks of type, length (their own 8 bytes included) and PNG. */
function icnsFile(images: readonly (readonly [string, Buffer])[]): Buffer {
  const chunk = (type: string, content: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32BE(content.length + 8, 4);
    return Buffer.concat([head, content]);
  };
  return chunk('icns', Buffer.concat(images.map(([type, png]) => chunk(type, png))));
}

const rendered = await render();
const png = (sizePx: SizePx): Buffer => rendered.get(sizePx) ?? Buffer.alloc(0);
mkdirSync(join(FOLDER, 'png'), { recursive: true });
for (const sizePx of SIZES_PX) writeFileSync(join(FOLDER, 'png', `${sizePx}x${sizePx}.png`), png(sizePx));
writeFileSync(join(FOLDER, 'icon.png'), png(512));
writeFileSync(join(FOLDER, 'icon.ico'), icoFile(ICO_SIZES.map((sizePx) => [sizePx, png(sizePx)])));
writeFileSync(join(FOLDER, 'icon.icns'), icnsFile(ICNS_TYPES.map(([type, sizePx]) => [type, png(sizePx)])));
