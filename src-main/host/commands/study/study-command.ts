import { Command } from 'commander';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { externalCommand } from './external.ts';
import { fineTuneCommand } from './fine-tune.ts';
import { labelsCommand } from './labels.ts';
import { newStudyCommand, trainCommand } from './new-and-train.ts';
import { predictCommand } from './predict.ts';
import { reportCommand } from './report.ts';
import { listStudies, showStudy } from './show.ts';

/** `hyaline study new | labels | train | predict | report | external | finetune | list | show`: learning from slide labels alone. */
export function studyCommand(finish: Finish): Command {
  // Without options of its own: commander would take --json here and not hand it on.
  const study = new Command('study')
    .description('learn from slide labels alone, judged on slides the heads never saw')
    .showHelpAfterError('(add --help for usage)');
  study.addCommand(newStudyCommand(finish));
  study.addCommand(labelsCommand(finish));
  study.addCommand(trainCommand(finish));
  study.addCommand(predictCommand(finish));
  study.addCommand(externalCommand(finish));
  study.addCommand(fineTuneCommand(finish));
  study.addCommand(reportCommand(finish));
  const list = newCommand('list', 'studies in the store').option(...STORE_OPTION);
  study.addCommand(runs<{ store?: string }>(list, finish, listStudies));
  const show = newCommand('show', 'figures and predictions of a study')
    .argument('<study>', 'identifier of the study, or its beginning, or its name')
    .option(...STORE_OPTION);
  study.addCommand(runs<{ store?: string }>(show, finish, showStudy));
  study.addHelpText(
    'after',
    '\nA study tells classes apart. Regression (a number for each slide) and survival analysis are out of its scope.',
  );
  return study;
}
