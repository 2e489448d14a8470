/** What a key does in the viewer. */
export type ViewerAction =
  | { readonly kind: 'home' | 'one-to-one' | 'zoom-in' | 'zoom-out' | 'rotate-left' | 'rotate-right' | 'rotate-reset' }
  | { readonly kind: 'pan'; readonly dx: -1 | 0 | 1; readonly dy: -1 | 0 | 1 }
  /** One of the six zoom buttons, counted from 0. */
  | { readonly kind: 'preset'; readonly index: number }
  | { readonly kind: 'toggle-overlay' | 'toggle-panel' | 'toggle-navigator' | 'full-screen' | 'help' | 'go-to' };

/** The part of a KeyboardEvent that decides. */
export interface KeyStroke {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

export interface KeyHelp {
  readonly keys: readonly string[];
  readonly does: string;
}

/** The keyboard map as it is shown. Every entry is bound in `actionOfKey`. */
export const KEY_HELP: readonly { readonly group: string; readonly entries: readonly KeyHelp[] }[] = [
  {
    group: 'Move',
    entries: [
      { keys: ['←', '→', '↑', '↓'], does: 'Pan' },
      { keys: ['+', '−'], does: 'Zoom in, zoom out' },
      { keys: ['0', 'Home'], does: 'Whole slide' },
      { keys: ['1', '…', '6'], does: 'The zoom buttons: 1× to 40×, or percent where the pixel size is unknown' },
      { keys: ['9'], does: '1:1, one slide pixel on one screen pixel' },
      { keys: ['G'], does: 'Go to a position' },
    ],
  },
  {
    group: 'Turn',
    entries: [
      { keys: ['R'], does: 'Rotate 90° clockwise' },
      { keys: ['Shift', 'R'], does: 'Rotate 90° counter-clockwise' },
      { keys: ['U'], does: 'Upright again' },
    ],
  },
  {
    group: 'Show',
    entries: [
      { keys: ['H'], does: 'Map on, map off' },
      { keys: ['P'], does: 'Side panel' },
      { keys: ['N'], does: 'Navigator' },
      { keys: ['Shift', 'F'], does: 'Full screen' },
      { keys: ['?'], does: 'This list' },
      { keys: ['Esc'], does: 'Close a dialog, leave full screen' },
    ],
  },
];

const PLAIN: Readonly<Record<string, ViewerAction>> = {
  '0': { kind: 'home' },
  Home: { kind: 'home' },
  '9': { kind: 'one-to-one' },
  '+': { kind: 'zoom-in' },
  '=': { kind: 'zoom-in' },
  '-': { kind: 'zoom-out' },
  _: { kind: 'zoom-out' },
  ArrowLeft: { kind: 'pan', dx: -1, dy: 0 },
  ArrowRight: { kind: 'pan', dx: 1, dy: 0 },
  ArrowUp: { kind: 'pan', dx: 0, dy: -1 },
  ArrowDown: { kind: 'pan', dx: 0, dy: 1 },
  r: { kind: 'rotate-right' },
  R: { kind: 'rotate-left' },
  u: { kind: 'rotate-reset' },
  h: { kind: 'toggle-overlay' },
  p: { kind: 'toggle-panel' },
  n: { kind: 'toggle-navigator' },
  g: { kind: 'go-to' },
  F: { kind: 'full-screen' },
  '?': { kind: 'help' },
  ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((index) => [String(index + 1), { kind: 'preset', index }] as const)),
};

/**
 * What a key stroke does in the viewer; null leaves it to the browser. `f` alone does nothing on purpose: elsewhere it
 * mirrors the image, and a mirrored slide hides which side is which.
 */
export function actionOfKey(stroke: KeyStroke): ViewerAction | null {
  if (stroke.ctrlKey || stroke.metaKey || stroke.altKey) return null;
  return PLAIN[stroke.key] ?? null;
}

const TEXT_TARGETS = 'textarea, select, [contenteditable="true"], input:not([type="checkbox"], [type="range"])';
const ARROW_TARGETS = 'input[type="range"], [role="tablist"], [role="radiogroup"]';
const ARROWS = /^(Arrow|Home$|End$)/;

/** True where a key belongs to the control that has the focus: all keys while typing, the arrows on a slider or a tab. */
export function keyBelongsTo(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element)) return false;
  return target.closest(TEXT_TARGETS) !== null || (ARROWS.test(key) && target.closest(ARROW_TARGETS) !== null);
}
