import { AppError } from '../../../src-shared/errors.ts';
import { type BackboneFile, makeRandomResNet18 } from './random-resnet18.ts';

/** Makes a built-in backbone by name. Takes seconds: not for an event loop. Throws NotFound. */
export function makeBuiltIn(name: string): BackboneFile {
  if (name === 'random-resnet18') return makeRandomResNet18();
  throw new AppError('NotFound', `There is no built-in backbone called "${name}".`, {
    advice: 'The built-in backbone is random-resnet18.',
  });
}
