import type { Endpoint } from 'comlink';
import type { RpcEndpoint } from './endpoint.ts';

type MessageListener = (event: { readonly data: unknown }) => void;

/** Shows an RpcEndpoint to Comlink as the event target it expects. */
export function asComlinkEndpoint(endpoint: RpcEndpoint): Endpoint {
  const stops = new Map<unknown, () => void>();
  const adapted = {
    postMessage: (message: unknown) => endpoint.send(message),
    addEventListener(type: string, listener: MessageListener) {
      if (type === 'message') {
        stops.set(
          listener,
          endpoint.onMessage((data) => listener({ data })),
        );
      }
    },
    removeEventListener(_type: string, listener: MessageListener) {
      stops.get(listener)?.();
      stops.delete(listener);
    },
  };
  // Comlink types its listeners with the DOM's own; it uses `data` of the event and nothing else.
  return adapted as unknown as Endpoint;
}
