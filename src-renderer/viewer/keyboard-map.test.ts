import { describe, expect, it } from 'vitest';
import { actionOfKey, KEY_HELP, type KeyStroke } from './keyboard-map.ts';

const stroke = (key: string, over: Partial<KeyStroke> = {}): KeyStroke => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...over,
});

/** How the list writes a key, and what a keyboard sends for it. */
const SENT: Readonly<Record<string, string>> = {
  '←': 'ArrowLeft',
  '→': 'ArrowRight',
  '↑': 'ArrowUp',
  '↓': 'ArrowDown',
  '−': '-',
};

describe('keyboard map', () => {
  it('has no key that mirrors the slide: f does nothing', () => {
    expect(actionOfKey(stroke('f'))).toBeNull();
  });

  it('toggles the map with h and zooms with the numbers', () => {
    expect(actionOfKey(stroke('h'))).toEqual({ kind: 'toggle-overlay' });
    expect(actionOfKey(stroke('5'))).toEqual({ kind: 'preset', index: 4 });
    expect(actionOfKey(stroke('0'))).toEqual({ kind: 'home' });
  });

  it('turns the other way with Shift', () => {
    expect(actionOfKey(stroke('r'))).toEqual({ kind: 'rotate-right' });
    expect(actionOfKey(stroke('R', { shiftKey: true }))).toEqual({ kind: 'rotate-left' });
  });

  it.each(['ctrlKey', 'metaKey', 'altKey'] as const)('leaves strokes with %s to the browser', (modifier) => {
    expect(actionOfKey(stroke('r', { [modifier]: true }))).toBeNull();
    expect(actionOfKey(stroke('0', { [modifier]: true }))).toBeNull();
  });

  it('does what the list promises: every listed key is bound', () => {
    for (const { entries } of KEY_HELP) {
      for (const { keys, does } of entries) {
        if (keys.includes('Esc')) continue;
        const shifted = keys[0] === 'Shift';
        for (const key of keys.filter((name) => name !== 'Shift' && name !== '…')) {
          const plain = key.length === 1 && !shifted ? key.toLowerCase() : key;
          expect(actionOfKey(stroke(SENT[key] ?? plain, { shiftKey: shifted })), `${key}: ${does}`).not.toBeNull();
        }
      }
    }
  });
});
