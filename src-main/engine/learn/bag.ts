/** A slide's tiles as the head sees them. */
export interface Bag {
  /** tiles x featureDim, row-major. */
  readonly features: Float32Array;
  /** Index of the slide's class. */
  readonly label: number;
}

/** Gives bags one at a time, so that an archive need not fit into memory. */
export interface BagSet {
  readonly count: number;
  get(index: number): Promise<Bag>;
}
