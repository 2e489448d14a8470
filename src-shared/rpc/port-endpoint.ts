import { EndpointListeners, type RpcEndpoint } from './endpoint.ts';

/** The MessagePort of browsers and of Node: listeners get an event with `data`. */
export interface EventTargetPort {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: { readonly data: unknown }) => void): void;
  start?(): void;
  close(): void;
}

/** Electron's MessagePortMain: an event emitter whose messages are events with `data`. */
export interface EmitterPort {
  postMessage(message: unknown): void;
  on(type: 'message', listener: (event: { data: unknown }) => void): unknown;
  on(type: 'close', listener: () => void): unknown;
  start?(): void;
  close(): void;
}

/** An endpoint over a MessagePort: the browser's, Node's, or Electron's MessagePortMain. Starts the port. */
export function portEndpoint(port: EventTargetPort | EmitterPort): RpcEndpoint {
  const listeners = new EndpointListeners();
  const onMessage = (event: { data: unknown }): void => listeners.emitMessage(event.data);
  const onClose = (): void => listeners.emitClose('port closed');
  // Node's ports have both shapes, and `on` there gives the bare value: the event target comes first.
  if ('addEventListener' in port) {
    port.addEventListener('message', onMessage);
    port.addEventListener('close', onClose);
  } else {
    port.on('message', onMessage);
    port.on('close', onClose);
  }
  // Messages queue in the port until it starts; a turn later every listener of the caller is in place.
  void Promise.resolve().then(() => port.start?.());
  return {
    send(message) {
      if (!listeners.closed) {
        port.postMessage(message);
      }
    },
    onMessage: (listener) => listeners.onMessage(listener),
    onClose: (listener) => listeners.onClose(listener),
    close() {
      port.close();
      listeners.emitClose('closed here');
    },
  };
}
