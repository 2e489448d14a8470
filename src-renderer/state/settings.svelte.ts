import { type ColourMapName, DEFAULT_COLOUR_MAP, isColourMapName } from '../../src-shared/numeric/colour-maps.ts';
import type { DrawerChoice } from '../viewer/drawers.ts';
import { engine } from './session.svelte.ts';
import { toasts } from './toasts.svelte.ts';

export type Theme = 'dark' | 'light' | 'system';
const THEMES: readonly string[] = ['dark', 'light', 'system'];

/** What the user prefers. Kept by the engine, so that it follows the store; the theme also in the page, against a flash. */
class Settings {
  theme = $state<Theme>('dark');
  maskNames = $state(false);
  colourMap = $state<ColourMapName>(DEFAULT_COLOUR_MAP);
  opacity = $state(0.5);
  drawer = $state<DrawerChoice>('auto');
  colourManaged = $state(false);

  async load(): Promise<void> {
    const [theme, maskNames, colourMap, opacity, drawer, colourManaged] = await Promise.all(
      ['ui.theme', 'ui.maskNames', 'ui.colourMap', 'ui.opacity', 'ui.drawer', 'ui.colourManaged'].map((key) =>
        engine.getSetting(key),
      ),
    );
    if (theme && THEMES.includes(theme)) this.#applyTheme(theme as Theme);
    this.maskNames = maskNames === 'true';
    if (colourMap && isColourMapName(colourMap)) this.colourMap = colourMap;
    if (drawer === 'webgl' || drawer === 'canvas') this.drawer = drawer;
    this.colourManaged = colourManaged === 'true';
    const value = Number(opacity ?? Number.NaN);
    if (value >= 0 && value <= 1) this.opacity = value;
  }

  /** The theme of the last visit, before the engine answers. */
  restoreTheme(): void {
    const kept = localStorage.getItem('theme');
    this.#applyTheme(kept && THEMES.includes(kept) ? (kept as Theme) : 'dark');
    matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => this.#applyTheme(this.theme));
  }

  setTheme(theme: Theme): void {
    this.#applyTheme(theme);
    this.#keep('ui.theme', theme);
  }

  setMaskNames(mask: boolean): void {
    this.maskNames = mask;
    this.#keep('ui.maskNames', String(mask));
  }

  setColourMap(name: ColourMapName): void {
    this.colourMap = name;
    this.#keep('ui.colourMap', name);
  }

  setDrawer(drawer: DrawerChoice): void {
    this.drawer = drawer;
    this.#keep('ui.drawer', drawer);
  }

  setColourManaged(on: boolean): void {
    this.colourManaged = on;
    this.#keep('ui.colourManaged', String(on));
  }

  /** `final` is false while a slider is being dragged. */
  setOpacity(opacity: number, final: boolean): void {
    this.opacity = opacity;
    if (final) this.#keep('ui.opacity', String(opacity));
  }

  #applyTheme(theme: Theme): void {
    this.theme = theme;
    const light = theme === 'light' || (theme === 'system' && matchMedia('(prefers-color-scheme: light)').matches);
    document.documentElement.dataset.theme = light ? 'light' : 'dark';
    localStorage.setItem('theme', theme);
  }

  #keep(key: string, value: string): void {
    engine.setSetting(key, value).catch((error: unknown) => toasts.error(error));
  }
}

export const settings = new Settings();
