import { AppError } from '../../../../src-shared/errors.ts';
import type { Study } from '../../../../src-shared/model/study.ts';
import type { Engine } from '../../../engine/engine.ts';

/** The study a user names by identifier, its beginning, or its name. Throws NotFound, InvalidRequest where two fit. */
export async function findStudy(engine: Engine, named: string): Promise<Study> {
  const studies = await engine.api.listStudies();
  const exact = studies.filter(({ plan }) => plan.name === named);
  const found = exact.length > 0 ? exact : studies.filter(({ id }) => named.length >= 4 && id.startsWith(named));
  const [study] = found;
  if (study === undefined) {
    throw new AppError('NotFound', `There is no study ${named}.`, { advice: 'hyaline study list names them.' });
  }
  if (found.length === 1) return study;
  throw new AppError('InvalidRequest', `${found.length} studies are called ${named}.`, {
    advice: `Give the identifier: ${found.map(({ id }) => id.slice(0, 8)).join(', ')}.`,
  });
}
