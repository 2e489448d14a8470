import type { PoolingName } from '../../../src-shared/model/study.ts';

/** How tiles become one answer for the slide, as the user chooses it. */
export const POOLINGS: readonly { readonly value: PoolingName; readonly label: string; readonly hint: string }[] = [
  {
    value: 'histotransfer',
    label: 'Attention (HistoTransfer)',
    hint: 'A small network weighs the tiles: 256 to 64, attention 32.',
  },
  { value: 'abmil', label: 'Attention (ABMIL)', hint: 'Attention pooling of Ilse and others, 2018.' },
  {
    value: 'clam-sb',
    label: 'Attention (CLAM-SB)',
    hint: 'With a loss on the most and least attended tiles (Lu and others, 2021).',
  },
  {
    value: 'mean',
    label: 'Mean of the tiles (control)',
    hint: 'Every tile counts the same: what attention has to beat.',
  },
  {
    value: 'max',
    label: 'Strongest tile (control)',
    hint: 'For each class, the one tile that speaks most for it decides.',
  },
];

/** True where the gate is a choice: CLAM-SB always has one, the controls have no attention. */
export const canBeGated = (pooling: PoolingName): boolean => pooling === 'histotransfer' || pooling === 'abmil';
