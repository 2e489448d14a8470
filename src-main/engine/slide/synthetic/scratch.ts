const arrays = new Map<string, Float32Array>();

/**
 * A float array of the given length under a name, zeroed, the same one every time: painting a tile takes megabytes of
 * planes, and new ones for each tile would keep the collector busy. Valid until the name is asked for again; painting
 * is synchronous, so that no two tiles of a thread are painted at once.
 */
export function scratchArray(name: string, length: number): Float32Array {
  const known = arrays.get(name);
  if (known !== undefined && known.length === length) return known.fill(0);
  const made = new Float32Array(length);
  arrays.set(name, made);
  return made;
}
