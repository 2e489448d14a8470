import { analysisForm } from '../../state/analysis-form.svelte.ts';
import { archiveForm, openItems } from '../../state/archive-form.svelte.ts';
import { library } from '../../state/library.svelte.ts';
import { navigation } from '../../state/navigation.svelte.ts';
import { toasts } from '../../state/toasts.svelte.ts';
import { tableText } from './label-table.ts';
import { studyForm } from './study-form.svelte.ts';

const AT_A_TIME = 20;

/**
 * Opens the form of a new study with the slides and labels of the archive form, and with its backbone and tiles, so that
 * features it extracted are used. Slides without a pixel size get the one of that form, as in its run. Files that are
 * not in the library are put there; those that do not open are named.
 */
export async function studyOfArchive(): Promise<void> {
  const { items, labelColumns, targets, mpp, tileUm, minTissueFraction, slideMppUm } = archiveForm;
  const refused: string[] = [];
  for (let at = 0; at < items.length; at += AT_A_TIME) {
    const { leftOut } = await openItems(items.slice(at, at + AT_A_TIME), slideMppUm);
    refused.push(...leftOut.map(({ name }) => name));
  }
  await library.load();
  if (refused.length > 0)
    toasts.info(`${refused.length} of the slides cannot be opened.`, refused.slice(0, 5).join(', '));
  const rows = items.map((item) => [
    item.caseId ?? '',
    item.name,
    ...labelColumns.map((name) => item.labels[name] ?? ''),
  ]);
  studyForm.clear();
  studyForm.take(tableText([['case_id', 'slide_id', ...labelColumns], ...rows]));
  const [target] = targets;
  const { tissue } = analysisForm;
  if (target) {
    const grid = { mpp, tileUm, strideUm: tileUm, minTissueFraction };
    analysisForm.take({ backboneId: target.backboneId, cut: target.cut, grid, tissue });
  }
  navigation.goToStudy('new');
}
