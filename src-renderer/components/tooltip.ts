import type { Attachment } from 'svelte/attachments';

const DELAY_MS = 450;
const GAP_PX = 8;
const EDGE_PX = 6;

let bubble: HTMLElement | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * A short text beside a control, on hover and on keyboard focus. It repeats what the control's accessible name or its
 * surroundings say, so it is hidden from assistive technology.
 */
export function tooltip(text: string | null | undefined): Attachment<HTMLElement> {
  return (node) => {
    if (!text) return;
    const enter = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => show(node, text), DELAY_MS);
    };
    const focus = (): void => {
      if (node.matches(':focus-visible')) show(node, text);
    };
    const events = new AbortController();
    const on = { signal: events.signal };
    node.addEventListener('pointerenter', enter, on);
    node.addEventListener('pointerleave', hide, on);
    node.addEventListener('pointerdown', hide, on);
    node.addEventListener('focus', focus, on);
    node.addEventListener('blur', hide, on);
    return () => {
      events.abort();
      hide();
    };
  };
}

function show(node: HTMLElement, text: string): void {
  if (!node.isConnected) return;
  bubble ??= makeBubble();
  // A modal dialog lies above everything else in the page: the bubble goes where its control is.
  (node.closest('dialog') ?? document.fullscreenElement ?? document.body).append(bubble);
  bubble.textContent = text;
  bubble.hidden = false;
  const at = node.getBoundingClientRect();
  const own = bubble.getBoundingClientRect();
  const above = at.bottom + GAP_PX + own.height > innerHeight - EDGE_PX;
  const top = above ? at.top - GAP_PX - own.height : at.bottom + GAP_PX;
  const left = at.left + at.width / 2 - own.width / 2;
  bubble.style.top = `${Math.max(EDGE_PX, top)}px`;
  bubble.style.left = `${Math.min(Math.max(EDGE_PX, left), innerWidth - own.width - EDGE_PX)}px`;
}

function hide(): void {
  clearTimeout(timer);
  if (bubble) bubble.hidden = true;
}

function makeBubble(): HTMLElement {
  const element = document.createElement('div');
  element.className = 'tooltip';
  element.setAttribute('aria-hidden', 'true');
  return element;
}
