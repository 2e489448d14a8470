/**
 * Arrow keys among the cards of a grid: left and right by one, up and down to the card above or below, wherever the lines
 * break at this window's width.
 */
export function moveInGrid(event: KeyboardEvent): void {
  const from = event.currentTarget;
  if (!(from instanceof HTMLElement)) return;
  const cards = [...(from.closest('ul')?.querySelectorAll<HTMLElement>('[data-card]') ?? [])];
  const boxes = cards.map((card) => card.getBoundingClientRect());
  const to = neighbour(boxes, cards.indexOf(from), event.key);
  if (to === null) return;
  event.preventDefault();
  cards[to]?.focus();
}

type Box = Pick<DOMRect, 'left' | 'top'>;

/** Index of the card an arrow key leads to; null where the key is another or there is none. */
export function neighbour(boxes: readonly Box[], at: number, key: string): number | null {
  const own = boxes[at];
  if (!own) return null;
  if (key === 'ArrowRight') return at + 1 < boxes.length ? at + 1 : null;
  if (key === 'ArrowLeft') return at > 0 ? at - 1 : null;
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return null;
  const down = key === 'ArrowDown';
  const beyond = boxes
    .map((box, i) => ({ box, i }))
    .filter(({ box }) => (down ? box.top > own.top : box.top < own.top));
  const line = down ? Math.min(...beyond.map(({ box }) => box.top)) : Math.max(...beyond.map(({ box }) => box.top));
  const inLine = beyond.filter(({ box }) => box.top === line);
  const [nearest] = inLine.sort((a, b) => Math.abs(a.box.left - own.left) - Math.abs(b.box.left - own.left));
  return nearest?.i ?? null;
}
