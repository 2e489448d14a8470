import { navigation } from '../state/navigation.svelte.ts';
import { keyBelongsTo } from '../viewer/keyboard-map.ts';
import { chooseFiles } from './choose-files.ts';

/** Keys that work wherever the user is. */
export function takeGlobalKey(event: KeyboardEvent): void {
  if (navigation.dialog !== null) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === 'o') {
    event.preventDefault();
    void chooseFiles('any');
  } else if (event.key === '?' && !command && !keyBelongsTo(event.target, event.key)) {
    navigation.dialog = 'keys';
  }
}
