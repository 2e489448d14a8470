/** The WebAssembly codecs ship without types; these are the parts in use. */
declare module '@cornerstonejs/codec-openjpeg/wasmjs' {
  export interface FrameInfo {
    readonly width: number;
    readonly height: number;
    readonly bitsPerSample: number;
    readonly componentCount: number;
    readonly isSigned: boolean;
  }
  export interface Decoder {
    getEncodedBuffer(length: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
    getFrameInfo(): FrameInfo;
    decode(): void;
    delete(): void;
  }
  export interface Encoder {
    getDecodedBuffer(frame: FrameInfo): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    encode(): void;
    delete(): void;
  }
  export interface Codec {
    readonly J2KDecoder: new () => Decoder;
    readonly J2KEncoder: new () => Encoder;
  }
  export interface CodecOptions {
    readonly print?: (text: string) => void;
    readonly printErr?: (text: string) => void;
  }
  const createCodec: (options?: CodecOptions) => Promise<Codec>;
  // biome-ignore lint/style/noDefaultExport: the package has no other export
  export default createCodec;
}

declare module '@cornerstonejs/codec-charls/wasmjs' {
  export interface FrameInfo {
    readonly width: number;
    readonly height: number;
    readonly bitsPerSample: number;
    readonly componentCount: number;
  }
  export interface Decoder {
    getEncodedBuffer(length: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
    getFrameInfo(): FrameInfo;
    getInterleaveMode(): number;
    decode(): void;
    delete(): void;
  }
  export interface Encoder {
    getDecodedBuffer(frame: FrameInfo): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    setInterleaveMode(mode: number): void;
    encode(): void;
    delete(): void;
  }
  export interface Codec {
    readonly JpegLSDecoder: new () => Decoder;
    readonly JpegLSEncoder: new () => Encoder;
  }
  export interface CodecOptions {
    readonly print?: (text: string) => void;
    readonly printErr?: (text: string) => void;
  }
  const createCodec: (options?: CodecOptions) => Promise<Codec>;
  // biome-ignore lint/style/noDefaultExport: the package has no other export
  export default createCodec;
}
