import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Why a request is refused; `null` from the checks below means it may pass. */
export type Refusal = 'wrong-host' | 'wrong-origin' | 'no-session';

/**
 * Who may speak to the web host. A page of another site, open in the same browser, can reach any port of this machine:
 * the name in Host is checked against DNS rebinding, Origin and Sec-Fetch-Site against requests from other pages, and
 * the session cookie against everyone who does not hold the opening address.
 */
export class AccessControl {
  readonly #hostNames: ReadonlySet<string>;
  readonly #cookieName: string;
  readonly #session = randomBytes(32).toString('base64url');
  #token: string | null = randomBytes(32).toString('base64url');

  /**
   * @param bindAddress the address listened on; anything but loopback also admits this machine's own names.
   * @param port part of the cookie's name, because browsers share cookies between the ports of one host.
   */
  constructor(bindAddress: string, port: number) {
    this.#hostNames = allowedHostNames(bindAddress);
    this.#cookieName = `hyaline-${port}`;
  }

  /** The token of the opening address: good for one exchange. */
  get token(): string {
    return this.#token ?? '';
  }

  /** Exchanges the token for the session cookie (the value of Set-Cookie); null for a wrong or used token. */
  exchange(token: string): string | null {
    if (this.#token === null || !equal(token, this.#token)) {
      return null;
    }
    this.#token = null;
    return `${this.#cookieName}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** The checks that hold for every request, the opening one included. */
  checkSender(request: IncomingMessage): Refusal | null {
    const host = request.headers.host;
    if (host === undefined || !this.#hostNames.has(hostNameOf(host))) {
      return 'wrong-host';
    }
    const { origin } = request.headers;
    // Node joins repeated headers or keeps the first; either way only the exact own origin passes.
    if (origin !== undefined && origin !== `http://${host}`) {
      return 'wrong-origin';
    }
    const site = request.headers['sec-fetch-site'];
    const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && request.method === 'GET';
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) {
      return 'wrong-origin';
    }
    return null;
  }

  /** True when the request carries the session cookie. */
  hasSession(request: IncomingMessage): boolean {
    return (request.headers.cookie ?? '').split(';').some((part) => {
      const [name, value] = part.trim().split('=', 2);
      return name === this.#cookieName && value !== undefined && equal(value, this.#session);
    });
  }

  /** For requests that change something or open the socket: Origin must be there and be ours, and so must the session. */
  checkStrict(request: IncomingMessage): Refusal | null {
    const refusal = this.checkSender(request);
    if (refusal !== null) {
      return refusal;
    }
    if (request.headers.origin === undefined) {
      return 'wrong-origin';
    }
    return this.hasSession(request) ? null : 'no-session';
  }
}

/** True where only this machine can connect. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/** The name in a Host header without its port: tunnels may change the port, never the name. */
function hostNameOf(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

function allowedHostNames(bindAddress: string): ReadonlySet<string> {
  const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
  const names = [...LOOPBACK_NAMES, bracketed(bindAddress)];
  if (!isLoopback(bindAddress)) {
    const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
    names.push(hostname(), ...own.map(bracketed));
  }
  return new Set(names.map((name) => name.toLowerCase()));
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
