import type { PoolingName } from '../../../src-shared/model/study.ts';

/** True where the gate is a choice: CLAM-SB always has one, the controls have no attention. */
export const canBeGated = (pooling: PoolingName): boolean => pooling === 'histotransfer' || pooling === 'abmil';
