/**
 * What browsers and Node share beyond the language itself, as far as src-shared uses it. The shared type-check knows
 * neither the DOM nor Node, so that nothing of only one of them slips in.
 */
declare class URLSearchParams {
  constructor(init?: string);
  get(name: string): string | null;
}

declare class URL {
  constructor(url: string, base?: string);
  readonly pathname: string;
  readonly searchParams: URLSearchParams;
}
